"""Tokens of MS-TDS as a SQL Server writes them, and a client's LOGIN7 and batches as it reads them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from checks.common.dataclass import dataclass

_COLLATION = bytes.fromhex("0904d00034")
"""SQL_Latin1_General_CP1_CI_AS."""
_NVARCHAR, _INTN = 0xE7, 0x26
_NVARCHAR_BYTES = 8000
_DONE_ERROR, _DONE_COUNT, _DONE_ATTENTION = 0x02, 0x10, 0x20
_SELECT = 0xC1
_LOGIN = struct.Struct("<IIIIIIBBBBiI")
_FIELDS = ("host", "user", "password", "application", "server", "extension", "library", "language", "database")
_INTEGRATED = 0x80
_READ_ONLY = 0x20


@dataclass(frozen=True, slots=True, kw_only=True)
class Login7:
    """What a client says of itself to be let in."""

    tds_version: int
    user: str
    password: str
    application: str
    database: str
    integrated: bool
    sspi: bytes
    read_only: bool


def read_login(body: bytes) -> Login7:
    """MS-TDS 2.2.6.4. Raises struct.error, ValueError."""
    _, version, _, _, _, _, _, flags2, type_flags, _, _, _ = _LOGIN.unpack_from(body)
    texts: dict[str, bytes] = {}
    for number, name in enumerate(_FIELDS):
        offset, chars = struct.unpack_from("<HH", body, _LOGIN.size + 4 * number)
        texts[name] = body[offset : offset + 2 * chars]
    sspi_at, sspi_bytes = struct.unpack_from("<HH", body, _LOGIN.size + 4 * len(_FIELDS) + 6)
    password = bytes((byte ^ 0xA5) >> 4 | (byte ^ 0xA5) << 4 & 0xF0 for byte in texts["password"])
    return Login7(
        tds_version=version,
        user=texts["user"].decode("utf-16-le"),
        password=password.decode("utf-16-le"),
        application=texts["application"].decode("utf-16-le"),
        database=texts["database"].decode("utf-16-le"),
        integrated=bool(flags2 & _INTEGRATED),
        sspi=body[sspi_at : sspi_at + sspi_bytes],
        read_only=bool(type_flags & _READ_ONLY),
    )


def read_batch(body: bytes) -> str:
    """The text of a SQL batch, without the headers before it, as from TDS 7.2 on. Raises struct.error, ValueError."""
    (headers,) = struct.unpack_from("<I", body)
    return body[headers:].decode("utf-16-le")


def read_executesql(body: bytes) -> str:
    """The statement of an sp_executesql call, by its number or its name; "" for any other call. Raises struct.error."""
    (position,) = struct.unpack_from("<I", body)
    (chars,) = struct.unpack_from("<H", body, position)
    position += 2
    if chars == 0xFFFF:
        (number,) = struct.unpack_from("<H", body, position)
        position, called = position + 2, number == 10
    else:
        called = body[position : position + 2 * chars].decode("utf-16-le").lower() == "sp_executesql"
        position += 2 * chars
    position += 2
    position += 1 + 2 * body[position] + 1
    if not called or body[position] != _NVARCHAR:
        return ""
    (most,) = struct.unpack_from("<H", body, position + 1)
    position += 3 + len(_COLLATION)
    if most != 0xFFFF:
        (length,) = struct.unpack_from("<H", body, position)
        return body[position + 2 : position + 2 + length].decode("utf-16-le")
    position, text = position + 8, b""
    while chunk := struct.unpack_from("<I", body, position)[0]:
        text += body[position + 4 : position + 4 + chunk]
        position += 4 + chunk
    return text.decode("utf-16-le")


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16-le")


def _long(text: str) -> bytes:
    return struct.pack("<H", len(text)) + text.encode("utf-16-le")


def _sized(token: int, body: bytes) -> bytes:
    return bytes([token]) + struct.pack("<H", len(body)) + body


def login_acknowledged(tds_version: int, version: tuple[int, int, int, int]) -> bytes:
    """LOGINACK."""
    major, minor, build, _ = version
    program = _short("Microsoft SQL Server") + struct.pack(">BBH", major, minor, build)
    return _sized(0xAD, b"\x01" + struct.pack(">I", tds_version) + program)


def changed(kind: int, new: str, old: str = "") -> bytes:
    """ENVCHANGE of a text: 1 database, 2 language, 4 packet size."""
    return _sized(0xE3, bytes([kind]) + _short(new) + _short(old))


def collation_changed() -> bytes:
    """ENVCHANGE of the collation."""
    return _sized(0xE3, b"\x07" + bytes([len(_COLLATION)]) + _COLLATION + b"\0")


def transaction_changed(kind: int) -> bytes:
    """ENVCHANGE of a transaction: 8 begun, 9 committed, 10 rolled back."""
    descriptor = b"\x08" + struct.pack("<Q", 1)
    return _sized(0xE3, bytes([kind]) + (descriptor + b"\0" if kind == 8 else b"\0" + descriptor))


def routed(host: str, port: int) -> bytes:
    """ENVCHANGE that sends the login elsewhere."""
    value = struct.pack("<BH", 0, port) + _long(host)
    return _sized(0xE3, b"\x14" + struct.pack("<H", len(value)) + value + b"\0\0")


def sspi(token: bytes) -> bytes:
    """The next step of an NTLM login."""
    return _sized(0xED, token)


def told(number: int, text: str, server: str, *, severity: int, error: bool) -> bytes:
    """ERROR, or INFO."""
    body = struct.pack("<iBB", number, 1, severity) + _long(text) + _short(server) + _short("") + struct.pack("<I", 1)
    return _sized(0xAA if error else 0xAB, body)


def done(rows: int | None = None, *, error: bool = False, attention: bool = False) -> bytes:
    """DONE."""
    status = (_DONE_ERROR if error else 0) | (_DONE_COUNT if rows is not None else 0)
    status |= _DONE_ATTENTION if attention else 0
    return b"\xfd" + struct.pack("<HHQ", status, _SELECT if rows is not None else 0, rows or 0)


def table(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> bytes:
    """COLMETADATA, each ROW, and the DONE that ends them."""
    kinds = [_kind(column, rows) for column in columns]
    out = b"\x81" + struct.pack("<H", len(columns))
    for column, kind in zip(columns, kinds, strict=True):
        kind_info = bytes([_INTN, 8]) if kind == _INTN else struct.pack("<BH", _NVARCHAR, _NVARCHAR_BYTES) + _COLLATION
        out += struct.pack("<IH", 0, 0x09) + kind_info + _short(column)
    for row in rows:
        out += b"\xd1"
        for column, kind in zip(columns, kinds, strict=True):
            out += _value(row.get(column), kind)
    return out + done(len(rows))


def _kind(column: str, rows: Sequence[Mapping[str, object]]) -> int:
    first = next((row[column] for row in rows if row.get(column) is not None), None)
    return _INTN if isinstance(first, int) else _NVARCHAR


def _value(value: object, kind: int) -> bytes:
    if kind == _INTN:
        return b"\0" if value is None else b"\x08" + struct.pack("<q", int(str(value)))
    if value is None:
        return b"\xff\xff"
    coded = str(value).encode("utf-16-le")
    return struct.pack("<H", len(coded)) + coded
