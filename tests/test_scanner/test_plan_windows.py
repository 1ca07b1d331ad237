"""What a plan gives people to type on Windows, over all reviewed plans and over sites that nobody has thought of."""

from __future__ import annotations

import functools
import json
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.check import ClusterInfo, NodeView
from checks.common.computer_facts import ComputerName
from checks.common.disk_facts import Disks, Drive
from checks.engine.evaluation import GatheredCluster
from checks.facts import Unknown
from checks.registry import PRODUCTS
from checks.runbook.build import plan_of
from checks.runbook.model import Command, Runbook, Step, numbered_steps
from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.facts.node import AppPool, IisApplication, IisConfiguration, WebRoot
from checks.secret_server.facts.sql import Mirroring, Replica, SecretServerDatabase, SqlServer
from scanner.rule_data import load_rules
from tests.test_scanner.test_plan import NAMES, book

PWSH = shutil.which("pwsh")
GIB = 1 << 30
SITES = 80
"""How many sites are made up."""

FOLDERS = [
    r"C:\inetpub\wwwroot\SecretServer",
    "C:\\inetpub\\wwwroot\\SecretServer\\",
    r"D:\Web Sites\O'Brien & Co\Secret Server",
    r"e:\ss",
    "D:\\",
    r"\\filer\web\SecretServer",
    r"\\filer\SecretServer",
    "C:/inetpub/wwwroot/SecretServer",
    r"\\?\C:\inetpub\SecretServer",
    r"F:\" /MIR & del C:\* & " + '"',
    r"G:\x /PURGE",
    "C:\\" + "deep\\" * 60 + "end",
    "C:\\" + "deep\\" * 600 + "end",
]
HOSTS = ["web.corp.example", "10.0.0.21", "fd00::21", "fe80::1%4", "127.0.0.1", "::1", "localhost", "web & calc"]
POOLS = ["SecretServer", "O'Brien & Co", "Pool (prod) $1", "pool%PATH%", 'a" & b', "-MIR", ""]


def commands(plan: Runbook) -> Iterator[Command]:
    for step in steps(plan):
        yield from step.commands
        yield from step.proof.commands if step.proof else ()
    for trouble in plan.troubles:
        yield from (*trouble.look, *trouble.cure)


def steps(plan: Runbook) -> Iterator[Step]:
    yield from (step for _, _, step in numbered_steps(plan))
    yield from plan.steps_back


@functools.lru_cache(maxsize=1)
def reviewed() -> tuple[Runbook, ...]:
    return tuple(plan for name in NAMES for plan in book(name).plans if isinstance(plan, Runbook))


def web(
    info: ClusterInfo,
    name: str,
    *,
    host: str = "",
    root: str | None = r"C:\inetpub\wwwroot\SecretServer",
    apps: tuple[IisApplication, ...] | None = None,
    pool: str = "SecretServer",
    roles: tuple[str, ...] = ("web",),
    efs: bool = False,
    called: str | None = None,
    drives: tuple[Drive, ...] | None = (Drive("D:", 100 * GIB, 50 * GIB),),
) -> NodeView:
    own = IisApplication(site="Default Web Site", path="/SecretServer", physical_path=root or "", pool=pool)
    facts: dict[type, object] = {
        WebRoot: WebRoot(root, ("iis",), ()) if root is not None else Unknown("access is denied"),
        IisConfiguration: IisConfiguration(
            path="applicationHost.config",
            shared=False,
            pools=(AppPool(pool, "Integrated", "pool"),),
            applications=apps or (own,),
        ),
        EncryptionConfig: EncryptionConfig(
            path="encryption.config", state="hashed", sha256="0" * 64, efs=efs, size_bytes=100
        ),
        ComputerName: ComputerName(called, "corp.example") if called else Unknown("not told"),
        Disks: Disks(drives, "C:") if drives is not None else Unknown("access is denied"),
    }
    return NodeView(cluster=info, name=name, host=host or f"{name}.corp.example", roles=frozenset(roles), facts=facts)


