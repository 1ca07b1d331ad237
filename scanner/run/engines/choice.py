"""Which engine asks: what the inventory and the command line say of it, and whether that can be."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from scanner.clock import utc_now
from scanner.errors import UsageError
from scanner.inventory.model import RunSettings
from scanner.inventory.reading.values import shown
from scanner.run.engines.engine import DASK, THREADS, EngineChoice

_ADDRESS = re.compile(r"(?P<scheme>[a-z]+)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/:@\[\]]+):(?P<port>[0-9]{1,5})")
_TLS_FILES = ("ca_file", "cert_file", "key_file")
_CERTIFICATES = "preflight's guide on two sites and one scheduler says how they are made"


def choose_engine(
    settings: RunSettings, inventory: Path, *, engine: str | None = None, scheduler: str | None = None
) -> EngineChoice:
    """The engine that the command line names, else the inventory's. Raises UsageError for what contradicts itself.

    Files are not looked at: see `refuse_unusable`.
    """
    if engine not in (None, THREADS, DASK):
        raise UsageError(f"--engine {shown(engine or '')}: expected {THREADS} or {DASK}")
    name = engine or (DASK if scheduler else settings.engine)
    if name == THREADS:
        if scheduler:
            raise UsageError("--scheduler: threads of this process have none; choose --engine dask")
        if not engine and settings.scheduler:
            raise UsageError('run.scheduler: threads of this process have none; write engine = "dask" beside it')
        return EngineChoice()
    address = scheduler or settings.scheduler
    said = "--scheduler" if scheduler else "run.scheduler"
    choice = EngineChoice(
        name=name,
        scheduler=address,
        ca_file=settings.ca_file,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
        secrets=settings.secrets,
        folder=str(inventory.absolute().parent),
    )
    if address:
        _refuse_address(choice, said)
    return choice


def _refuse_address(choice: EngineChoice, said: str) -> None:
    found = _ADDRESS.fullmatch(choice.scheduler)
    if not found or found["scheme"] not in ("tls", "tcp") or not 0 < int(found["port"]) < 65536:
        raise UsageError(f"{said}: expected tls://HOST:PORT, as the scheduler says when it starts")
    if found["scheme"] == "tcp" and not _is_loopback(found["host"]):
        raise UsageError(
            f"{said} {choice.scheduler}: passwords would travel for everybody to read; start the scheduler with TLS, "
            f"and write tls:// ({_CERTIFICATES})"
        )
    missing = [name for name in _TLS_FILES if not getattr(choice, name)]
    if found["scheme"] == "tls" and missing:
        raise UsageError(
            f"{said} {choice.scheduler}: TLS needs {' and '.join(f'run.{name}' for name in missing)} in the inventory; "
            f"{_CERTIFICATES}"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_unusable(choice: EngineChoice) -> None:
    """Raise UsageError where this machine lacks what the engine needs, before any secret is fetched."""
    if choice.name != DASK:
        return
    from scanner.run.engines.dask.link import require_dask

    require_dask()
    if not choice.speaks_tls:
        return
    for name in _TLS_FILES:
        _refuse_unreadable(name, Path(getattr(choice, name)))
    import ssl  # which a scan without certificates needs not load

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(choice.ca_file)
    except (ssl.SSLError, OSError) as error:
        raise UsageError(f"run.ca_file {choice.ca_file}: holds no certificate in PEM{_of_system(error)}") from None
    try:
        context.load_cert_chain(choice.cert_file, choice.key_file, password=_no_passphrase)
    except _EncryptedError:
        raise UsageError(
            f"run.key_file {choice.key_file}: is encrypted, and nobody is there to be asked; take the passphrase off "
            "(openssl pkey -in FILE -out FILE) and keep the file for its owner alone"
        ) from None
    except (ssl.SSLError, OSError) as error:
        mismatch = getattr(error, "reason", "") == "KEY_VALUES_MISMATCH"
        why = ": the key is that of another certificate" if mismatch else _of_system(error)
        raise UsageError(
            f"run.cert_file {choice.cert_file} and run.key_file {choice.key_file}: are no certificate in PEM and its "
            f"private key{why}"
        ) from None
    _refuse_out_of_time(choice)


def _of_system(error: OSError) -> str:
    """What the system says; what TLS says is nothing for users."""
    import ssl

    return "" if isinstance(error, ssl.SSLError) else f": {error.strerror or error}"


def _refuse_out_of_time(choice: EngineChoice) -> None:
    """The peer would only say that it does not take it, if it says anything."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(Path(choice.cert_file).read_bytes())
    now = utc_now()
    clock = f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC"
    if certificate.not_valid_after_utc < now:
        raise UsageError(
            f"run.cert_file {choice.cert_file}: has expired on {certificate.not_valid_after_utc:%Y-%m-%d}; {clock}; "
            f"sign a new one ({_CERTIFICATES})"
        )
    if certificate.not_valid_before_utc > now:
        begins = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        raise UsageError(f"run.cert_file {choice.cert_file}: is not valid before {begins}; {clock}: set it first")


class _EncryptedError(Exception):
    """The key asks for a passphrase."""


def _no_passphrase() -> str:
    raise _EncryptedError


def _refuse_unreadable(name: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except FileNotFoundError:
        raise UsageError(f"run.{name} {path}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"run.{name} {path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
