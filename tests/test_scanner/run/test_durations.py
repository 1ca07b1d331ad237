from __future__ import annotations

from datetime import timedelta

import pytest

from scanner.errors import UsageError
from scanner.run.durations import parse_duration, told_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("26h", timedelta(hours=26)),
        ("400d", timedelta(days=400)),
        ("90m", timedelta(minutes=90)),
        ("2w", timedelta(days=14)),
        ("1d12h", timedelta(hours=36)),
        (" 1D 12H ", timedelta(hours=36)),
    ],
)
def test_lengths_of_time(text: str, expected: timedelta) -> None:
    assert parse_duration(text, "--keep") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("26", "a unit is missing; write 26h or 26d"),
        ("", "expected a length of time such as 26h"),
        ("soon", "--keep 'soon': expected a length of time"),
        ("-3d", "expected a length of time"),
        ("1.5d", "expected a length of time"),
        ("3s", "units are w (weeks), d (days), h (hours), m (minutes)"),
        ("d", "expected a length of time"),
        ("0h", "more than nothing"),
        ("999999w", "at most 100 years"),
        ("9999999d", "expected a length of time"),
        ("٣d", "expected a length of time"),
    ],
)
def test_what_is_no_length_of_time(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text, "--keep")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (timedelta(seconds=-5), "0m"),
        (timedelta(seconds=59), "0m"),
        (timedelta(minutes=59), "59m"),
        (timedelta(hours=26, minutes=5), "26h 5m"),
        (timedelta(hours=26), "26h"),
        (timedelta(hours=48), "2d"),
        (timedelta(days=3, hours=4, minutes=59), "3d 4h"),
    ],
)
def test_how_they_are_told(length: timedelta, told: str) -> None:
    assert told_duration(length) == told
