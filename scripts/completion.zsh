#compdef btrfs-crypt
# SPDX-License-Identifier: GPL-2.0-or-later
# Completes the command line of btrfs-crypt in zsh.

# The subvolumes of the image, as the program takes them back; nothing is unpacked for it, and it does not take long.
_btrfs_crypt_subvolumes() {
	local image=$1 name
	local -a names how
	for name in --device --image-offset --member --super --backup-root; do
		(( $+opt_args[$name] )) && how+=( $name=${(Q)^${(s.:.)opt_args[$name]}} )
	done
	[[ -f $image || -b $image ]] || return 1
	[[ $image != *.(gz|xz|zst|zip|tar|tgz|7z) ]] || return 1
	names=( / ${(f)"$(timeout 3 btrfs-crypt list --paths $how -- $image 2>/dev/null </dev/null)"} )
	compadd -a names
}

_btrfs_crypt() {
	local curcontext=$curcontext state ret=1
	local -a line _btrfs_crypt_commands specs
	local -A opt_args _btrfs_crypt_specs
#TABLES
	if (( CURRENT == 2 )); then
		_describe -t commands command _btrfs_crypt_commands
		return
	fi
	shift words
	(( CURRENT-- ))
	specs=( ${(Q)${(z)_btrfs_crypt_specs[$words[1]]}} )
	(( $#specs )) || return 1
	_arguments -C -s $specs && ret=0
	[[ $state = subvolume ]] && _btrfs_crypt_subvolumes ${(Q)line[1]} && ret=0
	return ret
}

_btrfs_crypt "$@"
