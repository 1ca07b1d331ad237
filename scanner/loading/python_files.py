"""Python files of `checks.d`: run only where nobody but the caller, or root, can have written what is run.

What is asked is asked of the descriptor that is then read, so that nothing can be put in its place in between. A file
of another's, one that others may write, and one that fails are each an error in the report, and never silence.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType

from checks.outcome import Remediation, Result, Severity, Status
from checks.runbook.quoting import for_sh
from scanner.errors import cause_of
from scanner.inventory.expect.folder import FOLDER, MOST_BYTES, Listing
from scanner.inventory.loaded import Loaded
from scanner.plugins import Plugin, known, sound, unknown_parts
from scanner.plugins.foreign import Allowance

_LOADING_S = 60.0
_ROOT = 0
_NAME = "PLUGIN"


class UntrustedFileError(Exception):
    """What others may have written. The message says which, and what to do."""


def load_files(found: Listing, taken: Iterable[str]) -> Loaded:
    """The checks and probes of the folder's Python files, in the order of their names. `taken` ids stay theirs."""
    used = set(taken)
    whole = Loaded()
    if not found.python:
        return whole
    try:
        with _opened_folder(found) as folder:
            for name in found.python:
                one = _load(name, folder, found, used)
                used |= {check.id for check in one.checks} | {probe.id for probe in one.probes}
                whole = whole.beside(one)
    except (UntrustedFileError, OSError) as error:
        return Loaded(failures=tuple(_failure(name, found, error) for name in found.python))
    return whole


def _load(name: str, folder: int, found: Listing, used: set[str]) -> Loaded:
    try:
        source = _source(name, folder, found)
        plugin = Allowance(_LOADING_S).call(partial(_run, name, source, str(found.folder / name)))
        if plugin.products or plugin.settings:
            # An inventory is read with the products there are: what it brings itself would come too late.
            raise TypeError("products and keys of the inventory cannot be brought from here; install it as a plugin")  # noqa: TRY301
        ids = [check.id for check in plugin.checks] + [probe.id for probe in plugin.probes]
        twice = sorted({one for one in ids if one in used or ids.count(one) > 1})
        if twice:
            raise TypeError(f"{twice[0]}: this id is taken")  # noqa: TRY301  told like every other failure
        if unknown := unknown_parts(plugin, known()):
            raise TypeError(f"nothing knows what it asks for: {'; '.join(unknown)}")  # noqa: TRY301
    except Exception as error:  # noqa: BLE001  a foreign module may do anything while it loads
        return Loaded(failures=(_failure(name, found, error),))
    return Loaded(checks=tuple(plugin.checks), probes=tuple(plugin.probes))


@contextmanager
def _opened_folder(found: Listing) -> Iterator[int]:
    if not hasattr(os, "geteuid"):
        raise UntrustedFileError(
            "whose file it is cannot be told on this system, so no Python is run from there; install it as a plugin"
        )
    descriptor = os.open(found.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _refuse_others(os.fstat(descriptor), str(found.folder))
        yield descriptor
    finally:
        os.close(descriptor)


def _source(name: str, folder: int, found: Listing) -> bytes:
    """The file's text. O_NONBLOCK: a pipe of that name keeps nobody waiting."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise UntrustedFileError("is a link, and is not followed; put the file itself there") from None
        raise error from None
    with os.fdopen(descriptor, "rb") as file:
        held = os.fstat(file.fileno())
        if not stat.S_ISREG(held.st_mode):
            raise UntrustedFileError("is no file")
        _refuse_others(held, str(found.folder / name))
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UntrustedFileError("is larger than 1 MiB")
    return data


def _refuse_others(held: os.stat_result, path: str) -> None:
    """An access list that lets others write shows in the group's bits: they are its mask."""
    if held.st_uid not in (os.geteuid(), _ROOT):
        raise UntrustedFileError(f"{path} belongs to another user (uid {held.st_uid}), so nothing of it is run")
    if held.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UntrustedFileError(
            f"others may write {path} (mode {stat.S_IMODE(held.st_mode):04o}), so nothing of it is run: "
            f"chmod go-w {for_sh(path)}"
        )


def _run(name: str, source: bytes, path: str) -> Plugin:
    module = ModuleType(f"preflight_checks_d.{name.removesuffix('.py')}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # dataclasses look their own module up there
    try:
        # No byte code is kept beside it, and none that lies there is run.
        exec(compile(source, path, "exec", dont_inherit=True), vars(module))  # noqa: S102  what the folder is for
    except BaseException:
        sys.modules.pop(module.__name__, None)
        raise
    if _NAME not in vars(module):
        raise TypeError(f"it has no {_NAME}: {_NAME} = Plugin(checks=(...), probes=(...)), from scanner.plugins")
    return sound(vars(module)[_NAME], f"{name}'s {_NAME}")


def _failure(name: str, found: Listing, error: BaseException) -> Result:
    own = isinstance(error, UntrustedFileError)
    cause = str(error) if own else cause_of(error)
    remedy = "See that the folder and its files are yours (or root's) and that nobody else may write them."
    path = str(found.folder / name)
    return Result(
        check=f"checks-d-{name.removesuffix('.py')}",
        title=f"{FOLDER}/{name} loads",
        severity=Severity.HIGH,
        cluster=FOLDER,
        node=None,
        status=Status.ERROR,
        message=f"{FOLDER}/{name} was not loaded, so its checks are missing: {cause}",
        expected=f"{FOLDER}/{name} loads",
        observed=cause.partition(":")[0],
        remediation=Remediation(
            remedy if own else f"Repair {FOLDER}/{name}, or take it away.",
            f"ls -ld {for_sh(path)}" if own else "",
            language="sh",
        ),
        evidence={"file": path},
        not_evaluated=True,
    )
