"""Whether a server's host key may be trusted: pinned, known, or new and to be accepted. As strict as OpenSSH."""

from __future__ import annotations

import os
from pathlib import Path

from scanner.errors import UntrustedPeerError
from scanner.transports.ssh.algorithms import host_key_algorithms
from scanner.transports.ssh.hop import SshHop
from scanner.transports.ssh.keys.known_hosts import HostKey, Known, look_up, name_of, read_key, shared


class Trust:
    """What is known of one hop's host key before it is met. Raises UntrustedPeerError when that cannot be read."""

    def __init__(self, hop: SshHop) -> None:
        self._hop = hop
        self._name = hop.known_as or name_of(hop.host, hop.port)
        self._pinned = _pinned(hop.host_key)
        self._known = Known()
        self._any_port: tuple[HostKey, ...] = ()
        if hop.host_key:
            return
        try:
            self._known = look_up(hop.known_hosts, self._name)
            if hop.port != 22 and not hop.known_as:
                # A line without a port vouches for a server on any port, as in OpenSSH; it proves nothing against one.
                plain = look_up(hop.known_hosts, hop.host.lower())
                self._any_port = plain.keys
                self._known += Known(revoked=plain.revoked)
        except OSError as error:
            raise UntrustedPeerError(f"cannot read {error.filename}: {error.strerror}", hint=_HINT_FILE) from error

    def algorithms(self) -> tuple[str, ...]:
        """Host key algorithms to ask for: those of known keys first, so that the server shows a key that we know."""
        expected = (self._pinned,) if isinstance(self._pinned, HostKey) else self._known.keys or self._any_port
        hop = self._hop
        return host_key_algorithms(expected, legacy=hop.legacy_algorithms, wish=hop.wishes.host_keys)

    def check(self, key: HostKey) -> None:
        """Return where the server may be trusted with this key; else raise UntrustedPeerError that says what to do."""
        if self._pinned:
            self._check_pinned(key)
            return
        known, name = self._known, self._name
        if key in known.revoked:
            place = known.revoked[known.revoked.index(key)].place
            raise UntrustedPeerError(
                f"host key of {name} is revoked: {key} ({place})",
                hint="do not log in there before you know why; the machine needs a new host key",
            )
        same_type = [other for other in known.keys if other.type == key.type]
        if key in same_type or (not same_type and key in self._any_port):
            return
        if not known.keys and self._hop.host_key_policy == "accept-new" and not known.revoked:
            known = self._accept(key)
            if key in known.keys:
                return
            same_type = [other for other in known.keys if other.type == key.type]
        if same_type:
            raise self._changed(key, same_type[0])
        raise self._unknown(key, known)

    def _check_pinned(self, key: HostKey) -> None:
        if self._pinned in {key, key.fingerprint}:
            return
        hint = f"if this is the right machine, pin `host_key = {key.fingerprint!r}`; if in doubt, ask its administrator"
        if isinstance(self._pinned, str):
            hint = "pin its key as `ssh-... AAAA...` if it is of another type than the one shown; " + hint
        pinned = self._pinned.fingerprint if isinstance(self._pinned, HostKey) else self._pinned
        raise UntrustedPeerError(f"host key of {self._name} is {key}, pinned is {pinned}", hint=hint)

    def _accept(self, key: HostKey) -> Known:
        path = self._hop.known_hosts[0] if self._hop.known_hosts else Path(os.path.expanduser("~/.ssh/known_hosts"))  # noqa: PTH111  Path.expanduser raises without a home
        try:
            return shared(path).accept(self._name, key)
        except OSError as error:
            raise UntrustedPeerError(
                f"cannot remember the host key of {self._name} in {path}: {error.strerror or error}",
                hint="accept-new needs a known_hosts file that can be written; set `known_hosts`",
            ) from error

    def _changed(self, key: HostKey, known: HostKey) -> UntrustedPeerError:
        path = known.place.rpartition(":")[0]
        return UntrustedPeerError(
            f"host key of {self._name} has changed: it shows {key}, known is {known.fingerprint} ({known.place})",
            hint="somebody may be listening in; if the machine was reinstalled: "
            f"ssh-keygen -R '{self._name}' -f {path}, then add its new key",
        )

    def _unknown(self, key: HostKey, known: Known) -> UntrustedPeerError:
        hop = self._hop
        if known.authorities and not known.keys:
            return UntrustedPeerError(
                f"{self._name} is known by a @cert-authority line only, and host certificates are not supported",
                hint=f"compare its key with the machine's own, then pin `host_key = {key.fingerprint!r}`",
            )
        port = f" -p {hop.port}" if hop.port != 22 else ""
        kind = key.type.removeprefix("ssh-").partition("-")[0]
        target = hop.known_hosts[0] if hop.known_hosts else Path("~/.ssh/known_hosts")
        types = ", ".join(dict.fromkeys(other.type for other in known.keys))
        cause = f"host key of {self._name} is not known: {key}"
        if types:
            cause += f" (known: {types})"
        return UntrustedPeerError(
            cause,
            hint=f"compare it with the machine's own (ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub), then run: "
            f"ssh-keyscan -t {kind}{port} {hop.host} >> {target} (or set `host_key`, or `host_key_policy`)",
        )


_HINT_FILE = "make the file readable, or name another one with `known_hosts`"


def _pinned(text: str) -> HostKey | str | None:
    """A pinned key, or the fingerprint of one; None where nothing is pinned."""
    fields = text.split()
    if not fields:
        return None
    if fields[0].startswith("SHA256:"):
        return fields[0].rstrip("=")
    key = read_key(fields[0], fields[1]) if len(fields) > 1 else None
    if not key:
        raise UntrustedPeerError(
            f"the pinned host key {text[:40]!r} is no key", hint="`host_key` is `ssh-ed25519 AAAA...` or `SHA256:...`"
        )
    return key
