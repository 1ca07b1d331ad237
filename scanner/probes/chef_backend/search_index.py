"""How old the search index is: one question to Elasticsearch on the backend itself, about one setting of one index."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from checks.chef_backend.backend.search_index import SearchIndex
from scanner.probes.chef_backend.node_readers import BACKEND_CONFIG
from scanner.probes.linux.local_http import ask_on_node, read_said
from scanner.probes.probe import Answer, Probe, UnreadableError

_VERSION = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}")
_NUMBER = re.compile(r"\d{7,9}")
_KEYS = ("created_string", "created")


def read_search_index(answer: Answer) -> SearchIndex:
    """The oldest version that created an index. Raises UnreadableError."""
    lines = [line for line in answer.output.splitlines() if line.strip()]
    said = read_said(answer, lines)
    # Earlier versions printed the body alone.
    text = said.body.strip() if said else answer.output.strip()
    if text == "none" or (said and said.code is None):
        raise UnreadableError("neither curl nor wget is there to ask Elasticsearch how old the search index is")
    if answer.truncated:
        raise UnreadableError("Elasticsearch's answer about the search index was cut at the size cap")
    if not text:
        where = _where(said.asked) if said else ""
        guess = "; chef-backend.rb, which says where it listens, could not be read" if said and said.is_guess else ""
        raise UnreadableError(f"Elasticsearch does not say how old the search index is{where}{guess}")
    try:
        found = [_version(value) for value in _created(json.loads(text), 0)]
    except (ValueError, RecursionError):
        raise UnreadableError(f"Elasticsearch's answer is not understood: {' '.join(text.split())[:100]}") from None
    if not found:
        raise UnreadableError(f"Elasticsearch names no index and its version: {' '.join(text.split())[:100]}")
    return SearchIndex(".".join(map(str, min(found))))


def _where(asked: Sequence[str]) -> str:
    """Where it was asked, the same for every node with the same cause: the others are each node's own addresses."""
    if not asked:
        return ""
    first, *others = (url.partition("/chef/")[0] for url in asked)
    more = " and at the node's own addresses" if others else ""
    return f" (asked at {first}{more})"


def _created(value: object, depth: int) -> Iterator[str]:
    """Every `index.version.created*`, nested or written with dots."""
    if not isinstance(value, dict) or depth > len("index, settings, index, version"):
        return
    own = [value[key] for name in _KEYS for key in (name, f"index.version.{name}") if key in value]
    if own and isinstance(own[0], str):
        yield own[0]
    for inner in value.values():
        yield from _created(inner, depth + 1)


def _version(text: str) -> tuple[int, ...]:
    """Three numbers, from "5.6.16" or from Elasticsearch's own 5061699. Raises ValueError."""
    if _VERSION.fullmatch(text):
        return tuple(map(int, text.split(".")))
    if _NUMBER.fullmatch(text):
        number = int(text) // 100
        return number // 10_000, number // 100 % 100, number % 100
    raise ValueError(text)


PROBE = Probe(
    id="chef-search-index",
    language="sh",
    purpose="which version of Elasticsearch created the search index: one setting of the index named chef",
    script=ask_on_node(
        f"$SUDO cat {BACKEND_CONFIG}",
        scheme="http",
        port_setting="elasticsearch.port",
        port=9200,
        path="chef/_settings/index.version.created*?human",
    ),
    readers=((SearchIndex, read_search_index),),
    sample="where default\n"
    "asked http://127.0.0.1:9200/chef/_settings/index.version.created*?human\n"
    '{"chef":{"settings":{"index":{"version":{"created_string":"5.6.16"}}}}}\n'
    "code 200\n",
)
