"""One script in one remote session: creation, the pool's opening, the pipeline, its output."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress

from scanner.clock import now_s
from scanner.errors import AnswerTooLargeError, NodeError, ProtocolError, RefusedError
from scanner.secrets.redaction import NOTHING_SECRET, Redactor
from scanner.transports.powershell.output import check_exit
from scanner.transports.protocol import PRINTS_TOO_MUCH, ConnectionCost, TransferTimes
from scanner.transports.psrp import clixml, envelopes, messages, refusals
from scanner.transports.psrp.delivery import PIECE_BYTES, packed
from scanner.transports.psrp.envelopes import Endpoint
from scanner.transports.psrp.fragments import FRAGMENT_BYTES, NOBODY, Joiner, Message, Splitter
from scanner.transports.psrp.messages import Kind, PipelineState, PoolState
from scanner.transports.winrm.exchange.faults import OperationTimeoutError

_OBJECTS = 2
"""How many times the answer's own cap the objects may take that carry it: names of types, progress, errors."""
_OPENING_BYTES = 1024 * 1024
_QUOTED_CHARS = 64 * 1024
_CALLS = (Kind.PIPELINE_HOST_CALL, Kind.RUNSPACEPOOL_HOST_CALL)


def pipeline_text(text: str, mode: str) -> str:
    """What is sent for the script `text`: itself in one message, else packed, or in several with `mode` stdin."""
    message = messages.create_pipeline(NOBODY, NOBODY, text)
    fits = len(message.packed()) + FRAGMENT_BYTES <= PIECE_BYTES
    return text if fits or mode == "stdin" else packed(text)


class Conversation:
    """A runspace pool with one pipeline. `send` gives the answer to one envelope, and raises what WinRM's faults are.

    `check` is called between messages, with nothing under way, and raises where the time is up.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        send: Callable[[str], bytes],
        check: Callable[[], None],
        usage: ConnectionCost,
        moments: TransferTimes,
        hide: Redactor = NOTHING_SECRET,
    ) -> None:
        self._endpoint = endpoint
        self._send = send
        self._check = check
        self._usage = usage
        self._moments = moments
        self._hide = hide
        self._pool = uuid.uuid4()
        self._pipeline = uuid.uuid4()
        self._splitter = Splitter()
        self._ended: NodeError | None = None
        self._completed = False
        self._quoted = 0
        """Characters of errors that are kept; one more each, for many may be empty."""
        self.shell = ""
        """The id of the session on the node, from its creation on."""
        self.is_quiet = False
        """Whether the last message has been answered in full, so that the connection can take another."""

    @property
    def _configuration(self) -> str:
        return self._endpoint.configuration or envelopes.CONFIGURATION

    def create(self, variables: Mapping[str, str], idle_s: int) -> None:
        """Create the session, which goes away by itself once idle for `idle_s`. Raises NodeError and WinRM's faults."""
        capability = messages.session_capability(self._pool)
        creation = self._splitter.whole((capability, messages.init_runspace_pool(self._pool, variables)))
        self.shell = envelopes.shell_of(self._send(self._endpoint.create(self._pool, creation, idle_s)))

    def open(self) -> None:
        """Wait until it takes a pipeline. Raises NodeError."""
        joiner = Joiner(_OPENING_BYTES)
        while True:
            for data in self._receive(None).streams:
                for message in joiner.feed(data):
                    if self._opened(message):
                        return
            self._check()

    def run(self, text: str, mode: str, output: bytearray, answer_bytes: int) -> bytes:
        """Run the script `text` and give what it puts out, a line per object, kept in `output` as it comes.

        Raises NodeError.
        """
        message = messages.create_pipeline(self._pool, self._pipeline, pipeline_text(text, mode))
        first, *more = self._splitter.split(message, PIECE_BYTES)
        self._moments.sent_s = now_s()
        self._send(self._endpoint.command(self.shell, self._pipeline, first))
        self._usage.commands += 1
        for fragment in more:
            self._check()
            self._moments.sent_s = now_s()
            self._send(self._endpoint.send(self.shell, self._pipeline, fragment))
        try:
            errors = self._listen(output, answer_bytes)
        except (AnswerTooLargeError, RefusedError):
            # Our own words, between two messages.
            self.is_quiet = True
            raise
        self.is_quiet = True
        return check_exit(bytes(output), "\n".join(errors).encode(), 0)

    def _listen(self, output: bytearray, answer_bytes: int) -> list[str]:
        """Receive until the pipeline's end; gives what stood on its error stream."""
        joiner = Joiner(_OBJECTS * answer_bytes + _OPENING_BYTES)
        errors: list[str] = []
        while not self._completed:
            received = self._receive(self._pipeline)
            for data in received.streams:
                for message in joiner.feed(data):
                    self._hear(message, output, errors)
                    if len(output) > answer_bytes:
                        raise AnswerTooLargeError(
                            f"more output than {answer_bytes} bytes",
                            hint=PRINTS_TOO_MUCH,
                            partial=bytes(output[:answer_bytes]),
                        )
            if self._ended is not None:
                raise self._ended
            if received.done:
                break
            if not self._completed:
                self._check()
        if not self._completed:
            raise ProtocolError("PowerShell's session ended without telling how its script did")
        return errors

    def _receive(self, pipeline: uuid.UUID | None) -> envelopes.Received:
        with suppress(OperationTimeoutError):
            return envelopes.received(self._send(self._endpoint.receive(self.shell, pipeline)))
        return envelopes.Received((), done=False)

    def _opened(self, message: Message) -> bool:
        if message.kind == Kind.SESSION_CAPABILITY:
            protocol = messages.protocol_of(message)
            if protocol.partition(".")[0] != "2":
                raise ProtocolError(f"the node speaks version {protocol or '?'} of PowerShell remoting, and not 2.x")
        if message.kind in _CALLS:
            self._refuse_call(message)
        if message.kind != Kind.RUNSPACEPOOL_STATE:
            return False
        state, why = messages.state_of(message, "RunspaceState", self._hide)
        if state in (PoolState.BROKEN, PoolState.CLOSED):
            raise refusals.pool_failed(why, self._configuration)
        return state == PoolState.OPENED

    def _hear(self, message: Message, output: bytearray, errors: list[str]) -> None:
        if message.kind == Kind.PIPELINE_OUTPUT:
            self._moments.received_s = now_s()
            output += messages.output_of(message).encode("utf-8", "backslashreplace") + b"\r\n"
        elif message.kind == Kind.ERROR_RECORD:
            if self._quoted < _QUOTED_CHARS:
                errors.append(messages.failure_of(clixml.read(message.data), self._hide).text)
                self._quoted += len(errors[-1]) + 1
        elif message.kind in _CALLS:
            self._refuse_call(message)
        elif message.kind == Kind.PIPELINE_STATE:
            state, why = messages.state_of(message, "PipelineState", self._hide)
            if state in (PipelineState.FAILED, PipelineState.STOPPED):
                self._ended = refusals.pipeline_failed(why, self._configuration)
            self._completed = self._completed or state == PipelineState.COMPLETED

    def _refuse_call(self, message: Message) -> None:
        """A call that wants no answer is nothing to us; one that does would wait for it for ever."""
        number, method = messages.host_call_of(message, self._hide)
        if number != messages.NO_ANSWER:
            raise refusals.asked_back(method)
