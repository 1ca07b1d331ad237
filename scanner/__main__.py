"""`python -m scanner` is `preflight`."""

from scanner.cli import main

if __name__ == "__main__":
    main()
