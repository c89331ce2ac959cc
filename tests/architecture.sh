#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Include directions: format <- util <- crypto, volume <- tree <- fs <- convert <- cmd; one file for each delicate library.
cd "${TOP:-.}" || exit 1
status=0
bad() {
	echo "$1"
	status=1
}

# Which rooms a room may include, itself included.
declare -A may=(
	[format]="format"
	[common/util]="format common/util"
	[common/crypto]="format common/util common/crypto"
	[common/volume]="format common/util common/crypto common/volume"
	[common/tree]="format common/util common/crypto common/volume common/tree"
	[common/fs]="format common/util common/crypto common/volume common/tree common/fs"
	[common/convert]="format common/util common/crypto common/volume common/tree common/fs common/convert"
	[common/export]="format common/util common/crypto common/volume common/tree common/fs common/export"
	[cmd]="format common/util common/crypto common/volume common/tree common/fs common/convert common/export cmd"
)

n=0
while IFS=: read -r file line; do
	room=${file%/*} name=${line#*\"}
	name=${name%%\"*}
	n=$((n + 1))
	[ -n "${may[$room]:-}" ] || { bad "$file: $room is no room of the architecture"; continue; }
	[[ $name == */* ]] || bad "$file: includes \"$name\", not from the root of the project"
	case " ${may[$room]} " in *" ${name%/*} "*) ;; *) bad "$file: includes $name, which stands above or beside it" ;; esac
done < <(grep -HE '^ *# *include *"' format/*.[ch] common/*/*.[ch] cmd/*.[ch] /dev/null | sed 's/:[[:space:]]*/:/')
[ "$n" -gt 50 ] || bad "only $n includes looked at"

# Commands do not know each other: no file includes the header of a command.
for command in $(grep -lE '^const struct command cmd_' cmd/*.c); do
	found=$(grep -lE "^ *# *include *\"${command%.c}\.h\"" cmd/*.c | grep -vx "$command")
	[ -z "$found" ] || bad "$found: includes ${command%.c}.h, another command"
done

# only PATTERN FILES-ALLOWED WHAT
only() {
	local found
	found=$(grep -lE "$1" format/*.[ch] common/*/*.[ch] cmd/*.[ch] | grep -vE "^($2)$")
	[ -z "$found" ] || bad "$3 outside its file: $found"
}
only '^ *# *include *<openssl/' 'common/crypto/crypto\.c' 'OpenSSL'
only '^ *# *include *<json-c/' 'cmd/json\.c' 'json-c'
only '^ *# *include *<(archive|archive_entry)\.h>' 'common/export/archive-out\.c|common/volume/unpack\.c' 'libarchive'
only '^ *# *include *<btrfsutil\.h>' 'cmd/mounted\.c' 'libbtrfsutil'
only '^ *# *include *<popt\.h>' 'cmd/[a-z0-9-]*\.[ch]' 'popt'
only '[^a-z_](printf|puts|putchar|perror) *\(' 'cmd/[a-z0-9-]*\.[ch]' 'printing'
found=$(grep -lE '^ *# *include *<sodium\.h>' format/*.[ch] common/*/*.[ch] cmd/*.[ch])
for file in $found; do
	case $file in common/crypto/*.c | common/volume/csum.c) ;; *) bad "$file: includes libsodium" ;; esac
done

# Every file says its licence, and how long a file is says how many subjects it has.
for file in format/*.[ch] common/*/*.[ch] cmd/*.[ch] tests/*/*.[ch] tests/*/*.sh; do
	[ -e "$file" ] || continue
	head -n 2 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' || bad "$file: no SPDX line"
	[ "$file" = format/ondisk.h ] && continue	# the disk structs, all of them
	[ "$(wc -l < "$file")" -le 500 ] || bad "$file: $(wc -l < "$file") lines; two subjects?"
done
exit $status
