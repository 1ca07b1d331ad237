"""All that an inventory brings along beside what comes with preflight: its expectations, and its folder `checks.d`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from checks.common.dataclass import dataclass
from checks.engine.expect.judging import check_of
from scanner.inventory.expect.folder import listing, read_files
from scanner.inventory.expect.reading import Written, read_lists, refuse_twins
from scanner.inventory.loaded import Loaded
from scanner.inventory.products import Product
from scanner.inventory.reading.values import Problems
from scanner.loading.python_files import load_files
from scanner.probes.expect.probes import probes_of


@dataclass(frozen=True, slots=True)
class Own:
    """What was read, and what came of it."""

    written: Sequence[Written]
    loaded: Loaded


def read_own(
    clusters: Mapping[str, object],
    inventory: Path | None,
    known: Mapping[str, Product],
    taken: Mapping[str, str],
    problems: Problems,
) -> Own:
    """The checks that an inventory brings along, from its [clusters] and the folder beside it.

    `inventory` is its file; None where there is none, and so no folder beside it. `taken` are the ids of the checks and
    probes that are there beforehand, each with whose it is. Raises InventoryError where the folder cannot be listed.
    """
    written = read_lists(clusters, known, problems)
    python = Loaded()
    if inventory is not None:
        found = listing(inventory)
        written += read_files(found, known, problems)
        ids = [one.expectation.id for one in written]
        python = load_files(found, [*taken, *ids])
    refuse_twins(written, taken, problems)
    plain = loaded_of(written)
    return Own(written, plain.beside(python))


def loaded_of(written: Iterable[Written]) -> Loaded:
    """The checks and probes of expectations."""
    wanted = [one.expectation for one in written]
    probes = tuple(probe for one in wanted for probe in probes_of(one))
    return Loaded(checks=tuple(check_of(one) for one in wanted), probes=probes)
