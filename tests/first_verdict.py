"""What a newcomer types up to the first useful verdict: by hand as it has always been possible, and the short ways.

A test types them on the lab's Windows nodes and on real sshd; `make first-verdict` measures them there.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.live.estate import ADDRESSES, Estate
from tests.test_scanner.stages import bare
from tests.test_scanner.terminal import Step, Terminal

PASSWORD = "read -rs PREFLIGHT_WINRM_PASSWORD && export PREFLIGHT_WINRM_PASSWORD"
BY_HAND, DISCOVERED, ONE_HOST = "`init`, an editor, `validate`, `scan`", "`discover`, `scan`", "`scan --host`"
_CHARACTERS_A_MINUTE = 200
_SITE_S_OWN = ("user = ", "target = ", "host = ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What is typed on one site."""

    name: str
    commands: tuple[Step, ...]
    writes: str = ""
    """The inventory that is written by hand, once the first command has given its frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Machines, and the ways to a verdict of them."""

    name: str
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a way took."""

    commands: int
    lines: int
    """Written by hand."""
    characters: int
    """Of commands and those lines."""
    cpu_s: float
    wall_s: float

    @property
    def minutes(self) -> float:
        """For somebody who types as people do, and knows what to write."""
        return self.characters / _CHARACTERS_A_MINUTE + self.wall_s / 60


def _inventory(
    product: str, login: Sequence[str], cluster: Sequence[str], nodes: Sequence[tuple[str, str, str]]
) -> str:
    lines = [*login, "", *cluster]
    for name, host, role in nodes:
        lines += ["", f"{cluster[0][:-1]}.nodes.{name}]", f'host = "{host}"', f'roles = ["{role}"]']
    return "\n".join(line.replace("PRODUCT", product) for line in lines) + "\n"


_WEB = [(f"web{number}", f"web{number}.corp.example", "web") for number in (1, 2, 3)]
_BACKENDS = [(name, name, "backend") for name in ADDRESSES if name.startswith("be")]
_VAULT_LOGIN = "--product secret-server --user 'CORP\\svc-preflight'"
_CHEF_LOGIN = "--product chef-backend --user preflight --sudo"
WINDOWS = Site(
    name="the lab's Windows nodes (WinRM, NTLM, TLS)",
    ways=(
        Way(
            name=BY_HAND,
            commands=(
                Step("preflight init inventory.toml"),
                Step("preflight validate inventory.toml"),
                Step(PASSWORD),
                Step("preflight scan inventory.toml", ("GO ",)),
            ),
            writes=_inventory(
                "secret-server",
                ["[defaults.winrm]", "user = 'CORP\\svc-preflight'", 'password_env = "PREFLIGHT_WINRM_PASSWORD"'],
                ["[clusters.vault-prod]", 'product = "PRODUCT"', 'target = "11.7.000049"'],
                [*_WEB, ("sql1", "10.0.0.31", "database")],
            ),
        ),
        Way(
            name=DISCOVERED,
            commands=(
                Step(PASSWORD),
                Step(
                    f"preflight discover web1.corp.example {_VAULT_LOGIN} --set password_env=PREFLIGHT_WINRM_PASSWORD "
                    "-o vault.toml"
                ),
                Step("preflight scan vault.toml --target secret-server=11.7.000049", ("GO ",)),
            ),
        ),
        Way(
            name=ONE_HOST,
            commands=(
                Step(
                    f"preflight scan --host web1.corp.example --role web {_VAULT_LOGIN} --ask-password",
                    ("UNKNOWN ",),
                    code=3,
                ),
            ),
        ),
    ),
)
SSHD = Site(
    name="real sshd, sudo and dpkg (SSH, key)",
    ways=(
        Way(
            name=BY_HAND,
            commands=(
                Step("preflight init inventory.toml"),
                Step("preflight validate inventory.toml"),
                Step("preflight scan inventory.toml", ("GO ",)),
            ),
            writes=_inventory(
                "chef-backend",
                ["[defaults.ssh]", 'user = "preflight"', "sudo = true"],
                ["[clusters.chef-prod]", 'product = "PRODUCT"', 'target = "3.1.1"'],
                _BACKENDS,
            ),
        ),
        Way(
            name=DISCOVERED,
            commands=(
                Step(f"preflight discover be-north1 {_CHEF_LOGIN} -o chef.toml"),
                Step("preflight scan chef.toml --target chef-backend=3.1.1", ("GO ",)),
            ),
        ),
        Way(
            name=ONE_HOST,
            commands=(Step(f"preflight scan --host be-north1 --role backend {_CHEF_LOGIN}", ("UNKNOWN ",), code=3),),
        ),
    ),
)
SITES = (WINDOWS, SSHD)


def take(way: Way, terminal: Terminal) -> Cost:
    """Type it. Fails where a command ends otherwise than it should."""
    lines: list[str] = []
    began, used = time.monotonic(), _cpu_s()
    for number, step in enumerate(way.commands):
        terminal.type(step)
        if number == 0 and way.writes:
            inventory = terminal.folder / "inventory.toml"
            given = set(inventory.read_text("utf-8").splitlines())
            # The frame's examples may be called as these machines are; no site of one's own is.
            lines = [line for line in way.writes.splitlines() if line not in given or line.startswith(_SITE_S_OWN)]
            inventory.write_text(terminal.typed(way.writes), encoding="utf-8")
    return Cost(
        commands=len(way.commands),
        lines=len(lines),
        characters=sum(len(text) + 1 for text in (*(step.command for step in way.commands), *lines)),
        cpu_s=_cpu_s() - used,
        wall_s=time.monotonic() - began,
    )


def _cpu_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


@contextmanager
def sshd(estate: Estate, home: Path) -> Iterator[Terminal]:
    """A terminal from which the estate's machines are found by name and address, known, and let its key in."""
    with bare(home) as terminal:
        names = {word: each for name, each in estate.machines.items() for word in (name, ADDRESSES[name])}
        terminal.names({name: machine.port for name, machine in names.items()})
        (home / ".ssh").mkdir(mode=0o700)
        (home / ".ssh" / "id_ed25519").write_bytes(estate.key.read_bytes())
        (home / ".ssh" / "id_ed25519").chmod(0o600)
        known = "".join(f"{name} {machine.host_key}\n" for name, machine in names.items())
        (home / ".ssh" / "known_hosts").write_text(known, encoding="utf-8")
        yield terminal
