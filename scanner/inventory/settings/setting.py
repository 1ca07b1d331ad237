"""What a key of an inventory is, how a model's field declares one, and the patterns that values match."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TypeVar

from checks.common.dataclass import dataclass

Kind = Literal["text", "path", "integer", "number", "boolean", "texts", "date", "scalar"]
"""What a value is; a scalar is a text, or a whole number in its place."""

NAMES = (
    r"(?!\.{1,2}$)[^\s/\\\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
    r"([^\t-\r/\\\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]{0,98}"
    r"[^\s/\\\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff])?"
)
"""Names of clusters and nodes, in full. All patterns here mean the same to Python and to ECMA-262 (JSON Schema)."""
NAMES_EXPECTED = "1 to 100 characters without slashes, control characters, or blanks at either end"
TEXT = r"[^\u0000-\u001f\u007f]+"
HOST = (
    r"[A-Za-z0-9_\u00a1-\u1fff\u3040-\ud7ff][A-Za-z0-9_.\u00a1-\u1fff\u3040-\ud7ff-]{0,252}"
    r"|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?"
)
"""A name (international ones too), an IPv4 or an IPv6 address; nothing that a program could take for an option."""
ENV_NAME = r"[A-Za-z_][A-Za-z0-9_]*"

Model = TypeVar("Model")

_DECLARED = "setting"
_PRODUCT_KEYS = "product keys"
_KINDS: Mapping[str, Kind] = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "date": "date",
    "tuple[str, ...]": "texts",
}
"""What a field's type asks of the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key."""

    name: str
    kind: Kind = "text"
    doc: str
    """One line, for people."""
    default: object = None
    """What holds where the key is left out; None: nothing, or what `otherwise` says."""
    otherwise: str = ""
    """What happens where the key is left out, in words, where the default is no plain value."""
    example: object = None
    """A value for the template, where there is no default to show."""
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    pattern: str = ""
    """What a text must match in full."""
    expects: str = ""
    """What `pattern` wants, in words that go on after "expected"."""
    chain: bool = False
    """True where a text may be a list of texts, too, which is read as one with commas between."""
    several: bool = False
    """True where one text may stand for a list of that one."""
    may_be_empty: bool = False
    """True where "" stands for "none", whatever the cluster or the defaults say."""
    required: bool = False
    products: tuple[str, ...] = ()
    """The products whose clusters and nodes may have it. Empty: all."""
    roles: tuple[str, ...] = ()
    """The roles that a node must have one of. Empty: any."""
    platforms: tuple[str, ...] = ()
    """The platforms that have a use for it. Empty: all."""
    field: str = ""
    """The model's name for it, where that is another."""
    secret: str = ""
    """password or passphrase, for the keys that say where one comes from. Their values are never shown."""

    @property
    def model_field(self) -> str:
        """The attribute of the model that the key ends up in."""
        return self.secret or self.field or self.name

    def is_for(self, product: str) -> bool:
        """Whether clusters and nodes of the product may have it."""
        return not self.products or product in self.products


def setting(
    default: object = dataclasses.MISSING,
    *,
    doc: str,
    key: str = "",
    path: bool = False,
    assumed: object = None,
    **more: Any,
) -> Any:
    """The field of a dataclass that an inventory's key ends up in; the key's kind and name are those of the field.

    `key` is the key's name where it is another, `path` makes a text one of a file, `assumed` is what holds where the
    default is "not said", and `more` is whatever else a `Setting` has.
    """
    declared = {"doc": doc, "key": key, "path": path, "assumed": assumed, **more}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata={_DECLARED: declared})
    return dataclasses.field(default=default, metadata={_DECLARED: declared})


def secret_setting(what: str, variable: str, **more: Any) -> Any:
    """The field of a dataclass that a secret's source ends up in: three keys say where it comes from."""
    return dataclasses.field(default=None, metadata={_DECLARED: {"what": what, "variable": variable, **more}})


def product_keys() -> Any:
    """The field of a dataclass that the keys end up in which a product brings."""
    return dataclasses.field(default_factory=dict, metadata={_PRODUCT_KEYS: True})


def settings_of(model: type, of_products: tuple[Setting, ...] = ()) -> tuple[Setting, ...]:
    """The keys that the fields of `model` declare, in their order, with those of the products in their field's place.

    Raises TypeError for a field of a type that no value of an inventory has.
    """
    found: list[Setting] = []
    for entry in dataclasses.fields(model):
        if _PRODUCT_KEYS in entry.metadata:
            found += of_products
        elif _DECLARED in entry.metadata:
            found += _declared(entry, dict(entry.metadata[_DECLARED]), model.__name__)
    return tuple(found)


def typed(model: type[Model], options: Mapping[str, object]) -> Model:
    """What the options of a cluster or a node say, as the class that declares their keys, defaults applied."""
    return model(**{key.model_field: options[key.name] for key in settings_of(model) if key.name in options})


def _declared(entry: dataclasses.Field[Any], declared: dict[str, Any], model: str) -> tuple[Setting, ...]:
    if "variable" in declared:
        return _sources(entry.name, declared.pop("what"), declared.pop("variable"), declared)
    name, is_path, assumed = declared.pop("key") or entry.name, declared.pop("path"), declared.pop("assumed")
    written = entry.type if isinstance(entry.type, str) else getattr(entry.type, "__name__", str(entry.type))
    kind = _KINDS.get(written.removesuffix(" | None"))
    if kind is None:
        raise TypeError(f"{model}.{entry.name}: a key is {', '.join(_KINDS)}, not {written}")
    default = None if entry.default in (dataclasses.MISSING, "") else entry.default
    if declared.get("otherwise"):
        # In words, then; the plain value is at least an example.
        if default is not None:
            declared.setdefault("example", default)
        default = None
    return (
        Setting(
            name=name,
            kind="path" if is_path else kind,
            default=assumed if default is None else default,
            field="" if name == entry.name else entry.name,
            **declared,
        ),
    )


def _sources(name: str, what: str, variable: str, more: Mapping[str, Any]) -> tuple[Setting, ...]:
    """The three keys that say where the secret `name` comes from."""
    keys = (
        Setting(
            name=f"{name}_env",
            doc=f"Name of the environment variable that holds {what}.",
            example=variable,
            pattern=ENV_NAME,
            expects="the NAME of an environment variable (letters, digits and _, without $)",
        ),
        Setting(
            name=f"{name}_file",
            kind="path",
            doc=f"File that holds {what} and nothing else, readable by its owner only.",
            example=f"~/.config/preflight/{name}",
        ),
        Setting(
            name=f"{name}_command",
            doc=f"Command that prints {what}, run without a shell on the scanner's own machine, "
            "or the worker's (run.secrets).",
            example=f"pass show preflight/{name}",
        ),
    )
    return tuple(replace(each, secret=name, may_be_empty=True, **more) for each in keys)


def by_name(*tables: tuple[Setting, ...]) -> dict[str, Setting]:
    """The keys of `tables` by name; the first one wins."""
    found: dict[str, Setting] = {}
    for table in tables:
        for each in table:
            found.setdefault(each.name, each)
    return found
