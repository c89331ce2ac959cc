#compdef btrfs-crypt
# SPDX-License-Identifier: GPL-2.0-or-later
# Completes the command line of btrfs-crypt in zsh.

# The subvolumes of the image, as the program takes them back, with as many / before them as were typed; nothing is unpacked for it, and it does not
# take long.
_btrfs_crypt_subvolumes() {
	local image=$1 name slashes
	local -a names how
	for name in --device --image-offset --member --super --backup-root; do
		(( $+opt_args[$name] )) && how+=( $name=${(Q)^${(s.:.)opt_args[$name]}} )
	done
	[[ -f $image || -b $image ]] || return 1
	[[ $image != *.(gz|xz|zst|zip|tar|tgz|7z) ]] || return 1
	names=( ${(f)"$(timeout 3 btrfs-crypt list --paths $how -- $image 2>/dev/null </dev/null)"} )
	slashes=${PREFIX%%[^/]*}
	names=( ${slashes:-/} $slashes${^names} )
	compadd -a names
}

_btrfs_crypt() {
	local curcontext=$curcontext state ret=1 image=1 name verb
	local -a line _btrfs_crypt_commands specs
	local -A opt_args _btrfs_crypt_specs
#TABLES
	specs=( ${(Q)${(z)_btrfs_crypt_specs[-]}} )
	_arguments -C $specs '1: :->command' '*:: :->operands' && ret=0
	if [[ $state = command || $words[1] = help ]]; then
		[[ $state != command ]] || _btrfs_crypt_commands+=( 'help:show this help, or that of a command' )
		(( CURRENT > 2 )) && [[ $state != command ]] && return 1
		_describe -t commands command _btrfs_crypt_commands
		return
	fi
	[[ $state = operands ]] || return ret
	[[ $words[1] = key ]] && image=2
	specs=( ${(Q)${(z)_btrfs_crypt_specs[$words[1]]}} )
	# Options that only some verbs have stand under the command and these, with a colon behind each.
	verb=${${words[2,CURRENT-1]}[(r)[a-z]*]}
	for name in ${(k)_btrfs_crypt_specs}; do
		[[ $name = $words[1]:* && ( -z $verb || $name = *:$verb:* ) ]] && specs+=( ${(Q)${(z)_btrfs_crypt_specs[$name]}} )
	done
	(( $#specs )) || return 1
	_arguments -C -s $specs && ret=0
	[[ $state = subvolume ]] && _btrfs_crypt_subvolumes ${(Q)line[image]} && ret=0
	return ret
}

_btrfs_crypt "$@"
