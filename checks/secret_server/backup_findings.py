"""What can be held against a backup that was found: that it is none, too old, or without a key that opens the vault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from checks.check import ClusterInfo
from checks.groups import enumerate_names
from checks.outcome import Outcome, failed, passed, undetermined, warned
from checks.rules import Rule
from checks.secret_server.backup_facts import AppBackup, Backup, KeyFile

ID = "backup-recent"
AHEAD_S = 300
"""How far ahead of the node's clock a backup may be dated: those of two machines are never quite the same."""
_REQUIRES = r"present|plain-key|max-age-hours [1-9][0-9]{0,5}"
_HOUR_S = 3600
_DAYS_FROM_HOURS = 72


@dataclass(frozen=True, slots=True)
class Terms:
    """What the backups of a cluster are held to."""

    rules: Mapping[str, Rule]
    """By the first word of what they require; those switched off are missing."""
    max_age_hours: int | None
    """None where no age is too old."""
    declared: bool
    """True where the inventory says how old is too old."""
    dpapi: str
    """on, off or unknown, as declared."""
    live: Mapping[str, str]
    """Web nodes with the SHA-256 of their own encryption.config, where it is known."""

    @classmethod
    def of(cls, cluster: ClusterInfo, live: Mapping[str, str]) -> Terms:
        """Those of `cluster`, its rules' overrides applied."""
        rules = {rule.requires.partition(" ")[0]: rule for rule in cluster.rules.of(ID)}
        hours = cluster.options.get("backup_max_age_hours")
        if isinstance(hours, int):
            return cls(rules, hours, declared=True, dpapi=str(cluster.options.get("dpapi")), live=live)
        default = rules["max-age-hours"].requires.partition(" ")[2] if "max-age-hours" in rules else ""
        limit = int(default) if default.isdecimal() else None
        return cls(rules, limit, declared=False, dpapi=str(cluster.options.get("dpapi", "unknown")), live=live)

    @property
    def unprotected(self) -> bool:
        """Whether DPAPI is known to be off: said so, or nodes share a file that DPAPI would have made different."""
        shared = len(self.live) > 1 and len(set(self.live.values())) == 1
        return self.dpapi == "off" or (self.dpapi != "on" and shared)

    def breach(self, requires: str, message: str) -> Outcome:
        """What breaking the rule that `requires` amounts to; nothing where it is switched off."""
        rule = self.rules.get(requires)
        if rule is None:
            return passed(f"{message}, which is not asked for here")
        note = f" ({rule.note})" if rule.note else ""
        end = failed if rule.effect == "fail" else warned
        return end(message + note, expected=rule.text, observed=message, rule=rule.id, source=rule.source)


def misread(cluster: ClusterInfo) -> list[Outcome]:
    """One for each rule that says nothing that could be judged by."""
    rules = cluster.rules.of(ID)
    ways = "'present', 'plain-key' or 'max-age-hours N'"
    return [
        undetermined(f"rule {rule.id}: requires = {rule.requires!r} is none of {ways}")
        for rule in rules
        if not re.fullmatch(_REQUIRES, rule.requires)
    ]


def seen(backup: Backup, terms: Terms) -> Outcome | None:
    """Why there is no backup to judge further; None where there is one."""
    share = backup.path.startswith("\\\\")
    where = backup.found or backup.path
    if backup.kind == "closed":
        return undetermined(f"{backup.path} could not be looked at: {backup.problem}")
    if backup.kind == "missing" and share:
        return undetermined(
            f"{backup.path} is not seen from here; a WinRM logon with NTLM may not reach on to a file share: name the "
            "server on which it lies, or use kerberos with delegation, or credssp"
        )
    if backup.kind == "missing":
        return terms.breach("present", f"{backup.path} does not exist")
    if backup.kind == "nothing" and not backup.left_out:
        return terms.breach("present", f"{backup.path} holds no backup")
    if backup.kind == "nothing":
        return undetermined(
            f"{backup.path} holds no backup among those that were looked at: {_too_many(backup.left_out)}"
        )
    if backup.size_bytes == 0:
        return terms.breach("present", f"{where} is empty")
    return None


def _too_many(left_out: int) -> str:
    return f"{left_out} in the folder were too many to look at; name the file, or a folder with fewer in it"


