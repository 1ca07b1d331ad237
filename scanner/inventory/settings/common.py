"""Keys that several transports have."""

from __future__ import annotations

from typing import Any

from scanner.inventory.settings.setting import setting


def sudo_setting() -> Any:
    """Whether what needs root goes through sudo."""
    return setting(
        default=False,
        doc="Run what needs root through sudo -n (which never asks for a password). Not on Windows.",
        platforms=("linux",),
    )


def connect_timeout_setting() -> Any:
    """How long the other end may take to answer at all."""
    return setting(10.0, key="connect_timeout", doc="Seconds to wait for the TCP connection.", least=0.1, most=600)


def file_setting(doc: str, example: str, otherwise: str = "") -> Any:
    """A file on the scanner's own machine; empty: none, whatever the cluster or the defaults say."""
    return setting("", doc=doc, otherwise=otherwise, path=True, example=example, may_be_empty=True)


def ca_file_setting(signed: str) -> Any:
    """Which certificate authority is believed."""
    return file_setting(
        f"File (PEM or DER) with the certificate authority that signed {signed}: root or issuing.",
        "corp-ca.pem",
        "the operating system's own trust store",
    )


def verify_setting(verified: str) -> Any:
    """Whether a TLS certificate is verified."""
    return setting(default=True, doc=f"Verify {verified}; false is shown in every report.")
