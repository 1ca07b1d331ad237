"""Which version of a package is the newer one."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.engine.expect.ordering import VersionWishError, dpkg_order, fits, rpm_order, version_wishes

# From rpm's own test suite (tests/rpmvercmp.at) and from Debian Policy 5.6.12; facts alone.
RPM = [
    ("1.0", "1.0", 0),
    ("1.0", "2.0", -1),
    ("2.0.1", "2.0.1a", -1),
    ("2.0.1a", "2.0.1", 1),
    ("5.5p1", "5.5p10", -1),
    ("10xyz", "10.1xyz", -1),
    ("xyz10", "xyz10.1", -1),
    ("xyz.4", "8", -1),
    ("5.5p2", "5.6p1", -1),
    ("6.0.rc1", "6.0", 1),
    ("10b2", "10a1", 1),
    ("10.0001", "10.1", 0),
    ("10.0001", "10.0039", -1),
    ("4.999.9", "5.0", -1),
    ("20101121", "20101122", -1),
    ("2_0", "2.0", 0),
    ("a+", "a_", 0),
    ("1.0~rc1", "1.0", -1),
    ("1.0~rc1", "1.0~rc2", -1),
    ("1.0~rc1~git123", "1.0~rc1", -1),
    ("1.0^", "1.0", 1),
    ("1.0^git1", "1.0", 1),
    ("1.0^git1", "1.01", -1),
    ("1.0^git1~pre", "1.0^git1", -1),
    ("1.0^20160101", "1.0.1", -1),
    ("1.0^20160102", "1.0^20160101^git1", 1),
    ("1.0~rc1^git1", "1.0~rc1", 1),
]
DPKG = [
    ("1.0", "1.0~", 1),
    ("1.0~~", "1.0~~a", -1),
    ("1.0~~a", "1.0~", -1),
    ("1.0", "1.0a", -1),
    ("1.0a", "1.0+", -1),
    ("1.9", "1.10", -1),
    ("9.2p1", "9.2", 1),
    ("1.001", "1.1", 0),
]


@pytest.mark.parametrize(("one", "two", "order"), RPM)
def test_rpm(one: str, two: str, order: int) -> None:
    assert rpm_order(one, two) == order
    assert rpm_order(two, one) == -order


@pytest.mark.parametrize(("one", "two", "order"), DPKG)
def test_dpkg(one: str, two: str, order: int) -> None:
    assert dpkg_order(one, two) == order
    assert dpkg_order(two, one) == -order


PARTS = st.text(alphabet="0129aZ.+~", min_size=1, max_size=6).map(lambda text: f"1{text}")


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg here")
@settings(max_examples=60, deadline=None)
@given(PARTS, PARTS)
def test_it_is_what_dpkg_itself_says(one: str, two: str) -> None:
    word = {-1: "lt", 0: "eq", 1: "gt"}[dpkg_order(one, two)]
    done = subprocess.run(["dpkg", "--compare-versions", one, word, two], check=False, capture_output=True)
    assert done.returncode == 0, (one, word, two)


@pytest.mark.parametrize(
    ("installed", "text", "manager", "holds"),
    [
        ("1:9.2p1-2+deb12u3", ">=9.2", "dpkg", True),
        ("1:9.2p1-2+deb12u3", "==9.2p1", "dpkg", True),
        ("1:9.2p1-2+deb12u3", ">=9.2p1-2+deb12u4", "dpkg", False),
        ("1:9.2p1-2+deb12u3", ">=2:1", "dpkg", False),
        ("1:9.2p1-2+deb12u3", ">=9.2, <9.3", "dpkg", True),
        ("2.3.16~rc1-1", ">=2.3.16", "dpkg", False),
        ("7.4p1-23.el7_9", ">=7.4p1-22.el7_9", "rpm", True),
        ("7.4p1-23.el7_9", "7.4p1", "rpm", True),
        ("7.4p1-23.el7_9", "!=7.4p1", "rpm", False),
        ("14.38.33135.0", ">=14.38", "windows", True),
        ("1.2.3-rc1", ">=1.2.3", "", False),
        ("1.2.3rc1", ">=1.2.3", "", False),
        ("1.2.3", ">=1.2.3-rc1", "", True),
        ("3.0.11", ">3.0.9", "", True),
        ("9" * 6000 + ".1", ">=2", "", True),
        ("1.0+1", "==1.0.1", "rpm", True),
        ("1.0+1", "==1.0.1", "dpkg", False),
        ("9.2p1-2", ">=0:9.2", "dpkg", True),
        ("9.2p1-2", ">=1:1.0", "dpkg", False),
        ("1:9.2p1-2", "<=0:9.9", "dpkg", False),
        ("1:9.2p1-2", "==1:9.2p1", "dpkg", True),
        ("1:9.2p1-2", "<2:1.0", "rpm", True),
    ],
)
def test_what_a_condition_does_not_name_does_not_count(installed: str, text: str, manager: str, holds: bool) -> None:
    assert fits(installed, text, manager=manager) is holds


@pytest.mark.parametrize("manager", ["dpkg", "rpm", ""])
@pytest.mark.parametrize(
    ("condition", "older", "same", "newer"),
    [
        (">=", False, True, True),
        ("<=", True, True, False),
        ("==", False, True, False),
        ("=", False, True, False),
        ("", False, True, False),
        ("!=", True, False, True),
        (">", False, False, True),
        ("<", True, False, False),
    ],
)
def test_a_condition_holds_on_its_own_side(condition: str, older: bool, same: bool, newer: bool, manager: str) -> None:
    found = [fits(version, f"{condition}1.2.3", manager=manager) for version in ("1.2.2", "1.2.3", "1.2.4")]
    assert found == [older, same, newer]


@pytest.mark.parametrize("text", ["", ">=", "latest!", ">=1,,<2", "~=1.2", "1.*", ">= -1"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(VersionWishError, match="is no condition"):
        version_wishes(text)
