"""The connection to a scheduler: the only place that speaks dask. Everything in it is bounded in time."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, suppress
from typing import Any

import scanner
from checks.common.dataclass import dataclass
from scanner.errors import UsageError, cause_of
from scanner.run.engines import worker
from scanner.run.engines.dask.refusals import unreachable
from scanner.run.engines.engine import EngineChoice
from scanner.run.engines.parcel import Parcel

_CONNECT_S = 10.0
_ANSWER_S = 10.0
_LOGGERS = ("distributed", "tornado", "asyncio")
_CONFIGURATION = "dask's own configuration (the variables DASK_..., and what is in ~/.config/dask or DASK_CONFIG)"
INSTALL = "pip install 'preflight-scanner[dask]'"


class EngineError(Exception):
    """The engine cannot work: what is the matter, and what to do."""

    def __init__(self, cause: str, hint: str) -> None:
        super().__init__(cause)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a scheduler says of one of its workers."""

    address: str
    folder: str
    """Another one after each start: an address may come back."""
    resources: frozenset[str]
    running: bool
    last_seen: float
    """When it was heard of last, by the scheduler's clock."""


class Link:
    """A client of a scheduler, or of one that is started here with workers of its own."""

    def __init__(self, choice: EngineChoice, *, processes: int) -> None:
        """Connect. Raises EngineError, and UsageError where dask is not installed."""
        self._owned = ExitStack()
        self.address = choice.scheduler or "the scheduler of this machine"
        require_dask()
        import dask.config
        import distributed
        from distributed.versions import VersionMismatchWarning

        # Versions are compared below, and told as an error; nothing of the program's own source goes to a scheduler.
        warnings.filterwarnings("ignore", category=VersionMismatchWarning)
        dask.config.set({"distributed.diagnostics.computations.nframes": 0})
        _hush()
        began = time.monotonic()
        try:
            if choice.scheduler:
                where: Any = choice.scheduler
                security = distributed.Security(**_tls(choice)) if choice.speaks_tls else None
                asyncio.run(_greet(where, security))
            else:
                where, security = self._started(processes), None
            self._client = self._owned.enter_context(
                distributed.Client(where, security=security, timeout=_CONNECT_S, set_as_default=False, name="preflight")
            )
        except (OSError, TimeoutError) as error:
            self.close()
            took_s = time.monotonic() - began
            raise EngineError(*unreachable(self.address, error, choice, took_s=took_s, had_s=_CONNECT_S)) from None
        except Exception as error:  # noqa: BLE001  whatever it makes of what it is configured with
            self.close()
            raise EngineError(
                f"dask does not come to speak to {self.address}: {cause_of(error)}", f"look at {_CONFIGURATION}"
            ) from None
        self._wire = self._client.scheduler_comm
        if choice.scheduler:
            try:
                self._refuse_stranger()
            except BaseException:
                self.close()
                raise

    def workers(self) -> list[Told]:
        """All workers there are now. Raises OSError or TimeoutError."""

        async def ask() -> Any:
            if self._client.scheduler is None:
                raise OSError("not connected")
            return await asyncio.wait_for(self._client.scheduler.identity(n_workers=-1), _ANSWER_S)

        found = self._client.sync(ask, callback_timeout=2 * _ANSWER_S)
        return [
            Told(
                address=str(address),
                folder=str(each.get("local_directory")),
                resources=frozenset(name for name, amount in (each.get("resources") or {}).items() if amount > 0),
                running=each.get("status") == "running",
                last_seen=float(each.get("last_seen") or 0.0),
            )
            for address, each in found["workers"].items()
        ]

    @property
    def connected(self) -> bool:
        """Whether the scheduler is there, as far as this side knows, and always has been.

        The client connects again by itself, to a scheduler that has dropped all that was given to it meanwhile: whoever
        looks only now and then would wait for answers that nobody is asked for any more.
        """
        return bool(self._client.status == "running" and self._client.scheduler_comm is self._wire)

    def about(self, address: str) -> Mapping[str, Any] | Exception:
        """Who the worker is, or why it does not say."""
        found: Mapping[str, Any] | Exception = self._each([address], worker.about)[address]
        return found

    def leave(self, run: str, addresses: Collection[str]) -> None:
        """Tell the workers to end a run's conversations."""
        self._each(addresses, worker.leave, run)

    def ignore_interrupts(self, address: str) -> None:
        """Let the worker, which a terminal's Ctrl-C reaches as well, wait for what it is told."""
        self._each([address], worker.ignore_interrupts)

    def submit(self, parcel: Parcel, *, key: str, address: str) -> Any:
        """A batch on its way to that worker and to no other."""
        return self._client.submit(
            worker.ask_batch, parcel, key=key, workers=[address], allow_other_workers=False, pure=False, retries=0
        )

    def close(self) -> None:
        """Leave the scheduler, and end what was started here."""
        with suppress(Exception):
            self._owned.close()

    def _each(self, addresses: Collection[str], what: Callable[..., Any], *args: Any) -> dict[str, Any]:
        async def one(address: str) -> Any:
            answers = await asyncio.wait_for(
                self._client.run(what, *args, workers=[address], on_error="return"), _ANSWER_S
            )
            return answers[address]

        async def every() -> list[Any]:
            return await asyncio.gather(*map(one, addresses), return_exceptions=True)

        return dict(zip(addresses, self._client.sync(every, callback_timeout=2 * _ANSWER_S), strict=True))

    def _started(self, processes: int) -> Any:
        """Processes of this machine, that nobody else on it can speak to: their certificates are made up here."""
        import dask.config
        import distributed

        # What they would tell of themselves by HTTP, without asking who wants to know.
        dask.config.set({"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []})
        folder = self._owned.enter_context(tempfile.TemporaryDirectory(prefix="preflight-", ignore_cleanup_errors=True))
        dask.config.set({"temporary-directory": folder})  # where it keeps locks, for good
        return self._owned.enter_context(
            distributed.LocalCluster(
                n_workers=processes,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                protocol="tls://",
                security=distributed.Security.temporary(),
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.CRITICAL,
                local_directory=folder,
            )
        )

    def _refuse_stranger(self) -> None:
        async def ask() -> Any:
            return await asyncio.wait_for(self._client.run_on_scheduler(worker.about), _ANSWER_S)

        try:
            found = self._client.sync(ask, callback_timeout=2 * _ANSWER_S)
        except Exception as error:  # noqa: BLE001  whatever its preflight raises, or that it has none
            raise EngineError(
                f"{self.address} {incomprehensible(error)}",
                f"install preflight-scanner[dask] {scanner.__version__} beside the scheduler, and start it again",
            ) from None
        if trouble := stranger(found):
            raise EngineError(f"{self.address} {trouble}", "install the same beside the scheduler as here")


def require_dask() -> None:
    """Raise UsageError where dask is not installed, or cannot be loaded."""
    try:
        import dask
        import distributed  # noqa: F401  whether it is there is what is asked
    except ImportError:
        raise UsageError(f'engine "dask" is not installed here; run: {INSTALL}') from None
    except Exception as error:  # noqa: BLE001  it reads what users have configured as soon as it is loaded
        raise UsageError(f'engine "dask" cannot be loaded here: {cause_of(error)}; look at {_CONFIGURATION}') from None
    else:
        del dask


def stranger(about: Mapping[str, Any]) -> str:
    """How a peer differs from this installation so that the two may misunderstand each other; "" where they do not."""
    mine = worker.about()
    differing = [
        f"{name} {about.get(name)} (here {mine[name]})"
        for name in ("preflight", "distributed", "python")
        if about.get(name) != mine[name]
    ]
    return f"runs {', '.join(differing)}" if differing else ""


def incomprehensible(error: BaseException) -> str:
    """What is told of a peer that answers a question of ours with an exception, which comes from a foreign installation
    and wrapped in another one.
    """
    if "No module named" in str(error):
        return "has no preflight"
    return f"has no preflight that this one understands ({cause_of(error)})"


def _tls(choice: EngineChoice) -> dict[str, Any]:
    return {
        "require_encryption": True,
        "tls_ca_file": choice.ca_file,
        "tls_client_cert": choice.cert_file,
        "tls_client_key": choice.key_file,
    }


async def _greet(address: str, security: Any) -> None:
    """Raise like the client where nobody answers there; it would wait for as long as somebody takes connections."""
    from distributed.comm.core import connect

    with_tls = security.get_connection_args("client") if security else {}
    comm = await asyncio.wait_for(connect(address, timeout=_CONNECT_S, **with_tls), _CONNECT_S)
    await comm.close()


def _hush() -> None:
    """What the library would write on standard error is told by us, where it matters."""
    for name in (*_LOGGERS, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
