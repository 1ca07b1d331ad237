"""What sudo says where it does not let a command run: texts of sudo 1.7 to 1.9 and sudo-rs, each with its own cure."""

from __future__ import annotations

import pytest

from scanner.probes.linux.sudo_refusals import refusal

TERMINAL, PASSWORD, DENIED = "sudo wants a terminal", "sudo wants a password", "sudo does not allow"
NO_ROOT, BROKEN, ACCOUNT = "sudo cannot become root", "sudo cannot read its own", "sudo does not accept the account"
SAID = {
    "sudo: sorry, you must have a tty to run sudo": TERMINAL,
    "sudo: you must have a tty to run sudo": TERMINAL,
    "sudo: a password is required": PASSWORD,
    "sudo: sorry, a password is required to run sudo": PASSWORD,
    "sudo: no tty present and no askpass program specified": PASSWORD,
    "sudo: a terminal is required to read the password; either use the -S option to read from standard input": PASSWORD,
    "sudo: interactive authentication is required": PASSWORD,
    "sudo-rs: interactive authentication is required": PASSWORD,
    "Sorry, user ops is not allowed to execute '/bin/ls -a /x' as root on be1.": DENIED,
    "Sorry, user ops may not run sudo on be1.": DENIED,
    "Sorry, user ops may not run 'ls' on be1.": DENIED,
    "ops is not in the sudoers file.  This incident will be reported.": DENIED,
    "ops is not allowed to run sudo on be1.  This incident will be reported.": DENIED,
    "sudo: I'm sorry ops. I'm afraid I can't do that": DENIED,
    "sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid' option set or an NFS file "
    "system without root privileges?": NO_ROOT,
    "sudo: effective uid is not 0, is sudo installed setuid root?": NO_ROOT,
    "sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set": NO_ROOT,
    'sudo: The "no new privileges" flag is set, which prevents sudo from running as root.': NO_ROOT,
    "sudo: no valid sudoers sources found, quitting": BROKEN,
    "sudo: parse error in /etc/sudoers near line 24": BROKEN,
    "/etc/sudoers.d/preflight:3:9: syntax error": BROKEN,
    ">>> /etc/sudoers: syntax error near line 24 <<<": BROKEN,
    "sudo: /etc/sudoers is world writable": BROKEN,
    "sudo: /etc/sudoers.d/preflight is owned by uid 1000, should be 0": BROKEN,
    "sudo: unable to initialize policy plugin": BROKEN,
    "sudo: error initializing audit plugin sudoers_audit": BROKEN,
    "sudo: account validation failure, is your account locked?": ACCOUNT,
    "sudo: Account or password is expired, reset your password and try again": ACCOUNT,
    'sudo: Account expired or PAM config lacks an "account" section for sudo, contact your administrator': ACCOUNT,
    "sudo: PAM account management error: Permission denied": ACCOUNT,
    "sudo: you do not exist in the passwd database": ACCOUNT,
}


@pytest.mark.parametrize(("line", "means"), SAID.items())
def test_each_refusal_is_told_as_what_it_is(line: str, means: str) -> None:
    told = refusal(line, "ls -a /x")
    assert told.startswith(means)
    assert "`ls -a /x`" in told
    assert ("NOPASSWD" in told) is (means in (PASSWORD, DENIED))
    assert ("!requiretty" in told) is (means == TERMINAL)


@pytest.mark.parametrize(
    "line",
    [
        *("sudo: unable to resolve host be1: Name or service not known", "sudo: ls: command not found"),
        *("sudo: setrlimit(RLIMIT_CORE): Operation not permitted", "sudo: unable to send audit message"),
        *("ls: cannot access '/x': No such file or directory", "sh: 1: Syntax error: end of file unexpected", ""),
        "We trust you have received the usual lecture from the local System Administrator.",
    ],
)
def test_what_refuses_nothing_is_no_refusal(line: str) -> None:
    assert refusal(line, "ls") == ""
