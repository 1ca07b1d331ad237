"""What iis-authentication.ps1 answers on a recorded machine, line for line as the script does."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

from scanner.lab.machines.secret_server.probes import Session, Value, find_roots, iis_configuration, read_xml, resolved
from scanner.lab.machines.windows.machine import AccessError, Machine

_KINDS = ("anonymous", "windows", "basic", "digest")


def iis_authentication(session: Session) -> Value:
    """iis-authentication.ps1."""
    machine, path = session.machine, iis_configuration(session)["path"]
    document = read_xml(machine, path)
    known = {_name(kind): "" for kind in _KINDS}
    for group in document.findall("configSections/sectionGroup[@name='system.webServer']"):
        known |= _declared(group, "")
    places = []
    for place in (document, *document.findall("location")):
        row = _place(machine, place, known, path.rpartition("\\")[0])
        kept = place.get("inheritInChildApplications", "").lower() == "false"
        row |= {"path": place.get("path", ""), "inherits": not kept}
        old = {"true": "Allow", "false": "Deny"}.get(place.get("allowOverride", "").lower(), "")
        override = place.get("overrideMode", "") or old or ("" if "allowOverride" not in place.attrib else None)
        row["override"] = override
        moves = str(override).lower() in ("allow", "deny")
        telling = [section for section in row["sections"] if moves or section["locks"]]
        row["sections"] = [{**section, "attributes": [], "elements": []} for section in telling]
        if telling or any(kind in row for kind in _KINDS):
            places.append(row)
    denied = sorted(name for name, mode in known.items() if mode.lower() == "deny")
    folders = [_folder(machine, root["path"], known) for root in find_roots(session)["roots"]]
    return {"denied": denied, "places": places, "folders": folders}


def _folder(machine: Machine, root: str, known: dict[str, str]) -> Value:
    row: Value = {"path": root, "mode": "", "error": "", "sections": []}
    try:
        config = read_xml(machine, root + r"\web.config")
        for place in (config, *(one for one in config.findall("location") if one.get("path", "") in ("", "."))):
            for element in place.findall("system.web/authentication"):
                row["mode"] = resolved(machine, element, root).get("mode", row["mode"])
            said = _place(machine, place, known, root)
            row |= {**said, "sections": [*row["sections"], *said["sections"]]}
    except AccessError as error:
        row["error"] = error.line
    return row


def _declared(group: ET.Element, above: str) -> dict[str, str]:
    found = {above + one.get("name", ""): one.get("overrideModeDefault", "") for one in group.findall("section")}
    for inner in group.findall("sectionGroup"):
        found |= _declared(inner, f"{above}{inner.get('name', '')}/")
    return found


def _found(node: ET.Element, above: str, known: dict[str, str]) -> Iterator[tuple[str, ET.Element]]:
    names = {name.lower() for name in known}
    for child in node:
        name = above + child.tag
        if name.lower() in names:
            yield name, child
        else:
            yield from _found(child, name + "/", known)


def _place(machine: Machine, place: ET.Element, known: dict[str, str], folder: str) -> Value:
    row: Value = {"sections": []}
    for server in place.findall("system.webServer"):
        for name, element in _found(server, "", known):
            node = resolved(machine, element, folder)
            row["sections"].append(
                {
                    "name": name,
                    "attributes": [one for one in node.attrib if not one.startswith("lock")],
                    "elements": list(dict.fromkeys(child.tag for child in node)),
                    "locks": {one: value for one, value in node.attrib.items() if one.startswith("lock")},
                }
            )
            for kind in _KINDS:
                if name == _name(kind) and "enabled" in node.attrib:
                    row[kind] = node.attrib["enabled"]
    return row


def _name(kind: str) -> str:
    return f"security/authentication/{kind}Authentication"
