# The workshop: a Debian with the tools that the other recipes work with, so that the machine itself needs none of them. Debian 13, since the
# rpm of Debian 12 knows no ndb.
set -eu
SOURCE_DATE_EPOCH=1793491200
export SOURCE_DATE_EPOCH
tools=systemd-sysv,cloud-init,openssh-server,rpm,pacman-package-manager,makefs,ntfs-3g,xfsprogs,btrfs-progs,f2fs-tools,dosfstools,mtools,fdisk,e2fsprogs
tools=$tools,cryptsetup-bin,ostree,cpio,zstd,xz-utils,binutils,binutils-aarch64-linux-gnu,libarchive-tools
mmdebstrap --mode=auto --variant=minbase --quiet --include="$tools" --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' trixie "$OUT/workshop.tar"
