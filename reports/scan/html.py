"""A scan as one HTML page that needs nothing else: no network, no script to be read, light and dark, fit to print."""

from __future__ import annotations

from collections.abc import Iterator

from checks.scan import Scan
from reports.render.page import page_pieces
from reports.scan.page.view import view


def render(scan: Scan) -> str:
    """The page, to be written as UTF-8."""
    return "".join(pieces(scan))


def pieces(scan: Scan) -> Iterator[str]:
    """The same, piece by piece."""
    return page_pieces("report", view(scan))
