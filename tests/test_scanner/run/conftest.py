from __future__ import annotations

from collections.abc import Callable

import pytest

from scanner.run import collect as run_module
from scanner.run.node import NodeRequest
from scanner.transports.answers import NodeResponse


@pytest.fixture
def blocking(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in for a conversation waits as it likes: each has a thread of its own."""
    monkeypatch.setattr("scanner.run.engines.hands.POSSIBLE", False)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, blocking: None) -> Callable[[Callable[[NodeRequest], NodeResponse]], None]:
    """Let nodes be asked by a function of the test's instead."""
    del blocking

    def stand_in(answer: Callable[[NodeRequest], NodeResponse]) -> None:
        monkeypatch.setattr(run_module, "query_node", lambda call, gate=None: answer(call))

    return stand_in
