"""Why WinRM did not do what it was asked, as it answers: a SOAP fault with a number of Windows', or an HTTP status."""

from __future__ import annotations

import xml.etree.ElementTree as ET

_SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
_WSMAN_FAULT = "{http://schemas.microsoft.com/wbem/wsman/1/wsmanfault}"
_WMI_ERROR = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError}"
_OPERATION_TIMEOUT = 2150858793
"""ERROR_WSMAN_OPERATION_TIMEDOUT: nothing to say yet."""


class OperationTimeoutError(Exception):
    """An operation has not ended in the time that it was given; a Receive is sent again."""


class StatusError(Exception):
    """An HTTP status, and nothing that says why."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"HTTP {code}")


class FaultError(Exception):
    """A SOAP fault."""

    def __init__(
        self, reason: str, *, subcode: str = "", wsman_code: int | None = None, wmi_code: int | None = None
    ) -> None:
        self.reason = reason
        self.subcode = subcode
        self.wsman_code = wsman_code
        """Of WinRM itself: wsmerror.h, or an error of Win32."""
        self.wmi_code = wmi_code
        """Of a provider behind it."""
        super().__init__(reason)


def fault_of(text: bytes) -> FaultError | OperationTimeoutError | None:
    """The fault that `text` is; None where it is something else. Raises ValueError for a number that is none."""
    try:
        root = ET.fromstring(text.decode("utf-8", "replace"))  # noqa: S314 - the channel refuses entities
    except (ET.ParseError, ValueError):
        return None
    fault = root.find(f"{_SOAP}Body/{_SOAP}Fault")
    if fault is None:
        return None
    wsman = fault.find(f"{_SOAP}Detail/{_WSMAN_FAULT}WSManFault[@Code]")
    wsman_code = int(wsman.attrib["Code"]) if wsman is not None else None
    if wsman_code == _OPERATION_TIMEOUT:
        return OperationTimeoutError()
    wmi = fault.findtext(f"{_SOAP}Detail/{_WMI_ERROR}MSFT_WmiError/{_WMI_ERROR}error_Code")
    return FaultError(
        fault.findtext(f"{_SOAP}Reason/{_SOAP}Text") or "(no error message in fault)",
        subcode=fault.findtext(f"{_SOAP}Code/{_SOAP}Subcode/{_SOAP}Value") or "",
        wsman_code=wsman_code,
        wmi_code=int(wmi) if wmi else None,
    )
