from __future__ import annotations

from collections.abc import Callable

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from checks.outcome import Remediation, Result
from checks.scan import Scan
from reports.render.markdown import render

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]


def tokens(text: str) -> list[Token]:
    found: list[Token] = []
    for token in MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(text):
        found += [token, *(token.children or [])]
    return found


def test_verdict_first_then_causes_with_their_fix(rich_scan: Scan) -> None:
    text = render(rich_scan)
    assert text.startswith("## ⛔ preflight: NO-GO\n")
    assert "**2 blockers on 3 nodes; 2 results could not be determined on 1 node and 1 cluster; 1 warning.**" in text
    assert text.index("### Blockers (2)") < text.index("### Could not be determined (2)") < text.index("### Warnings")
    assert "- observed: `Classic` (vault-prod: web1)" in text
    assert text.count("the application pool SecretServer runs in Classic mode") == 1
    commands = [token.content for token in tokens(text) if token.type == "fence"]
    assert '%windir%\\system32\\inetsrv\\appcmd.exe set apppool "SecretServer"' in commands[1]
    links = [token.attrs["href"] for token in tokens(text) if token.type == "link_open"]
    assert links == [
        "https://docs.example/secret-server/upgrade?page=1&part=sql",
        "https://docs.example/secret-server/iis",
    ]


@pytest.mark.parametrize(
    "said",
    [
        "[x](javascript:alert(1))",
        "![x](http://evil.example/x.png)",
        "<img src=x>",
        "<!-- x",
        "**bold** __bold__ *em* _em_ ~~gone~~",
        "`code` ``` more",
        "# heading",
        "- item",
        "1. item",
        "+ item",
        "> quote",
        "a | b\n---|---\nc | d",
        "\\[x](y)",
        "http://evil.example www.evil.example <http://evil.example> a@b.example",
        "a\n\n    code",
        "&lt;b&gt; &copy;",
    ],
)
def test_what_a_target_says_reads_as_itself(make_result: MakeResult, make_scan: MakeScan, said: str) -> None:
    fix = Remediation(said, said, url="javascript:alert(1)")
    row = make_result("windows-version", "fail", said, expected=said, observed=said, remediation=fix)
    skip = make_result("dotnet-framework", "skip", said)
    plain = make_result(
        "windows-version", "fail", "x", expected="x", observed="x", remediation=Remediation("x", "x", url="x")
    )
    seen = tokens(render(make_scan((row, skip), notices=(said,))))
    wanted = tokens(render(make_scan((plain, make_result("dotnet-framework", "skip", "x")), notices=("x",))))
    kinds = [token.type for token in seen if token.type not in ("text", "text_special")]
    assert kinds == [token.type for token in wanted if token.type not in ("text", "text_special")]
    shown = "".join(token.content for token in seen if token.type in ("text", "text_special")).replace("\u200b", "")
    assert " ".join(said.split()) in shown


def test_nobody_is_mentioned_and_nothing_linked(hostile_scan: Scan) -> None:
    text = render(hostile_scan)
    text.encode("utf-8")
    prose = "".join(token.content for token in tokens(text) if token.type in ("text", "text_special"))
    for bait in ("@everyone", "http://", "www.evil"):
        assert bait not in prose
    assert not [token for token in tokens(text) if token.type in ("link_open", "image")]
    html = {token.content for token in tokens(text) if token.type in ("html_inline", "html_block")}
    assert html == {"<sub>", "</sub>"}
