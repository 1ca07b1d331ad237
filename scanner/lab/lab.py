"""The lab: a scenario's nodes, running on loopback, and the inventory and credentials to scan them with."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

from checks.common.dataclass import dataclass
from scanner.inventory.writing import toml_text
from scanner.lab.expected import probes_of_clusters
from scanner.lab.machines.chef_backend.cluster import CommandOutput
from scanner.lab.machines.linux import sh_answers
from scanner.lab.machines.linux.sh_node import ShNode
from scanner.lab.machines.windows.machine import Machine
from scanner.lab.machines.windows.shell import ODD_BYTES, WindowsShell
from scanner.lab.machines.windows.sql import LOGIN, PASSWORD_OF_THE_LAB
from scanner.lab.machines.windows.table import read_windows
from scanner.lab.scenario import ClusterScenario, NodeScenario, Scenario, load_scenario
from scanner.lab.scenario_model import SqlPort
from scanner.lab.servers.certificates import FLAWS, CertificateAuthority, CertificatePair, TlsFiles
from scanner.lab.servers.listener import LOOPBACK
from scanner.lab.servers.psrp.pool import PowerShellPool, ScriptRefusedError, ScriptRequest
from scanner.lab.servers.ssh.server import SERVER_FAULTS, Login, Shell, SshServer, generate_key, public_key
from scanner.lab.servers.tds.responder import FAULTS as TDS_FAULTS
from scanner.lab.servers.tds.responder import TdsResponder
from scanner.lab.servers.tds.server import TdsAccounts, TdsServer
from scanner.lab.servers.wsman.account_rights import Right
from scanner.lab.servers.wsman.accounts import Accounts
from scanner.lab.servers.wsman.fault_hooks import WsmanFault
from scanner.lab.servers.wsman.process import Execute
from scanner.lab.servers.wsman.server import ProcessOutput, ProcessRequest, WsmanServer
from scanner.probes.probe import Probe

MACHINE = "LAB"
CONFIGURATION = "preflight"
"""A session configuration of every Windows node beside Microsoft.PowerShell, for every account that may log in."""
USER = "preflight"
_SLOW_S = 2.0
"""What a process takes under the fault `slow`: more than one operation timeout of the lab's server."""


@dataclass(slots=True, kw_only=True)
class RunningNode:
    """One node that is up."""

    scenario: NodeScenario
    server: WsmanServer | SshServer | None = None
    """None for a node that has a SQL Server port only."""
    sql_port: TdsResponder | None = None
    sql_server: TdsServer | None = None
    """Where the scanner itself logs in."""
    inventory: dict[str, Any] = field(default_factory=dict)
    """How the inventory says to reach it."""

    @property
    def name(self) -> str:
        """The node's name in the inventory."""
        return self.scenario.name


