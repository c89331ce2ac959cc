#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Include directions: format <- util <- crypto <- device <- volume <- tree <- fs <- sealed, legacy <- convert <- cmd; one file for each delicate library.
cd "${TOP:-.}" || exit 1
shopt -s nullglob
awk '
function bad(text) { print text; status = 1 }
function room_of(name) { sub(/\/[^\/]*$/, "", name); return name }
function may(room, rooms,   i, n, part) {
	n = split(rooms, part, " ")
	for (i = 1; i <= n; i++) allowed[room, part[i]] = 1
	allowed[room, room] = known[room] = 1
}
# only(PATTERN, FILES, WHAT): lines like this stand in these files alone
function only(pattern, files, what) {
	if ($0 ~ pattern && FILENAME !~ "^(" files ")$" && !((FILENAME, what) in told)) {
		told[FILENAME, what] = 1
		bad(what " outside its file: " FILENAME)
	}
}
function end_of_file() {
	if (file != "" && file != "format/ondisk.h" && lines > 500)	# that one: the disk structs, all of them
		bad(file ": " lines " lines; two subjects?")
	if (file != "" && !licence)
		bad(file ": no SPDX line")
}

BEGIN {
	below = "format common/util"
	may("format", "")
	may("common/util", "format")
	may("common/crypto", below); below = below " common/crypto"
	may("common/device", below); below = below " common/device"
	may("common/volume", below); below = below " common/volume"
	may("common/tree", below); below = below " common/tree"
	may("common/fs", below); below = below " common/fs"
	fs = below
	may("common/sealed", below); below = below " common/sealed"
	may("common/audit", below)
	may("common/export", below)
	may("common/legacy", fs); below = below " common/legacy"	# beside sealed; in common/ only what decrypts it in place knows it
	may("common/convert", below)
	may("cmd", below " common/audit common/convert common/export cmd/dump cmd/key")
	may("cmd/dump", below " cmd")
	may("cmd/key", below " common/convert cmd")
}

FNR == 1 { end_of_file(); file = FILENAME; licence = lines = 0; room = room_of(file) }
{ lines++ }
FNR <= 2 && /SPDX-License-Identifier: GPL-2.0-or-later/ { licence = 1 }
# Unit tests put the devices that they share under what they test.
file ~ /^tests\/unit\// && /(^|[^a-z_])device_new *[(]/ && file !~ /^tests\/unit\/((memory|fault)-device|image)[.]c$/ {
	bad(file ": makes a device of its own; see tests/unit/memory-device.h and fault-device.h")
}
file ~ /^tests\// { next }

/^const struct command cmd_/ { command[file] = 1 }
/^[ \t]*# *include *"/ {
	name = $0
	sub(/^[^"]*"/, "", name)
	sub(/".*/, "", name)
	n++
	included[n] = name
	includer[n] = file
	if (!(room in known))
		bad(file ": " room " is no room of the architecture")
	else if (name !~ /\//)
		bad(file ": includes \"" name "\", not from the root of the project")
	else if (!((room, room_of(name)) in allowed))
		bad(file ": includes " name ", which stands above or beside it")
}
# The lower floor of common/tree: see settle.c.
file ~ /^common\/tree\/(transaction|tree-path|tree-edit|tree-cut)[.][ch]$/ && /include.*(extent-edit|free-space)[.]h|transaction_carry *\(/ {
	bad(file ": changes to a tree know nothing of accounts")
}
{
	only("^[ \t]*# *include *<openssl/", "common/crypto/crypto[.]c", "OpenSSL")
	only("^[ \t]*# *include *<sodium[.]h>", "common/crypto/[a-z0-9-]*[.]c|common/volume/csum[.]c", "libsodium")
	only("^[ \t]*# *include *<xxhash[.]h>", "common/util/hash64[.]c|common/volume/csum[.]c", "libxxhash")
	only("^[ \t]*# *include *<json-c/", "cmd/json[.]c", "json-c")
	only("^[ \t]*# *include *<(archive|archive_entry)[.]h>", "common/util/libarchive[.]h", "libarchive")
	only("^[ \t]*# *include *<libnbd[.]h>", "common/device/nbd-device[.]c", "libnbd")
	only("^[ \t]*# *include *<btrfsutil[.]h>", "cmd/mounted[.]c", "libbtrfsutil")
	only("^[ \t]*# *include *<popt[.]h>", "cmd/[a-z0-9/-]*[.][ch]", "popt")
	only("^[ \t]*# *include *<keyutils[.]h>", "common/crypto/keyring[.]c", "libkeyutils")
	only("[^a-z_](printf|puts|putchar|perror) *[(]", "cmd/[a-z0-9/-]*[.][ch]", "printing")
}

END {
	end_of_file()
	for (i = 1; i <= n; i++) {
		name = included[i]
		sub(/[.]h$/, ".c", name)
		# Commands do not know each other.
		if ((name in command) && name != includer[i])
			bad(includer[i] ": includes " included[i] ", another command")
	}
	if (n <= 50)
		bad("only " n " includes looked at")
	exit status
}' format/*.[ch] common/*/*.[ch] cmd/*.[ch] cmd/*/*.[ch] tests/*/*.[ch] tests/*/*.sh
