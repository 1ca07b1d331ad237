"""From the tables of a TOML file to the model: every problem is noted with its place."""
