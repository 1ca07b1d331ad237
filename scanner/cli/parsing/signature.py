"""Commands whose options stand elsewhere, in one list for several of them: what Typer reads of such a command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Options = Mapping[str, tuple[Any, Any]]
"""Each option's type, annotated as Typer wants it, and default, by the parameter's name."""


def with_options(
    command: Callable[..., None],
    replaced: str,
    options: Options,
    gather: Callable[[dict[str, Any]], Any],
    *,
    last: Sequence[str] = (),
) -> Callable[..., None]:
    """`command` with `options` in the place of its parameter `replaced`, for which `gather` makes one value of them.

    Those named in `last` come behind all others.
    """
    own = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def call(**given: Any) -> None:
        said = {name: given.pop(name) for name in options}
        command(**given, **{replaced: gather(said)})

    made = {name: _parameter(name, kind, default) for name, (kind, default) in options.items()}
    parameters: list[inspect.Parameter] = []
    for item in own.parameters.values():
        here = [each for name, each in made.items() if name not in last]
        parameters += here if item.name == replaced else [item.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
    parameters += [made[name] for name in last]
    setattr(call, "__signature__", own.replace(parameters=parameters))  # noqa: B010  a wrapper has none to assign to
    call.__annotations__ = {item.name: item.annotation for item in parameters}
    return call


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
