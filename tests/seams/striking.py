"""What is raised at a seam: exceptions of many kinds, with secrets in every part and every spelling."""

from __future__ import annotations

import base64
import random
import threading
import urllib.parse
from collections.abc import Callable
from types import CodeType, FunctionType

from scanner.errors import NodeError, UsageError
from scanner.secrets import redaction

READING = (
    "scanner.secrets.sources:read_secret",
    "scanner.secrets.sources:_from",
    "scanner.secrets.sources:_decoded",
)
"""What has a secret in its hands that nobody else knows yet."""


class Text(str):
    """A text of a class of its own."""

    __slots__ = ()


class CanaryError(Exception):
    """What nobody has thought of."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)
        self.body = parts
        self.reason = parts[0]


def spelled(secret: str) -> list[str]:
    """Whole and halved."""
    utf16 = base64.b64encode(secret.encode("utf-16-le")).decode()
    half = len(secret) // 2
    return [
        secret,
        base64.b64encode(secret.encode()).decode(),
        base64.b64encode(f"preflight:{secret}".encode()).decode(),
        utf16,
        "".join(f"%{byte:02X}" for byte in secret.encode()),
        urllib.parse.quote(secret),
        repr(secret),
        f"{secret[:half]}…",
        f"...{secret[half:]}",
        "\n".join((secret[:half], secret[half:])),
    ]


def canary(secrets: list[str], chance: random.Random) -> BaseException:
    """An exception that holds all of `secrets`; so often that any cut in its text goes through one."""
    words = [word for secret in secrets for word in spelled(secret)] * 4
    chance.shuffle(words)
    text = " ".join([*secrets[:1] * chance.randrange(3), *words])
    secret = chance.choice(secrets)
    parts = (Text(text), secret.encode("utf-16-le"), [text, (secret,)])
    kinds: list[Callable[[], BaseException]] = [
        lambda: CanaryError(*parts),
        lambda: OSError(5, text, f"/tmp/{secret}"),
        lambda: KeyError(Text(secret)),
        lambda: ValueError(text),
        lambda: UnicodeDecodeError("utf-8", secret.encode(), 0, 1, text),
        lambda: RecursionError(text),
        lambda: NodeError(text, hint=text, partial=text.encode()),
        lambda: UsageError(text),
        lambda: ExceptionGroup(text, [CanaryError(*parts), KeyError(secret)]),
        lambda: SystemExit(text),
    ]
    error: BaseException = chance.choices(kinds, [4, 2, 2, 2, 1, 1, 2, 1, 1, 1])[0]()
    error.add_note(text)
    cause = OSError(13, Text(text), secret)
    cause.__context__ = CanaryError(*parts)
    error.__cause__ = cause
    return error


class Strikes:
    """Functions that raise when they are called; `once`: the first time only, whoever calls.

    What is raised speaks of the secrets that have been fetched by then, and of nothing else.
    """

    def __init__(self, secrets: list[str], seed: str, *, once: bool) -> None:
        self.struck: set[str] = set()
        self._secrets, self._once = secrets, once
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._originals: dict[str, FunctionType] = {}

    def plant(self, name: str, function: FunctionType) -> None:
        """Let the function raise."""
        self._set_trap(name, function)

    def call(self, name: str, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """Whatever a trap is called for."""
        learnt = {secret for secret, _ in redaction._learnt}
        held = self._secrets if name.startswith(READING) else [each for each in self._secrets if each in learnt]
        with self._lock:
            strike = held and not (self._once and name in self.struck)
            if strike:
                self.struck.add(name)
                error = canary(held, self._chance)
        if strike:
            raise error
        return self._originals[name](*args, **kwargs)

    def _set_trap(self, name: str, function: FunctionType) -> None:
        copy = FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
        )
        copy.__kwdefaults__ = function.__kwdefaults__
        self._originals[name] = copy
        function.__code__ = self._trap(name, function.__code__)

    @staticmethod
    def _trap(name: str, code: CodeType) -> CodeType:
        here = "__import__('tests.seams.striking', fromlist=['CURRENT'])"
        space: dict[str, FunctionType] = {}
        exec(f"def trap(*args, **kwargs):\n    return {here}.CURRENT.call({name!r}, args, kwargs)\n", space)  # noqa: S102
        return space["trap"].__code__.replace(co_freevars=code.co_freevars, co_name=code.co_name)


CURRENT: Strikes
"""Of this process: it strikes once and ends."""
