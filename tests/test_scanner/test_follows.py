"""What only follows from a node that was not asked is told as that: its cause by name, that cause's remedy alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from checks.check import ClusterCheck, ClusterInfo, ClusterView, NodeView
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.facts import Contact, Unknown
from checks.outcome import Outcome, Remediation, Result, Severity, Status, undetermined
from checks.registry import PRODUCTS
from checks.scan import CONNECTIVITY
from checks.secret_server.facts.sql import SecretServerDatabase
from reports.scan.json import render
from scanner.cli.options import resolve_options
from scanner.files.evidence.file import read_evidence
from scanner.run.judge import build_scan
from scanner.run.offline import saved_answers
from tests.recordings.collect import FOLDER, evidence_path

RECORDINGS = ("demo", "chef-healthy", "secret-server-healthy", "chef-estate")
DOWN = "no answer from port 22 (made up)"
Key = tuple[str, str, str | None]


def judged(recording: str, *, down: Sequence[str] = (), only: list[str] | None = None) -> dict[Key, Result]:
    """The recording's results, as if the nodes in `down` did not answer, or those in `only` alone were selected."""
    selection, job = resolve_options(FOLDER / f"{recording}.inventory.toml", node=only)
    file = read_evidence(evidence_path(recording))
    silent = Unknown("not answered (see connectivity)")
    nodes = tuple(
        replace(
            each,
            said=replace(each.said, answers=dict.fromkeys(each.said.answers, silent), failure=DOWN, clock=None),
        )
        if each.said.node in down
        else each
        for each in file.evidence.nodes
    )
    file = replace(file, evidence=replace(file.evidence, nodes=nodes))
    now = file.evidence.finished + timedelta(hours=1)
    scan = build_scan(job, saved_answers(job, [file], now, narrowed=selection.narrowed), now.date())
    json.loads(render(scan))  # and every report can be made of it
    return {(row.check, row.cluster, row.node): row for row in scan.results}


def cases() -> Iterator[tuple[str, tuple[str, ...]]]:
    for recording in RECORDINGS:
        nodes = sorted({(row.cluster, row.node) for row in judged(recording).values() if row.node})
        for _, name in nodes:
            yield recording, (name or "",)
        for cluster in sorted({cluster for cluster, _ in nodes}):
            yield recording, tuple(name or "" for of, name in nodes if of == cluster)


CASES = list(cases())


def _told(row: Result) -> tuple[Status, bool]:
    return row.status, row.not_evaluated


def new_rows(recording: str, now: dict[Key, Result]) -> list[Result]:
    """What is told otherwise than with everybody there; what does not concern the cluster is no consequence."""
    before = judged(recording)
    return [
        row
        for key, row in now.items()
        if row.check != CONNECTIVITY
        and (key not in before or _told(before[key]) != _told(row))
        and not (row.status is Status.SKIP and row.node is None)
    ]


@pytest.mark.parametrize(("recording", "names"), CASES, ids=[f"{case[0]}-{'-'.join(case[1])}" for case in CASES])
def test_what_a_silent_node_keeps_from_being_told_follows_from_it(recording: str, names: tuple[str, ...]) -> None:
    rows = new_rows(recording, judged(recording, down=names))
    silent = {
        row.node for row in judged(recording).values() if row.check == CONNECTIVITY and row.status is Status.ERROR
    }
    assert len(rows) > 3 or silent >= set(names)
    for row in rows:
        assert row.follows, (row.check, row.message)
        assert set(row.follows) <= {f"{CONNECTIVITY}:{name}" for name in names}
        assert row.not_evaluated
        if row.status is Status.ERROR:
            assert row.remediation.summary.startswith(f"Clear what {CONNECTIVITY} says of ")
        assert row.remediation.command == ""


