from __future__ import annotations

import pytest

from checks.versions import (
    VersionError,
    is_wrapped,
    parse_file_version,
    parse_secret_server,
    parse_version,
    secret_server_text,
)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("9.1.000001", "10.0.000000"),
        ("10.9.000005", "10.9.000033"),
        ("10.9.000099", "10.10.000001"),
        ("8.9.000000", "8.10.000000"),
        ("10.9.000064", "12.3.000024"),
    ],
)
def test_parts_are_compared_as_numbers(older: str, newer: str) -> None:
    assert parse_secret_server(older) < parse_secret_server(newer)


@pytest.mark.parametrize(
    "text",
    [
        *("10.9000005", "8.9", "10.9.5", "10.9.0000005", "v10.9.000005", "10.9.000005.1", "", "ten", "10.9.00000x"),
        *("11.07.000049", "011.7.000049", "\uff11\uff11.7.000049", "11.7.\u0660\u0660\u0660\u0660\u0664\u0669"),
    ],
)
def test_malformed_product_versions_are_refused(text: str) -> None:
    with pytest.raises(VersionError, match="six digits"):
        parse_secret_server(text)


def test_blanks_around_a_version_do_not_matter() -> None:
    assert parse_secret_server(" 10.9.000005\n") == parse_secret_server("10.9.000005")


@pytest.mark.parametrize(
    ("read", "text"), [("10.9.5.0", "10.9.000005"), ("10.9.64", "10.9.000064"), ("11.7", "11.7.000000")]
)
def test_file_versions_stand_for_product_versions(read: str, text: str) -> None:
    version = parse_file_version(read)
    assert secret_server_text(version) == text
    assert parse_secret_server(text).release[:3] == (*version.release, 0, 0)[:3]


@pytest.mark.parametrize("text", ["", "10", "10.9.5.0 (WinBuild)", "10,9,5,0", "1.2.3.4.5", "10.9.x"])
def test_malformed_file_versions_are_refused(text: str) -> None:
    with pytest.raises(VersionError):
        parse_file_version(text)


def test_any_dotted_version_is_read() -> None:
    assert parse_version("2.3.16") < parse_version("3.0")
    with pytest.raises(VersionError, match="'latest' is no version"):
        parse_version("latest")


@pytest.mark.parametrize("text", ["\uff11\uff10.9", "10.\u0669"])
def test_digits_that_are_not_plain_are_no_version(text: str) -> None:
    with pytest.raises(VersionError):
        parse_version(text)
    with pytest.raises(VersionError):
        parse_file_version(text)


@pytest.mark.parametrize(
    ("read", "full", "wrapped"),
    [
        ("8.9.037856", "8.9.300000", True),
        ("8.9.037864", "8.9.300008", True),
        ("8.9.037857", "8.9.300000", False),
        ("8.9.037856", "8.9.037856", False),
        ("8.8.037856", "8.9.300000", False),
        ("8.9.300000", "8.9.037856", False),
    ],
)
def test_a_build_above_16_bits_is_known_by_its_rest(read: str, full: str, wrapped: bool) -> None:
    assert is_wrapped(read, full) is wrapped
