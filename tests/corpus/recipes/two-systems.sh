# A Debian and an Alpine side by side: both are told, neither is guessed to be the one.
. "$RECIPES/lib.sh"
. "$RECIPES/debian-slim.sh"
uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9bae0
: > expected.tsv
mkdir -p alpine/etc alpine/sbin alpine/bin
printf 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n' > alpine/etc/os-release
cp tree/usr/sbin/sshd alpine/bin/busybox
ln -s ../bin/busybox alpine/sbin/init
ext ext4 debian.ext4 160 debian "${uuid}2" tree
ext ext4 alpine.ext4 32 alpine "${uuid}3" alpine
table disk.raw 200 << TABLE
label: gpt
label-id: ${uuid}1
1: start=2048, size=$((160 * 2048)), type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=${uuid}7
2: start=$((161 * 2048)), size=$((32 * 2048)), type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=${uuid}8
TABLE
place debian.ext4 disk.raw 1
place alpine.ext4 disk.raw 161
expect_table disk.raw
expect root '{"unknown": "several_systems"}'
expect systems '["Debian GNU/Linux 12 (bookworm)", "Alpine Linux v3.22"]'
finish
