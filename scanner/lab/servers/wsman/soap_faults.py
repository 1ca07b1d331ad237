"""The faults that Windows answers with, by number; numbers and texts are those of wsmerror.h."""

from __future__ import annotations

from scanner.lab.servers.wsman.messages import FaultError


def shell_quota_fault(limit: int) -> FaultError:
    """ERROR_WSMAN_QUOTA_MAX_SHELLS."""
    return FaultError(
        2150859173,
        f"The WS-Management service cannot process the request. This user is allowed a maximum number of {limit} "
        "concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user.",
        subcode="w:QuotaLimit",
        receiver=True,
    )


def access_denied_fault() -> FaultError:
    """What an account gets that may log in but not open shells."""
    return FaultError(5, "Access is denied.", subcode="w:AccessDenied")


def configuration_fault(resource_uri: str) -> FaultError:
    """ERROR_WSMAN_INVALID_RESOURCE_URI: no session configuration of that name (jborean93/pypsrp #41 and #47)."""
    return FaultError(
        2150858811,
        f"The WS-Management service cannot process the request. The resource URI ({resource_uri}) was not found in the "
        "WS-Management catalog. The catalog contains the metadata that describes resources, or logical endpoints.",
        subcode="w:DestinationUnreachable",
        detail="InvalidResourceURI",
    )


def start_denied_fault() -> FaultError:
    """E_ACCESSDENIED: the shell is open, and endpoint protection or a policy keeps cmd.exe from starting in it."""
    return FaultError(0x80070005, "Access is denied. ", subcode="w:InternalError", receiver=True)


def operations_fault(limit: int) -> FaultError:
    """ERROR_WSMAN_QUOTA_MAX_OPERATIONS."""
    return FaultError(
        2150859174,
        f"The WS-Management service cannot process the request. This user is allowed a maximum number of {limit} "
        "concurrent operations, which has been exceeded. Close existing operations for this user, or raise the quota "
        "for this user.",
        subcode="w:QuotaLimit",
        receiver=True,
    )


def processes_fault() -> FaultError:
    """ERROR_WSMAN_QUOTA_MAX_COMMANDS_PER_SHELL_PPQ."""
    return FaultError(
        2150859241,
        "The WS-Management service cannot process the request. The maximum number of concurrent commands per shell has "
        "been exceeded. Retry the request later or raise the Maximum Commands per Shell quota.",
        subcode="w:InternalError",
        receiver=True,
    )


def not_found_fault(kind: str, key: str) -> FaultError:
    """No such shell or command, or another account's."""
    return FaultError(
        2150858843,
        "The WS-Management service cannot process the request because the request contained invalid selectors for the "
        "resource.",
        subcode="w:InvalidSelectors",
        detail="UnexpectedSelectors",
        message=f"The request for the Windows Remote Shell with {kind} {key} failed because the shell was not found on "
        "the server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the "
        "server. Provide the correct ShellId or create a new shell and retry the operation.",
    )


def schema_fault(reason: str) -> FaultError:
    """ERROR_WSMAN_SCHEMA_VALIDATION_ERROR."""
    return FaultError(2150858817, reason, subcode="w:SchemaValidationError")


def aborted_fault() -> FaultError:
    """ERROR_OPERATION_ABORTED: the command or its shell went away under a Receive."""
    return FaultError(
        995,
        "The I/O operation has been aborted because of either a thread exit or an application request.",
        subcode="w:InternalError",
        receiver=True,
    )


def timed_out_fault() -> FaultError:
    """ERROR_WSMAN_OPERATION_TIMEDOUT: ask again."""
    return FaultError(
        2150858793,
        "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.",
        subcode="w:TimedOut",
        receiver=True,
    )


def invalid_streams_fault(direction: str, names: str) -> FaultError:
    """A stream that the shell does not have."""
    return FaultError(2150859149, f"The Windows Remote Shell has no such {direction} stream: {names}.")
