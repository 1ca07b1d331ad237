"""Ways in which a lab node can go wrong on purpose, and the ones that happen below HTTP."""

from __future__ import annotations

import enum
import os
import socket
import threading

from scanner.lab.servers.wsman.process import Execute, ProcessOutput, ProcessRequest

_POLL_S = 0.2
_BABBLE_BLOCK = b"babble, babble, babble, babble, babble, babble, babble, babble.\r\n" * 1024

# As Windows PowerShell 5.1 writes it to a pipe; the words are in the language of Windows, the id is not.
_AMSI = b"""#< CLIXML\r
<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">\
<S S="Error">At line:1 char:1_x000D__x000A_</S>\
<S S="Error">+ $ProgressPreference = 'SilentlyContinue'_x000D__x000A_</S>\
<S S="Error">+ ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~_x000D__x000A_</S>\
<S S="Error">This script contains malicious content and has been blocked by your antivirus software._x000D__x000A_</S>\
<S S="Error">    + CategoryInfo          : ParserError: (:) [], ParentContainsErrorRecordException_x000D__x000A_</S>\
<S S="Error">    + FullyQualifiedErrorId : ScriptContainedMaliciousContent_x000D__x000A_</S>\
<S S="Error"> _x000D__x000A_</S></Objs>"""
PROXY_PAGE = (
    b'<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">\n'
    b"<html><head>\n<title>ERROR: The requested URL could not be retrieved</title>\n</head><body id=ERR_CONNECT_FAIL>"
    b"</body></html>\n"
)
IIS_PAGE = (
    b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\r\n'
    b'<html xmlns="http://www.w3.org/1999/xhtml">\r\n<head>\r\n<title>IIS Windows Server</title>\r\n</head></html>\r\n'
)


class WsmanFault(enum.StrEnum):
    """One way for the server to misbehave. Scenarios name them by value."""

    REFUSE = "refuse"
    """The port refuses connections."""
    SILENT = "silent"
    """Accepts connections and never says anything."""
    HANG_ON_RECEIVE = "hang-on-receive"
    """Everything works until the output is asked for; then nothing comes, not even an operation timeout."""
    DRIBBLE = "dribble"
    """The first answer comes at one byte a second, for ever."""
    DRIBBLE_ON_RECEIVE = "dribble-on-receive"
    """The output comes at one byte a second, after proper headers."""
    CUT = "cut"
    """The connection ends in the middle of the output."""
    GARBAGE = "garbage"
    """Random bytes instead of HTTP."""
    HTML = "html"
    """A page with status 200 for everything, like a captive portal."""
    EMPTY = "empty"
    """Status 200 and an empty body for everything."""
    BABBLE = "babble"
    """50 MB of output."""
    TRUNCATED = "truncated"
    """Half of the output, and an end as if it were all."""
    QUOTA = "quota"
    """The account has all the shells it may have."""
    ACCESS_DENIED = "access-denied"
    """The login succeeds; the account may not open shells."""
    SLOW = "slow"
    """Operation timeouts before the output comes."""
    NOT_FOUND = "not-found"
    """Status 404 for everything: nothing serves /wsman here."""
    LOGIN_CUT = "login-cut"
    """The connection ends instead of the answer to the login's last message."""
    LOGIN_UNANSWERED = "login-unanswered"
    """Every message of a login gets the same 401, without a challenge: somebody on the way takes the header away."""
    LOGIN_FORGOTTEN = "login-forgotten"
    """Status 401 when the output is asked for, as from another machine behind a load balancer."""
    PROXY_PAGE = "proxy-page"
    """A proxy says that it does not reach the node."""
    IIS_PAGE = "iis-page"
    """IIS serves the port, with its welcome page."""
    AMSI = "amsi"
    """Endpoint protection blocks a compressed script, and lets plain text on standard input pass."""
    POWERSHELL_BLOCKED = "powershell-blocked"
    """The shell opens, and nothing may be started in it."""
    POWERSHELL_KILLED = "powershell-killed"
    """Endpoint protection ends powershell.exe without a word; plain text on standard input passes."""


BELOW_HTTP = frozenset({WsmanFault.SILENT, WsmanFault.GARBAGE})


def hold(connection: socket.socket, stopping: threading.Event) -> None:
    """Say nothing until the other side or the server gives up."""
    connection.settimeout(_POLL_S)
    while not stopping.is_set():
        try:
            if not connection.recv(65536):
                return
        except TimeoutError:
            continue
        except OSError:
            return


def babble_garbage(connection: socket.socket) -> None:
    """Answer the first words with bytes that are no protocol."""
    try:
        connection.settimeout(5)
        connection.recv(65536)
        connection.sendall(os.urandom(4096))
    except OSError:
        return


def dribble(connection: socket.socket, data: bytes, stopping: threading.Event, interval_s: float) -> None:
    """Send `data`, and then blanks, one byte per interval."""
    position = 0
    try:
        while not stopping.wait(interval_s):
            connection.sendall(data[position : position + 1] or b" ")
            position += 1
    except OSError:
        return


def spoil(request: ProcessRequest, execute: Execute, faults: frozenset[WsmanFault], babble_bytes: int) -> ProcessOutput:
    """What a process leaves behind under `faults`."""
    if not request.stdin:
        if WsmanFault.AMSI in faults:
            return ProcessOutput(b"", _AMSI, 1)
        if WsmanFault.POWERSHELL_KILLED in faults:
            return ProcessOutput(b"", b"", -1)
    output = execute(request)
    if WsmanFault.BABBLE in faults:
        blocks = -(-babble_bytes // len(_BABBLE_BLOCK))
        return ProcessOutput((_BABBLE_BLOCK * blocks)[:babble_bytes], output.stderr, output.exit_code)
    if WsmanFault.TRUNCATED in faults:
        return ProcessOutput(output.stdout[: len(output.stdout) // 2], b"", 0)
    return output
