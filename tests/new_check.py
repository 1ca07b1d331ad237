"""`make new-check`: the five files of a new check, as a skeleton that runs; what is left to write says `WRITE ME`.

python -m tests.new_check --id time-zone-match --product chef-backend [--fact time-zone] [--scope cluster] [--folder F]
"""

from __future__ import annotations

import argparse
import keyword
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import NoReturn

from checks.product import Product
from checks.registry import BUILTIN, PRODUCTS
from scanner.lab.scenario import load_scenario, scenario_names
from scanner.probes.registry import BUILTIN as PROBES

TOP = Path(__file__).parents[1]
MARK = "WRITE ME"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_CHECK = '''"""$mark: what is right, in a sentence.

## What it checks
$mark: what is read on which nodes, and what is compared with what.

## Why it matters
$mark: what goes wrong in the window where it does not hold, and for whom.

## How to fix it
$mark: what to do, in the order in which it is done.
"""

from __future__ import annotations

from checks.check import $scope_class, $scope_view
from checks.common.dataclass import dataclass
from checks.outcome import Outcome, Remediation, Severity, failed, passed
$expected

@dataclass(frozen=True, slots=True)
class $fact_class:
    """$mark: what the fact is."""

    value: str
    """$mark: what it says, with its unit in the name."""


$judge


CHECK = $scope_class(
    id="$id",
    title="$mark",
    severity=Severity.LOW,
    doc=__doc__,
    remediation=Remediation("$mark: what to do."),
    products=("$product",),
    roles=("$role",),
    facts=($fact_class,),
    judge=judge,
)
'''

_JUDGE_NODE = '''def judge(view: NodeView) -> Outcome:
    """$mark: what is judged."""
    found = view.require($fact_class)
    observed = f"$fact is {found.value}"
    if found.value != EXPECTED:
        return failed(observed, expected=EXPECTED, observed=observed)
    return passed(observed, expected=EXPECTED, observed=observed)'''

_JUDGE_CLUSTER = '''def judge(view: ClusterView) -> Outcome:
    """$mark: what is compared. The node that differs is named."""
    found = {node.name: fact.value for node, fact in view.with_fact($fact_class)}
    observed = ", ".join(f"{name} {value}" for name, value in found.items())
    if len(set(found.values())) > 1:
        return failed(f"$fact differs: {observed}", expected="one value", observed=observed)
    return passed("$fact is the same on all nodes", observed=observed)'''

_PROBE = '''"""$mark: what a node is asked."""

from __future__ import annotations
$json
from $check_module import $fact_class$rights
from scanner.probes.probe import Answer, Probe, UnreadableError


def read_$fact_name(answer: Answer) -> $fact_class:
    """$mark: what is read. Raises UnreadableError."""
$read


PROBES = (
    Probe(
        id="$fact",
        language="$language",
        purpose="$mark: a line for `preflight probes`",
        script="$script",
        readers=(($fact_class, read_$fact_name),),$needs
        sample=$sample,
        sample_from="captured: $mark: the program, its version, or the page that the text is from",
    ),
)
'''

_READ_SH = """    text = answer.output.strip()
    if answer.exit_code != 0 or not text.isalnum():
        raise UnreadableError(f"$script gave {text[:80]!r}")
    return $fact_class(text)"""

_READ_POWERSHELL = """    try:
        text = json.loads(answer.output)
    except ValueError:
        text = None
    if answer.exit_code != 0 or not isinstance(text, str):
        raise UnreadableError(f"$fact gave {answer.output.strip()[:80]!r}")
    return $fact_class(text)"""