@pytest.mark.parametrize(("recording", "names"), CASES, ids=[f"{case[0]}-{'-'.join(case[1])}" for case in CASES])
def test_what_an_unselected_node_keeps_from_being_told_follows_from_the_selection(
    recording: str, names: tuple[str, ...]
) -> None:
    everybody = {row.node for row in judged(recording).values() if row.node}
    if not everybody - set(names):
        pytest.skip("nobody would be left")
    now = judged(recording, only=sorted(everybody - set(names)))
    rows = [row for row in new_rows(recording, now) if row.status is Status.ERROR]
    for row in rows:
        assert row.follows, (row.check, row.message)
        assert set(row.follows) <= {f"selection:{name}" for name in names}
        assert "selected, too" in row.remediation.summary
        assert CONNECTIVITY not in row.remediation.summary
        assert row.remediation.command == ""


def test_what_a_node_is_asked_itself_does_not_follow_from_another() -> None:
    rows = judged("demo", down=["vault-web2"]).values()
    assert {row.node for row in rows if row.follows} == {None, "vault-web2"}
    assert not [row for row in rows if row.check == CONNECTIVITY and row.follows]


# The rule is the engine's: no check has to know of it.

_GRANT = Remediation("Create the login.", "CREATE LOGIN [x] FROM WINDOWS")


def gathered(*nodes: tuple[str, object, str]) -> GatheredCluster:
    info = ClusterInfo("vault", "secret-server", definition=PRODUCTS[0])
    views = tuple(
        NodeView(
            cluster=info,
            name=name,
            host=name,
            roles=frozenset({"database"}),
            facts={
                SecretServerDatabase: fact,
                Contact: Contact(host=name, transport="winrm", failure=absence or None, asked=1, answered=0),
            },
            absence=absence,
        )
        for name, fact, absence in nodes
    )
    return GatheredCluster(info, views, frozenset(name for name, _, _ in nodes))


def strict(judge_it: Callable[[ClusterView], Outcome]) -> ClusterCheck:
    """A check as a plugin may have it: one remedy for whatever it lacks."""
    return ClusterCheck(
        id="theirs",
        title="Theirs",
        severity=Severity.LOW,
        doc="",
        remediation=_GRANT,
        facts=(SecretServerDatabase,),
        judge=judge_it,
    )


def lacking(view: ClusterView) -> Outcome:
    said = "; ".join(f"{name.name}: {reason}" for name, reason in view.without_fact(SecretServerDatabase))
    return undetermined(said or "nobody knows the owner", remediation=_GRANT)


DEAD = ("sql1", Unknown("not answered (see connectivity)", unanswered=True), "node unreachable: nobody listens")
REFUSED = ("sql2", Unknown("SQL Server refuses the login (18456)"), "")


@pytest.mark.parametrize(
    ("nodes", "follows", "command"),
    [
        ((DEAD,), ("connectivity:sql1",), ""),
        ((DEAD, REFUSED), (), _GRANT.command),
        ((REFUSED,), (), _GRANT.command),
    ],
)
def test_a_dead_listener_is_never_answered_with_create_login(
    nodes: tuple[tuple[str, object, str], ...], follows: tuple[str, ...], command: str
) -> None:
    (row,) = (row for row in evaluate([strict(lacking)], [gathered(*nodes)]) if row.check == "theirs")
    assert (row.status, row.follows, row.remediation.command) == (Status.ERROR, follows, command)


def test_what_would_be_in_the_way_without_the_dead_node_is_told_with_its_own_remedy() -> None:
    def undeclared(view: ClusterView) -> Outcome:
        known = [f"{node.name}: {reason}" for node, reason in view.without_fact(SecretServerDatabase)]
        return undetermined("; ".join([*known, "`owner` is not declared"]), remediation=Remediation("Declare `owner`."))

    alive = ("sql2", SecretServerDatabase, "")
    (row,) = evaluate([strict(undeclared)], [gathered(DEAD, alive)])
    assert row.follows == ()
    assert row.remediation.summary.startswith("Declare `owner`.")
