"""What a server that has no algorithm in common with us has instead, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from checks.common.dataclass import dataclass
from scanner.errors import shortened
from scanner.transports.ssh.algorithms import (
    CIPHERS,
    HOST_KEYS,
    KEX,
    MACS,
    OLD_CIPHERS,
    OLD_KEX,
    OLD_MACS,
    SHA1_KEX,
    SHA1_RSA,
    Suite,
    suite,
)
from scanner.transports.ssh.hop import Wishes
from scanner.transports.ssh.server_age import LEGACY_HINT

_ELSEWHERE_HINT = (
    'run preflight there: `preflight collect` with `transport = "local"`, and `scan --from` its evidence here'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One list of the server's against ours."""

    what: str
    offered: str
    """paramiko's name for the server's list."""
    ours: Sequence[str]
    usual: Sequence[str]
    """What is ours where the configuration says nothing."""
    with_key: Sequence[str]
    """What `legacy_algorithms` adds."""
    with_both: Sequence[str]
    """What it adds where the configuration names it."""
    option: str


def why_incompatible(
    banner: str, offered: Mapping[str, Sequence[str]], asked: Sequence[str], ours: Suite | None = None
) -> tuple[str, str]:
    """What a server that `offered` these has not in common with us, and what to do.

    `offered` are the lists of its SSH_MSG_KEXINIT by paramiko's names, `asked` the host key algorithms that it was
    asked for. Empty texts where nothing is known of what it offers.
    """
    ours = ours or suite(Wishes(), legacy=SHA1_RSA in asked)
    host_keys = [name for names in HOST_KEYS.values() for name in names]
    rows = (
        _Row(
            what="key exchange",
            offered="kex_algo_list",
            ours=ours.kex,
            usual=KEX,
            with_key=[SHA1_KEX],
            with_both=OLD_KEX,
            option="KexAlgorithms",
        ),
        _Row(
            what="host key algorithm",
            offered="server_key_algo_list",
            ours=asked,
            usual=host_keys,
            with_key=[SHA1_RSA],
            with_both=(),
            option="HostKeyAlgorithms",
        ),
        _Row(
            what="cipher",
            offered="server_encrypt_algo_list",
            ours=ours.ciphers,
            usual=CIPHERS,
            with_key=(),
            with_both=OLD_CIPHERS,
            option="Ciphers",
        ),
        _Row(
            what="MAC",
            offered="server_mac_algo_list",
            ours=ours.macs,
            usual=MACS,
            with_key=(),
            with_both=OLD_MACS,
            option="MACs",
        ),
    )
    missing: list[str] = []
    ways: list[str] = []
    key_will_do = True
    for row in rows:
        theirs = [each for each in offered.get(row.offered, ()) if each and not each.startswith(_NO_ALGORITHMS)]
        if not theirs or set(theirs) & set(row.ours) or (row.option == "MACs" and _needs_no_mac(offered, ours)):
            continue
        missing.append(f"no {row.what} but {shortened(', '.join(theirs), 160)}")
        left_out = [name for name in theirs if name in row.usual]
        weak = [name for name in theirs if name in row.with_both]
        if left_out:
            ways.append(f"{row.option} of your SSH configuration leaves out {left_out[0]}: allow it for this host")
        elif set(theirs) & set(row.with_key):
            ways.append("")
        elif weak:
            ways.append(f"`{row.option} +{weak[0]}` for this host in the file that `ssh_config` names")
        else:
            key_will_do = False
    if not missing:
        return "", ""
    software = banner.partition("-")[2].partition("-")[2].split(" ")[0]
    software = shortened(software, 60)
    cause = f"{software or 'its server'} has {' and '.join(missing)}"
    said = [way for way in ways if way]
    if not key_will_do:
        return cause, (
            "allow curve25519-sha256, an Ed25519 or ECDSA host key, and aes256-gcm@openssh.com in its sshd_config; "
            f"or {_ELSEWHERE_HINT}"
        )
    if any("leaves out" in way for way in said):
        return cause, "; ".join(said)
    hint = f"update its SSH server (as old as that of RHEL 6), {LEGACY_HINT}"
    return cause, f"{hint}, and set {' and '.join(said)}" if said else hint


_NO_ALGORITHMS = ("ext-info-", "kex-strict-")


def _needs_no_mac(offered: Mapping[str, Sequence[str]], ours: Suite) -> bool:
    ciphers = [name for name in ours.ciphers if name in offered.get("server_encrypt_algo_list", ())]
    return bool(ciphers) and "gcm" in ciphers[0]
