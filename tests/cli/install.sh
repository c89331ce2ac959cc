#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# install puts the program and the manual under DESTDIR, uninstall leaves nothing; a build leaves nothing that git does not ignore.
. "$(dirname "$0")/../expect.sh"
build=$(dirname "$BTRFS_CRYPT")
unset MAKEFLAGS MAKELEVEL

# -o: what is installed is what was built, whatever flags it was built with.
built=(-o "$build/btrfs-crypt")
for file in "$build"/completion/*; do built+=(-o "$file"); done
quiet make -C "$TOP" "${built[@]}" install B="$build" DESTDIR="$own/root" PREFIX=/usr
# So it is without -o: another compiler is no reason to compile again, but it is for all.
mkdir b
echo 'a compiler' > b/flags
for goal in all install; do
	make -C "$TOP" -n "$goal" CC=another B="$own/b" | grep -c 'cmp -s - .*/b/flags'
done | paste -sd ' ' > have
[ "$(cat have)" = "1 0" ] || bad "other flags are seen by all and by install: $(cat have), not 1 0"
[ -x root/usr/sbin/btrfs-crypt ] || bad "the program is not installed"
for section in 7 8; do
	[ "$(find root -path "*/man$section/*.$section" | wc -l)" = "$(ls "$TOP"/man/*.$section | wc -l)" ] || bad "not every page of section $section is installed"
done
for file in bash-completion/completions/btrfs-crypt zsh/vendor-completions/_btrfs-crypt fish/vendor_completions.d/btrfs-crypt.fish; do
	grep -q 'verify-key' "root/usr/share/$file" || bad "$file is not installed, or is empty"
done
root/usr/sbin/btrfs-crypt --version > /dev/null || bad "the installed program does not run"
quiet make -C "$TOP" uninstall B="$build" DESTDIR="$own/root" PREFIX=/usr
[ -z "$(find root -type f)" ] || bad "uninstall leaves $(find root -type f)"
make -C "$TOP" help > out || bad "help: status $?"
for target in all objects deps demo check unit tools replay crash torture matrix bench fuzz install uninstall help; do
	grep -q "^$target  *[a-z]" out || bad "help does not explain $target"
done
if [ -d "$TOP/.git" ]; then
	(cd "$TOP" && git status --porcelain --ignored build build-san | grep '^??') && bad "the build leaves files that git does not ignore"
fi
finish
