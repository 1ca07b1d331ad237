"""The accounts of a lab machine, and how pyspnego's NTLM acceptor gets to know them."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from checks.common.dataclass import dataclass
from scanner.lab.servers.wsman.account_rights import Right


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of one machine, and what each is called in the ways that clients may write it."""

    users: Mapping[str, str]
    """'CORP\\svc' or a local 'svc' to its password."""
    machine: str
    rights: Mapping[str, Right] = field(default_factory=dict)
    """What each of `users` is; an administrator where that is not said."""

    def right(self, name: str) -> Right:
        """What the account is, by its key in `users`."""
        return self.rights.get(name, Right.ADMINISTRATOR)

    def __post_init__(self) -> None:
        for name, password in self.users.items():
            if ":" in name + password or len((name + password).splitlines()) > 1:
                raise ValueError("names and passwords of lab accounts cannot hold colons or line ends")

    def spellings(self) -> Iterator[tuple[str, str, str]]:
        """Domain, user name and password as they may come; a local account is also MACHINE\\svc and .\\svc."""
        for name, password in self.users.items():
            domain, backslash, user = name.rpartition("\\")
            if backslash:
                yield domain, user, password
            else:
                for local_domain in ("", ".", self.machine):
                    yield local_domain, user, password

    def canonical(self, domain: str, user: str) -> str | None:
        """The account's key in `users`."""
        local = domain.upper() in {"", ".", self.machine.upper()}
        wanted = user if local else f"{domain}\\{user}"
        return next((name for name in self.users if name.upper() == wanted.upper()), None)


class _UserFile:
    """The file that pyspnego's NTLM acceptor reads, named by the environment variable NTLM_USER_FILE.

    The variable is the only way to give the acceptor its accounts, and it belongs to the whole process. It is set while
    at least one server runs, and put back afterwards: setting it for each handshake would change the environment under
    other threads. Several servers with different accounts share it: the file holds the accounts of the one whose
    handshake is being checked, under a lock.
    """

    _VARIABLE = "NTLM_USER_FILE"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers = 0
        self._before: str | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._content = ""

    def acquire(self) -> None:
        with self._lock:
            self._servers += 1
            if self._servers > 1:
                return
            self._folder = tempfile.TemporaryDirectory(prefix="preflight-lab-")
            self._before = os.environ.get(self._VARIABLE)
            self._write("")
            os.environ[self._VARIABLE] = str(self._path)

    def release(self) -> None:
        with self._lock:
            self._servers -= 1
            if self._servers or self._folder is None:
                return
            if self._before is None:
                os.environ.pop(self._VARIABLE, None)
            else:
                os.environ[self._VARIABLE] = self._before
            self._folder.cleanup()
            self._folder = None

    @contextlib.contextmanager
    def holding(self, content: str) -> Iterator[None]:
        with self._lock:
            if self._folder is None:
                raise RuntimeError("the server is not running")
            if content != self._content:
                self._write(content)
            yield

    @property
    def _path(self) -> Path:
        if self._folder is None:
            raise RuntimeError("the server is not running")
        return Path(self._folder.name, "accounts")

    def _write(self, content: str) -> None:
        # The folder is the owner's alone (mkdtemp), so the file needs no mode of its own.
        self._path.write_text(content, encoding="utf-8")
        self._content = content


USER_FILE = _UserFile()
