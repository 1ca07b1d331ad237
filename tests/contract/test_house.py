"""The rules of the house, held against every file and every registered check."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.check import PHASES, Check, ClusterView, NodeView
from checks.common.clock_facts import ClockSample
from checks.facts import Contact
from checks.registry import BUILTIN
from scanner.probes.registry import BUILTIN as PROBES
from tests.new_check import left

TOP = Path(__file__).parents[2]
ALLOWED = {"checks": {"checks"}, "reports": {"reports", "checks"}, "scanner": {"scanner", "reports", "checks"}}
FOREVER = [
    "connectivity",
    "distinct-machines",
    "disk-space",
    "clock-skew",
    "sql-server-version",
    "database-compatibility",
    "database-support",
    "windows-version",
    "dotnet-framework",
    "powershell-version",
    "iis-integrated-pipeline",
    "app-pool-settings",
    "iis-authentication",
    "iwa-folders",
    "web-config",
    "secret-server-resources",
    "pending-reboot",
    "monitoring-agent",
    "app-pool-state",
    "stepping-stone",
    "encryption-config-match",
    "app-version-match",
    "database-version-match",
    "database-mirroring",
    "web-nodes-known",
    "pool-identity-match",
    "config-files-present",
    "efs-encryption",
    "dpapi-encryption",
    "app-files-match",
    "dr-instance",
    "outbound-access",
    "backup-recent",
    "chef-cluster-status",
    "chef-sentinels",
    "chef-version-match",
    "chef-package-staged",
    "chef-secrets-match",
    "chef-config-match",
    "chef-secrets-stray",
    "chef-leaderl",
    "chef-failover-state",
    "chef-resources",
    "chef-frontend-status",
    "chef-frontend-members",
    "chef-frontend-version",
    "chef-drbd",
]
HEADINGS = ["## What it checks", "## Why it matters", "## How to fix it"]
IMPORTS_BY_NAME = {"checks/engine/discovery.py": {"importlib"}}
"""What lies in a product's package is imported as a list of it would import it."""
IMPURE = {"socket", "ssl", "subprocess", "time", "pathlib", "os", "io", "shutil", "urllib", "requests", "importlib"}