def database(info: ClusterInfo, kind: str = "", called: str = "SecretServer") -> NodeView:
    server = SqlServer(
        instance="MSSQLSERVER",
        name="SQL1",
        version="15.0.2000.5",
        collation="SQL_Latin1_General_CP1_CI_AS",
        edition="Standard",
    )
    replicas = (
        (Replica(server="SQL1", group="Vault AG", own=True, role=1, state=2, suspended=False, synchronous=True),)
        if kind == "group"
        else ()
    )
    mirror = Mirroring(4, 1, "SQL2") if kind == "mirroring" else None
    found = SecretServerDatabase(
        server=server,
        name=called,
        state="ONLINE",
        level=150,
        collation="",
        recovery="FULL",
        version="",
        mirroring=mirror,
        replicas=replicas,
    )
    return NodeView(
        cluster=info, name="sql1", host="sql1", roles=frozenset({"database"}), facts={SecretServerDatabase: found}
    )


def cluster(target: str = "11.7.000049", current: str = "10.9.000064", /, **options: object) -> ClusterInfo:
    rules = load_rules("secret-server")
    return ClusterInfo(
        "vault",
        "secret-server",
        target=target,
        current=current,
        options={"dpapi": "off", **options},
        rules=rules,
        definition=PRODUCTS[0],
    )


def planned(*nodes: NodeView) -> Runbook:
    info = nodes[0].cluster
    views = tuple(
        NodeView(
            cluster=info,
            name=n.name,
            host=n.host,
            roles=n.roles,
            facts=n.facts,
            current=info.current,
            options=n.options,
        )
        for n in nodes
    )
    plan = plan_of(GatheredCluster(info, views, frozenset(n.name for n in nodes)), (), "inventory.toml")
    assert isinstance(plan, Runbook), plan
    return plan


def typed(plan: Runbook, step: str) -> list[str]:
    return [command.text for one in steps(plan) if one.id == step for command in one.commands]


def any_site(rng: random.Random) -> Runbook:
    """A site of any shape: names that are code, folders on shares, hosts without names, what is unknown."""
    keys = ("integrated_windows_auth", "distributed_engines", "rabbitmq", "saml", "session_recording")
    options: dict[str, object] = {key: said for key in keys if (said := rng.choice([None, True, False])) is not None}
    options["dpapi"] = rng.choice(["on", "off", "unknown"])
    current = rng.choice(["8.4.000004", "9.1.000001", "10.1.000003", "10.5.000001", "10.9.000064"])
    info = cluster("11.7.000049", current, **options)
    names = [f"web{number}" for number in range(1, rng.randint(1, 3) + 1)]
    nodes = [any_web(rng, info, name, ("web",)) for name in names]
    if rng.random() < 0.5:
        nodes.append(any_web(rng, info, "dr1", ("dr",)))
    if rng.random() < 0.5:
        called = rng.choice(["SecretServer", "Vault & 'DB'", "x]; DROP DATABASE y --"])
        nodes.append(database(info, rng.choice(["", "group", "mirroring"]), called))
    return planned(*nodes)


def any_web(rng: random.Random, info: ClusterInfo, name: str, roles: tuple[str, ...]) -> NodeView:
    root = rng.choice([*FOLDERS, None])
    pool = rng.choice(POOLS)
    apps = [
        IisApplication(
            site="Default Web Site",
            path=rng.choice(["/", "/SecretServer", "/x y"]),
            physical_path=root or "",
            pool=pool,
        )
    ]
    folder = rng.choice(FOLDERS)
    if rng.random() < 0.5 and folder != root:
        for part, own in (("", "TMS"), ("/Agent", rng.choice(POOLS)), ("/Worker", "TMSWorker")):
            apps.append(
                IisApplication(
                    site="Default Web Site",
                    path=f"/TMS{part}",
                    physical_path=f"{folder}{part}".replace("/", "\\"),
                    pool=own,
                )
            )
    return web(
        info,
        name,
        host=rng.choice(HOSTS),
        root=root,
        apps=tuple(apps),
        pool=pool,
        roles=roles,
        efs=rng.random() < 0.5,
        called=rng.choice([None, "WEB-OWN"]),
        drives=rng.choice([None, (Drive("D:", 9, 8),), ()]),
    )


