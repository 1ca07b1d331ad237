"""Secrets that nobody told us of, masked by what stands beside them: `Password=`, a private key, `user:password@`.

A node may print them: a log with a connection string, a program that shows how it was called. This is for what reports
say of it, never for an answer that is still to be read. It is cautious: what is plainly a word, a placeholder or a
variable stays, and a text without any of the signs is not touched.
"""

from __future__ import annotations

import re

MASK = "***"
_KEY = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret|(?<!publickey)token|api[_-]?key|account[_-]?key|shared[_-]?access[_-]?key"
    r"|private[_-]?key|access[_-]?key(?:[_-]?id)?)"
)
_QUOTE = r"(?:\\*[\"']|&(?:quot|apos|\#34|\#39);)"
_QUOTED = (
    r"\"(?:[^\"\\\n]++|\\[^\n])*+\"?|\\+\"[^\"\n]*\"?"
    r"|'(?:[^'\\\n]++|\\[^\n])*+'?|\\+'[^'\n]*'?"
    r"|&quot;[^&\n]*(?:&quot;)?"
)
_BARE = r"(?:&\w{1,6};|[^\s;\"'<>`&]|&(?!\w{1,6};)(?!\w{1,30}=))+"
_HINTS = ("pass", "pwd", "secret", "token", "key", "authorization", "basic", "bearer", "://", "eyj")
_HINT = re.compile("|".join(_HINTS), re.IGNORECASE)

_PRIVATE_KEY = re.compile(
    r"(?P<kept>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)"
    r"(?P<gone>[A-Za-z0-9+/=\s\\:,.…-]*?)(?=-----END |[^A-Za-z0-9+/=\s\\:,.…-]|$)"
)
_CONNECTION_STRING = re.compile(
    rf"(?P<kept>(?:(?<=;)|(?<=; )|(?<=[\"']))(?:password|pwd)\s{{0,4}}=\s{{0,4}})"
    rf"(?P<gone>{_QUOTED}|[^;\"'\n]{{1,256}}?)(?=;|[\"'\n]|$)",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    rf"(?P<kept>{_KEY}{_QUOTE}?\]?\s{{0,8}}(?:=>|:=|=(?![=~]))\s{{0,8}})(?P<gone>{_QUOTED}|{_BARE})", re.IGNORECASE
)
_NAMED = re.compile(
    rf"(?P<kept>{_KEY}{_QUOTE}\s{{0,8}}:\s{{0,8}}|{_KEY}\s{{0,8}}:\s{{0,8}}(?={_QUOTE}))(?P<gone>{_QUOTED})",
    re.IGNORECASE,
)
# A line of YAML, or an option with its value: in prose the same is said of a password, and no password.
_BESIDE = re.compile(
    rf"(?P<kept>(?:^[ \t]*[\w.-]{{0,40}}{_KEY}:[ \t]{{1,8}}|(?<!\S)(?:--?|/){_KEY}[ \t:]{{1,8}}))"
    r"(?P<gone>\S{4,256})(?=[ \t]*$|[ \t]+[-/])",
    re.IGNORECASE | re.MULTILINE,
)
_HEADER = re.compile(
    r"(?P<kept>\b(?:Basic|Bearer|Negotiate|NTLM|CredSSP|Kerberos|Digest)[ \t]{1,4})"
    r"(?P<gone>[A-Za-z0-9+/_.~-]{8,}={0,2}|\S{0,64}=\S{0,256},[^\r\n]*)"
)
_AUTHORIZATION = re.compile(
    rf"(?P<kept>\bauthorization{_QUOTE}?\s{{0,4}}[:=]\s{{0,4}}{_QUOTE}?(?:(?:Basic|Bearer|Negotiate|NTLM|CredSSP|Kerberos|Digest|Token)\s{{1,4}})?)"
    r"(?P<gone>\w{2,20}=\"[^\r\n]*|[^\s\"'\\<>]{8,}(?:,[^\r\n\"']*)?)",
    re.IGNORECASE,
)
_URL = re.compile(r"(?P<kept>\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/@:\"'<>]{0,100}:)(?P<gone>[^\s/\"'<>]{1,200})(?=@)")
_WEB_TOKEN = re.compile(r"(?P<kept>(?<![\w-]))(?P<gone>eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?)")

_NO_SECRET = re.compile(
    r"[*.…x•\s_-]*|(?:true|false|yes|no|on|off|nil|null|none|undef(?:ined)?|empty|unknown|required|redacted|removed|masked"
    r"|hidden|sensitive|suppressed|secret|password)[.,:]?|\$.*|%\w+%?|<.*|\{.*|\[.*|@.*|!.*|&lt;.*|#\{.*|\\[0nrt]",
    re.IGNORECASE | re.DOTALL,
)
"""What stands where a secret might, and says that it does not: a placeholder, a variable, a call."""
_CALL = re.compile(r"[A-Za-z_][\w.:-]*\(.*|(?:ENV|node|Get|New|Read|ConvertTo)[-\[.].*", re.DOTALL)


_IN_PLACE = (
    (_PRIVATE_KEY, "-----BEGIN "),
    (_WEB_TOKEN, "eyJ"),
    (_URL, "://"),
    (_AUTHORIZATION, ""),
    (_CONNECTION_STRING, "="),
    (_ASSIGNED, "="),
    (_NAMED, ":"),
)
"""In this order; each with what no match of it is without: to look for that takes a hundredth of the time."""


_SEEN = 8_192
_SEEN_CHARS = 500
_innocent: dict[str, None] = {}
"""Texts that nothing was found in: titles, remedies and reasons come back with every node. A secret is in none."""


def masked(text: str) -> str:
    """`text` without what is plainly a secret in it; `text` itself where nothing is."""
    if text in _innocent:
        return text
    clean = _masked(text) if _is_suspicious(text) else text
    if clean == text and len(text) <= _SEEN_CHARS:
        if len(_innocent) >= _SEEN:
            _innocent.clear()
        _innocent[text] = None
    return clean


def _masked(text: str) -> str:
    for pattern, sign in _IN_PLACE:
        if sign in text:
            text = pattern.sub(_without, text)
    for pattern in (_HEADER, _BESIDE):
        text = pattern.sub(_without_where_odd, text)
    return text


def _is_suspicious(text: str) -> bool:
    if not text:
        return False
    if not text.isascii():  # where more than one letter may be the small form of a hint's
        return _HINT.search(text) is not None
    small = text.lower()
    return any(hint in small for hint in _HINTS)


def _without(found: re.Match[str]) -> str:
    kept, gone = found["kept"], found["gone"]
    opening = re.match(_QUOTE, gone)
    mark = opening[0] if opening else ""
    value = gone[len(mark) :]
    closed = bool(mark) and value.endswith(mark)
    value = value[: -len(mark)] if closed else value
    if _NO_SECRET.fullmatch(value) or (not mark and _CALL.fullmatch(value)):
        return found[0]
    return f"{kept}{mark}{MASK}{mark if closed else ''}"


def _without_where_odd(found: re.Match[str]) -> str:
    """Only what no language has as a word."""
    odd = re.search(r"[0-9]", found["gone"]) or re.search(r"[a-z][A-Z]|[^\w.,;:!?()\"'/-]", found["gone"])
    return _without(found) if odd else found[0]
