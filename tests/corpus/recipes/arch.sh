# Arch Linux: pacman, one directory for all programs, systemd-networkd, nothing in the way of the built-in list of cloud-init.
. "$RECIPES/lib.sh"
. "$RECIPES/system.sh"
merged_usr sbin
rm "$tree/usr/lib64" "$tree/lib64" 2> /dev/null || rmdir "$tree/usr/lib64"
ln -sf lib "$tree/usr/lib64"
ln -sf usr/lib "$tree/lib64"
ln -sf usr/bin "$tree/sbin" && rm -f "$tree/sbin/bin"
write /usr/lib/os-release << 'FILE'
NAME="Arch Linux"
PRETTY_NAME="Arch Linux"
ID=arch
BUILD_ID=rolling
ANSI_COLOR="38;2;23;147;209"
HOME_URL="https://archlinux.org/"
DOCUMENTATION_URL="https://wiki.archlinux.org/"
SUPPORT_URL="https://bbs.archlinux.org/"
BUG_REPORT_URL="https://gitlab.archlinux.org/groups/archlinux/-/issues"
PRIVACY_POLICY_URL="https://terms.archlinux.org/docs/privacy-policy/"
LOGO=archlinux-logo
FILE
ln -s ../usr/lib/os-release "$tree/etc/os-release"
: | write /etc/arch-release
expect_release
systemd
program /usr/bin/sshd
sshd_unit Wants=sshdgenkeys.service
printf 'Include /etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile .ssh/authorized_keys\nSubsystem sftp /usr/lib/ssh/sftp-server\n' | write /etc/ssh/sshd_config
printf 'KbdInteractiveAuthentication no\nUsePAM yes\nPrintMotd no\n' | write /etc/ssh/sshd_config.d/99-archlinux.conf
cloud_init /usr/lib/python3.13/site-packages
printf 'users:\n  - default\ndisable_root: true\nsystem_info:\n  distro: arch\n  default_user:\n    name: arch\n    lock_passwd: True\n    shell: /bin/bash\n' | cloud_cfg
cloud_init_units
program /usr/lib/systemd/systemd-networkd
enable sshd.service systemd-networkd.service
expect network '["networkd"]'
expect_text login arch
expect agent.enabled "$(is_enabled cloud-init-main.service)"
expect sshd.enabled "$(is_enabled sshd.service)"

# Packages without files, put in by pacman itself.
mkdir -p "$tree/var/lib/pacman"
while read -r name version; do
    printf 'pkgname = %s\npkgbase = %s\npkgver = %s\npkgdesc = %s\nurl = https://example.org\nbuilddate = %s\npackager = nobody\nsize = 0\narch = x86_64\nlicense = none\n' \
        "$name" "$name" "$version" "$name" "$SOURCE_DATE_EPOCH" > .PKGINFO
    bsdtar -cf "$name-$version-x86_64.pkg.tar.zst" --zstd .PKGINFO
done << 'LIST'
cloud-init 25.1.4-2
linux 6.15.9.arch1-1
openssh 10.0p1-4
systemd 257.8-2
LIST
cat > pacman.conf << FILE
[options]
Architecture = x86_64
SigLevel = Never
LocalFileSigLevel = Never
FILE
pacman --root "$tree" --dbpath "$tree/var/lib/pacman" --config pacman.conf --noconfirm --noscriptlet --cachedir . --logfile pacman.log -Udd \
    --disable-download-timeout ./*.pkg.tar.zst > pacman.out 2>&1 || { cat pacman.out; exit 1; }
expect_cloud_init "$(pacman --dbpath "$tree/var/lib/pacman" --config pacman.conf -Q cloud-init | cut -d' ' -f2)"
expect packages.pacman "$(pacman --dbpath "$tree/var/lib/pacman" --config pacman.conf -Q | wc -l)"
expect_sshd
mkdir -p "$tree/usr/lib/modules/6.15.9-arch1-1"
: > "$tree/boot/vmlinuz-linux"
printf '[Match]\nName=en*\n\n[Network]\nDHCP=yes\n' | write /etc/systemd/network/20-ethernet.network
printf 'UUID=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b2e05 / ext4 rw,relatime 0 1\n' | write /etc/fstab
gpt_disk 130 arch-root
finish
