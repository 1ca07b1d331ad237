"""Ansible's inventory: what `ansible-inventory --list` prints, and how it is come by where a file is not that."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reports.text import one_line
from scanner.errors import UsageError, cause_of
from scanner.inventory.importing.machines import Machine, unknown_group
from scanner.inventory.reading.looking import is_file, unseen
from scanner.inventory.settings.setting import HOST
from scanner.secrets import children

_TOOL = "ansible-inventory"
_PATIENCE_S = 120.0
_MOST_BYTES = 64 * 1024 * 1024
_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "libssh", "ansible.builtin.ssh", "ansible.builtin.paramiko_ssh")
_WAYS = {
    **dict.fromkeys(_SSH, "ssh"),
    "winrm": "winrm",
    "ansible.builtin.winrm": "winrm",
    "psrp": "winrm",
    "ansible.builtin.psrp": "winrm",
    "local": "local",
    "ansible.builtin.local": "local",
}
_AUTH = {
    "ntlm": "ntlm",
    "negotiate": "ntlm",
    "kerberos": "kerberos",
    "credssp": "credssp",
    "basic": "basic",
    "plaintext": "basic",
    "certificate": "certificate",
    "ssl": "basic",
}
"""Ansible's words for a login over WinRM or PSRP, and the inventory's."""
_SECRET = re.compile(r"pass(word|phrase|wd)?$|_pass_|secret|token", re.IGNORECASE)
_TRUE = {"true", "yes", "on", "1", "y", "t"}
_TEXTS = {
    "ssh": (
        ("user", ("ansible_user", "ansible_ssh_user")),
        ("key_file", ("ansible_ssh_private_key_file", "ansible_private_key_file")),
    ),
    "winrm": (
        ("user", ("ansible_user", "ansible_winrm_user", "ansible_psrp_user")),
        ("scheme", ("ansible_winrm_scheme", "ansible_psrp_protocol")),
        ("path", ("ansible_winrm_path", "ansible_psrp_path")),
        ("ca_file", ("ansible_winrm_ca_trust_path", "ansible_psrp_ca_cert")),
        ("cert_file", ("ansible_winrm_cert_pem", "ansible_psrp_certificate_pem")),
        ("key_file", ("ansible_winrm_cert_key_pem", "ansible_psrp_certificate_key_pem")),
        ("kerberos_hostname", ("ansible_winrm_kerberos_hostname_override",)),
        ("configuration", ("ansible_psrp_configuration_name",)),
    ),
    "local": (),
}
"""By transport: the inventory's key, and the variables that say it, the newest name first."""
_PORTS = ("ansible_port", "ansible_ssh_port", "ansible_winrm_port", "ansible_psrp_port")
_LARGEST_PORT = 65_535
_HTTP_PORT = 5985


class AnsibleInventory:
    """The groups and machines of one inventory."""

    def __init__(self, document: Mapping[str, Any], source: str, otherwise: str) -> None:
        """`otherwise` is how a machine is reached of which nothing is said. Raises UsageError where it is none."""
        self.source = source
        self._otherwise = otherwise
        meta = document.get("_meta")
        variables = meta.get("hostvars") if isinstance(meta, dict) else None
        if not isinstance(variables, dict):
            raise UsageError(
                f"{source} is not what `{_TOOL} --list` prints: it has no _meta.hostvars. "
                f"Write it with `{_TOOL} -i INVENTORY --list > FILE`, without --yaml, --toml and --export"
            )
        self._variables = {str(name): value for name, value in variables.items() if isinstance(value, dict)}
        self._groups = {str(name): group for name, group in document.items() if name != "_meta"}

    @property
    def groups(self) -> dict[str, int]:
        """Each group with how many machines it has, its children's among them."""
        return {name: len(self._hosts(name, ())) for name in self._groups if name not in ("all", "ungrouped")}

    def members(self, group: str) -> list[Machine]:
        """The machines of a group and its children. Raises UsageError."""
        if group not in self._groups:
            raise unknown_group(group, self.groups, self.source)
        hosts = self._hosts(group, ())
        if not hosts:
            raise UsageError(f"--map: {group} of {self.source} has no machine")
        return [machine_of(name, self._variables.get(name, {}), self._otherwise) for name in hosts]

    def _hosts(self, group: str, above: tuple[str, ...]) -> list[str]:
        table = self._groups.get(group)
        # Scripts of old give a bare list of hosts.
        hosts = table if isinstance(table, list) else table.get("hosts", []) if isinstance(table, dict) else []
        children = table.get("children", []) if isinstance(table, dict) else []
        found = [str(host) for host in hosts] if isinstance(hosts, list) else []
        for child in children if isinstance(children, list) else []:
            if child not in above:
                found += self._hosts(str(child), (*above, group))
        return list(dict.fromkeys(found))


def machine_of(name: str, variables: Mapping[str, Any], otherwise: str) -> Machine:
    """A machine from its variables; `otherwise` is how it is reached where they do not say it. What is a
    secret, or computed by Ansible, is not taken over, and says so.
    """
    said = _Said(variables)
    written = said.text("ansible_connection")
    way = _WAYS.get(written, "") if written else ""
    notes = [f"Ansible reaches it by {written}, which preflight does not."] if written and not way else []
    host = said.text("ansible_host", "ansible_ssh_host") or ("" if "ansible_host" in said.computed else name)
    spoken = way or otherwise
    keys: dict[str, object] = {}
    for key, names in _TEXTS[spoken]:
        if value := said.text(*names):
            keys[key] = value
    port = said.number(*_PORTS)
    if port:
        keys["port"] = port
    if spoken == "winrm":
        keys |= _winrm(said, keys, psrp=written.endswith("psrp"))
    elif spoken == "ssh":
        keys |= _ssh(said, notes)
    if said.true("ansible_become") and said.text("ansible_become_method") in ("", "sudo") and spoken != "winrm":
        keys["sudo"] = True
    secret = sorted(variable for variable in variables if _SECRET.search(str(variable)))
    if secret:
        notes.append(f"Not taken over: {', '.join(secret)}. Say where that secret is kept (password_env, and so on).")
    if said.computed:
        notes.append(f"Ansible computes {', '.join(sorted(said.computed))}: fill in what it comes to.")
    return Machine(
        name=name,
        host=host if re.fullmatch(HOST, host) else "",
        transport=way,
        keys=keys,
        notes=tuple(notes),
    )


