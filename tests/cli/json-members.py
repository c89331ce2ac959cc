# SPDX-License-Identifier: GPL-2.0-or-later
"""json-members.py TOP LINES: are the members of each line, "COMMAND JSON", in the table of records of the manual?"""
import glob, json, re, sys

top, lines = sys.argv[1:]
page = open(top + "/man/btrfs-crypt.8").read()
section = page[page.index(".Ss Records\n"):page.index(".Ss Members\n")]
table = {row: set(re.findall(r"[a-z0-9_-]+", names)) for row, names in re.findall(r"^\.It ([a-z -]+)\n((?:[^.].*\n)+)", section, re.M)}
same = {"number-reused": "moved", "in-place-of": "moved", "path-cut": "moved", "skipped": "carried", "doubtful": "carried"}
bad, seen = [], {}


def members(value, found):
    """Of the object and of all in it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            found.add(name)
            members(inner, found)
    elif isinstance(value, list):
        for inner in value:
            members(inner, found)
    return found


for line in open(lines):
    command, _, text = line.partition(" ")
    value = json.loads(text)
    record = value.get("record")
    if "progress" in value:
        row = "progress"
    elif "error" in value and "summary" not in value:
        row = "error"
    elif {"warning", "note", "invalid"} & set(value):
        row = "warning"
    elif command == "report" and "summary" in value:
        row = "cat"
    elif command == "report" and "run" in value:
        row = "report run"
    else:
        row = command + (" " + same.get(record, record) if record else "")
    seen.setdefault(row, set()).update(members(value, set()))
for row, found in sorted(seen.items()):
    if row not in table:
        bad.append(f"no row {row}: {sorted(found)}")
    elif found - table[row]:
        bad.append(f"row {row} lacks {sorted(found - table[row])}")
text = page[page.index(".Ss Members\n"):page.index(".Sh EXAMPLES\n")].replace("\\\n", "")
explained = {name for names in re.findall(r"^\.It (.*)$", text, re.M) for name in re.split(r"[ ,]+", names)}
for row, names in sorted(table.items()):	# those of dump-super have the names of the fields on disk
    if row != "dump-super" and {re.sub("_hex$", "", name) for name in names} - explained:
        bad.append(f"row {row}: nothing explains {sorted({re.sub('_hex$', '', name) for name in names} - explained)}")
sources = "".join(open(name).read() for name in glob.glob(top + "/cmd/**/*.c", recursive=True))
for row, names in sorted(table.items()):
    unknown = [name for name in names - seen.get(row, set()) if not re.search(rf'"{re.sub("_hex$", "", name)}\\?"', sources)]
    if unknown:
        bad.append(f"row {row}: no source has {sorted(unknown)}")
assert len(seen) >= 25 and len(table) >= 30, (len(seen), len(table))
print("\n".join(bad))
sys.exit(bool(bad))