def sources(room: str) -> list[Path]:
    return sorted((TOP / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_imports_point_one_way(room: str) -> None:
    ours = set(ALLOWED)
    for path in sources(room):
        rooms = {name.split(".")[0] for name in imports(path)} & ours
        assert rooms <= ALLOWED[room], f"{path.relative_to(TOP)} imports {sorted(rooms - ALLOWED[room])}"


def test_the_time_is_asked_in_one_place() -> None:
    """A simulated month moves one clock, and nothing goes by another."""
    asked = re.compile(r"datetime\.now\(|date\.today\(|utcnow\(|time\.time\(")
    found = [
        str(path.relative_to(TOP))
        for room in ALLOWED
        for path in sources(room)
        if asked.search(path.read_text("utf-8"))
    ]
    assert [name for name in found if not name.startswith("scanner/lab/")] == ["scanner/clock.py"]


def modules() -> dict[str, set[str]]:
    """Every module of ours, with those of ours that it imports at its top level."""
    names = {
        ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__"): path
        for room in ALLOWED
        for path in sources(room)
    }
    graph = {}
    for name, path in names.items():
        found: set[str] = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                parts = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= parts & names.keys() or {node.module}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        graph[name] = (found & names.keys()) - {name}
    return graph


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = modules()
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"circle: {' -> '.join((*path, name))}"
        if name not in done:
            for child in sorted(graph[name]):
                visit(child, (*path, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


UNUSED = {
    *("checks.runbook.model", "checks.secret_server.runbook.plan", "checks.chef_backend.runbook.plan"),
    *("concurrent.futures", "logging"),
}


def test_a_judgement_waits_for_nothing_that_it_does_not_use() -> None:
    """Every command pays for what is loaded with it."""
    program = "import sys, checks.registry, scanner.loading.registry, scanner.run.judge; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=TOP, capture_output=True, text=True, check=True).stdout
    assert not UNUSED & set(loaded.split())


def test_checks_touch_nothing() -> None:
    for path in sources("checks"):
        touched = {name.split(".")[0] for name in imports(path)} & IMPURE
        touched -= IMPORTS_BY_NAME.get(path.relative_to(TOP).as_posix(), set())
        assert not touched, f"{path.relative_to(TOP)} imports {sorted(touched)}"
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        calls -= {"exec"} if path == WRITES_METHODS else set()
        assert not calls & {"open", "print", "input", "__import__", "exec", "eval"}, path


WRITES_METHODS = TOP / "checks" / "common" / "dataclass.py"
"""It compiles methods out of the names of fields, as the standard library's does."""


RENAMED = {"look": "get", "fact": "require", "known": "with_fact", "unknown": "without_fact"}
"""What facts were read with once: kept for plugins that were written then, and used by nobody here."""


def test_the_old_names_of_the_views_are_kept_for_plugins_alone() -> None:
    assert [getattr(view, old) for view, old in _VIEWS] == [getattr(view, RENAMED[old]) for view, old in _VIEWS]
    for path in (*sources("checks"), *sorted((TOP / "examples").rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RENAMED:
                raise AssertionError(f"{path.relative_to(TOP)}:{node.lineno}: it is {RENAMED[node.func.attr]} now")


_VIEWS = ((NodeView, "look"), (NodeView, "fact"), (ClusterView, "known"), (ClusterView, "unknown"))


def named_at_the_top(tree: ast.Module) -> list[str]:
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found += [node.name] if not any(ast.unparse(each) == "overload" for each in node.decorator_list) else []
        elif isinstance(node, ast.Assign):
            found += [each.id for each in node.targets if isinstance(each, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.append(node.target.id)
    return found


def test_no_module_names_anything_twice_or_for_nobody() -> None:
    """Left behind when code moved: of two of one name the first is dead, and a private one that nobody reads, too."""
    wrong = []
    for path in (path for room in ALLOWED for path in sources(room)):
        text = path.read_text(encoding="utf-8")
        names = named_at_the_top(ast.parse(text))
        wrong += [f"{path.relative_to(TOP)}: {name} twice" for name in sorted({*names}) if names.count(name) > 1]
        private = [name for name in names if name.startswith("_") and not name.startswith("__")]
        lonely = [name for name in private if len(re.findall(rf"\b{name}\b", text)) == 1]
        wrong += [f"{path.relative_to(TOP)}: nobody reads {name}" for name in lonely]
    assert wrong == []


def test_only_the_command_line_prints() -> None:
    for room in ALLOWED:
        for path in sources(room):
            if (TOP / "scanner" / "cli") in path.parents:
                continue
            calls = [
                node
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            ]
            assert not calls, f"{path.relative_to(TOP)}:{calls[0].lineno} prints"


def test_nothing_is_left_to_write() -> None:
    """What `make new-check` could not know."""
    assert left() == []


def test_ids_are_for_ever() -> None:
    """In this order, with those between them that no release has named yet."""
    assert [check.id for check in BUILTIN if check.id in FOREVER] == FOREVER


def test_every_check_file_is_registered() -> None:
    registered = {id(check) for check in BUILTIN}
    for path in sources("checks"):
        name = ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__")
        check = vars(importlib.import_module(name)).get("CHECK")
        assert check is None or id(check) in registered, f"{path.relative_to(TOP)} is not in the registry"


@pytest.mark.parametrize("check", BUILTIN, ids=lambda check: check.id)
class TestEachCheck:
    def test_is_named_and_documented(self, check: Check) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", check.id)
        assert check.title
        assert not check.title.endswith(".")
        assert [line for line in check.doc.splitlines() if line.startswith("## ")] == HEADINGS
        parts = re.split(r"^## .*$", check.doc, flags=re.MULTILINE)
        assert all(len(part.split()) >= 5 for part in parts)
        assert check.remediation.summary
        assert re.fullmatch(r"(https?://[^\s/]+/\S*)?", check.remediation.url)

    def test_has_facts_that_a_probe_can_give(self, check: Check) -> None:
        if check.id == "connectivity":
            return
        # These two come of the conversation itself.
        given = {Contact, ClockSample, *(kind for probe in PROBES for kind in probe.facts)}
        for kind in check.facts + check.optional_facts:
            assert kind in given, f"no probe gives {kind.__name__}"

    def test_has_a_test_file_for_each_way_to_end(self, check: Check) -> None:
        *folders, stem = check.judge.__module__.split(".")[1:]
        path = (TOP / "tests" / "test_checks").joinpath(*folders, f"test_{stem}.py")
        assert path.is_file(), f"{path.relative_to(TOP)} is missing"
        tests = path.read_text(encoding="utf-8").count("\ndef test_")
        assert tests >= 5, f"{path.relative_to(TOP)} has {tests} tests; pass, fail, n/a, unknown and garbled are owed"

    def test_declares_its_phases_whole_or_not_at_all(self, check: Check) -> None:
        assert tuple(check.phases) in ((), PHASES)

    def test_is_short(self, check: Check) -> None:
        path = Path(str(sys.modules[check.judge.__module__].__file__))
        code = path.read_text(encoding="utf-8").replace(check.doc, "")
        assert len([line for line in code.splitlines() if line.strip()]) <= 160


def test_probes_have_unique_ids_and_say_what_for() -> None:
    ids = [probe.id for probe in PROBES]
    assert len(ids) == len(set(ids))
    assert all(probe.purpose and "\n" not in probe.purpose for probe in PROBES)


def test_the_project_speaks_of_itself_alone() -> None:
    for path in TOP.rglob("*"):
        if path.suffix in {".py", ".md", ".toml", ".ps1", ".j2", ".txt", ".json"} and not (
            {".git", ".venv", "build", "dist"} & set(path.relative_to(TOP).parts)
        ):
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not re.search(r"(^|[^A-Za-z0-9_.-])/(work|farm)/", text), path


# Rooms of the scanner, and the modules that lie in it by themselves, each with what it may import of the others.
_VOCABULARY = {"clock", "errors"}
_MODEL = {*_VOCABULARY, "secrets", "inventory", "probes", "transports"}
ARROWS = {
    "cli": {*_MODEL, "files", "history", "installation", "lab", "loading", "rule_data", "run"},
    "run": {*_MODEL, "files", "history", "loading", "plugins", "rule_data"},
    "lab": {*_MODEL, "files", "loading", "rule_data"},
    "files": {*_MODEL},
    "history": {*_VOCABULARY, "files", "inventory"},
    "transports": {*_VOCABULARY, "secrets", "inventory", "probes"},
    "probes": {*_VOCABULARY, "secrets", "rule_data"},
    "inventory": {*_VOCABULARY, "secrets", "probes"},
    "secrets": {*_VOCABULARY},
    "loading": {*_VOCABULARY, "secrets", "inventory", "probes", "plugins", "rule_data"},
    "plugins": {"errors", "inventory", "probes", "rule_data", "secrets"},
    "testing": {*_MODEL, "lab", "loading", "plugins", "run"},
    "__main__": {"cli"},
}
MOST_ENTRIES = 15
CROWDED = {
    "reports/templates": 16,
    "scanner": 16,  # two of them are doors for authors of plugins, whose names stay
}
"""Folders that are still above it, with how much they may hold. The list may only shrink."""
UNCOUNTED = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}


def arrows() -> dict[tuple[str, str], list[str]]:
    """Room of the scanner to room, with the modules that import and are imported."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in sources("scanner"):
        parts = path.relative_to(TOP).with_suffix("").parts
        room = parts[1] if len(parts) > 1 else ""
        name = ".".join(parts).removesuffix(".__init__")
        for imported in imports(path):
            other = imported.split(".")
            if other[0] == "scanner" and len(other) > 1 and other[1] != room:
                found.setdefault((room, other[1]), []).append(f"{name} -> {imported}")
    return found


def test_the_rooms_of_the_scanner_import_one_way() -> None:
    """Shown with `pytest -rP`: every arrow, and how many imports it stands for."""
    wrong = []
    for (room, other), uses in sorted(arrows().items()):
        print(f"{room} -> {other}: {len(uses)}")  # noqa: T201  what the test is read for
        if other not in ARROWS.get(room, set()):
            wrong += uses
    assert not wrong


def test_no_arrow_allows_a_circle() -> None:
    """What is allowed has an order: below each room lie only rooms that know nothing of it."""
    done: set[str] = set()

    def visit(room: str, path: tuple[str, ...]) -> None:
        assert room not in path, f"circle: {' -> '.join((*path, room))}"
        for other in sorted(ARROWS.get(room, set())):
            if other not in done:
                visit(other, (*path, room))
        done.add(room)

    for room in sorted(ARROWS):
        visit(room, ())


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    """Shown with `pytest -rP`: how much lies in every folder."""
    sizes = {}
    for room in ALLOWED:
        folders = [TOP / room, *(path for path in (TOP / room).rglob("*") if path.is_dir())]
        for folder in sorted(path for path in folders if "__pycache__" not in path.parts):
            entries = [entry.name for entry in folder.iterdir() if entry.name not in UNCOUNTED]
            if entries:
                sizes[folder.relative_to(TOP).as_posix()] = len(entries)
    for name, size in sizes.items():
        print(f"{size:4} {name}")  # noqa: T201  what the test is read for
    above = {name: size for name, size in sizes.items() if size > CROWDED.get(name, MOST_ENTRIES)}
    assert not above, f"more than {MOST_ENTRIES} entries: give what belongs together a folder of its own"
    roomy = [name for name in CROWDED if sizes.get(name, 0) <= MOST_ENTRIES]
    assert not roomy, "no longer crowded: take it off the list"
