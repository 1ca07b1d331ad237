"""A configuration is read as Ruby itself reads it, by every awk: made-up files, compared setting by setting."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from scanner.probes.linux.ruby_settings import settings_of_stdin

pytestmark = pytest.mark.live

AWKS = ("mawk", "gawk", "busybox", "original-awk")
EVALUATE = Path(__file__).with_name("chef_backend_rb.rb")
BRACKETS = (("{", "}"), ("(", ")"), ("[", "]"), ("<", ">"), ("|", "|"), ("!", "!"))


def there(program: str) -> str:
    """Its path. Without it the test skips, or fails under REQUIRE_LIVE=1."""
    path = shutil.which(program)
    if not path:
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(f"no {program} on this machine")
    return path


def configuration(seed: int, settings: int = 150) -> str:
    """A file of literals, written in every way that Ruby knows for them."""
    rnd = random.Random(seed)

    def quoted(text: str) -> str:
        if rnd.random() < 0.5:
            return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("#", "\\#") + '"'

    def text(letters: str, most: int, least: int = 0) -> str:
        return "".join(rnd.choice(letters) for _ in range(rnd.randint(least, most)))

    def blank() -> str:
        return rnd.choice(["", " ", "  ", "\t"])

    def gap() -> str:
        return rnd.choice(["", " ", "\n", ' # c "x\n'])

    def number() -> str:
        digits = str(rnd.randrange(10 ** rnd.randint(1, 11)))
        if rnd.random() < 0.4 and len(digits) > 3:
            digits = f"{digits[:-3]}_{digits[-3:]}"
        fraction = rnd.choice(["", "", f".{rnd.randint(1, 99)}{rnd.choice(['', '0'])}"])
        return rnd.choice(["", "-", "+"]) + digits + fraction

    def words() -> str:
        opening, closing = rnd.choice(BRACKETS)
        parts = [text("abc019./:-_", 7, 1) for _ in range(rnd.randint(0, 4))]
        between = rnd.choice([" ", "  ", "\n"])
        return f"%{rnd.choice('wWi')}{opening}{blank()}{between.join(parts)}{blank()}{closing}"

    def listed(depth: int) -> str:
        items = [value(depth + 1) for _ in range(rnd.randint(0, 4))]
        comma = blank() + "," if items and rnd.random() < 0.3 else ""
        return f"[{gap()}{f',{gap()}'.join(items)}{comma}{gap()}]"

    def mapped() -> str:
        pairs = []
        for key in sorted(set(text("abcdefg", 4))):
            written = rnd.choice([f"{quoted(key)} =>", f":{key} =>", f"{key}:"])
            pairs.append(f"{written} {value(2)}")
        return f"{{ {', '.join(pairs)} }}"

    def value(depth: int = 0) -> str:
        kind = rnd.choice(["list", "words", "hash", "number", "number", "word", "symbol", "text", "text", "text"])
        if kind == "list" and depth < 2:
            return listed(depth)
        if kind == "hash" and depth < 2:
            return mapped()
        plain = {"words": words, "number": number}
        if kind in plain:
            return plain[kind]()
        if kind == "word":
            return rnd.choice(["true", "false", "nil"])
        if kind == "symbol":
            return rnd.choice([":sql", ":on", ':"a b"'])
        return quoted(text("abcXYZ019./:-_ #'\"\\,;=(){}|%<>$@", 9))

    lines = []
    for index in range(settings):
        section, name, written = rnd.choice(["etcd", "postgresql", "leaderl"]), f"k{index}", value()
        call = written if written[0] not in "{%[+-:" else quoted(text("abc#; ", 5))
        statement = rnd.choice(
            [
                f"{section}.{name}{blank()}={rnd.choice([blank(), gap()])}{written}",
                f"{section}['{name}']{blank()}={blank()}{written}",
                f"{section}.pool.{name}({blank()}{written}{blank()})",
                f"{section}.{name} {quoted('a')}, {quoted('b')}",
                f"{section}.{name} {call}",
            ]
        )
        lines.append(blank() + statement + rnd.choice(["", " ", ";", ' # x "y', "\t# z", " ;  "]))
    return "\n".join(lines) + rnd.choice(["", "\n"])


@pytest.mark.parametrize("seed", range(6))
def test_every_awk_reads_what_ruby_reads(seed: int) -> None:
    written = configuration(seed).encode()
    said = subprocess.run([there("ruby"), "-W0", EVALUATE], input=written, capture_output=True, check=True)
    wanted = said.stdout.splitlines()
    assert len(wanted) == 150
    _, _, *arguments = shlex.split(settings_of_stdin())
    for name in AWKS:
        program = [there(name), *(["awk"] if name == "busybox" else [])]
        done = subprocess.run(
            [*program, *arguments], input=written, capture_output=True, check=True, env={"LC_ALL": "C"}
        )
        assert done.stdout.split(b"\n")[:-1] == wanted, name
