"""Tables in TOML with all their keys: those in use, and the others switched off, each under its explanation."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import date

from checks.engine.left_out import NEVER
from checks.engine.wording import enumerate_names
from scanner.inventory.products import Product
from scanner.inventory.settings.acceptance import REASON
from scanner.inventory.settings.setting import Setting

_WIDTH = 100


def table(
    name: str,
    about: str,
    keys: Sequence[Setting],
    values: Mapping[str, object],
    *,
    notes: Mapping[str, str] | None = None,
    silent: Sequence[str] = (),
) -> str:
    """A table with all of `keys`: those in `values` in use, the others switched off, each under its explanation.

    Keys in `silent` go without one, for it was given further up; `notes` are added to the explanations.
    """
    lines = [comment(about) + f"[{name}]\n"]
    # Keys in use first: what a reader has to fill in should not be hidden among what he may.
    for key in sorted(keys, key=lambda key: key.name not in values):
        if key.name not in silent:
            lines.append(comment(f"{key.doc} {_explained(key)} {(notes or {}).get(key.name, '')}"))
        if key.name in values:
            lines.append(f"{key.name} = {toml_value(values[key.name])}\n")
        elif key.name not in silent:
            lines.append(f"#{key.name} = {toml_value(_sample(key))}\n")
    return "".join(lines)


def brief(name: str, values: Mapping[str, object]) -> str:
    """A table with nothing but its values."""
    return f"[{name}]\n" + "".join(f"{key} = {toml_value(value)}\n" for key, value in values.items())


def left_out(name: str, check_id: str) -> str:
    """A table whose keys are the ids of checks, with one of them for an example."""
    about = (
        "Checks that are not judged for this cluster, with the reason, which every report shows: for what can never "
        "be told here, such as a database that only its administrators may ask. `preflight checks` lists the ids. "
        f"Not {enumerate_names(list(NEVER))}."
    )
    return comment(about) + f"#[{name}]\n#{check_id} = {toml_value(REASON.example)}\n"


def switched_off(name: str, about: str, keys: Sequence[Setting], values: Mapping[str, object]) -> str:
    """A table that is off as a whole, with all its keys."""
    lines = [comment(about), f"#[{name}]\n"]
    for key in keys:
        lines.append(comment(f"{key.doc} {_explained(key)}"))
        lines.append(f"#{key.name} = {toml_value(values.get(key.name, _sample(key)))}\n")
    return "".join(lines)


def _explained(key: Setting) -> str:
    words = []
    if key.choices:
        words.append(f"One of {', '.join(key.choices)}.")
    if key.otherwise:
        words.append(f"Left out: {key.otherwise}.")
    return " ".join(words)


def roles_of(product: Product) -> str:
    """The product's roles in a sentence."""
    return f"One or more of {'; '.join(f'{role} ({what})' for role, what in product.roles.items())}."


def _sample(key: Setting) -> object:
    """What stands behind a key that is switched off: a key without an example is shown with one of its choices."""
    found = key.example if key.default is None else key.default
    return (key.choices[0] if key.choices else "") if found is None else found


def comment(text: str) -> str:
    """The text as lines of a comment."""
    lines = textwrap.wrap(" ".join(text.split()), _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines)


def toml_value(value: object) -> str:
    """`value` as TOML writes it. Texts without control characters, as all samples are."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    text = str(value)
    return f"'{text}'" if "\\" in text else f'"{text}"'
