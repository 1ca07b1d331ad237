"""TOML and JSON Schema that are made from the keys."""
