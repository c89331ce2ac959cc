#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The test vectors in the specification are those that the unit tests use.
set -eu
cd "$(dirname "$0")/.."

compared=0
while read -r name _ hex; do
	have=$(sed -n "/vector_$name\\[/,/};/p" tests/vectors/vectors.h | grep -o '0x[0-9a-f][0-9a-f]' | sed 's/0x//' | tr -d '\n')
	if [ "$hex" != "$have" ]; then
		echo "format/README.md: $name differs from tests/vectors/vectors.h"
		exit 1
	fi
	compared=$((compared + 1))
done < <(grep -E '^[a-z0-9_]+ = [0-9a-f]+$' format/README.md)
if [ "$compared" -lt 10 ]; then
	echo "format/README.md: only $compared vectors"
	exit 1
fi
echo "$compared vectors are the same"
