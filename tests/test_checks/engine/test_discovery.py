"""What lies in a package is found, and what is named and not found ends the program."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from checks.engine.discovery import checks_in, in_order, modules_in
from checks.product import Product
from checks.registry import PRODUCTS

CHECK = """
from checks.check import NodeCheck
from checks.outcome import Remediation, Severity, passed

CHECK = NodeCheck(
    id="{0}", title="x", severity=Severity.LOW, doc="", remediation=Remediation("x"), judge=lambda _: passed("x")
)
"""


@dataclass(frozen=True)
class Named:
    id: str


def ids(*names: str) -> list[Named]:
    return [Named(name) for name in names]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    files = {
        "__init__.py": "",
        "product.py": "raise AssertionError('the product reads the rest')",
        "second.py": CHECK.format("b"),
        "facts.py": "CHECK = 'no check'",
        "inner/__init__.py": "",
        "inner/first.py": CHECK.format("a"),
    }
    for name, text in files.items():
        path = tmp_path / "discovered_package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "discovered_package"
    for name in [name for name in sys.modules if name.startswith("discovered_package")]:
        del sys.modules[name]


def test_every_check_of_a_package_is_found_and_nothing_else(package: str) -> None:
    assert [check.id for check in checks_in(package)] == ["a", "b"]
    names = [module.__name__.removeprefix(f"{package}.") for module in modules_in(package, besides=("product",))]
    assert names == ["facts", "inner.first", "second"]


def test_what_is_named_nowhere_comes_after_what_is_named_first_and_before_what_is_named_last() -> None:
    found = in_order(ids("new", "z", "a", "newer", "m"), ("m", "a"), ("z",))
    assert [one.id for one in found] == ["m", "a", "new", "newer", "z"]


def test_what_is_named_and_not_there_is_no_shorter_list() -> None:
    with pytest.raises(LookupError, match=r"^not found: b, c; install preflight anew$"):
        in_order(ids("a"), ("a", "b"), ("c",))


def test_two_of_an_id_are_refused_and_one_found_twice_is_one() -> None:
    with pytest.raises(LookupError, match="a: two things have this id"):
        in_order(ids("a", "a"), ())
    one = Named("a")
    assert in_order([one, one], ()) == (one,)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_the_checks_of_a_product_are_those_in_its_package(product: Product) -> None:
    own = {check.id for check in checks_in(product.package)}
    assert own <= {check.id for check in product.checks}
    assert len(own) > 10
