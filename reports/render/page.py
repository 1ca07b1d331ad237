"""HTML pages that need nothing else, made from a template, a style and a script of ours.

The template escapes everything; what cannot be seen is spelled out before; only http and https become links; and a
content security policy allows the page its own style and script, by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING

from checks.common.pages import Link
from reports.text import one_line, truncate, web_url

if TYPE_CHECKING:
    from jinja2 import Template


_PIECE_CHARS = 65_536
"""A template gives a page away in pieces of some characters each: so many of them are worth a write."""


def render_page(name: str, values: Mapping[str, object], *scripts: str, style: str = "") -> str:
    """The page that `templates/NAME.html.j2` makes of `values`, with the house's style and script.

    A `NAME.css` beside the template comes after the style that all pages share, `report.css`, and a `NAME.js` after the
    script that they share, `page.js`; `scripts` and `style` name others in place of the former.
    """
    return "".join(page_pieces(name, values, *scripts, style=style))


def page_pieces(name: str, values: Mapping[str, object], *scripts: str, style: str = "") -> Iterator[str]:
    """The same piece by piece: that of an estate is never there as a whole."""
    from markupsafe import Markup  # noqa: PLC0415  like jinja2, below

    looks = _together(*dict.fromkeys(("report.css", style or f"{name}.css")))
    code = _together("page.js", *(scripts or (f"{name}.js",)))
    # Style and script are ours, and the policy names their hashes: they go in as they are.
    made = _template(name).generate(
        **values,
        style=Markup(looks),  # noqa: S704
        script=Markup(code),  # noqa: S704
        policy=_policy(looks, code),
    )
    parts: list[str] = []
    chars = 0
    for part in made:
        parts.append(part)
        chars += len(part)
        if chars > _PIECE_CHARS:
            yield "".join(parts)
            parts, chars = [], 0
    yield f"{''.join(parts)}\n"


@functools.cache
def _template(name: str) -> Template:
    # jinja2 takes a while to import, and most commands never render a page.
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"line": one_line, "cut": truncate, "utc": _utc, "web": _web}
    text = (resources.files("reports") / "templates" / f"{name}.html.j2").read_text(encoding="utf-8")
    return environment.from_string(text)


def _utc(moment: datetime, form: str) -> str:
    return moment.astimezone(UTC).strftime(form)


def _web(links: Iterable[Link]) -> list[tuple[str, str]]:
    """Title and address of those that a browser can open."""
    return [(one_line(link.title, 500), url) for link in links if (url := web_url(link.url))]


@functools.cache
def _together(*names: str) -> str:
    """The templates' files of these names, as far as they are there."""
    folder = resources.files("reports") / "templates"
    return "".join(file.read_text(encoding="utf-8") for name in names if (file := folder / name).is_file())


@functools.cache
def _policy(style: str, script: str) -> str:
    own = f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
