# SPDX-License-Identifier: GPL-2.0-or-later
# Completes the command line of btrfs-crypt in fish.

# The command and the operands before the cursor.  With how: instead, the options that say how the image is read; with alone: those with which there is
# no SUBVOL; with value: that whose value is to be typed.
function __btrfs_crypt_words
    set -l words
    set -l how
    set -l alone
    set -l option
    for word in (commandline -opc)[2..-1]
        if test -n "$option"
            string match -qr '^--(device|image-offset|member|super|backup-root)$' -- $option; and set -a how "$option=$word"
            set option
        else
            string match -qr -- $__btrfs_crypt_alone "$words[1] "(string replace -r '=.*' '' -- $word); and set -a alone $word
            if contains -- "$words[1] $word" $__btrfs_crypt_values
                set option $word
            else if string match -q -- '-?*' $word
                string match -qr '^--(device|image-offset|member|super|backup-root)=' -- $word; and set -a how $word
            else
                set -a words $word
            end
        end
    end
    switch "$argv[1]"
        case how
            set words $how
        case alone
            set words $alone
        case value
            set words $option
    end
    test (count $words) -gt 0; and printf '%s\n' $words
end

function __btrfs_crypt_needs_command
    test (count (__btrfs_crypt_words)) -eq 0 -a (count (__btrfs_crypt_words value)) -eq 0
end

# Is this the command?  - stands for none yet.  With verbs behind it: and its verb one of these, or not typed yet?
function __btrfs_crypt_in
    set -l words (__btrfs_crypt_words)
    test "$words[1]" = $argv[1]; or test "$argv[1]" = - -a -z "$words[1]"; or return 1
    test (count $argv) -eq 1 -o (count $words) -lt 2; or contains -- $words[2] $argv[2..-1]
end

# Is operand $argv[2], or one after it where there may be more, to be typed?
function __btrfs_crypt_at
    set -l n (count (__btrfs_crypt_words))
    __btrfs_crypt_in $argv[1]; or return 1
    test $argv[2] -eq 1 -o (count (__btrfs_crypt_words alone)) -eq 0; or return 1
    test $n -eq $argv[2]; or test "$argv[3]" = more -a $n -gt $argv[2]
end

# The subvolumes of the image, as the program takes them back, with as many / before them as were typed; nothing is unpacked for it, and it does not
# take long.
function __btrfs_crypt_subvolumes
    set -l words (__btrfs_crypt_words)
    set -l image $words[2]
    test "$words[1]" = key; and set image $words[3]
    test -f "$image" -o -b "$image"; or return
    string match -qr '\.(gz|xz|zst|zip|tar|tgz|7z)$' -- $image; and return
    set -l slashes (string match -r '^/+' -- (commandline -ct))
    test -n "$slashes"; and echo $slashes; or echo /
    string replace -r '^' "$slashes" -- (timeout 3 btrfs-crypt list --paths (__btrfs_crypt_words how) -- $image 2>/dev/null </dev/null)
end

#TABLES
