"""The files of secrets of each role."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterView
from checks.chef_backend.backend.config_settings import digest
from checks.chef_backend.facts.cluster import ChefBackendVersion
from checks.chef_backend.facts.machine import ConfigDigest, SecretsFile, SecretsFiles
from checks.chef_backend.secrets.match import CHECK, judge
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Status

Chefs = Callable[..., ClusterView]
KNOWN = ConfigDigest(state="read", named=())
ROLES = ("backend", "backend", "backend", "frontend", "frontend")


def secrets(backend: str = "", frontend: str = "", mode: str = "", owner: str = "") -> list[object]:
    def file(content: str, *right: str) -> SecretsFile:
        if content in ("missing", "denied", ""):
            return SecretsFile(path="/etc/secrets.json", state=content or "missing")
        user, group = (owner or right[1]).split(":")
        return SecretsFile(
            path="/etc/secrets.json",
            state="hashed",
            sha256=content * 64,
            mode=mode or right[0],
            owner=user,
            group=group,
        )

    return [SecretsFiles(file(backend, "640", "root:chef_pgsql"), file(frontend, "600", "root:root")), KNOWN]


def healthy() -> list[list[object]]:
    return [*(secrets("a") for _ in range(3)), *(secrets("", "b") for _ in range(2))]


def test_equal_files_in_each_role_pass(chefs: Chefs) -> None:
    outcome = judge(chefs(*healthy(), roles=ROLES))
    assert (outcome.status, outcome.message) == (Status.PASS, "the same secrets on 3 backends and 2 frontends")
    assert judge(chefs(secrets("a"), secrets("a"))).status is Status.PASS


def test_an_outlier_is_named(chefs: Chefs) -> None:
    outcome = judge(chefs(secrets("a"), secrets("b"), secrets("a")))
    assert outcome.status is Status.FAIL
    assert "backend-2 differs from backend-1 and backend-3" in outcome.message


def test_frontends_are_compared_among_themselves(chefs: Chefs) -> None:
    outcome = judge(chefs(*healthy()[:4], secrets("", "c"), roles=ROLES))
    assert outcome.status is Status.FAIL
    assert "frontend-4 against frontend-5" in outcome.message


def test_a_missing_file_fails(chefs: Chefs) -> None:
    outcome = judge(chefs(secrets("a"), secrets("missing"), secrets("a")))
    assert outcome.status is Status.FAIL
    assert "missing on backend-2" in outcome.message


def test_a_denied_file_is_unknown_and_says_what_is_needed(chefs: Chefs) -> None:
    outcome = judge(chefs(secrets("a"), secrets("denied"), secrets("a")))
    assert outcome.status is Status.ERROR
    assert "needs root" in outcome.message


@pytest.mark.parametrize(
    ("mode", "owner", "status", "says"),
    [
        ("640", "root:chef_pgsql", Status.PASS, ""),
        ("0640", "root:chef_pgsql", Status.PASS, ""),
        ("600", "root:root", Status.FAIL, "leaderl, which needs it at a failover, may not read"),
        ("640", "root:root", Status.FAIL, "may not read"),
        ("600", "root:chef_pgsql", Status.FAIL, "may not read"),
        ("640", "root:UNKNOWN", Status.FAIL, "may not read"),
        ("640", "root:staff", Status.FAIL, "may not read"),
        ("640", "kim:kim", Status.FAIL, "may not read"),
        ("644", "root:chef_pgsql", Status.FAIL, "everybody may get at /etc/secrets.json (root:chef_pgsql 0644)"),
        ("644", "root:root", Status.FAIL, "everybody may get at"),
        ("642", "root:chef_pgsql", Status.FAIL, "everybody may get at"),
        ("600", "chef_pgsql:chef_pgsql", Status.WARN, "instead of root:chef_pgsql 0640"),
        ("660", "root:chef_pgsql", Status.WARN, "instead of root:chef_pgsql 0640"),
        ("440", "root:chef_pgsql", Status.WARN, "instead of root:chef_pgsql 0640"),
    ],
)
def test_leaderl_and_nobody_else_is_to_read_it(chefs: Chefs, mode: str, owner: str, status: Status, says: str) -> None:
    view = chefs([*secrets("a"), KNOWN], [*secrets("a", mode=mode, owner=owner), KNOWN])
    outcome = judge(view)
    assert outcome.status is status
    assert says in outcome.message
    if status is not Status.PASS:
        assert "backend-2" in outcome.message
        assert outcome.remediation
        assert outcome.remediation.command == (
            "sudo chown root:chef_pgsql /etc/secrets.json && sudo chmod 0640 /etc/secrets.json"
        )


def test_the_same_cause_on_several_nodes_is_told_once(chefs: Chefs) -> None:
    outcome = judge(chefs(*([*secrets("a", mode="600", owner="root:root"), KNOWN] for _ in range(3))))
    assert outcome.message.startswith("backend-1, backend-2 and backend-3: leaderl, which needs it at a failover")
    assert outcome.message.count("may not read") == 1


def test_the_group_that_the_configuration_names_is_the_right_one(chefs: Chefs) -> None:
    own = ConfigDigest(
        state="read", named=(("leaderl.runsv_group", digest("vault")), ("leaderl.username", digest("leader")))
    )
    assert judge(chefs([*secrets("a", owner="root:vault"), own], [*secrets("a"), KNOWN])).status is Status.PASS
    assert judge(chefs([*secrets("a", mode="600", owner="leader:x"), own])).status is Status.WARN
    unread = judge(chefs([*secrets("a", owner="root:vault"), (ConfigDigest, "denied")]))
    assert (unread.status, "is not known" in unread.message) == (Status.ERROR, True)


def test_right_by_default_is_not_known_to_be_right_where_chef_backend_rb_cannot_be_read(chefs: Chefs) -> None:
    outcome = judge(chefs([*secrets("a"), (ConfigDigest, "denied")], secrets("a")))
    assert outcome.status is Status.ERROR
    assert "is right where leaderl runs as chef_pgsql" in outcome.message
    assert "denied" in outcome.message


def test_before_1_2_the_vendor_documented_other_rights(chefs: Chefs) -> None:
    def at(version: str) -> Status:
        return judge(chefs([*secrets("a", mode="600", owner="root:root"), ChefBackendVersion(version), KNOWN])).status

    assert [at(version) for version in ("1.1.2", "1.2.5", "1.4.6", "2.3.16", "?")] == [Status.WARN] + [Status.FAIL] * 4


@pytest.mark.parametrize(
    ("mode", "owner", "status"),
    [
        *(("600", "root:root", Status.PASS), ("640", "root:root", Status.PASS), ("400", "root:x", Status.PASS)),
        *(("600", "opscode:opscode", Status.WARN), ("640", "root:opscode", Status.WARN)),
        *(("644", "root:root", Status.FAIL), ("604", "opscode:opscode", Status.FAIL)),
    ],
)
def test_the_frontends_file_is_roots_alone(chefs: Chefs, mode: str, owner: str, status: Status) -> None:
    outcome = judge(chefs(secrets("", "b", mode=mode, owner=owner), roles=("frontend",)))
    assert outcome.status is status
    if status is not Status.PASS:
        assert outcome.remediation
        assert outcome.remediation.command.startswith("sudo chown root:root /etc/secrets.json")


def test_who_owns_it_is_not_known_of_answers_to_an_earlier_preflight(chefs: Chefs) -> None:
    def old(mode: str) -> SecretsFiles:
        backend = SecretsFile(path="/etc/secrets.json", state="hashed", sha256="a" * 64, mode=mode)
        return SecretsFiles(backend, SecretsFile(path="/etc/x.json", state="missing"))

    assert judge(chefs([old("640")])).status is Status.ERROR
    assert judge(chefs([old("644")])).status is Status.FAIL
    assert judge(chefs([old("")])).status is Status.WARN


def test_what_helps_against_other_secrets_comes_before_what_repairs_their_rights(chefs: Chefs) -> None:
    outcome = judge(chefs(secrets("a"), secrets("b", mode="600", owner="root:root")))
    assert outcome.remediation
    assert "bring their file to the outlier" in outcome.remediation.summary


def test_a_garbled_answer_or_a_node_that_is_down_is_no_pass(chefs: Chefs) -> None:
    for other in ([(SecretsFiles, "not understood")], None):
        view = chefs(secrets("a"), other)
        names = frozenset(node.name for node in view.nodes)
        (result,) = evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, names)])
        assert result.status is Status.ERROR


def test_no_hash_is_shown_whole_in_the_message(chefs: Chefs) -> None:
    assert "a" * 64 not in judge(chefs(secrets("a"), secrets("b"))).message


@pytest.mark.parametrize(
    ("version", "status"),
    [("1.1.9", Status.WARN), ("1.2", Status.FAIL), ("1.2.0", Status.FAIL), ("no version", Status.FAIL)],
)
def test_what_was_right_before_1_2_warns_there_alone(chefs: Chefs, version: str, status: Status) -> None:
    old = [*secrets("a", mode="600", owner="root:root"), KNOWN, ChefBackendVersion(version)]
    outcome = judge(chefs(old, old))
    assert outcome.status is status
    assert ("before 1.2 the vendor documented root and 0600" in outcome.message) is (status is Status.WARN)
