"""The command line with good input, bad input and none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.lab.lab import Lab

Preflight = Callable[..., Any]

GOOD = """
[clusters.vault]
product = "secret-server"
target = "11.7.000049"

[clusters.vault.nodes.web1]
host = "127.0.0.1"
roles = ["web"]
user = "lab"
password_env = "PREFLIGHT_TEST_PASSWORD"

[clusters.vault.nodes.sql1]
host = "127.0.0.2"
roles = ["database"]
user = "lab"
password_env = "PREFLIGHT_TEST_PASSWORD"
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_no_arguments_show_the_help(preflight: Preflight) -> None:
    ended = preflight()
    for command in ("scan", "collect", "checks", "explain", "probes", "validate", "schema", "init", "demo", "lab"):
        assert command in ended.out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['preflight', '--help']\n"
        "from scanner.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'paramiko', 'winrm', 'requests', 'jinja2', 'cryptography', 'spnego'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version(preflight: Preflight) -> None:
    from scanner import __version__

    assert preflight("--version").out == f"preflight {__version__}\n"


def test_the_version_is_said_once() -> None:
    import tomllib

    from scanner import __version__

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--check", "sql-version"], "did you mean 'sql-server-version'?"),
        (["--skip-check", "connectivity"], "connectivity cannot be skipped"),
        (["--check", "windows-version", "--skip-check", "windows-version"], "leaves no check"),
        (["--check", "chef-cluster-status"], "leaves nothing to check"),
        (["--node", "sql1", "--check", "windows-version"], "leaves nothing to check"),
        (["--node", "sql1", "--check", "connectivity", "--check", "windows-version"], "leaves nothing to check"),
        (
            ["--node", "sql1", "--check", "sql-server-version", "--check", "windows-version"],
            "--check windows-version: concerns none of the selected nodes",
        ),
        (["--cluster", "valut"], "did you mean"),
        (["--node", "web9"], "web9"),
        (["--target", "vault"], "vault"),
        (["--target", "vault=11.7"], "11.7"),
        (["-q", "-v"], "contradict"),
        (
            ["--html", "/nowhere/report.html"],
            "the html report: cannot write /nowhere/report.html: the folder /nowhere does not exist",
        ),
        (["--html", "same", "--json", "same"], "goes there already"),
        (["--parallel", "0"], "parallel"),
        (["--timeout", "soon"], "timeout"),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused_before_any_contact(
    preflight: Preflight, inventory: Path, arguments: list[str], said: str
) -> None:
    ended = preflight("scan", inventory, *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert ended.out == ""


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_two_names_of_one_file_are_one_file(preflight: Preflight, inventory: Path, tmp_path: Path) -> None:
    (tmp_path / "link.html").symlink_to(tmp_path / "same.html")
    (tmp_path / "plan.md").symlink_to(inventory)
    ended = preflight("scan", inventory, "--html", tmp_path / "link.html", "--json", tmp_path / "same.html")
    assert (ended.code, ended.out) == (2, "")
    assert "the html report goes there already" in ended.err
    ended = preflight("plan", inventory, "-o", tmp_path / "plan.md")
    assert (ended.code, ended.out) == (2, "")
    assert "that file is read" in ended.err
    for command in (["scan", inventory, "--junit"], ["plan", inventory, "-o"]):
        ended = preflight(*command, "/dev/stdout")
        assert (ended.code, ended.out) == (2, "")
        assert "or - to print" in ended.err


def test_a_missing_password_is_said_with_its_place(
    preflight: Preflight, inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFLIGHT_TEST_PASSWORD", raising=False)
    ended = preflight("scan", inventory)
    assert ended.code == 2
    assert "PREFLIGHT_TEST_PASSWORD" in ended.err
    assert "clusters.vault.nodes.web1" in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cluster"),
        ("[clusters.vault", "not TOML"),
        ("[clusters.vault]\nproduct = 'secret-servr'", "did you mean"),
        (GOOD + "\n[clusters.vault.rules.sql-server-2013]\noff = true\nreason = 'x'", "no such rule"),
        (GOOD + "\n[clusters.vault.rules.sql-server-2013]\noff = true\nreason = 'x'", ", column 1)"),
        (GOOD + "\n[clusters.vault.rules.sql-server-2012]\noff = true", "reason"),
        (GOOD + "\n[clusters.vault.rules.sql-server-2012]\nrequires = '2012'\nreason = 'x'", "no version specifier"),
    ],
)
@pytest.mark.parametrize("command", ["validate", "scan", "probes"])
def test_a_bad_inventory_is_refused(
    preflight: Preflight, inventory: Path, command: str, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFLIGHT_TEST_PASSWORD", "x")
    inventory.write_text(text, encoding="utf-8")
    ended = preflight(command, inventory)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.parametrize("command", ["scan", "validate", "probes"])
def test_an_inventory_that_is_not_there(preflight: Preflight, tmp_path: Path, command: str) -> None:
    ended = preflight(command, tmp_path / "nothing.toml")
    assert ended.code == 2
    assert "nothing.toml" in ended.err


@pytest.mark.parametrize("command", ["scan", "validate", "probes", "explain"])
def test_a_command_without_its_argument(preflight: Preflight, command: str) -> None:
    ended = preflight(command)
    assert ended.code == 2
    assert "Missing argument" in ended.err


def test_a_report_that_cannot_be_written_is_said_before_the_scan(preflight: Preflight, inventory: Path) -> None:
    ended = preflight("scan", inventory, "--junit", inventory.parent)
    assert ended.code == 2
    assert f"the junit report: cannot write {inventory.parent}: it is a folder" in ended.err


def test_validate_says_what_it_found(preflight: Preflight, inventory: Path) -> None:
    ended = preflight("validate", inventory)
    assert ended.code == 0
    assert "no problems found" in ended.out
    assert "vault (secret-server, to 11.7.000049): web: web1; database: sql1" in ended.out


def test_init_writes_an_inventory_that_validates_and_never_overwrites(preflight: Preflight, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    assert preflight("init", path).code == 0
    assert preflight("validate", path).code == 0
    path.write_text("precious", encoding="utf-8")
    ended = preflight("init", path)
    assert ended.code == 2
    assert "left as it is" in ended.err
    assert path.read_text(encoding="utf-8") == "precious"


def test_schema_is_json(preflight: Preflight) -> None:
    assert json.loads(preflight("schema").out)["$schema"].startswith("https://json-schema.org/")


def test_checks_lists_every_check(preflight: Preflight) -> None:
    from checks.registry import BUILTIN

    lines = preflight("checks").out.splitlines()
    assert [line.split()[0] for line in lines] == [check.id for check in BUILTIN]


def test_explain_shows_documentation_rules_and_references(preflight: Preflight) -> None:
    from checks.registry import BUILTIN

    for check in BUILTIN:
        ended = preflight("explain", check.id)
        assert ended.code == 0
        for part in ("## What it checks", "## Why it matters", "## How to fix it", "Remediation"):
            assert part in ended.out
    told = preflight("explain", "sql-server-version").out
    assert "sql-server-2012: " in told
    assert "sql-instances (powershell)" in told


def test_explain_of_an_unknown_check(preflight: Preflight) -> None:
    ended = preflight("explain", "windows")
    assert ended.code == 2
    assert "no check 'windows'" in ended.err


def test_probes_prints_what_would_be_sent_and_needs_no_secret(preflight: Preflight, inventory: Path) -> None:
    told = preflight("probes", inventory)
    assert told.code == 0
    assert "# Sent to vault.web1" in told.out
    assert "# Sent to vault.sql1" in told.out
    assert "encryption.config" in told.out.split("# Sent to vault.sql1")[0]
    assert "#   powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand" in told.out
    assert "[Convert]::FromBase64String($t)" in told.out
    assert "Instance Names" in told.out.split("# Sent to vault.sql1")[1]


def test_probes_tells_how_each_way_starts_its_script(preflight: Preflight, tmp_path: Path) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text(
        "[defaults.ssh]\nsudo = true\n"
        "[clusters.v]\nproduct = 'secret-server'\n"
        "[clusters.v.nodes.w]\nroles = ['web']\nhost = 'w'\ntransport = 'ssh'\n"
        "[clusters.c]\nproduct = 'chef-backend'\n"
        "[clusters.c.nodes.b]\nroles = ['backend']\ntransport = 'local'\nsudo = true\n"
    )
    told = preflight("probes", path)
    assert told.code == 0
    windows, here = told.out.split("# Sent to c.b")
    assert "# over ssh, one connection, one command" in windows
    assert "#   powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand\n" in windows
    assert "# The script gets there on standard input, as it is:" in windows
    assert "sudo" not in windows
    assert "# on this machine, one command" in here
    assert "# Started as `sh -s`, with this on its standard input:" in here
    assert "SUDO='sudo -n'" in here


@pytest.mark.parametrize(("delivery", "message_bytes"), [("auto", None), ("auto", 50_000), ("stdin", 50_000)])
def test_probes_tells_what_a_powershell_session_gets_and_what_each_probe_needs(
    preflight: Preflight, tmp_path: Path, delivery: str, message_bytes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if message_bytes:
        monkeypatch.setattr("scanner.transports.psrp.conversation.PIECE_BYTES", message_bytes)
    path = tmp_path / "inventory.toml"
    path.write_text(
        "[defaults.winrm]\nuser = 'CORP\\svc'\npassword_env = 'P'\nprotocol = 'psrp'\nconfiguration = 'preflight'\n"
        f"delivery = '{delivery}'\n"
        "[clusters.v]\nproduct = 'secret-server'\n"
        "[clusters.v.nodes.d]\nroles = ['web', 'database']\nhost = 'd'\nsql_user = 's'\nsql_password_env = 'Q'\n"
    )
    told = preflight("probes", path)
    assert told.code == 0
    assert "# One session of preflight (PowerShell remoting)" in told.out
    assert "powershell.exe -NoProfile" not in told.out
    assert "opened with ($PSSenderInfo.ApplicationArguments) only: PREFLIGHT_SQL_PASSWORD=***" in told.out
    assert "#     needs membership of Administrators (for WMI's root\\WebAdministration)" in told.out
    packed = "# The pipeline is this, with the script compressed in it with gzip:" in told.out
    assert packed == (delivery == "auto" and message_bytes is not None)
    assert packed != ("# The pipeline is the script, as it is:" in told.out)


def test_a_closed_pipe_ends_quietly() -> None:
    command = [sys.executable, "-m", "scanner", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == "{\n"
        running.stdout.close()
        assert running.stderr.read() == ""


@pytest.mark.skipif(os.name == "nt", reason="pipes are closed otherwise there")
@pytest.mark.parametrize("scenario", ["chef-healthy", "chef-unsynced"])
def test_a_closed_pipe_costs_neither_the_reports_nor_the_exit_code(tmp_path: Path, scenario: str) -> None:
    """With `set -o pipefail`, `preflight scan inventory.toml --junit r.xml | head -1` must gate like the scan alone."""
    with Lab(scenario) as lab:
        inventory = lab.write(tmp_path)
        alone = run_scan(inventory, stdout=subprocess.DEVNULL)
        reader, writer = os.pipe()
        os.close(reader)
        try:
            piped = run_scan(inventory, "--junit", str(tmp_path / "r.xml"), stdout=writer)
        finally:
            os.close(writer)
    assert "Broken" not in piped.stderr + alone.stderr
    assert piped.returncode == alone.returncode == (0 if scenario == "chef-healthy" else 1)
    assert (tmp_path / "r.xml").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_standard_output_is_said_and_costs_no_report(tmp_path: Path) -> None:
    with Lab("chef-healthy") as lab, Path("/dev/full").open("w") as full:
        ended = run_scan(lab.write(tmp_path), "--junit", str(tmp_path / "r.xml"), stdout=full)
        command = [sys.executable, "-m", "scanner", "checks"]
        listed = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, listed.returncode) == (0, 2)
    assert "No space left" in ended.stderr
    assert "No space left" in listed.stderr
    assert "defect" not in ended.stderr + listed.stderr
    assert (tmp_path / "r.xml").exists()


def run_scan(inventory: Path, *options: str, stdout: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scanner", "scan", str(inventory), *options]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_a_folder_for_the_lab_that_cannot_be_made(preflight: Preflight, inventory: Path) -> None:
    ended = preflight("lab", "--folder", inventory / "lab")
    assert ended.code == 2
    assert f"--folder {inventory / 'lab'}" in ended.err


def test_help_names_the_tables_of_the_inventory(preflight: Preflight) -> None:
    assert "[reports]" in preflight("scan", "--help").out


def test_a_defect_is_one_line_and_has_a_code_of_its_own(
    preflight: Preflight, inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("scanner.loading.inventory.load_inventory", broken)
    monkeypatch.delenv("PREFLIGHT_TRACEBACK", raising=False)
    ended = preflight("validate", inventory)
    assert ended.code == 70
    assert "RuntimeError: boom" in ended.err
