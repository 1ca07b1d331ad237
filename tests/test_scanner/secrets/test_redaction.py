"""Secrets are found however they are spelled, wrapped and cut, and what is no secret stays as it is."""

from __future__ import annotations

import base64
import html
import json
import pickle
import shlex
import textwrap
import time
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.probes.batch import sh
from scanner.probes.probe import Answer
from scanner.secrets.redaction import NOTHING_SECRET, Redactor

SECRETS = (
    "Canary-7f3a9c-Kanari",
    "p w\"d'with\\all`of^it$",
    "100%41&amp;<b>'x'\\n\\u0041",
    "Kanárek-Ünïcode-10",
    "Kanari€nvogel\U0001f424!",
    "a+b/c=d+e/f=g~1",
    "N3w\\table\\x41\\u00e9\\rest",
)


def percent(secret: str) -> str:
    return "".join(f"%{byte:02x}" for byte in secret.encode())


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": json.dumps,
    "JSON, not ASCII alone": lambda secret: json.dumps(secret, ensure_ascii=False),
    "JSON in JSON": lambda secret: json.dumps(json.dumps(secret)),
    "JSON, each character": lambda secret: "".join(f"\\u{ord(c):04X}" if ord(c) < 65536 else c for c in secret),
    "percent": lambda secret: urllib.parse.quote(secret, safe=""),
    "percent, all of it": percent,
    "percent, twice": lambda secret: urllib.parse.quote(percent(secret), safe=""),
    "form": urllib.parse.quote_plus,
    "HTML": html.escape,
    "HTML, twice": lambda secret: html.escape(html.escape(secret)),
    "decimal entities": lambda secret: "".join(f"&#{ord(c)};" for c in secret),
    "hexadecimal entities": lambda secret: "".join(f"&#x{ord(c):X};" for c in secret),
    "sh, single quotes": shlex.quote,
    "sh, double quotes": lambda secret: '"' + "".join("\\" + c if c in '"\\$`' else c for c in secret) + '"',
    "sh, dollar quotes": lambda secret: "$'" + secret.replace("\\", "\\\\").replace("'", "\\'") + "'",
    "PowerShell, single quotes": lambda secret: "'" + secret.replace("'", "''") + "'",
    "PowerShell, double quotes": lambda secret: '"' + "".join("`" + c if c in '"`$' else c for c in secret) + '"',
    "cmd.exe": lambda secret: "".join("^" + c if c in '&|<>^()%!"' else c for c in secret),
    "repr": repr,
    "ascii": ascii,
    "repr of bytes": lambda secret: repr(secret.encode()),
    "CLIXML": lambda secret: "".join(c if c.isascii() and c.isalnum() else f"_x{ord(c):04X}_" for c in secret),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "BitConverter": lambda secret: secret.encode("utf-16-le").hex("-").upper(),
    "UTF-8 read as Latin-1": lambda secret: secret.encode().decode("latin-1"),
    "UTF-16 read as UTF-8": "\0".join,
    "spaced out": " ".join,
    "coloured": lambda secret: f"{secret[:5]}\x1b[1;31m{secret[5:]}\x1b[0m",
}
for coding in ("utf-8", "utf-16-le"):
    for shift in range(3):
        name = f"Base64 of {coding} at {shift}"

        def coded(secret: str, *, coding: str = coding, shift: int = shift, url: bool = False) -> str:
            encode = base64.urlsafe_b64encode if url else base64.b64encode
            return encode(b"abc"[:shift] + secret.encode(coding) + b"xy").decode()

        SPELLINGS[name] = coded
        SPELLINGS[f"{name}, for URLs"] = lambda secret, coded=coded: coded(secret, url=True)  # type: ignore[misc]
        SPELLINGS[f"{name}, in JSON"] = lambda secret, coded=coded: json.dumps(textwrap.fill(coded(secret), 19))  # type: ignore[misc]

