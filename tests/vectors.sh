#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The committed test vectors are what the independent implementation computes.
cd "${TOP:-.}" || exit 1
python=/usr/bin/python3
if ! $python -c 'import cryptography, ctypes; ctypes.CDLL("libargon2.so.1")' 2> /dev/null; then
	echo "needs python3-cryptography and libargon2"
	exit 77
fi
$python tests/vectors/generate.py | diff tests/vectors/vectors.h -
