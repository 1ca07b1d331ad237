"""How a service on the node itself is asked over HTTP: where the node's own configuration says that it listens.

The answer, line by line: `where default`, `configured` or `unclear`; `asked URL` for each place that was tried, the
last of which answered, or none did; the body; `code STATUS`, 000 for no answer. `none`: there is nothing to ask with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from checks.common.dataclass import dataclass
from scanner.probes.linux.printed import error_lines
from scanner.probes.linux.ruby_settings import settings_of_stdin
from scanner.probes.linux.sudo_refusals import refusal
from scanner.probes.probe import Answer

# A guess is tried after what is configured: the node's own addresses, and the vendor's port where another was set that
# `reconfigure` may not have put into force. Whoever took the connection is the one, whether it answers or not. Each
# package of Chef's brings a curl along.
_SCRIPT = r"""
    where=default port=PORT address= published=
    while read -r kind name value; do
        case $kind.$name in
        set.PORT_SETTING) where=configured; case $value in *:*) address=${value%:*} ;; esac; port=${value##*:} ;;
        set.ADDRESS_SETTING) where=configured address=$value ;;
        set.publish_address) published=$value ;;
        raw.PORT_SETTING | raw.ADDRESS_SETTING | raw.- | more*) where=unclear ;;
        esac
    done
    case $port in '' | *[!0-9]*) where=unclear port=PORT ;; esac
    reached=${SSH_CONNECTION-}
    reached=${reached% *}
    places=
    add() {
        case $1 in
        '' | 0.0.0.0 | '::' | *[!0-9A-Za-z.:_-]*) return ;;
        *:*) place="[$1]:$2" ;;
        *) place=$1:$2 ;;
        esac
        case " $places " in *" $place "*) ;; *) places="$places $place" ;; esac
    }
    for each in "$address" 127.0.0.1 "$published" "${reached##* }" ::1; do add "$each" $port; done
    add 127.0.0.1 PORT
    PATH="$PATH:/opt/chef-backend/embedded/bin:/opt/opscode/embedded/bin"
    echo "where $where"
    for place in $places; do
        url="SCHEME://${place}/PATH"
        echo "asked $url"
        if command -v curl >/dev/null; then
            body=$(curl -s -g -k --noproxy '*' --connect-timeout 2 -m 9 \
                -w '\ncode %{http_code} %{time_connect}' "$url")
            code=${body##*code } body=${body%code *}
            connected=${code#* } code=${code%% *}
        elif command -v wget >/dev/null; then
            ask="wget --no-proxy --no-check-certificate --connect-timeout=2 --read-timeout=9 -t 1"
            said=$($ask -S -O /dev/null "$url" 2>&1)
            code=$(printf '%s\n' "$said" | sed -n 's/^ *HTTP[^ ]* \([0-9]*\).*/\1/p' | tail -n 1)
            connected=0.0 body=
            case $said in *connected*) connected=1 ;; esac
            case $code in 2*) body=$($ask -q -O - "$url") ;; esac
        else
            echo none
            exit 0
        fi
        case $connected in *[1-9]*) break ;; esac
    done
    [ -z "BODY" ] || printf '%s\n' "$body"
    printf '\ncode %s\n' "${code:-000}"
"""


def ask_on_node(
    configuration: str,
    *,
    scheme: str,
    port_setting: str,
    port: int,
    path: str,
    address_setting: str = "no.such.setting",
    with_body: bool = True,
) -> str:
    """The sh script that asks. `configuration` is the command that prints the Ruby in which the settings stand."""
    script = _SCRIPT
    for word, value in (
        ("PORT_SETTING", port_setting),
        ("ADDRESS_SETTING", address_setting),
        ("PORT", str(port)),
        ("SCHEME", scheme),
        ("BODY", "y" if with_body else ""),
    ):
        script = re.sub(rf"\b{word}\b", value, script)
    script = script.replace("}/PATH", f"}}/{path}")
    return f"{configuration} | {settings_of_stdin()} | {{{script}}}"


@dataclass(frozen=True, slots=True)
class Said:
    """What a service on the node answered."""

    code: int | None
    """The HTTP status; 0 where nothing answers, None where the node has neither curl nor wget."""
    asked: tuple[str, ...]
    """The URLs that were tried."""
    is_guess: bool
    """Whether nothing answered, and the node's own configuration could not say where the service listens."""
    body: str


def read_said(answer: Answer, lines: Sequence[str]) -> Said | None:
    """The answer in these lines; None where they are none. Earlier versions asked one guessed place."""
    asked = tuple(line.removeprefix("asked ") for line in lines if line.startswith("asked "))
    rest = [line for line in lines if not re.match(r"asked |where ", line)]
    if "none" in rest:
        return Said(None, asked, is_guess=False, body="")
    found = re.fullmatch(r"code ?(\d{3})?", rest[-1]) if rest else None
    if not found:
        return None
    code = int(found[1] or 0)
    unread = any(re.match(r"(cat|grep): ", line) or refusal(line, "") for line in error_lines(answer))
    known = not unread and any(line in ("where default", "where configured") for line in lines)
    return Said(code, asked, is_guess=code == 0 and not known, body="\n".join(rest[:-1]))
