r"""Folders of Windows in commands: as their own machine calls them, and from another one."""

from __future__ import annotations

import pytest

from checks.runbook.windows_paths import (
    aside,
    is_same_folder,
    is_seen_from_here_alone,
    share_host,
    shared,
    tidy,
    url_host,
)

FILER = r"\\filer\web\SecretServer"


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        (r"C:\ss", r"C:\ss"),
        ("C:\\ss\\", r"C:\ss"),
        (' "C:\\ss\\\\bin" ', r"C:\ss\bin"),
        ("C:/ss/bin", r"C:\ss\bin"),
        (r"\\?\D:\ss", r"D:\ss"),
        (r"\\?\UNC\filer\web", r"\\filer\web"),
        ("D:\\", r"D:\."),
        ("\\\\filer\\\\web\\", r"\\filer\web"),
    ],
)
def test_a_folder_is_written_so_that_no_command_breaks_of_it(path: str, plain: str) -> None:
    assert tidy(path) == plain


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (FILER, FILER.upper() + "\\", True),
        (FILER, r"\\filer\web\Other", False),
        # The same words on two machines are two folders.
        (r"C:\ss", r"C:\ss", False),
        (FILER, None, False),
        (None, FILER, False),
    ],
)
def test_two_machines_share_a_folder_of_a_share_alone(one: str | None, other: str | None, *, same: bool) -> None:
    assert is_same_folder(one, other) is same


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        (r"c:\ss", r"\\web2\C$\ss"),
        (r"D:\.", r"\\web2\D$"),
        (FILER, FILER),
        ("relative", None),
        ("C:relative", None),
    ],
)
def test_another_machine_reaches_it_over_the_administrative_share(path: str, seen: str | None) -> None:
    assert shared("web2", path) == seen


@pytest.mark.parametrize(
    ("path", "beside"),
    [
        (r"C:\inetpub\wwwroot\SecretServer", r"C:\SecretServer-x"),
        (FILER, r"\\filer\web\SecretServer-x"),
        # A drive or a share as a whole has nothing beside it.
        ("D:\\.", None),
        ("D:\\", None),
        (r"\\filer\web", None),
        ("relative", None),
    ],
)
def test_what_is_moved_aside_stays_on_its_volume(path: str, beside: str | None) -> None:
    assert aside(path, "x") == beside


@pytest.mark.parametrize(
    ("host", "in_share", "in_url", "here_alone"),
    [
        ("web2", "web2", "web2", False),
        ("10.0.0.2", "10.0.0.2", "10.0.0.2", False),
        ("fd00::21", "fd00--21.ipv6-literal.net", "[fd00::21]", False),
        ("fe80::1%4", "fe80--1s4.ipv6-literal.net", "[fe80::1%4]", True),
        ("LOCALHOST.", "LOCALHOST.", "LOCALHOST.", True),
        (".", ".", ".", True),
        ("127.0.0.9", "127.0.0.9", "127.0.0.9", True),
        ("::1", "--1.ipv6-literal.net", "[::1]", True),
        ("100%web", "100%web", "100%web", False),
    ],
)
def test_a_host_is_written_as_each_place_takes_it(host: str, in_share: str, in_url: str, *, here_alone: bool) -> None:
    assert (share_host(host), url_host(host)) == (in_share, in_url)
    assert is_seen_from_here_alone(host) is here_alone
