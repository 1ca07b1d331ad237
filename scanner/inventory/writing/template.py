"""The commented inventory that `preflight init` writes; its keys and their comments come from the table."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from checks.engine.consistency import enumerate_names
from checks.engine.left_out import NEVER
from scanner.inventory.products import CHEF_BACKEND, SECRET_SERVER, Product
from scanner.inventory.reading.skip import REASON
from scanner.inventory.settings.acceptance import ATTESTATION, DRIFT_RULE, WAIVER
from scanner.inventory.settings.run import REPORTS, RUN
from scanner.inventory.settings.sections import BACKUP, CLUSTER, NODE, OPTIONS, RULE
from scanner.inventory.settings.setting import Key, by_name
from scanner.inventory.settings.transports import LOCAL, SSH, TDS, WINRM

_WIDTH = 100

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

_NODE_AGAIN = """\
Any key of [defaults.{transport}] may stand here, too, for this node alone.
"""


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

_CLUSTERS: Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]] = {
    SECRET_SERVER.name: ("vault-prod", {"web": ("web1", "web2"), "database": ("sql1",)}),
    CHEF_BACKEND.name: (
        "chef-prod",
        {"backend": ("backend-1", "backend-2", "backend-3"), "frontend": ("frontend-1",)},
    ),
}
"""Each product's example: its cluster, and the names of its nodes by role."""


def short_template(product: Product) -> str:
    """An inventory in TOML of one cluster of `product` that loads as it is, with the keys alone that it cannot do
    without.
    """
    transport = product.transports[0]
    keys = by_name(CLUSTER, NODE, {"winrm": WINRM, "ssh": SSH}[transport])
    example, nodes = _CLUSTERS[product.name]
    cluster = f"clusters.{example}"
    login = _LOGINS[transport]
    own = {"product": product.name, "target": product.version_example}
    told = [_comment(_SHORT_HEAD.format(title=product.title))]
    told.append(_table(f"defaults.{transport}", "How to log in on all nodes.", [keys[name] for name in login], login))
    told.append(_table(cluster, "The name is yours to choose.", [keys[name] for name in own], own))
    for role, names in nodes.items():
        told.append(_comment(f"Nodes that have the role {role}: {product.roles[role]}. Leave out what there is not."))
        for name in names:
            values = {"host": f"{name}.corp.example", "roles": (role,)}
            told[-1] += _brief(f"{cluster}.nodes.{name}", values) + ("" if name == names[-1] else "\n")
    return "\n".join(told)


def template() -> str:
    """An inventory in TOML that loads as it is, with every key there is, each explained."""
    winrm, ssh = _LOGINS["winrm"], _LOGINS["ssh"]
    reports = {"html": "preflight-report.html", "junit": "preflight-junit.xml"}
    return "\n".join(
        [
            _HEAD,
            _comment(_DEFAULTS),
            _table("defaults.winrm", "Windows machines, over WinRM.", WINRM, winrm),
            _table("defaults.ssh", "Machines over SSH: Linux, and Windows with OpenSSH for Windows.", SSH, ssh),
            _table("defaults.local", "The machine that preflight itself runs on, where it is a node.", LOCAL, {}),
            _table("defaults.tds", "SQL Server, where the scanner itself asks it.", TDS, {}),
            _secret_server(),
            _chef_backend(),
            _table("run", "Defaults of the command line's options.", RUN, {}),
            _table("reports", "What a plain scan writes, in the folder that it is started in.", REPORTS, reports),
            _switched_off(
                'drift.rules."disks.drives[].free-bytes"', _DRIFT, DRIFT_RULE, {"reason": "tell us when they fill"}
            ),
            _switched_off("[waivers]", _WAIVERS, WAIVER, {}),
            _switched_off("[attestations]", _ATTESTATIONS, ATTESTATION, {}),
        ],
    )


def _secret_server() -> str:
    cluster = "clusters.vault-prod"
    about = "A Secret Server cluster. The name is yours to choose, and appears in every report."
    own = {"product": SECRET_SERVER.name, "target": SECRET_SERVER.version_example}
    node = by_name(NODE, OPTIONS)
    ways = replace(node["transport"], choices=SECRET_SERVER.transports, otherwise=SECRET_SERVER.transports[0])
    node["transport"] = ways
    nodes = f"{cluster}.nodes"
    keys = [key for key in CLUSTER if not key.products or SECRET_SERVER.name in key.products]
    sql = [key for key in OPTIONS if key.name.startswith("sql_") and key.name not in ("sql_instance", "sql_port")]
    return "\n".join(
        [
            _table(cluster, about, [ways if key.name == "transport" else key for key in keys], own),
            _table(f"{cluster}.backup", "The backups that the vendor asks for before an upgrade.", BACKUP, {}),
            _overrides(f"{cluster}.rules.dotnet-48"),
            _left_out(f"{cluster}.skip"),
            _table(
                f"{nodes}.web1",
                f"Its nodes, each with a name of its own. {_NODE_AGAIN.format(transport='winrm')}",
                [key for key in node.values() if not key.roles or "web" in key.roles],
                {"host": "web1.corp.example", "roles": ("web",)},
                notes={"roles": _roles(SECRET_SERVER)},
            ),
            _brief(f"{nodes}.web2", {"host": "web2.corp.example", "roles": ("web",)}),
            _table(
                f"{nodes}.sql1",
                "",
                [node["host"], node["roles"], node["sql_instance"], node["sql_port"], *sql],
                {"host": "sql1.corp.example", "roles": ("database",)},
                silent=("host", "roles"),
            ),
        ],
    )