def aged(what: str, age_s: float, terms: Terms, *, uncertain: bool = False, left_out: int = 0) -> Outcome:
    """Whether `what` is recent enough; where its age is `uncertain`, it only warns.

    Where some beside it were `left_out`, a newer one may be among them, and too old cannot be told.
    """
    if age_s < -AHEAD_S:
        return undetermined(f"{what} is dated {span(-age_s)} ahead of the clock of the node: check both clocks")
    told = f"{what}, {span(age_s)} old"
    if terms.max_age_hours is None or age_s <= terms.max_age_hours * _HOUR_S:
        return passed(told, observed=told)
    limit = f"at most {terms.max_age_hours} hours old"
    if left_out:
        message = f"{told}, is the newest of those that were looked at: {_too_many(left_out)}"
        return undetermined(message, expected=limit, observed=told)
    if uncertain:
        return warned(
            f"{told} by the newest of its times, which a copy may have kept: at most {terms.max_age_hours} are allowed",
            expected=limit,
            observed=told,
        )
    if terms.declared:
        message = f"{told}, and max_age_hours = {terms.max_age_hours} is allowed"
        return failed(message, expected=limit, observed=told)
    rule = terms.rules["max-age-hours"]
    basis = "" if rule.note else f" ({rule.confidence}: {rule.source})"
    return terms.breach("max-age-hours", f"{told}, and {rule.text} is asked for{basis}")


def keyed(found: AppBackup, backup: Backup, terms: Terms) -> Outcome:
    """Whether an application's backup holds an `encryption.config` that opens the vault on another machine, too."""
    where = backup.found
    if backup.kind == "file":
        return warned(f"{where} is no .zip, so whether encryption.config is in it cannot be seen")
    if found.contents == "broken":
        return terms.breach("present", f"{where} is no complete zip: its end is missing")
    if found.contents == "unseen":
        return warned(
            f"the list of contents of {where} cannot be read, so whether encryption.config is in it is not known"
        )
    if backup.kind == "zip" and not found.entries:
        return terms.breach("present", f"{where} is an empty zip")
    keys = [key for key in found.keys if key.state != "missing"]
    if not keys:
        return terms.breach("plain-key", f"{where} holds no encryption.config")
    if all(key.size_bytes == 0 for key in keys):
        return terms.breach("plain-key", f"the encryption.config in {where} is empty")
    if not found.web_config:
        return warned(f"{where} holds encryption.config and no web.config: is it the whole application?")
    if backup.kind == "zip":
        if terms.unprotected:
            return passed("with a plain encryption.config")
        return warned(f"whether DPAPI protects the encryption.config in {where} cannot be seen: {_said(terms)}")
    return _plain(keys[0], terms)


def _plain(key: KeyFile, terms: Terms) -> Outcome:
    if key.efs:
        return terms.breach(
            "plain-key", f"{key.path} is encrypted with EFS: without that account's certificate nobody can open it"
        )
    if key.state != "hashed":
        return undetermined(f"{key.path} could not be looked at: {key.detail or key.state}")
    same = [name for name, sha256 in terms.live.items() if sha256 == key.sha256]
    if terms.unprotected:
        if terms.live and not same:
            return warned(f"{key.path} differs from that of every web node: is it the key of this vault?")
        return passed("with a plain encryption.config")
    if same and terms.dpapi == "on":
        return terms.breach(
            "plain-key",
            f"{key.path} is what DPAPI protects on {enumerate_names(same)}, and opens nothing anywhere else",
        )
    if terms.live and not same and terms.dpapi == "on":
        return passed("with an encryption.config that is not the protected one of a web node")
    return warned(f"whether DPAPI protects {key.path} cannot be seen: {_said(terms)}")


def _said(terms: Terms) -> str:
    return "dpapi is on" if terms.dpapi == "on" else "set `dpapi` for the cluster"


def span(seconds: float) -> str:
    """A time as people say it: "40 minutes", "5 hours", "12 days"."""
    hours = seconds / _HOUR_S
    if hours < 1:
        return _plural(int(max(seconds, 0) // 60), "minute")
    return _plural(int(hours), "hour") if hours < _DAYS_FROM_HOURS else _plural(int(hours // 24), "day")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
