#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""on-terminal.py [PROMPT ANSWER]... -- COMMAND...: runs COMMAND on a terminal of its own, waits for each PROMPT and types its ANSWER
(^C: an interrupt; @REGEX: what was shown last that matches it).  Prints what the terminal showed, exits as COMMAND did (128 + signal);
99 where a prompt does not come."""
import os, pty, re, select, sys, time

split = sys.argv.index("--")
talk, command = sys.argv[1:split], sys.argv[split + 1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)

shown = b""
start = 0


def read():
    """False at the end."""
    global shown
    ready, _, _ = select.select([terminal], [], [], 30)
    if not ready:
        return False
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        return False
    shown += piece
    return bool(piece)


def to_type(answer):
    if answer == "^C":
        return b"\x03"
    if answer.startswith("@"):
        # No match: the test is wrong, or the program did not show it.
        return re.findall(answer[1:].encode(), shown[:start])[-1] + b"\n"
    return answer.encode() + b"\n"


for prompt, answer in zip(talk[::2], talk[1::2]):
    while shown.find(prompt.encode(), start) < 0:
        if not read():
            sys.stdout.buffer.write(shown)
            print(f"\nno prompt: {prompt}")
            os.close(terminal)
            sys.exit(99)
    start = shown.find(prompt.encode(), start) + len(prompt)
    # The program turns the echo off before it prompts, but what is typed while it does so would be thrown away.
    time.sleep(0.05)
    os.write(terminal, to_type(answer))
while read():
    pass
sys.stdout.buffer.write(shown.replace(b"\r\n", b"\n"))
sys.stdout.flush()
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(status if status >= 0 else 128 - status)
