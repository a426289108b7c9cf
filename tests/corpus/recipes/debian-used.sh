# The Debian 12 with a kernel as it comes out of years of use elsewhere: a fixed address, a network card's name kept, an identity, keys,
# credentials, histories, what cloud-init remembers, swap behind the root. Nothing in it is a secret of anybody.
. "$RECIPES/lib.sh"
uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b1e0
id=5d41402abc4b2a76b9719d911017c592
qemu-img convert -f qcow2 -O raw "$OUT/debian-12-kernel.qcow2" disk.raw
# As debian.sh lays it out.
root="disk.raw?offset=$((20 << 20))"

# old PATH [MODE [OWNER]]: a file of the old machine, from standard input; everything above it is there before.
: > changes.debugfs
old() {
    old_file=$(echo "$1" | tr / =)
    cat > "$old_file"
    printf 'rm %s\nwrite %s %s\nsif %s mode 010%s\nsif %s uid %s\nsif %s gid %s\n' \
        "$1" "$old_file" "$1" "$1" "${2:-0644}" "$1" "${3:-0}" "$1" "${3:-0}" >> changes.debugfs
}
# folder PATH [MODE [OWNER]]
folder() {
    printf 'mkdir %s\nsif %s mode 004%s\nsif %s uid %s\nsif %s gid %s\n' "$1" "$1" "${2:-0755}" "$1" "${3:-0}" "$1" "${3:-0}" >> changes.debugfs
}
# more PATH: the image's own file with standard input behind it.
more() {
    debugfs -R "cat $1" "$root" 2> /dev/null > more.txt
    cat >> more.txt
    old "$1" "${2:-0644}" < more.txt
}
private_key='-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTUx
bm9ib2R5J3Mga2V5OiB0aGlzIGlzIG9ubHkgYSB0ZXN0IGltYWdlCg==
-----END OPENSSH PRIVATE KEY-----'

echo "$id" | old /etc/machine-id 0444
echo web1 | old /etc/hostname
echo 'rm /etc/netplan/90-default.yaml' >> changes.debugfs
old /etc/netplan/01-netcfg.yaml 0600 << 'FILE'
network:
  version: 2
  ethernets:
    ens192:
      addresses: [10.20.30.40/24]
      routes:
        - to: default
          via: 10.20.30.1
      nameservers:
        addresses: [10.20.30.53]
FILE
echo 'network: {config: disabled}' | old /etc/cloud/cloud.cfg.d/99-disable-network-config.cfg
old /etc/udev/rules.d/70-persistent-net.rules << 'FILE'
# PCI device 0x15ad:0x07b0 (vmxnet3)
SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="00:50:56:12:34:56", ATTR{type}=="1", NAME="ens192"
FILE
more /etc/fstab << FILE
UUID=${uuid}5 none swap sw 0 0
FILE

echo 'anna:x:1000:1000:Anna:/home/anna:/bin/bash' | more /etc/passwd
echo 'anna:x:1000:' | more /etc/group
folder /home/anna 0700 1000
folder /home/anna/.ssh 0700 1000
folder /home/anna/.aws 0755 1000
echo "$private_key" | old /home/anna/.ssh/id_ed25519 0600 1000
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG5vYm9keSdzIGtleSwgb25seSBhIHRlc3QgaW1hZ2U= anna@laptop' | old /home/anna/.ssh/authorized_keys 0600 1000
printf '[default]\naws_access_key_id = EXAMPLE\naws_secret_access_key = nobody\n' | old /home/anna/.aws/credentials 0600 1000
printf 'ls\n' | old /home/anna/.bash_history 0600 1000
printf 'mysql -pnobody\n' | old /root/.bash_history 0600
echo "$private_key" | old /etc/ssh/ssh_host_ed25519_key 0600
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG5vYm9keSdzIGtleSwgb25seSBhIHRlc3QgaW1hZ2U= root@web1' | old /etc/ssh/ssh_host_ed25519_key.pub
# A server's own: nothing may take it away.
echo "$private_key" | sed 's/ OPENSSH / /' | old /etc/ssl/private/www.key 0600

# What cloud-init remembers of the machine.
for part in '' /data /instances /instances/i-0a1b2c3d; do
    folder "/var/lib/cloud$part"
done
echo 'DataSourceNone: DataSourceNone' | old /var/lib/cloud/instances/i-0a1b2c3d/datasource
echo 'symlink /var/lib/cloud/instance /var/lib/cloud/instances/i-0a1b2c3d' >> changes.debugfs
echo i-0a1b2c3d | old /var/lib/cloud/data/instance-id
folder /var/log/journal
folder "/var/log/journal/$id"
echo LPKSHHRH | old "/var/log/journal/$id/system.journal" 0640
echo nobody | old /var/lib/systemd/random-seed 0600

debugfs -w -f changes.debugfs "$root" > changes.log 2> changes.errors
# What is not there cannot be taken away; anything else is a mistake.
if grep -v -e '^debugfs ' -e '^rm: File not found by ext2_lookup' changes.errors; then
    exit 1
fi

# The installer's swap behind the root, which keeps it from growing. The boot code in the first sector stays.
dd if=disk.raw of=boot-code bs=440 count=1 status=none
sfdisk --dump disk.raw | sed -e '/^last-lba/d' > layout
echo "size=65536, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F, uuid=${uuid}5" >> layout
truncate -s +33M disk.raw
sfdisk --quiet --no-reread disk.raw < layout
dd if=boot-code of=disk.raw conv=notrunc status=none
truncate -s 32M swap
mkswap --quiet --uuid "${uuid}5" swap
place swap disk.raw $((1536 - 1))

expect_table disk.raw
expect machine_id '"set"'
expect network '["netplan", "networkd"]'
expect root '{"filesystem": "ext4", "partition": 1, "layers": []}'
expect boot.bios true
expect boot.uefi true
expectations "$OUT/$NAME.expected.json"
qemu-img convert -f raw -O qcow2 disk.raw "$OUT/$NAME.qcow2"
