"""A scan with something of everything, and hostile text to plant in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from checks.outcome import Remediation, Result, Severity, Status
from checks.scan import NodeRecord, Scan

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]

STARTED = datetime(2026, 11, 21, 1, 2, 3, 456789, tzinfo=UTC)

TITLES = {
    "connectivity": ("The node can be asked", Severity.CRITICAL),
    "sql-server-version": ("SQL Server is recent enough for the target", Severity.CRITICAL),
    "windows-version": ("Windows Server is recent enough for the target", Severity.HIGH),
    "dotnet-framework": (".NET Framework is recent enough for the target", Severity.HIGH),
    "iis-integrated-pipeline": ("The application pool runs in Integrated mode", Severity.HIGH),
    "stepping-stone": ("No mandatory intermediate version is skipped", Severity.CRITICAL),
    "encryption-config-match": ("encryption.config is the same on all web nodes", Severity.CRITICAL),
    "app-version-match": ("All web nodes run the same version", Severity.HIGH),
    "chef-cluster-status": ("Every backend reports the same healthy cluster", Severity.CRITICAL),
}

SQL_FIX = Remediation(
    "Upgrade the instance to SQL Server 2012 or later before the window; a failed upgrade cannot be rolled back.",
    "Get-ItemProperty 'HKLM:\\SOFTWARE\\Microsoft\\Microsoft SQL Server\\Instance Names\\SQL'",
    url="https://docs.example/secret-server/upgrade?page=1&part=sql",
)
POOL_FIX = Remediation(
    "Switch the pool to the Integrated pipeline and recycle it.",
    '%windir%\\system32\\inetsrv\\appcmd.exe set apppool "SecretServer" /managedPipelineMode:Integrated',
    url="https://docs.example/secret-server/iis",
)


def build_result(
    check: str,
    status: Status | str,
    message: str,
    *,
    node: str | None = "web1",
    cluster: str = "vault-prod",
    **more: object,
) -> Result:
    title, severity = TITLES.get(check, (check, Severity.MEDIUM))
    status = Status(status)
    row = Result(
        check=check,
        title=title,
        severity=severity,
        cluster=cluster,
        node=node,
        status=status,
        message=message,
        not_evaluated=status is Status.ERROR,
    )
    return replace(row, **more)  # type: ignore[arg-type]


def build_node(node: str, cluster: str = "vault-prod", **more: object) -> NodeRecord:
    windows = not cluster.startswith("chef")
    record = NodeRecord(
        cluster=cluster,
        node=node,
        host=f"{node}.corp.example",
        transport="winrm" if windows else "ssh",
        reachable=True,
        connections=1,
        commands=1,
        requests=7 if windows else 0,
        seconds=1.23456,
    )
    return replace(record, **more)  # type: ignore[arg-type]


def build_scan(results: tuple[Result, ...], nodes: tuple[NodeRecord, ...] = (), **more: object) -> Scan:
    if not nodes:
        found = dict.fromkeys((row.cluster, row.node) for row in results if row.node is not None)
        nodes = tuple(build_node(node, cluster) for cluster, node in found if node is not None)
    scan = Scan(
        tool_version="0.1.0",
        started=STARTED,
        finished=STARTED + timedelta(seconds=4.25),
        inventory="inventory.toml",
        nodes=nodes,
        results=results,
    )
    return replace(scan, **more)  # type: ignore[arg-type]


def _rich_results() -> tuple[Result, ...]:
    rows = []
    for node in ("web1", "web2", "web3"):
        if node == "web3":
            rows.append(
                build_result(
                    "connectivity",
                    "error",
                    "the host name web3.corp.example cannot be resolved",
                    node=node,
                    expected="an answer over WinRM (https, port 5986)",
                    remediation=Remediation("Check `host` in the inventory and the DNS of this machine."),
                )
            )
            rows += [
                build_result(check, "skip", "not evaluated: node unreachable", node=node, not_evaluated=True)
                for check in ("windows-version", "dotnet-framework", "iis-integrated-pipeline")
            ]
            continue
        rows += [
            build_result("connectivity", "pass", "answered 6 of 6 questions", node=node),
            build_result(
                "windows-version",
                "pass" if node == "web1" else "warn",
                "Windows Server 2019" if node == "web1" else "the machine is a domain controller",
                node=node,
                expected="Windows Server 2008 R2 or later, as a member server",
                observed="Windows Server 2019 Standard (10.0.17763)",
                evidence={"product_type": 3, "build": 17763},
            ),
            build_result(
                "dotnet-framework",
                "pass",
                ".NET Framework 4.8",
                node=node,
                expected=".NET Framework 4.8 or later",
                observed="release 528040",
                evidence={"release": 528040},
            ),
            build_result(
                "iis-integrated-pipeline",
                "fail",
                "the application pool SecretServer runs in Classic mode",
                node=node,
                expected="Integrated",
                observed="Classic" if node == "web1" else "Classic, by applicationPoolDefaults",
                remediation=POOL_FIX,
                evidence={"pool": "SecretServer", "site": "Default Web Site", "mode": "Classic"},
            ),
        ]
    rows += [
        build_result("connectivity", "pass", "answered 2 of 2 questions", node="sql1"),
        build_result(
            "sql-server-version",
            "fail",
            "SQL Server 2008 R2 is older than SQL Server 2012",
            node="sql1",
            expected="SQL Server 2012 (11.0) or later, because the target is 11.7.000049",
            observed="10.50.6000.34 (instance MSSQLSERVER)",
            remediation=SQL_FIX,
            evidence={"instances": [{"name": "MSSQLSERVER", "version": "10.50.6000.34", "edition": "Standard"}]},
        ),
        build_result(
            "stepping-stone",
            "pass",
            "11.7.000049 can be installed directly over 11.3.000001",
            node=None,
            observed="11.3.000001",
        ),
        build_result(
            "encryption-config-match",
            "error",
            "cannot be compared: web3 was not read",
            node=None,
            expected="the same SHA-256 on web1, web2, web3",
            observed="web1 and web2 agree",
            evidence={"web1": "9f86d081884c7d65", "web2": "9f86d081884c7d65", "web3": None},
        ),
        build_result("app-version-match", "waived", "accepted by j.doe until 2026-12-01: web3 is rebuilt", node=None),
    ]
    for node in ("backend-1", "backend-2", "backend-3"):
        rows.append(
            build_result("connectivity", "pass", "answered 4 of 4 questions", node=node, cluster="chef-prod"),
        )
    rows += [
        build_result("chef-cluster-status", "pass", "one leader, two followers", node=None, cluster="chef-prod"),
        build_result("stepping-stone", "skip", "no target is set for this cluster", node=None, cluster="chef-prod"),
    ]
    return tuple(rows)


def _rich_scan() -> Scan:
    nodes = (
        build_node("web1"),
        build_node("web2", seconds=2.5),
        build_node("web3", reachable=False, connections=0, commands=0, requests=0, seconds=0.004),
        build_node("sql1"),
        *(build_node(f"backend-{number}", "chef-prod", seconds=0.8) for number in (1, 2, 3)),
    )
    notices = (
        "sql1: the TLS certificate is not verified (verify = false)",
        "vault-prod: rule sql-server-version is overridden by the inventory",
    )
    return build_scan(_rich_results(), nodes, notices=notices)


@pytest.fixture
def rich_scan() -> Scan:
    """NO-GO, with each status, two clusters, notices, a node that is down, and a cause that hits two nodes."""
    return _rich_scan()


@pytest.fixture
def make_result() -> MakeResult:
    """`make_result(check, status, message, node=..., cluster=..., **fields of Result)`."""
    return build_result


@pytest.fixture
def make_scan() -> MakeScan:
    """`make_scan(results, nodes=(), **fields of Scan)`; node records are made up where none are given."""
    return build_scan


HOSTILE = (
    "<script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">",
    "\"'><svg onload=document.title='pwned'>",
    "</script></style></textarea></pre><script>document.title='pwned'</script>",
    "{{ 7*7 }}{% raw %}",
    "]]><!-- &lt; &amp; &#0;",
    "\x1b[2J\x1b[31mred\x1b]0;pwned\x07\x9b1m",
    "nul\x00nel\x85del\x7fff\x0cbs\x08cr\rend",
    "lone \ud800 and \udfff",
    "rtl \u202egpj.exe\u202c \u2066x\u2069 zero\u200bwidth\ufeff line\u2028sep",
    "noncharacters \ufffe\uffff\U0001ffff tag\U000e0041",
    "`code` ``` | a | [x](javascript:alert(1)) **b** _i_ #1 @everyone http://evil.example www.evil.example",
    "first line\n# second line\n\tthird",
)


@pytest.fixture
def hostile_scan() -> Scan:
    """What no node would say of its own free will, in every field that a target or an inventory can fill."""
    planted = [*HOSTILE, "x" * 100_000, "<" * 100_000]
    rows, nodes = [], []
    for number, text in enumerate(planted):
        node = f"n{number}.{text[:300]}"
        nodes.append(build_node(node, cluster=f"c.{text[:100]}" if number % 2 else "plain", host=text, transport=text))
        for check, status in (("connectivity", "pass"), ("sql-server-version", "fail"), ("dotnet-framework", "error")):
            rows.append(
                build_result(
                    check,
                    status,
                    text,
                    node=node,
                    cluster=nodes[-1].cluster,
                    title=text,
                    expected=text,
                    observed=text,
                    remediation=Remediation(text, text, url="javascript:document.title='pwned'"),
                    evidence={text: text, "list": [text, {text: [text]}], "number": float("nan"), "set": {text}},
                )
            )
        rows += [
            build_result("windows-version", "warn", text, node=node, cluster=nodes[-1].cluster, observed=text),
            build_result("stepping-stone", "skip", text, node=None, cluster=nodes[-1].cluster),
            build_result("app-version-match", "waived", text, node=node, cluster=nodes[-1].cluster),
        ]
    return build_scan(
        tuple(rows), tuple(nodes), inventory=HOSTILE[0] + HOSTILE[6], tool_version=HOSTILE[1], notices=tuple(planted)
    )
