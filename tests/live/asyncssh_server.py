"""An SSH server that is not OpenSSH: asyncssh, with just the algorithms and the version that a test wants."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import asyncssh
import pytest


class _Silent(asyncssh.SSHServer):
    """Serves as servers did before RFC 8308: it does not say which signatures it takes."""

    met: ClassVar[list[asyncssh.SSHServerConnection]] = []

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.met.append(conn)
        conn._send_ext_info = lambda: None  # type: ignore[method-assign]


async def _run_command(process: asyncssh.SSHServerProcess[bytes]) -> None:
    child = await asyncio.create_subprocess_shell(
        process.command or "exit 1", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )

    # Not all of its input: the scanner waits for a word of the shell before it sends the rest.
    async def feed() -> None:
        assert child.stdin
        while chunk := await process.stdin.read(4096):
            child.stdin.write(chunk)
        child.stdin.close()

    feeding = asyncio.create_task(feed())
    assert child.stdout
    while chunk := await child.stdout.read(4096):
        process.stdout.write(chunk)
    await feeding
    process.exit(await child.wait())


@contextmanager
def asyncssh_server(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[int]:
    """The port of a server on 127.0.0.1; `options` are asyncssh's own."""
    # Which signatures a user may log in with is no option of its own there: it takes every one that it can verify.
    taken = options.pop("takes", None)
    if taken is not None:
        monkeypatch.setattr("asyncssh.connection.decode_ssh_public_key", _only(taken))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=_Silent, process_factory=_run_command, encoding=None, **options
        )

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield server.get_port()
    finally:

        async def stop() -> None:
            server.close()
            await server.wait_closed()
            while _Silent.met:
                connection = _Silent.met.pop()
                connection.abort()
                await connection.wait_closed()

        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _only(taken: tuple[bytes, ...]) -> Any:
    real = asyncssh.public_key.decode_ssh_public_key

    def decode(data: bytes) -> Any:
        key = real(data)
        verify = key.verify

        def verified(message: bytes, signature: bytes) -> bool:
            size = int.from_bytes(signature[:4], "big")
            return signature[4 : 4 + size] in taken and bool(verify(message, signature))

        key.verify = verified  # type: ignore[assignment,method-assign]
        return key

    return decode


def key_line(path: Path) -> str:
    """The public half of a key pair as a line of authorized_keys."""
    return Path(f"{path}.pub").read_text(encoding="ascii")
