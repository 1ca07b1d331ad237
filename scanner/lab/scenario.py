"""Scenarios: which simulated nodes there are, what is wrong with them, and what a scan must find.

A scenario is a TOML file; `scenarios/README.md` has its keys. `preflight lab --copy FILE` writes a built-in one,
to change and rehearse.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from scanner.inventory.reading.looking import is_file
from scanner.lab.scenario_model import (
    ClusterScenario,
    Expectation,
    ExpectedResult,
    NodeScenario,
    Scenario,
    SqlPort,
)
from scanner.lab.scenario_tables import deep_merge, read_scenario
from scanner.lab.tables import ScenarioError, meant

__all__ = [
    "ClusterScenario",
    "Expectation",
    "ExpectedResult",
    "NodeScenario",
    "Scenario",
    "ScenarioError",
    "SqlPort",
    "load_scenario",
    "parse_scenario",
    "scenario_names",
    "scenario_text",
    "scenario_title",
]


def scenario_names() -> tuple[str, ...]:
    """The built-in scenarios, then those of plugins' products, each in alphabetical order."""
    return tuple({**_built_in(), **_brought()})


@functools.cache
def _built_in() -> Mapping[str, Traversable]:
    """The files of the built-in scenarios by name, in alphabetical order. The folders group them for readers alone."""
    return dict(sorted(_files(resources.files("scanner.lab").joinpath("scenarios"))))


def _brought() -> Mapping[str, Traversable]:
    """The files in the folder `scenarios` of each package that a plugin's product names."""
    from scanner.loading.registry import load_registry

    found: dict[str, Traversable] = {}
    for product in load_registry()[2].brought:
        folder = resources.files(product.package).joinpath("scenarios") if product.package else None
        if folder is not None and folder.is_dir():
            found |= sorted(_files(folder))
    return found


def _files(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry)
        elif entry.name.endswith(".toml"):
            yield entry.name.removesuffix(".toml"), entry


def scenario_text(name_or_path: str) -> str:
    """The TOML of a built-in scenario, or of a file. Raises ScenarioError where there is neither."""
    return _read(name_or_path, Path())[0]


def scenario_title(name: str) -> str:
    """What a scenario is about, one line. Raises ScenarioError."""
    return str(_table(scenario_text(name), name).get("title", ""))


def load_scenario(name_or_path: str | Path) -> Scenario:
    """A built-in scenario by name, or one of your own by its file. Raises ScenarioError, which names the place."""
    name = str(name_or_path)
    try:
        table = _resolved(name, Path(), ())
        return read_scenario(Path(name).name.removesuffix(".toml"), table)
    except ScenarioError as error:
        raise ScenarioError(f"scenario {name}", str(error)) from None


def parse_scenario(text: str, name: str = "scenario") -> Scenario:
    """A scenario from its TOML. `extends` names built-in ones, or files in the working directory.

    Raises ScenarioError.
    """
    return read_scenario(name, _merged(_table(text, name), Path(), (name,)))


def _read(name: str, folder: Path) -> tuple[str, Path]:
    """A scenario's text, and the folder that its own `extends` starts from."""
    path = folder / Path(name).expanduser()
    if name.endswith(".toml") or is_file(path):
        try:
            return path.read_text(encoding="utf-8"), path.parent
        except (OSError, UnicodeDecodeError) as error:
            raise ScenarioError("", f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    built_in, brought = _built_in().get(name), _brought().get(name)
    if built_in and brought:
        raise ScenarioError("", f"{name!r} comes with preflight and with a plugin, which has to name its own otherwise")
    found = built_in or brought
    if found is None:
        raise ScenarioError("", f"there is no scenario {name!r}; {_meant(name, scenario_names())}")
    return found.read_text(encoding="utf-8"), folder


def _meant(name: str, names: tuple[str, ...]) -> str:
    close = meant(name, names)
    return close if close.startswith("did you mean") else "`preflight lab --list` names those there are"


def _table(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError("", f"{name} is no TOML: {error}") from None


def _resolved(name: str, folder: Path, seen: tuple[str, ...]) -> dict[str, Any]:
    if name in seen:
        raise ScenarioError("extends", f"goes in a circle: {' -> '.join((*seen, name))}")
    text, home = _read(name, folder)
    return _merged(_table(text, name), home, (*seen, name))


def _merged(table: dict[str, Any], folder: Path, seen: tuple[str, ...]) -> dict[str, Any]:
    base = table.get("extends", "")
    if not base or not isinstance(base, str):
        return table
    parent = _resolved(base, folder, seen)
    # What a scan must find is the one thing that a variation never shares.
    parent.pop("expect", None)
    return deep_merge(parent, table)
