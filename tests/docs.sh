#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual says what the program says: commands, operands, summaries, options, exit statuses; and the pages are well formed.
cd "${TOP:-.}" || exit 1
program=${BTRFS_CRYPT:-build/btrfs-crypt}
[ -x "$program" ] || { echo "$program is not built"; exit 1; }
command -v mandoc >/dev/null || { echo "mandoc is missing"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
status=0
bad() {
	echo "$1"
	status=1
}

# The page as a terminal of endless width shows it.
page() { mandoc -T ascii -O width=400 "$1" | sed 's/.\x08//g'; }

# section NAME < page
section() { awk -v name="$1" '/^[A-Z]/ { on = $0 == name; next } on'; }

# The EXAMPLES of the page, each command in one line.
examples() { page "$1" | section EXAMPLES | sed -e ':more' -e '/\\$/{N;s/ *\\\n */ /;b more' -e '}'; }

for file in man/*.[78]; do
	lint=$(mandoc -T lint -W warning "$file") || bad "$lint"
done
# groff divides words, those of names too, unless doc-hyphen-flags is 0: its macros undo .nh.
if command -v groff > "$work/groff"; then
	for file in man/*.[78]; do
		! LC_ALL=C.UTF-8 groff -mdoc -Tutf8 -P-cbou -rLL=78n "$file" | grep '‐$' || bad "$file: words are hyphenated"
	done
fi

version=$(sed -n 's/^#define BTRFS_CRYPT_VERSION "\(.*\)"/\1/p' cmd/command.h)
for file in man/*.[78]; do
	grep -qxF ".Os btrfs-crypt $version" "$file" || bad "$file: its footer has not name and version, btrfs-crypt $version"
	[ "$(page "$file" | section EXAMPLES | grep -c '[a-z]')" -ge 2 ] || bad "$file: no EXAMPLES"
	mandoc -T ascii -O width=78 "$file" | sed 's/.\x08//g' | awk -v name="$file" 'length > 80 { print name ": wider than 80 columns:" $0 }' > "$work/wide"
	[ ! -s "$work/wide" ] || bad "$(cat "$work/wide")"
done

n=0
while IFS=$'\t' read -r command operands summary; do
	file=man/btrfs-crypt-$command.8
	n=$((n + 1))
	[ "$operands" != - ] || operands=
	[ -e "$file" ] || { bad "$command has no $file"; continue; }
	page "$file" > "$work/page"

	grep -qE "^ +btrfs-crypt-$command - $summary\$" "$work/page" || bad "$file: NAME is not '$summary'"
	want="btrfs-crypt $command [OPTION...]${operands:+ $operands}"
	have=$(section SYNOPSIS < "$work/page" | sed -n '1s/^ *//p')
	[ "$have" = "$want" ] || bad "$file: SYNOPSIS is '$have', not '$want'"

	"$program" "$command" --help > "$work/help" || bad "$command --help: status $?"
	grep -qxF "btrfs-crypt $command: $summary" "$work/help" || bad "$command --help: no summary"
	grep -qxF "Usage: $want" "$work/help" || bad "$command --help: no '$want'"
	# "-d, --key-file=FILE": with its argument, without its explanation.
	grep -oE '^  (-.,|   ) --[a-z-]+(\[?=[^ ]+)?|^  -. ' "$work/help" | sed 's/^ *//; s/ *$//' | sort > "$work/options-help"
	section OPTIONS < "$work/page" | grep -oE '^     (-., )?--[a-z-]+(\[?=[^ ]+)?|^     -.( |$)' | sed 's/^ *//; s/ *$//' | sort > "$work/options-page"
	diff -u "$work/options-help" "$work/options-page" > "$work/diff" ||
		bad "$file: OPTIONS (+) differ from --help (-):
$(grep '^[-+][^-+]\|^[-+]-' "$work/diff" | grep -v '^\(---\|+++\) /')"

	page man/btrfs-crypt.8 | grep -qE "^ +$command +$summary; btrfs-crypt-$command\(8\)" || bad "man/btrfs-crypt.8: $command with '$summary' is missing"
	"$program" --help | grep -qE "^  $command +$summary\$" || bad "--help: $command is missing"
	grep -qF "| \`$command\` | $summary |" README.md || bad "README.md: $command with '$summary' is missing"
done < <("$program" --list-commands)
[ "$n" -ge 9 ] || bad "only $n commands"

for file in man/btrfs-crypt-*.8; do
	command=${file#man/btrfs-crypt-}
	"$program" --list-commands | cut -f 1 | grep -qxF "${command%.8}" || bad "$file: no such command"
done

# Examples are commands that there are, with options that they have; what people did not find has one.
n=0
for file in man/btrfs-crypt-*.8; do
	examples "$file" > "$work/examples"
	while read -r command words; do
		n=$((n + 1))
		"$program" "$command" --help > "$work/help" 2> "$work/log" || { bad "$file: EXAMPLES: there is no $command"; continue; }
		for option in $(grep -oE '(^| )--[a-z-]+' <<< "$words"); do
			grep -qE -- "$option(=|\$|[^a-z-])" "$work/help" || bad "$file: EXAMPLES: $command has no $option"
		done
	done < <(sed -nE 's/^ *(# )?btrfs-crypt ([a-z-]+ .*[^:])$/\2/p' "$work/examples")
done
[ "$n" -ge 10 ] || bad "only $n examples"
while read -r command option; do
	examples "man/btrfs-crypt-$command.8" | grep -qE -- "btrfs-crypt $command .*$option( |=|\$)" || bad "man/btrfs-crypt-$command.8: no example of $option"
done << 'END'
convert --on-error=continue
convert --read-back
convert --expect-seal
convert --skip-damaged
convert --accept-unsealed
verify --expect-seal
verify --strict-names
verify --accept-unsealed
cat --report
cat --accept-unsealed
export --report
export --accept-unsealed
END

# Words of the code are not those of who reads: in the manual, in help, in what is said.
words='\b(domains?|units?|inline units?|the set)\b|(match|checksum|is) on no mirror|repaired from'
{
	# The state of a conversion has the names of the structure on disk, also in dump-super's JSON.
	for file in man/*.[78]; do page "$file" | sed "s|^|$file:|"; done | grep -v 'in units of 1024' | sed 's/, cipher, domain, n_devices, /, /'
	sed 's/^/README.md:/' README.md
	while IFS=$'\t' read -r command _; do "$program" "$command" --help | sed "s/^/$command --help:/"; done < <("$program" --list-commands)
	# Sentences, which have a space.  An error about a broken item calls it as format/README.md does.
	grep -rhoE --include=*.c '"[^" ]+ [^"]*"' cmd common | grep -vE '^", |crypt (inline )?units item|"unit %#|a unit is missing|the (last )?units (of the extent|before offset)|items of units|of unit %#'
} | sed 's/--domain//g' | grep -E "$words" > "$work/words" && bad "words of the code:
$(cat "$work/words")"

# Every exit status and its name, from the source to the manual.
page man/btrfs-crypt.8 > "$work/page"
while read -r name value; do
	section "EXIT STATUS" < "$work/page" | grep -qE "^ +$value +[a-z]" || bad "man/btrfs-crypt.8: exit status $value ($name) is missing"
done < <(sed -nE 's/^\t(ERROR_[A-Z_]+) = ([0-9]+),.*/\1 \2/p' format/error.h)
while read -r name; do
	section "EXIT STATUS" < "$work/page" | grep -qwF "$name" || bad "man/btrfs-crypt.8: error name $name is missing"
done < <(sed -nE 's/^\t\t\[ERROR_.*\] = "(.*)",/\1/p' format/error.c | grep -v '^done$')
version=$(sed -n 's/^#define BTRFS_CRYPT_VERSION "\(.*\)"/\1/p' cmd/command.h)
[ "$("$program" --version)" = "btrfs-crypt $version" ] || bad "--version is not $version"

# Every function that writes to an image is in the list of tests/README.md, and no other.
awk 'FNR == 1 { name = "" }
/^[a-z].*\(/ && !/;$/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
/^[ \t].*[^a-z_](device_write|volume_write|volume_write_supers|volume_read_back|pwritev?|nbd_pwrite|fallocate|ftruncate)\(/ {
	print FILENAME ": " name }' common/{convert,crypto,device,fs,sealed,tree,util,volume}/*.c | sort -u > "$work/writes"
sed -nE 's/^\| `(common\/[^`]*)`.*/\1/p' tests/README.md | sort -u > "$work/listed"
diff "$work/writes" "$work/listed" > "$work/diff" || bad "tests/README.md: places that write (<) and the list of them (>) differ:
$(cat "$work/diff")"
[ "$(wc -l < "$work/writes")" -ge 20 ] || bad "only $(wc -l < "$work/writes") places that write"

# What is refused before a conversion, and when one is gone on with, is asked for in its own words by some test.
python3 - << 'END' > "$work/refusals" || bad "no test asks for the words of:
$(cat "$work/refusals")"
import glob, re, sys
tests = "".join(open(name, encoding="utf-8", errors="replace").read() for name in glob.glob("tests/*/*") if name.endswith((".sh", ".c")))
missing = n = 0
for name in ["common/convert/preflight.c", "common/convert/continue.c", "common/convert/continue-check.c", "common/convert/key-change.c",
	"common/convert/replay.c", "common/convert/goal.c", "common/convert/legacy-continue.c"]:
    source = open(name, encoding="utf-8").read()
    for call in re.finditer(r'(?:\berror_set\([^"]*?ERROR_\w+,|\bstate_error\(|\brefuse\()\s*((?:"(?:[^"\\]|\\.)*"|PRI\w+|\s)+)', source):
        text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', re.sub(r"PRI\w+", "", call[1])))
        for words in re.split(r"%#?(?:zu|[dsu])?", text):
            words = words.strip(" ,:;+")
            if len(words) < 16:
                continue
            n += 1
            if words not in tests:
                missing += 1
                print(f"{name}: {words}")
sys.exit(missing > 0 or n < 40)
END

# A file that a comment or a document names is there.
python3 - << 'END' > "$work/gone" || bad "files that are named and are not there:
$(cat "$work/gone")"
import glob, os, re, sys
sources = [name for pattern in ["format", "common/*", "cmd", "cmd/*", "tests/*", "tests/*/*"] for name in glob.glob(pattern + "/*.[ch]")]
scripts = glob.glob("tests/*/*.sh") + glob.glob("tests/*.sh")
documents = ["CONTRIBUTING.md", "README.md", "tests/README.md", "format/README.md"]
there = ["/" + name for name in sources + scripts + glob.glob("tests/**/*.py", recursive=True) + glob.glob("tests/**/*.awk", recursive=True)]
base = {os.path.basename(name) for name in there}
n = gone = 0
for name in sources + scripts + documents:
    text = open(name, encoding="utf-8", errors="replace").read()
    if name.endswith((".c", ".h")):
        text = "\n".join(re.findall(r"/\*.*?\*/", text, re.S))
    elif name.endswith(".sh"):
        text = "\n".join(re.findall(r"(?m)^\s*#.*$", text))
    for word in re.findall(r"(?<![\w/.<$-])((?:[a-z0-9_-]+/)*[a-z0-9_-]+\.(?:c|h|sh|py))(?!\w)", text):
        n += 1
        if word not in base and not any(path.endswith("/" + word) for path in there):
            gone += 1
            print(f"{name}: {word}")
journeys = re.findall(r"- \*\*A [^*]*\*\*[^(]*\((\d+) files\)(.*?)(?=\n- |\n\n)", open("CONTRIBUTING.md").read(), re.S)
for said, text in journeys:
    files = set(re.findall(r"`((?:[a-z-]+/)+[a-z0-9-]+\.c)`", text))
    if len(files) != int(said):
        gone += 1
        print(f"CONTRIBUTING.md: a journey says that it passes {said} files, and names {len(files)}")
sys.exit(gone > 0 or n < 100 or len(journeys) != 3)
END

# What tests/README.md names is there.
n=0
while IFS=': ' read -r test row; do
	n=$((n + 1))
	case $test in
	unit/*) [ -z "$row" ] && [ -e "tests/$test.c" ] || grep -q "^static void $row(void \*\*state)$" "tests/$test.c" || bad "tests/README.md: $test has no case $row" ;;
	*) [ -e "tests/$test.sh" ] || bad "tests/README.md: there is no $test" ;;
	esac
done < <(grep '^|' tests/README.md | grep -oE '`(unit|cli|image|crash)/[^`]*`' | tr -d '`')
[ "$n" -ge 20 ] || bad "tests/README.md names only $n tests"
exit $status