def check_that_nothing_is_destroyed(plan: Runbook) -> None:
    for command in commands(plan):
        bare = re.sub(r'"[^"]*"', "", command.text)
        words = bare.upper().split()
        assert not [word for word in words if word.startswith(("/MIR", "/PURGE", "/MOV"))], command.text
        if command.language == "cmd":
            assert words[0] not in ("DEL", "ERASE", "RD", "RMDIR", "MOVE", "REN", "RENAME", "FORMAT"), command.text
        if command.language == "powershell":
            bare = re.sub(r"'(?:[^']|'')*'", "", command.text)
            assert not re.search(r"\b(Remove-Item|ri|rm|del|Clear-Content|Set-Content)\b", bare, re.IGNORECASE), (
                command.text
            )


def check_that_keys_stay(plan: Runbook) -> None:
    """No command that writes into a folder of the application touches a key, but to where there is none."""
    for step in steps(plan):
        for command in step.commands:
            text = command.text
            into_backup = step.id in ("back-up-application", "save-local-settings")
            only_listed = " /L " in f"{text} " or text.endswith(" /L")
            if text.startswith("robocopy") and not into_backup and not only_listed and "/XC /XN /XO" not in text:
                assert re.search(r"/XF .*encryption\.config", text), text
            if "Move-Item" in text or "Copy-Item" in text:
                assert "'encryption.config'" in text, text


def check_that_placeholders_are_listed(plan: Runbook) -> None:
    unsafe = re.compile(r"[^\w .,:/\-]", re.ASCII)
    listed = {unsafe.sub("_", sentence): sentence for sentence in plan.unknown}
    used = {found for command in commands(plan) for found in re.findall(r"<([^<>]+)>", command.text)}
    for name in used:
        assert [line for line in listed if line.startswith(f"{name}:")], f"<{name}> is not in the list"
    for line, sentence in listed.items():
        if not sentence.startswith("whether "):
            assert [name for name in used if line.startswith(f"{name}:")], f"{sentence!r} stands in no command"


def check_that_quotes_close(plan: Runbook) -> None:
    for command in commands(plan):
        if command.language == "cmd":
            assert command.text.count('"') % 2 == 0, command.text
            assert not re.search(r"[&|<>^;%]", re.sub(r'"[^"]*"|%windir%|%errorlevel%', "", command.text)), command.text
            assert not re.search(r'\\"( |$)', command.text), f"a backslash escapes the quote: {command.text}"
        if command.language == "sql":
            assert re.sub(r"N'(?:[^']|'')*'|\[[^\]]*\]", "", command.text).count("'") == 0, command.text


def check_that_nothing_unknown_is_written_out(plan: Runbook) -> None:
    """What is not known is a placeholder, and no word of Python's."""
    for step in steps(plan):
        said = [step.title, *step.notes, step.proof.shows if step.proof else "", *(one.text for one in step.commands)]
        assert not [text for text in said if re.search(r"\b(None\b|Unknown\()", text)], step


CHECKS = [
    check_that_nothing_unknown_is_written_out,
    check_that_nothing_is_destroyed,
    check_that_keys_stay,
    check_that_placeholders_are_listed,
    check_that_quotes_close,
]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "chef-drbd"])
def test_no_reviewed_plan_destroys_or_leaves_out_anything(name: str) -> None:
    (plan,) = book(name).plans
    assert isinstance(plan, Runbook)
    for check in CHECKS:
        check(plan)


@pytest.mark.parametrize("seed", range(SITES))
def test_nor_does_the_plan_of_any_site(seed: int) -> None:
    plan = any_site(random.Random(seed))
    for check in CHECKS:
        check(plan)


