"""A service on the node is asked where the node's own configuration says that it listens: real scripts, real HTTP."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scanner.probes.chef_backend import frontend, node, search_index
from scanner.probes.chef_backend.frontend_readers import read_frontend_api
from scanner.probes.chef_backend.node_readers import read_config_digest, read_leader_answer
from scanner.probes.chef_backend.search_index import read_search_index
from scanner.probes.probe import Answer, Probe, UnreadableError

BACKEND, FRONTEND = "/etc/chef-backend/chef-backend.rb", "/etc/opscode/chef-server.rb"
OWN = "127.0.0.7"
"""Stands for an address of the node's own."""
Ask = Callable[..., Answer]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code, body = self.server.answers.get(self.path.partition("?")[0], (404, ""))  # type: ignore[attr-defined]
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  the library's name
        """Say nothing."""


Serve = Callable[..., int]
Silent = Callable[[], int]


@pytest.fixture
def silent() -> Iterator[Silent]:
    """`silent()`: a port that nothing listens on, and that nobody else is given meanwhile."""
    taken: list[socket.socket] = []

    def take() -> int:
        taken.append(socket.socket())
        taken[-1].bind(("127.0.0.1", 0))
        port: int = taken[-1].getsockname()[1]
        return port

    yield take
    for one in taken:
        one.close()


