"""A real MIT Kerberos KDC on loopback, in a folder of its own, with accounts, a service's keytab and ticket caches."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PATH = os.defpath + ":/usr/sbin:/sbin:/usr/local/sbin"
KRB5KDC = shutil.which("krb5kdc", path=_PATH)
FAKETIME = shutil.which("faketime", path=_PATH)
REALM = "CORP.EXAMPLE"


def program(name: str) -> str:
    return shutil.which(name, path=_PATH) or name


@dataclass(kw_only=True)
class MitKdc:
    """One krb5kdc, and the configuration with which libkrb5 finds it and nothing else."""

    folder: Path
    port: int = 0
    ahead: str = ""
    """For faketime: the KDC's clock, as "+2h"."""
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def create(self, accounts: Mapping[str, str], *services: str) -> None:
        """The database, the accounts with their passwords, and `services` in the keytab `http.keytab`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.configure(self.port)
        (self.folder / "kdc.conf").write_text(
            f"[realms]\n{REALM} = {{\n database_name = {self.folder}/principal\n key_stash_file = {self.folder}/stash\n"
            f" kdc_listen = 127.0.0.1:{self.port}\n kdc_tcp_listen = 127.0.0.1:{self.port}\n"
            " supported_enctypes = aes256-cts-hmac-sha1-96:normal\n default_principal_flags = +preauth\n}\n"
            f"[logging]\n kdc = FILE:{self.folder}/kdc.log\n",
            encoding="ascii",
        )
        self.environment = {
            "PATH": _PATH,
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{self.folder}/cc",
        }
        self._run(program("kdb5_util"), "create", "-s", "-r", REALM, "-P", "master")
        orders = [f"addprinc -pw {password} {name}" for name, password in accounts.items()]
        for service in services:
            orders += [f"addprinc -randkey {service}", f"ktadd -k {self.folder}/http.keytab {service}"]
        self.administer(*orders)

    def configure(self, port: int, *, realm: str = REALM) -> None:
        """Say in krb5.conf that the KDC of `realm` is at `port`."""
        (self.folder / "krb5.conf").write_text(
            f"[libdefaults]\n default_realm = {realm}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
            " dns_canonicalize_hostname = false\n rdns = false\n"
            f"[realms]\n {realm} = {{\n  kdc = 127.0.0.1:{port}\n }}\n[domain_realm]\n localhost = {realm}\n",
            encoding="ascii",
        )

    def administer(self, *orders: str) -> None:
        """Give kadmin.local its orders."""
        self._run(program("kadmin.local"), "-r", REALM, stdin="\n".join(orders) + "\nquit\n")

    def start(self) -> None:
        before = [FAKETIME, "-f", self.ahead] if self.ahead and FAKETIME else []
        self.process = subprocess.Popen(
            [*before, KRB5KDC or "krb5kdc", "-n", "-r", REALM],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("the KDC does not start: " + (self.folder / "kdc.log").read_text(encoding="utf-8"))

    def stop(self) -> None:
        if self.process is not None:
            # Under faketime the KDC is a child, which ends with its pipe closed or not: take both.
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def kinit(self, principal: str, password: str, cache: Path, *options: str) -> None:
        """A ticket in `cache`."""
        self._run(program("kinit"), *options, "-c", f"FILE:{cache}", principal, stdin=password + "\n")

    def _run(self, *command: str, stdin: str = "") -> None:
        done = subprocess.run(command, env=self.environment, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