PARSER = """
$lines = [System.IO.File]::ReadAllText($args[0]) | ConvertFrom-Json
foreach ($line in $lines) {
    $tokens = $null; $errors = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseInput($line, [ref]$tokens, [ref]$errors)
    $names = @($tree.FindAll({ $args[0] -is [System.Management.Automation.Language.CommandAst] }, $true) |
        ForEach-Object { $_.GetCommandName() })
    $said = @{ line = $line; errors = @($errors | ForEach-Object { $_.Message }); names = $names }
    [Console]::Out.WriteLine((ConvertTo-Json -Compress $said))
}
"""
CMDLETS = {
    "Get-Item",
    "Get-ItemProperty",
    "Get-ChildItem",
    "New-Item",
    "New-PSSession",
    "Remove-PSSession",
    "Copy-Item",
}
CMDLETS |= {"Where-Object", "ForEach-Object", "Move-Item", "Get-Credential", r".\RMQ_QueueRemoval.ps1"}
CMDLETS |= {"ShowAllQueues", "ShowQueuesNoConsumer", "DeleteQueuesNoConsumer"}


@pytest.mark.skipif(PWSH is None, reason="no pwsh on the PATH")
def test_every_line_for_powershell_is_one_to_powershell(tmp_path: Path) -> None:
    info = cluster()
    odd = [
        planned(web(info, "web1", root=one), web(info, "web2", root=other)) for one in FOLDERS for other in FOLDERS[:3]
    ]
    lines = sorted({c.text for plan in (*reviewed(), *odd) for c in commands(plan) if c.language == "powershell"})
    assert len(lines) > 20
    (tmp_path / "lines.json").write_text(json.dumps(lines), encoding="utf-8")
    (tmp_path / "parse.ps1").write_text(PARSER, encoding="utf-8")
    assert PWSH
    words = [PWSH, "-NoProfile", "-NonInteractive", "-File", str(tmp_path / "parse.ps1"), str(tmp_path / "lines.json")]
    ended = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    read = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [row["line"] for row in read] == lines
    assert [row for row in read if row["errors"]] == []
    # A name in a folder that ended its quotes would be a command of its own.
    assert {name for row in read for name in row["names"]} <= CMDLETS


@pytest.mark.skipif(PWSH is None, reason="no pwsh on the PATH")
def test_what_is_moved_aside_is_all_but_the_two_files(tmp_path: Path) -> None:
    """The pipelines that copy and move, with folders of this machine: what they take and leave, in a real engine."""
    info = cluster()
    moved = [c.text for c in commands(planned(web(info, "web1"))) if "Move-Item" in c.text]
    copied = [c.text for c in commands(planned(web(info, "web1"), web(info, "web2"))) if "Copy-Item" in c.text]
    here, there = tmp_path / "app", tmp_path / "aside"
    (here / "bin").mkdir(parents=True)
    (here / "log").mkdir()
    for number in ("3", "4"):
        (there / number).mkdir(parents=True)
    for name in ("encryption.config", "database.config", "web.config", "bin/a.dll", "log/x.log", ".hidden"):
        (here / name).write_text(name, encoding="utf-8")
    local = (line.replace(" -ToSession $node", "") for line in (copied[0], moved[0]))
    for line, leftover in zip(
        local, ({".hidden", "bin", "web.config"}, {".hidden", "bin", "log", "web.config"}), strict=True
    ):
        text = re.sub(r"-Destination '[^']*'", f"-Destination '{there / str(len(leftover))}'", line)
        text = text.replace(r"'C:\inetpub\wwwroot\SecretServer'", f"'{here}'")
        assert PWSH
        subprocess.run([PWSH, "-NoProfile", "-Command", text], check=True, timeout=120)
        assert {path.name for path in (there / str(len(leftover))).iterdir()} == leftover
    assert {path.name for path in here.iterdir()} == {"encryption.config", "database.config"}


WEB = r"C:\inetpub\wwwroot\SecretServer"