@pytest.fixture
def serve(silent: Silent) -> Iterator[Serve]:
    """`serve(address, {path: (code, body)})`: a server; its port."""
    servers: list[HTTPServer] = []

    def start(address: str, answers: dict[str, tuple[int, str]]) -> int:
        server = HTTPServer((address, 0 if address == "127.0.0.1" else silent()), Handler)
        server.answers = answers  # type: ignore[attr-defined]
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        found: int = server.server_address[1]
        return found

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(params=["curl", "wget"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    """`ask(probe, configuration)`: the probe's answer from a real sh that has one of the two programs."""
    if not shutil.which(request.param):
        pytest.skip(f"no {request.param} on this machine")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "cat", "grep", "awk", "sed", "tail", request.param):
        (programs / name).symlink_to(shutil.which(name) or name)

    def run(probe: Probe, text: str | None, **changes: str) -> Answer:
        file = tmp_path / "configuration.rb"
        if text is not None:
            file.write_text(text)
        script = probe.script.replace(BACKEND, str(file)).replace(FRONTEND, str(file))
        for old, new in changes.items():
            script = script.replace(old, new)
        done = subprocess.run(
            [programs / "sh", "-c", f"SUDO=; {script}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=40,
            env={"PATH": str(programs), "LC_ALL": "C", "SSH_CONNECTION": "127.0.0.1 5555 127.0.0.8 22"},
        )
        return Answer(done.stdout, done.returncode, error_output=done.stderr)

    return run


LEADS = {"/leader": (200, "leader")}


@pytest.mark.parametrize(
    "written", ["leaderl.http_port = {0}", "leaderl['http_port']={0} # ours", "leaderl.http_port {0}"]
)
def test_leaderl_is_asked_on_the_port_that_is_set(ask: Ask, serve: Serve, written: str) -> None:
    port = serve("127.0.0.1", {"/leader": (503, "follower")})
    found = read_leader_answer(ask(node.LEADER, written.format(port)))
    assert (found.code, found.is_guess, found.asked) == (503, False, (f"http://127.0.0.1:{port}/leader",))


def test_leaderl_is_asked_at_the_address_that_is_set_first(ask: Ask, serve: Serve) -> None:
    port = serve(OWN, LEADS)
    text = f"leaderl.http_address '{OWN}'\nleaderl.http_port {port}\n"
    assert read_leader_answer(ask(node.LEADER, text)).asked == (f"http://{OWN}:{port}/leader",)


@pytest.mark.parametrize(("address", "text"), [(OWN, f"publish_address '{OWN}'\n"), ("127.0.0.8", "")])
def test_the_nodes_own_addresses_are_tried(ask: Ask, serve: Serve, address: str, text: str) -> None:
    """What it publishes, and the one that it was reached at."""
    port = serve(address, LEADS)
    found = read_leader_answer(ask(node.LEADER, f"leaderl.http_address '0.0.0.0'\n{text}leaderl.http_port {port}\n"))
    assert (found.code, found.asked[0], found.asked[-1]) == (
        200,
        f"http://127.0.0.1:{port}/leader",
        f"http://{address}:{port}/leader",
    )


def test_the_vendors_port_is_tried_last(ask: Ask, serve: Serve, silent: Silent) -> None:
    """Where another was written down, but never put into force."""
    port, other = serve("127.0.0.1", LEADS), silent()
    found = read_leader_answer(ask(node.LEADER, f"leaderl.http_port {other}", **{"7331": str(port)}))
    assert (found.code, found.asked[-1]) == (200, f"http://127.0.0.1:{port}/leader")


def test_silence_is_no_guess_where_the_configuration_was_read(ask: Ask, silent: Silent) -> None:
    for text in ("# nothing is set\n", f"leaderl.http_port {silent()}\n"):
        found = read_leader_answer(ask(node.LEADER, text, **{"7331": str(silent())}))
        assert (found.code, found.is_guess) == (0, False)
        assert found.asked


@pytest.mark.parametrize(
    "text", [None, "leaderl.http_port = node['x']\n", "if x\n  leaderl.http_port 1\nend\n", "x = 1\n"]
)
def test_silence_is_a_guess_where_it_could_not_be_read(ask: Ask, text: str | None, silent: Silent) -> None:
    found = read_leader_answer(ask(node.LEADER, text, **{"7331": str(silent())}))
    assert (found.code, found.is_guess) == (0, True)


def test_what_takes_the_connection_and_says_no_http_is_silent(ask: Ask) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        def hang_up() -> None:
            with suppress(OSError):  # until nobody is to be let in any more
                while True:
                    listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        found = read_leader_answer(ask(node.LEADER, f"leaderl.http_port {port}"))
        # Closed under its feet, its number would be somebody else's file by the time it is used.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert (found.code, found.asked) == (0, (f"http://127.0.0.1:{port}/leader",))


def test_an_answer_to_an_earlier_preflight_was_a_guess() -> None:
    assert read_leader_answer(Answer("code 000\n", 0)).is_guess
    assert read_leader_answer(Answer("code 503\n", 0)).code == 503
    assert read_frontend_api(Answer("\ncode 000\n", 0)).is_guess


STATUS = '{"status":"pong","upstreams":{"chef_sql":"pong"}}'


@pytest.mark.parametrize(
    "written", ["nginx['ssl_port'] = {0}", "nginx['ssl_port']='{0}'", "nginx['ssl_port'] = '127.0.0.1:{0}'"]
)
def test_status_is_asked_on_the_port_of_nginx(ask: Ask, serve: Serve, written: str) -> None:
    port = serve("127.0.0.1", {"/_status": (200, STATUS)})
    text = f"nginx['non_ssl_port'] = 8080\n{written.format(port)}\nopscode_erchef['x'] = 'hunter2'\n"
    answer = ask(frontend.FRONTEND_API, text, **{"https:": "http:"})
    found = read_frontend_api(answer)
    assert (found.code, found.status, found.is_guess) == (200, "pong", False)
    assert found.asked == (f"http://127.0.0.1:{port}/_status",)
    assert "hunter2" not in answer.output


def test_a_status_that_is_no_yes_is_read_with_its_code(ask: Ask, serve: Serve) -> None:
    port = serve("127.0.0.1", {"/_status": (500, STATUS.replace("pong", "fail"))})
    assert (
        read_frontend_api(ask(frontend.FRONTEND_API, f"nginx['ssl_port'] = {port}", **{"https:": "http:"})).code == 500
    )


def test_a_frontend_that_sets_no_port_has_the_vendors(ask: Ask, silent: Silent) -> None:
    changes = {"443": str(silent()), "https:": "http:"}
    found = read_frontend_api(ask(frontend.FRONTEND_API, "topology 'standalone'\n", **changes))
    assert (found.code, found.is_guess) == (0, False)
    assert read_frontend_api(ask(frontend.FRONTEND_API, "nginx['ssl_port'] = port\n", **changes)).is_guess
    refused = Answer("where default\nasked x\n\ncode 000\n", 0, error_output="sudo: a password is required\n")
    assert read_frontend_api(refused).is_guess


def test_the_index_is_asked_for_on_elasticsearchs_port(ask: Ask, serve: Serve, silent: Silent) -> None:
    body = '{"chef":{"settings":{"index":{"version":{"created_string":"5.6.16"}}}}}'
    port = serve("127.0.0.1", {"/chef/_settings/index.version.created*": (200, body)})
    assert read_search_index(ask(search_index.PROBE, f"elasticsearch.port = {port}\n")).created == "5.6.16"
    mute = ask(search_index.PROBE, f"elasticsearch.port = {silent()}\n", **{"9200": str(silent())})
    with pytest.raises(
        UnreadableError, match=r"does not say how old the search index is \(asked at http://127\.0\.0\.1:"
    ):
        read_search_index(mute)
    with pytest.raises(UnreadableError, match=r"chef-backend\.rb, which says where it listens, could not be read"):
        read_search_index(Answer(mute.output, 0, error_output="cat: x: Permission denied\n"))


SHELLS = [
    [found, *words[1:]]
    for words in (["dash"], ["bash", "--posix"], ["busybox", "sh"], ["ksh"], ["mksh"])
    if (found := shutil.which(words[0], path=os.defpath))
] or [["sh"]]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: Path(words[0]).name)
def test_every_shell_reads_the_configuration_and_asks(tmp_path: Path, serve: Serve, shell: list[str]) -> None:
    port = serve("127.0.0.1", {"/leader": (503, "")})
    file = tmp_path / "chef-backend.rb"
    file.write_text(f"leaderl.http_port {port}\r\netcd.a %w{{ b c }} # d\nif e\n  etcd.f 1\nend\n")
    said = []
    for probe in (node.CONFIG, node.LEADER):
        script = probe.script.replace(BACKEND, str(file))
        done = subprocess.run([*shell, "-c", f"SUDO=; {script}"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        said.append(Answer(done.stdout, 0))
    found = read_config_digest(said[0])
    assert [name for name, _ in found.named] == ["leaderl.http_port", "etcd.a"]
    assert [name for name, _ in found.unclear] == ["-", "etcd.f", "-"]
    assert read_leader_answer(said[1]).code == 503


def test_without_either_program_it_is_told(tmp_path: Path) -> None:
    script = node.LEADER.script.replace("command -v curl", "false").replace("command -v wget", "false")
    done = subprocess.run(
        ["sh", "-c", f"SUDO=; {script}"], capture_output=True, text=True, check=False, env={"PATH": os.defpath}
    )
    assert read_leader_answer(Answer(done.stdout, 0)).code is None
