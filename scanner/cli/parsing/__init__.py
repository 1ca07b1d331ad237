"""How the library that parses the command line is given our commands, and spared what it need not do."""
