"""The backends' file of secrets lies nowhere but on the backends, in its own place.

## What it checks
A search by name for `chef-backend-secrets.json` in `/etc/chef-backend`, the home directories, `/tmp` and `/var/tmp`, at
most three folders deep and without leaving their file systems. On a backend, only the file in `/etc/chef-backend` may
be found; on a frontend, none. A copy that others than root can get at, by its own rights and those of the folders above
it, is a failure; one that root alone can get at, such as those that `chef-backend-ctl cleanse` leaves under `/root`, is
a warning. A copy under another name, or deeper, is not found. A home directory that even root may not enter (NFS with
root_squash, FUSE) is told.

## Why it matters
Joining a node to the cluster begins with copying this file, and the copy in a home directory or in `/tmp` is easily
left behind. Whoever reads it can talk to the cluster as one of its members.

## How to fix it
Make sure that the file in `/etc/chef-backend` of the backends is whole, then delete the copy that the message names.
"""

from __future__ import annotations

from dataclasses import replace

from checks.check import NodeCheck, NodeView
from checks.chef_backend.facts.machine import StraySecrets
from checks.chef_backend.urls import INSTALL_URL, RECOVERY_URL
from checks.engine.wording import enumerate_names
from checks.outcome import Outcome, Remediation, Severity, combine, failed, passed, undetermined, warned

OWN_PLACE = "/etc/chef-backend/chef-backend-secrets.json"
EXPECTED = "no copy"
_CLOSED = Remediation(
    "Delete the copy once the node is a member again, or will never be, and the file in /etc/chef-backend of every "
    "backend is known to be whole."
)
_OWN = Remediation("Look at what chef-secrets-match says of the file in /etc/chef-backend, then scan again.")
_ROOT = Remediation("Set `sudo = true` for the node, or log in as root.")


def judge(view: NodeView) -> Outcome:
    """Tell the copies that should not be there."""
    found = view.require(StraySecrets)
    own = {OWN_PLACE} if "backend" in view.roles else set()
    strays = [path for path in found.paths if path not in own]
    closed = [path for path in strays if path in found.closed and path != OWN_PLACE]
    open_ = [path for path in strays if path not in closed]
    links = [link for link in found.links if not (own and link.endswith(f" -> {OWN_PLACE}"))]
    outcomes = []
    if open_:
        outcomes.append(failed(f"the backends' secrets lie in {enumerate_names(open_)}"))
    if closed:
        text = f"the backends' secrets lie in {enumerate_names(closed)}, where root alone can get at them"
        outcomes.append(warned(text, remediation=_CLOSED))
    if links:
        outcomes.append(warned(f"there are links to the backends' secrets: {enumerate_names(links)}"))
    if found.unseen and not open_:
        text = f"not all places could be looked into: {'; '.join(found.unseen)}"
        outcomes.append(undetermined(text if strays else f"no copy was found, but {text}", remediation=_ROOT))
    if own and not found.unseen and OWN_PLACE not in found.paths:
        text = "the search did not even find the backend's own file, so that it found no other says nothing"
        outcomes.append(undetermined(text, remediation=_OWN))
    rest = (*(found.unseen if open_ else ()), *found.homes)
    observed = ", ".join([*strays, *links]) or "none"
    evidence = {"paths": strays, "closed": closed, "links": links, "unseen": [*found.unseen, *found.homes]}
    whole = combine(outcomes or [passed("no copy was found")])
    message = f"{whole.message}; not looked into: {'; '.join(rest)}" if rest else whole.message
    return replace(whole, message=message, expected=EXPECTED, observed=observed, evidence=evidence)


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
    references=(INSTALL_URL, RECOVERY_URL),
    judge=judge,
)