@pytest.mark.parametrize(
    ("host", "root", "called", "copied_to"),
    [
        ("web2.corp.example", WEB, None, r"\\web2.corp.example\C$\inetpub\wwwroot\SecretServer"),
        ("fd00::21", r"e:\ss", None, r"\\fd00--21.ipv6-literal.net\E$\ss"),
        ("fe80::1%4", WEB, "WEB2", r"\\WEB2.corp.example\C$\inetpub\wwwroot\SecretServer"),
        ("127.0.0.1", WEB, "WEB2", r"\\WEB2.corp.example\C$\inetpub\wwwroot\SecretServer"),
        ("localhost", WEB, None, r"\\<the name of web2 in the network>\C$\inetpub\wwwroot\SecretServer"),
        ("web2", r"\\filer\web\SecretServer", None, r"\\filer\web\SecretServer"),
        ("web2", r"D:\O'Brien & Co\Secret Server" + "\\", None, r"\\web2\D$\O'Brien & Co\Secret Server"),
        ("web2", r"\\?\D:\ss", None, r"\\web2\D$\ss"),
    ],
)
def test_a_copy_goes_to_where_the_other_machine_is(host: str, root: str, called: str | None, copied_to: str) -> None:
    info = cluster()
    plan = planned(web(info, "web1"), web(info, "web2", host=host, root=root, called=called))
    (text,) = typed(plan, "copy-application")
    assert text == (
        f'robocopy "{WEB}" "{copied_to}" /E /R:2 /W:5 /XD "{WEB}\\log" /XF database.config encryption.config'
    )
    assert [sentence for sentence in plan.unknown if "in the network" in sentence] == (
        ["the name of web2 in the network: localhost means another machine wherever it is typed; type hostname on web2"]
        if "<" in copied_to
        else []
    )


def test_two_nodes_that_serve_one_folder_of_a_share_copy_nothing() -> None:
    info = cluster()
    share = r"\\filer\web\SecretServer"
    plan = planned(web(info, "web1", root=share), web(info, "web2", root=share.upper()))
    assert typed(plan, "copy-application") == []
    assert "there is nothing to copy" in next(step.title for step in steps(plan) if step.id == "copy-application")
    emptied = [text for text in typed(plan, "back-empty-folder") if "Move-Item" in text]
    assert len(emptied) == 1, "what was put back is not moved aside again"


def applications(pm: str, *pools: str) -> tuple[IisApplication, ...]:
    own = IisApplication(site="Vault", path="/SecretServer", physical_path=WEB, pool="SecretServer")
    parts = zip(("", "/Agent", "/Worker", "/Setup"), pools, strict=False)
    return (
        own,
        *(
            IisApplication(
                site="Vault", path=f"{pm}{part}", physical_path=rf"D:\PM{part}".replace("/", "\\"), pool=pool
            )
            for part, pool in parts
        ),
    )


@pytest.mark.parametrize("path", ["/Tms", "/PrivilegeManager"])
def test_every_pool_of_tms_is_stopped_and_started_whatever_it_is_called(path: str) -> None:
    info = cluster()
    apps = applications(path, "PM", "PM-A", "PM-W", "PM")
    plan = planned(web(info, "web1", apps=apps), web(info, "web2", apps=apps))
    for step in ("stop-others", "start-other", "back-stop-pools"):
        named = [re.findall('name:"([^"]*)"', text)[0] for text in typed(plan, step) if "appcmd" in text]
        assert named[:4] == ["SecretServer", "PM", "PM-A", "PM-W"]
    copy, keys = typed(plan, "copy-tms")
    assert copy.startswith(r'robocopy "D:\PM" "\\web2.corp.example\D$\PM" /E')
    assert copy.endswith("/XF connectionStrings.config tmsEncryption.config encryption.config")
    assert keys.endswith("tmsEncryption.config encryption.config /XC /XN /XO /R:2 /W:5"), "keys are never written over"


