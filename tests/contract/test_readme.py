"""README and docs/ say what is true. Run as a program, this file writes their generated sections anew."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from checks.exit_codes import ExitCode
from checks.registry import BUILTIN
from reports.format import DRIFT, FORMATS, RUNBOOK, SCAN
from scanner.cli.commands.catalogue import scope_of
from scanner.inventory.product_settings.known import catalogue
from scanner.loading.inventory import parse_inventory
from scanner.probes.registry import BUILTIN as PROBES
from scanner.probes.sudoers import sudoers_lines
from tests.keys_page import reference
from tests.user_pages import PAGES, user_pages

README = Path(__file__).parents[2] / "README.md"
KEYS = README.with_name("docs") / "keys.md"


def checks_section() -> str:
    rows = ["| check | looks at | what it checks |", "|---|---|---|"]
    for check in BUILTIN:
        first = check.doc.strip().splitlines()[0]
        rows.append(f"| `{check.id}` | {scope_of(check)} | {first} |")
    return "\n".join(rows)


def sudoers_section() -> str:
    return "\n".join(["```sudoers", *sudoers_lines("preflight", PROBES), "```"])


def exit_codes_section() -> str:
    rows = ["| verdict | when | exit code |", "|---|---|---|"]
    rows += [f"| {code.verdict + ' ' if code.is_answer else ''}| {code.when} | {code:d} |" for code in ExitCode]
    return "\n".join(rows)


def drift_exit_codes_section() -> str:
    rows = ["| verdict of `drift` | when | exit code |", "|---|---|---|"]
    rows += [f"| {code.drift[0]} | {code.drift[1]} | {code:d} |" for code in ExitCode if code.drift]
    return "\n".join(rows)


def formats_section() -> str:
    """`plan` takes a file's ending for the format, and has an option for the JSON alone."""
    rows = ["| option, and key of `[reports]` | what it is | written by |", "|---|---|---|"]
    for each in FORMATS:
        ends = " ".join(f"-o FILE{ending}" for ending in each.suffixes[:1]) or f"--{each.name}"
        by = {SCAN: "`scan`", DRIFT: "`drift`", RUNBOOK: f"`plan` (`{ends}`)"}
        named = ", ".join(by[document] for document in each.render)
        rows.append(f"| `--{each.name}` | {each.about.removesuffix('.')} | {named} |")
    return "\n".join(rows)


def rights_section() -> str:
    needed: dict[str, list[str]] = {}
    for probe in PROBES:
        for need in probe.needs:
            needed.setdefault(need, []).append(f"`{probe.id}` ({', '.join(fact.__name__ for fact in probe.facts)})")
    rows = ["| right | probes, and the facts they give |", "|---|---|"]
    return "\n".join([*rows, *(f"| {need} | {', '.join(probes)} |" for need, probes in needed.items())])


SECTIONS = {
    "checks": checks_section,
    "formats": formats_section,
    "rights": rights_section,
    "sudoers": sudoers_section,
    "exit-codes": exit_codes_section,
    "drift-exit-codes": drift_exit_codes_section,
}


def section(text: str, name: str) -> str:
    found = re.findall(rf"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", text, re.DOTALL)
    assert len(found) == 1, f"{len(found)} sections {name} in README and docs/, and one is wanted"
    return str(found[0]).strip()


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_generated_sections_are_up_to_date(name: str) -> None:
    assert section(user_pages(), name) == SECTIONS[name](), "run: make readme"


def test_the_inventory_shown_is_a_good_one() -> None:
    shown = section(user_pages(), "inventory").removeprefix("```toml\n").removesuffix("```")
    inventory = parse_inventory(shown, Path("inventory.toml"))
    assert [cluster.name for cluster in inventory.clusters] == ["vault-prod", "chef-prod"]


def test_the_override_shown_names_a_rule_that_exists() -> None:
    from scanner.rule_data import load_rules

    text = user_pages()
    block = next(block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if ".rules." in block)
    overrides = tomllib.loads(block)["clusters"]["vault-prod"]["rules"]
    assert load_rules("secret-server").with_overrides(overrides).overridden()


def test_the_waivers_shown_are_good_ones() -> None:
    text = user_pages()
    shown = section(text, "inventory").removeprefix("```toml\n").removesuffix("```")
    blocks = [block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if block.startswith("[[")]
    inventory = parse_inventory("\n".join([shown, *blocks]), Path("inventory.toml"))
    assert (len(inventory.waivers), len(inventory.attestations)) == (1, 1)


def test_every_command_shown_exists() -> None:
    from scanner.cli.app import command_line

    app = command_line()
    names = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    text = user_pages()
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    shown = set(re.findall(r"(?:^|[`$ \\])preflight ([a-z]+)", code))
    assert shown - {"ALL"} <= names
    assert names <= shown, "a command that no page mentions"


def test_the_page_of_keys_is_up_to_date() -> None:
    assert KEYS.read_text(encoding="utf-8") == reference(catalogue()), "run: make readme"


def write(path: Path, sections: Mapping[str, Callable[[], str]]) -> None:
    text = path.read_text(encoding="utf-8")
    for key, make in sections.items():
        if f"<!-- {key}:begin -->" not in text:
            continue
        head, rest = text.split(f"<!-- {key}:begin -->\n")
        tail = rest.split(f"<!-- {key}:end -->")[1]
        text = f"{head}<!-- {key}:begin -->\n{make()}\n<!-- {key}:end -->{tail}"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    from tests.contract.test_provenance import imagined_section

    for page in PAGES:
        write(page, SECTIONS)
    KEYS.write_text(reference(catalogue()), encoding="utf-8")
    write(README.with_name("CONTRIBUTING.md"), {"imagined": imagined_section})