class Lab:
    """Starts every node of a scenario on a free loopback port, and stops it at the end. A context manager.

    `probes` are those that the nodes know how to answer; by default all that a scan could send, plugins' too.
    Certificates are for this machine, and for `names` besides.
    """

    def __init__(
        self, scenario: Scenario | str | Path, *, probes: Sequence[Probe] | None = None, names: Sequence[str] = ()
    ) -> None:
        self.scenario = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        self.nodes: tuple[RunningNode, ...] = ()
        self._given_probes = probes
        self._names = tuple(names)
        self._running = contextlib.ExitStack()
        self._stopping = threading.Event()
        self._password = secrets.token_urlsafe(18)
        self._wrong_password = secrets.token_urlsafe(18)
        self._sql_password = secrets.token_urlsafe(18)
        self._client_key = generate_key()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every node. Raises OSError where the machine has no more ports, with nothing left running."""
        self._stopping.clear()
        with contextlib.ExitStack() as starting:
            self._folder = Path(starting.enter_context(tempfile.TemporaryDirectory(prefix="preflight-lab-")))
            self.nodes = tuple(
                self._start(starting, cluster, node) for cluster in self.scenario.clusters for node in cluster.nodes
            )
            self._running = starting.pop_all()

    def stop(self) -> None:
        """Stop every node and remove the lab's own files. May be called twice."""
        self._stopping.set()
        self._running.close()

    def write(self, folder: Path) -> Path:
        """Write inventory.toml and what it refers to (passwords, keys, CA certificate, known_hosts) into `folder`.

        Secrets get mode 0600. Gives the inventory's path. Raises OSError.
        """
        from scanner.files.atomic import write_atomically

        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "password", f"{self._password}\n", 0o600)
        write_atomically(folder / "wrong-password", f"{self._wrong_password}\n", 0o600)
        if any("sql_user" in node.inventory for node in self.nodes):
            write_atomically(folder / "sql-password", f"{self._sql_password}\n", 0o600)
        write_atomically(folder / "id_ed25519", self._client_key, 0o600)
        write_atomically(folder / "known_hosts", self._known_hosts())
        if any(isinstance(node.server, WsmanServer) or node.sql_server for node in self.nodes):
            write_atomically(folder / "ca.pem", self._authority.certificate.read_bytes())
        if any(node.scenario.auth == "certificate" for node in self.nodes):
            write_atomically(folder / "client.pem", self._client_certificate.certificate.read_bytes())
            write_atomically(folder / "client.key", self._client_certificate.key.read_bytes(), 0o600)
        path = folder / "inventory.toml"
        write_atomically(path, self._inventory(folder))
        return path

    def node(self, name: str) -> RunningNode:
        """The running node called `name`. Raises KeyError."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no report may show: the password, what stands in for it under a fault, and the private keys' text."""
        keys = [line for line in self._client_key.decode("ascii").splitlines() if not line.startswith("-")]
        return (self._password, self._wrong_password, self._sql_password, *keys)

    @cached_property
    def _probes(self) -> tuple[Probe, ...]:
        if self._given_probes is not None:
            return tuple(self._given_probes)
        from scanner.loading.registry import load_registry

        own = probes_of_clusters({cluster.name: cluster.inventory for cluster in self.scenario.clusters})
        return load_registry()[1] + own

    @cached_property
    def _authority(self) -> CertificateAuthority:
        return CertificateAuthority(self._folder / "authority")

    @cached_property
    def _certificate(self) -> TlsFiles:
        return self._authority.server(hosts=("localhost", LOOPBACK, "::1", *self._names))

    @cached_property
    def _client_certificate(self) -> CertificatePair:
        return self._authority.client(USER)

    def _tls(self, fault: str) -> TlsFiles:
        if fault == "untrusted-certificate":
            return CertificateAuthority(self._folder / "stranger", "a stranger's authority").server()
        if fault == "wrong-certificate-name":
            return self._authority.server("elsewhere", hosts=("elsewhere.example",))
        if flaw := FLAWS.get(fault):
            return self._authority.server(fault, flaw=flaw)
        return self._certificate

    def _start(self, starting: contextlib.ExitStack, cluster: ClusterScenario, node: NodeScenario) -> RunningNode:
        running = RunningNode(scenario=node, inventory={"host": LOOPBACK, "roles": list(node.roles)})
        if node.logs_in_to_sql:
            self._start_sql(starting, node, running)
        elif node.sql_port is not None:
            running.sql_port = starting.enter_context(TdsResponder(node.sql_port.version, fault=node.sql_port.fault))
            running.inventory["sql_port"] = running.sql_port.port
        if node.transport == "winrm":
            self._start_winrm(starting, node, running)
        elif node.transport == "ssh":
            self._start_ssh(starting, cluster, node, running)
        running.inventory |= node.inventory
        return running

    def _start_sql(self, starting: contextlib.ExitStack, node: NodeScenario, running: RunningNode) -> None:
        """The SQL Server that the scanner itself logs in to; without one on its machine, nothing listens there."""
        port = node.sql_port or SqlPort()
        machine = node.machine or read_windows({})
        listening = [one for one in machine.sql if port.instance in ("", one.name)]
        if not listening or port.fault in TDS_FAULTS:
            fault = port.fault if listening else "refuse"
            running.sql_port = starting.enter_context(TdsResponder(port.version, fault=fault))
            running.inventory["sql_port"] = running.sql_port.port
            return
        accounts = TdsAccounts({LOGIN: self._sql_password}, Accounts({USER: self._sql_password}, MACHINE))
        tls = self._tls(port.fault)
        server = starting.enter_context(TdsServer(listening[0], accounts, tls, fault=port.fault, strict=port.strict))
        if port.routes:
            elsewhere = (LOOPBACK, server.port)
            server = starting.enter_context(
                TdsServer(listening[0], accounts, tls, strict=port.strict, routes_to=elsewhere)
            )
        running.sql_server = server
        running.inventory["sql_port"] = server.port
        if port.strict:
            running.inventory["encrypt"] = "strict"

    def _powershell_of(self, machine: Machine) -> Execute:
        expected = {PASSWORD_OF_THE_LAB: self._sql_password}
        return partial(
            _powershell, machine=machine, probes=self._probes, stopping=self._stopping, sql_password=expected
        )

    def _start_winrm(self, starting: contextlib.ExitStack, node: NodeScenario, running: RunningNode) -> None:
        machine = node.machine or read_windows({})
        execute = self._powershell_of(machine)
        if node.fault == "non-utf8":
            execute = partial(_with_odd_bytes, execute=execute)
        known = set(WsmanFault)
        run = partial(_in_session, execute=execute, language_mode=machine.language_mode)
        server = WsmanServer(
            execute,
            users={USER: self._password},
            tls=self._tls(node.fault) if node.scheme == "https" else None,
            auth={node.auth},  # type: ignore[arg-type]  # checked when the scenario was read
            allow_unencrypted=node.scheme == "http" and node.auth == "basic",
            machine=MACHINE,
            faults={WsmanFault(node.fault)} if node.fault in known else frozenset(),
            slow_s=_SLOW_S,
            rights={USER: Right(node.account)},
            open_peer=partial(PowerShellPool, run=run, powershell=machine.powershell),
            configurations={CONFIGURATION},
        )
        running.server = starting.enter_context(server)
        running.inventory |= {"scheme": node.scheme, "port": server.port}
        if node.auth != "ntlm":
            running.inventory |= {"auth": node.auth, "user": USER}
        if node.scheme == "http" and node.auth == "basic":
            running.inventory["insecure"] = True

    def _start_ssh(
        self, starting: contextlib.ExitStack, cluster: ClusterScenario, node: NodeScenario, running: RunningNode
    ) -> None:
        login = Login(
            USER,
            password=self._password if node.login == "password" or node.fault == "wrong-password" else "",
            keys=() if node.fault == "wrong-key" or node.login == "password" else (public_key(self._client_key),),
        )
        shell: Shell
        if node.machine:
            shell = WindowsShell(self._powershell_of(node.machine), node.default_shell)
        else:
            known = {probe.id: probe for probe in self._probes if probe.language == "sh"}
            samples = {one.id: CommandOutput(one.sample, 0, one.sample_errors) for one in known.values() if one.sample}
            answers = partial(sh_answers.answer, node, cluster, samples)
            shell = ShNode(known, answers, node.slow, clock=node.linux.date)
        server = SshServer(login, shell, fault=node.fault if node.fault in SERVER_FAULTS else "")
        running.server = starting.enter_context(server)
        running.inventory["port"] = server.port

    def _known_hosts(self) -> str:
        lines = []
        for node in self.nodes:
            if isinstance(node.server, SshServer) and node.scenario.fault != "unknown-host-key":
                strange = node.scenario.fault == "wrong-host-key"
                key = public_key(generate_key()) if strange else node.server.host_key
                lines.append(f"[{LOOPBACK}]:{node.server.port} {key}\n")
        return "".join(lines)

    def _inventory(self, folder: Path) -> str:
        clusters: dict[str, Any] = {}
        for cluster in self.scenario.clusters:
            nodes = {
                node.name: node.inventory | self._sql_login(node, folder) | self._credentials(node.scenario, folder)
                for node in self.nodes
                if node.scenario.cluster == cluster.name
            }
            clusters[cluster.name] = {"product": cluster.product, **cluster.inventory, "nodes": nodes}
        transports = {node.scenario.transport for node in self.nodes}
        defaults: dict[str, Any] = {}
        if "winrm" in transports:
            defaults["winrm"] = {
                "user": f"{MACHINE}\\{USER}",
                "password_file": str(folder / "password"),
                "ca_file": str(folder / "ca.pem"),
            }
        if "ssh" in transports:
            defaults["ssh"] = {
                "user": USER,
                "key_file": str(folder / "id_ed25519"),
                "known_hosts": str(folder / "known_hosts"),
                "agent": False,
                "ssh_config": "",
                "sudo": True,
            }
        if any(node.sql_server for node in self.nodes):
            defaults["tds"] = {"ca_file": str(folder / "ca.pem")}
        inventory: dict[str, Any] = {**self.scenario.accepted, "defaults": defaults, "clusters": clusters}
        if self.scenario.run:
            inventory["run"] = self.scenario.run
        return f"# The lab's inventory: {self.scenario.title}.\n\n{toml_text.dumps(inventory)}"

    @staticmethod
    def _sql_login(node: RunningNode, folder: Path) -> dict[str, Any]:
        """The password of the SQL login that the scenario's inventory names."""
        port = node.scenario.sql_port
        wrong = node.scenario.logs_in_to_sql and port is not None and port.fault == "wrong-password"
        name = "wrong-password" if wrong else "sql-password"
        return {"sql_password_file": str(folder / name)} if "sql_user" in node.inventory else {}

    @staticmethod
    def _credentials(node: NodeScenario, folder: Path) -> dict[str, Any]:
        """What a node needs beside its transport's defaults."""
        if node.fault == "wrong-password":
            return {
                "password_file": str(folder / "wrong-password"),
                **({"key_file": ""} if node.transport == "ssh" else {}),
            }
        if node.transport == "ssh" and node.login == "password":
            return {"password_file": str(folder / "password"), "key_file": ""}
        if node.auth == "certificate":
            return {"cert_file": str(folder / "client.pem"), "key_file": str(folder / "client.key")}
        return {}


