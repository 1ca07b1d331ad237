"""The way into `preflight`. Its name is nobody else's: it runs where something else is called `scanner`, too."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys

USAGE, DEFECT = 2, 70
"""ExitCode's, before it is known whose `checks` would be asked for it; a test holds them together."""

_ANEW = "  install it anew: python -m pip install --force-reinstall preflight-scanner\n"


def main() -> None:
    """Run the command line with the `scanner` that lies beside this file; that then looks whose the others are."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  pathlib would be a third of the start
    spec = importlib.machinery.PathFinder.find_spec("scanner", [here])
    if spec is None or spec.loader is None:
        missing = os.path.join(here, "scanner", "__init__.py")  # noqa: PTH118
        sys.stderr.write(f"preflight: the installation is incomplete: {missing} is missing\n{_ANEW}")
        sys.exit(USAGE)
    try:
        scanner = importlib.util.module_from_spec(spec)
        sys.modules["scanner"] = scanner
        spec.loader.exec_module(scanner)

        from scanner.cli.process.supervisor import main as run  # noqa: PLC0415  not before it is known which
    except Exception as error:  # noqa: BLE001  the interpreter would end with 1, which says NO-GO
        sys.stderr.write(f"preflight: the installation is broken: {type(error).__name__}: {error}\n{_ANEW}")
        sys.exit(DEFECT)
    try:
        run()
    except Exception as error:  # noqa: BLE001  the same: of what happens before a command is watched over
        sys.stderr.write(f"preflight: a defect of preflight: {type(error).__name__}: {error}\n")
        sys.exit(DEFECT)


if __name__ == "__main__":
    main()
