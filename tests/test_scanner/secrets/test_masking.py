"""Secrets that nobody told us of are not shown, and what only speaks of passwords is left alone."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from checks.registry import BUILTIN
from scanner.secrets.masking import masked
from scanner.secrets.redaction import NOTHING_SECRET

TOP = Path(__file__).parents[3]
S = "Hunter2-Kanari,9"

SHOWN = {
    "connection string": f'connectionString="Data Source=sql1;User ID=sa;Password={S};Encrypt=True"',
    "connection string with blanks": f"<add value='Server=a;Pwd={S} {S};Database=b'/>",
    "connection string in XML": f"Server=a;Password=&quot;{S};{S}&quot;;Encrypt=True",
    "connection string, last": f"Failed to open Server=a;Uid=x;Pwd={S}",
    "ini": f"password = {S}",
    "ini, quoted": f"password = '{S} {S}'",
    "ini, with a quote in it": f'password = "{S}\\"{S}" # ours',
    "shell": f"+ export DB_PASSWORD={S}",
    "Ruby": f"postgresql['db_superuser_password'] = '{S}'",
    "Ruby hash": f'{{:password=>"{S}"}}',
    "JSON": f'{{"user": "sa", "password": "{S}"}}',
    "JSON in JSON": f'"{{\\"secret\\":\\"{S}\\"}}"',
    "YAML": f"db:\n  sql_password: {S}\n  port: 1433",
    "option": f"sqlcmd --password {S} -Q x",
    "option, at the end": f"running tool /password:x --token {S}",
    "query": f"GET /x?api_key={S}&page=2",
    "PowerShell": f"$Password='{S}'; Connect",
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\nHunter2/Kanari9+{'x' * 64}\nab==\n-----END RSA PRIVATE KEY-----",
    "private key, on one line": "-----BEGIN OPENSSH PRIVATE KEY-----\\nHunter2/Kanari9+\\nb3Blbn==",
    "private key, cut": "-----BEGIN PRIVATE KEY-----\nMIIEHunter2Kanari9…",
    "basic": "> Authorization: Basic SHVudGVyMi1LYW5hcmktOQ==",
    "basic, by itself": "sent Basic SHVudGVyMi1LYW5hcmktOQ== and was refused",
    "bearer": "'Authorization': 'Bearer Hunter2.Kanari.9'",
    "digest": 'Authorization: Digest username="x", response="Hunter2Kanari"',
    "web token": "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJIdW50ZXIyIn0.SHVudGVyMg for it",
    "URL": f"cannot connect to postgresql://opscode:{S}@127.0.0.1:5432/db",
    "proxy": "ProxyError: http://bob:Hunter2@Kanari,9@proxy:3128/",
    "Azure": f"AccountName=x;AccountKey={S}==;EndpointSuffix=y",
}
HALVES = re.compile("Hunter2|Kanari|SHVudGV|xxxxxx|b3Bl|IdW50")


@pytest.mark.parametrize("kind", SHOWN)
def test_what_is_plainly_a_secret_is_not_shown(kind: str) -> None:
    told = masked(SHOWN[kind])
    assert not HALVES.search(told), told
    assert "***" in told
    # Once is enough, and what surrounds it stays.
    assert masked(told) == told
    assert told.split("***")[0] == SHOWN[kind][: len(told.split("***")[0])]
    assert NOTHING_SECRET.message(SHOWN[kind]) == told


@pytest.mark.parametrize(
    "text",
    [
        "sudo: a password is required",
        "wrong password: access denied",
        "[sudo] password for svc-preflight: ",
        "Permission denied (publickey,password).",
        'set password_env = "PREFLIGHT_WINRM_PASSWORD", password_file or password_command',
        "password = $PREFLIGHT_PASSWORD",
        "password = <the password>",
        "Password=***;Encrypt=True",
        "password = ENV['DB_PASSWORD']",
        "$password = Get-Secret preflight",
        "the password: expected a table",
        "WWW-Authenticate: Negotiate, Basic realm=WSMAN",
        "Basic authentication is disabled",
        "Kerberos authentication failed",
        "System.Web, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b03f5f7f11d50a3a",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "https://web1.corp.example:8443/a@b",
        "ssh://svc@chef1.corp.example:22",
        "IdentityFile=~/.ssh/key",
        "token: expired",
        "key_file = ~/.ssh/preflight_ed25519",
    ],
)
def test_what_only_speaks_of_one_stays(text: str) -> None:
    assert masked(text) is text or masked(text) == text


MEANT = {"ansible/list.json": 3, "chef_frontend/chef-server-generated.rb": 1}
"""Texts of the world that hold a password, with the number of their lines."""


def test_no_text_of_the_world_is_garbled() -> None:
    """All samples, all kept answers, all plans: what real programs print when nothing is wrong."""
    looked = 0
    for top in ("tests/field", "tests/recordings", "tests/test_scanner/plans"):
        for path in sorted((TOP / top).rglob("*")):
            if path.suffix in (".txt", ".json", ".rb", ".toml", ".md", ".xml", ".html", ".log", ".out"):
                text = path.read_text(encoding="utf-8", errors="replace")
                lines = zip(text.split("\n"), masked(text).split("\n"), strict=True)
                changed = [line for line in lines if line[0] != line[1]]
                name = path.relative_to(TOP / "tests/field").as_posix() if top == "tests/field" else ""
                assert len(changed) == MEANT.get(name, 0), changed
                looked += len(text)
    assert looked > 500_000


def test_no_advice_of_ours_is_garbled() -> None:
    for check in BUILTIN:
        for text in (check.doc, check.title, check.remediation.summary, check.remediation.command):
            assert masked(text) == text


WORST = [
    *(
        "password=",
        "password='",
        '"\\',
        "password:\\",
        "token ",
        "Basic =",
        "Basic ",
        "eyJaaaaaaaa-",
        "\n  password: x",
    ),
    *("-----BEGIN PRIVATE KEY-----", "a://b:", "a://b:c", "authorization: ", ";pwd=x", "--password ", "&quot;", "&x="),
    *("password=&", "password", "eyJaaaaaaaa-", "eyJaaaaaaaa.eyJ", "access_key", "  \t", "https://", "Digest a=,"),
]


@pytest.mark.parametrize("piece", WORST)
def test_the_worst_text_takes_no_longer_than_its_length(piece: str) -> None:
    took = []
    for size in (20_000, 160_000):
        text = "password=" + piece * (size // len(piece))
        began = time.process_time()
        masked(text)
        took.append(time.process_time() - began)
    assert took[1] < max(0.5, took[0] * 24), took
