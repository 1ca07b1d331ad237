"""Messages to one node's WinRM, in the login that it wants, and its answers: SOAP, a fault, or a stranger's word.

Nothing of the environment is heeded: no proxies, no .netrc, no CA bundles.

Importing this loads pyspnego, so it is imported late.
"""

from __future__ import annotations

import base64
from http import HTTPStatus

from scanner.errors import ProtocolError
from scanner.inventory.model import WinrmSettings
from scanner.transports.winrm.authentication.login import Login, NoLoginError, RefusedStepError, Stage
from scanner.transports.winrm.exchange.answer import HttpAnswer
from scanner.transports.winrm.exchange.faults import StatusError, fault_of
from scanner.transports.winrm.exchange.http import HttpClient, HttpSocket
from scanner.transports.winrm.foreign_pages import PageError, page_of
from scanner.transports.winrm.several_servers import names_told

_SOAP = "application/soap+xml;charset=UTF-8"
_BY_CERTIFICATE = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"


class Channel:
    """One conversation's."""

    def __init__(
        self, settings: WinrmSettings, password: str, client: HttpClient, line: HttpSocket, login: Login | None
    ) -> None:
        self.login = login
        """For NTLM, Kerberos and CredSSP, which seal messages; over TLS, too, as HTTP.sys then asks for it once."""
        self._client = client
        self._line = line
        self._headers = {"Content-Type": _SOAP}
        self._is_in = login is None
        if settings.auth == "certificate":
            self._headers["Authorization"] = _BY_CERTIFICATE
        elif login is None:
            pair = f"{settings.user}:{password}".encode("latin-1")
            self._headers["Authorization"] = f"Basic {base64.b64encode(pair).decode('ascii')}"

    def send_message(self, message: str) -> bytes:
        """Send one SOAP message, and give the answer's. Raises NodeError, faults and refusals, and what HTTP raises."""
        if not self._is_in and self.login is not None:
            self._log_in(self.login)
        body, headers = message.encode(), self._headers
        if self.login is not None:
            kind, body = self.login.seal(body)
            headers = {"Content-Type": kind}
        answer = self._client.post(body, headers)
        self._judge(answer)
        return self._text_of(answer)

    def names_told(self, scheme: str, host: str) -> tuple[str, ...]:
        """The computer names that the address gives itself, on a fresh connection. Raises what the libraries raise."""
        return names_told(self._post, scheme, host)

    def _log_in(self, login: Login) -> None:
        self._judge(login.run(self._post, self._bind))
        if login.stage is not Stage.ACCEPTED:
            raise NoLoginError
        self._is_in = True

    def _post(self, authorization: str) -> HttpAnswer:
        """One message of the login: nothing but a header."""
        return self._client.post(
            b"", {**self._headers, "Authorization": authorization} if authorization else self._headers
        )

    def _bind(self) -> None:
        self._line.bound = True

    def _judge(self, answer: HttpAnswer) -> None:
        """Raises what is no answer of WinRM's, or a refusal."""
        if page := page_of(answer):
            raise PageError(page)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise RefusedStepError
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            text = self._text_of(answer) if answer.content else b""
            raise fault_of(text) or StatusError(answer.status_code)

    def _text_of(self, answer: HttpAnswer) -> bytes:
        text = answer.content
        if "-session-encrypted" in answer.headers.get("Content-Type", "") and self.login is not None:
            text = self.login.unseal(text)
        if b"\0" in text:
            # In UTF-16 the next line would find nothing.
            raise ProtocolError("the answer is not in UTF-8, in which it was asked for")
        if b"<!ENTITY" in text:
            # SOAP has no document types (SOAP 1.2, part 1, 5), and entities can be made to fill the memory.
            raise ProtocolError("the answer defines XML entities: no SOAP message does")
        return text