WRAPS: dict[str, Callable[[str], str]] = {
    "whole": str,
    "wrapped": lambda text: "\n    ".join(text[at : at + 9] for at in range(0, len(text), 9)),
    "wrapped, CRLF": lambda text: "\r\n".join(text[at : at + 5] for at in range(0, len(text), 5)),
}


def hide(*secrets: str) -> Redactor:
    return Redactor(frozenset((secret, "operator") for secret in secrets))


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_found_however_it_is_spelled(spelling: str, wrap: str) -> None:
    for secret in SECRETS:
        if spelling == "CLIXML" and any(ord(c) > 0xFFFF for c in secret):
            continue  # it writes surrogates there, as two
        written = WRAPS[wrap](SPELLINGS[spelling](secret))
        told = hide(secret)(f"before it {{{written}}} after it")
        assert told.startswith("before it {"), secret
        assert told.endswith("} after it"), secret
        rest = told[len("before it {") : -len("} after it")]
        # What surrounds it in Base64, and quotes around all of it, may stay.
        left = "".join(c for c in rest.replace("***", "", 1) if not c.isspace() and c not in "'\"\\$b^`\x1b[0m")
        assert "***" in rest, (secret, written)
        assert len(left) <= (16 if spelling.startswith("Base64") else 5), (secret, rest)


@settings(max_examples=150)
@given(
    st.text(st.sampled_from("ab%41\\nrx25u&amp;lt;+/= '\"^`äß€\U0001f424Z9"), min_size=8, max_size=24),
    st.sampled_from([name for name in SPELLINGS if "UTF-16 read" not in name and name != "CLIXML"]),
)
def test_no_secret_is_so_odd_that_it_is_missed(secret: str, spelling: str) -> None:
    from scanner.secrets.spellings import plain, squeezed

    if len(plain(squeezed(secret.encode()))) < 8 or spelling == "coloured":
        return
    assert "***" in hide(secret)(f"before it |{SPELLINGS[spelling](secret)}| after it")


@pytest.mark.parametrize("mark", ["…", "...", " (truncated)", "[cut]"])
def test_no_half_of_a_secret_is_left_beside_a_cut(mark: str) -> None:
    secret = SECRETS[0]
    for end in range(len(secret) + 1):
        told = hide(secret)(f"login as operator with {secret[:end]}{mark} and then")
        assert runs(secret, told) == [], end
        told = hide(secret)(f"{mark[:3]}{secret[end:]} was refused") if mark in ("…", "...") else ""
        assert runs(secret, told) == [], end


def test_no_half_of_a_secret_is_left_where_an_answer_was_cut() -> None:
    """At each byte at which the node's, or our own, bound may fall."""
    secret = SECRETS[0]
    body = f"the log says {secret} and goes on".encode()
    for most in range(1, len(body)):
        sent, last = body[: most + 1], body[-most - 1 :]
        output = b"\nN0 begin log 9 %d\n%s\nN0 errors log %d\n%s\nN0 end log 0\nN0 done\n" % (most, sent, most, last)
        answer = sh.parse(output, nonce="N0", probe_ids=["log"], hide=hide(secret))["log"]
        assert isinstance(answer, Answer)
        assert answer.truncated
        assert runs(secret, answer.output + answer.error_output) == [], most


def test_no_half_of_a_secret_is_left_where_an_answer_ends_in_the_middle() -> None:
    secret = SECRETS[0]
    said = f"Welcome! {secret} " * 3
    for end in range(len(said)):
        answer = sh.parse(said[:end].encode(), nonce="N0", probe_ids=["log"], hide=hide(secret))["log"]
        assert runs(secret, str(answer)) == [], end


def runs(secret: str, text: str) -> list[str]:
    return [secret[at : at + 6] for at in range(len(secret) - 5) if secret[at : at + 6] in text]


def test_what_only_begins_like_a_secret_stays() -> None:
    text = "SecretServer is installed in C:\\inetpub\\SecretServer"
    assert hide("SecretServer-Admin-2024")(text) is text


