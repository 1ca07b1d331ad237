"""Scans in processes of their own, made by forking one in which all is imported; a raise is planted in each.

Reads an `Order` as JSON from standard input, writes what came of it as JSON lines to standard output.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import gzip
import importlib
import io
import json
import os
import pickle
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.seams import striking
from tests.seams.finding import Calls, seams

FORMATS = ("html", "junit", "json", "markdown", "csv", "prometheus")
_PATIENCE_S = 60


@dataclasses.dataclass(frozen=True)
class Order:
    """What is to be done."""

    inventory: str
    secrets: list[str]
    conversing: int
    """How many seams of the conversations with nodes are tried; -1: all."""
    judging: int
    """How many of the rest."""
    seed: int
    always: list[str] = dataclasses.field(default_factory=list)
    """Those that are tried in any case."""


def marks(secrets: list[str]) -> list[bytes]:
    """What none of may be found: every 6 characters of a secret, and more of its spellings in Base64 and percent."""
    found: set[bytes] = set()
    for secret in secrets:
        found |= {secret[at : at + 6].encode() for at in range(len(secret) - 5)}
        found |= {text.encode("utf-16-le") for at in range(len(secret) - 5) if (text := secret[at : at + 6])}
        for data in (secret.encode(), secret.encode("utf-16-le")):
            for shift, lead in enumerate((0, 2, 3)):
                code = base64.b64encode(b"x" * shift + data)[lead:-4]
                found |= {code[at : at + 9] for at in range(len(code) - 8)}
        percent = "".join(f"%{byte:02X}" for byte in secret.encode())
        found |= {percent[at : at + 18].encode() for at in range(len(percent) - 17)}
    return list(found)


class Nursery:
    """Makes the scans."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.seams = seams()
        self._marks = marks(order.secrets)
        self._kept = Path(tempfile.mkdtemp()) / "answers"

    def scan(self, name: str, before: Callable[[], None], after: Callable[[], Any] = lambda: None) -> dict[str, Any]:
        """A scan with all reports in a process of its own, prepared by `before`; what it wrote, searched."""
        folder = Path(tempfile.mkdtemp(prefix="seam-"))
        out, err, told = (folder.with_name(f"{folder.name}.{kind}") for kind in ("out", "err", "told"))
        child = os.fork()
        if not child:
            _become(folder, out, err, before, lambda: told.write_text(json.dumps(after())), self.order)
        ends = time.monotonic() + _PATIENCE_S
        hung = False
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            time.sleep(0.003)
            if time.monotonic() > ends and not hung:
                hung = True
                os.kill(child, signal.SIGKILL)
        texts = {"stdout": out.read_bytes(), "stderr": err.read_bytes()}
        for path in folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                with contextlib.suppress(OSError, EOFError):
                    data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
                texts[path.name] = data
        leaks = {
            where: next(mark for mark in self._marks if mark in data).decode("latin-1")
            for where, data in texts.items()
            if any(mark in data for mark in self._marks)
        }
        result = {
            "name": name,
            "seconds": round(time.monotonic() - ends + _PATIENCE_S, 2),
            "code": os.waitstatus_to_exitcode(ended[1]),
            "hung": hung,
            "leaks": leaks,
            "files": len(texts) - 2,
            "told": json.loads(told.read_text() or "null") if told.exists() else None,
            "stderr": texts["stderr"].decode("utf-8", "replace")[-1500:],
            "statuses": None,
        }
        if leaks:
            first = next(iter(leaks))
            at = texts[first].find(leaks[first].encode("latin-1"))
            result["shown"] = texts[first][max(0, at - 300) : at + 200].decode("utf-8", "replace")
        with contextlib.suppress(KeyError, ValueError):
            document = json.loads(texts["report.json"])
            result["statuses"] = {
                f"{row['check']} {row['cluster']} {row['node']}": row["status"] for row in document["results"]
            }
            result["reached"] = sum(node["reachable"] for node in document["nodes"])
        for path in (out, err, told):
            path.unlink(missing_ok=True)
        _remove(folder)
        return result

    def learn(self) -> dict[str, Any]:
        """The scan that all others are held to: what it calls, and what the nodes said."""
        calls = Calls()
        said: dict[str, Any] = {}

        def before() -> None:
            run: Any = importlib.import_module("scanner.run.collect")
            collect_or_load: Any = importlib.import_module("scanner.cli.answers")

            ask, fetching = run.query_node, collect_or_load.with_credentials

            def armed(job: Any, selection: Any) -> Any:
                calls.__enter__()
                return fetching(job, selection)

            def keeping(call: Any, gate: Any = None) -> Any:
                said[f"{call.node.cluster}.{call.node.name}"] = answers = ask(call, gate)
                return answers

            run.query_node, collect_or_load.with_credentials = keeping, armed

        def after() -> Any:
            calls.__exit__()
            self._kept.write_bytes(pickle.dumps(said))
            by_code = {function.__code__: name for name, function in self.seams.items()}
            return [sorted(by_code[code] for code in seen if code in by_code) for seen in (calls.main, calls.others)]

        return self.scan("reference", before, after)

    def strike(self, name: str, *, conversing: bool) -> dict[str, Any]:
        """The same with a raise at the seam; `conversing`: once, and the nodes are really asked."""
        kept = pickle.loads(self._kept.read_bytes())
        planted: list[striking.Strikes] = []

        def before() -> None:
            if not conversing:
                run: Any = importlib.import_module("scanner.run.collect")
                run.query_node = lambda call, gate=None: kept[f"{call.node.cluster}.{call.node.name}"]
            striking.CURRENT = striking.Strikes(self.order.secrets, name, once=conversing)
            striking.CURRENT.plant(name, self.seams[name])
            planted.append(striking.CURRENT)

        found = self.scan(name, before, lambda: sorted(planted[0].struck))
        return {**found, "conversing": conversing}


