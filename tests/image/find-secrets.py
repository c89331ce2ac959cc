#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""find-secrets.py IMAGE[:N] SECRET-FILE NEW-SECRET-FILE DUMP...: derives everything from the secret that opens slot 0 of sealing N (1) of IMAGE, and looks for it in memory dumps.
What every run needs to the end must be there, or the dump shows nothing; the rest must not, nor the secret of a slot that was made."""
import hashlib
import hmac
import importlib.util
import pathlib
import sys

spec = importlib.util.spec_from_file_location('reader', pathlib.Path(__file__).resolve().parent.parent / 'second-reader.py')
reader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reader)

path, _, number = sys.argv[1].partition(':')
image, secret, new = reader.Image(path), open(sys.argv[2], 'rb').read(), open(sys.argv[3], 'rb').read()
slot = next(item for key, item in image.items(image.root) if key == (reader.CRYPT, 249, int(number or 1) << 48 | 1 << 44))
header, uuid, salt = slot[:140], slot[20:36], slot[52:68]
s = hashlib.pbkdf2_hmac('sha512', secret, salt, reader.u('I', header, 40)[0], 32)
p = hmac.new(b'btrfs-crypt-slot/1' + uuid + salt, s, hashlib.sha512).digest()
kek = reader.expand(p, b'wrap' + hashlib.sha512(header).digest(), 32)
volume_key = reader.open_slot(slot, secret)
prk = reader.Keys(volume_key, uuid).prk

bad = 0
for name in sys.argv[4:]:
    dump = open(name, 'rb').read()
    if prk not in dump:
        print(f'{name}: not even the keys in use are there, in {len(dump)} bytes')
        bad = 1
    for what, value in (('passphrase', secret), ('output of the KDF', s), ('key of the slot', p), ('wrapping key', kek), ('volume key', volume_key),
                        ('new passphrase', new)):
        if value in dump:
            print(f'{name}: the {what} is there {dump.count(value)} times, first in a piece like {dump[dump.find(value) - 16:][:64]}')
            bad = 1
    print(f'{name}: {len(dump) >> 20} MiB looked at')
sys.exit(bad)
