mod real;

use super::*;
use crate::MemoryTree;

fn look(tree: &MemoryTree, names: &'static [&'static str]) -> Read<Option<Package>> {
    find(&Files::new(tree).unwrap(), &Names::everywhere(names))
}

fn facts(tree: &MemoryTree) -> Vec<PackageDatabase> {
    read(&Files::new(tree).unwrap())
}

const STATUS: &str = "Package: adduser\nStatus: install ok installed\nVersion: 3.134\n\n\
    Package: cloud-init\nStatus: install ok installed\nPriority: optional\nArchitecture: all\nVersion: 22.4.2-1+deb12u4\n\
    Description: x\n .\n y\n\n\
    Package: openssh-server\nStatus: deinstall ok config-files\nVersion: 1:9.2p1-2\n";

#[test]
fn dpkg_tells_version_and_line() {
    let tree = MemoryTree::new().file("/var/lib/dpkg/status", STATUS);
    let package = look(&tree, &["cloud-init"]).unwrap().unwrap();
    assert_eq!(package.version, "22.4.2-1+deb12u4");
    assert_eq!(package.architecture.as_deref(), Some("all"));
    assert_eq!(package.evidence.line, Some(5));
    assert_eq!(package.evidence.value.as_deref(), Some("cloud-init 22.4.2-1+deb12u4"));
    let facts = facts(&tree);
    assert_eq!(
        (facts[0].kind, facts[0].path.as_str(), &facts[0].installed),
        (DatabaseKind::Dpkg, "/var/lib/dpkg/status", &Fact::Known(2)),
        "what is left of a removed package is not installed"
    );
}

#[test]
fn a_removed_package_is_not_installed() {
    let tree = MemoryTree::new().file("/var/lib/dpkg/status", STATUS);
    assert_eq!(
        look(&tree, &["openssh-server"]).unwrap(),
        None,
        "deinstall ok config-files"
    );
    assert_eq!(
        look(&tree, &["init"]).unwrap(),
        None,
        "a part of a name is another package"
    );
}

#[test]
fn every_state_of_dpkg_is_told_apart() {
    for (status, state) in [
        ("install ok installed", State::Installed),
        ("hold ok installed", State::Installed),
        ("install reinstreq installed", State::Installed),
        ("install ok triggers-pending", State::Installed),
        ("install ok triggers-awaited", State::Installed),
        ("install ok half-configured", State::HalfConfigured),
        ("install ok unpacked", State::Unpacked),
        ("install reinstreq half-installed", State::HalfInstalled),
        ("deinstall ok config-files", State::ConfigFiles),
        ("purge ok not-installed", State::NotInstalled),
        ("unknown", State::NotInstalled),
    ] {
        // The last stanza needs no empty line.
        let text = format!("package: x\nstatus: {status}\nversion: 1:2~3-4");
        let databases = list(&MemoryTree::new().file("/var/lib/dpkg/status", text));
        let package = &databases[0].packages[0];
        assert_eq!(
            (package.version.as_str(), package.state),
            ("1:2~3-4", state),
            "{status}"
        );
    }
}

#[test]
fn what_dpkg_did_last_counts_even_if_it_was_stopped_before_it_wrote_all() {
    let step = |name: &str, state: &str, version: &str| {
        format!("Package: {name}\nStatus: install ok {state}\nArchitecture: all\n{version}\n")
    };
    let tree = MemoryTree::new()
        .file("/var/lib/dpkg/status", STATUS)
        .file(
            "/var/lib/dpkg/updates/0000",
            step("cloud-init", "half-configured", "Version: 25.1-1"),
        )
        .file(
            "/var/lib/dpkg/updates/0001",
            step("cloud-init", "installed", "Version: 25.1-1"),
        )
        .file(
            "/var/lib/dpkg/updates/0002",
            "Package: adduser\nStatus: purge ok not-installed\n",
        )
        .file(
            "/var/lib/dpkg/updates/tmp.i",
            step("cloud-init", "installed", "Version: 9"),
        );
    let package = look(&tree, &["cloud-init"]).unwrap().unwrap();
    assert_eq!(package.version, "25.1-1");
    assert_eq!(package.evidence.path.as_deref(), Some("/var/lib/dpkg/updates/0001"));
    assert_eq!(look(&tree, &["adduser"]).unwrap(), None, "purged");
    assert_eq!(facts(&tree)[0].installed, Fact::Known(1));
}

#[test]
fn other_databases_of_text_are_read_too() {
    let distroless = MemoryTree::new()
        .file(
            "/var/lib/dpkg/status.d/cloud-init",
            "Package: cloud-init\nVersion: 25.1-1\n",
        )
        .file("/var/lib/dpkg/status.d/cloud-init.md5sums", "0  Package: other\n");
    assert_eq!(look(&distroless, &["cloud-init"]).unwrap().unwrap().version, "25.1-1");
    let alpine = MemoryTree::new().file(
        "/lib/apk/db/installed",
        "C:Q1x=\nP:openssh\nV:9.9_p2-r0\n\nC:Q1y=\nP:cloud-init\nV:25.1.4-r0\nA:noarch\n\n",
    );
    let package = look(&alpine, &["cloud-init"]).unwrap().unwrap();
    assert_eq!(
        (
            package.version.as_str(),
            package.architecture.as_deref(),
            package.evidence.line
        ),
        ("25.1.4-r0", Some("noarch"), Some(6))
    );
    assert_eq!(facts(&alpine)[0].installed, Fact::Known(2));
    let merged = alpine.symlink("/usr/lib/apk", "/lib/apk");
    assert_eq!(facts(&merged).len(), 1, "one database at both places");
    let slackware = MemoryTree::new().file("/var/log/packages/cloud-init-tools-22.1-x86_64-1_SBo", "");
    let package = look(&slackware, &["cloud-init-tools"]).unwrap().unwrap();
    assert_eq!(
        (package.version.as_str(), package.architecture.as_deref()),
        ("22.1-1_SBo", Some("x86_64"))
    );
    let openwrt = MemoryTree::new().file(
        "/usr/lib/opkg/status",
        "Package: openssh-server\nVersion: 9.9p2-1\nStatus: install user installed\nArchitecture: x86_64\n\n",
    );
    assert_eq!(look(&openwrt, &["openssh-server"]).unwrap().unwrap().version, "9.9p2-1");
}