_TEST = '''"""$mark: what is right, in a sentence."""

from __future__ import annotations

import pytest

from $check_module import CHECK, $fact_class
from checks.facts import Unknown
from checks.outcome import Status
from $probe_module import PROBES, read_$fact_name
from scanner.probes.probe import Answer, UnreadableError
from scanner.testing import $view_function, read, scan_lab

$judged


def test_what_is_right_passes() -> None:
    assert $right


def test_what_is_wrong_fails_and_is_named() -> None:
    assert $wrong


def test_what_is_unknown_is_no_pass() -> None:
    $unknown


def test_the_sample_is_read() -> None:
    assert read(PROBES[0]) == {$fact_class: $fact_class($good)}


@pytest.mark.parametrize("answer", [Answer("", 0), Answer("???", 0), Answer($answer, 1)])
def test_garbage_is_refused(answer: Answer) -> None:
    with pytest.raises(UnreadableError, match="gave"):
        read_$fact_name(answer)


def test_it_is_told_on_a_node_of_the_lab() -> None:
    rows = [row for row in scan_lab("$id", checks=(CHECK,)) if row.check == CHECK.id]
    assert [(row.node, row.status) for row in rows if row.status is not Status.PASS] == [($node, Status.FAIL)]
'''

_JUDGED_NODE = """
def judged(fact: $fact_class) -> tuple[Status, str]:
    outcome = CHECK.judge(node_view("$product", fact, roles=("$role",)))
    return outcome.status, outcome.message"""

_JUDGED_CLUSTER = """
def judged(**facts: $fact_class | Unknown) -> tuple[Status, str]:
    outcome = CHECK.judge(cluster_view("$product", facts, roles=("$role",)))
    return outcome.status, outcome.message"""

_SCENARIO = """title = "$mark"
extends = "$healthy"

[clusters.$cluster.nodes.$lab_node]
$answers

[expect]
exit_code = 1

[[expect.results]]
check = "$id"$expect_node
status = "fail"
message = "$bad_text"
"""

_DRIFT = """
[$fact_kind]
"value" = { compare = "exact", reason = "$mark: what it means that it is another one" }
"""


class RefusedError(Exception):
    """What was asked for cannot be made. The message says what, and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The check that is to be written."""

    id: str
    product: Product
    fact: str
    cluster: bool
    folder: str

    @property
    def package(self) -> str:
        """The product's folders are named so in every room."""
        return self.product.name.replace("-", "_")

    @property
    def role(self) -> str:
        return self.product.carrier or next(iter(self.product.roles))

    @property
    def check(self) -> Path:
        return Path("checks", self.package, self.folder, f"{_module(self.id)}.py")

    @property
    def probe(self) -> Path:
        rooms = Path("scanner", "probes", self.package)
        return (rooms / self.folder if (TOP / rooms / self.folder).is_dir() else rooms) / f"{_module(self.fact)}.py"

    @property
    def test(self) -> Path:
        return Path("tests", "test_checks", self.package, self.folder, f"test_{_module(self.id)}.py")

    @property
    def drift(self) -> Path:
        return Path("checks", self.package, "drift.toml")

    @property
    def scenario(self) -> Path:
        rooms = Path("scanner", "lab", "scenarios", self.package)
        there = [name for name in (self.folder, f"{self.folder}s") if (TOP / rooms / name).is_dir()]
        return rooms / (there or [f"{self.folder}s"])[0] / f"{self.id}.toml"


def _module(name: str) -> str:
    return name.replace("-", "_")


