# workshop-enter.sh SCRIPT [ARGUMENT…]: runs a recipe inside the workshop, as root or seemingly so, with mounts of its own.
# From the outside: NAME, OUT, RECIPES as for the recipe itself; there they are folders of the workshop.
set -eu
script=${1##*/}
shift
workshop=$OUT/workshop

exec 9> "$OUT/workshop.lock"
flock 9
if ! [ "$workshop/ready" -nt "$OUT/workshop.tar" ]; then
    rm -rf "$workshop"
    mkdir -p "$workshop"
    tar -C "$workshop" --numeric-owner --exclude='./dev/*' -xpf "$OUT/workshop.tar"
    mkdir -p "$workshop/recipes" "$workshop/out" "$workshop/build"
    touch "$workshop/ready"
fi
flock -u 9

mount --bind "$RECIPES" "$workshop/recipes"
mount --bind "$OUT" "$workshop/out"
mount --rbind /dev "$workshop/dev"
mount -t proc proc "$workshop/proc"
rm -rf "$workshop/build/$NAME"
mkdir -p "$workshop/build/$NAME"
chroot "$workshop" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root NAME="$NAME" OUT=/out RECIPES=/recipes \
    /bin/sh -c 'cd "/build/$NAME" && exec /bin/sh "$@"' sh "/recipes/$script" "$@"
rm -rf "$workshop/build/$NAME"
