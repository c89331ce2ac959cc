#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# benchmark: a line for each function and cipher, in text and JSON, with numbers that can be; never how many.
. "$(dirname "$0")/../expect.sh"
# What differs from machine to machine is taken out, but a 0 is not.
FILTER='s/  [1-9][0-9]+ iterations per/  N iterations per/; s/took [1-9][0-9]* ms/took N ms/; s/ +[1-9][0-9]*\.[0-9] MiB/ X MiB/g;
	s/"(iterations_per_second|time_ms)":[1-9][0-9]*/"\1":N/g; s/"(en|de)cryption_speed":"[1-9][0-9]{5,}"/"\1cryption_speed":N/g'

expect 0 benchmark -i 1 <<'END'
# in memory alone, with one thread, by processor time
pbkdf2-sha512  N iterations per second for 256-bit key
argon2id  3 passes, 65536 KiB of memory, 1 lane for 256-bit key (requested 1 ms, took N ms)
#         cipher   key         encryption         decryption
     aes-256-gcm  256b X MiB/s X MiB/s
 chacha-poly1305  256b X MiB/s X MiB/s
END
expect 0 benchmark --cipher chacha20-poly1305 --format json <<'END'
{"record":"cipher","cipher":"chacha-poly1305","key_bits":256,"block_size":4096,"encryption_speed":N,"decryption_speed":N}
END
expect 0 benchmark --pbkdf argon2id --pbkdf-memory 65536 --pbkdf-force-iterations 4 --format json <<'END'
{"record":"kdf","kdf":"argon2id","passes":4,"memory_kib":65536,"lanes":1,"requested_ms":1000,"time_ms":N}
END
expect 0 benchmark --pbkdf pbkdf2 --pbkdf-force-iterations 20000 <<'END'
# in memory alone, with one thread, by processor time
pbkdf2-sha512  N iterations per second for 256-bit key
END
# What it chooses for a given time is what a new slot may have.
btrfs-crypt benchmark --pbkdf argon2id -i 300 --format json | python3 -c '
import json, sys
line = json.loads(sys.stdin.read())
assert 3 <= line["passes"] <= 64 and 65536 <= line["memory_kib"] <= 131072 and line["requested_ms"] == 300, line' || bad "the parameters for a given time"

refused() { expect 1 benchmark "${@:2}" <<< "! btrfs-crypt benchmark: $1
! btrfs-crypt benchmark: hint: see btrfs-crypt benchmark --help"; }
refused "too many operands: it takes none" disk.img
refused "--cipher takes aes-256-gcm or chacha20-poly1305" -c rot13
refused "--pbkdf takes argon2id or pbkdf2" --pbkdf scrypt
refused "--pbkdf does not go with --cipher" --pbkdf pbkdf2 -c aes-256-gcm
refused '--iter-time: "0" is not a number from 1 to 600000' -i 0
finish
