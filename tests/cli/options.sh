#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One name for one thing: letters and long options of all commands, from their tables.
. "$(dirname "$0")/../expect.sh"

# What the tools mean by letters, as far as our commands take them, and their other letters, which a command in their place must not give a meaning of its own.
cat > tools << 'END'
cryptsetup	convert key verify-key verify audit benchmark	c=cipher d=key-file i=iter-time q=batch-mode S=key-slot V=version	l o p r s t v y N B I J L M T
btrfs subvolume list	list	a=all c=cgen C=created d=deleted g=gen G=generation o=below p=parent q=parent-uuid r=readonly R=received-uuid s=snapshots t=table u=uuid	-
btrfs subvolume show	show	-	r u
btrfs inspect-internal logical-resolve	resolve	o=ignore-offset	P s v
btrfs filesystem df	df	b=bytes h=human-readable	H k m g t
btrfs inspect-internal tree-stats	tree-stats	b=bytes t=tree	-
btrfs inspect-internal dump-super	dump-super	a=all f=full s=super F=force	-
btrfs inspect-internal dump-tree	dump-tree	e=extents d=device-trees r=roots R=backups u=uuid b=block t=tree	-
ls	ls	d=directory h=human-readable i=inode l=long r=reverse R=recursive S=- t=- a=-	A b B c C D f F g G H I k L m n N o p q Q s T u U v w x X Z
cat	cat	-	A b e E n s t T u v
stat	stat	-	L f c t
-	export timeline	-	-
END
btrfs-crypt --list-options > listed || bad "--list-options: status $?"
python3 - << 'END' || bad "the tables of options"
import collections, sys
tools = {}
for line in open("tools"):
    name, commands, same, other = line.rstrip("\n").split("\t")
    for command in commands.split():
        tools[command] = (name, dict(word.split("=") for word in same.split() if word != "-"), set(other.split()) - {"-"})
faults, letters, letters_of, meanings, seen = [], *(collections.defaultdict(set) for _ in range(3)), set()
for line in open("listed"):
    command, letter, long, argument, text = line.rstrip("\n").split("\t")
    name, same, other = tools[command]
    long = long[2:] if long.startswith("--") else "-"
    if long != "-":
        meanings[long].add((argument.lstrip("="), text if argument == "-" else ""))
        if (command, long) in seen:
            faults.append(f"{command}: --{long} stands twice")
        seen.add((command, long))
    if letter == "-":
        continue
    letter = letter[1:]
    letters_of[long].add(letter)
    if (command, letter) in seen:
        faults.append(f"{command}: -{letter} stands twice")
    seen.add((command, letter))
    if letter in same:
        if same[letter] != long:
            faults.append(f"{command}: -{letter} is --{long}, but {name} means --{same[letter]} by it")
        del same[letter]
    elif letter in other:
        faults.append(f"{command}: -{letter} is --{long}, but {name} means something else by it")
    else:
        letters[letter].add(long)
for command, (name, same, other) in tools.items():
    faults += [f"{command}: no -{letter}, which is --{long} in {name}" for letter, long in same.items() if long != "version"
               and command not in ("key", "verify-key", "verify", "audit", "benchmark")]
faults += [f"-{letter} is {' and '.join(sorted(longs))}" for letter, longs in letters.items() if len(longs) > 1]
faults += [f"--{long} has the letters {letters}" for long, letters in letters_of.items() if len(letters) > 1 and long != "-"]
# The argument of one name is of one kind; but --inode is a column of ls, and what to look for of resolve, and each command sorts by what it shows.
for long, kinds in meanings.items():
    if len({argument for argument, _ in kinds}) > 1 and long not in ("inode", "sort"):
        faults.append(f"--{long} has different arguments: {kinds}")
    if long in ("offset", "ciphertext") and len(kinds) > 1:
        faults.append(f"--{long} means different things: {kinds}")
print("\n".join(faults))
sys.exit(bool(faults))
END
for command in $(btrfs-crypt --list-commands | cut -f 1); do
	btrfs-crypt "$command" --help > help
	grep -P "^$command\t" listed | cut -f 3 | grep -v '^-$' | while read -r option; do
		grep -qE -- " $option(\[?=|,| |\$)" help || echo "$command $option"
	done > missing
	[ ! -s missing ] || bad "not in --help: $(cat missing)"
	[ "$command" = cat ] || ! grep -qP "^$command\t.*\t--offset\t" listed || bad "$command has an --offset"
	[ "$command" = benchmark ] || grep -qP "^$command\t-\t--image-offset\t" listed || bad "$command has no --image-offset"
done

# Times: UTC in every command, wherever the image is looked at; local where that is asked for.  A zone of no daylight saving, which no tzdata is needed for.
bundled_image
for words in "show disk.img vault" "list -s disk.img" "ls -l disk.img vault" "stat disk.img vault secret.txt" "dump-tree -t 256 disk.img" "timeline disk.img vault"; do
	btrfs-crypt $words > utc 2> err || bad "$words: status $?"
	TZ=FAR-5:30 btrfs-crypt $words > far || bad "$words: status $?"
	cmp utc far || bad "$words depends on the time zone"
	[ "${words%% *}" != timeline ] || continue
	btrfs-crypt $words --local-time > here || bad "$words --local-time: status $?"
	cmp <(sed 's/ +0000//' utc) <(sed 's/ +0000//' here) || bad "$words --local-time is not UTC where UTC is the zone"
	grep -q ' +0000' here || [ "$words" = "list -s disk.img" ] || bad "$words --local-time does not say which zone"
	TZ=FAR-5:30 btrfs-crypt $words --local-time > far || bad "$words --local-time: status $?"
	python3 - "$words" << 'END' || bad "$words --local-time"
import datetime, re, sys
pattern = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
utc, far = open("utc").read(), open("far").read()
times = re.findall(pattern, utc)
for a, b in zip(times, re.findall(pattern, far)):
    a, b = (datetime.datetime.fromisoformat(x) for x in (a, b))
    if b - a != datetime.timedelta(hours=5, minutes=30):
        sys.exit(f"{a} and {b}")
if not times and "list" not in sys.argv[1]:
    sys.exit("no times")
bare = lambda text, zone: re.sub(pattern, "", text).replace(" " + zone, "")
if bare(utc, "+0000") != bare(far, "+0530"):
    sys.exit("more than the times differ")
END
done

# ls as fingers know it.
expect 0 ls -d disk.img vault << 'END'
.
END
transcript 0 bash -c 'btrfs-crypt ls -lh disk.img vault | grep -o " [0-9.]*KiB .* size-30001"' << 'END'
 29.30KiB 2026-11-23 07:54:26 size-30001
END
for letter in S t; do
	btrfs-crypt ls -$letter disk.img vault > short
	btrfs-crypt ls --sort=$([ $letter = S ] && echo size || echo time) disk.img vault | cmp - short || bad "ls -$letter"
done
[ "$(tac short)" = "$(btrfs-crypt ls -tr disk.img vault)" ] || bad "ls -tr"
expect 1 ls -S --sort=time disk.img vault << 'END'
! btrfs-crypt ls: only one of --sort, -S and -t
! btrfs-crypt ls: hint: see btrfs-crypt ls --help
END
btrfs-crypt df -b -h disk.img | cmp - <(btrfs-crypt df disk.img) || bad "df -h"
finish
