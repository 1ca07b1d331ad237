"""`preflight init`: an inventory to start from, empty or out of what the site has already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from scanner.cli import completion
from scanner.errors import UsageError

_PANEL = "Out of what there is already"


def init(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = Path("inventory.toml"),
    product: Annotated[
        str,
        typer.Option(
            "--product",
            metavar="PRODUCT",
            help="A short one, of this product alone.",
            autocompletion=completion.product_names,
        ),
    ] = "",
    from_ansible: Annotated[
        Path | None,
        typer.Option(
            "--from-ansible",
            metavar="FILE",
            help="Take over machines from what `ansible-inventory --list` printed, or from what it reads.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    from_ssh_config: Annotated[
        Path | None,
        typer.Option(
            "--from-ssh-config",
            metavar="FILE",
            help="Take machines over from a configuration of OpenSSH's client.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    mapped: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="GROUP=CLUSTER:ROLE",
            help="What a group of Ansible's, or a pattern of hosts in the configuration, becomes. Repeatable.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
) -> None:
    """Write a commented inventory to start from. An existing file is never touched.

    With `--product` it holds no more than it takes; without, every key there is.
    """
    from scanner.cli.output.not_loaded import tell_what_did_not_load
    from scanner.files.atomic import refuse_existing, write_atomically
    from scanner.inventory.writing.template import short_template, template
    from scanner.loading.from_options import product_named
    from scanner.loading.inventory import installed_catalogue

    if from_ansible and from_ssh_config:
        raise UsageError("--from-ansible and --from-ssh-config contradict each other: choose one")
    if mapped and not (from_ansible or from_ssh_config):
        raise UsageError(
            "--map says what becomes of machines that are taken over: add --from-ansible or --from-ssh-config"
        )
    known = installed_catalogue()
    tell_what_did_not_load()
    if from_ansible or from_ssh_config:
        text = _taken_over(path, product, from_ansible, from_ssh_config, mapped or [])
        advice = "read it, say where passwords are kept, then"
    else:
        text = short_template(product_named(product, known), known) if product else template(known)
        advice = "fill in your machines, then"
    refuse_existing(path)
    write_atomically(path, text)
    typer.echo(f"wrote {path}; {advice}: preflight validate {path}")


def _taken_over(path: Path, named: str, ansible: Path | None, ssh: Path | None, mapped: list[str]) -> str:
    from scanner.inventory.importing.ansible import read_ansible
    from scanner.inventory.importing.machines import inventory_of, nothing_mapped, read_map
    from scanner.inventory.importing.ssh_config import SshConfig
    from scanner.inventory.writing.drawn import Reader
    from scanner.loading.from_options import product_named
    from scanner.loading.inventory import installed_catalogue, parse_inventory

    known = installed_catalogue()
    product = product_named(named, known)
    places = read_map(mapped, product)
    there = Path(os.path.expanduser(ssh or ""))  # noqa: PTH111  Path.expanduser raises without a home
    source = read_ansible(ansible, product.transports[0]) if ansible else SshConfig(there)
    if not places:
        groups = source.groups
        raise nothing_mapped(product, groups, source.source, next(iter(groups), "GROUP"))
    reader = Reader(keys=known, read=parse_inventory)
    text = inventory_of(source.members, places, product=product, source=source.source, path=path, reader=reader)
    parse_inventory(text, path)
    return text
