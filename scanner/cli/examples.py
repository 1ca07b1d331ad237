"""What each command's `--help` shows of its use: lines that can be typed as they are."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "scan": (
        "preflight scan inventory.toml",
        "preflight scan inventory.toml --html report.html --junit junit.xml",
        "preflight scan --host be1.corp.example --product chef-backend --role backend --user preflight --sudo",
        "preflight scan --host web1 --product secret-server --role web --user 'CORP\\svc-preflight' --ask-password",
        "preflight scan inventory.toml --cluster vault-prod --phase after",
        "preflight scan inventory.toml --history preflight.db --only-changes",
    ),
    "collect": ("preflight collect inventory.toml -o evidence.json.gz",),
    "history": ("preflight history preflight.db", "preflight history preflight.db --keep 400d"),
    "status": ("preflight status --history preflight.db inventory.toml --max-age 26h",),
    "dashboard": (
        "preflight dashboard preflight.db -o /var/www/html/fleet",
        "preflight dashboard paris.db oslo.db -o fleet --nights 90",
    ),
    "plan": ("preflight plan inventory.toml", "preflight plan inventory.toml -o runbook.md"),
    "baseline": ("preflight baseline inventory.toml",),
    "drift": ("preflight drift inventory.toml", "preflight drift inventory.toml --html drift.html -q"),
    "checks": ("preflight checks",),
    "explain": ("preflight explain dotnet-framework",),
    "probes": (
        "preflight probes inventory.toml --node web1",
        "preflight probes inventory.toml --fact secrets-files --sudoers",
    ),
    "validate": ("preflight validate inventory.toml", "preflight validate inventory.toml --connect"),
    "schema": ("preflight schema > inventory.schema.json",),
    "init": (
        "preflight init inventory.toml",
        "preflight init chef.toml --product chef-backend",
        "preflight init chef.toml --product chef-backend --from-ansible hosts.json --map backends=chef-prod:backend",
        "preflight init chef.toml --product chef-backend --from-ssh-config ~/.ssh/config --map 'be*=chef-prod:backend'",
    ),
    "inventory add": (
        "preflight inventory add inventory.toml --cluster chef-prod --node be4 --host 10.0.0.14 --role backend",
    ),
    "discover": (
        "preflight discover be1.corp.example --product chef-backend --user preflight --sudo -o inventory.toml",
        "preflight discover web1.corp.example --product secret-server --user 'CORP\\svc-preflight' --ask-password",
    ),
    "demo": ("preflight demo",),
    "lab": ("preflight lab --list", "preflight lab ssh-down --folder lab"),
}
"""Command to example lines."""


def epilog(command: str) -> str:
    """The examples of a command, as its help shows them."""
    lines = EXAMPLES.get(command, ())
    return "Examples:\n\n" + "\n\n".join(f"`{line}`" for line in lines) if lines else ""
