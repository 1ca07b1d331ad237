"""What can be held against a backup that was found: that it is none, too old, or without a key that opens the vault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from checks.check import ClusterInfo
from checks.common.dataclass import dataclass
from checks.engine.requirements import breach, cited, not_seen
from checks.engine.rules import Rule
from checks.engine.wording import count, enumerate_names
from checks.outcome import Outcome, combine, failed, passed, undetermined, warned
from checks.secret_server.facts.backups import AppBackup, Backup, KeyFile

ID = "backup-recent"
AHEAD_S = 300
"""How far ahead of the node's clock a backup may be dated: those of two machines are never quite the same."""
_REQUIRES = r"present|plain-key|whole|(max-age-hours|full-max-age-hours|min-database-mb) [1-9][0-9]{0,5}"
_HOUR_S = 3600
_DAYS_FROM_HOURS = 72


@dataclass(frozen=True, slots=True, kw_only=True)
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
    unread: Mapping[str, int | None] = field(default_factory=dict)
    """Web nodes whose own encryption.config could not be hashed, with its size; None where not even that is known."""
    full_max_age_hours: int | None = None
    """How old the full backup may be that the newest differential or log builds on; None where no age is too old."""
    full_declared: bool = False

    @classmethod
    def of(cls, cluster: ClusterInfo, live: Mapping[str, str], unread: Mapping[str, int | None]) -> Terms:
        """Those of `cluster`, its rules' overrides applied."""
        rules = {rule.requires.partition(" ")[0]: rule for rule in cluster.rules.of(ID)}
        hours, full = cluster.options.get("backup_max_age_hours"), cluster.options.get("backup_max_full_age_hours")
        return cls(
            rules=rules,
            max_age_hours=hours if isinstance(hours, int) else _limit(rules, "max-age-hours"),
            declared=isinstance(hours, int),
            dpapi=cluster.declared("dpapi", "unknown"),
            live=live,
            unread=unread,
            full_max_age_hours=full if isinstance(full, int) else _limit(rules, "full-max-age-hours"),
            full_declared=isinstance(full, int),
        )

    @property
    def unprotected(self) -> bool:
        """Whether DPAPI is declared to be off: no file tells it."""
        return self.dpapi == "off"

    @property
    def shared(self) -> bool:
        """Whether several web nodes, all of them that there are, have one file: DPAPI of each would differ."""
        return len(self.live) > 1 and len(set(self.live.values())) == 1 and not self.unread

    def breach(self, requires: str, message: str) -> Outcome:
        """What breaking the rule that `requires` amounts to; nothing where it is switched off."""
        rule = self.rules.get(requires)
        if rule is None:
            return passed(f"{message}, which is not asked for here")
        return breach(rule, message, observed=message, told_basis=True, **cited(rule))

    def unseen(self, requires: str, message: str) -> Outcome:
        """What it amounts to that nothing is known of what the rule `requires`: as much as breaking it."""
        rule = self.rules.get(requires)
        if rule is None:
            return passed(f"{message}, which is not asked for here")
        return not_seen(rule, message, **cited(rule))


def _limit(rules: Mapping[str, Rule], key: str) -> int | None:
    number = rules[key].requires.partition(" ")[2] if key in rules else ""
    return int(number) if number.isascii() and number.isdecimal() else None


def misread(cluster: ClusterInfo) -> list[Outcome]:
    """One for each rule that says nothing that could be judged by."""
    rules = cluster.rules.of(ID)
    ways = "'present', 'plain-key', 'whole', 'max-age-hours N', 'full-max-age-hours N' or 'min-database-mb N'"
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
            f"{backup.path} holds no backup among those that were looked at: {too_many(backup.left_out)}"
        )
    if backup.size_bytes == 0:
        return terms.breach("present", f"{where} is empty")
    return None


def too_many(left_out: int) -> str:
    """What to do about files that were not looked at."""
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
    limit = f"at most {count(terms.max_age_hours, 'hour')} old"
    if left_out:
        message = f"{told}, is the newest of those that were looked at: {too_many(left_out)}"
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
    outcomes = [_protected(keys[0], backup, terms)]
    if found.libraries is False:
        outcomes.append(terms.breach("whole", f"{where} holds no libraries in bin: it is not the whole application"))
    untold = {"libraries": found.libraries is None, "the size of its web.config": found.web_config_bytes is None}
    if any(untold.values()):
        what = enumerate_names([name for name, is_untold in untold.items() if is_untold])
        outcomes.append(terms.unseen("whole", f"the answer of {where} does not tell {what}: collect it anew"))
    if found.web_config_bytes == 0:
        outcomes.append(terms.breach("whole", f"the web.config in {where} is empty"))
    return combine(outcomes)


def _protected(key: KeyFile, backup: Backup, terms: Terms) -> Outcome:
    where = backup.found
    if backup.kind == "zip":
        if terms.unprotected:
            return passed("with a plain encryption.config")
        return warned(f"whether DPAPI protects the encryption.config in {where} cannot be seen: {_said(terms)}")
    return _plain(key, terms)


def _plain(key: KeyFile, terms: Terms) -> Outcome:
    if key.efs:
        return terms.breach(
            "plain-key", f"{key.path} is encrypted with EFS: without that account's certificate nobody can open it"
        )
    if key.state != "hashed":
        return undetermined(f"{key.path} could not be looked at: {key.detail or key.state}")
    same = [name for name, sha256 in terms.live.items() if sha256 == key.sha256]
    # What could not be hashed may be the same file, unless it is of another size.
    doubtful = [name for name, size in terms.unread.items() if None in (size, key.size_bytes) or size == key.size_bytes]
    if terms.unprotected:
        if terms.live and not same and not doubtful:
            return warned(f"{key.path} differs from that of every web node: is it the key of this vault?")
        return passed("with a plain encryption.config")
    if same and terms.shared:
        return warned(
            f"{key.path} is the file that all web nodes have, which DPAPI of each would have made different: plain, or "
            "one machine's and copied; declare what is so with `dpapi`"
        )
    if same and terms.dpapi == "on":
        return terms.breach(
            "plain-key",
            f"{key.path} is what DPAPI protects on {enumerate_names(same)}, and opens nothing anywhere else",
        )
    if not same and doubtful and terms.dpapi == "on":
        return undetermined(
            f"whether DPAPI protects {key.path} cannot be told: encryption.config of {enumerate_names(doubtful)} could "
            "not be hashed, and may be the same file"
        )
    if (terms.live or terms.unread) and not same and terms.dpapi == "on":
        return passed("with an encryption.config that is not the protected one of a web node")
    return warned(f"whether DPAPI protects {key.path} cannot be seen: {_said(terms)}")


def _said(terms: Terms) -> str:
    return "dpapi is on" if terms.dpapi == "on" else "set `dpapi` for the cluster"


def span(seconds: float) -> str:
    """A time as people say it: "40 minutes", "5 hours", "12 days"."""
    hours = seconds / _HOUR_S
    if hours < 1:
        return count(int(max(seconds, 0) // 60), "minute")
    return count(int(hours), "hour") if hours < _DAYS_FROM_HOURS else count(int(hours // 24), "day")
