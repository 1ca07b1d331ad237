"""What a plan gives people to type: it can be typed as it stands, and no name of a node or of a file is code in it."""

from __future__ import annotations

import datetime as dt
import functools
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from checks.check import PHASES
from checks.registry import BUILTIN, PRODUCTS, plan_facts
from checks.runbook.model import Command, Runbook, RunbookSet, numbered_steps
from reports.render import html, markdown
from scanner.cli.answers import collect_or_load
from scanner.inventory.select import select
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.loading.inventory import load_inventory
from scanner.run.plans import build_runbooks
from scanner.run.prepare import build_request
from tests.test_scanner.conftest import Preflight
from tests.test_scanner.test_plan import NAMES, PLANS, book

VAULT = """
title = "A site whose names are code"
[clusters."va`ult <b>&\\" $(id)"]
product = "secret-server"
inventory = {target = "10.9.000064", dpapi = "unknown"}
defaults = {windows = {windows = "2019", dotnet = "4.8", app_version = "10.9.000003"}}
[clusters."va`ult <b>&\\" $(id)".nodes."web1\\" & del x & \\""]
roles = ["web"]
windows = {encryption_config = {efs = true}}
[clusters."va`ult <b>&\\" $(id)".nodes."web2'; <script>alert(1)````[x](y)"]
roles = ["web"]
[clusters."va`ult <b>&\\" $(id)".nodes."sql%PATH%"]
roles = ["database"]
[[clusters."va`ult <b>&\\" $(id)".nodes."sql%PATH%".windows.sql]]
version = "15.0.2000.5"
databases = [{name = "Vault]; DROP TABLE x --", version = "10.9.000003"}]
[clusters."va`ult <b>&\\" $(id)".nodes."dr^|1"]
roles = ["dr"]
"""
CHEF = """
title = "A cluster whose names are code"
[clusters."ch'ef; rm -rf $HOME"]
product = "chef-backend"
inventory = {target = "2.3.16", package = "/srv/a b'; rm -rf ~ `id` <x>.rpm"}
defaults = {chef = {version = "2.1.0"}}
[clusters."ch'ef; rm -rf $HOME".nodes."b1; reboot"]
roles = ["backend"]
[clusters."ch'ef; rm -rf $HOME".nodes."b2$(reboot)"]
roles = ["backend"]
[clusters."ch'ef; rm -rf $HOME".nodes."b3`reboot`"]
roles = ["backend"]
[clusters."ch'ef; rm -rf $HOME".nodes."front> & <b>"]
roles = ["frontend"]
"""


@functools.lru_cache(maxsize=64)
def hostile(scenario: str) -> RunbookSet:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scenario.toml"
        file.write_text(scenario, encoding="utf-8")
        with Lab(load_scenario(file)) as lab:
            selection = select(load_inventory(lab.write(Path(folder))), (), (), {})
            job = replace(build_request(selection), also=plan_facts(PRODUCTS))
            return build_runbooks(job, collect_or_load(job, selection, quiet=True), dt.date(2026, 11, 20))


def commands(plans: RunbookSet) -> Iterator[Command]:
    for plan in plans.plans:
        assert isinstance(plan, Runbook), plan
        for step in (*(step for _, _, step in numbered_steps(plan)), *plan.steps_back):
            yield from step.commands
            yield from step.proof.commands if step.proof else ()
        for trouble in plan.troubles:
            yield from (*trouble.look, *trouble.cure)


@pytest.fixture(params=[*(name for name in NAMES if name != "chef-drbd"), "hostile vault", "hostile chef"])
def plans(request: pytest.FixtureRequest) -> RunbookSet:
    """Each reviewed plan, and those of clusters whose names are code."""
    name = str(request.param)
    scenario = {"hostile vault": VAULT, "hostile chef": CHEF}.get(name)
    return hostile(scenario) if scenario else book(name)


def test_every_scan_that_is_asked_for_can_be_asked(plans: RunbookSet) -> None:
    known = {check.id for check in BUILTIN}
    for command in commands(plans):
        words = shlex.split(command.text) if command.language == "sh" else []
        if words[:1] == ["preflight"]:
            asked = [words[at + 1] for at, word in enumerate(words) if word in ("--check", "--skip-check")]
            assert set(asked) <= known
            assert "--phase" not in words or words[words.index("--phase") + 1] in PHASES
            assert words[words.index("--cluster") + 1] == plans.plans[0].cluster


def test_a_shell_sees_words_and_no_code_in_names(plans: RunbookSet) -> None:
    lexed = [command.text for command in commands(plans) if command.language == "sh"]
    for text in lexed:
        parts = shlex.shlex(text, posix=False, punctuation_chars=True)
        parts.whitespace_split = True
        assert not [word for word in parts if re.fullmatch(r"[;&|<>()]+", word)], text
        assert not re.search(r"[`$]", re.sub(r"""'[^']*'|"[^"$`]*\"""", "", text)), text
    if sh := shutil.which("sh"):
        subprocess.run([sh, "-n"], input="\n".join(lexed), text=True, check=True)


