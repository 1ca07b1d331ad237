"""The SOAP that WS-Management for Windows Remote Shell speaks: reading requests, writing answers and faults.

Sources: [MS-WSMV] (2.2.4 data types, 3.1.4 message processing), DMTF DSP0226, and the error numbers of wsmerror.h.
"""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from checks.common.dataclass import dataclass

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
MS_WSMAN = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
CMD_RESOURCE = f"{SHELL}/cmd"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
WSMAN_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
_WMI_ERROR = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"
_ANONYMOUS = f"{ADDRESSING}/role/anonymous"

_SMALLEST_ENVELOPE_BYTES = 8192
_DEFAULT_ENVELOPE_BYTES = 153_600
_UNDERSTOOD = {
    *(f"{{{ADDRESSING}}}{name}" for name in ("To", "ReplyTo", "FaultTo", "From", "MessageID", "Action", "RelatesTo")),
    *(
        f"{{{WSMAN}}}{name}"
        for name in ("ResourceURI", "MaxEnvelopeSize", "OperationTimeout", "Locale", "SelectorSet", "OptionSet")
    ),
    *(f"{{{MS_WSMAN}}}{name}" for name in ("DataLocale", "SessionId", "OperationID", "SequenceId", "ActivityId")),
}
_DURATION = re.compile(
    r"P(?=\d|T\d)(?:(?P<Y>\d+)Y)?(?:(?P<O>\d+)M)?(?:(?P<D>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<H>\d+)H)?(?:(?P<M>\d+)M)?(?:(?P<S>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_MESSAGE_ID = re.compile(r"(?:urn:)?uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_SECONDS = {"Y": 365 * 86400, "O": 30 * 86400, "D": 86400, "H": 3600, "M": 60, "S": 1}


class MalformedError(Exception):
    """Not XML, or not a SOAP 1.2 envelope: answered with HTTP 400, without a fault."""


class FaultError(Exception):
    """A request that Windows answers with HTTP 500 and a SOAP fault."""

    def __init__(
        self,
        code: int,
        reason: str,
        *,
        subcode: str = "w:InvalidParameter",
        receiver: bool = False,
        detail: str = "",
        message: str = "",
        relates_to: str = "",
    ) -> None:
        super().__init__(reason)
        self.code = code
        """The number in WSManFault/@Code, an HRESULT of wsmerror.h or a Win32 error."""
        self.reason = reason
        self.subcode = subcode
        self.receiver = receiver
        self.detail = detail
        """Last part of a DMTF fault detail URI, if the standard names one."""
        self.message = message or reason
        self.relates_to = relates_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One WS-Man request, its headers checked."""

    action: str
    resource_uri: str
    message_id: str
    selectors: Mapping[str, str]
    options: Mapping[str, str]
    operation_timeout_s: float
    max_envelope_bytes: int
    body: ET.Element
    """The s:Body element."""

    def selector(self, name: str) -> str:
        """A selector's value, or ""; names are compared without case, as Windows does."""
        return next((value for key, value in self.selectors.items() if key.lower() == name.lower()), "")

    def flag(self, name: str, default: bool) -> bool:
        """A TRUE/FALSE option."""
        value = self.options.get(name, str(default)).upper()
        if value not in {"TRUE", "FALSE", "1", "0"}:
            raise FaultError(2150858835, f"The option {name} has an invalid value.", subcode="w:InvalidOptions")
        return value in {"TRUE", "1"}


def duration_s(text: str) -> float | None:
    """Seconds of an xs:duration such as PT60S or P0DT0H1M0.000S; None when it is not one."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    return sum(float(value) * _SECONDS[unit] for unit, value in match.groupdict().items() if value is not None)


def parse_envelope(data: bytes) -> ET.Element:
    """The root of a SOAP 1.2 envelope. Raises MalformedError."""
    if b"<!DOCTYPE" in data:
        raise MalformedError("document types are not allowed in SOAP")
    try:
        root = ET.fromstring(data)  # noqa: S314 - document types are refused above, so no entity can expand
    except (ET.ParseError, ValueError, LookupError) as error:
        raise MalformedError(str(error)) from error
    if root.tag != f"{{{SOAP}}}Envelope":
        raise MalformedError("not a SOAP 1.2 envelope")
    return root


def parse(data: bytes, *, server_envelope_bytes: int, default_timeout_s: float) -> Request:
    """Read one request and check its headers. Raises MalformedError or FaultError."""
    root = parse_envelope(data)
    header = root.find(f"{{{SOAP}}}Header")
    body = root.find(f"{{{SOAP}}}Body")
    if header is None or body is None:
        raise MalformedError("an envelope needs a header and a body")
    message_id = _text(header, ADDRESSING, "MessageID")
    try:
        return _request(header, body, message_id, server_envelope_bytes, default_timeout_s)
    except FaultError as error:
        error.relates_to = message_id
        raise


def _request(
    header: ET.Element, body: ET.Element, message_id: str, server_envelope_bytes: int, default_timeout_s: float
) -> Request:
    for element in header:
        must = element.get(f"{{{SOAP}}}mustUnderstand", "false")
        if must in {"true", "1"} and element.tag not in _UNDERSTOOD:
            raise FaultError(2150858768, f"The header {element.tag} is not understood.", subcode="s:MustUnderstand")
    action = _text(header, ADDRESSING, "Action")
    for name, value in (("Action", action), ("MessageID", message_id), ("To", _text(header, ADDRESSING, "To"))):
        if not value:
            raise FaultError(
                2150858769, f"A required WS-Addressing header is missing: wsa:{name}.",
                subcode="a:MessageInformationHeaderRequired",
            )  # fmt: skip
    if _MESSAGE_ID.fullmatch(message_id) is None:
        raise FaultError(
            2150858767,
            "The WS-Addressing message ID is invalid: it has to be a UUID.",
            subcode="a:InvalidMessageInformationHeader",
        )
    reply_to = header.find(f"{{{ADDRESSING}}}ReplyTo/{{{ADDRESSING}}}Address")
    if reply_to is not None and (reply_to.text or "").strip() != _ANONYMOUS:
        raise FaultError(2150858870, "Only the anonymous wsa:ReplyTo is supported.", subcode="w:UnsupportedFeature")
    return Request(
        action=action,
        resource_uri=_text(header, WSMAN, "ResourceURI"),
        message_id=message_id,
        selectors=_named(header, "SelectorSet", "Selector"),
        options=_named(header, "OptionSet", "Option"),
        operation_timeout_s=_operation_timeout_s(header, default_timeout_s),
        max_envelope_bytes=_max_envelope_bytes(header, server_envelope_bytes),
        body=body,
    )


def _text(parent: ET.Element, namespace: str, name: str) -> str:
    return (parent.findtext(f"{{{namespace}}}{name}") or "").strip()


def _named(header: ET.Element, group: str, item: str) -> dict[str, str]:
    return {
        element.get("Name", ""): (element.text or "").strip()
        for element in header.iterfind(f"{{{WSMAN}}}{group}/{{{WSMAN}}}{item}")
    }


def _operation_timeout_s(header: ET.Element, default_timeout_s: float) -> float:
    text = _text(header, WSMAN, "OperationTimeout")
    if not text:
        return default_timeout_s
    seconds = duration_s(text)
    if seconds is None:
        raise FaultError(2150858881, f"{text} is not a valid OperationTimeout.", subcode="w:InvalidTimeout")
    return seconds


def _max_envelope_bytes(header: ET.Element, server_envelope_bytes: int) -> int:
    text = _text(header, WSMAN, "MaxEnvelopeSize")
    if not text:
        return min(_DEFAULT_ENVELOPE_BYTES, server_envelope_bytes)
    size = int(text) if text.isascii() and text.isdecimal() else 0
    if size < _SMALLEST_ENVELOPE_BYTES:
        raise FaultError(
            2150858878, f"The maximum envelope size must be at least {_SMALLEST_ENVELOPE_BYTES} bytes.",
            subcode="w:EncodingLimit", detail="MinimumEnvelopeLimit",
        )  # fmt: skip
    if size > server_envelope_bytes:
        raise FaultError(
            2150858823,
            "The maximum envelope size in the request is too large. "
            "Change the maximum envelope size and try the request again.",
            subcode="w:EncodingLimit",
            detail="MaxEnvelopeSize",
        )
    return size


def answer(action: str, relates_to: str, body: str) -> bytes:
    """An envelope around `body`, which is XML text with the prefixes declared here."""
    return _envelope(action, relates_to, body)


def _envelope(action: str, relates_to: str, body: str) -> bytes:
    relates = f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo>" if relates_to else ""
    return (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:x="{TRANSFER}" '
        f'xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}" xmlns:p="{MS_WSMAN}"><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><a:To>{_ANONYMOUS}</a:To>{relates}</s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault(error: FaultError, machine: str, *, as_wmi_error: bool = False) -> bytes:
    """The fault that Windows gives. `as_wmi_error`: the other shape in which quota faults are seen, MSFT_WmiError."""
    of_addressing = error.subcode.startswith(("a:", "s:"))
    action = f"{ADDRESSING}/fault" if of_addressing else "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
    if error.subcode.startswith("s:"):
        code = f"<s:Value>{error.subcode}</s:Value>"
    else:
        value = "s:Receiver" if error.receiver else "s:Sender"
        code = f"<s:Value>{value}</s:Value><s:Subcode><s:Value>{error.subcode}</s:Value></s:Subcode>"
    uri = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail"
    named = f"<w:FaultDetail>{uri}/{error.detail}</w:FaultDetail>" if error.detail else ""
    detail = _wmi_error(error) if as_wmi_error else _wsman_fault(error, machine)
    body = (
        f'<s:Fault><s:Code>{code}</s:Code><s:Reason><s:Text xml:lang="en-US">{escape(error.reason)} </s:Text>'
        f"</s:Reason>"
        f"<s:Detail>{named}{detail}</s:Detail></s:Fault>"
    )
    return _envelope(action, error.relates_to, body)


def _wsman_fault(error: FaultError, machine: str) -> str:
    return (
        f'<f:WSManFault xmlns:f="{WSMAN_FAULT}" Code="{error.code}" Machine={quoteattr(machine)}>'
        f"<f:Message>{escape(error.message)} </f:Message></f:WSManFault>"
    )


def _wmi_error(error: FaultError) -> str:
    return (
        f'<m:MSFT_WmiError xmlns:m="{_WMI_ERROR}"><m:Message>{escape(error.message)} </m:Message>'
        f"<m:MessageID>HRESULT {error.code:#x}</m:MessageID><m:error_Code>{error.code}</m:error_Code>"
        f"<m:error_Type>HRESULT</m:error_Type></m:MSFT_WmiError>"
    )
