"""A plugin's product with every function of it in its place, and none that can end more than its own work.

What one of them raises, other than what it may say, what it gives and is not meant to, and what takes too long becomes
an EndedError; whoever asks the product makes an unknown of that, or a plan that there is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, cast

from packaging.version import Version

from checks.common.dataclass import dataclass
from checks.engine.identity import Identity
from checks.facts import EndedError, UnknownFactError
from checks.product import Product
from checks.runbook.writer import RefusedError, RunbookWriter, Sizes, Written
from checks.versions import Installed, VersionError
from scanner.errors import cause_of
from scanner.inventory.settings.catalogue import Catalogue, ProductSettings
from scanner.plugins.foreign import Allowance
from scanner.plugins.mistypes import mistyped


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A function of a product's."""

    function: Callable[..., Any]
    product: str
    what: str
    """The field that it is, for messages."""
    gives: object
    """The type of what it returns."""
    may_raise: tuple[type[Exception], ...] = ()
    """What it is meant to raise."""

    def __call__(self, *given: Any, **named: Any) -> Any:
        """What the function returns. Raises EndedError."""
        try:
            found = Allowance().call(lambda: self.function(*given, **named))
        except self.may_raise:
            raise
        except Exception as error:  # noqa: BLE001  a foreign function may raise anything
            cause = str(error) if isinstance(error, EndedError) else cause_of(error)
            raise EndedError(f"{self._whose()} failed, which is a defect of it: {cause}") from None
        if told := mistyped(found, self.gives, "what it gave"):
            raise EndedError(f"{self._whose()} is defective: {told}")
        return found

    def _whose(self) -> str:
        return f"{self.what} of the product {self.product}"


@dataclass(frozen=True, slots=True)
class GuardedParser:
    """A product's `parse`: whatever it makes of a text, the text is at most no version."""

    function: Callable[[str], Version]
    product: str

    def __call__(self, text: str) -> Version:
        """The version. Raises VersionError."""
        try:
            found: object = self.function(text)
        except VersionError:
            raise
        except Exception as error:  # noqa: BLE001  a foreign function may raise anything
            raise VersionError(f"{text!r} is no version of {self.product} ({cause_of(error)})") from None
        if not isinstance(found, Version):
            raise VersionError(f"{text!r} is no version of {self.product}")
        return found


def guarded(product: Product) -> Product:
    """The product, with a guard before each function that is its own."""
    defaults = {each.name: each.default for each in fields(Product)}
    changed: dict[str, Any] = {}
    if product.parse is not defaults["parse"]:
        changed["parse"] = GuardedParser(product.parse, product.name)
    for name, gives in (("read_installed", Installed), ("read_index", tuple[str, str])):
        if getattr(product, name) is not defaults[name]:
            changed[name] = Guarded(
                function=getattr(product, name),
                product=product.name,
                what=name,
                gives=gives,
                may_raise=(UnknownFactError,),
            )
    if product.identity:
        stranger = Guarded(
            function=product.identity.stranger,
            product=product.name,
            what="identity.stranger",
            gives=str,
            may_raise=(UnknownFactError,),
        )
        changed["identity"] = Identity(product.identity.facts, stranger)
    if product.runbook:
        changed["runbook"] = _guarded_runbook(product.runbook, product.name)
    return replace(product, **changed) if changed else product


def _guarded_runbook(writer: RunbookWriter, product: str) -> RunbookWriter:
    from checks.runbook.signs import Kind, Seen, Sign

    def own(function: Callable[..., Any], what: str, gives: object) -> Any:
        return Guarded(
            function=function,
            product=product,
            what=f"runbook.{what}",
            gives=gives,
            may_raise=(RefusedError, UnknownFactError),
        )

    def of(name: str, kind: Kind) -> Kind:
        return replace(
            kind, judge=own(kind.judge, f"kinds[{name}].judge", Seen), told=own(kind.told, f"kinds[{name}].told", str)
        )

    return RunbookWriter(
        write=own(writer.write, "write", Written),
        facts=writer.facts,
        refuse=own(writer.refuse, "refuse", type(None)),
        refuse_from=own(writer.refuse_from, "refuse_from", type(None)),
        signs=own(writer.signs, "signs", tuple[tuple[Sign, ...], str]),
        kinds={name: of(name, kind) for name, kind in writer.kinds.items()},
        estimates=writer.estimates,
        sizes=own(writer.sizes, "sizes", Sizes),
    )


def guarded_settings(brought: ProductSettings) -> ProductSettings:
    """The keys of a product, with a guard before whoever writes their example."""
    if brought.example is None:
        return brought
    example = Guarded(function=brought.example, product=brought.product, what="example of the keys", gives=str)
    return replace(brought, example=cast("Callable[[Any, Catalogue], str]", example))
