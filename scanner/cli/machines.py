"""Machines that the command line names in place of an inventory: `--host`, `--local` and how to log in there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanner.cli import completion
from scanner.cli.parsing.signature import with_options
from scanner.errors import UsageError

if TYPE_CHECKING:
    from scanner.inventory.model import Inventory
    from scanner.loading.from_options import Machines

    Source = Path | Inventory
    """Where a command's nodes come from: an inventory's file, or one that was made of these options."""
else:
    Source = object  # Typer never gets to see it

_PANEL = "Without an inventory"


def _option(kind: Any, *names: str, help: str, metavar: str | None = None, offers: Any = None) -> Any:  # noqa: A002
    # `help` is Typer's word; `offers` says what a shell completes it with.
    return Annotated[
        kind, typer.Option(*names, metavar=metavar, help=help, autocompletion=offers, rich_help_panel=_PANEL)
    ]


OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "host": (_option(list[str] | None, "--host", metavar="NAME", help="Ask this machine. Repeatable."), None),
    "local": (_option(bool, "--local", help="Ask this machine itself, without logging in."), False),
    "product": (
        _option(
            str,
            "--product",
            metavar="PRODUCT",
            help="Of what: secret-server, chef-backend.",
            offers=completion.product_names,
        ),
        "",
    ),
    "role": (
        _option(
            list[str] | None,
            "--role",
            metavar="ROLE",
            help="What it does there. Repeatable.",
            offers=completion.role_names,
        ),
        None,
    ),
    "user": (_option(str, "--user", metavar="NAME", help="Whom to log in as."), ""),
    "ask_password": (_option(bool, "--ask-password", help="Ask for the password on the terminal, once."), False),
    "key_file": (_option(str, "--key-file", metavar="FILE", help="Private key to log in with."), ""),
    "transport": (
        _option(
            str,
            "--transport",
            metavar="WAY",
            help="winrm, ssh or tds (the product's own).",
            offers=completion.transport_names,
        ),
        "",
    ),
    "port": (_option(int | None, "--port", metavar="N", help="Where it listens."), None),
    "sudo": (_option(bool, "--sudo", help="Run what needs root through sudo -n."), False),
    "settings": (
        _option(list[str] | None, "--set", metavar="KEY=VALUE", help="Any other key of an inventory. Repeatable."),
        None,
    ),
    "whole": (_option(bool, "--whole", help="No machine of the cluster is missing: judge it as a whole."), False),
}
"""Each option's type and default, by its name in `Machines`."""

_INVENTORY = Annotated[Path | None, typer.Argument(metavar="INVENTORY", help="The TOML inventory.", show_default=False)]

_HOST = Annotated[str, typer.Argument(metavar="HOST", help="The machine to ask.", show_default=False)]


def takes_machines(command: Callable[..., None]) -> Callable[..., None]:
    """A command with an `inventory` that is a file, as one that can be given machines in its place.

    These options are the same for every command, and none of them is any of a command's business.
    """

    def source(given: dict[str, Any]) -> Source:
        from scanner.loading.from_options import Machines

        return source_of(given.pop("inventory"), Machines(**given))

    return with_options(command, "inventory", {"inventory": (_INVENTORY, None), **OPTIONS}, source, last=tuple(OPTIONS))


_LOGIN = ("product", "user", "ask_password", "key_file", "transport", "port", "sudo", "settings")
"""The options that say what a machine is and how to log in there."""


def takes_login(command: Callable[..., None]) -> Callable[..., None]:
    """A command that is given one machine as its argument `host`, with the options of how to log in there as `said`."""

    def machines(given: dict[str, Any]) -> Machines:
        from scanner.loading.from_options import Machines

        return Machines(host=[given.pop("host")], **given)

    options = {"host": (_HOST, inspect.Parameter.empty), **{name: OPTIONS[name] for name in _LOGIN}}
    return with_options(command, "said", options, machines, last=_LOGIN)


def source_of(inventory: Path | None, said: Machines) -> Source:
    """The inventory's file, or the inventory that the options make. Raises UsageError for both, and for neither."""
    if inventory and (said.host or said.local):
        named = "--host" if said.host else "--local"
        raise UsageError(f"{inventory} and {named} contradict each other: an inventory, or machines without one")
    if inventory:
        idle = [_spelling(name) for name, (_, default) in OPTIONS.items() if getattr(said, name) not in (default, [])]
        if idle:
            raise UsageError(f"{' and '.join(idle)}: an inventory says that itself; they belong to --host and --local")
        return inventory
    if said.host and said.local:
        raise UsageError("--host and --local contradict each other: other machines, or this one")
    if not said.host and not said.local:
        raise UsageError(
            "Missing argument INVENTORY. Name one (`preflight init` writes one to start from), or a machine: "
            "--host NAME --product PRODUCT --role ROLE"
        )
    from scanner.loading.from_options import named_inventory

    return named_inventory(said)


def _spelling(name: str) -> str:
    return "--set" if name == "settings" else f"--{name.replace('_', '-')}"


def inventory_of(source: Source) -> Inventory:
    """The inventory, read where it is a file. Raises InventoryError."""
    from scanner.loading.inventory import load_inventory

    return load_inventory(source) if isinstance(source, Path) else source


def beside(source: Source, named: Path | None, option: str, usual: Callable[[Path], Path]) -> Path:
    """A file that goes with the inventory: the one that `option` names, else the usual one beside it.

    Raises UsageError where there is neither: machines that the command line names lie in no folder.
    """
    if named is None and not isinstance(source, Path):
        raise UsageError(f"{option}: missing; without an inventory there is no name that it could be taken from")
    return named or usual(source if isinstance(source, Path) else Path())


def files_of(source: Source) -> list[Path]:
    """The file that a command reads its inventory from, if any."""
    return [source] if isinstance(source, Path) else []
