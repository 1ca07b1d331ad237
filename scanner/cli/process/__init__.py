"""The process that a command runs in: who watches over it, what it gives away, how it ends."""
