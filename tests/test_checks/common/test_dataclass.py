"""A class made by our `dataclass` is, for whoever uses it, the one that the standard library would have made."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import pickle
import threading
from collections.abc import Callable
from dataclasses import KW_ONLY, FrozenInstanceError, field
from pathlib import Path
from typing import Any

import pytest

from checks.common.dataclass import dataclass as ours

TOP = Path(__file__).parents[3]
library = dataclasses.dataclass
Decorator = Callable[..., Any]


class Point:
    x: int
    y: int = 2


class ByName:
    a: str
    _: KW_ONLY
    b: list[str] = field(default_factory=list)
    c: str


class Odd:
    """Every kind of field."""

    kept: str = "k"
    made: list[str] = field(default_factory=lambda: ["m"])
    silent: str = field(default="s", repr=False)
    apart: str = field(default="p", compare=False)
    unhashed: str = field(default="u", hash=False)
    inner: int = field(default=7, init=False)
    built: list[int] = field(default_factory=lambda: [1], init=False)
    named: str = field(default="n", kw_only=True)


class Partly:
    told: str = "t"
    apart: str = field(default="p", compare=False)
    unhashed: str = field(default="u", hash=False)
    hashed: str = field(default="h", hash=True, compare=False)


class Nothing:
    pass


class Shown:
    x: int

    def __repr__(self) -> str:
        return "shown"


class Finished:
    x: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", self.x * 2)


CALLS: list[tuple[type, list[tuple[tuple[Any, ...], dict[str, Any]]]]] = [
    (Point, [((1,), {}), ((1, 3), {}), ((), {"x": 1, "y": 3}), ((), {}), ((1, 2, 3), {}), ((1,), {"z": 1})]),
    (ByName, [(("a",), {"c": "c"}), (("a",), {"b": ["x"], "c": "c"}), (("a", ["x"]), {}), (("a",), {})]),
    (Odd, [((), {}), (("v",), {"named": "w"}), ((), {"made": [], "apart": "q"}), ((), {"inner": 1})]),
    (Partly, [((), {}), *(((), {name: "other"}) for name in ("told", "apart", "unhashed", "hashed"))]),
    (Nothing, [((), {}), ((1,), {})]),
    (Shown, [((1,), {})]),
    (Finished, [((4,), {})]),
]
OPTIONS: list[dict[str, Any]] = [{"frozen": True}, {"frozen": True, "slots": True}, {"frozen": True, "kw_only": True}]


def made(kind: type, decorator: Decorator, options: dict[str, Any]) -> Any:
    """The class anew, so that one decorator does not see what another has done."""
    return decorator(**options)(type(kind.__name__, (), {k: v for k, v in vars(kind).items() if k not in DROPPED}))


DROPPED = ("__dict__", "__weakref__")


def built(kind: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    try:
        return kind(*given, **named)
    except TypeError:
        return TypeError


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("kind", "calls"), CALLS, ids=lambda each: getattr(each, "__name__", ""))
def test_it_is_built_shown_compared_and_hashed_alike(kind: type, calls: list[Any], options: dict[str, Any]) -> None:
    mine, theirs = (made(kind, decorator, options) for decorator in (ours, library))
    pairs = [(built(mine, *call), built(theirs, *call)) for call in calls]
    for one, other in pairs:
        assert (one is TypeError) == (other is TypeError)
    good = [pair for pair in pairs if pair[0] is not TypeError]
    assert good or options.get("kw_only")
    for one, other in good:
        assert repr(one) == repr(other)
        assert dataclasses.astuple(one) == dataclasses.astuple(other)
        assert [one == each for each, _ in good] == [other == each for _, each in good]
        assert one != other
        assert one != (1,)
        assert hash_of(one) == hash_of(other)
    assert parameters(mine) == parameters(theirs)
    assert mine.__match_args__ == theirs.__match_args__
    assert repr(mine.__dataclass_params__) == repr(theirs.__dataclass_params__)
    assert vars(mine).get("__slots__") == vars(theirs).get("__slots__")


def hash_of(value: object) -> object:
    try:
        return hash(value)
    except TypeError as error:
        return str(error)


def parameters(kind: Any) -> list[tuple[str, object, bool]]:
    """Names, whether by place, and whether there is a default; of the written `__init__`, not of what stands for it."""
    found = inspect.signature(kind.__init__).parameters.values()
    return [(each.name, each.kind, each.default is each.empty) for each in found]


@pytest.mark.parametrize("options", OPTIONS[:2], ids=str)
def test_it_cannot_be_changed(options: dict[str, Any]) -> None:
    point = made(Point, ours, options)(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        point.x = 5
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'z'"):
        point.z = 5
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del point.x
    assert (point.x, point.y) == (1, 2)


@ours(frozen=True, slots=True)
class Kept:
    """At the top of a module, as what is pickled has to be."""

    x: int
    y: list[int] = field(default_factory=list)


@ours(frozen=True)
class Loose:
    x: int


def test_what_is_known_of_dataclasses_holds() -> None:
    kept = Kept(1, [2])
    assert pickle.loads(pickle.dumps(kept)) == kept
    assert pickle.loads(pickle.dumps(Loose(3))) == Loose(3)
    assert dataclasses.replace(kept, x=4) == Kept(4, [2])
    assert dataclasses.asdict(kept) == {"x": 1, "y": [2]}
    match kept:
        case Kept(x, y):
            assert (x, y) == (1, [2])


def test_each_object_gets_a_default_of_its_own() -> None:
    Kept(1).y.append(9)
    assert Kept(1).y == []


def test_a_class_that_derives_from_it_is_whole() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Whole(Kept):
        z: int = 3

    class Plain(Kept):
        def __init__(self) -> None:
            super().__init__(5)

    assert repr(Whole(1, [], 4)).endswith("Whole(x=1, y=[], z=4)")
    assert Plain().x == 5
    free: Any = Plain()
    free.more = 1
    assert free.more == 1
    with pytest.raises(FrozenInstanceError):
        free.x = 1


def test_one_that_is_shown_within_itself_ends() -> None:
    inside = Kept(1)
    inside.y.append(inside)  # type: ignore[arg-type]
    assert repr(inside) == "Kept(x=1, y=[...])"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Point, {"slots": True}),
        (Point, {"frozen": True, "order": True}),
        (Point, {"frozen": True, "eq": False}),
        (type("WithClassVar", (), {"__annotations__": {"x": "int", "many": "ClassVar[int]"}, "many": 3}), OPTIONS[0]),
        (type("Eq", (), {"__annotations__": {"x": "int"}, "__eq__": lambda _, __: True}), OPTIONS[0]),
    ],
)
def test_what_is_unusual_is_the_librarys(kind: type, options: dict[str, Any]) -> None:
    mine, theirs = (made(kind, decorator, options) for decorator in (ours, library))
    assert {k for k in vars(mine) if k != "__doc__"} == {k for k in vars(theirs) if k != "__doc__"}
    assert [mine(1) == mine(1), mine(1) == mine(2)] == [theirs(1) == theirs(1), theirs(1) == theirs(2)]


def test_many_threads_may_be_the_first() -> None:
    fresh = made(Point, ours, OPTIONS[1])
    found: list[Any] = []
    start = threading.Barrier(8)

    def go() -> None:
        start.wait()
        found.append(fresh(1))

    threads = [threading.Thread(target=go) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len({hash(each) for each in found}) == 1
    assert found[0] == found[-1]
    assert len(found) == 8


def test_nothing_is_compiled_before_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.exec", lambda *_: pytest.fail("compiled"))
    made(Point, ours, OPTIONS[1])


@pytest.mark.parametrize("room", ["checks", "reports", "scanner"])
def test_the_product_takes_it_from_here(room: str) -> None:
    """Else the start would grow by a half of a millisecond with each class, and nobody would see why."""
    paths = set((TOP / room).rglob("*.py")) - {TOP / "checks" / "common" / "dataclass.py"}
    taken = [
        path.relative_to(TOP).as_posix()
        for path in sorted(paths)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module == "dataclasses"
        and "dataclass" in {each.name for each in node.names}
    ]
    assert taken == [], "from checks.common.dataclass import dataclass"
