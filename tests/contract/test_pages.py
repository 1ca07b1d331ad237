"""Every address that a check, a rule or a plan points to has a title, and what moved leads to a page of today."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from checks.common.pages import PAGES, current, links_of
from scanner.inventory.products import products
from scanner.loading.registry import load_registry
from scanner.rule_data import load_rules

CHECKS = Path(__file__).parents[2] / "checks"
_ADDRESS = re.compile(r"https?://(?!127\.)[\w.-]+/[^\s{}]+")
_GONE = re.compile(r"//(?:[\w.-]*\.)?thycotic\.|//docs\.chef\.io/(?!server/|release_notes/)|//github\.com/thycotic/")


def addresses() -> set[str]:
    """Of the checks as they are registered, of the rules, and of what only stands in the source."""
    found = {rule.url for product in products() for rule in load_rules(product).rules}
    for check in load_registry()[0]:
        found |= {check.remediation.url, *(text for text in check.references if _ADDRESS.fullmatch(text))}
    for path in CHECKS.rglob("*.py"):
        if path.name == "pages.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        # An address that others are made of is a name of the module's own.
        parts = {
            id(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            if any(
                isinstance(part, ast.FormattedValue)
                and isinstance(part.value, ast.Name)
                and part.value.id == node.targets[0].id
                for part in ast.walk(tree)
            )
        }
        parts |= {id(piece) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for piece in node.values}
        found |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts
            if _ADDRESS.fullmatch(node.value)
        }
    return found - {""}


def test_every_address_has_a_title() -> None:
    used = addresses()
    assert len(used) > 50
    assert used - set(PAGES) == set()


def test_no_title_stands_for_nothing() -> None:
    used = addresses()
    from_code = {value for name, value in _constants() if name.endswith("URL") or name in ("_RECOVERY", "GUIDANCE")}
    led_to = {page.now for page in PAGES.values()}
    assert set(PAGES) - used - from_code - led_to == set()


def _constants() -> set[tuple[str, str]]:
    from checks.secret_server import urls
    from checks.secret_server.runbook.recovery import second_copy

    modules = (urls, second_copy)
    return {(name, value) for module in modules for name, value in vars(module).items() if isinstance(value, str)}


@pytest.mark.parametrize("url", sorted(PAGES))
def test_what_moved_leads_to_a_page_of_today_and_keeps_its_own_beside_it(url: str) -> None:
    page = PAGES[url]
    links = links_of(url)
    assert all(link.title and link.title != link.url for link in links)
    assert links[-1].url == (page.now if page.now and not page.as_of else url)
    if page.now:
        assert PAGES[page.now].now == PAGES[page.now].as_of == ""
        assert not _GONE.search(current(url))
    elif _GONE.search(url):
        assert "no page of today was found" in links[0].title


def test_an_address_that_nobody_knows_is_its_own_title() -> None:
    (link,) = links_of("https://a.example/b")
    assert link.title == link.url == "https://a.example/b"
    assert links_of("https://a.example/b", "The book")[0].title == "The book"
    assert links_of("") == ()
