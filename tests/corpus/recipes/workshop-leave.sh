# Removes the unpacked workshop; only as root, or seemingly so, can it be.
set -eu
rm -rf "$OUT/workshop" "$OUT/workshop.lock"
