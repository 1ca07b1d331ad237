"""Holds requirements.lock against the advisories that pip-audit can reach, and says how much of it was looked at.

Ends with 0 where everything was looked at and nothing is known, 1 where something is, 3 where that cannot be told:
pip-audit itself ends with 0 for packages that it has found nothing about because it could not ask.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def main(pip_audit: str, lock: str) -> int:
    """Run it, and judge what it says."""
    ended = subprocess.run(
        [pip_audit, "--disable-pip", "--require-hashes", "-r", lock, "--format", "json", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"NOT AUDITED: pip-audit ended with {ended.returncode}: {last}")
        return 3
    return judge(found)


def judge(found: list[dict[str, Any]]) -> int:
    """Tell what is known of the packages, and what is not."""
    missed = [row for row in found if "skip_reason" in row]
    known = [(row, each) for row in found for each in row.get("vulns", ())]
    for row, each in known:
        fixed = ", ".join(each["fix_versions"]) or "nothing yet"
        print(f"VULNERABLE: {row['name']} {row['version']}: {each['id']}, fixed in {fixed}")
    if missed or not found:
        reason = missed[0]["skip_reason"] if missed else "the list is empty"
        print(f"NOT AUDITED: {len(missed)} of {len(found)} packages; the first: {reason}")
    if known:
        return 1
    if missed or not found:
        return 3
    print(f"audited: {len(found)} packages, no advisory")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
