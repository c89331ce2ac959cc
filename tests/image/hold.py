#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hold.py DUMP rchar|wchar BYTES [--type TEXT] [--stdin FILE] COMMAND...: runs COMMAND until it has read or written so many bytes, stops it, writes all its
memory that can be read to DUMP, and lets it go on.  DUMP -TERM or -KILL: that signal is
sent instead.  Exits as COMMAND did (128 + signal); 99 where it ended before.

--type: on a terminal of its own, TEXT is typed at each prompt."""
import os
import pty
import select
import signal
import sys
import time

dump, counter, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
typed = given = None
command = sys.argv[4:]
while command[0] in ('--type', '--stdin'):
    if command[0] == '--type':
        typed = command[1].encode() + b'\n'
    else:
        given = command[1]
    command = command[2:]

terminal = None
if typed:
    pid, terminal = pty.fork()
else:
    pid = os.fork()
if pid == 0:
    if given:
        # Through a pipe, as from another program.
        end, other = os.pipe()
        os.write(other, open(given, 'rb').read())
        os.close(other)
        os.dup2(end, 0)
    os.execvp(command[0], command)


def count():
    for line in open(f'/proc/{pid}/io'):
        if line.startswith(counter):
            return int(line.split()[1])
    return 0


def ended():
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        print(f'it ended before, with status {os.waitstatus_to_exitcode(status)}')
        sys.exit(99)


def leave():
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.exit(status if status >= 0 else 128 - status)


def talk():
    """Prompts end without a newline."""
    ready, _, _ = select.select([terminal], [], [], 0)
    if ready:
        try:
            shown = os.read(terminal, 4096)
        except OSError:
            return
        if b': ' in shown and not shown.endswith(b'\n'):
            time.sleep(0.05)
            os.write(terminal, typed)


while count() < limit:
    ended()
    if typed:
        talk()
    time.sleep(0.0005)
if dump.startswith('-'):
    os.kill(pid, signal.Signals['SIG' + dump[1:]])
    leave()
os.kill(pid, signal.SIGSTOP)
while open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0] != 'T':
    time.sleep(0.001)

with open(f'/proc/{pid}/mem', 'rb', 0) as memory, open(dump, 'wb') as out:
    for line in open(f'/proc/{pid}/maps'):
        area, access = line.split()[:2]
        start, end = (int(x, 16) for x in area.split('-'))
        if 'r' not in access or '[vvar' in line or '[vsyscall' in line:
            continue
        memory.seek(start)
        left = end - start
        while left:
            piece = memory.read(min(left, 1 << 20))
            if not piece:
                break
            out.write(piece)
            left -= len(piece)
print(f'stopped at {counter} {count()}')
os.kill(pid, signal.SIGCONT)
while True:
    if typed:
        try:
            while os.read(terminal, 4096):
                pass
        except OSError:
            pass
    leave()
