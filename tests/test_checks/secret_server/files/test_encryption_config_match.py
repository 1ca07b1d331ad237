from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, ClusterView
from checks.outcome import Status
from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.files.encryption_config_match import CHECK, judge

Clusters = Callable[..., ClusterInfo]
Webs = Callable[..., ClusterView]

PATH = r"C:\inetpub\wwwroot\SecretServer\encryption.config"
DOWN = (EncryptionConfig, "node unreachable: connection refused")


def hashed(letter: str, *, efs: bool = False) -> EncryptionConfig:
    return EncryptionConfig(path=PATH, state="hashed", sha256=letter * 64, efs=efs, size_bytes=812)


def state(name: str, *, efs: bool = False, detail: str = "") -> EncryptionConfig:
    return EncryptionConfig(path=PATH, state=name, sha256="", efs=efs, size_bytes=None, detail=detail)


A, B, C = hashed("a"), hashed("b"), hashed("c")
MISSING = state("missing")
LOCKED = state("locked", detail="used by another process")


def test_the_same_file_everywhere_passes(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(dpapi="off"), A, A, A))
    assert outcome.status is Status.PASS
    assert outcome.message == "encryption.config is the same on all 3 web nodes"


def test_the_same_file_everywhere_asks_for_a_declaration_that_is_not_there(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(dpapi="unknown"), A, A, A))
    assert outcome.status is Status.WARN
    assert "whether DPAPI is on is not declared" in outcome.message
    assert outcome.remediation
    assert 'Declare dpapi = "on" or "off"' in outcome.remediation.summary


def test_with_dpapi_on_what_could_not_be_hashed_does_not_matter(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(dpapi="on"), state("denied", efs=True), state("denied", efs=True)))
    assert outcome.status is Status.SKIP
    assert "the hashes tell nothing" in outcome.message


def test_efs_that_is_declared_is_no_gap_and_one_that_is_not_says_what_to_declare(cluster: Clusters, webs: Webs) -> None:
    files = (A, state("denied", efs=True), state("denied", efs=True))
    undeclared = judge(webs(cluster(dpapi="off"), *files))
    assert undeclared.status is Status.ERROR
    assert undeclared.remediation
    assert 'efs = "on"' in undeclared.remediation.summary
    declared = judge(webs(cluster(dpapi="off", efs="on"), *files))
    assert declared.status is Status.SKIP
    assert "web2 and web3 cannot be compared, by design" in declared.message
    for other in (state("locked"), DOWN):
        assert judge(webs(cluster(dpapi="off", efs="on"), A, files[1], other)).status is Status.ERROR
    assert judge(webs(cluster(dpapi="off", efs="on"), A, B, files[1])).status is Status.FAIL


def test_the_outlier_is_named(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(dpapi="off"), A, B, A))
    assert outcome.status is Status.FAIL
    assert outcome.message == "encryption configs do not match: web2 differs from web1 and web3"
    assert "web2 bbbbbbbbbbbb" in outcome.observed


def test_two_against_two_names_both_groups(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(dpapi="off"), A, B, A, B))
    assert outcome.status is Status.FAIL
    assert outcome.message == "encryption configs do not match: web1 and web3 against web2 and web4"


def test_all_different_names_all(cluster: Clusters, webs: Webs) -> None:
    assert "web1 against web2 against web3" in judge(webs(cluster(dpapi="off"), A, B, C)).message


def test_different_with_dpapi_unknown_cannot_be_told(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), A, B, A))
    assert outcome.status is Status.ERROR
    assert outcome.message == "cannot tell: web2 differs from web1 and web3, which is consistent with DPAPI"
    assert outcome.remediation is not None
    assert "Declare dpapi" in outcome.remediation.summary


def test_different_under_dpapi_is_by_design(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(dpapi="on"), A, B, C))
    assert outcome.status is Status.SKIP
    assert "by design" in outcome.message


@pytest.mark.parametrize(("files", "names"), [((A, A, A), "web1, web2 and web3"), ((A, B, A), "web1 and web3")])
def test_a_copied_file_under_dpapi_is_a_warning(
    cluster: Clusters, webs: Webs, files: tuple[EncryptionConfig, ...], names: str
) -> None:
    outcome = judge(webs(cluster(dpapi="on"), *files))
    assert outcome.status is Status.WARN
    assert outcome.message.startswith(f"{names} have the same file although DPAPI is on")
    assert outcome.remediation is not None
    assert "own file" in outcome.remediation.summary


def test_a_copied_file_is_told_though_a_node_is_down(cluster: Clusters, webs: Webs) -> None:
    assert judge(webs(cluster(dpapi="on"), A, A, DOWN)).status is Status.WARN


@pytest.mark.parametrize("dpapi", ["on", "off", "unknown"])
def test_a_missing_file_fails(cluster: Clusters, webs: Webs, dpapi: str) -> None:
    outcome = judge(webs(cluster(dpapi=dpapi), A, MISSING, A))
    assert outcome.status is Status.FAIL
    assert outcome.message == "encryption.config is missing on web2"
    assert f"web2 missing ({PATH})" in outcome.observed


