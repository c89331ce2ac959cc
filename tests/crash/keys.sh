#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Power cuts while key slots are changed: 160 states, or CRASH_STATES of them.
. "$(dirname "$0")/../image/lib.sh"
. "$(dirname "$0")/images.sh"
need_root

keys=${BUILD:-$PROJECT/build}/tests/crash/keys
[ -x "$keys" ] || fail "$keys does not exist: run make tools"
crash_image "$tmp/dup.img" 114M -m dup -d single -n 4096
"$keys" --states "${CRASH_STATES:-160}" --seed "${CRASH_RANDOM:-1}" "$tmp/dup.img" || fail "what came of a power cut was wrong"
