"""What is sent to Windows hosts: parsed, held to PowerShell 2.0, and to the few things that it may do there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

import scanner.probes
from scanner.probes.batch.powershell import GUARD, PARTS, WATCH, compose, powershell_source
from scanner.probes.probe import Probe
from scanner.transports.powershell.script_delivery import deliver
from tests.secret_server_probes import PROBES

POWERSHELL = tuple(probe for probe in PROBES if probe.language == "powershell")
FOLDER = Path(scanner.probes.__path__[0])
OWN = "expect"
"""What is sent beside for an inventory's own expectations; tests of its own hold it to the same."""
FILES = tuple(sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.ps1") if path.parent.name != OWN))
SCRIPT = compose(
    POWERSHELL, nonce="0123456789abcdef", budget_s=45, options={"web_root": "D:\\Jürgen's app"}, probe_bytes=1000
)
TEXTS = {**{name: powershell_source(name) for name in FILES}, "the whole script": SCRIPT}

ACCESSORS = PARTS[0]

CMDLETS = {"New-Object", "Start-Sleep"}
"""Every cmdlet that may be sent. Both change nothing."""

PLAIN_TYPES = {
    *("array", "bool", "byte", "char", "decimal", "double", "int", "int16", "long", "sbyte", "scriptblock", "single"),
    *("string", "uint16", "uint32", "uint64", "void"),
    "type",
    "System.Collections.ArrayList",
    "System.Collections.IDictionary",
    "System.Collections.IList",
    "System.Convert",
    "System.Environment",
    "System.Globalization.CultureInfo",
    "System.IO.Compression.CompressionMode",
    "System.IO.Compression.GZipStream",
    "System.IO.MemoryStream",
    "System.Math",
    "System.Text.Encoding",
    "System.Text.RegularExpressions.Regex",
    "System.Text.StringBuilder",
    "System.StringComparer",
    "System.StringComparison",
    "System.Xml.XmlDocument",
}
CONTACT_TYPES = {
    "Microsoft.Win32.Registry",
    "Microsoft.Win32.RegistryHive",
    "Microsoft.Win32.RegistryKey",
    "System.BitConverter",
    "System.Console",
    "System.DateTime",
    "System.Data.SqlClient.SqlConnection",
    "System.Data.SqlClient.SqlConnectionStringBuilder",
    "System.Diagnostics.FileVersionInfo",
    "System.Diagnostics.Process",
    "System.IntPtr",
    "System.IO.Directory",
    "System.IO.DriveInfo",
    "System.Net.NetworkInformation.IPGlobalProperties",
    "System.Net.Sockets.SocketException",
    "System.Net.Sockets.TcpClient",
    "System.Management.ManagementObjectSearcher",
    "System.Management.ManagementScope",
    "System.Management.ObjectQuery",
    "System.IO.DirectoryNotFoundException",
    "System.IO.File",
    "System.IO.FileAccess",
    "System.IO.FileInfo",
    "System.IO.FileMode",
    "System.IO.FileNotFoundException",
    "System.IO.FileShare",
    "System.IO.IOException",
    "System.IO.Path",
    "System.IO.SeekOrigin",
    "System.Reflection.Assembly",
    "System.Runtime.InteropServices.Marshal",
    "System.Security.Cryptography.SHA256CryptoServiceProvider",
    "System.Security.Cryptography.SHA256Managed",
    "System.Security.SecurityException",
    "System.UnauthorizedAccessException",
}
WATCH_TYPES = {
    "System.Collections.Hashtable",
    "System.Diagnostics.Stopwatch",
    "System.Management.Automation.PowerShell",
    "System.Management.Automation.Runspaces.RunspaceFactory",
}
"""What a second runspace takes, all of it in PowerShell 2.0 (System.Management.Automation 1.0)."""
MEMBERS_OF_POWERSHELL_2 = {
    *("AddScript", "BeginInvoke", "BeginStop", "CreateRunspace", "EndInvoke", "Runspace", "SessionStateProxy"),
    "SetVariable",
    "ApplicationArguments",
}
MEMBERS_OF_DOTNET_2 = set(
    re.findall(
        r"\w+",
        """
    ASCII Add Address Append AsyncWaitHandle Authentication Begin BeginConnect Close CommandText CommandTimeout
    CompareOrdinal Compress ComputeHash ConnectionString Contains ContainsKey Count Create CreateCommand
    DirectorySeparatorChar DocumentElement DriveType ElapsedMilliseconds EndConnect EndsWith ErrorCode Exception
    ExecuteReader Exit ExpandEnvironmentVariables FieldCount FileBuildPart FileMajorPart FileMinorPart
    FilePrivatePart FileVersion Flush FromBase64String Get GetActiveTcpConnections GetAttribute GetAttributes
    GetBytes GetCreationTimeUtc GetCurrentProcess GetDirectories GetDrives GetEncoding GetEnumerator
    GetEnvironmentVariable GetFileName GetFiles GetHRForException GetIPGlobalProperties GetLastWriteTimeUtc
    GetName GetProcessById GetProcesses GetPropertyValue GetString GetType GetValue GetValueNames GetVersionInfo
    HasAttribute Hash Id Index IndexOf InnerException InvariantCulture InvokeMethod IsDBNull IsInfinity IsMatch
    IsNaN IsReady Key Keys Kill LanguageMode LastIndexOf Length Load LoadWithPartialName LoadXml LocalEndPoint
    LocalMachine LocalName Matches Max Message Min Name NamespaceURI Number Open OpenStandardOutput OpenSubKey
    Options Ordinal OrdinalIgnoreCase OuterXml PSVersion Port Read RemoteEndPoint Replace Round Seek SelectNodes
    SelectSingleNode SessionState Size Sort Split StartNew StartTime StartsWith State Substring Synchronized
    Ticks ToArray ToBase64String ToInt32 ToLowerInvariant ToString TransformBlock TransformFinalBlock Trim
    TrimEnd UTF8 UtcNow Value Version WaitOne Write XmlResolver get_Length get_TotalFreeSpace get_TotalSize
    """,
    )
)
"""Properties and methods that may be used, each known from .NET 2.0 with the arguments that it is given."""
WRITING = re.compile(
    r"(?:IO\.\w+|Registry\w*|Environment|Process)\]::"
    r"(?:Write|Append|Delete|Move|Copy|Create|Set|Replace|Encrypt|Decrypt|Start|Kill)"
    r"|\.(?:SetValue|DeleteValue|CreateSubKey|DeleteSubKey\w*|Delete|Create|MoveTo|CopyTo|SetAccessControl|Save)\("
    r"|FileMode\]::(?!Open,)|FileAccess\]::(?!Read,)"
)


def parsed(text: str) -> Node:
    return Parser(Language(tree_sitter_powershell.language())).parse(text.encode()).root_node


def walked(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walked(child)


def texts_of(text: str, kind: str) -> set[str]:
    return {(node.text or b"").decode() for node in walked(parsed(text)) if node.type == kind}


def types_in(text: str) -> set[str]:
    created = set(re.findall(r"New-Object (System\.[\w.]+)", text))
    named = {name.strip("[]") for name in texts_of(text, "type_literal")}
    return created | named | set(re.findall(r"\[([A-Za-z][\w.]+)\]", "\n".join(texts_of(text, "cast_expression"))))


@pytest.mark.parametrize("name", TEXTS)
def test_everything_that_is_sent_parses(name: str) -> None:
    bad = [node for node in walked(parsed(TEXTS[name])) if node.is_error or node.is_missing]
    assert [(node.start_point, node.text) for node in bad] == []


def test_the_parser_would_notice_a_broken_script() -> None:
    assert any(node.is_error or node.is_missing for node in walked(parsed(SCRIPT.replace("{\n", "{{\n", 1))))


@pytest.mark.parametrize("name", TEXTS)
def test_everything_that_is_sent_is_ascii_without_tabs(name: str) -> None:
    assert re.fullmatch(r"[\n -~]*", TEXTS[name])


def test_every_file_is_sent_as_a_part_or_as_a_probe() -> None:
    probes = {probe.id for probe in POWERSHELL}
    brought = {text for probe in POWERSHELL for text in probe.parts}
    fixed = {GUARD, *PARTS, WATCH, *(name for name in FILES if powershell_source(name) in brought)}
    assert len(fixed) == len({GUARD, *PARTS, WATCH}) + len(brought)
    assert {Path(name).stem for name in FILES if name not in fixed} == probes
    assert fixed <= set(FILES)
    assert all(powershell_source(name).strip() in SCRIPT for name in FILES)


@pytest.mark.parametrize("probe", POWERSHELL, ids=lambda probe: probe.id)
def test_a_probe_brings_all_that_it_calls(probe: Probe) -> None:
    script = compose((probe,), nonce="0123456789abcdef", budget_s=45, options={}, probe_bytes=1000)
    assert texts_of(script, "command_name") - texts_of(script, "function_name") == CMDLETS


def test_only_our_own_functions_and_two_cmdlets_are_called() -> None:
    called = texts_of(SCRIPT, "command_name")
    defined = texts_of(SCRIPT, "function_name")
    assert all(re.fullmatch(r"[A-Z][a-z]+-Pf[A-Za-z0-9]+", name) for name in defined)
    assert called - defined == CMDLETS
    # The end of the programs that a run has started is called by name, in a runspace of its own.
    assert called >= defined - {"Get-PfErrorKind", "Test-PfWow64", "Stop-PfDescendants"}
    assert "'Stop-PfDescendants'" in SCRIPT


def test_nothing_is_called_before_the_look_at_the_language_mode() -> None:
    """What the mode forbids would fail first, with an error that names anything but the mode."""

    def called(node: Node) -> Iterator[str]:
        if node.type in ("invokation_expression", "command", "member_access"):
            yield (node.text or b"").decode()
        if node.type != "script_block_expression":  # those wait until somebody runs them
            for child in node.children:
                yield from called(child)

    before, look, behind = SCRIPT.partition(powershell_source(GUARD))
    assert look
    assert list(called(parsed(before))) == []
    assert next(called(parsed(behind))) == ". $PfWatcher"


def test_the_only_things_run_by_reference_are_a_probe_s_body_and_our_own_parts() -> None:
    operators = [node for node in walked(parsed(SCRIPT)) if node.type == "command_invokation_operator"]
    run = [(node.parent.text or b"").decode() for node in operators if node.parent]
    assert run == ["& $Body", ". $PfWatcher", ". $PfParts"]
    added = re.findall(r"AddScript\((.*)\)", SCRIPT)
    rests = ["$PfProbes.ToString()", "'Stop-PfDescendants'"]
    assert added == [f'$PfParts.ToString() + "`n" + {rest}' for rest in rests]
    assert not re.search(r"Invoke-Expression|Invoke-Command|ScriptBlock\]::|Add-Type", SCRIPT, re.IGNORECASE)


def test_dotnet_types_are_those_of_the_list_and_only_accessors_touch_windows() -> None:
    for name in FILES:
        allowed = PLAIN_TYPES | {ACCESSORS: CONTACT_TYPES, WATCH: WATCH_TYPES}.get(name, set())
        assert types_in(powershell_source(name)) - allowed == set(), name
    assert types_in(powershell_source(ACCESSORS)) >= {"Microsoft.Win32.Registry", "System.IO.File"}


def test_members_of_dotnet_are_those_that_clr_2_has() -> None:
    used = {(node.text or b"").decode() for node in walked(parsed(SCRIPT)) if node.type == "member_name"}
    # This one is of .NET 4: it is asked for only where its RegistryView is there.
    # Of whose child a process is, PowerShell 6 and later tell; where it is asked, those without it have WMI.
    assert used - MEMBERS_OF_DOTNET_2 - MEMBERS_OF_POWERSHELL_2 == {"OpenBaseKey", "Parent"}


def test_properties_that_can_fail_are_read_as_methods() -> None:
    # PowerShell gives $null for a property that throws, in every version: a size that could not be had would be none.
    assert re.findall(r"\$(?:info|stream)\.Length|\$drive\.(?:Total|Available)\w+", SCRIPT) == []
    assert {"$info.get_Length()", "$stream.get_Length()", "$drive.get_TotalSize()"} <= set(
        re.findall(r"\$\w+\.get_\w+\(\)", SCRIPT)
    )


@pytest.mark.parametrize(
    "by_culture", [r"-[ci]?(?:not)?(?:like|match)\b", r"-[ci]?(?:replace|split)\b", r"\.To(Lower|Upper)\("]
)
def test_no_text_is_compared_by_the_culture_of_the_host(by_culture: str) -> None:
    # -eq and -contains go by the invariant culture. These do not: to a Turkish Windows, X.ZIP is not -like *.zip.
    code = re.sub(r"^\s*#.*$", "", SCRIPT, flags=re.MULTILINE)
    assert re.findall(by_culture, code, re.IGNORECASE) == []


@pytest.mark.parametrize("name", [name for name in FILES if name != ACCESSORS])
def test_environment_drives_and_wmi_are_out_of_reach_outside_the_accessors(name: str) -> None:
    assert not re.search(r"\$env:|\$\{env:|HKLM:|Get-Wmi|\[wmi", powershell_source(name), re.IGNORECASE)


@pytest.mark.parametrize("name", FILES)
def test_nothing_writes_to_the_host(name: str) -> None:
    assert WRITING.findall(powershell_source(name)) == []


def test_all_that_is_ended_is_our_own_process_and_what_it_has_started() -> None:
    assert re.findall(r"^.*\b(?:Kill|Exit)\(.*$", SCRIPT, re.MULTILINE) == [
        "                        $process.Kill()",
        "    [System.Environment]::Exit(0)",
    ]
    descendants = re.search(
        r"^function Stop-PfDescendants.*?^}$", powershell_source(ACCESSORS), re.MULTILINE | re.DOTALL
    )
    assert descendants
    assert "$process.StartTime -ge $own.StartTime" in descendants[0]


ALWAYS_A_VALUE = {
    *("Expand-PfEnvironment", "Get-PfBlockedName", "Get-PfClock", "Get-PfErrorKind", "Get-PfErrorText"),
    *("Get-PfFileBytes", "Get-PfFileHash", "Get-PfFilePiece", "Get-PfFileSize", "Get-PfFileTimes", "Get-PfFileVersion"),
    *("Get-PfFolderTime", "Get-PfIis", "Get-PfPatience", "Get-PfRegistryHex", "Get-PfRegistryText", "Get-PfRoots"),
    *("Get-PfSqlPort", "Get-PfSystemFolder", "Get-PfTextHash", "Get-PfTextKind", "Get-PfTicks", "Read-PfNumber"),
    *("Get-PfConfigFile", "New-Object", "Open-PfFile", "Read-PfXml", "Start-PfRun", "Read-PfSql", "New-PfSha256"),
    *("Find-PfRoots", "Read-PfIis", "Get-PfDefaultPool", "Get-PfBackup", "Get-PfPoolSetting", "Complete-PfRun"),
    *(
        "Get-PfFolderOf",
        "Resolve-PfSection",
        "Get-PfComputerName",
        "Get-PfConfigState",
        "Get-PfSqlClusterName",
        "Get-PfSqlServiceState",
    ),
    *("Test-PfFolder", "Test-PfRegistryKey", "Test-PfApplication", "Get-PfBusyFileHash", "Get-PfSection"),
}
"""Functions that give exactly one value, never nothing, or throw."""
_WRAPPERS = re.compile(r".*(?<!cast)(?<!^array)_expression|pipeline|pipeline_chain|unary_expression|statement_list")


def bare(node: Node) -> Node:
    """`node` without the layers that add nothing to it, parentheses among them."""
    while node.type not in ("command", "cast_expression") and _WRAPPERS.fullmatch(node.type):
        if len(node.named_children) != 1:
            break
        node = node.named_children[0]
    return node


def may_be_nothing(node: Node) -> str | None:
    """The command, or the block of commands, whose output `node` is, unless it always gives a value."""
    inner = bare(node)
    if inner.type == "sub_expression":
        return (inner.text or b"").decode()
    if inner.type != "command":
        return None
    text = (inner.text or b"").decode()
    return None if text.split()[0] in ALWAYS_A_VALUE else text


def used_for_a_value(text: str) -> list[str]:
    """Casts, members and elements of what a command gave, if it gave anything: of nothing, they are $null.

    A variable counts as well, where it is set to a command's output and never compared with $null.
    """
    found = []
    for function in [n for n in walked(parsed(text)) if n.type in ("program", "function_statement")]:
        inner = [
            node
            for node in walked(function)
            if function.type == "function_statement" or not _is_inside_function(node, function)
        ]
        unsure: dict[str, str] = {}
        for node in inner:
            value = node.child_by_field_name("value") if node.type == "assignment_expression" else None
            target = bare(node.named_children[0]) if value is not None else None
            gives = may_be_nothing(value) if value is not None else None
            if target is not None and gives and target.type == "variable":
                unsure[(target.text or b"").decode().lower()] = gives
        whole = (function.text or b"").decode().lower()
        unsure = {name: gives for name, gives in unsure.items() if not re.search(rf"\$null -(eq|ne) \{name}\b", whole)}
        for node in inner:
            operand = None
            if node.type == "cast_expression" and not (node.text or b"").startswith(b"[void]"):
                operand = node.named_children[-1]
            elif node.type in ("invokation_expression", "member_access", "element_access"):
                operand = node.named_children[0]
            if operand is None:
                continue
            name = (bare(operand).text or b"").decode().lower()
            if may_be_nothing(operand) or name in unsure:
                found.append((node.text or b"").decode())
    return found


def _is_inside_function(node: Node, top: Node) -> bool:
    parent = node.parent
    while parent is not None and parent != top:
        if parent.type == "function_statement":
            return True
        parent = parent.parent
    return False


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_cast_that_may_be_nothing(name: str) -> None:
    assert used_for_a_value(TEXTS[name]) == []


@pytest.mark.parametrize(
    "form",
    [
        "$a = [string](Get-PfThing 'x')",
        "$a = [string]$(Get-PfThing)",
        "$a = [int](Get-PfThing)",
        "$a = 1 + [long](Get-PfThing 'x' $y)",
        "$a = ([string](Get-PfThing)).Trim()",
        "$a = (Get-PfThing 'x').Trim()",
        "if ((Get-PfThing).Length -gt 0) { 1 }",
        "$a = (Get-PfThing)['written']",
        "$a = $(Get-PfThing).Length",
        "$a = Get-PfThing 'x'\n$b = [string]$a",
        "function Get-PfOther {\n$a = Get-PfThing 'x'\nreturn $a.Trim()\n}",
        "$h = @{ a = [string](Get-PfThing) }",
        "$a = [string](& $Body)",
    ],
)
def test_a_cast_of_what_may_be_nothing_would_be_noticed(form: str) -> None:
    # PowerShell/PowerShell #21250; a real engine says so: tests/field.
    assert used_for_a_value(form) != []


def test_a_connection_is_opened_and_closed_and_nothing_is_sent_over_it() -> None:
    accessor = re.search(r"^function Get-PfConnections.*?^}$", powershell_source(ACCESSORS), re.MULTILINE | re.DOTALL)
    assert accessor
    assert set(re.findall(r"(?:client|'pending'\])\.(\w+)", accessor[0])) == {
        "BeginConnect",
        "EndConnect",
        "AsyncWaitHandle",
        "Close",
    }
    assert SCRIPT.count("Sockets.TcpClient") == 1
    assert not re.search(r"GetStream|\.Client\b|\.Send|WebClient|WebRequest|UdpClient", SCRIPT)


@pytest.mark.parametrize(
    "newer",
    [
        r"\[ordered\]",
        r"\[pscustomobject\]",
        r"ConvertTo-Json|ConvertFrom-Json|Get-FileHash|Get-CimInstance|Invoke-WebRequest|Get-ItemPropertyValue",
        r"\s-(not)?in\s",
        r"\$PSItem|\$PSScriptRoot|\$PSCmdlet",
        r"::new\(",
        r"\.ForEach\(|\.Where\(",
        r"CopyTo\(|IsNullOrWhiteSpace|RegistryView\]",
        r"Where-Object|ForEach-Object|\s\|\s",
        r"\?\?|\?\.|&&|\|\|",
        r"\bclass\b [A-Z]|\benum\b [A-Z]|\bworkflow\b|#requires|\busing\b",
        r"-Raw|-Depth\b \d|-shl|-shr",
    ],
)
def test_nothing_newer_than_powershell_2_is_used(newer: str) -> None:
    code = re.sub(r"^\s*#.*$", "", SCRIPT, flags=re.MULTILINE)
    assert re.findall(newer, code, re.IGNORECASE) == []


def test_no_automatic_variable_is_overwritten() -> None:
    automatic = {
        *("args", "error", "event", "executioncontext", "false", "foreach", "home", "host", "input", "lastexitcode"),
        *(
            "matches",
            "myinvocation",
            "null",
            "pid",
            "profile",
            "psversiontable",
            "pwd",
            "sender",
            "switch",
            "this",
            "true",
        ),
    }
    assigned = re.findall(r"\$(\w+)\s*[+-]?=(?!=)", SCRIPT) + re.findall(r"foreach \(\$(\w+) in", SCRIPT)
    parameters = re.findall(r"\$(\w+)", " ".join(re.findall(r"^function \S+\((.*)\) \{$", SCRIPT, re.MULTILINE)))
    assert {name.lower() for name in assigned + parameters} & automatic == set()


def test_every_variable_that_is_read_is_set_somewhere() -> None:
    known = {"_", "null", "true", "false", "executioncontext", "psversiontable", "env", "pfturn", "kinds"}
    # Set by remoting, and in the runspace of the probes.
    known |= {"host", "pssenderinfo", "pfarguments"}
    everywhere = set(re.findall(r"^\$(Pf\w+) =", SCRIPT, re.MULTILINE))
    functions = re.split(r"^(?=function |Invoke-PfProbe ')", SCRIPT, flags=re.MULTILINE)
    for function in functions:
        assigned = set(re.findall(r"\$(\w+)\s*[+-]?=(?!=)", function)) | set(
            re.findall(r"foreach \(\$(\w+) in", function)
        )
        head = re.match(r"function \S+\((.*)\) \{", function)
        declared = set(re.findall(r"\$(\w+)", head[1])) if head else set()
        read = set(re.findall(r"\$(\w+)", re.sub(r"'[^'\n]*'|^\s*#.*$", "''", function, flags=re.MULTILINE)))
        missing = {name.lower() for name in read} - {n.lower() for n in assigned | declared | everywhere} - known
        assert missing == set(), function.splitlines()[0]


@pytest.mark.parametrize("name", [name for name in FILES if name != GUARD])
def test_no_call_leaks_its_value_into_the_output(name: str) -> None:
    # A bare `$x.Add(...)` statement would become part of what the function returns.
    assert re.findall(r"^\s*\$[\w.\[\]']+\.(?:Append|Add|Remove|Insert)\(", powershell_source(name), re.MULTILINE) == []


@pytest.mark.parametrize(
    "function",
    [
        "Get-PfRegistryValueNames",
        "Get-PfFileNames",
        "Get-PfFolderNames",
        "Get-PfDrives",
        "Get-PfPoolStates",
        "Get-PfConnections",
        "Find-PfZipEntries",
        "Get-PfSqlInstances",
        "Get-PfSqlRows",
        "Get-PfPools",
        "Get-PfApplications",
        "Get-PfIsapiRestrictions",
        "Get-PfWmiRows",
    ],
)
def test_functions_that_give_several_values_are_called_in_an_array_only(function: str) -> None:
    # One value would lose its array, and none would become $null.
    calls = [match[1] for match in re.finditer(rf"(..){function}\b(?!\()", SCRIPT) if match[1] != "n "]
    assert calls == ["@("] * len(calls)
    assert calls


def test_the_whole_script_goes_out_on_one_command_line_or_in_the_shell_s_creation() -> None:
    assert deliver(SCRIPT).stdin is None
    assert len(deliver(SCRIPT).environment) <= 2
