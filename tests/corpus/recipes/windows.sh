# A disk like that of a Windows for BIOS: MBR, a small system partition, NTFS; recognised for what it is.
. "$RECIPES/lib.sh"
table disk.raw 120 << 'TABLE'
label: dos
label-id: 0x6d0a7b5a
1: start=2048, size=102400, type=7, bootable
2: start=104448, size=139264, type=7
TABLE
truncate -s 50M system.ntfs
truncate -s 68M windows.ntfs
mkfs.ntfs --quiet --fast --force --partition-start 2048 --heads 255 --sectors-per-track 63 --label 'System Reserved' system.ntfs > ntfs.log 2>&1
mkfs.ntfs --quiet --fast --force --partition-start 104448 --heads 255 --sectors-per-track 63 windows.ntfs >> ntfs.log 2>&1
printf 'BOOTMGR' > bootmgr
ntfscp --quiet --force system.ntfs bootmgr bootmgr
place system.ntfs disk.raw 1
place windows.ntfs disk.raw 51
expect_table disk.raw
expect system.family '"windows"'
expect agent '{"unknown": "filesystem_not_read"}'
expectations "$OUT/$NAME.expected.json"
mv disk.raw "$OUT/$NAME.raw"
