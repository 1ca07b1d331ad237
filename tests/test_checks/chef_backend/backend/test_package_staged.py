"""The target's package on every backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checks.check import ClusterView
from checks.chef_backend.backend.package_staged import judge
from checks.chef_backend.facts.machine import StagedPackage
from checks.outcome import Status

Chefs = Callable[..., ClusterView]
PATH = "/srv/chef-backend-2.3.16-1.el7.x86_64.rpm"


def staged(version: str = "2.3.16-1.el7", sha256: str = "a" * 64, name: str = "chef-backend") -> StagedPackage:
    return StagedPackage(
        path="declared", state="hashed", size_bytes=1, sha256=sha256, name=name if version else "", version=version
    )


def view(chefs: Chefs, *facts: object, package: str = PATH, **changes: Any) -> ClusterView:
    return chefs(*([fact] for fact in facts), package=package, **changes)


def test_the_same_package_of_the_target_passes(chefs: Chefs) -> None:
    outcome = judge(view(chefs, staged(), staged(), staged()))
    assert outcome.status is Status.PASS
    assert outcome.message == "2.3.16 lies ready on backend-1, backend-2 and backend-3"


def test_nothing_declared_is_not_applicable_nor_is_after_the_window(chefs: Chefs) -> None:
    assert judge(view(chefs, StagedPackage(path="", state="undeclared"), package="")).status is Status.SKIP
    assert judge(view(chefs, staged(), phase="after")).status is Status.SKIP


def test_declared_for_some_is_not_enough(chefs: Chefs) -> None:
    whole = view(chefs, staged(), StagedPackage(path="", state="undeclared"))
    bare = replace(whole.nodes[1], options={})
    outcome = judge(replace(whole, nodes=(whole.nodes[0], bare)))
    assert outcome.status is Status.ERROR
    assert "backend-2" in outcome.message


@pytest.mark.parametrize(
    ("state", "words"), [("missing", "is not there"), ("no-file", "is no file"), ("empty", "is empty")]
)
def test_what_is_not_there_fails(chefs: Chefs, state: str, words: str) -> None:
    outcome = judge(view(chefs, staged(), StagedPackage(path="declared", state=state)))
    assert outcome.status is Status.FAIL
    assert f"backend-2: {PATH} {words}" in outcome.message


@pytest.mark.parametrize("state", ["denied", "too-large"])
def test_what_could_not_be_hashed_is_unknown(chefs: Chefs, state: str) -> None:
    assert judge(view(chefs, staged(), StagedPackage(path="declared", state=state))).status is Status.ERROR


def test_another_content_names_the_outlier(chefs: Chefs) -> None:
    outcome = judge(view(chefs, staged(), staged(), staged(sha256="b" * 64)))
    assert outcome.status is Status.FAIL
    assert "backend-3 differs" in outcome.message


def test_a_cluster_of_two_distributions_has_a_package_of_each_kind(chefs: Chefs) -> None:
    deb = staged("2.3.16-1", sha256="b" * 64)
    whole = view(chefs, staged(), deb, deb)
    named = [replace(node, options={"package": "/srv/chef-backend_2.3.16-1_amd64.deb"}) for node in whole.nodes[1:]]
    mixed = replace(whole, nodes=(whole.nodes[0], *named))
    assert judge(mixed).status is Status.PASS
    odd = replace(named[1], facts={StagedPackage: staged("2.3.16-1", sha256="c" * 64)})
    outcome = judge(replace(mixed, nodes=(whole.nodes[0], named[0], odd)))
    assert outcome.status is Status.FAIL
    assert "backend-2 against backend-3" in outcome.message


def test_another_version_or_product_fails(chefs: Chefs) -> None:
    assert "2.2.5, not the target 2.3.16" in judge(view(chefs, staged("2.2.5-1"))).message
    assert judge(view(chefs, staged("2.2.5-1"))).status is Status.FAIL
    assert judge(view(chefs, staged(name="chef-server-core"))).status is Status.FAIL


def test_a_version_from_the_name_alone_warns(chefs: Chefs) -> None:
    assert judge(view(chefs, staged(""))).status is Status.WARN
    outcome = judge(view(chefs, staged(""), target="2.3.10"))
    assert outcome.status is Status.WARN
    assert "not the target 2.3.10" in outcome.message


def test_no_version_at_all_and_no_target_are_unknown(chefs: Chefs) -> None:
    assert judge(view(chefs, staged(""), package="/srv/new.rpm")).status is Status.ERROR
    assert judge(view(chefs, staged(), target=None)).status is Status.ERROR