def _class(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def _class_of_another(fact: str) -> str:
    """Why the fact's class cannot be called so: another fact's has that name, or something that the files import."""
    name = _class(fact)
    if any(kind.__name__ == name for probe in PROBES for kind in probe.facts):
        return f"there is a fact {name}"
    views = "NodeCheck, NodeView, ClusterCheck, ClusterView"
    imported = re.findall(r"^from [\w.]+ import ([\w, ]+)$", f"{_CHECK}\n{_PROBE}\n{_TEST}", re.MULTILINE)
    return f"the skeleton imports another {name}" if name in ", ".join((*imported, views)).split(", ") else ""


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def wanted(*, check_id: str, product: str, fact: str = "", scope: str = "node", folder: str = "") -> Wanted:
    """What the options ask for. Raises RefusedError."""
    names = [one.name for one in PRODUCTS]
    found = next((one for one in PRODUCTS if one.name == product), None)
    if not check_id:
        raise RefusedError("ID is missing: make new-check ID=time-zone-match PRODUCT=chef-backend")
    if found is None:
        problem = f"{product!r} is no product" if product else "PRODUCT is missing"
        raise RefusedError(
            f"{problem}: there are {' and '.join(names)}; one of a plugin's is tested in its own package"
        )
    for option, name in (("ID", check_id), ("FACT", fact or check_id)):
        if not _NAME.fullmatch(name):
            raise RefusedError(
                f"{option}={name!r}: an id is of small letters, digits and hyphens, as in time-zone-match"
            )
        if keyword.iskeyword(_module(name)) or keyword.iskeyword(_class(name)):
            raise RefusedError(f"{option}={name}: Python has that word for itself, and no file can be called so")
    if scope not in ("node", "cluster"):
        raise RefusedError(f"SCOPE={scope!r}: there are node (judges one node) and cluster (compares all of them)")
    if check_id in {check.id for check in BUILTIN}:
        raise RefusedError(f"ID={check_id}: there is such a check; an id is for ever")
    if (fact or check_id) in {probe.id for probe in PROBES}:
        raise RefusedError(f"FACT={fact or check_id}: there is such a probe; name yours with FACT=...")
    taken = _class_of_another(fact or check_id)
    if taken:
        raise RefusedError(f"FACT={fact or check_id}: {taken}; name yours with FACT=...")
    there = TOP / "checks" / found.name.replace("-", "_")
    folders = sorted(
        path.parent.name for path in there.glob("*/__init__.py") if path.parent.name not in {"facts", "runbook"}
    )
    own = folder or next((name for name in (found.carrier, "host") if name in folders), folders[0])
    if own not in folders:
        raise RefusedError(f"FOLDER={own!r}: there are {', '.join(folders)}")
    return Wanted(id=check_id, product=found, fact=fact or check_id, cluster=scope == "cluster", folder=own)


def _lab(new: Wanted) -> tuple[str, str, str]:
    """The healthy scenario of the product, its cluster, and the last node of the role."""
    for name in (name for name in scenario_names() if name.endswith("-healthy")):
        for cluster in load_scenario(name).clusters:
            nodes = [node.name for node in cluster.nodes if new.role in node.roles]
            if cluster.product == new.product.name and nodes:
                return name, cluster.name, nodes[-1]
    raise RefusedError(f"no scenario of the lab is a healthy {new.product.title}")


def written(new: Wanted) -> Iterator[tuple[Path, str]]:
    """Each new file with its text, and the text that drift.toml gets beside its own."""
    windows = new.product.platform == "windows"
    healthy, cluster, node = _lab(new)
    good, bad = ("5.1.17763.1", "another") if windows else ("Linux", "another")
    fact = _class(new.fact)
    scoped = "Cluster" if new.cluster else "Node"
    literal = f'"{good}"'
    words = {
        "mark": MARK,
        "id": new.id,
        "product": new.product.name,
        "role": new.role,
        "fact": new.fact,
        "fact_name": _module(new.fact),
        "fact_class": fact,
        "fact_kind": re.sub(r"(?<!^)(?=[A-Z])", "-", fact).lower(),
        "scope_class": f"{scoped}Check",
        "scope_view": f"{scoped}View",
        "expected": "" if new.cluster else f'\nEXPECTED = "{good}"\n',
        "check_module": _dotted(new.check),
        "probe_module": _dotted(new.probe),
        "json": "\nimport json\n" if windows else "",
        "rights": "\nfrom scanner.probes import rights" if windows else "",
        "needs": "\n        needs=(rights.ANY,)," if windows else "",
        "language": "powershell" if windows else "sh",
        "script": "[string]$PSVersionTable.PSVersion" if windows else "uname -s",
        "sample": f"'\"{good}\"'" if windows else f'"{good}\\n"',
        "view_function": f"{scoped.lower()}_view",
        "good": literal,
        "answer": f"'{literal}'" if windows else literal,
        "right": f"judged(a={fact}({literal}), b={fact}({literal}))[0] is Status.PASS"
        if new.cluster
        else f"judged({fact}({literal}))[0] is Status.PASS",
        "wrong": f'judged(a={fact}({literal}), b={fact}("{bad}")) == (Status.FAIL, "'
        f'{new.fact} differs: a {good}, b {bad}")'
        if new.cluster
        else f'judged({fact}("{bad}")) == (Status.FAIL, "{new.fact} is {bad}")',
        "unknown": f'assert judged(a={fact}({literal}), b=Unknown("down"), c={fact}("{bad}"))[0] is Status.FAIL'
        if new.cluster
        else f'unread = node_view("{new.product.name}", unknown={{{fact}: "garbled"}}).get({fact})\n'
        "    assert isinstance(unread, Unknown)",
        "node": "None" if new.cluster else f'"{node}"',
        "healthy": healthy,
        "cluster": cluster,
        "lab_node": node,
        "answers": f'windows = {{canned = {{{new.fact} = "{bad}"}}}}'
        if windows
        else f'answers = {{{new.fact} = {{output = "{bad}"}}}}',
        "expect_node": "" if new.cluster else f'\nnode = "{node}"',
        "bad_text": f"{node} {bad}" if new.cluster else f"is {bad}",
    }
    # What stands in a template may itself have words to fill in.
    for name, text in (
        ("judge", _JUDGE_CLUSTER if new.cluster else _JUDGE_NODE),
        ("judged", _JUDGED_CLUSTER if new.cluster else _JUDGED_NODE),
        ("read", _READ_POWERSHELL if windows else _READ_SH),
    ):
        words[name] = Template(text).substitute(words)
    for path, template in (
        (new.check, _CHECK),
        (new.probe, _PROBE),
        (new.test, _TEST),
        (new.drift, _DRIFT),
        (new.scenario, _SCENARIO),
    ):
        yield path, Template(template).substitute(words)


def write(new: Wanted, top: Path = TOP) -> list[Path]:
    """Write the five files into the tree. Raises RefusedError where one of the new ones is there already."""
    files = list(written(new))
    for path, _ in files:
        if path != new.drift and (top / path).exists():
            raise RefusedError(f"{path} is there already")
    for path, text in files:
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        with (top / path).open("a", encoding="utf-8", newline="\n") as file:
            file.write(text)
    # Names are as long as they are: what of a skeleton is wrapped, and how imports follow, ruff says.
    ours = [str(top / path) for path, _ in files if path.suffix == ".py"]
    for command in (("format",), ("check", "--fix", "--exit-zero"), ("format",)):
        subprocess.run([sys.executable, "-m", "ruff", *command, "--quiet", *ours], cwd=top, check=True)
    return [path for path, _ in files]


def left(top: Path = TOP) -> list[str]:
    """What is still to be written, as "file:line: its line"."""
    found = []
    for room in ("checks", "scanner", "tests"):
        for path in sorted((top / room).rglob("*")):
            if path.suffix not in {".py", ".toml"} or path.name in {"new_check.py", "test_recipe.py"}:
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if MARK in line:
                    found.append(f"{path.relative_to(top).as_posix()}:{number}: {line.strip()}")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Ends with 2, and says why, for what cannot be made."""
    parser = argparse.ArgumentParser(prog="make new-check", description="The five files of a new check.")
    for option in ("id", "product", "fact", "scope", "folder"):
        parser.add_argument(f"--{option}", default="")
    asked = parser.parse_args(arguments)
    try:
        new = wanted(
            check_id=asked.id,
            product=asked.product,
            fact=asked.fact,
            scope=asked.scope or "node",
            folder=asked.folder,
        )
        files = write(new)
    except RefusedError as refused:
        _end(str(refused))
    lines = [path.as_posix() for path in files]
    ready = f"{len(files)} files. It runs; what is left to write says {MARK}, and tests/contract misses it until then."
    sys.stdout.write("\n".join((*lines, ready, "")))


def _end(message: str) -> NoReturn:
    sys.stderr.write(f"new-check: {message}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