#[test]
fn pacmans_folders_are_opened_only_when_they_are_asked_for() {
    let tree = MemoryTree::new()
        .file("/var/lib/pacman/local/ALPM_DB_VERSION", "9\n")
        .file(
            "/var/lib/pacman/local/cloud-init-extra-1-1/desc",
            "%NAME%\ncloud-init-extra\n\n%VERSION%\n1-1\n",
        )
        .file(
            "/var/lib/pacman/local/cloud-init-25.2-1/desc",
            "%NAME%\ncloud-init\n\n%VERSION%\n25.2-1\n\n%ARCH%\nany\n",
        )
        .dir("/var/lib/pacman/local/broken-1:2-1");
    let package = look(&tree, &["cloud-init"]).unwrap().unwrap();
    assert_eq!(
        (
            package.version.as_str(),
            package.architecture.as_deref(),
            package.evidence.line
        ),
        ("25.2-1", Some("any"), Some(2))
    );
    assert_eq!(facts(&tree)[0].installed, Fact::Known(3));
    let unknown = look(&tree, &["broken"]).unwrap_err();
    assert_eq!(unknown.code, "package_database_corrupt", "a folder without description");
    let databases = list(&tree);
    assert_eq!(databases[0].packages.len(), 2);
    assert!(databases[0].unread.is_some(), "the list says that it is not complete");
}

#[test]
fn gentoos_names_may_hold_what_looks_like_versions() {
    let tree = MemoryTree::new()
        .file("/var/db/pkg/net-misc/openssh-9.9_p2-r1/CHOST", "x86_64-pc-linux-gnu\n")
        .dir("/var/db/pkg/media-fonts/font-misc-misc-1.1.3")
        .dir("/var/db/pkg/dev-libs/gtk+-2.24.33-r3")
        .dir("/var/db/pkg/app-misc/-MERGING-half-1.0")
        .dir("/var/db/pkg/.cache/x-1");
    let package = look(&tree, &["openssh"]).unwrap().unwrap();
    assert_eq!(
        (
            package.name.as_str(),
            package.version.as_str(),
            package.architecture.as_deref()
        ),
        ("net-misc/openssh", "9.9_p2-r1", Some("x86_64"))
    );
    assert!(
        look(&tree, &["net-misc/openssh"]).unwrap().is_some(),
        "with its category as well"
    );
    let mut names: Vec<String> = list(&tree)[0]
        .packages
        .iter()
        .map(|package| format!("{} {}", package.name, package.version))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "dev-libs/gtk+ 2.24.33-r3",
            "media-fonts/font-misc-misc 1.1.3",
            "net-misc/openssh 9.9_p2-r1"
        ]
    );
}

#[test]
fn freebsds_python_packages_are_found_by_the_programs_name() {
    assert!(names::means(DatabaseKind::FreebsdPkg, "py311-cloud-init", "cloud-init"));
    for other in [
        "pyx-cloud-init",
        "py-cloud-init",
        "xpy311-cloud-init",
        "py311-cloud-init-x",
    ] {
        assert!(!names::means(DatabaseKind::FreebsdPkg, other, "cloud-init"), "{other}");
    }
    assert!(
        !names::means(DatabaseKind::Dpkg, "py311-cloud-init", "cloud-init"),
        "only there"
    );
}

#[test]
fn a_database_that_cannot_be_read_hides_no_other_and_is_never_taken_for_empty() {
    let tree = MemoryTree::new().file("/var/lib/rpm/Packages", "not a database at all");
    let unknown = look(&tree, &["cloud-init"]).unwrap_err();
    assert_eq!(
        (unknown.code.as_str(), unknown.params["path"].as_str()),
        ("package_database_corrupt", "/var/lib/rpm/Packages")
    );
    assert!(matches!(&facts(&tree)[0].installed, Fact::Unknown(unknown) if unknown.code == "package_database_corrupt"));
    let both = tree.file("/var/lib/dpkg/status", STATUS);
    assert!(look(&both, &["cloud-init"]).unwrap().is_some());
    assert!(look(&both, &["openssh-server"]).is_err(), "the other one may name it");
}

#[test]
fn names_and_versions_that_no_terminal_should_see_are_none() {
    let text = "Package: a\u{1b}[2J\nStatus: install ok installed\nVersion: 1\n\nPackage: b\nStatus: install ok installed\nVersion: 1 2\n";
    let tree = MemoryTree::new().file("/var/lib/dpkg/status", text);
    assert_eq!(list(&tree)[0].packages, []);
}
