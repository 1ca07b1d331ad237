"""The backends' file of secrets lies nowhere but on the backends, in its own place.

## What it checks
A search by name for `chef-backend-secrets.json` in `/etc/chef-backend`, the home directories, `/tmp` and `/var/tmp`, at
most three folders deep and without leaving their file systems. On a backend, only the file in `/etc/chef-backend` may
be found; on a frontend, none. A copy under another name, or deeper, is not found.

## Why it matters
Joining a node to the cluster begins with copying this file, and the copy in a home directory or in `/tmp` is easily
left behind. Whoever reads it can talk to the cluster as one of its members.

## How to fix it
Make sure that the file in `/etc/chef-backend` of the backends is whole, then delete the copy that the message names.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.chef_backend.node_facts import StraySecrets
from checks.groups import enumerate_names
from checks.outcome import Outcome, Remediation, Severity, failed, passed, undetermined

OWN_PLACE = "/etc/chef-backend/chef-backend-secrets.json"
EXPECTED = "no copy"


def judge(view: NodeView) -> Outcome:
    """Tell the copies that should not be there."""
    found = view.fact(StraySecrets)
    strays = [path for path in found.paths if path != OWN_PLACE or "backend" not in view.roles]
    unseen = "; ".join(found.unseen)
    rest = f"; not looked into: {unseen}" if unseen else ""
    if strays:
        text = f"the backends' secrets lie in {enumerate_names(strays)}{rest}"
        return failed(text, expected=EXPECTED, observed=", ".join(strays), paths=strays)
    if unseen:
        text = f"no copy was found, but not all places could be looked into: {unseen}"
        remedy = Remediation("Set `sudo = true` for the node, or log in as root.")
        return undetermined(text, expected=EXPECTED, remediation=remedy, unseen=list(found.unseen))
    return passed("no copy was found", expected=EXPECTED, observed="none")


CHECK = NodeCheck(
    id="chef-secrets-stray",
    title="No copy of the backends' secrets lies about",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Delete the copy once the file in /etc/chef-backend of every backend is known to be whole."
    ),
    products=("chef-backend",),
    roles=("backend", "frontend"),
    facts=(StraySecrets,),
    references=("https://docs.chef.io/install_server_ha/",),
    judge=judge,
)