def test_cmd_sees_no_operator_outside_of_quotes_and_no_variable_but_ours(plans: RunbookSet) -> None:
    for command in commands(plans):
        if command.language == "cmd":
            assert command.text.count('"') % 2 == 0, command.text
            assert not re.search(r"[&|<>^;]", re.sub(r'"[^"]*"', "", command.text)), command.text
            assert re.sub(r"%(windir|errorlevel)%", "", command.text).count("%") == 0, command.text


def test_sql_names_one_database_and_ends_once(plans: RunbookSet) -> None:
    for command in commands(plans):
        if command.language == "sql":
            assert command.text.count(";") == 1
            assert command.text.endswith(";")
            assert "--" not in command.text
            assert command.text.count("'") % 2 == 0
            named = re.sub(r"AVAILABILITY GROUP (= )?\[[^]]*\]", "", command.text)
            assert named.count("[") == named.count("]") <= 1


PROGRAMS = {
    "sh": {"preflight", "chef-backend-ctl", "chef-server-ctl", "yum", "dpkg", "rpm", "curl", "tail", "cat", "cp", "ls"}
    | {"-v", "/opt/opscode/bin/knife", "grep", "dpkg-query"}
    | {"chef-manage-ctl", "opscode-manage-ctl", "opscode-push-jobs-server-ctl", "opscode-reporting-ctl"},
    "cmd": {"robocopy", "dir", "cipher", "echo", "fc", "icacls", "attrib", "certutil", "reg", "mkdir"}
    | {"%windir%\\System32\\inetsrv\\appcmd.exe"},
    "powershell": {"(Get-Item", "(Get-ItemProperty", "Get-ChildItem", "New-Item", "$node", "Remove-PSSession", "."}
    | {"ShowAllQueues", "ShowQueuesNoConsumer", "DeleteQueuesNoConsumer"},
    "sql": {"BACKUP", "RESTORE", "SELECT", "ALTER", "USE", "IF"},
}


def test_no_program_is_run_but_the_procedures_own(plans: RunbookSet) -> None:
    for command in commands(plans):
        if command.language != "url":
            typed = re.sub(r'^if (not )?exist "[^"]*" ', "", command.text)
            words = shlex.split(typed) if command.language == "sh" else typed.split()
            program = words[1] if words[0] == "sudo" else words[0]
            deletion = words[1:] == ["sh", "-c", "rm -rf /var/opt/chef-backend/elasticsearch/data/*"]
            assert deletion or program in PROGRAMS[command.language] or program.startswith("<"), command.text


_CHEF = '[clusters.chef]\ninventory = {failover = "on"}\n[clusters.chef.defaults]\nchef = {version = "VERSION"}\n'
_SQL = 'windows = {sql = [{version = "15.0.2000.5", databases = [{name = "VaultDB", version = "VERSION"}]}]}\n'
_VAULT = f'[clusters.vault.defaults]\nwindows = {{app_version = "VERSION"}}\n[clusters.vault.nodes.sql1]\n{_SQL}'
_ELSEWHERE = '[clusters.vault.nodes.dr1]\nwindows = {app_version = "9.0.000000"}\n'


@pytest.mark.parametrize(
    ("name", "version", "done"),
    [
        ("chef-within-3", "3.1.1", _CHEF),
        ("chef-downtime", "2.3.16", _CHEF),
        ("chef-old-index", "2.3.16", _CHEF),
        ("vault-mirrored", "9.1.000001", _VAULT + _ELSEWHERE),
    ],
)
def test_the_proof_of_the_first_hop_is_a_go_once_the_hop_is_done(
    tmp_path: Path, preflight: Preflight, name: str, version: str, done: str
) -> None:
    (plan,) = book(name).plans
    assert isinstance(plan, Runbook)
    proof = next(step for _, _, step in numbered_steps(plan) if step.id == "verify-hop").commands[-1]
    file = tmp_path / "scenario.toml"
    base = f'extends = "{PLANS / name}.toml"\ntitle = "Done"\n'
    file.write_text(base + done.replace("VERSION", version), encoding="utf-8")
    with Lab(load_scenario(file)) as lab:
        inventory = lab.write(tmp_path)
        words = [str(inventory) if word == "inventory.toml" else word for word in shlex.split(proof.text)]
        assert words[0] == "preflight"
        assert f"={version}" in words[words.index("--target") + 1]
        ended = preflight(*words[1:], "-q")
    assert ended.code == 0, ended.out


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs).get("href") or ""))


@pytest.mark.parametrize("scenario", [VAULT, CHEF])
def test_no_name_is_markup(scenario: str) -> None:
    page = Tags()
    page.feed(html.render(hostile(scenario)))
    tags = [tag for tag, _ in page.seen]
    assert tags.count("script") == 1
    assert "b" not in tags
    assert all(link.startswith(("https://", "http://", "#")) for tag, link in page.seen if tag == "a")
    text = markdown.render(hostile(scenario))
    prose = re.sub(r"(?ms)^ *(`{3,})\w*\n.*?^ *\1$", "", text)
    assert "```" not in re.sub(r"\\`", "", prose)
    assert not re.search(r"<(script|b)\b", re.sub(r"(`+).*?\1", "", prose))
    assert "](y)" not in prose.replace("\\]", "")
