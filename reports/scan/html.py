"""A scan as one HTML page that needs nothing else: no network, no script to be read, light and dark, fit to print."""

from __future__ import annotations

from checks.scan import Scan
from reports.render.page import render_page
from reports.scan.page.view import view


def render(scan: Scan) -> str:
    """The page, to be written as UTF-8."""
    return render_page("report", view(scan))
