"""The questions to SQL Server, each a SELECT. They stand in sql-database.ps1, whoever asks: one text for both ways."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from scanner.probes.batch.powershell import powershell_source


@functools.cache
def questions() -> Mapping[str, str]:
    """The SELECTs of sql-database.ps1 by their names there."""
    found = re.findall(
        r"^\$sql\['(\w+)'\] = '((?:[^']|'')*)'$",
        powershell_source("secret_server/database/sql-database.ps1"),
        re.MULTILINE,
    )
    return {name: text.replace("''", "'") for name, text in found}
