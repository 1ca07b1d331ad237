"""A scan as one HTML page that needs nothing else: no network, no script to be read, light and dark, fit to print.

The template escapes everything; what cannot be seen is spelled out before; only http and https become links; and a
content security policy allows the page its own style and script, by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from checks.scan import Scan
from reports.html_view import view


def render(scan: Scan) -> str:
    """The page, to be written as UTF-8."""
    # jinja2 takes a while to import, and most commands never render a page.
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    folder = resources.files("reports") / "templates"
    read = {name: (folder / f"report.{name}").read_text(encoding="utf-8") for name in ("html.j2", "css", "js")}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    # The two files are ours, and the policy names their hashes: they go in as they are.
    page = environment.from_string(read["html.j2"]).render(
        **view(scan),
        style=Markup(read["css"]),  # noqa: S704
        script=Markup(read["js"]),  # noqa: S704
        policy=_policy(read["css"], read["js"]),
    )
    return page if page.endswith("\n") else f"{page}\n"


def _policy(style: str, script: str) -> str:
    own = f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
