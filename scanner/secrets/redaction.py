"""Secrets taken out of what nodes, programs and libraries say: they may send back what they, or others, were given.

It is done to bytes as they came, before anything is cut, folded or quoted: half a secret is not found any more.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

from checks.common.dataclass import dataclass
from scanner.secrets.secret import Secret
from scanner.secrets.spellings import Traced, base64_spellings, codings, plain, plain_spellings, raw_spellings, squeezed

TELLTALE_CHARS = 6
"""A shorter secret stands in every other word; to take it out would garble the answers and betray it all the same.
It is taken out where it stands as a login does, `user:secret`, in Base64 too, and as a word of a message."""
_WORD_CHARS = 4
"""As a word of a message, no shorter one either: "a", "to" and "the" are no secrets."""
_FRAGMENT_CHARS = 6
"""So much of a secret before or after a cut is too much; half of it, where that is less."""
_LEAST_FRAGMENT = 4
_CUT = re.compile(rb"\xe2\x80\xa6|\.{3}|\[?\(?(?:truncated|cut)|\*\*\*")
_CUT_BEFORE = re.compile(rb"(?:\xe2\x80\xa6|\.{3}|\*\*\*)$")
_GONE = b"***"
_DEPTH = 20
_MANY = 150
"""Patterns from which on it is faster to look up every place of a text than to look for one after the other."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One spelling, and how much of its beginning or end is too much beside a cut."""

    whole: bytes
    head: bytes
    tail: bytes

    @classmethod
    def of(cls, whole: bytes) -> _Pattern:
        some = max(_LEAST_FRAGMENT, min(_FRAGMENT_CHARS, -(-len(whole) // 2)))
        return cls(whole, whole[:some], whole[-some:])

    def spans(self, text: bytes, *, cut: bool) -> Iterator[tuple[int, int]]:
        """Where it stands in `text`, whole or, beside a mark of a cut, in part. `cut`: the text itself ends in one."""
        size = len(self.whole)
        at = text.find(self.head)
        while at >= 0:
            length = _agreeing(text, at, self.whole)
            end = at + length
            if length == size or _CUT.match(text, end) or (cut and end == len(text)):
                yield at, end
            at = text.find(self.head, at + (size if length == size else 1))
        at = text.find(self.tail)
        while at >= 0:
            end = at + len(self.tail)
            begin = end - _agreeing(text[max(0, end - size) : end][::-1], 0, self.whole[::-1])
            if end - begin < size and _CUT_BEFORE.search(text[max(0, begin - 3) : begin]):
                yield begin, end
            at = text.find(self.tail, at + 1)


def _agreeing(text: bytes, at: int, whole: bytes) -> int:
    """How many bytes of `whole` stand at `at`."""
    if text.startswith(whole, at):
        return len(whole)
    low, high = 0, len(whole)
    while high - low > 1:
        middle = (low + high) // 2
        if text.startswith(whole[:middle], at):
            low = middle
        else:
            high = middle
    return low


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Many of them. Nearly no text holds any, and to see that is what takes time."""

    each: tuple[_Pattern, ...]
    marks: tuple[bytes, ...]
    """The heads and tails, each once."""
    grams: Mapping[int, frozenset[tuple[int, ...]]]
    """The same by their length, as numbers."""

    @classmethod
    def of(cls, spellings: Iterable[bytes]) -> _Patterns:
        each = tuple(map(_Pattern.of, sorted(text for text in spellings if len(text) >= TELLTALE_CHARS)))
        marks = {mark for one in each for mark in (one.head, one.tail)}
        sizes = {len(mark) for mark in marks}
        grams = {size: frozenset(tuple(mark) for mark in marks if len(mark) == size) for size in sizes}
        return cls(each, tuple(sorted(marks)), grams)

    def likely_in(self, text: bytes) -> list[_Pattern]:
        """Those of which a telling part stands in `text`."""
        if len(self.each) <= _MANY:
            absent = not [mark for mark in self.marks if mark in text]
        else:
            absent = all(
                grams.isdisjoint(zip(*(text[at:] for at in range(size)), strict=False))
                for size, grams in self.grams.items()
            )
        if absent:
            return []
        return [one for one in self.each if one.head in text or one.tail in text]


@dataclass(frozen=True)
class Redactor:
    """Takes the secrets out of texts, however they are spelled there; in time linear in the text."""

    logins: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)
    """Each secret with the user that it belongs to, which may be empty."""

    def __reduce__(self) -> tuple[object, ...]:
        """What it has worked out already does not travel, and is there already where it has been before."""
        return redactor_of, (self.logins,)

    def __call__(self, text: str, *, cut: bool = False) -> str:
        """A text of a node, or about it, without the secrets. `cut`: something was cut off its end."""
        if not self.logins:
            return text
        data = text.encode("utf-8", "surrogatepass")
        clean = self.raw(data, cut=cut)
        return text if clean is data else clean.decode("utf-8", "replace" if b"\xed" not in clean else "surrogatepass")

    def raw(self, data: bytes, *, cut: bool = False) -> bytes:
        """The same for bytes as they came; `data` itself where there is nothing to take out."""
        if not self.logins or not data:
            return data
        tight = squeezed(data)
        undone = plain(tight)
        in_tight, in_plain = self._tight.likely_in(tight), self._plain.likely_in(undone)
        if not in_tight and not in_plain:
            return data
        traced = Traced.of(data).squeezed()
        spans = {traced.span(*each) for one in in_tight for each in one.spans(traced.data, cut=cut)}
        if in_plain:
            traced = traced.plain()
            spans |= {traced.span(*each) for one in in_plain for each in one.spans(traced.data, cut=cut)}
        return _without(data, sorted(spans)) if spans else data

    def message(self, text: str) -> str:
        """A message about a node, which no reader needs whole: without short secrets that are words of it, and without
        what nobody told us of and plainly is one.
        """
        # Its patterns take their time to compile, and `--version` needs none of them.
        from scanner.secrets.masking import masked

        return masked(self.words(text))

    def words(self, text: str) -> str:
        """A text without the secrets, short ones that stand in it as words among them."""
        text = self(text)
        return self._words.sub(r"***", text) if self._words else text

    def value(self, value: Any, depth: int = 0) -> Any:
        """A value of JSON, with every text in it cleaned, so that it stays one."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, list | tuple) and depth < _DEPTH:
            return [self.value(each, depth + 1) for each in value]
        if isinstance(value, dict) and depth < _DEPTH:
            return {self(str(name)): self.value(each, depth + 1) for name, each in value.items()}
        return value

    def json(self, text: str, *, cut: bool = False) -> str:
        """A text that may be JSON: it stays JSON where it is."""
        if self(text, cut=cut) == text:
            return text
        if text[:1] in ("{", "[", '"'):
            with contextlib.suppress(ValueError, RecursionError):
                text = json.dumps(self.value(json.loads(text)))
        # A number may be one, and so may what stands on both sides of a comma.
        return self(text, cut=cut)

    def jsons(self, texts: Collection[str]) -> list[str]:
        """Texts of JSON, each as `json` gives it. Where there is nothing to take out of any, which is nearly always so,
        one look at all is enough: JSON ends its strings, so that nothing begins in one text and goes on in the next.
        """
        together = "\n".join(texts)
        return list(texts) if self(together) is together else [self.json(text) for text in texts]

    def cleanse(self, error: BaseException) -> None:
        """Take the secrets out of an exception of a library, and out of those that led to it, before it is quoted."""
        seen: set[int] = set()
        waiting: list[BaseException | None] = [error]
        while waiting:
            each = waiting.pop()
            if each is None or id(each) in seen:
                continue
            seen.add(id(each))
            waiting += [each.__cause__, each.__context__, *(arg for arg in each.args if isinstance(arg, BaseException))]
            if isinstance(each, BaseExceptionGroup):
                waiting += each.exceptions
            self._cleanse_one(each)

    def _cleanse_one(self, error: BaseException) -> None:
        try:
            args = tuple(self._part(arg) for arg in error.args)
            if any(one is not other for one, other in zip(args, error.args, strict=True)):
                error.args = args
            names = [*vars(error), *(("strerror", "filename") if isinstance(error, OSError) else ())]
            for name in names:
                before = getattr(error, name, None)
                after = self._part(before)
                if after is not before:
                    setattr(error, name, after)
        except Exception:  # noqa: BLE001  a foreign class may refuse; what is told of it is cleaned once more
            return

    def _part(self, part: Any) -> Any:
        if isinstance(part, str):
            return self(part)
        if isinstance(part, bytes):
            return self.raw(part)
        if isinstance(part, list | tuple) and type(part) in (list, tuple):
            parts = [self._part(each) for each in part]
            return part if all(one is other for one, other in zip(parts, part, strict=True)) else type(part)(parts)
        return part

    @functools.cached_property
    def mark(self) -> bytes:
        """What no other one has, in this process or elsewhere: by it is told what this one has been over already."""
        return os.urandom(16)

    @functools.cached_property
    def _tight(self) -> _Patterns:
        found: set[bytes] = set()
        for secret, user in self.logins:
            if len(secret) >= TELLTALE_CHARS:
                found |= raw_spellings(secret)
            if user and len(secret) + len(user) >= TELLTALE_CHARS:
                login = f"{user}:{secret}"
                found |= raw_spellings(login) if len(secret) < TELLTALE_CHARS else set()
        return _Patterns.of(found)

    @functools.cached_property
    def _plain(self) -> _Patterns:
        found: set[bytes] = set()
        for secret, user in self.logins:
            if len(secret) >= TELLTALE_CHARS:
                found |= plain_spellings(secret)
                for each in codings(secret):
                    found |= base64_spellings(each)
            if user and secret:
                for each in codings(f"{user}:{secret}"):
                    found |= base64_spellings(each)
        return _Patterns.of(found)

    @functools.cached_property
    def _words(self) -> re.Pattern[str] | None:
        words = [secret for secret, _ in self.logins if _WORD_CHARS <= len(secret) < TELLTALE_CHARS]
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(words)))})(?!\w)") if words else None


NOTHING_SECRET = Redactor()
"""Takes nothing out."""


def _without(data: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    out, at = bytearray(), 0
    for begin, end in spans:
        if end <= at:
            continue
        if begin > at or not at:
            out += data[at:begin] + _GONE
        at = end
    return bytes(out + data[at:])


@functools.lru_cache(maxsize=8)
def _redactor(logins: frozenset[tuple[str, str]]) -> Redactor:
    return Redactor(logins)


# What this process has been given, for its last doors: the streams, and what is told of a defect. Whoever runs several
# commands in one process begins anew with `forget`.
_learnt: set[tuple[str, str]] = set()


def learn(secret: Secret, user: str = "") -> None:
    """From now on, `known` takes it out."""
    _learnt.add((secret.reveal(), user))


def forget() -> None:
    """Nothing is known any more."""
    _learnt.clear()


def known() -> Redactor:
    """What takes out every secret that this process has been given so far."""
    return _redactor(frozenset(_learnt)) if _learnt else NOTHING_SECRET


def redactor_of(logins: frozenset[tuple[str, str]]) -> Redactor:
    """What takes these out, each a secret with the user that it belongs to; the same one each time."""
    return _redactor(logins) if logins else NOTHING_SECRET
