"""What each PowerShell probe answers on a recorded machine: the scripts of `scanner/probes/powershell`, line for line.

A differential test holds the two together wherever a PowerShell is at hand.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from checks.common.dataclass import dataclass
from scanner.lab.machines.windows.machine import DIRECTORY, ENCRYPTED, AccessError, Machine

Value = dict[str, Any]


@dataclass(slots=True)
class Session:
    """One run of the batch on a machine: the options that were sent, and what was read already."""

    machine: Machine
    options: Mapping[str, object]
    memo: dict[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the shell was created with, beside what the lab itself put there."""


def powershell(session: Session) -> str:
    """The contact probe."""
    return session.machine.powershell


def windows_version(session: Session) -> Value:
    """windows-version.ps1."""
    read = session.machine.registry_value
    key = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    return {
        "product_name": read(key, "ProductName"),
        "current_version": read(key, "CurrentVersion"),
        "major": read(key, "CurrentMajorVersionNumber"),
        "minor": read(key, "CurrentMinorVersionNumber"),
        "build": read(key, "CurrentBuildNumber"),
        "service_pack": read(key, "CSDVersion"),
        "product_type": read(r"HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions", "ProductType"),
    }


def dotnet_framework(session: Session) -> Value:
    """dotnet-framework.ps1."""
    key = r"HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full"
    return {"release": session.machine.registry_value(key, "Release")}


def sql_instances(session: Session) -> Value:
    """sql-instances.ps1."""
    machine, rows = session.machine, []
    for instance in installed_sql(machine):
        row = {"name": instance["name"], "instance_id": instance["id"]}
        row |= {"version": "", "patch_level": "", "edition": "", "error": ""}
        rows.append(row)
        try:
            for key, value in (("version", "Version"), ("patch_level", "PatchLevel"), ("edition", "Edition")):
                row[key] = text_of(machine.registry_value(instance["key"] + r"\Setup", value))
        except AccessError as error:
            row["error"] = error.line
    return {"instances": rows}


def installed_sql(machine: Machine) -> list[dict[str, str]]:
    """sql.ps1: Get-PfSqlInstances."""
    found: dict[str, dict[str, str]] = {}
    for software in (r"HKLM\SOFTWARE", r"HKLM\SOFTWARE\Wow6432Node"):
        base = software + "\\Microsoft\\Microsoft SQL Server\\"
        names = base + r"Instance Names\SQL"
        for name in machine.registry_value_names(names):
            instance = text_of(machine.registry_value(names, name))
            if name and instance:
                found.setdefault(instance.lower(), {"name": name, "id": instance, "key": base + instance})
    return list(found.values())


def iis_configuration(session: Session) -> Value:
    """iis.ps1: Get-PfIis."""
    if "iis" not in session.memo:
        try:
            session.memo["iis"] = _read_iis(session.machine)
        except AccessError as error:
            session.memo["iis"] = error
    found = session.memo["iis"]
    if isinstance(found, AccessError):
        raise found
    return dict(found)


def secret_server_files(session: Session) -> Value:
    """secret-server-files.ps1."""
    machine, found = session.machine, find_roots(session)
    folders = []
    for root in found["roots"]:
        libraries: list[Value] = []
        problem = ""
        binaries = root["path"] + r"\bin"
        try:
            if root["has_bin"]:
                names = machine.file_names(binaries, "Thycotic*.dll")[:200]
                libraries.extend(_library(machine, rf"{binaries}\{name}", name) for name in names)
        except AccessError as error:
            problem = error.line
        folders.append({"root": root, "libraries": libraries, "libraries_error": problem})
    return {"folders": folders, "notes": found["notes"]}


def _library(machine: Machine, path: str, name: str) -> Value:
    try:
        return {"name": name, "error": "", **machine.file_version(path)}
    except AccessError as error:
        return {"name": name, "numbers": "", "text": "", "error": error.line}


def encryption_config(session: Session) -> Value:
    """encryption-config.ps1."""
    return config_files(session, "encryption.config")


