"""Which Chef Backend a machine runs: what `chef-backend-ctl --version` says, held beside the package's own version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.chef_backend.facts.cluster import ChefBackendVersion
from checks.chef_backend.facts.machine import InstalledPackage
from checks.chef_backend.installed import read_installed
from checks.facts import Unknown
from scanner.testing import node_view


def installed(said: str, package: InstalledPackage | Unknown) -> tuple[str | None, str]:
    view = node_view("chef-backend", ChefBackendVersion(said))
    found = read_installed(replace(view, facts={**view.facts, InstalledPackage: package}))
    assert found.read == (found.version is not None), "what is not known was not read"
    return found.version, found.problem


def package(version: str, manifest: str) -> InstalledPackage:
    return InstalledPackage(
        manager="rpm", version=version, state="installed", installed_s=1, now_s=2, manifest=manifest
    )


@pytest.mark.parametrize(
    ("said", "other"),
    [
        ("2.3.16", package("2.3.16-1.el7", "2.3.16")),
        ("2.3.16", package("2.3.16-1.el7", "2.3.1")),  # one that agrees is enough: the manifest is told elsewhere
        ("2.0.30+20180629083321", package("1:2.0.30+20180629083321-1", "2.0.30+20180629083321")),
        ("2.3.16", package("2.2.5-1", "2.2.5")),  # another version, and no half of it
        ("2.3.16", Unknown("denied")),
        ("2.3.16", package("", "")),
        ("2.3.1", package("not known", "neither")),
    ],
)
def test_a_whole_version_stands(said: str, other: InstalledPackage | Unknown) -> None:
    assert installed(said, other) == (said.partition("+")[0], "")


def test_what_is_no_version_is_none_and_was_not_read() -> None:
    version, problem = installed("not found", Unknown("denied"))
    assert version is None
    assert "not found" in problem
    unread = read_installed(node_view("chef-backend", unknown={ChefBackendVersion: "denied"}))
    assert (unread.version, unread.read, unread.problem) == (None, False, "denied")


@pytest.mark.parametrize("said", ["2.3.1", "2.3.1-1"])
def test_half_a_version_is_none(said: str) -> None:
    version, problem = installed(said, package("2.3.16-1.el7", "2.3.16"))
    assert version is None
    assert problem == (
        "`chef-backend-ctl --version` says 2.3.1, which is half of what others say: rpm 2.3.16 and its manifest 2.3.16"
    )
