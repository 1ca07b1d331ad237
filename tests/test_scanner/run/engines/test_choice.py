"""Which engine asks: what contradicts itself, would be read on the way, or is not there, is told beforehand."""

from __future__ import annotations

import builtins
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import UsageError
from scanner.inventory.model import RunSettings
from scanner.lab.servers.certificates import FLAWS, CertificateAuthority
from scanner.run.engines.choice import choose_engine, refuse_unusable
from scanner.run.engines.engine import EngineChoice

INVENTORY = Path("/etc/preflight/inventory.toml")
TLS = {"ca_file": "/ca.pem", "cert_file": "/cert.pem", "key_file": "/key.pem"}


def chosen(asked: tuple[str | None, str | None] = (None, None), **written: Any) -> EngineChoice:
    return choose_engine(RunSettings(**written), INVENTORY, engine=asked[0], scheduler=asked[1])


def test_threads_are_what_asks_where_nothing_is_said() -> None:
    assert chosen() == EngineChoice()


def test_the_command_line_counts_before_the_inventory() -> None:
    assert chosen(("threads", None), engine="dask", scheduler="tls://s:8786") == EngineChoice()
    assert chosen(("dask", None)).name == "dask"
    assert chosen((None, "tcp://127.0.0.1:8786")).scheduler == "tcp://127.0.0.1:8786"
    assert chosen((None, "tcp://localhost:1"), engine="dask", scheduler="tls://s:8786").scheduler == "tcp://localhost:1"


@pytest.mark.parametrize(
    ("asked", "written", "told"),
    [
        (("fast", None), {}, '--engine "fast": expected threads or dask'),
        (("threads", "tls://s:8786"), {}, "--scheduler: threads of this process have none; choose --engine dask"),
        ((None, None), {"scheduler": "tls://s:8786"}, 'write engine = "dask" beside it'),
        ((None, "scheduler:8786"), {}, "--scheduler: expected tls://HOST:PORT"),
        ((None, "tls://s:99999"), {}, "--scheduler: expected tls://HOST:PORT"),
        ((None, "ws://s:80"), {}, "--scheduler: expected tls://HOST:PORT"),
        ((None, "tcp://s.corp.example:8786"), {}, "passwords would travel for everybody to read"),
        ((None, "tcp://127.0.0.1.example:8786"), {}, "passwords would travel for everybody to read"),
        ((None, "tls://s:8786"), {}, "TLS needs run.ca_file and run.cert_file and run.key_file"),
        ((None, "tls://s:8786"), {"ca_file": "/ca.pem", "cert_file": "/c.pem"}, "TLS needs run.key_file in the"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    asked: tuple[str | None, str | None], written: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError) as refused:
        chosen(asked, **written)
    assert told in str(refused.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.1", "[::1]"])
def test_on_this_machine_alone_nothing_travels(host: str) -> None:
    assert chosen((None, f"tcp://{host}:8786")).elsewhere


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    authority = CertificateAuthority(tmp_path)
    made = authority.client("scanner")
    return {"ca_file": str(authority.certificate), "cert_file": str(made.certificate), "key_file": str(made.key)}


def usable(files: dict[str, str]) -> None:
    refuse_unusable(EngineChoice(name="dask", scheduler="tls://s:8786", **files))


def test_files_that_are_what_they_are_to_be_pass(files: dict[str, str]) -> None:
    usable(files)


def test_a_file_that_is_not_there_is_named(files: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"run\.ca_file /nowhere/ca\.pem: there is no such file"):
        usable(files | {"ca_file": "/nowhere/ca.pem"})


def test_a_file_that_is_no_certificate_is_named(files: dict[str, str]) -> None:
    Path(files["ca_file"]).write_text("hello")
    with pytest.raises(UsageError, match=r"run\.ca_file .*: holds no certificate in PEM"):
        usable(files)


def test_another_key_than_the_certificate_s_is_named(files: dict[str, str]) -> None:
    Path(files["key_file"]).write_text("hello")
    with pytest.raises(UsageError, match=r"run\.cert_file .* and run\.key_file .*: are no certificate in PEM and its"):
        usable(files)


@pytest.mark.parametrize(
    ("flaw", "told"),
    [
        ("expired-certificate", r"has expired on \d{4}-\d\d-\d\d; this machine's clock says "),
        ("not-yet-valid-certificate", r"is not valid before .* UTC; this machine's clock says .*: set it first"),
    ],
)
def test_a_certificate_out_of_its_time_is_told_before_anybody_is_turned_to(
    tmp_path: Path, files: dict[str, str], flaw: str, told: str
) -> None:
    """Its peer says at best that it does not take it, and mostly nothing."""
    made = CertificateAuthority(tmp_path / "late").server(flaw=FLAWS[flaw])
    with pytest.raises(UsageError, match=rf"^run\.cert_file .*: {told}"):
        usable(files | {"cert_file": str(made.certificate), "key_file": str(made.key)})


def test_the_key_of_another_certificate_is_told_as_that(tmp_path: Path, files: dict[str, str]) -> None:
    other = CertificateAuthority(tmp_path / "other").client("other")
    with pytest.raises(UsageError, match=r": are no certificate in PEM and its private key: the key is that of ano"):
        usable(files | {"key_file": str(other.key)})


def test_no_word_of_a_library_is_told(files: dict[str, str]) -> None:
    """Names of exceptions and of lines in C are nothing that anybody can act by."""
    for name in ("ca_file", "cert_file", "key_file"):
        held = Path(files[name]).read_bytes()
        Path(files[name]).write_text("hello")
        with pytest.raises(UsageError) as refused:
            usable(files)
        assert not re.search(r"Error|_ssl\.c|\[", str(refused.value))
        Path(files[name]).write_bytes(held)


def test_an_encrypted_key_asks_nobody(files: dict[str, str], tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    subprocess.run(
        ["openssl", "pkey", "-in", files["key_file"], "-aes256", "-passout", "pass:secret", "-out", locked], check=True
    )
    with pytest.raises(UsageError, match="is encrypted, and nobody is there to be asked"):
        usable(files | {"key_file": str(locked)})


def test_without_the_package_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name.partition(".")[0] in ("dask", "distributed"):
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"""run: pip install 'preflight-scanner\[dask\]'"""):
        refuse_unusable(EngineChoice(name="dask"))


def test_nobody_loads_it_who_has_not_chosen_it() -> None:
    program = (
        "import sys, scanner.cli.app, scanner.run.collect, scanner.run.prepare\n"
        "print(sorted({'dask', 'distributed', 'tornado'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
