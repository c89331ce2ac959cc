#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion in bash, zsh and fish: it offers what the tables of the program say, and the subvolumes of the image. Nothing in a line or an image is
# executed.
. "$(dirname "$0")/../expect.sh"
scripts=$(dirname "$BTRFS_CRYPT")/completion
# However slow the machine is, a shell waits for the program here.
mkdir patient
printf '#!/bin/sh\nshift\nexec "$@"\n' > patient/timeout
chmod +x patient/timeout
PATH=$own/patient:$PATH
bundled_image "my disk.img"
unchanged "my disk.img"

# offered LINE: what bash offers at the end of it, one a line
cat > ask << END
COMP_WORDBREAKS=\$' \t\n"\'><=;|&(:'
. "$scripts/btrfs-crypt.bash"
complete -p btrfs-crypt > registered
END
cat >> ask << 'END'
COMP_LINE=$1 COMP_POINT=${2:-${#1}} COMP_WORDS=() COMP_CWORD=0
_btrfs_crypt btrfs-crypt
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
END
offered() { bash --norc --noprofile ask "$@" 2> err; [ ! -s err ] || bad "$1: $(cat err)"; }
# offers LINE WORD...: these, in this order
offers() {
	local line=$1
	shift
	printf '%s\n' "$@" > want
	offered "$line" > have
	diff want have > log || { bad "$line"; cat log; }
}
# lacks LINE: nothing
lacks() { offered "$1" > have; [ ! -s have ] || { bad "$1 offers"; cat have; }; }

offered "btrfs-crypt " | sort > have
{ btrfs-crypt --list-commands | cut -f 1; echo help; } | sort | diff - have || bad "commands"
grep -q -- '-F _btrfs_crypt btrfs-crypt' registered || bad "not registered: $(cat registered)"
offers "btrfs-crypt ver" verify-key verify
offers "btrfs-crypt help df" df
offers "btrfs-crypt key s" status
# Options that only some verbs have
offers "btrfs-crypt key --wip" --wipe-free
offers "btrfs-crypt key remove --wip" --wipe-free
lacks "btrfs-crypt key list --wip"
offers "btrfs-crypt key out my.img x --f" --forget --format=
offers "btrfs-crypt key out --keyring=" session user persistent
offers "btrfs-crypt --format json lis" list
offers "btrfs-crypt --list-o" --list-options
offers "btrfs-crypt --format " text json
offers "btrfs-crypt --format=j" json
offers "btrfs-crypt --f" --format=
# Every option of every command, and no other.
for command in $(btrfs-crypt --list-commands | cut -f 1); do
	btrfs-crypt --list-options | awk -F '\t' -v command="$command" '$1 == command {
		name = $4 == "-" || $4 ~ /^=/ ? $3 : $3 "="
		if ($2 != "-") print $2
		if ($3 != "-") print name
	}' | sort > want
	offered "btrfs-crypt $command -" | sort | diff want - > log || { bad "options of $command"; cat log; }
done
offers "btrfs-crypt export --ciph" --ciphertext
offers "btrfs-crypt list --form" --format=
# Values: of the word behind =, which readline takes for one of its own, and behind a blank.
offers "btrfs-crypt list --format=" text json
offers "btrfs-crypt list --format=j" json
offers "btrfs-crypt list --format " text json
offers "btrfs-crypt convert --cipher=ch" chacha20-poly1305
offers "btrfs-crypt convert -c " aes-256-gcm chacha20-poly1305
offers "btrfs-crypt ls --sort=" none name size time
offers "btrfs-crypt convert --progress=" auto none bar json
lacks "btrfs-crypt convert --iter-time="
trees="root chunk extent dev fs csum uuid free-space block-group quota raid-stripe tree-log data-reloc"
offers "btrfs-crypt dump-tree -t " $trees
offers "btrfs-crypt tree-stats --tree=f" fs free-space
for tree in $trees; do
	btrfs-crypt dump-tree -t $tree nothing.img 2>&1 | grep -q 'nothing.img: ' || bad "dump-tree does not know the tree $tree"
done
lacks "btrfs-crypt nothing "
lacks "btrfs-crypt df --local-time"
touch key1 key2
offers "btrfs-crypt cat --key-file=key" key1 key2
offers "btrfs-crypt cat --key-file key" key1 key2
offers "btrfs-crypt cat -d key" key1 key2
offers "btrfs-crypt list my" "my disk.img" "my disk.img.sum"
offers "btrfs-crypt df x --device=my" "my disk.img" "my disk.img.sum"

# Subvolumes, whatever way the image is written in.
all=(/ public vault vault/nested empty shared shared-snapshot)
absolute=(/ "${all[@]/#//}")
unset 'absolute[1]'
for image in 'my\ disk.img' '"my disk.img"' "'my disk.img'" 'my" "disk.img' "$own/my\\ disk.img"; do
	offers "btrfs-crypt ls $image " "${all[@]}"
done
offers "btrfs-crypt ls --key-file key1 -l my\\ disk.img va" vault vault/nested
offers "btrfs-crypt ls my\\ disk.img 'va" vault vault/nested
offers "btrfs-crypt verify --device=my\\ disk.img.sum my\\ disk.img " /	# not a device of it
offers "btrfs-crypt show --super 1 my\\ disk.img pub" public
offers "btrfs-crypt convert --encrypt my\\ disk.img vault pu" public
lacks "btrfs-crypt timeline --changed-since="	# the image is not known there
offers "btrfs-crypt timeline my\\ disk.img --changed-since=shared-" shared-snapshot
lacks "btrfs-crypt ls my\\ disk.img vault "
lacks "btrfs-crypt ls nothing.img "
lacks "btrfs-crypt ls / "
# With / before it, a path is the same; a directory of this name that is here is another.
mkdir pub public
offers "btrfs-crypt ls my\\ disk.img /pu" /public
offers "btrfs-crypt ls my\\ disk.img //va" //vault //vault/nested
offers "btrfs-crypt ls my\\ disk.img /" "${absolute[@]}"
# Where there is no SUBVOL
for line in "convert --status" "convert --decrypt --resume" "convert --abort" "resolve --logical=1" "resolve --logical 1" "resolve -l 1"; do
	lacks "btrfs-crypt $line my\\ disk.img "
	offers "btrfs-crypt $line my" "my disk.img" "my disk.img.sum"
done
offers "btrfs-crypt ls -l my\\ disk.img pu" public
offers "btrfs-crypt key list my\\ disk.img pu" public
offered "btrfs-crypt ls my\\ disk.img va --format" 28 | diff - <(printf '%s\n' "${all[@]}") || bad "in the middle of a line"
gzip -k "my disk.img"
lacks "btrfs-crypt ls my\\ disk.img.gz "	# which would have to be unpacked
unchanged "my disk.img"

# Names that a shell could take for something else, and lines that it could.
cat > fake << 'END'
#!/bin/sh
cat names
END
chmod +x fake
printf '%s\n' 'a b' "it's" '$(touch made)' '`touch made`' '; touch made' 'new\x0aline' 'back\\slash' '*' '"' 'id:1' > names
mapfile -t odd < names
# Typed as they are offered, they are those names again.
read_back() { while IFS= read -r word; do eval "printf '%s\n' $1$word$1"; done; }
offered "./fake ls my\\ disk.img " | read_back '' | diff - <(printf '%s\n' / "${odd[@]}") || bad "names are not quoted"
offered "./fake ls my\\ disk.img '" | read_back "'" | diff - <(printf '%s\n' / "${odd[@]}") || bad "names are not quoted behind '"
offered "./fake ls my\\ disk.img \"" | read_back '"' | diff - <(printf '%s\n' / "${odd[@]}") || bad 'names are not quoted behind "'
offers "./fake ls my\\ disk.img it\\'" "it\\'s"
offers "./fake ls my\\ disk.img \"it'" "it's"
offers "./fake ls my\\ disk.img id:" 1
offers "./fake ls my\\ disk.img \\\$" '\$\(touch\ made\)'
for line in 'btrfs-crypt ls $(touch made) ' 'btrfs-crypt ls `touch made` ' 'btrfs-crypt ls "$(touch made)" ' 'btrfs-crypt ls my\ disk.img $(touch made)' '$(touch made) ls x ' \
	'btrfs-crypt ls a[$(touch made)] ' 'btrfs-crypt a[$(touch made)] --x=' 'btrfs-crypt ls --a[$(touch made)] ' "btrfs-crypt ls 'unclosed "; do
	lacks "$line"
done
[ ! -e made ] || bad "a line or a name was carried out"

# The same in the other shells, if they are there.
ask() { asked+=("$1"); echo "$1"; shift; [ $# = 0 ] || printf '%s\n' "$@" | sort; }
ask_others() {
	"$1" "btrfs-crypt ver" verify-key verify
	"$1" "btrfs-crypt key o" out
	"$1" "btrfs-crypt key --wip" --wipe-free
	"$1" "btrfs-crypt key remove --wip" --wipe-free
	"$1" "btrfs-crypt key list --wip"
	"$1" "btrfs-crypt key out --keyring " session user persistent
	"$1" "btrfs-crypt key list my\\ disk.img pub" public
	"$1" "btrfs-crypt help d" df dump-super dump-tree
	"$1" "btrfs-crypt --format json li" list
	"$1" "btrfs-crypt --format=json li" list
	"$1" "btrfs-crypt --format " text json
	"$1" "btrfs-crypt export --ciph" --ciphertext
	"$1" "btrfs-crypt --list-" --list-commands --list-options
	"$1" "btrfs-crypt dump-tree -t " $trees
	"$1" "btrfs-crypt ls key" key1 key2
	"$1" "btrfs-crypt ls --key-file key" key1 key2
	"$1" "btrfs-crypt ls --key-file key1 my\\ disk.img va" vault vault/nested
	"$1" "btrfs-crypt convert --encrypt my\\ disk.img vault pu" public
	"$1" "btrfs-crypt --format json ls my\\ disk.img pu" public
	"$1" "btrfs-crypt ls -l my\\ disk.img /" "${absolute[@]}"
	"$1" "btrfs-crypt ls my\\ disk.img //va" //vault //vault/nested
	"$1" "btrfs-crypt ls my\\ disk.img public pu"
	"$1" "btrfs-crypt convert --status my\\ disk.img /"
	"$1" "btrfs-crypt convert --status key" key1 key2
	"$1" "btrfs-crypt resolve -l 1 my\\ disk.img v"
}
if command -v zsh > /dev/null; then
	zsh -n "$scripts/_btrfs-crypt" || bad "zsh does not read it"
	[ "$(head -n 1 "$scripts/_btrfs-crypt")" = '#compdef btrfs-crypt' ] || bad "zsh does not know what it completes"
	asked=()
	ask_others ask > want
	ask "btrfs-crypt list --format=" text json >> want
	zsh -f "$TOP/tests/cli/zsh-offers" "$scripts/_btrfs-crypt" "${asked[@]}" > have 2> err
	diff want have > log || { bad zsh; cat log err; }
fi
if command -v fish > /dev/null; then
	export HOME=$own
	fish -n "$scripts/btrfs-crypt.fish" || bad "fish does not read it"
	asked=()
	ask_others ask > want
	ask "btrfs-crypt list --format=" --format=json --format=text >> want
	fish --no-config -c "source '$scripts/btrfs-crypt.fish'
		for line in \$argv; echo \$line; complete -C \$line | string replace -r '\t.*' '' | sort; end" "${asked[@]}" > have 2> err
	diff want have > log || { bad fish; cat log err; }
fi
finish
