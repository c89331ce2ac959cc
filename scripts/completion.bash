# SPDX-License-Identifier: GPL-2.0-or-later
# Completes the command line of btrfs-crypt in bash.
#TABLES

# The words of $1 as a shell reads them, but nothing in them is carried out; the last is the one that the cursor is in.  broken: how much of that readline
# does not replace, for it takes : and = for the end of a word.
_btrfs_crypt_split() {
	local line=$1 quote= word= inside= c i
	words=() broken=0
	for ((i = 0; i < ${#line}; i++)); do
		c=${line:i:1}
		if [[ $quote = "'" && $c != "'" ]] || [[ $quote = '"' && $c != [\"\\] ]]; then
			word+=$c
		elif [[ $c = \\ ]]; then
			((++i))
			word+=${line:i:1} inside=1
		elif [[ $c = [\"\'] ]]; then
			[[ $quote ]] && quote= || quote=$c
			inside=1
		elif [[ $c = [[:space:]] ]]; then
			[[ $word || $inside ]] && words+=("$word")
			word= inside= broken=0
		else
			word+=$c
			[[ $c = [:=] && $COMP_WORDBREAKS = *$c* ]] && broken=${#word}
		fi
	done
	words+=("$word")
}

# The subvolumes of the image, one a line, as the program takes them back.  Nothing is unpacked for it, and it does not take long.
_btrfs_crypt_subvolumes() {
	local image=${1/#~\//$HOME/}
	shift
	[[ -f $image || -b $image ]] || return
	[[ $image != *.@(gz|xz|zst|zip|tar|tgz|7z) ]] || return
	printf '/\n'
	timeout 3 "${program:-btrfs-crypt}" list --paths "$@" -- "$image" 2>/dev/null </dev/null
}

_btrfs_crypt() {
	local words broken command= image= value= cur prefix= kind= n=0 i name program
	local -a kinds how=() candidates=()
	COMPREPLY=()
	_btrfs_crypt_split "${COMP_LINE:0:COMP_POINT}"
	program=${words[0]/#~\//$HOME/}
	cur=${words[-1]}
	# What is before the cursor: the command, the image, how it is read, and how many operands there are.
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		name=${words[i]}
		if [[ ! $command && $name = --format ]]; then
			((++i))
		elif [[ $name = -* && $name != - && ! $command ]]; then
			:
		elif [[ ! $command ]]; then
			command=$name
		elif [[ $name = --*=* ]]; then
			[[ $name = --@(device|image-offset|member|super|backup-root)=* ]] && how+=("$name")
		elif [[ ${_btrfs_crypt_values[$command $name]-} ]]; then
			if ((++i == ${#words[@]} - 1)); then
				value=$name
			elif [[ $name = --@(device|image-offset|member|super|backup-root) ]]; then
				how+=("$name=${words[i]}")
			fi
		elif [[ $name != -* || $name = - ]]; then
			((n++)) || image=$name
		fi
	done
	if [[ ! $command ]]; then
		if [[ $cur = -* ]]; then
			candidates=(--help --version --list-commands --list-options --format=)
		else
			read -ra candidates <<< "$_btrfs_crypt_commands help"
		fi
	elif [[ $command = help ]]; then
		read -ra candidates <<< "$_btrfs_crypt_commands"
	elif [[ ! ${_btrfs_crypt_operands[$command]-} ]]; then
		return
	else
		if [[ $value ]]; then
			kind=${_btrfs_crypt_values[$command $value]}
		elif [[ $cur = --*=* && ${_btrfs_crypt_values[$command ${cur%%=*}]-} ]]; then
			kind=${_btrfs_crypt_values[$command ${cur%%=*}]}
			prefix=${cur%%=*}=
		elif [[ $cur = -* ]]; then
			read -ra candidates <<< "${_btrfs_crypt_options[$command]}"
		else
			read -ra kinds <<< "${_btrfs_crypt_operands[$command]}"
			((n < ${#kinds[@]})) || n=$((${#kinds[@]} - 1))
			kind=${kinds[n]}
		fi
		cur=${cur#"$prefix"}
		case $kind in
		'' | any) ;;
		file)
			mapfile -t candidates < <(compgen -f -- "${cur/#~\//$HOME/}")
			[[ $cur != \~/* ]] || candidates=("${candidates[@]/#$HOME\//\~/}")
			compopt -o filenames 2>/dev/null ;;
		subvolume)
			mapfile -t candidates < <(_btrfs_crypt_subvolumes "$image" "${how[@]}")
			# readline quotes what a shell would take for something else.
			compopt -o filenames 2>/dev/null ;;
		*) read -ra candidates <<< "$kind" ;;
		esac
	fi
	for name in "${candidates[@]}"; do
		[[ $name = "$cur"* ]] || continue
		name=$prefix$name
		COMPREPLY+=("${name:broken}")
	done
	[[ ${#COMPREPLY[@]} = 1 && ${COMPREPLY[0]} = *= ]] && compopt -o nospace 2>/dev/null
	return 0
}
complete -F _btrfs_crypt btrfs-crypt