def test_an_application_below_another_ones_path_is_no_part_of_tms() -> None:
    info = cluster()
    apps = (
        IisApplication(site="Vault", path="/", physical_path=r"D:\TMS", pool="PM"),
        IisApplication(site="Vault", path="/SecretServer", physical_path=WEB, pool="SecretServer"),
        IisApplication(site="Vault", path="/Intranet", physical_path=r"D:\Intranet", pool="Intranet"),
        IisApplication(site="Vault", path="/Agent", physical_path=r"D:\TMS\Agent", pool="PM-A"),
    )
    plan = planned(web(info, "web1", apps=apps), web(info, "web2", apps=apps))
    named = {re.findall('name:"([^"]*)"', text)[0] for text in typed(plan, "stop-others")}
    assert named == {"SecretServer", "PM", "PM-A"}


@pytest.mark.parametrize(
    ("step", "current", "options", "shown"),
    [
        ("open-engine-folders", "10.5.000001", {"integrated_windows_auth": True, "distributed_engines": True}, "Open"),
        ("open-engine-folders", "10.5.000001", {"integrated_windows_auth": True}, "Where distributed engines are"),
        ("open-engine-folders", "10.5.000001", {"integrated_windows_auth": False}, ""),
        ("open-engine-folders", "10.6.000000", {"integrated_windows_auth": True, "distributed_engines": True}, ""),
        ("clear-rabbitmq-queues", "10.5.000001", {}, "Where RabbitMQ is in use: clear"),
        ("clear-rabbitmq-queues", "10.5.000001", {"rabbitmq": False}, ""),
        ("clear-rabbitmq-queues", "10.7.000000", {"rabbitmq": True}, ""),
        ("let-saml-config-be-written", "10.1.000003", {"saml": True}, "Let"),
        ("let-saml-config-be-written", "10.1.000003", {"saml": False}, ""),
        ("install-dotnet-48-engines", "10.5.000001", {"distributed_engines": False}, ""),
        ("wait-after-91", "9.1.000001", {}, "Reckon"),
        ("switch-fips-off", "10.9.000064", {}, "Back to 10.9.000064: see that Windows does not run in FIPS mode"),
        ("ask-about-privilege-manager", "10.5.000001", {}, ""),
    ],
)
def test_what_is_important_at_a_version_is_shown_where_it_may_concern_the_site(
    step: str, current: str, options: dict[str, object], shown: str
) -> None:
    plan = planned(web(cluster("11.7.000049", current, **options), "web1"))
    titles = [one.title for one in steps(plan) if one.id == step]
    assert len(titles) == bool(shown)
    assert all(title.startswith(shown) for title in titles)
    assert all(
        one.url and "on (" in one.notes[-1] for one in steps(plan) if one.id == step and not shown.startswith("Back")
    )


@pytest.mark.parametrize(
    ("current", "maintenance", "page", "primary"),
    [
        ("10.0.000006", "maintenance-mode-stays-off", "/installer.aspx", True),
        ("10.1.000000", "enter-maintenance-mode", "/installer.aspx", True),
        ("10.2.000000", "enter-maintenance-mode", "/Setup/Home", True),
        ("10.6.000001", "enter-maintenance-mode", "/Setup/Home", True),
        ("10.7.000000", "enter-maintenance-mode", "/Setup/Home", False),
    ],
)
def test_the_installer_is_met_as_the_version_that_runs_has_it(
    current: str, maintenance: str, page: str, *, primary: bool
) -> None:
    info = cluster("10.9.000005", current)
    plan = planned(web(info, "web1"), web(info, "web2"))
    every = list(steps(plan))
    assert [one.id for one in every if "maintenance-mode" in one.id and not one.id.startswith(("leave", "back"))] == [
        maintenance
    ]
    for step in (maintenance, "upgrade-first"):
        assert all(text.endswith(f"/SecretServer{page}") for text in typed(plan, step))
    notes = {one.id: " ".join(one.notes) for one in every}
    assert ("the first has to be the primary node" in notes["upgrade-first"]) == primary
    assert ("there is no primary node" in notes["stop-others"]) != primary
    # Who backed up in Maintenance Mode gets it back with the backup.
    assert ("back-leave-maintenance-mode" in notes) == (maintenance == "enter-maintenance-mode")


