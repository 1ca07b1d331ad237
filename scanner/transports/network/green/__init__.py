"""Green threads: many conversations in one thread, each of which waits while the others go on.

A thread for each, and they wait for the interpreter more than for their nodes: on a busy machine a third of what a
scan takes is spent on handing it around. What waits here (`waiting`, `wire`) does the same in a thread of its own,
which is how everything is asked that a library of another kind waits for.
"""
