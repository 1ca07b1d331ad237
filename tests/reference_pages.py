"""Pages of the documentation's site that are made from the code while it is built: no copy of them is committed.

`mkdocs.yml` names this file as a hook; `pages` is what it adds. What is looked up in the
repository too (the keys of an inventory, faults) lies in docs/, is held by a test and written by `make readme`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from checks.baseline.fact_paths import field_patterns, kind_name
from checks.check import Check
from checks.registry import BUILTIN
from scanner.cli.app import command_line
from scanner.cli.commands.catalogue import scope_of
from scanner.cli.examples import EXAMPLES
from scanner.lab.scenario import scenario_names, scenario_title
from scanner.probes.registry import BUILTIN as PROBES
from scanner.rule_data import load_drift_rules, load_rules

TOP = Path(__file__).parents[1]
SCHEMAS = ("reports/schemas", "scanner/files")
PRODUCTS = {"": "Every product", "secret-server": "Secret Server", "chef-backend": "Chef Backend"}


def pages() -> dict[str, str]:
    """Address within the site to what stands there, Markdown and JSON alike."""
    schemas = {path: path.read_text("utf-8") for path in _schemas()}
    return {
        "reference/checks.md": checks_page(),
        "reference/commands.md": commands_page(),
        "reference/facts.md": facts_page(),
        "reference/rules.md": rules_page(),
        "reference/scenarios.md": scenarios_page(),
        "reference/exit-codes.md": exit_codes_page(),
        "reference/formats.md": formats_page(),
        **{f"reference/schemas/{_schema_name(text)}": text for text in schemas.values()},
        "contributing.md": top_page("CONTRIBUTING.md"),
        "architecture.md": top_page("ARCHITECTURE.md"),
        "security.md": top_page("SECURITY.md"),
        "changelog.md": top_page("CHANGELOG.md"),
    }


def on_files(files: Any, config: Any) -> Any:
    """What mkdocs calls once it knows the files of docs/."""
    from mkdocs.structure.files import File

    for address, text in pages().items():
        files.append(File.generated(config, address, content=text))
    return files


def checks_page() -> str:
    """All checks, by product: what, why, how to mend it, what is read for it, and who says so."""
    lines = ["# Checks", "", "`preflight explain ID` prints each of them, too.", ""]
    for product, title in PRODUCTS.items():
        chosen = [check for check in BUILTIN if ("" if len(check.products) != 1 else check.products[0]) == product]
        lines += [f"## {title}", ""]
        for check in chosen:
            lines += _check(check)
    return _page(lines)


def _check(check: Check) -> Iterator[str]:
    first, _, rest = check.doc.strip().partition("\n")
    yield from (f"### {check.id} {{ #{check.id} }}", "", f"**{first}**", "")
    yield from (f"*{check.severity.value}*; {scope_of(check)}", "")
    yield from (re.sub(r"^## ", "#### ", rest.strip(), flags=re.MULTILINE), "")
    if check.remediation.command:
        yield from (f"```{check.remediation.language or 'text'}", check.remediation.command, "```", "")
    if check.phases:
        yield from ("| `--phase` | expected |", "|---|---|")
        yield from (f"| {phase} | {_cell(text)} |" for phase, text in check.phases.items())
        yield ""
    asked = {fact for probe in PROBES for fact in probe.facts}
    kinds = [kind_name(fact) for fact in (*check.facts, *check.optional_facts) if fact in asked]
    if kinds:
        yield from ("Reads " + ", ".join(f"[{kind}](facts.md#{kind})" for kind in kinds) + ".", "")
    for reference in check.references:
        yield f"- <{reference}>" if reference.startswith("https://") else f"- {reference}"
    yield ""


def commands_page() -> str:
    """Every command with all that it takes, as `--help` tells it."""
    lines = ["# Commands", "", "Every command takes `--help`. `man preflight` has the same.", ""]
    root: Any = typer.main.get_command(command_line())
    for words, command in commands(root, ""):
        anchor = words.replace(" ", "-")
        lines += [f"## preflight {words} {{ #{anchor} }}", "", _plain(command.help or ""), ""]
        takes = [each for each in command.params if not getattr(each, "hidden", False) and each.name != "help"]
        if takes:
            lines += ["| takes | what it is for | left out |", "|---|---|---|"]
            lines += [f"| {_spelt(each)} | {_cell(_plain(each.help or ''))} | {_default(each)} |" for each in takes]
            lines += [""]
        if examples := EXAMPLES.get(words, ()):
            lines += ["```console", *(f"$ {line}" for line in examples), "```", ""]
    return _page(lines)


def commands(command: Any, above: str) -> Iterator[tuple[str, Any]]:
    """Each command that does something, with its words, but for the hidden ones."""
    for name, inner in command.commands.items():
        if hasattr(inner, "commands"):
            yield from commands(inner, f"{above}{name} ")
        elif not inner.hidden:
            yield f"{above}{name}", inner


def _spelt(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    names = ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
    return names if parameter.is_flag or not parameter.metavar else f"{names} {_cell(parameter.metavar)}"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "must be given"
    default = parameter.default
    return f"`{getattr(default, 'value', default)}`" if default not in (None, False, (), [], "") else ""


def facts_page() -> str:
    """Every kind of fact: who gives it, who reads it, and how `drift` compares each of its values."""
    rules = load_drift_rules()
    given: dict[type, list[str]] = {}
    for probe in PROBES:
        for fact in probe.facts:
            given.setdefault(fact, []).append(probe.id)
    lines = ["# Facts, and how they are compared", ""]
    lines += [
        "What a node is asked, and how [`preflight drift`](commands.md#drift) holds each value against the approved.",
        "",
    ]
    for fact in sorted(given, key=kind_name):
        kind = kind_name(fact)
        about = " ".join((fact.__doc__ or "").split())
        readers = [each.id for each in BUILTIN if fact in (*each.facts, *each.optional_facts)]
        lines += [f"## {kind} {{ #{kind} }}", "", about if not about.startswith(f"{fact.__name__}(") else "", ""]
        lines += ["Given by " + ", ".join(f"`{probe}`" for probe in given[fact]) + "."]
        lines += ["Read by " + ", ".join(f"[{each}](checks.md#{each})" for each in readers) + "." if readers else ""]
        lines += ["", "| value | compared | why |", "|---|---|---|"]
        for pattern in field_patterns(fact):
            rule = rules.of(pattern)
            how = f"{rule.compare.value} {rule.tolerance}".strip()
            lines += [f"| `{pattern.removeprefix(kind + '.')}` | {how} | {_cell(rule.reason)} |"]
        lines += [""]
    return _page(lines)


def rules_page() -> str:
    """The vendors' thresholds with their sources."""
    lines = ["# The vendors' rules", ""]
    lines += ["An inventory can say otherwise, with a reason: `[clusters.NAME.rules.ID]`.", ""]
    for product, title in PRODUCTS.items():
        if not (rules := load_rules(product).rules if product else ()):
            continue
        lines += [
            f"## {title}",
            "",
            "| rule | of | target | asks for | confidence | source |",
            "|---|---|---|---|---|---|",
        ]
        for rule in rules:
            source = f"[{_cell(rule.source)}]({rule.url})" if rule.url else _cell(rule.source)
            target = f"`{rule.target}`" if rule.target else "any"
            of = (
                f"[{rule.check}](checks.md#{rule.check})"
                if rule.check in {check.id for check in BUILTIN}
                else rule.check
            )
            lines += [f"| `{rule.id}` | {of} | {target} | {_cell(rule.text)} | {rule.confidence} | {source} |"]
        lines += [""]
    return _page(lines)


