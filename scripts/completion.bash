# SPDX-License-Identifier: GPL-2.0-or-later
# Completes the command line of btrfs-crypt in bash.
#TABLES

# The words of $1 as a shell reads them, but nothing in them is carried out; the last is the one that the cursor is in.  quote: in which it is.  broken: how
# much of it readline does not replace, for it takes : and = for the end of a word.
_btrfs_crypt_split() {
	local line=$1 word= inside= c i
	words=() broken=0 quote=
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

# $1 as it has to be typed behind $2, the quote that the word begins with.
_btrfs_crypt_quoted() {
	local text=$1 mark
	case $2 in
	'') printf -v text %q "$text" ;;
	\') text=${text//\'/\'\\\'\'} ;;
	\") for mark in \\ \" \$ \`; do text=${text//"$mark"/\\"$mark"}; done ;;
	esac
	printf '%s' "$text"
}

_btrfs_crypt() {
	local words broken quote command= verb= image= value= cur prefix= kind= n=0 is_alone= is_quoted= slashes i name program
	local -a kinds how=() candidates=()
	COMPREPLY=()
	_btrfs_crypt_split "${COMP_LINE:0:COMP_POINT}"
	program=${words[0]/#~\//$HOME/}
	cur=${words[-1]}
	# What is before the cursor: the command, the image, how it is read, and how many operands there are.
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		name=${words[i]}
		if [[ ! $command && $name = --format ]]; then
			((++i == ${#words[@]} - 1)) && value=$name
		elif [[ $name = -* && $name != - && ! $command ]]; then
			:
		elif [[ ! $command ]]; then
			command=$name
		elif [[ $name = --*=* ]]; then
			[[ "$command ${name%%=*}" =~ $_btrfs_crypt_alone ]] && is_alone=1
			[[ $name = --@(device|image-offset|member|super|backup-root)=* ]] && how+=("$name")
		elif [[ ${_btrfs_crypt_values[$command $name]-} ]]; then
			[[ "$command $name" =~ $_btrfs_crypt_alone ]] && is_alone=1
			if ((++i == ${#words[@]} - 1)); then
				value=$name
			elif [[ $name = --@(device|image-offset|member|super|backup-root) ]]; then
				how+=("$name=${words[i]}")
			fi
		elif [[ $name != -* || $name = - ]]; then
			read -ra kinds <<< "${_btrfs_crypt_operands[$command]-}"
			[[ $image || ${kinds[n]-} != file ]] || image=$name
			[[ $command != key || $n != 0 ]] || verb=$name
			((++n))
		elif [[ "$command $name" =~ $_btrfs_crypt_alone ]]; then
			is_alone=1
		fi
	done
	# The options before the command are those of the command "-" in the tables.
	command=${command:--}
	if [[ $command = - && ! $value && $cur != -* ]]; then
		read -ra candidates <<< "$_btrfs_crypt_commands help"
	elif [[ $command = help ]]; then
		read -ra candidates <<< "$_btrfs_crypt_commands"
	elif [[ ! ${_btrfs_crypt_options[$command]-} ]]; then
		return
	else
		if [[ $value ]]; then
			kind=${_btrfs_crypt_values[$command $value]}
		elif [[ $cur = --*=* && ${_btrfs_crypt_values[$command ${cur%%=*}]-} ]]; then
			kind=${_btrfs_crypt_values[$command ${cur%%=*}]}
			prefix=${cur%%=*}=
		elif [[ $cur = -* ]]; then
			for name in ${_btrfs_crypt_options[$command]}; do
				value=${_btrfs_crypt_verbs[${name%=}]-}
				[[ $verb && $value && $value != *" $verb "* ]] || candidates+=("$name")
			done
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
			[[ $is_alone && ! $value && ! $prefix ]] || mapfile -t candidates < <(_btrfs_crypt_subvolumes "$image" "${how[@]}")
			# With any number of / before it a path is the same.
			if [[ $cur = /* && ${#candidates[@]} -gt 0 ]]; then
				slashes=${cur%%[!/]*}
				candidates=("${candidates[@]/#/$slashes}")
				candidates[0]=$slashes
			fi
			is_quoted=1 ;;
		*) read -ra candidates <<< "${kind//,/ }" ;;
		esac
	fi
	for name in "${candidates[@]}"; do
		[[ $name = "$cur"* ]] || continue
		name=$prefix$name
		name=${name:broken}
		# readline does that itself for names of files, but puts a / behind each that is a directory here.
		[[ ! $is_quoted ]] || name=$(_btrfs_crypt_quoted "$name" "$quote")
		COMPREPLY+=("$name")
	done
	[[ ${#COMPREPLY[@]} = 1 && ${COMPREPLY[0]} = *= ]] && compopt -o nospace 2>/dev/null
	return 0
}
complete -F _btrfs_crypt btrfs-crypt
