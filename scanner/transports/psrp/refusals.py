"""The words for what PowerShell itself refuses in a remote session; by its error ids, for messages are translated."""

from __future__ import annotations

from scanner.errors import NodeError, RefusedError
from scanner.transports.psrp.messages import Failure

_NO_SCRIPTS = ("ScriptsNotAllowed", "NoLanguage", "NotSupportedInNoLanguage")
_MALICIOUS = "ScriptContainedMaliciousContent"
_CONSTRAINED = ("InConstrainedLanguage", "NotSupportedInConstrained", "RestrictedLanguage", "DataSection")
FULL_LANGUAGE = (
    "a JEA endpoint of commands cannot be scanned: register one with `-LanguageMode FullLanguage` "
    "(New-PSSessionConfigurationFile) and name it as `configuration`"
)


def first_line(text: str) -> str:
    """What an error says, without the lines of where it stands in a script."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 300 else line[:299] + "…"


def pipeline_failed(why: Failure, configuration: str) -> NodeError:
    """A terminating error."""
    said = first_line(why.text)
    identity = why.error_id.split(",")[0]
    if any(name in why.error_id for name in _NO_SCRIPTS):
        return RefusedError(f"the session configuration {configuration} runs no scripts: {said}", hint=FULL_LANGUAGE)
    if _MALICIOUS in why.error_id:
        return RefusedError(
            f"endpoint protection stopped the script: {said}",
            hint='set `delivery = "stdin"` for this node, which sends the script as plain text; else exempt it there',
        )
    if any(name in why.error_id for name in _CONSTRAINED):
        return RefusedError(
            f"the session configuration {configuration} restricts PowerShell's language: {said}", hint=FULL_LANGUAGE
        )
    if "HostFunctionNotImplemented" in why.error_id:
        return asked_back(said)
    named = f" ({identity})" if identity and identity != said else ""
    return RefusedError(f"PowerShell ended the script{named}: {said or 'it gave no reason'}")


def pool_failed(why: Failure, configuration: str) -> NodeError:
    """A session that was granted and did not open."""
    said = first_line(why.text)
    return RefusedError(
        f"the session configuration {configuration} did not open a session: {said or 'it gave no reason'}",
        hint="open one by hand: Enter-PSSession with the same account and `-ConfigurationName`",
    )


def asked_back(method: str) -> NodeError:
    """A call of the host that waits for an answer: there is nobody to give it."""
    return RefusedError(
        f"PowerShell asks for something there, and nobody can answer: {method}",
        hint="look at the session configuration's startup script and at the profile of its run-as account",
    )