def _powershell(
    request: ProcessRequest,
    *,
    machine: Machine,
    probes: Sequence[Probe],
    stopping: threading.Event,
    sql_password: Mapping[str, str],
) -> ProcessOutput:
    from scanner.lab.machines.windows import powershell_process
    from scanner.lab.machines.windows import script as windows

    def sleep(seconds: float) -> None:
        stopping.wait(seconds)

    def run_script(script: str) -> ProcessOutput:
        # On the way the script loses the end of its last line, which means nothing to PowerShell.
        environment = {**powershell_process.environment_of(request), **sql_password}
        return windows.run_script(f"{script}\n", machine, probes, sleep=sleep, environment=environment)

    constrained = machine.language_mode != "FullLanguage"
    return powershell_process.run(request, run_script, constrained_language=constrained)


def _in_session(request: ScriptRequest, *, execute: Execute, language_mode: str) -> ProcessOutput:
    """What `execute` makes of a script that a remoting session brings, without a command line.

    Raises ScriptRefusedError where the session takes no scripts, in Windows' words.
    """
    if language_mode == "NoLanguage":
        raise ScriptRefusedError(
            "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.",
            "ScriptsNotAllowed",
        )
    return execute(
        ProcessRequest(command_line="", environment=request.arguments, user=request.user, script=request.script)
    )


def _with_odd_bytes(request: ProcessRequest, *, execute: Callable[[ProcessRequest], ProcessOutput]) -> ProcessOutput:
    done = execute(request)
    return ProcessOutput(ODD_BYTES + done.stdout, done.stderr, done.exit_code)
