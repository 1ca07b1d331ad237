"""Python files of `checks.d`: run only where nobody else can have written them, and an error wherever they are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checks.outcome import Status
from scanner.inventory.loaded import Loaded
from scanner.loading import python_files
from scanner.loading.inventory import load_inventory

pytestmark = pytest.mark.skipif(os.name == "nt", reason="whose a file is cannot be told there")
INVENTORY = """
[clusters.chef]
product = "chef-backend"
  [clusters.chef.nodes.here]
  transport = "local"
  roles = ["backend"]
"""
HEART = """
from checks.product import Product
PLUGIN = Plugin(products=(Product(name="heart", title="Heart", roles={"left": "pumps"}),))
"""
GOOD = """
from __future__ import annotations

from dataclasses import dataclass

from checks.check import NodeCheck, NodeView
from checks.outcome import Outcome, Remediation, Severity, failed, passed
from scanner.plugins import Plugin
from scanner.probes.probe import Answer, Probe


@dataclass(frozen=True, slots=True)
class Shells:
    count: int


def read(answer: Answer) -> Shells:
    return Shells(int(answer.output))


def judge(view: NodeView) -> Outcome:
    found = view.require(Shells).count
    return passed(f"{found} shells") if found else failed("no shell")


PLUGIN = Plugin(
    checks=(
        NodeCheck(
            id="shells",
            title="There is a shell",
            severity=Severity.LOW,
            doc="x",
            remediation=Remediation("Install one."),
            facts=(Shells,),
            judge=judge,
        ),
    ),
    probes=(
        Probe(
            id="shells-there", language="sh", purpose="p", script="grep -c sh /etc/shells", readers=((Shells, read),)
        ),
    ),
)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inventory.toml").write_text(INVENTORY)
    (tmp_path / "checks.d").mkdir()
    (tmp_path / "checks.d").chmod(0o755)
    return tmp_path / "checks.d"


def put(folder: Path, text: str = GOOD, name: str = "own.py", mode: int = 0o644) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def loaded(folder: Path) -> Loaded:
    return load_inventory(folder.parent / "inventory.toml").own


def refused(folder: Path) -> str:
    own = loaded(folder)
    assert own.checks == ()
    (failure,) = own.failures
    assert failure.status is Status.ERROR
    return failure.message


def test_what_is_ours_is_loaded(folder: Path) -> None:
    put(folder)
    own = loaded(folder)
    assert ([check.id for check in own.checks], [probe.id for probe in own.probes]) == (["shells"], ["shells-there"])
    assert own.failures == ()


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_what_others_may_write_is_not_run(folder: Path, mode: int) -> None:
    put(folder, f"from pathlib import Path\nPath({str(folder / 'ran')!r}).touch()\n", mode=mode)
    told = refused(folder)
    assert "others may write" in told
    assert f"chmod go-w {folder / 'own.py'}" in told
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("mode", [0o775, 0o777, 0o1777])
def test_nor_what_lies_in_a_folder_that_others_may_write(folder: Path, mode: int) -> None:
    put(folder, f"from pathlib import Path\nPath({str(folder / 'ran')!r}).touch()\n")
    folder.chmod(mode)
    assert "others may write" in refused(folder)
    assert not (folder / "ran").exists()


def test_nor_what_belongs_to_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(python_files, "_ROOT", 4712)
    assert "belongs to another user" in refused(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_in_a_folder_of_ours(folder: Path) -> None:
    os.chown(put(folder), 65534, 65534)
    assert "belongs to another user (uid 65534)" in refused(folder)


def test_a_link_is_not_followed_and_a_pipe_keeps_nobody_waiting(folder: Path, tmp_path: Path) -> None:
    put(tmp_path, name="elsewhere.py")
    (folder / "own.py").symlink_to(tmp_path / "elsewhere.py")
    assert "is a link" in refused(folder)
    (folder / "own.py").unlink()
    os.mkfifo(folder / "own.py", 0o600)
    assert "is no file" in refused(folder)


def test_what_is_asked_is_asked_of_what_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody puts another file in its place once it has been opened: the one that was looked at is run."""
    put(folder)
    evil = put(folder.parent, f"from pathlib import Path\nPath({str(folder / 'ran')!r}).touch()\n", "evil", 0o666)
    real: Callable[..., Any] = python_files._refuse_others

    def swap(held: os.stat_result, path: str) -> None:
        if path.endswith(".py") and evil.exists():
            evil.replace(folder / "own.py")
        real(held, path)

    monkeypatch.setattr(python_files, "_refuse_others", swap)
    assert [check.id for check in loaded(folder).checks] == ["shells"]
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = ", "SyntaxError"),
        ("raise ValueError('broken')", "ValueError: broken"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import nosuchmodule", "ModuleNotFoundError"),
        ("x = 1", "it has no PLUGIN"),
        ("PLUGIN = 3", "not a scanner.plugins.Plugin"),
        ("def PLUGIN(): return PLUGIN()", "RecursionError"),
        ("from scanner.plugins import Plugin\nPLUGIN = Plugin(checks=(1,))", "offers int"),
        (GOOD.replace('id="shells"', 'id="disk-space"'), "disk-space: this id is taken"),
        (GOOD.replace('id="shells"', 'id="own-port"'), "own-port: this id is taken"),
        (GOOD.replace("facts=(Shells,)", "facts=(Plugin,)"), "check shells reads Plugin, which no probe gives"),
        (GOOD.replace('doc="x"', 'doc="x", roles=("backends",)'), "for the role 'backends'; did you mean \"backend\"?"),
        (GOOD.replace('doc="x"', 'doc="x", products=("chef",)'), "check shells is for the product 'chef'"),
        (GOOD + "PLUGIN = Plugin(products=(1,))", "offers int among its products"),
        (GOOD + HEART, "cannot be brought from here"),
        ("\x00", "ource code"),
    ],
)
def test_one_that_fails_is_an_error_with_its_reason(folder: Path, text: str, said: str) -> None:
    put(folder, text)
    put(folder, '[[expect]]\nid = "own-port"\ntitle = "t"\nport = 22\n', "own.toml")
    own = loaded(folder)
    assert [check.id for check in own.checks] == ["own-port"]
    (failure,) = own.failures
    assert said in failure.message
    assert failure.check == "checks-d-own"


def test_one_that_fails_costs_the_others_nothing(folder: Path) -> None:
    put(folder, "1 / 0", "a.py")
    put(folder)
    own = loaded(folder)
    assert [check.id for check in own.checks] == ["shells"]
    assert len(own.failures) == 1


def test_no_byte_code_is_left_or_run(folder: Path) -> None:
    put(folder)
    loaded(folder)
    assert [path.name for path in folder.iterdir()] == ["own.py"]


def test_where_nobody_can_tell_whose_it_is_nothing_is_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder)
    monkeypatch.delattr(os, "geteuid")
    assert "install it as a plugin" in refused(folder)


def test_a_scan_has_their_results_and_their_failures(folder: Path, preflight: Callable[..., Any]) -> None:
    put(folder)
    put(folder, "1 / 0", "broken.py")
    ended = preflight("scan", folder.parent / "inventory.toml", "--check", "shells")
    assert ended.code == 3
    assert "checks.d/broken.py was not loaded" in ended.out
    assert "ZeroDivisionError" in ended.out
