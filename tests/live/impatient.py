"""preflight as it is installed, soon out of patience, and with moments at which a test may step in.

    python impatient.py '{"hold": {"home": "/tmp/home"}}' scan inventory.toml

`hold`: at that moment the file is written, and nothing goes on before one beside it, with `.go` after its name, is
there. The moments are `connecting` (nothing is sent yet), `arriving` (a worker has answers that are not fetched yet),
`home` (all answers are here, the scheduler is still spoken to) and `judging` (nobody is spoken to any more).
`answered`: that file is written when the first node's answers are here. `still`: whatever is a time in what the nodes
said is always the same one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

PATIENCE = {"look": 0.2, "worker": 30.0, "silence": 10.0, "scheduler": 8.0, "farewell": 3.0}
ANSWER_S = 8.0
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def held(path: str) -> None:
    Path(path).touch()
    while not Path(f"{path}.go").exists():
        time.sleep(0.02)


def replaced(owner: Any, name: str, value: Any) -> None:
    assert hasattr(owner, name), f"{owner} has no {name} any more"
    setattr(owner, name, value)


def after(owner: Any, name: str, then: Callable[[Any], Any]) -> None:
    """What that function gives goes through `then`."""
    kept = getattr(owner, name)
    replaced(owner, name, lambda *args, **more: then(kept(*args, **more)))


def before(owner: Any, name: str, first: Callable[[], object]) -> None:
    kept = getattr(owner, name)

    def both(*args: Any, **more: Any) -> Any:
        first()
        return kept(*args, **more)

    replaced(owner, name, both)


def without_times(said: Any) -> Any:
    """A node's response whose moments are always the same ones: what is left is what the node said."""
    clock = said.clock
    if clock is not None and hasattr(clock, "sent_s"):
        clock = replace(clock, **dict.fromkeys(("sent_s", "begun_s", "ended_s", "received_s"), NOON.timestamp()))
    return replace(said, seconds=0.5, asked_at=NOON, clock=clock)


def main() -> None:
    asked = json.loads(sys.argv.pop(1))
    sys.argv[0] = "preflight"
    from scanner.run import collect
    from scanner.run.engines.dask import engine, link, loop, patience, under_way
    from scanner.run.taking import handover

    replaced(engine, "PATIENCE", patience.Patience(**(PATIENCE | asked.get("patience", {}))))
    replaced(link, "_CONNECT_S", ANSWER_S)
    replaced(link, "_ANSWER_S", ANSWER_S)
    hold = asked.get("hold", {})
    if "connecting" in hold:
        before(loop.Loop, "_connect", lambda: held(hold["connecting"]))
    if "arriving" in hold:
        before(under_way.UnderWay, "_home", lambda: held(hold["arriving"]))
    if "home" in hold:
        before(loop.Loop, "_close", lambda: held(hold["home"]))
    if "answered" in asked:
        before(collect, "settled", Path(asked["answered"]).touch)
    if asked.get("still"):
        after(collect, "settled", without_times)
        replaced(collect, "utc_now", lambda: NOON)  # when the run began and ended
    if "judging" in hold:
        before(handover.Handover, "end", lambda: held(hold["judging"]))
    from scanner.cli.process.supervisor import main as run

    run()


if __name__ == "__main__":
    main()
