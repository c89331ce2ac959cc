#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The test vectors in the specification are those that the unit tests use: all of them, and no others.
set -eu
cd "$(dirname "$0")/.."
exec python3 - <<'END'
import re
import sys

source = open('tests/vectors/vectors.h').read()
text = r'"((?:\\x[0-9a-f]{2})*)"'
want = {}


def plain(escaped):
    return escaped.replace('\\x', '')


for name, body in re.findall(r'uint8_t vector_(\w+)\[\d+\] = \{\n(.*?)\n\};', source, re.S):
    want[name] = ''.join(re.findall(r'0x([0-9a-f]{2})', body))
table = re.search(r'\} vector_mac\[\] = \{\n(.*?)\n\};', source, re.S).group(1)
for label, mac, of_nothing in re.findall(r'\{ "([a-z-]+)", "[^"]*", \d+,\s*' + text + r',\s*' + text, table):
    want[f'mac_{label.replace("-", "_")}'] = plain(mac)
    want[f'mac_{label.replace("-", "_")}_of_nothing'] = plain(of_nothing)
for cipher, table in re.findall(r'\} vector_(\w+)_block\[\] = \{\n(.*?)\n\};', source, re.S):
    for index, sha256, tag in re.findall(r'\{ (0x[0-9a-f]+), ' + text + r',\s*' + text, table):
        want[f'{cipher}_block_{index}_sha256'] = plain(sha256)
        want[f'{cipher}_block_{index}_tag'] = plain(tag)

have = dict(re.findall(r'^([a-z0-9_]+) = ([0-9a-f]+)$', open('format/README.md').read(), re.M))
wrong = [name for name in want | have if want.get(name) != have.get(name)]
for name in wrong:
    print(f'format/README.md: {name} {"is missing: " + want[name] if name not in have else "is not that of tests/vectors/vectors.h"}')
if len(want) < 40:
    sys.exit(f'only {len(want)} vectors were found')
if wrong:
    sys.exit(1)
print(f'{len(want)} vectors are the same')
END
