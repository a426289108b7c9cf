# A package database as rpm itself writes it. Sourced.

# rpm_database FOLDER BACKEND < LIST: one package a line, as `name [epoch:]version-release architecture`.
rpm_database() {
    rpm_folder=$1 rpm_backend=$2
    mkdir -p "$rpm_folder" rpms
    while read -r rpm_name rpm_evr rpm_arch; do
        rpm_epoch=0
        case $rpm_evr in *:*) rpm_epoch=${rpm_evr%%:*} rpm_evr=${rpm_evr#*:} ;; esac
        {
            printf 'Name: %s\nVersion: %s\nRelease: %s\n' "$rpm_name" "${rpm_evr%-*}" "${rpm_evr##*-}"
            if [ "$rpm_epoch" != 0 ]; then
                printf 'Epoch: %s\n' "$rpm_epoch"
            fi
            printf 'Summary: %s\nLicense: none\n%%description\n%s\n%%files\n' "$rpm_name" "$rpm_name"
        } > package.spec
        rpmbuild --quiet -bb --target "$rpm_arch" --define "_topdir $PWD/rpmbuild" --define "_rpmdir $PWD/rpms" \
            --define '_build_id_links none' --define 'debug_package %{nil}' package.spec > rpmbuild.log 2>&1 || { cat rpmbuild.log >&2; exit 1; }
    done
    find rpms -name '*.rpm' | sort > rpms.list
    # shellcheck disable=SC2046
    rpm --dbpath "$rpm_folder" --define "_db_backend $rpm_backend" -i --justdb --nodeps --noscripts --ignoreos --ignorearch --nosignature \
        $(cat rpms.list)
    rm -rf rpms rpmbuild
}

# rpm_count FOLDER BACKEND: how many packages it has.
rpm_count() {
    rpm --dbpath "$1" --define "_db_backend $2" -qa | wc -l
}

# rpm_version FOLDER BACKEND NAME: as rpm itself says.
rpm_version() {
    rpm --dbpath "$1" --define "_db_backend $2" -q --queryformat '%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}' "$3"
}