def test_each_hop_is_undone_by_its_own_backups_and_the_other_site_by_what_was_kept() -> None:
    info = cluster("11.7.000049", "9.1.000001", dpapi="on")
    spare = web(info, "dr1", roles=("dr",))
    plan = planned(web(info, "web1"), web(info, "web2", efs=True), spare, database(info, "mirroring"))
    back = list(plan.steps_back)
    for version in ("9.1.000001", "10.9.000005"):
        own = [step for step in back if step.title.startswith(f"Back to {version}: ")]
        order = ["back-stop-pools", "back-keep-what-failed", "back-end-mirroring", "back-restore-database"]
        order += ["back-empty-folder", "back-copy-application"] * 2
        order += ["switch-fips-off", "back-start-first", "back-start-others", "back-mirror-again", "back-verify"]
        assert [step.id for step in own if step.id in order] == order
        made = {command.text for step in steps(plan) for command in step.commands if step.id.startswith("back-up-")}
        (restored,) = [c.text for step in own for c in step.commands if c.text.startswith("RESTORE")]
        (file,) = re.findall("N'[^']*'", restored)
        assert [text for text in made if file in text], "what is restored was made in this plan"
        for copy in (c.text for step in own if step.id == "back-copy-application" for c in step.commands):
            source = copy.split('"')[1]
            assert [text for text in made if f'"{source}"' in text], "what is copied back was made in this plan"
        assert f"--target vault={version} --phase after" in " ".join(c.text for step in own for c in step.commands)
    others = [step for step in back if step.title.startswith("The other site")]
    assert [
        text for step in others for text in (c.text for c in step.commands) if "SecretServer-before-dr1.bak" in text
    ]
    assert any("R1 to R" in sentence and "back to 9.1.000001" in sentence for sentence in plan.way_back)
    told = " ".join(plan.way_back)
    for word in (
        "Starting from 9.1.000001 Maintenance Mode stays off",
        "point of no return",
        "DPAPI binds",
        "EFS binds",
        "every password",
        "mirroring is set up anew",
    ):
        assert word in told


def test_a_setting_of_a_pool_that_a_hop_changes_is_set_back() -> None:
    info = cluster("10.9.000064", "9.1.000001")
    node = web(info, "web1")
    iis = IisConfiguration(
        path="a",
        shared=False,
        pools=(AppPool("SecretServer", "Classic", "pool"),),
        applications=(IisApplication(site="Vault", path="/SecretServer", physical_path=WEB, pool="SecretServer"),),
    )
    plan = planned(
        NodeView(cluster=info, name="web1", host="web1", roles=node.roles, facts={**node.facts, IisConfiguration: iis})
    )
    assert "/managedPipelineMode:Integrated" in " ".join(typed(plan, "set-pool-pipeline"))
    assert '"SecretServer" /managedPipelineMode:Classic' in " ".join(typed(plan, "back-pool-settings"))


def test_backups_go_to_where_the_inventory_has_them_or_to_the_drive_with_room() -> None:
    info = cluster()
    declared = web(info, "web1")
    declared = NodeView(
        cluster=info,
        name="web1",
        host="web1",
        roles=declared.roles,
        facts=declared.facts,
        options={"backup_app_path": r"\\nas\vault\app\SecretServer"},
    )
    drives = (Drive("C:", 900 * GIB, 800 * GIB), Drive("D:", 100 * GIB, 20 * GIB), Drive("E:", 100 * GIB, 50 * GIB))
    plan = planned(declared, web(info, "web2", drives=drives), web(info, "web3", drives=None))
    made = " ".join(typed(plan, "back-up-application"))
    assert r'"\\nas\vault\app\web1-10.9.000064"' in made
    assert r'"E:\Backup\web2-10.9.000064"' in made
    assert r'"<a folder for backups on web3>\web3-10.9.000064"' in made
