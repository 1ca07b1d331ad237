"""The commented inventory that `preflight init` writes; its keys and their comments come from the table."""

from __future__ import annotations

from collections.abc import Mapping

from checks.facts import EndedError
from scanner.inventory.product_settings.known import catalogue
from scanner.inventory.products import Product
from scanner.inventory.settings.acceptance import ATTESTATION, DRIFT_RULE, WAIVER
from scanner.inventory.settings.catalogue import REPORTS, RUN, Catalogue
from scanner.inventory.settings.setting import by_name
from scanner.inventory.settings.transports import TRANSPORTS
from scanner.inventory.writing.tables import brief, comment, switched_off, table

_HEAD = """\
# The inventory of preflight: which machines form which cluster, and how each of them is reached.
#
#   preflight validate inventory.toml   is everything in here all right? (contacts nobody)
#   preflight probes inventory.toml     what would be sent to each node, for a security review
#   preflight scan inventory.toml       ask every node once, and say GO, NO-GO or UNKNOWN
#
# Put your own machines in place of the examples. A line with "# " explains. A line with "#" and no
# blank after it is a key that is switched off, shown with its default or with an example; take the
# "#" away to use it.
#
# Passwords never stand in here. This file only says where each one is: in an environment variable,
# in a file that nobody but you can read, or in what a command prints, your password manager's say.
#
# Texts with backslashes stand in single quotes: 'CORP\\svc-preflight'. Names with dots stand in
# quotes: [clusters.vault-prod.nodes."web1.corp.example"]. Relative paths are relative to this
# file, and ~ is your home folder.
#
# Editors that know TOML schemas complete and check this file with what `preflight schema` prints.
"""

_DEFAULTS = """\
How the nodes are reached. Every key of these tables may also stand in a cluster or in a
node, for that one alone: the node's own value comes first, then its cluster's, then the default here.
"""

_WAIVERS = """\
Findings that somebody accepts for a while. Until the day that is set here they do not count, and every report shows
who accepts them and why. Only fail and warn can be waived; after that day they count again. One block each, as many as
needed.
"""

_ATTESTATIONS = """\
What no probe can see, and somebody vouches for. Every report shows it; it changes no check's result. Once it has
expired, it is a warning.
"""

_DRIFT = """\
How `preflight drift` compares a fact with the baseline, where what is shipped does not suit you. A kind of fact alone,
such as cluster-status, means all of it; * stands for any text, and [] for any key of a list.
"""

_WAYS = {
    "winrm": "Windows machines, over WinRM.",
    "ssh": "Machines over SSH: Linux, and Windows with OpenSSH for Windows.",
    "local": "The machine that preflight itself runs on, where it is a node.",
    "tds": "SQL Server, where the scanner itself asks it.",
}
"""What each transport is for."""

_SHORT_HEAD = """\
The inventory of a {title} cluster, with no more than it takes. Put your own machines in place of the examples, then
check this file with `preflight validate`, and ask with `preflight scan`. `preflight init` without --product writes
every key there is, each explained.
"""

_LOGINS: Mapping[str, Mapping[str, object]] = {
    "winrm": {"user": "CORP\\svc-preflight", "password_env": "PREFLIGHT_WINRM_PASSWORD"},
    "ssh": {"user": "preflight", "key_file": "~/.ssh/preflight_ed25519", "sudo": True},
}
"""What it takes to log in, by transport."""


def short_template(product: Product, known: Catalogue | None = None) -> str:
    """An inventory in TOML of one cluster of `product` that loads as it is, with the keys alone that it cannot do
    without.
    """
    known = known or catalogue()
    transport = product.transports[0]
    keys = by_name(known.cluster, known.node, TRANSPORTS[transport])
    cluster, nodes = _example_names(product, known)
    login = _LOGINS.get(transport, {})
    own = {"product": product.name, "target": product.version_example}
    told = [comment(_SHORT_HEAD.format(title=product.title))]
    if login:
        told.append(
            table(f"defaults.{transport}", "How to log in on all nodes.", [keys[name] for name in login], login)
        )
    told.append(table(cluster, "The name is yours to choose.", [keys[name] for name in own], own))
    for role, names in nodes.items():
        told.append(comment(f"Nodes that have the role {role}: {product.roles[role]}. Leave out what there is not."))
        for name in names:
            values = {"host": f"{name}.corp.example", "roles": (role,)}
            told[-1] += brief(f"{cluster}.nodes.{name}", values) + ("" if name == names[-1] else "\n")
    return "\n".join(told)


def template(known: Catalogue | None = None) -> str:
    """An inventory in TOML that loads as it is, with every key there is, each explained."""
    known = known or catalogue()
    reports = {"html": "preflight-report.html", "junit": "preflight-junit.xml"}
    return "\n".join(
        [
            _HEAD,
            comment(_DEFAULTS),
            *(table(f"defaults.{way}", about, TRANSPORTS[way], _LOGINS.get(way, {})) for way, about in _WAYS.items()),
            *(_of_product(product, known) for product in known.products.values()),
            table("run", "Defaults of the command line's options.", RUN, {}),
            table("reports", "What a plain scan writes, in the folder that it is started in.", REPORTS, reports),
            switched_off(
                'drift.rules."disks.drives[].free-bytes"', _DRIFT, DRIFT_RULE, {"reason": "tell us when they fill"}
            ),
            switched_off("[waivers]", _WAIVERS, WAIVER, {}),
            switched_off("[attestations]", _ATTESTATIONS, ATTESTATION, {}),
        ],
    )


def _example_names(product: Product, known: Catalogue) -> tuple[str, Mapping[str, tuple[str, ...]]]:
    """What a cluster of the product is called in examples, as a table, and its nodes by role."""
    own = known.brought.get(product.name)
    cluster = (own and own.example_cluster) or f"{product.name}-prod"
    # A role that is none of the product's is an error in every report; here it is left out.
    named = {role: names for role, names in own.example_nodes.items() if role in product.roles} if own else {}
    return f"clusters.{cluster}", named or {role: (f"{role}-1",) for role in product.roles}


def _of_product(product: Product, known: Catalogue) -> str:
    """A cluster of the product, with the keys that are its own; everybody's are explained in another's."""
    own = known.brought.get(product.name)
    failed = ""
    if own and own.example:
        try:
            return own.example(product, known)
        except EndedError as ended:
            failed = comment(str(ended))
    cluster, nodes = _example_names(product, known)
    values: dict[str, object] = {"product": product.name, "target": product.version_example}
    keys = [key for key in known.cluster if key.name in values or product.name in key.products]
    told = [table(cluster, f"A {product.title} cluster.", keys, values, silent=tuple(values))]
    shown: set[str] = set()
    for role, names in nodes.items():
        options = [
            key
            for key in known.options
            if product.name in key.products and (not key.roles or role in key.roles) and key.name not in shown
        ]
        shown |= {key.name for key in options}
        for number, name in enumerate(names):
            values = {"host": f"{name}.corp.example", "roles": (role,)}
            about = f"A node that has the role {role}: {product.roles[role]}." if number == 0 else ""
            written = [by_name(known.node)[key] for key in values] + (options if number == 0 else [])
            told.append(table(f"{cluster}.nodes.{name}", about, written, values, silent=tuple(values)))
    return failed + "\n".join(told)
