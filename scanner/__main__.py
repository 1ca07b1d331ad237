"""`python -m scanner` is `preflight`."""

from scanner.cli.process.supervisor import main

if __name__ == "__main__":
    main()
