#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two copies of an unfinished image, converted further with different plain text, never share a nonce.
. "$(dirname "$0")/../image/lib.sh"
. "$(dirname "$0")/images.sh"
need_root

nonces=${BUILD:-$PROJECT/build}/tests/crash/nonces
[ -x "$nonces" ] || fail "$nonces does not exist: run make tools"
crash_image "$tmp/mixed.img" 68M --mixed -n 4096
"$nonces" "$tmp/mixed.img" "$([ -n "${CRASH_STATES:-}" ] && echo 1000 || echo 60)" "${CRASH_RANDOM:-1}" || fail "a nonce met two plain texts"
