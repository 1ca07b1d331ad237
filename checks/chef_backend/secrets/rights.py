"""Who may read a file of secrets: the services that need it, and nobody else.

Sources: https://docs.chef.io/server/install_server_ha/, "Services and Secrets" (root:chef_pgsql, 0640; leaderl runs as
chef_pgsql; before 1.2 the same page said root and 0600), https://github.com/chef-cookbooks/chef-ingredient/pull/219
(0600 breaks failover and promotion), https://docs.chef.io/server/config_rb_backend/ (`leaderl.runsv_group`,
`leaderl.username`), and https://docs.chef.io/server/ctl_chef_server/, "Secrets Management" (the frontends' file).
"""

from __future__ import annotations

from checks.check import NodeView
from checks.chef_backend.backend.config_settings import digest
from checks.chef_backend.facts.cluster import ChefBackendVersion
from checks.chef_backend.facts.machine import ConfigDigest, SecretsFile
from checks.chef_backend.urls import SECRETS_URL
from checks.engine.ways_out import UNSEEN
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, failed, undetermined, warned
from checks.runbook.quoting import for_sh
from checks.versions import VersionError, parse_version

SERVICE = "chef_pgsql"
"""The account, and the group, that leaderl runs as unless chef-backend.rb says otherwise."""
_GROUP_READS, _OWNER_READS, _OTHERS = 0o040, 0o400, 0o007
_AGAIN = Remediation("Ask the nodes again, with this version of preflight.")


def judge_rights(node: NodeView, role: str, file: SecretsFile) -> list[Outcome]:
    """What is wrong with the rights of a file that is there. It names no node: equal causes are told once."""
    if file.state != "hashed":
        return []
    if not file.mode:
        return [warned(f"the mode of {file.path} is not known", remediation=UNSEEN)]
    if int(file.mode, 8) & _OTHERS:
        return [failed(f"everybody may get at {_told(file)}", remediation=_repair(node, role, file))]
    if not file.owner:
        text = f"mode {file.mode} of {file.path}, but not who owns it, by the answers of an earlier preflight"
        return [undetermined(text, remediation=_AGAIN)]
    return _of_backend(node, file) if role == "backend" else _of_frontend(node, file)


def _of_backend(node: NodeView, file: SecretsFile) -> list[Outcome]:
    repair = _repair(node, "backend", file)
    mode = int(file.mode, 8)
    wanted = _wanted_group(node, file)
    reads = (file.group == wanted and mode & _GROUP_READS) or (_is_service(node, file.owner) and mode & _OWNER_READS)
    if reads:
        config = node.get(ConfigDigest)
        if isinstance(config, Unknown):
            text = f"{_told(file)} is right where leaderl runs as {SERVICE}; that chef-backend.rb says nothing else"
            return [undetermined(f"{text} is not known: {config.reason}")]
        right = (file.owner, mode) == ("root", 0o640)
        return [] if right else [warned(f"{_told(file)} instead of root:{wanted} 0640", remediation=repair)]
    text = f"leaderl, which needs it at a failover, may not read {_told(file)} (root:{wanted} 0640 is right)"
    if file.owner == "root" and _is_before_1_2(node):
        return [warned(f"{text}; before 1.2 the vendor documented root and 0600", remediation=repair)]
    if mode & _GROUP_READS and file.group not in ("root", SERVICE) and isinstance(node.get(ConfigDigest), Unknown):
        text = f"{_told(file)}; whether leaderl runs in that group is not known"
        return [undetermined(text)]
    return [failed(text, remediation=repair)]


def _of_frontend(node: NodeView, file: SecretsFile) -> list[Outcome]:
    if file.owner == "root" and (file.group == "root" or not int(file.mode, 8) & _GROUP_READS):
        return []
    text = f"{_told(file)}; the vendor has it owned and readable by root alone"
    return [warned(text, remediation=_repair(node, "frontend", file))]


def _told(file: SecretsFile) -> str:
    owner = f"{file.owner}:{file.group} " if file.owner else ""
    return f"{file.path} ({owner}{file.mode.lstrip('0').rjust(4, '0')})"


def _repair(node: NodeView, role: str, file: SecretsFile) -> Remediation:
    group, mode = (_wanted_group(node, file), "0640") if role == "backend" else ("root", "0600")
    owner, path = for_sh(f"root:{group}") or "root:'<group>'", for_sh(file.path) or "'<file>'"
    return Remediation(
        f"Set owner, group and mode of {file.path} right.",
        f"sudo chown {owner} {path} && sudo chmod {mode} {path}",
        url=SECRETS_URL,
        language="sh",
    )


def _wanted_group(node: NodeView, file: SecretsFile) -> str:
    """The file's own group where chef-backend.rb names it: what leaves the node of a setting is a hash."""
    return file.group if _is_set(node, "leaderl.runsv_group", file.group) else SERVICE


def _is_service(node: NodeView, owner: str) -> bool:
    return owner == SERVICE or _is_set(node, "leaderl.username", owner)


def _is_set(node: NodeView, name: str, value: str) -> bool:
    found = node.get(ConfigDigest)
    return bool(value) and not isinstance(found, Unknown) and dict(found.named).get(name) == digest(value)


def _is_before_1_2(node: NodeView) -> bool:
    found = node.get(ChefBackendVersion)
    try:
        return not isinstance(found, Unknown) and parse_version(found.text).release < (1, 2)
    except VersionError:
        return False
