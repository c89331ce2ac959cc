#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""without-keyrings.py COMMAND...: runs COMMAND as on a kernel without keyrings: add_key, request_key and keyctl fail with ENOSYS."""
import ctypes, errno, os, platform, struct, sys

numbers = {"x86_64": (248, 249, 250), "aarch64": (217, 218, 219)}.get(platform.machine())
if not numbers:
    sys.exit("unknown system call numbers")


def line(code, true, false, value):
    return struct.pack("HBBI", code, true, false, value)


LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
lines = [line(LOAD, 0, 0, 0)] + [line(EQUAL, len(numbers) - i, 0, number) for i, number in enumerate(numbers)]
lines += [line(RETURN, 0, 0, ALLOW), line(RETURN, 0, 0, ERRNO | errno.ENOSYS)]
code = ctypes.create_string_buffer(b"".join(lines))
program = struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
