"""The JSON Schema of inventories, for editors and other tools; made from the table of keys.

It is as strict as a schema can be without looking from one table into another: that a user is missing in all of node,
cluster and defaults, or that two nodes are one machine, only `preflight validate` can tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from checks.engine.left_out import NEVER
from checks.registry import BUILTIN
from scanner.inventory.expect.keys import BY_KIND, EXPECT, SUBJECTS, WISHES
from scanner.inventory.product_settings.known import catalogue
from scanner.inventory.products import Product
from scanner.inventory.reading.skip import of_product
from scanner.inventory.settings.acceptance import ATTESTATION, DRIFT_RULE, REASON, RULE, WAIVER
from scanner.inventory.settings.catalogue import REPORTS, RUN, Catalogue
from scanner.inventory.settings.setting import ENV_NAME, NAMES, TEXT, Setting, by_name
from scanner.inventory.settings.transports import TRANSPORTS, keys_of

Schema = dict[str, object]

_TYPES = {"text": "string", "path": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
_SCALAR = ["string", "integer"]
_BACKUP_DOC = "Where the backups lie that are asked for before an upgrade, and how old they may be."
_VERSIONS = ("target", "current")


def inventory_schema(known: Catalogue | None = None) -> dict[str, object]:
    """The schema, JSON Schema 2020-12, of the keys in `known`; the built-in products' without."""
    known = known or catalogue()
    having = {transport: keys for transport, keys in TRANSPORTS.items() if keys}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "preflight inventory",
        "type": "object",
        "additionalProperties": False,
        "required": ["clusters"],
        "properties": {
            "defaults": {
                "description": "How nodes are reached, unless their cluster or they themselves say otherwise.",
                "type": "object",
                "additionalProperties": False,
                "properties": {transport: _table(keys) for transport, keys in having.items()},
            },
            "clusters": {
                "description": "Machines that are upgraded together, by name.",
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": _whole(NAMES)},
                "additionalProperties": _cluster(known),
            },
            "run": _table(RUN, "Defaults of the command line's options."),
            "reports": _table(REPORTS, "Files that a plain scan writes, relative to the working directory."),
            "waivers": _list(
                _table(WAIVER) | {"anyOf": [{"required": ["cluster"]}, {"required": ["node"]}]},
                "Findings that somebody accepts for a while.",
            ),
            "drift": {
                "description": "How facts are compared with the baseline.",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "rules": {
                        "description": "By the name of a fact; * stands for any text, [] for any key of a list.",
                        "type": "object",
                        "additionalProperties": _drift_rule(),
                    }
                },
            },
            "attestations": _list(_table(ATTESTATION), "What people vouch for because no probe can see it."),
        },
    }


def _cluster(known: Catalogue) -> Schema:
    keys = (*known.cluster, *known.options, *_of_any_transport())
    cluster = _table(
        keys,
        also={
            "nodes": _nodes(known),
            "rules": _rules(),
            "backup": _table(known.backup, _BACKUP_DOC),
            "skip": _skip(),
            "expect": _expect(),
        },
        required=("nodes",),
    )
    properties = cluster["properties"]
    assert isinstance(properties, dict)  # noqa: S101  for the type checker: made two lines above
    properties["product"] = {**properties["product"], "enum": list(known.products)}
    cluster["allOf"] = [
        {
            "if": {"properties": {"product": {"const": product.name}}, "required": ["product"]},
            "then": {"properties": _of_product(product, keys, known)},
        }
        for product in known.products.values()
    ] + [
        _where_the_cluster_says_how(product, transport)
        for product in known.products.values()
        for transport in product.transports
    ]
    return cluster


def _of_product(product: Product, keys: Iterable[Setting], known: Catalogue) -> Schema:
    """What the cluster's product narrows."""
    version: Schema = {"pattern": _whole(product.version_pattern)}
    transport: Schema = {"enum": list(product.transports)}
    own = by_name(*(keys_of(name, product.platform) for name in product.transports))
    common = by_name(known.cluster, known.node, known.options)
    # The keys of its own transports as they are there, with their own descriptions.
    ways: Schema = {name: _value(key) for name, key in own.items()}
    foreign: Schema = {
        key.name: False
        for key in keys
        if not key.is_for(product.name) or (key.name not in own and key.name not in common)
    }
    if not any(key.is_for(product.name) for key in known.backup):
        foreign["backup"] = False
    own_checks = {check.id for check in of_product(BUILTIN, product)}
    others: Schema = {check.id: False for check in BUILTIN if check.id not in own_checks}
    node: Schema = {
        **ways,
        **{name: False for name in foreign if name in by_name(known.options, *TRANSPORTS.values())},
        "roles": {"items": {"enum": list(product.roles)}},
        "transport": transport,
        "current": version,
    }
    return {
        **ways,
        **foreign,
        **dict.fromkeys(_VERSIONS, version),
        "transport": transport,
        "nodes": _narrowed(node),
        "skip": {"properties": others},
    }


def _where_the_cluster_says_how(product: Product, transport: str) -> Schema:
    """What nodes may have that are reached over `transport` because their cluster, or their product, says so."""
    says: Schema = {"properties": {"transport": {"const": transport}}}
    if transport != product.transports[0]:
        says["required"] = ["transport"]
    silent: Schema = {"not": {"required": ["transport"]}}
    return {
        "if": {"properties": {"product": {"const": product.name}}, "required": ["product"], "allOf": [says]},
        "then": {
            "properties": {
                "nodes": {
                    "additionalProperties": {
                        "if": silent,
                        "then": {"properties": dict.fromkeys(_foreign(transport), False)},
                    }
                }
            }
        },
    }


