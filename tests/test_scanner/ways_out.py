"""Out of every UNKNOWN leads a way that its results name: the repair of a cause, or something to declare."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from checks.registry import BUILTIN
from checks.scan import CONNECTIVITY
from tests.test_scanner.conftest import Preflight

REPAIRS: dict[str, tuple[str, str]] = {
    "nobody listens": (r"refuses connections|nobody listens", r"`port`|listens there"),
    "something else listens": (
        r"is not SSH|is it WinRM|not WinRM|does not speak TLS|nothing serves|TDS PRELOGIN",
        r"`port`|`path`|`scheme|`encrypt",
    ),
    "not trusted": (
        r"host key|certificate|does not encrypt",
        r"ssh-key|`ca_file`|`host`|`certificate_name`|a certificate",
    ),
    "not let in": (r"login|may not open remote shells", r"`user`|`sql_user`|the account"),
    "somebody in between": (r"in the middle of the|no challenge came|forgot in|a proxy", r"on the way|pass it by"),
    "held back there": (
        r"Language Mode|WinRM shells open|the shell ended|runs no scripts|endpoint protection|powershell\.exe",
        r"policy|MaxShellsPerUser|login shell|`configuration`|`delivery = ",
    ),
    "another machine": (r"another machine answers", r"correct `host`"),
    "no such server": (r"is no TDS", r"a gateway or|no gateway or"),
    "too slow": (r"within|in the time|time limit", r"time"),
    "cut short or garbled": (
        r"closed the connection|hung up|answered|no answer|cut off|printed nothing|more than|more output|unreadable",
        r"`preflight probes INVENTORY`|the node itself|ended the script on the node|ends connections|by hand|error log",
    ),
}
"""What keeps a node from being asked, as `connectivity` tells it, and what its remedy has to speak of."""


_UNSEEN = re.compile(r"\b(?:is|are) not known\b")


def assert_no_breach_is_repaired_unseen(results: list[dict[str, Any]]) -> None:
    """What was not seen has the remedy of its cause, not the one that the check has for what it did see."""
    own = {check.id: check.remediation.summary for check in BUILTIN}
    for row in results:
        if row["status"] == "warn" and row["observed"] in ("", "not known") and _UNSEEN.search(row["message"]):
            assert row["remediation"]["summary"] != own.get(row["check"]), f"{row['check']}: {row['message']}"


def assert_a_way_out(preflight: Preflight, folder: Path, results: list[dict[str, Any]], *options: object) -> None:
    """Hold a scan that ended UNKNOWN to it; `options` are those of a scan of its kept evidence.

    `folder` holds the inventory. Each error names its repair where a node could not be asked, is told as that node's
    consequence, or says how to leave it out; and with all of these left out the verdict is told.
    """
    errors = [row for row in results if row["status"] == "error"]
    down = {(row["cluster"], row["node"]) for row in errors if row["check"] == CONNECTIVITY}
    skip: dict[str, list[str]] = {}
    for row in errors:
        summary = row["remediation"]["summary"]
        if row["check"] == CONNECTIVITY:
            assert repairs(row), f"no repair for {row['message']!r} in {summary!r}"
        elif named := re.fullmatch(rf"Clear what {CONNECTIVITY} says of (.+), then scan again\.", summary):
            assert {(row["cluster"], name) for name in re.split(r", | and ", named[1])} <= down, row
        else:
            assert summary.endswith(f'leave out: [clusters.{row["cluster"]}.skip] {row["check"]} = "why".'), row
            skip.setdefault(row["cluster"], []).append(row["check"])
    text = (folder / "inventory.toml").read_text(encoding="utf-8")
    for cluster, checks in skip.items():
        text += f"\n[clusters.{cluster}.skip]\n" + "".join(f'{check} = "why"\n' for check in dict.fromkeys(checks))
    (folder / "declared.toml").write_text(text, encoding="utf-8")
    ended = preflight("scan", folder / "declared.toml", *options, "--json", folder / "declared.json", "-q")
    rows = json.loads((folder / "declared.json").read_text(encoding="utf-8"))["results"]
    left = [row for row in rows if row["status"] == "error"]
    assert {(row["cluster"], row["node"]) for row in left if row["check"] == CONNECTIVITY} == down
    assert not [row for row in left if row["check"] in skip.get(row["cluster"], ())]
    assert down or ended.code in (0, 1), ended.out


def repairs(row: dict[str, Any]) -> list[str]:
    """The kinds of repair that the message calls for and the remedy names."""
    said, remedy = row["message"], row["remediation"]["summary"]
    return [kind for kind, (cause, cure) in REPAIRS.items() if re.search(cause, said) and re.search(cure, remedy)]
