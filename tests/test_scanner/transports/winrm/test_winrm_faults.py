"""A refusal is read as pywinrm reads it: what it takes for a fault is one, with the same numbers and words.

The texts are imagined, in the shape of those of Windows in pypsrp's own tests (jborean93/pypsrp,
tests/tests_psrp/tests_wsman/test_exceptions.py): a time that is up, an error of WMI alone, one of a plugin, and one
that has neither a subcode nor a detail. Words, names of machines, German and what is broken are ours.
"""

from __future__ import annotations

import pytest
import winrm.exceptions
from winrm.protocol import Protocol

from scanner.transports.winrm.exchange.faults import FaultError, OperationTimeoutError, fault_of

ENVELOPE = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" '
    'xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" '
    'xmlns:m="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"><s:Body>%s</s:Body></s:Envelope>'
)
FAULT = ENVELOPE % (
    "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>%s</s:Value></s:Subcode></s:Code>"
    '<s:Reason><s:Text xml:lang="de-DE">%s</s:Text></s:Reason><s:Detail>%s</s:Detail></s:Fault>'
)
NUMBER = '<f:WSManFault Code="%s" Machine="web1"><f:Message>Zugriff verweigert</f:Message></f:WSManFault>'
WMI = '<m:MSFT_WmiError><m:error_Code xmlns:x="urn:x">%s</m:error_Code></m:MSFT_WmiError>'
TYPED = (
    '<m:MSFT_WmiError b:IsCIM_Error="true" xmlns:b="http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" '
    'xsi:type="m:MSFT_WmiError_Type"><m:CIMStatusCode xsi:type="cim:cimUnsignedInt">27</m:CIMStatusCode>'
    '<m:ErrorSource xsi:type="cim:cimString" xsi:nil="true"/>'
    '<m:error_Code xsi:type="cim:cimUnsignedInt">%s</m:error_Code></m:MSFT_WmiError>'
)
PLUGIN = (
    "<w:FaultDetail>http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/InvalidValue</w:FaultDetail>"
    '<f:WSManFault Code="%s" Machine="localhost"><f:Message><f:ProviderFault provider="Config provider" path="x.dll">%s'
    "</f:ProviderFault></f:Message></f:WSManFault>"
)
NOT_UNDERSTOOD = ENVELOPE % (
    "<s:Fault><s:Code><s:Value>s:MustUnderstand</s:Value></s:Code>"
    '<s:Reason><s:Text xml:lang=""> no </s:Text></s:Reason></s:Fault>'
)
TEXTS = {
    "by number": FAULT % ("w:AccessDenied", "Zugriff verweigert", NUMBER % 5),
    "a quota of WMI's": FAULT % ("w:QuotaLimit", "quota", NUMBER % 2150859174 + WMI % 2150859173),
    "of WMI alone": FAULT % ("w:InternalError", "no", WMI % 1),
    "of WMI, as Windows writes it": FAULT % ("w:InternalError", "no ", TYPED % 2150859174),
    "of a plugin": FAULT % ("w:SchemaValidationError", "no", PLUGIN % (2150859113, NUMBER % 5)),
    "not understood": NOT_UNDERSTOOD,
    "without a number": FAULT % ("w:InternalError", "no", ""),
    "a number that is missing": FAULT % ("w:InternalError", "no", "<f:WSManFault/>"),
    "without words": FAULT % ("", "", ""),
    "bare": ENVELOPE % "<s:Fault/>",
    "nothing to say yet": FAULT % ("w:TimedOut", "timed out", NUMBER % 2150858793),
    "no fault": ENVELOPE % "<s:Other/>",
    "a page": "<html><body>no</body></html>",
    "no XML": "Service Unavailable",
    "nothing": "",
    "half": (FAULT % ("w:AccessDenied", "x", NUMBER % 5))[:-40],
}


class Refusing:
    """Answers everything with HTTP 500 and a text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def send_message(self, _: str) -> str:
        raise winrm.exceptions.WinRMTransportError("http", 500, self._text)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_it_is_what_pywinrm_takes_it_for(text: str) -> None:
    protocol = Protocol("http://h:5985/wsman", "basic", username="-", password="")
    protocol.transport = Refusing(text)  # type: ignore[assignment]
    with pytest.raises(Exception, match=r".*") as caught:
        protocol.send_message("")
    found, theirs = fault_of(text.encode()), caught.value
    if isinstance(theirs, winrm.exceptions.WSManFaultError):
        assert isinstance(found, FaultError)
        ours = (found.reason, found.wsman_code, found.wmi_code, found.subcode)
        assert ours == (theirs.reason, theirs.wsman_fault_code, theirs.wmierror_code, theirs.fault_subcode or "")
    elif isinstance(theirs, winrm.exceptions.WinRMOperationTimeoutError):
        assert isinstance(found, OperationTimeoutError)
    else:
        assert isinstance(theirs, winrm.exceptions.WinRMTransportError)
        assert found is None


def test_the_table_holds_each_kind() -> None:
    kinds = [type(fault_of(text.encode())) for text in TEXTS.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {FaultError: 10, OperationTimeoutError: 1, type(None): 5}


def test_a_number_that_is_none_is_nonsense() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        fault_of((FAULT % ("", "", NUMBER % "five")).encode())


def test_letters_of_no_utf_8_do_not_hide_a_fault() -> None:
    found = fault_of((FAULT % ("", "Z\u00fcgriff", NUMBER % 5)).encode("latin-1"))
    assert isinstance(found, FaultError)
    assert (found.reason, found.wsman_code) == ("Z\ufffdgriff", 5)
