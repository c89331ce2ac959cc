#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# btrfs-crypt-fleet(7): its scripts, run as they stand in the page, over images that are plain, sealed already, unfinished, damaged, and no images.
. "$(dirname "$0")/../expect.sh"
for tool in parallel jq mandoc; do command -v $tool > /dev/null || { echo "needs $tool"; exit 77; }; done
page=$TOP/man/btrfs-crypt-fleet.7
export PARALLEL_HOME=$own/parallel
mkdir parallel

# from_page SECTION FIRST: the example of the section that begins with this line, as a terminal shows it
from_page() {
	mandoc -T ascii -O width=400 "$page" | sed 's/.\x08//g' | awk -v name="$1" -v first="$2" '
		/^[A-Z]/ { section = $0; on = 0 }
		section == name && !on && substr($0, match($0, /[^ ]/)) == first { on = match($0, /[^ ]/) }
		on && /[^ ]/ && match($0, /[^ ]/) < on { exit }
		on { print substr($0, on) }'
}
from_page "GNU PARALLEL" "#!/bin/bash" > seal-fleet
from_page "JOB ARRAY" "#!/bin/bash" > seal-job
from_page "CONFIGURATION MANAGEMENT" "- hosts: storage" > playbook.yml
for file in seal-fleet:30 seal-job:20 playbook.yml:20; do
	[ "$(wc -l < "${file%:*}")" -gt "${file#*:}" ] || { bad "the page has no ${file%:*}"; cat "${file%:*}"; }
done
chmod +x seal-fleet seal-job

# status_of IMAGE [FILE]: its exit status in the result; printed IMAGE: what it said
status_of() { jq -r --arg image "$1" 'select(.image == $image) | .status' "${2:-result.jsonl}"; }
printed() { jq -c --arg image "$1" 'select(.image == $image) | .printed[]' "${2:-result.jsonl}"; }
# has IMAGE STATUS [REGEX [FILE]]
has() {
	[ "$(status_of "$1" "${4:-}")" = "$2" ] || bad "$1: status $(status_of "$1" "${4:-}"), not $2"
	printed "$1" "${4:-}" | grep -qE "${3:-.}" || { bad "$1: not '$3'"; printed "$1" "${4:-}"; }
}

# What an image is: plain, sealed, other (sealed under another key), unfinished, unsealing (begun to be unsealed), damaged, none (no filesystem)
mkdir master
zstd -dqf "$TOP/images/good-plain.img.zst" -o master/plain
printf 'the key of the fleet' > fleet.key
printf 'another key' > other.key
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000 -q"
for name in sealed other unfinished unsealing damaged; do cp --sparse=always master/plain master/$name; done
quiet btrfs-crypt convert --encrypt --key-file fleet.key $cheap master/sealed vault
quiet btrfs-crypt convert --encrypt --key-file other.key $cheap master/other vault
stop="KILL says:\"progress\":\"data\",\"done\":\"[1-9]"
with_signal $stop convert --encrypt --key-file fleet.key $cheap --progress=json --progress-frequency 0 master/unfinished vault > log 2>&1
[ $? -eq 137 ] || { bad "nothing was killed"; cat log; }
quiet btrfs-crypt convert --encrypt --key-file fleet.key $cheap master/unsealing vault
with_signal $stop convert --decrypt --key-file fleet.key -q --progress=json --progress-frequency 0 master/unsealing vault > log 2>&1
[ $? -eq 137 ] || { bad "nothing was killed"; cat log; }
# Every block of one file, so that no copy matches its checksum
python3 - master/damaged <<'END' || bad "nothing was damaged"
import subprocess, sys
image = sys.argv[1]
content = subprocess.run(["btrfs-crypt", "cat", image, "vault", "size-30001"], stdout=subprocess.PIPE, check=True).stdout[:4096]
disk, at, n = bytearray(open(image, "rb").read()), 0, 0
while (at := disk.find(content, at)) >= 0:
    disk[at] ^= 1
    n += 1
open(image, "wb").write(disk)
sys.exit(n == 0)
END
head -c 100000 /dev/urandom > master/none

fresh() {
	rm -rf fleet *.d *.log *.jsonl
	mkdir fleet
	while IFS=: read -r name kind; do cp --sparse=always "master/$kind" "fleet/$name"; done < kinds
	sed -E 's/^([^:]*):.*/fleet\/\1/' kinds > images
}
cat > kinds <<'END'
a.img:plain
it's "c" $d.img:plain
sealed.img:sealed
unfinished.img:unfinished
damaged.img:damaged
other.img:other
unsealing.img:unsealing
none.img:none
END