def _chef_backend() -> str:
    cluster = "clusters.chef-prod"
    own = {"product": CHEF_BACKEND.name, "target": CHEF_BACKEND.version_example}
    keys = [key for key in CLUSTER if key.name in ("product", "target", "current")]
    keys += [key for key in (*CLUSTER, *OPTIONS) if CHEF_BACKEND.name in key.products]
    first, *others = [
        _brief(f"{cluster}.nodes.backend-{number}", {"host": f"10.0.0.1{number}", "roles": ("backend",)})
        for number in (1, 2, 3)
    ]
    roles = _comment(f"{by_name(NODE)['roles'].doc} {_roles(CHEF_BACKEND)}")
    return "\n".join(
        [
            _table(cluster, "A Chef Backend cluster.", keys, own, silent=("product", "target", "current")),
            roles + first,
            *others,
        ],
    )


def _table(
    name: str,
    about: str,
    keys: Sequence[Key],
    values: Mapping[str, object],
    *,
    notes: Mapping[str, str] | None = None,
    silent: Sequence[str] = (),
) -> str:
    """A table with all of `keys`: those in `values` in use, the others switched off, each under its explanation.

    Keys in `silent` go without one, for it was given further up; `notes` are added to the explanations.
    """
    lines = [_comment(about) + f"[{name}]\n"]
    # Keys in use first: what a reader has to fill in should not be hidden among what he may.
    for key in sorted(keys, key=lambda key: key.name not in values):
        if key.name not in silent:
            lines.append(_comment(f"{key.doc} {_explained(key)} {(notes or {}).get(key.name, '')}"))
        if key.name in values:
            lines.append(f"{key.name} = {toml_value(values[key.name])}\n")
        elif key.name not in silent:
            lines.append(f"#{key.name} = {toml_value(_sample(key))}\n")
    return "".join(lines)


def _brief(name: str, values: Mapping[str, object]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {toml_value(value)}\n" for key, value in values.items())


def _overrides(name: str) -> str:
    about = (
        "A rule of the vendor that does not hold for you can be overridden, with the reason, which every report shows. "
        "`preflight explain` lists a check's rules."
    )
    values = {"reason": "4.8 comes in the same window, change 4711", "effect": "warn"}
    return _switched_off(name, about, RULE, values)


def _left_out(name: str) -> str:
    """A table whose keys are the ids of checks."""
    about = (
        "Checks that are not judged for this cluster, with the reason, which every report shows: for what can never "
        "be told here, such as a database that only its administrators may ask. `preflight checks` lists the ids. "
        f"Not {enumerate_names(list(NEVER))}."
    )
    return _comment(about) + f"#[{name}]\n#database-mirroring = {toml_value(REASON.example)}\n"


def _switched_off(name: str, about: str, keys: Sequence[Key], values: Mapping[str, object]) -> str:
    """A table that is off as a whole, with all its keys."""
    lines = [_comment(about), f"#[{name}]\n"]
    for key in keys:
        lines.append(_comment(f"{key.doc} {_explained(key)}"))
        lines.append(f"#{key.name} = {toml_value(values.get(key.name, _sample(key)))}\n")
    return "".join(lines)


def _explained(key: Key) -> str:
    words = []
    if key.choices:
        words.append(f"One of {', '.join(key.choices)}.")
    if key.otherwise:
        words.append(f"Left out: {key.otherwise}.")
    return " ".join(words)


def _roles(product: Product) -> str:
    return f"One or more of {'; '.join(f'{role} ({what})' for role, what in product.roles.items())}."


def _sample(key: Key) -> object:
    return key.example if key.default is None else key.default


def _comment(text: str) -> str:
    lines = textwrap.wrap(" ".join(text.split()), _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines)


def toml_value(value: object) -> str:
    """`value` as TOML writes it. Texts without control characters, as all samples are."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    text = str(value)
    return f"'{text}'" if "\\" in text else f'"{text}"'