def scenarios_page() -> str:
    """The keys of a scenario, and all that come along."""
    text = (TOP / "scanner/lab/scenarios/README.md").read_text("utf-8")
    rows = [f"| `{name}` | {_cell(scenario_title(name))} |" for name in scenario_names()]
    return _page([text, "", "## Those that come along", "", "| scenario | |", "|---|---|", *rows])


def exit_codes_page() -> str:
    """What a process ends with."""
    from tests.contract.test_readme import drift_exit_codes_section, exit_codes_section

    return _page(["# Exit codes", "", exit_codes_section(), "", "## Of drift", "", drift_exit_codes_section()])


def formats_page() -> str:
    """What is written, by which command, and the JSON Schema of each document."""
    from tests.contract.test_readme import formats_section

    lines = ["# Formats and their schemas", "", formats_section(), "", "## JSON Schemas", ""]
    lines += ["Later versions of a format may gain keys, and lose none; what would mislead gets another number.", ""]
    for path in _schemas():
        schema = json.loads(path.read_text("utf-8"))
        lines += [
            f"### {schema['title']}",
            "",
            f"{schema.get('description', '')} [The schema](schemas/{_schema_name(path.read_text('utf-8'))}).",
            "",
        ]
        lines += ["| key | what it is |", "|---|---|"]
        lines += [f"| `{key}` | {_schema_cell(value)} |" for key, value in schema.get("properties", {}).items()]
        lines += [""]
    return _page(lines)


def _schema_cell(value: dict[str, Any]) -> str:
    kind = value.get("type") or (
        "one of " + ", ".join(map(str, value["enum"])) if "enum" in value else value.get("const", "")
    )
    told = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return _cell(": ".join(each for each in (told, value.get("description", "")) if each))


def _schemas() -> list[Path]:
    return sorted({path for folder in SCHEMAS for path in (TOP / folder).rglob("*schema.json")})


def _schema_name(text: str) -> str:
    """The file's name in the site, after what the schema calls itself: preflight.plan/1 is preflight.plan-1.json."""
    return str(json.loads(text)["title"]).replace("/", "-") + ".json"


IN_THE_SITE = {
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "README.md": "index.md",
}
"""Pages at the top of the tree, and where the site has them."""


def top_page(name: str) -> str:
    """A page that lies at the top of the tree, with links turned to the site; what is no page of it stays a name."""
    text = (TOP / name).read_text("utf-8")

    def turned(found: re.Match[str]) -> str:
        shown, path, anchor = found[1], found[2], found[3] or ""
        if path.startswith("docs/"):
            return f"[{shown}]({path.removeprefix('docs/')}{anchor})"
        page = IN_THE_SITE.get(path)
        return f"[{shown}]({page}{anchor})" if page else f"{shown} (`{path}`)" if shown != path else f"`{path}`"

    return re.sub(r"(?<!\!)\[([^\]\n]+)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)", turned, text)


def _page(lines: list[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


def _plain(text: str) -> str:
    return text.replace("\f", "").replace("\b", "").strip()


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")