def test_missing_everywhere_is_a_wrong_root_rather_than_a_lost_key(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(dpapi="off"), MISSING, MISSING))
    assert outcome.status is Status.ERROR
    assert "is `web_root` right?" in outcome.message


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (LOCKED, "web2: locked (used by another process)"),
        (state("denied", detail="access is denied"), "web2: denied (access is denied)"),
        (state("unreadable"), "web2: unreadable"),
        (state("denied", efs=True, detail="access is denied"), "web2: EFS set, hash not readable"),
    ],
)
def test_a_file_that_cannot_be_read_is_not_compared(
    cluster: Clusters, webs: Webs, file: EncryptionConfig, text: str
) -> None:
    outcome = judge(webs(cluster(dpapi="off"), A, file, A))
    assert outcome.status is Status.ERROR
    assert text in outcome.message


def test_efs_that_can_be_read_is_compared(cluster: Clusters, webs: Webs) -> None:
    assert judge(webs(cluster(dpapi="off"), hashed("a", efs=True), A)).status is Status.PASS


@pytest.mark.parametrize("third", [DOWN, LOCKED])
def test_a_proven_mismatch_fails_without_the_third_node(cluster: Clusters, webs: Webs, third: object) -> None:
    outcome = judge(webs(cluster(dpapi="off"), A, B, third))
    assert outcome.status is Status.FAIL
    assert "web1 against web2; not compared: web3" in outcome.message


@pytest.mark.parametrize("dpapi", ["on", "off", "unknown"])
def test_an_unreached_node_leaves_it_open(cluster: Clusters, webs: Webs, dpapi: str) -> None:
    files = (A, B, DOWN) if dpapi == "on" else (A, A, DOWN)
    outcome = judge(webs(cluster(dpapi=dpapi), *files))
    assert outcome.status is Status.ERROR
    assert "web3: node unreachable" in outcome.message


def test_nobody_answered(cluster: Clusters, webs: Webs) -> None:
    assert judge(webs(cluster(dpapi="off"), DOWN, DOWN)).status is Status.ERROR


def test_one_web_node_has_nothing_to_be_compared_with(cluster: Clusters, webs: Webs) -> None:
    assert judge(webs(cluster(dpapi="off"), A)).status is Status.SKIP
    assert judge(webs(cluster(dpapi="off"), DOWN)).status is Status.ERROR


def test_the_target_does_not_matter(cluster: Clusters, webs: Webs) -> None:
    assert judge(webs(cluster(None, dpapi="off"), A, A)).status is Status.PASS


def test_the_remedy_never_tells_to_delete_a_key() -> None:
    assert "Never delete" in CHECK.remediation.summary
    assert CHECK.remediation.url.startswith("https://")


EMPTY = EncryptionConfig(path=PATH, state="hashed", sha256=hashlib.sha256().hexdigest(), efs=False, size_bytes=0)


@pytest.mark.parametrize("dpapi", ["on", "off", "unknown"])
def test_empty_files_are_equal_and_hold_no_key(cluster: Clusters, webs: Webs, dpapi: str) -> None:
    outcome = judge(webs(cluster(dpapi=dpapi), EMPTY, EMPTY))
    assert outcome.status is Status.FAIL
    assert outcome.message == "encryption.config is empty on web1 and web2, so it holds no key"


def test_an_empty_file_counts_where_nothing_can_be_compared(cluster: Clusters, webs: Webs) -> None:
    assert judge(webs(cluster(), EMPTY)).status is Status.FAIL
    outcome = judge(webs(cluster(), EMPTY, MISSING, DOWN))
    assert outcome.status is Status.FAIL
    assert "empty on web1, so it holds no key, and missing on web2; not compared: web3" in outcome.message


def test_a_locked_file_is_said_to_be_locked_under_efs_too(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(dpapi="off"), A, state("locked", efs=True, detail="used by another process")))
    assert "web2: locked (used by another process)" in outcome.message


def test_two_of_three_equal_under_dpapi_names_the_copies(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(dpapi="on"), A, B, A))
    assert outcome.status is Status.WARN
    assert outcome.message.startswith("web1 and web3 have the same file although DPAPI is on")


@pytest.mark.parametrize(
    ("configs", "status"),
    [
        ((hashed("a", efs=True), state("denied")), Status.ERROR),
        ((hashed("a", efs=True), state("denied", efs=True)), Status.SKIP),
        ((hashed("a"), state("denied", efs=True), state("locked", efs=True)), Status.ERROR),
        ((state("denied", efs=True), state("unreadable", efs=True)), Status.SKIP),
        ((state("denied", efs=True), state("denied")), Status.ERROR),
    ],
)
def test_efs_excuses_only_the_files_that_it_keeps_from_being_read(
    cluster: Clusters, webs: Webs, configs: tuple[EncryptionConfig, ...], status: Status
) -> None:
    outcome = judge(webs(cluster(dpapi="off", efs="on"), *configs))
    assert outcome.status is status, outcome.message