@pytest.mark.parametrize("secret", ["x", "ab", "abc", "true", "root", "Pw-12"])
def test_a_short_secret_destroys_no_answer_and_shows_in_no_login(secret: str) -> None:
    """In an answer it is a word like others; beside its user, and in a header, it is a password."""
    redactor = hide(secret)
    answer = f'{{"answer": "{secret}", "state": true, "by": "root", "table": [1, 2], "x": "abc"}}'
    assert redactor.json(answer) == answer
    header = base64.b64encode(f"operator:{secret}".encode()).decode()
    assert redactor(f"Basic {header} is operator:{secret}") == "Basic *** is ***"
    if len(secret) >= 4:
        assert redactor.message(f"no login with {secret}!") == "no login with ***!"
        assert redactor.message(f"see {secret}ed") == f"see {secret}ed"


def test_json_stays_json() -> None:
    secret = "a,b:c-d,e"
    texts = {"list": ["a,b", "c-d,e"], f"x{secret}": [secret, {"y": f"see {secret}"}], "number": 12}
    told = hide(secret).json(json.dumps(texts))
    assert json.loads(told) == {"list": ["a,b", "c-d,e"], "x***": ["***", {"y": "see ***"}], "number": 12}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_look_at_many_texts_of_json_finds_what_a_look_at_each_finds(spelling: str) -> None:
    """Whatever stands before and behind: an answer may end in what begins an escape, or be a number."""
    for secret in SECRETS:
        told = json.dumps(SPELLINGS[spelling](secret))
        for before, behind in (
            ("12", "34"),
            ("\\", "u0041"),
            ("%25", "41"),
            ("&amp", ";"),
            ("\x1b[", "m"),
            ("…", "..."),
        ):
            texts = [json.dumps(before), told, json.dumps({behind: [behind, None]}), "7"]
            assert hide(secret).jsons(texts) == [hide(secret).json(text) for text in texts]


def test_texts_of_json_with_nothing_in_them_stay_as_they_are() -> None:
    texts = ['{"path": "C:\\\\inetpub"}', "12", '"SecretServer"', "null"]
    assert hide(*SECRETS).jsons(texts) == texts
    assert hide(*SECRETS).jsons([]) == []


def test_an_exception_is_cleaned_with_all_that_led_to_it() -> None:
    secret = SECRETS[0]
    cause = OSError(5, f"no {secret}", f"/tmp/{secret}")
    middle = ValueError(f"bad {secret}", [secret.encode()], cause)
    group = ExceptionGroup("several", [KeyError(secret)])
    error = RuntimeError(secret)
    error.__cause__, error.__context__, cause.__context__ = middle, cause, group
    error.response = f"body {secret}"  # type: ignore[attr-defined]
    hide(secret).cleanse(error)
    shown = [repr(each) + str(each) for each in (error, middle, cause, group.exceptions[0])]
    assert not any(secret in text for text in [*shown, repr(vars(error))])
    assert "***" in str(cause)


def test_it_goes_where_a_call_goes() -> None:
    redactor = hide(SECRETS[0])
    again = pickle.loads(pickle.dumps(redactor))
    assert again(SECRETS[0]) == "***"
    assert SECRETS[0] not in repr(redactor)
    assert NOTHING_SECRET(SECRETS[0]) == SECRETS[0]


WORST = {
    "beginnings": "Canary-" * 20_000,
    "ends": "-Kanari" * 20_000,
    "the secret": "Canary-7f3a9c-Kanari " * 6_000,
    "backslashes": "\\" * 131_072,
    "percents": "%25" * 43_000,
    "entities": "&amp;" * 26_000,
    "letters": "C" * 131_072,
    "marks": "Canary..." * 14_000,
    "blanks": "C a n a r y - " * 9_000,
}


@pytest.mark.parametrize("kind", WORST)
def test_the_worst_text_takes_no_longer_than_its_length(kind: str) -> None:
    redactor = hide(*SECRETS)
    redactor("warm")
    took = []
    for text in (WORST[kind], WORST[kind] * 4):
        began = time.process_time()
        redactor(text)
        took.append(time.process_time() - began)
    assert took[1] < max(1.0, took[0] * 12)
