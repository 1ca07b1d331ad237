"""`python -m scanner` is `preflight`."""

from scanner.cli.watched import main

if __name__ == "__main__":
    main()
