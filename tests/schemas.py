"""Schemas as our own documents are held to them: with the keys that they declare, and no others."""

from __future__ import annotations

from typing import Any


def closed(schema: Any) -> Any:
    """The schema, refusing what it does not declare. What is shipped takes the keys that later versions add."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(each) for key, each in schema.items()}
    if found.get("type") == "object" and isinstance(found.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    return found