# judge WHAT FILE: a line for each image, with what must have come of it
judge() {
	local name kind
	[ "$(wc -l < "$2")" = "$(wc -l < kinds)" ] || { bad "$1: not one line for each image"; cat "$2"; }
	while IFS=: read -r name kind; do
		case $kind in
		plain) has "fleet/$name" 0 '"result":"sealed".*"seal_fingerprint":"[0-9a-f]{32}"' "$2" ;;
		sealed) has "fleet/$name" 0 '"nothing_to_do":true' "$2" ;;
		unfinished) has "fleet/$name" 0 '"result":"sealed"' "$2" ;;
		damaged) has "fleet/$name" 6 '"error":"damaged".*size-30001' "$2" ;;
		other) has "fleet/$name" 2 '"error":"wrong-key"' "$2" ;;
		none) has "fleet/$name" 4 '"error":"not-found"' "$2" ;;
		esac
	done < kinds
}

fresh
./seal-fleet > out 2> err && bad "all are sealed, it says"
judge "GNU parallel" result.jsonl
for name in "it's \"c\" \$d.img" unfinished.img; do quiet btrfs-crypt verify --key-file fleet.key "fleet/$name" vault; done
has fleet/unsealing.img 7 '"error":"unfinished-conversion"'
[ "$(sort err | sed 's/: exit.*//')" = "$(printf 'fleet/%s.img\n' damaged none other unsealing)" ] || { bad "what is not sealed"; cat err; }
grep -q '^fleet/damaged.img: exit status 6: .*size-30001' err || { bad "why it is not sealed"; cat err; }
[ "$(sort unfinished)" = "$(printf 'fleet/%s.img\n' damaged unfinished)" ] || { bad "what is unfinished"; cat unfinished; }
from_page "GNU PARALLEL" "jq -r '.image as \$image | .printed[] | select(.seal_fingerprint)" > columns
bash ./columns | grep -cE $'^fleet/[^\t]*\taes-256-gcm@btrfs:[0-9a-f]{8}\t[0-9a-f]{32}$' > n
[ "$(cat n)" = 3 ] || { bad "the columns: $(cat n)"; bash ./columns; }

# Without those that somebody has to look at: again, and then nothing is left to do.
grep -vE 'damaged|other|unsealing|none' images > some && mv some images
while read -r image; do unchanged "$image"; done < images
./seal-fleet > out 2> err || { bad "again: status $?"; cat err; }
[ ! -s err ] && [ "$(grep -c '"nothing_to_do":true' result.jsonl)" = 4 ] || { bad "again"; cat err result.jsonl; }
while read -r image; do unchanged "$image"; done < images

# A scheduler, as far as the job needs one
printf '%s\n' a.img:plain unfinished.img:unfinished damaged.img:damaged unsealing.img:unsealing > kinds
fresh
mkdir bin job.d
printf '#!/bin/sh\nexec "$@"\n' > bin/srun
chmod +x bin/srun
for ((task = 1; task <= 4; task++)); do
	PATH=$own/bin:$PATH SLURM_ARRAY_TASK_ID=$task ./seal-job > out 2> err
	echo $? > job.d/$task.status
	[ "$(jq .status job.d/$task.json)" = "$(cat job.d/$task.status)" ] || bad "task $task: status $(cat job.d/$task.status)"
done
cat job.d/*.json > job.jsonl
judge "job array" job.jsonl
has fleet/unsealing.img 9 '"error":"refused"' job.jsonl

# The playbook is YAML, and its commands are those of the scripts.
python3 - playbook.yml <<'END' || bad "the playbook"
import sys, yaml
(play,) = yaml.safe_load(open(sys.argv[1]))
convert, cheap = play["vars"]["convert"], play["vars"]["cheap"]
seal, finish = (task["ansible.builtin.command"]["argv"] for task in play["tasks"])
assert convert == ["btrfs-crypt", "convert", "-q", "--format=json", "--key-file=/root/fleet.key"], convert
assert cheap == ["--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000"], cheap
assert seal == "{{ convert + ['--encrypt', '--if-needed'] + cheap + [item, 'vault'] }}", seal
assert finish == "{{ convert + ['--resume', item] }}", finish
END
finish
