"""The NT hash of a password, which is all of it that NTLM needs.

From a password pyspnego also works out the hash of LAN Manager, in an afterthought of DES in pure Python: one fifth of
what a whole conversation takes, for an answer that NTLMv2 does not send.
"""

from __future__ import annotations

import os
import re
import struct

import spnego

_MASK = 0xFFFFFFFF
_ROUNDS = (
    # RFC 1320, 3.4: the order of the words, the shifts, the constant
    (tuple(range(16)), (3, 7, 11, 19), 0),
    (tuple(4 * (each % 4) + each // 4 for each in range(16)), (3, 5, 9, 13), 0x5A827999),
    ((0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15), (3, 9, 11, 15), 0x6ED9EBA1),
)
_HASHES = re.compile(r"[0-9a-fA-F]{32}:[0-9a-fA-F]{32}")
"""A password of this form is taken for its two hashes, by pyspnego and many other tools."""


def credential(user: str, password: str) -> spnego.Credential:
    """What pyspnego's NTLM is given for a login."""
    # By its level NTLM can be made to answer as before Windows NT 4.0 SP4, for which it needs the password.
    if "LM_COMPAT_LEVEL" in os.environ or _HASHES.match(password):
        return spnego.Password(user, password)
    return spnego.NTLMHash(user, nt_hash=md4(password.encode("utf-16-le", "surrogatepass")).hex())


def md4(message: bytes) -> bytes:
    """MD4 (RFC 1320), which OpenSSL 3 keeps from Python's hashlib."""
    state = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
    padded = message + b"\x80" + bytes((55 - len(message)) % 64) + struct.pack("<Q", 8 * len(message))
    for at in range(0, len(padded), 64):
        state = _next(state, struct.unpack_from("<16I", padded, at))
    return struct.pack("<4I", *state)


def _next(state: tuple[int, int, int, int], words: tuple[int, ...]) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for number, (order, shifts, constant) in enumerate(_ROUNDS):
        for step, word in enumerate(order):
            mixed = (b & c | ~b & d, b & c | b & d | c & d, b ^ c ^ d)[number]
            turned = (a + mixed + words[word] + constant) & _MASK
            shift = shifts[step % 4]
            a, b, c, d = d, (turned << shift | turned >> (32 - shift)) & _MASK, b, c
    return (a + state[0]) & _MASK, (b + state[1]) & _MASK, (c + state[2]) & _MASK, (d + state[3]) & _MASK
