"""The commands, a file for each or for a few that belong together; each parses, wires, prints and returns."""