def _ssh(said: _Said, notes: list[str]) -> dict[str, object]:
    """What the arguments for ssh say of the way there."""
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args"):
        text = said.text(name)
        try:
            words = shlex.split(text)
        except ValueError:
            notes.append(f"{name} is not understood.")
            continue
        joined = " ".join(words)
        found = re.search(r"(?:^|\s)(?:-J\s*|-o\s*ProxyJump[=\s]\s*)([^\s]+)", joined)
        if found:
            return {"jump": found[1]}
        if "proxycommand" in joined.lower():
            notes.append(f"{name} leads there by a ProxyCommand: name the machine in between as `jump`.")
    return {}


def _winrm(said: _Said, keys: Mapping[str, object], *, psrp: bool) -> dict[str, object]:
    found: dict[str, object] = {"protocol": "psrp"} if psrp else {}
    ways = said.texts("ansible_winrm_transport", "ansible_psrp_auth")
    auth = next((_AUTH[way] for way in ways if way in _AUTH), "")
    if auth:
        found["auth"] = auth
    # Ansible, too, takes 5985 for http unless it is told otherwise.
    if "scheme" not in keys and keys.get("port") == _HTTP_PORT:
        found["scheme"] = "http"
    validation = said.text("ansible_winrm_server_cert_validation", "ansible_psrp_cert_validation")
    if validation == "ignore" and keys.get("scheme", found.get("scheme")) != "http":
        found["verify"] = False
    return found


class _Said:
    """A machine's variables; `computed` collects those that are templates or locked."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self.computed: set[str] = set()

    def text(self, *names: str) -> str:
        """The first of the variables that is set, as text."""
        for name in names:
            value = self._variables.get(name)
            if isinstance(value, dict) or (isinstance(value, str) and re.search(r"\{\{|\{%|\$ANSIBLE_VAULT", value)):
                self.computed.add(name)
            elif isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
                return str(value).strip()
        return ""

    def texts(self, *names: str) -> Sequence[str]:
        """The same, of a list or of texts with commas between."""
        for name in names:
            value = self._variables.get(name)
            if isinstance(value, list):
                return [str(item).strip().lower() for item in value]
        return [part.strip().lower() for part in self.text(*names).split(",") if part.strip()]

    def number(self, *names: str) -> int:
        """A port; 0 where none is set."""
        text = self.text(*names)
        return int(text) if re.fullmatch(r"[0-9]{1,5}", text) and 0 < int(text) <= _LARGEST_PORT else 0

    def true(self, name: str) -> bool:
        """Whether the variable is set to what Ansible takes for true."""
        value = self._variables.get(name)
        return value is True or str(value).strip().lower() in _TRUE


def read_ansible(path: Path, otherwise: str) -> AnsibleInventory:
    """The inventory in `path`: as Ansible's tool printed it, or in whatever form that tool reads. Raises UsageError."""
    if absence := unseen(path, "file or folder"):
        raise UsageError(f"--from-ansible {path}: {absence}")
    if is_file(path):
        document = _document(path)
        if document is not None:
            return AnsibleInventory(document, str(path), otherwise)
    return AnsibleInventory(_asked(path), str(path), otherwise)


def _document(path: Path) -> Mapping[str, Any] | None:
    """What the file holds, where it is JSON; else None."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"--from-ansible {path}: cannot be read: {error.strerror or error}") from None
    if len(data) > _MOST_BYTES:
        raise UsageError(f"--from-ansible {path}: is larger than 64 MiB, and no inventory")
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    # Ansible's own form of an inventory in JSON has groups that hold tables of hosts: that is for its tool.
    return document if "_meta" in document else None


def _asked(path: Path) -> Mapping[str, Any]:
    tool = shutil.which(_TOOL)
    if tool is None:
        raise UsageError(
            f"--from-ansible {path}: is not what `{_TOOL} --list` prints, and that program, which reads every other "
            f"form, is not on this machine. Where it is: `{_TOOL} -i {shlex.quote(path.name)} --list > list.json`, "
            "then --from-ansible list.json"
        )
    # Its own configuration and plugins count, as they do for whoever uses that inventory.
    try:
        done = children.run([tool, "-i", str(path), "--list"], timeout_s=_PATIENCE_S, most_bytes=_MOST_BYTES)
    except (OSError, ValueError, children.TimeUpError, children.TooMuchError) as error:
        raise UsageError(f"--from-ansible {path}: {_TOOL} could not be run to its end ({cause_of(error)})") from None
    try:
        document = json.loads(done.output)
    except (ValueError, RecursionError):
        document = None
    errors = " ".join(done.errors.decode("utf-8", "replace").split())
    if done.code or not isinstance(document, dict):
        raise UsageError(f"--from-ansible {path}: {_TOOL} ended with {done.code}: {one_line(errors, 500) or 'no JSON'}")
    found: Mapping[str, Any] = document
    if not found.get("_meta", {}).get("hostvars") and errors:
        # It warns of a file that it cannot read, and is content.
        raise UsageError(f"--from-ansible {path}: {_TOOL} found no machine in it: {one_line(errors, 500)}")
    return found
