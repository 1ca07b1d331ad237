"""Runs inside a machine's new namespaces: gives them a file system, a network and a name, then answers HTTP there.

Started as `holder.py FOLDER NAME ADDRESS`; told by lines of JSON on standard input, ends with it. See machine.py.
"""

from __future__ import annotations

import codecs
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What this machine has of its own is nobody's business there, and what is written there goes to memory.
_HIDDEN = ("/tmp", "/run", "/root", "/home", "/work", "/opt", "/srv", "/var/tmp", "/var/log", "/var/opt")
_SYSTEM = ("/proc", "/sys", "/dev")


def settle(folder: str, name: str, address: str) -> None:
    """Make the machine, and move into it."""
    mount("--make-rprivate", "/")
    # Its size is what `df` tells of its disk; it takes no more than is written.
    mount("-t", "tmpfs", "-o", "size=400g,mode=755", "disk", folder)
    upper, work, root = (f"{folder}/{part}" for part in ("upper", "work", "root"))
    for path in (upper, work, root):
        os.mkdir(path)  # noqa: PTH102  nothing but the standard library's core is at hand after the chroot
    for path in _HIDDEN:
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114  the same
            clear(f"{upper}{path}", path)
    mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", root)
    for path in _SYSTEM:
        mount("--rbind", path, f"{root}{path}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    socket.sethostname(name)
    for encoding in ("ascii", "latin-1", "utf-8", "idna"):
        codecs.lookup(encoding)  # from here on there may be no standard library to import it from
    os.chroot(root)
    os.chdir("/")
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # noqa: PTH103  the same
    with open("/etc/hosts", "w", encoding="ascii") as hosts:  # noqa: PTH123  the same
        hosts.write(f"127.0.0.1 localhost\n{address} {name}\n")


def clear(upper: str, below: str) -> None:
    """Hide what is in a folder, without a file system of its own: an empty one that is opaque stands above it."""
    status = os.stat(below)  # noqa: PTH116  the same
    os.makedirs(upper, mode=0o755, exist_ok=True)  # noqa: PTH103  the same
    os.chmod(upper, status.st_mode & 0o7777)  # noqa: PTH101  the same
    os.setxattr(upper, "trusted.overlay.opaque", b"y")


def mount(*arguments: str) -> None:
    """Call mount, and stop where it fails."""
    subprocess.run(["mount", *arguments], check=True)


class Server(ThreadingHTTPServer):
    """One port with its answers."""

    daemon_threads = True
    answers: dict[str, list[Any]]


class Handler(BaseHTTPRequestHandler):
    """Answers by path; what is not named is not found."""

    server: Server

    def do_GET(self) -> None:
        """Answer `[code, body]`."""
        path = self.path.partition("?")[0]
        code, body = self.server.answers.get(path, self.server.answers.get("*", [404, "not found"]))
        data = body.encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing: standard error is the test's."""


def start(service: dict[str, Any]) -> Server:
    """Listen as the service says."""
    server = Server((service.get("address", "0.0.0.0"), service["port"]), Handler)  # noqa: S104  a network of its own
    server.answers = service["answers"]
    if service.get("tls"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(service["tls"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def main() -> None:
    """Hold the namespaces until nobody speaks to us any more."""
    settle(*sys.argv[1:4])
    print("ready", flush=True)  # noqa: T201  this is a program of its own
    servers: list[Server] = []
    for line in sys.stdin:
        for server in servers:
            server.shutdown()
            server.server_close()
        servers = [start(service) for service in json.loads(line)["serve"]]
        print("done", flush=True)  # noqa: T201  the same


if __name__ == "__main__":
    main()