def _become(
    folder: Path, out: Path, err: Path, before: Callable[[], None], after: Callable[[], Any], order: Order
) -> None:
    """Be the command, to the end."""
    code = 99
    try:
        os.chdir(folder)
        for number, path in ((1, out), (2, err)):
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(opened, number)
        system: Any = sys
        system.stdout = system.__stdout__ = io.TextIOWrapper(
            io.FileIO(1, "w", closefd=False), "utf-8", write_through=True
        )
        system.stderr = system.__stderr__ = io.TextIOWrapper(
            io.FileIO(2, "w", closefd=False), "utf-8", write_through=True
        )
        os.environ["PREFLIGHT_TRACEBACK"] = "1"
        reports = [part for kind in FORMATS for part in (f"--{kind}", f"report.{kind}")]
        keeping = ["--history", "history.db", "--evidence", "evidence.json.gz", "--timeout", "20"]
        sys.argv = ["preflight", "scan", order.inventory, "-v", *reports, *keeping]
        from scanner.cli import run_to_the_end

        before()
        try:
            run_to_the_end()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        except BaseException:  # noqa: BLE001  whatever comes up
            # As the interpreter does; and the parent that watches it was told no verdict.
            sys.excepthook(*sys.exc_info())
            code = 3
        after()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _warm_up() -> None:
    """Import and compile what a scan needs, once for all: evidence is judged here, without a thread."""
    from scanner.cli import app

    kept = Path(__file__).parents[1] / "recordings" / "demo"
    folder = Path(tempfile.mkdtemp())
    reports = [part for kind in FORMATS for part in (f"--{kind}", str(folder / f"report.{kind}"))]
    sys.argv = ["preflight", "scan", f"{kept}.inventory.toml", "--from", f"{kept}.evidence.json", "-v", *reports]
    ended = contextlib.suppress(SystemExit)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), ended:
        app.main()
    _remove(folder)


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def main() -> None:
    """Do what standard input asks for."""
    order = Order(**json.load(sys.stdin))
    answers = os.fdopen(os.dup(1), "w")

    def tell(result: dict[str, Any]) -> None:
        answers.write(json.dumps(result) + "\n")
        answers.flush()

    _warm_up()
    nursery = Nursery(order)
    reference = nursery.learn()
    tell(reference)
    if not reference["told"]:
        return
    main_thread, others = reference["told"]
    chance = random.Random(order.seed)
    conversing, judging = others, [name for name in main_thread if name not in others]
    tell({"conversing": len(conversing), "judging": len(judging)})
    for names, most, how in ((conversing, order.conversing, True), (judging, order.judging, False)):
        chosen = names if most < 0 else sorted(chance.sample(names, min(most, len(names))))
        chosen = sorted({*chosen, *(name for name in names if name in order.always)})
        for name in chosen:
            tell(nursery.strike(name, conversing=how))


if __name__ == "__main__":
    main()
