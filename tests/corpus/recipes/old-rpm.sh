# Package databases as Red Hat's systems up to 8 have them: Berkeley DB, which only an rpm as old as Debian 11's writes.
set -eu
SOURCE_DATE_EPOCH=1793491200
export SOURCE_DATE_EPOCH

cat > hook.sh << 'HOOK'
set -eu
chroot "$1" /bin/sh -eu /tmp/old-rpm-inside.sh
HOOK
cat > inside.sh << 'INSIDE'
cd /tmp
. /tmp/rpm.sh
for system in centos-6 centos-7 rocky-8; do
    rpm_database "/tmp/db/$system" bdb < "/tmp/$system.rpms"
    # What rpm leaves behind while it runs: not part of an image.
    rm -f "/tmp/db/$system"/__db.* "/tmp/db/$system"/.rpm.lock
    {
        printf 'cloud-init\t%s\n' "$(rpm_version "/tmp/db/$system" bdb cloud-init)"
        printf 'count\t%s\n' "$(rpm_count "/tmp/db/$system" bdb)"
    } > "/tmp/db/$system.told"
    rm -f "/tmp/db/$system"/__db.* "/tmp/db/$system"/.rpm.lock
done
tar -C /tmp/db -cf /tmp/old-rpm.tar .
INSIDE
cat > centos-6.rpms << 'LIST'
basesystem 10.0-4.el6 noarch
cloud-init 0.7.5-10.el6.centos.2 x86_64
initscripts 9.03.61-1.el6.centos x86_64
kernel 2.6.32-754.35.1.el6 x86_64
openssh 5.3p1-124.el6_10 x86_64
openssh-server 5.3p1-124.el6_10 x86_64
upstart 0.6.5-17.el6 x86_64
LIST
cat > centos-7.rpms << 'LIST'
cloud-init 19.4-7.el7.centos.6 x86_64
kernel 3.10.0-1160.119.1.el7 x86_64
NetworkManager 1:1.18.8-2.el7_9 x86_64
openssh 7.4p1-23.el7_9 x86_64
openssh-server 7.4p1-23.el7_9 x86_64
systemd 219-78.el7_9.9 x86_64
LIST
cat > rocky-8.rpms << 'LIST'
cloud-init 23.4-7.el8_10.8 noarch
kernel-core 4.18.0-553.58.1.el8_10 x86_64
NetworkManager 1:1.40.16-19.el8_10 x86_64
openssh 8.0p1-25.el8_10 x86_64
openssh-server 8.0p1-25.el8_10 x86_64
systemd 239-82.el8_10.5 x86_64
LIST
set -- --mode=auto --variant=minbase --format=null --quiet --include=rpm
set -- "$@" "--customize-hook=upload '$RECIPES/rpm.sh' /tmp/rpm.sh" "--customize-hook=upload '$PWD/inside.sh' /tmp/old-rpm-inside.sh"
for system in centos-6 centos-7 rocky-8; do
    set -- "$@" "--customize-hook=upload '$PWD/$system.rpms' /tmp/$system.rpms"
done
mmdebstrap "$@" "--customize-hook=$(cat hook.sh)" "--customize-hook=download /tmp/old-rpm.tar '$OUT/old-rpm.tar'" bullseye -
