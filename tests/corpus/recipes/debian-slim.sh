# The Debian 12 without what no reader looks at, for the images whose layout is the question. Sourced after lib.sh; the tree is in ./tree.
tree=$PWD/tree
mkdir tree
tar -C tree --numeric-owner -xpf "$OUT/debian-12.slim.tar"
# What its own tools said about it, whatever disk it is put on.
cp "$OUT/debian-12.facts.tsv" expected.tsv

# fstab: the tree's, from standard input.
fstab() {
    cat > tree/etc/fstab
    touch -d "@$SOURCE_DATE_EPOCH" tree/etc/fstab tree/etc
}

# finish [OPTION of qemu-img…]: hands ./disk.raw over with its expectations.
finish() {
    expectations "$OUT/$NAME.expected.json"
    mv disk.raw "$OUT/$NAME.raw"
}
