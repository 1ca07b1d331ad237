"""Frozen dataclasses as JSON values and back, with the place of every mistake, and the JSON Schema of both ways.

A class is what its document looks like: its fields are the keys, in their order, and their types what may stand there.
A field with a default may be left out, and is, where it holds it; `from_` is the key `from`. Keys that are unknown are
passed over when a document is read, and by the schema: the format may gain some under its number.

What is written need not be of the class: whatever has the fields will do, and where a value is come by otherwise, the
field says how (`From`). A class that is nothing but a shape need be no dataclass.

`shape` has what a class says it with, and takes it apart; `reading`, `writing` and `schema` go by what comes of that.
"""
