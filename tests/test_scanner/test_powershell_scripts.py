"""What is sent to Windows hosts: parsed, held to PowerShell 2.0, and to the few things that it may do there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from scanner.probes.powershell_batch import PARTS, compose, part
from scanner.probes.secret_server import PROBES
from scanner.transports.powershell_delivery import deliver

POWERSHELL = tuple(probe for probe in PROBES if probe.language == "powershell")
FILES = tuple(
    sorted(entry.name for entry in (resources.files("scanner.probes") / "powershell").iterdir() if entry.is_file())
)
SCRIPT = compose(
    POWERSHELL, nonce="0123456789abcdef", budget_s=45, options={"web_root": "D:\\Jürgen's app"}, probe_bytes=1000
)
TEXTS = {**{name: part(name) for name in FILES}, "the whole script": SCRIPT}

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
    "System.Diagnostics.Stopwatch",
    "System.IntPtr",
    "System.IO.Directory",
    "System.IO.DriveInfo",
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
    "System.IO.StreamReader",
    "System.Reflection.Assembly",
    "System.Runtime.InteropServices.Marshal",
    "System.Security.Cryptography.SHA256CryptoServiceProvider",
    "System.Security.Cryptography.SHA256Managed",
    "System.Security.SecurityException",
    "System.UnauthorizedAccessException",
}
MEMBERS_OF_DOTNET_2 = set(
    re.findall(
        r"\w+",
        """
    ASCII Add Append AsyncWaitHandle Authentication Begin BeginConnect Close CommandText CommandTimeout
    CompareOrdinal Compress ComputeHash ConnectionString ContainsKey Count CreateCommand
    DirectorySeparatorChar DriveType ElapsedMilliseconds EndConnect EndsWith ErrorCode Exception ExecuteReader
    ExpandEnvironmentVariables FieldCount FileBuildPart FileMajorPart FileMinorPart FilePrivatePart
    FileVersion Flush FromBase64String Get GetAttribute GetAttributes GetBytes GetCreationTimeUtc
    GetDirectories GetDrives GetEncoding GetEnumerator GetEnvironmentVariable GetFileName GetFiles
    GetHRForException GetLastWriteTimeUtc GetName GetPropertyValue GetString GetType GetValue GetValueNames
    GetVersionInfo HasAttribute Index IndexOf InnerException InvariantCulture InvokeMethod IsDBNull IsInfinity
    IsMatch IsNaN IsReady Key LanguageMode LastIndexOf Length LoadWithPartialName LoadXml LocalMachine Matches
    Max Message Min Name Number Open OpenStandardOutput OpenSubKey Options Ordinal OrdinalIgnoreCase PSVersion
    Read ReadToEnd Replace Seek SelectNodes SelectSingleNode SessionState Size Sort Split StartNew StartsWith
    Substring Ticks ToArray ToBase64String ToInt32 ToLowerInvariant ToString Trim TrimEnd UTF8 UtcNow Value
    Version WaitOne Write XmlResolver get_Length get_TotalFreeSpace get_TotalSize
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
    probes = {f"{probe.id}.ps1" for probe in POWERSHELL}
    assert set(FILES) == set(PARTS) | probes
    assert all(part(name).strip() in SCRIPT for name in FILES)


def test_only_our_own_functions_and_two_cmdlets_are_called() -> None:
    called = texts_of(SCRIPT, "command_name")
    defined = texts_of(SCRIPT, "function_name")
    assert all(re.fullmatch(r"[A-Z][a-z]+-Pf[A-Za-z0-9]+", name) for name in defined)
    assert called - defined == CMDLETS
    assert called >= {name for name in defined if name != "Get-PfErrorKind"} - {"Test-PfWow64"}


def test_the_only_thing_run_by_reference_is_a_probe_s_body() -> None:
    operators = [node for node in walked(parsed(SCRIPT)) if node.type == "command_invokation_operator"]
    assert [(node.parent.text or b"").decode() for node in operators if node.parent] == ["& $Body"]
    assert not re.search(r"Invoke-Expression|Invoke-Command|ScriptBlock\]::|Add-Type", SCRIPT, re.IGNORECASE)


def test_dotnet_types_are_those_of_the_list_and_only_accessors_touch_windows() -> None:
    for name in FILES:
        allowed = PLAIN_TYPES | (CONTACT_TYPES if name == "accessors.ps1" else set())
        assert types_in(part(name)) - allowed == set(), name
    assert types_in(part("accessors.ps1")) >= {"Microsoft.Win32.Registry", "System.IO.File"}


def test_members_of_dotnet_are_those_that_clr_2_has() -> None:
    used = {(node.text or b"").decode() for node in walked(parsed(SCRIPT)) if node.type == "member_name"}
    # This one is of .NET 4: it is asked for only where its RegistryView is there.
    assert used - MEMBERS_OF_DOTNET_2 == {"OpenBaseKey"}


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


@pytest.mark.parametrize("name", [name for name in FILES if name != "accessors.ps1"])
def test_environment_drives_and_wmi_are_out_of_reach_outside_the_accessors(name: str) -> None:
    assert not re.search(r"\$env:|\$\{env:|HKLM:|Get-Wmi|\[wmi", part(name), re.IGNORECASE)


@pytest.mark.parametrize("name", FILES)
def test_nothing_writes_to_the_host(name: str) -> None:
    assert WRITING.findall(part(name)) == []


def test_a_connection_is_opened_and_closed_and_nothing_is_sent_over_it() -> None:
    accessor = re.search(r"^function Get-PfConnections.*?^}$", part("accessors.ps1"), re.MULTILINE | re.DOTALL)
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
    known = {"_", "null", "true", "false", "executioncontext", "psversiontable", "env"}
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


@pytest.mark.parametrize("name", [name for name in FILES if name != "guard.ps1"])
def test_no_call_leaks_its_value_into_the_output(name: str) -> None:
    # A bare `$x.Add(...)` statement would become part of what the function returns.
    assert re.findall(r"^\s*\$[\w.\[\]']+\.(?:Append|Add|Remove|Insert)\(", part(name), re.MULTILINE) == []


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
    assert len(deliver(SCRIPT).environment) <= 1