def _narrowed(node: Schema) -> Schema:
    return {"additionalProperties": {"properties": node}}


def _nodes(known: Catalogue) -> Schema:
    node = _table((*known.node, *known.options, *_of_any_transport()))
    # What goes with a role, and what goes with another transport than the product's first, said in the node itself.
    node["allOf"] = [
        {
            "if": {"required": [key.name]},
            "then": {"properties": {"roles": {"contains": {"enum": list(key.roles)}}}},
        }
        for key in known.options
        if key.roles
    ] + [
        {
            "if": {"properties": {"transport": {"const": transport}}, "required": ["transport"]},
            "then": {"properties": dict.fromkeys(_foreign(transport), False)},
        }
        for transport in TRANSPORTS
    ]
    return {
        "description": "The machines, by name.",
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": _whole(NAMES)},
        "additionalProperties": node,
    }


def _of_any_transport() -> tuple[Setting, ...]:
    """The keys of all transports. One that several have, each with a meaning of its own, is described with all."""
    merged = []
    for name, key in by_name(*TRANSPORTS.values()).items():
        docs = {table[name].doc: way for way, keys in TRANSPORTS.items() if name in (table := by_name(keys))}
        doc = " ".join(f"Over {way}: {doc}" for doc, way in docs.items()) if len(docs) > 1 else key.doc
        merged.append(replace(key, doc=doc, otherwise="" if len(docs) > 1 else key.otherwise))
    return tuple(merged)


def _foreign(transport: str) -> list[str]:
    own = by_name(TRANSPORTS[transport])
    return [name for name in by_name(*TRANSPORTS.values()) if name not in own]


def _rules() -> Schema:
    return {
        "description": "Overrides of the vendor's rules, by the rule's id.",
        "type": "object",
        "additionalProperties": _table(RULE),
    }


def _skip() -> Schema:
    """Ids of plugins' checks are taken as they are; `preflight validate` knows whether there are such."""
    return {
        "description": "Checks that are not judged here: by the check's id, why. Every report shows it.",
        "type": "object",
        "properties": {
            **{check.id: {**_value(REASON), "description": check.title} for check in of_product(BUILTIN, None)},
            **dict.fromkeys(NEVER, False),
        },
        "additionalProperties": _value(REASON),
    }


def _expect() -> Schema:
    """What a SELECT may be, and which node could answer, `preflight validate` knows."""
    wishes = [key.name for key in WISHES]
    of_kind = [
        {
            "required": [subject.name],
            "properties": {
                **dict.fromkeys((other.name for other in SUBJECTS if other != subject), False),
                **{name: False for name in wishes if name not in (*BY_KIND[subject.name], "same", "timeout")},
            },
        }
        for subject in SUBJECTS
    ]
    return _list(_table(EXPECT) | {"oneOf": of_kind}, "What is expected of the nodes beyond what comes with preflight.")


def _list(table: Schema, description: str) -> Schema:
    return {"description": description, "type": "array", "items": table}


def _drift_rule() -> Schema:
    number = {"properties": {"compare": {"const": "number"}}, "required": ["compare"]}
    return _table(DRIFT_RULE) | {
        "if": number,
        "then": {"required": ["tolerance"]},
        "else": {"properties": {"tolerance": False}},
    }


def _table(
    keys: Iterable[Setting], description: str = "", also: Schema | None = None, required: tuple[str, ...] = ()
) -> Schema:
    table = by_name(tuple(keys))
    schema: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {**{name: _value(key) for name, key in table.items()}, **(also or {})},
    }
    if description:
        schema["description"] = description
    needed = [*required, *(name for name, key in table.items() if key.required)]
    if needed:
        schema["required"] = needed
    # At most one source for each secret.
    sources: dict[str, list[str]] = {}
    for name, key in table.items():
        if key.secret:
            sources.setdefault(key.secret, []).append(name)
    pairs = [[one, two] for names in sources.values() for one in names for two in names if one < two]
    if pairs:
        schema["not"] = {"anyOf": [{"required": pair} for pair in pairs]}
    return schema


def _value(key: Setting) -> Schema:
    description = key.doc + (f" Left out: {key.otherwise}." if key.otherwise else "")
    schema: Schema = {"description": description}
    if key.kind == "date":
        # Editors hand a TOML date to their JSON Schema as the text that it is written as.
        return schema | {"type": "string", "format": "date", "pattern": _whole("[0-9]{4}-[0-9]{2}-[0-9]{2}")}
    if key.several:
        one = {"type": "string", "pattern": _whole(key.pattern or TEXT)}
        return schema | {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}
    if key.kind == "texts":
        schema |= {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}}
    elif key.kind == "scalar":
        schema |= {"type": _SCALAR, "pattern": _whole(TEXT)}
    else:
        schema["type"] = _TYPES[key.kind]
    if key.choices:
        schema["enum"] = list(key.choices)
    elif schema["type"] == "string":
        schema["pattern"] = _whole(rf"({key.pattern or TEXT}){'?' if key.may_be_empty else ''}")
    if key.chain:
        # Both ways to write it, the description with them.
        one = {"type": "string", "pattern": _whole(key.pattern or TEXT)}
        both = [
            {name: schema.pop(name) for name in ("type", "pattern")},
            {"type": "array", "minItems": 1, "items": one},
        ]
        schema["anyOf"] = both
    bounds = {"minimum": key.least, "maximum": key.most, "default": key.default}
    schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    if key.pattern == ENV_NAME:
        schema["examples"] = [key.example]
    return schema


def _whole(pattern: str) -> str:
    return f"^({pattern})$"