def computer_name(session: Session) -> Value:
    """computer-name.ps1."""
    read = session.machine.registry_value
    domain = read(r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters", "Domain")
    return {"name": own_name(session.machine), "domain": text_of(domain).strip()}


def own_name(machine: Machine) -> str:
    """machine.ps1: Get-PfComputerName."""
    control = r"HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName"
    return text_of(machine.registry_value(control, "ComputerName")).strip()


def hardware(session: Session) -> Value:
    """hardware.ps1."""
    return {"processors": session.machine.processors, "memory_bytes": session.machine.memory_bytes}


def config_files(session: Session, name: str) -> Value:
    """roots.ps1: Get-PfConfigFiles."""
    machine, found = session.machine, find_roots(session)
    folders = [{"root": root, "config": config_file(machine, rf"{root['path']}\{name}")} for root in found["roots"]]
    return {"folders": folders, "notes": found["notes"]}


def config_file(machine: Machine, path: str) -> Value:
    """roots.ps1: Get-PfConfigFile."""
    config: Value = {"path": path, "state": "missing", "sha256": "", "efs": False, "size_bytes": None, "detail": ""}
    try:
        attributes = machine.attributes(path)
        if attributes is not None:
            config["efs"] = bool(attributes & ENCRYPTED)
            config["size_bytes"] = machine.file_size(path)
            config["sha256"] = machine.file_hash(path)
            config["state"] = "hashed"
    except AccessError as error:
        config["detail"] = error.line
        config["state"] = error.state
    return config


EMULATIONS: Mapping[str, Callable[[Session], Value | str]] = {
    "powershell": powershell,
    "windows-version": windows_version,
    "dotnet-framework": dotnet_framework,
    "sql-instances": sql_instances,
    "iis-configuration": iis_configuration,
    "secret-server-files": secret_server_files,
    "encryption-config": encryption_config,
    "computer-name": computer_name,
    "hardware": hardware,
}


def _read_iis(machine: Machine) -> Value:
    folder = machine.system_folder() + r"\inetsrv\config"
    path, shared = folder + r"\applicationHost.config", False
    pointer = folder + r"\redirection.config"
    if machine.attributes(pointer) is not None:
        redirection = read_xml(machine, pointer).find("configurationRedirection")
        if redirection is not None and redirection.get("enabled", "").lower() == "true":
            shared = True
            path = machine.expand(redirection.get("path", "")).rstrip("\\") + r"\applicationHost.config"
    document = read_xml(machine, path)
    return {
        "path": path,
        "shared": shared,
        "pools": _pools(_section(machine, document, "applicationPools", path)),
        "applications": _applications(machine, _section(machine, document, "sites", path)),
        "isapi": _isapi(document),
    }


def _isapi(document: ET.Element) -> list[Value]:
    rows = document.findall("system.webServer/security/isapiCgiRestriction/add")
    names = ("path", "allowed", "description")
    ours = [row for row in rows if row.get("path", "").rstrip('"').lower().endswith("aspnet_isapi.dll")]
    return [{name: row.get(name, "") for name in names} for row in ours]


def read_xml(machine: Machine, path: str, *, whole: bool = False) -> ET.Element:
    """A configuration file as Read-PfXml of iis.ps1 takes it; `whole` with any root element. Raises AccessError."""
    try:
        root = ET.fromstring(machine.file_bytes(path))  # noqa: S314  a scenario's own data
    except (ET.ParseError, ValueError, LookupError):
        raise AccessError("unreadable", path, "not well-formed XML") from None
    for element in root.iter():
        # A default namespace, which IIS ignores, is ignored.
        element.tag = element.tag.rpartition("}")[2]
    return root if whole or root.tag == "configuration" else ET.Element("other")


def resolved(machine: Machine, section: ET.Element, folder: str) -> ET.Element:
    """iis.ps1: Resolve-PfSection. Raises AccessError."""
    source = section.get("configSource", "").replace("/", "\\")
    if source:
        path = f"{folder}\\{source}"
        if ".." in source or ":" in source or source.startswith("\\"):
            message = "configSource names a file outside the folder, which IIS refuses"
            raise AccessError("unreadable", path, message)
        other = read_xml(machine, path, whole=True)
        if other.tag != section.tag:
            raise AccessError("unreadable", path, f"it holds no section {section.tag}")
        section = other
    if "configProtectionProvider" in section.attrib:
        raise AccessError("unreadable", folder, f"the section {section.tag} is encrypted")
    return section


def _section(machine: Machine, document: ET.Element, name: str, path: str) -> ET.Element:
    section = document.find(f"system.applicationHost/{name}")
    if section is None:
        raise AccessError("unreadable", path, f"it has no section {name}")
    return resolved(machine, section, path.rpartition("\\")[0])


def _pools(section: ET.Element) -> list[Value]:
    defaults = section.find("applicationPoolDefaults")
    inherited = {} if defaults is None else defaults.attrib
    rows = []
    for pool in section.findall("add"):
        mode, source = "", "default"
        if "managedPipelineMode" in pool.attrib:
            mode, source = pool.attrib["managedPipelineMode"], "pool"
        elif "managedPipelineMode" in inherited:
            mode, source = inherited["managedPipelineMode"], "applicationPoolDefaults"
        runtime = pool.get("managedRuntimeVersion", inherited.get("managedRuntimeVersion", ""))
        settings = {
            name: _pool_setting(pool, defaults, child, attribute)
            for name, child, attribute in (
                ("runtime", "", "managedRuntimeVersion"),
                ("load_user_profile", "processModel", "loadUserProfile"),
                ("max_processes", "processModel", "maxProcesses"),
                ("identity_type", "processModel", "identityType"),
                ("enable_32_bit", "", "enable32BitAppOnWin64"),
                ("auto_start", "", "autoStart"),
            )
        }
        row = {"name": pool.get("name", ""), "mode": mode, "mode_source": source, "runtime_version": runtime}
        rows.append({**row, "settings": settings})
    return rows


def _pool_setting(pool: ET.Element, defaults: ET.Element | None, child: str, attribute: str) -> Value:
    for place, source in ((pool, "pool"), (defaults, "applicationPoolDefaults")):
        element = place.find(child) if place is not None and child else place
        if element is not None and attribute in element.attrib:
            return {"value": element.attrib[attribute], "source": source}
    return {"value": "", "source": "default"}


def _applications(machine: Machine, section: ET.Element) -> list[Value]:
    rows = []
    for site in section.findall("site"):
        for application in site.findall("application"):
            folder = application.find("virtualDirectory[@path='/']")
            rows.append(
                {
                    "site": site.get("name", ""),
                    "path": application.get("path", ""),
                    "physical_path": "" if folder is None else machine.expand(folder.get("physicalPath", "")),
                    "pool": application.get("applicationPool") or _default_pool(site) or _default_pool(section),
                    "site_auto_start": site.get("serverAutoStart", ""),
                }
            )
    return rows


def _default_pool(node: ET.Element) -> str:
    defaults = node.find("applicationDefaults")
    return "" if defaults is None else defaults.get("applicationPool", "")


def find_roots(session: Session) -> Value:
    """roots.ps1: Get-PfRoots."""
    if "roots" not in session.memo:
        session.memo["roots"] = _find_roots(session)
    found: Value = session.memo["roots"]
    return found


def _find_roots(session: Session) -> Value:
    machine = session.machine
    roots: list[Value] = []
    notes: list[str] = []
    _add_root(roots, machine.expand(text_of(session.options.get("web_root"))), "inventory")
    try:
        web_dir = machine.registry_value(r"HKLM\SOFTWARE\Thycotic\Secret Server", "WebDir")
        _add_root(roots, machine.expand(text_of(web_dir)), "registry")
    except AccessError as error:
        notes.append(f"registry: {error.line}")
    try:
        for application in iis_configuration(session)["applications"]:
            folder = application["physical_path"].rstrip("\\")
            try:
                if folder and machine.attributes(folder + r"\encryption.config") is not None:
                    _add_root(roots, folder, "iis")
            except AccessError as error:
                notes.append(f"iis: {error.line}")
    except AccessError as error:
        notes.append(f"iis: {error.line}")
    for root in roots:
        _set_state(machine, root)
    if not any(root["exists"] or root["error"] for root in roots):
        fallback: Value = {"path": r"C:\inetpub\wwwroot\SecretServer", "sources": ["default"]}
        _set_state(machine, fallback)
        if fallback["exists"]:
            roots.append(fallback)
    return {"roots": roots, "notes": notes}


def _add_root(roots: list[Value], path: str, source: str) -> None:
    clean = path.strip().replace("/", "\\").rstrip("\\")
    if not clean:
        return
    for known in roots:
        if known["path"].lower() == clean.lower():
            if source not in known["sources"]:
                known["sources"].append(source)
            return
    roots.append({"path": clean, "sources": [source]})


def _set_state(machine: Machine, root: Value) -> None:
    root |= {"exists": False, "has_encryption_config": False, "has_bin": False, "error": ""}
    try:
        root["exists"] = _is_folder(machine, root["path"])
        if root["exists"]:
            root["has_encryption_config"] = machine.attributes(root["path"] + r"\encryption.config") is not None
            root["has_bin"] = _is_folder(machine, root["path"] + r"\bin")
    except AccessError as error:
        root["error"] = error.line


def _is_folder(machine: Machine, path: str) -> bool:
    attributes = machine.attributes(path)
    return attributes is not None and bool(attributes & DIRECTORY)


def text_of(value: object) -> str:
    """Get-PfRegistryText: an empty text where there is no value."""
    return "" if value is None else str(value)
