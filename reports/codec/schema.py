"""The JSON Schema of what is read and written as a class says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reports.codec.shape import About, Named, Shape, key_of, may_be_left_out, shape_of


def schema_of(kind: Any, *, title: str, urn: str, description: str, **more: Any) -> dict[str, Any]:
    """The JSON Schema (2020-12) of documents of type `kind`, with `more` keywords."""
    named: dict[str, Any] = {}
    top = _schema(shape_of(kind), named)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": urn, "title": title}
    return {**head, "description": description, **top, **more, **({"$defs": named} if named else {})}


def _schema(shape: Shape, named: dict[str, Any]) -> dict[str, Any]:
    about = shape.about
    said: dict[str, Any] = {key: text for key in ("description", "pattern", "const") if (text := getattr(about, key))}
    said |= about.more
    if about.const:
        return said
    if about.name:
        plain = replace(shape, about=About(more=about.more, closed=about.closed))
        named.setdefault(about.name, {}).update(_schema(plain, named))
        return {**({"description": about.description} if about.description else {}), "$ref": f"#/$defs/{about.name}"}
    if shape.form and shape.form.name:
        named[shape.form.name] = dict(shape.form.schema)
        return {**said, "$ref": f"#/$defs/{shape.form.name}"}
    if shape.form:
        return {**shape.form.schema, **said}
    if shape.several:
        several = [_schema(each, named) for each in shape.several]
        if not shape.or_null:
            return {**said, "oneOf": several}
        if set(several[0]) == {"type"}:
            return {**said, "type": [several[0]["type"], "null"]}
        return {**said, "anyOf": [*several, {"type": "null"}]}
    if shape.each:
        kind, key = ("array", "items") if shape.kind is tuple else ("object", "additionalProperties")
        names = {"propertyNames": {"enum": list(shape.known)}} if shape.known else {}
        return {**said, **names, "type": kind, key: _schema(shape.each, named)}
    shut = {"additionalProperties": False} if about.closed else {}
    return {
        **said,
        **shut,
        "type": "object",
        "required": [key_of(each) for each, of in shape.keys if not (may_be_left_out(each) or of.about.later)],
        "properties": {key_of(each): _schema(_there(each, of), named) for each, of in shape.keys},
    }


def _there(each: Named, of: Shape) -> Shape:
    """The shape of a key that stands there: not the value with which it is left out."""
    if each.default is None and len(of.several) == 1:
        return replace(of.several[0], about=of.about)
    if of.form and each.default in of.form.schema.get("enum", ()):
        words = [word for word in of.form.schema["enum"] if word != each.default]
        return replace(of, form=replace(of.form, schema={"enum": words}))
    return of
