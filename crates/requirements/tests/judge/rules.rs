//! The edges of every rule, and that nothing unknown ever passes.

use crate::subjects::{
    agent, all, bare, in_container, noted, of_size, ready, root, unopened, with, with_agent, with_list, with_sshd,
};
use std::collections::BTreeMap;

use lotse_guest::{
    Fact, Unknown,
    facts::{Boot, Partition, Root, TableKind},
};
use lotse_requirements::{
    DiskProblem, DiskProblemKind, Finding, FindingKind, RULES, SHARED_REASONS, Status, Subject, Verdict, judge,
};

fn finding(subject: &Subject, code: &str) -> Finding {
    judge(subject)
        .findings
        .into_iter()
        .find(|finding| finding.code == code)
        .unwrap()
}

fn status(subject: &Subject, code: &str) -> Status {
    finding(subject, code).status
}

fn commands(subject: &Subject, code: &str) -> Vec<String> {
    finding(subject, code)
        .remedy
        .map(|remedy| remedy.commands)
        .unwrap_or_default()
}

#[test]
fn every_report_has_every_requirement_and_all_in_order() {
    let expected = [
        "container_format",
        "compression",
        "virtual_size",
        "partition_table",
        "unix_like_os",
        "root_filesystem",
        "cloud_agent",
        "datasource_order",
        "sshd_installed",
        "sshd_enabled",
        "container_intact",
        "container_safe",
    ];
    for subject in all() {
        let findings = judge(&subject).findings;
        let (requirements, advice) = findings.split_at(expected.len());
        let codes: Vec<_> = requirements.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, expected);
        assert!(
            requirements
                .iter()
                .all(|finding| finding.kind == FindingKind::Requirement)
        );
        assert!(advice.iter().all(|finding| finding.kind == FindingKind::Advice));
        let mut ranked = RULES.iter();
        for finding in &findings {
            assert!(
                ranked.any(|rule| rule.code == finding.code),
                "{} stands where the rules have it, and once",
                finding.code
            );
        }
    }
}

#[test]
fn rules_answer_only_with_what_they_list() {
    let mut given = std::collections::BTreeSet::new();
    for subject in all() {
        for finding in judge(&subject).findings {
            let rule = RULES.iter().find(|rule| rule.code == finding.code).unwrap();
            let reason = finding.reason.as_str();
            assert!(
                rule.reasons.contains(&reason) || SHARED_REASONS.contains(&reason),
                "{}: {reason}",
                rule.code
            );
            given.insert((rule.code, finding.reason.clone()));
            for detail in finding.details {
                assert!(rule.reasons.contains(&detail.as_str()), "{}: {detail}", rule.code);
                given.insert((rule.code, detail));
            }
            if let Some(remedy) = finding.remedy {
                assert!(
                    rule.remedies.contains(&remedy.code.as_str()),
                    "{}: {}",
                    rule.code,
                    remedy.code
                );
                given.insert((rule.code, remedy.code));
            }
        }
    }
    for rule in RULES {
        for listed in rule.reasons.iter().chain(rule.remedies) {
            assert!(
                given.contains(&(rule.code, (*listed).to_owned())),
                "{} never answers {listed}",
                rule.code
            );
        }
    }
}

#[test]
fn every_failure_says_how_to_mend_it() {
    for subject in all() {
        for finding in judge(&subject).findings {
            match finding.status {
                Status::Fail => assert!(finding.remedy.is_some(), "{}", finding.reason),
                Status::Pass => assert!(finding.remedy.is_none(), "{}", finding.reason),
                Status::Warning | Status::Unknown => {}
            }
        }
    }
}

#[test]
fn a_hundred_gigabytes_are_ten_to_the_eleven_bytes() {
    for (size, expected) in [
        (0, Status::Pass),
        (99_999_999_999, Status::Pass),
        (100_000_000_000, Status::Pass),
        (100_000_000_001, Status::Fail),
        (100 << 30, Status::Fail),
    ] {
        assert_eq!(status(&of_size(Some(size)), "virtual_size"), expected, "{size}");
    }
    let too_big = finding(&of_size(Some(100 << 30)), "virtual_size");
    assert_eq!(
        (too_big.params["gb"].as_str(), too_big.params["gib"].as_str()),
        ("107.4", "100.0"),
        "both units"
    );
    assert_eq!(status(&of_size(None), "virtual_size"), Status::Unknown);
}

#[test]
fn containers_and_compressions_are_those_that_ccloud_names() {
    for format in ["raw", "qcow2", "vhdx", "vdi", "vmdk"] {
        assert_eq!(
            status(&in_container("disk", Some(format), None), "container_format"),
            Status::Pass,
            "{format}"
        );
    }
    for format in [
        "vhd",
        "qed",
        "parallels",
        "iso",
        "qcow",
        "luks",
        "dmg",
        "zip",
        "7z",
        "tar",
        "ova",
        "new",
    ] {
        let subject = unopened(
            "disk",
            Some(format),
            DiskProblemKind::Incompatible,
            "format_not_accepted",
        );
        assert_eq!(status(&subject, "container_format"), Status::Fail, "{format}");
        assert_eq!(
            judge(&subject).verdict,
            Verdict::WillNotWork,
            "whatever else is unknown"
        );
    }
    for (compression, expected) in [
        (None, Status::Pass),
        (Some("gzip"), Status::Pass),
        (Some("bzip2"), Status::Pass),
        (Some("xz"), Status::Fail),
        (Some("zstd"), Status::Fail),
    ] {
        assert_eq!(
            status(&in_container("disk", Some("raw"), compression), "compression"),
            expected
        );
    }
}

#[test]
fn only_raw_needs_a_partition_table() {
    for (kind, format, expected) in [
        (TableKind::Gpt, Some("raw"), Status::Pass),
        (TableKind::Mbr, Some("raw"), Status::Pass),
        (TableKind::None, Some("raw"), Status::Fail),
        (TableKind::None, Some("qcow2"), Status::Pass),
        (TableKind::None, None, Status::Unknown),
    ] {
        let mut subject = with(|facts| facts.table = crate::subjects::table(kind));
        subject.container.format = format.map(str::to_owned);
        assert_eq!(status(&subject, "partition_table"), expected, "{kind:?} {format:?}");
    }
}

#[test]
fn the_root_stands_on_ext3_or_ext4() {
    for (filesystem, read, expected) in [
        ("ext4", true, Status::Pass),
        ("ext3", true, Status::Pass),
        ("ext2", true, Status::Fail),
        ("xfs", false, Status::Fail),
        ("btrfs", false, Status::Fail),
        ("ntfs", false, Status::Fail),
        ("ext4", false, Status::Unknown),
    ] {
        let subject = with(|facts| facts.root = Fact::Known(Some(root(filesystem, read))));
        assert_eq!(
            status(&subject, "root_filesystem"),
            expected,
            "{filesystem} read: {read}"
        );
    }
    let behind_lvm = with(|facts| {
        facts.root = Fact::Known(Some(Root {
            layers: vec!["lvm".to_owned()],
            ..root("ext4", true)
        }));
    });
    assert_eq!(status(&behind_lvm, "root_filesystem"), Status::Pass);
    let inside_lvm = with(|facts| facts.root = Fact::Unknown(Unknown::new("root_inside_layer").with("layers", "lvm")));
    assert_eq!(
        status(&inside_lvm, "root_filesystem"),
        Status::Unknown,
        "what stands inside may well be ext4"
    );
}

#[test]
fn an_agent_counts_when_it_is_named_recent_and_runs() {
    for kind in [
        "cloud-init",
        "ignition",
        "coreos-cloudinit",
        "cloudbase-init",
        "bsd-cloudinit",
    ] {
        assert_eq!(
            status(
                &with(|facts| facts.agent = Fact::Known(Some(agent(kind)))),
                "cloud_agent"
            ),
            Status::Pass,
            "{kind}"
        );
    }
    let nuageinit = with(|facts| facts.agent = Fact::Known(Some(agent("nuageinit"))));
    assert_eq!(
        status(&nuageinit, "cloud_agent"),
        Status::Warning,
        "ccloud³ does not name it"
    );
    let old = with_agent(|agent| agent.recent_enough = Fact::Known(false));
    assert_eq!(status(&old, "cloud_agent"), Status::Fail);
    let ignition = with(|facts| {
        let mut ignition = agent("ignition");
        ignition.recent_enough = Fact::Unknown(Unknown::new("version_not_known"));
        facts.agent = Fact::Known(Some(ignition));
    });
    assert_eq!(
        status(&ignition, "cloud_agent"),
        Status::Pass,
        "the version is asked of cloud-init only"
    );
    assert_eq!(
        status(&ignition, "datasource_order"),
        Status::Pass,
        "and so is the order"
    );
}

#[test]
fn config_drive_comes_before_nocloud() {
    let path = "/etc/cloud/cloud.cfg.d/90_dpkg.cfg";
    for (list, expected) in [
        (&["ConfigDrive", "NoCloud"][..], Status::Pass),
        (&["ConfigDrive"], Status::Pass),
        (&["Ec2", "ConfigDrive", "NoCloud"], Status::Pass),
        (&["DataSourceConfigDrive", "NoCloud"], Status::Pass),
        (&["NoCloud", "ConfigDrive"], Status::Warning),
        (&["NoCloud", "Ec2", "ConfigDrive", "None"], Status::Warning),
        (&["OpenStack", "None"], Status::Warning),
        (&["NoCloud", "None"], Status::Fail),
        (&["None"], Status::Fail),
        (&[], Status::Fail),
    ] {
        assert_eq!(
            status(&with_list(list, path, false), "datasource_order"),
            expected,
            "{list:?}"
        );
    }
}

#[test]
fn the_drop_in_wins_over_the_file_that_decided() {
    let command = |decider: &str| commands(&with_list(&["NoCloud"], decider, false), "datasource_order");
    let content = "echo 'datasource_list: [ ConfigDrive, NoCloud, None ]' >";
    for decider in [
        "/etc/cloud/cloud.cfg",
        "/etc/cloud/cloud.cfg.d/90_dpkg.cfg",
        "/usr/lib/python3/dist-packages/cloudinit/settings.py",
    ] {
        assert_eq!(
            command(decider),
            [format!("{content} /etc/cloud/cloud.cfg.d/99-ccloud.cfg")]
        );
    }
    // `99-ccloud.cfg` sorts before the installer's file and would change nothing.
    assert_eq!(
        command("/etc/cloud/cloud.cfg.d/99-installer.cfg"),
        [format!("{content} /etc/cloud/cloud.cfg.d/zz-ccloud.cfg")]
    );
    assert_eq!(
        command("/etc/cloud/cloud.cfg.d/zzz.cfg"),
        [format!("{content} /etc/cloud/cloud.cfg.d/zzzz-ccloud.cfg")]
    );
    // The kernel's command line is stronger than every file.
    let last = with_list(&["None"], "/boot/grub/grub.cfg", false);
    assert_eq!(
        finding(&last, "datasource_order").remedy.unwrap().code,
        "edit_datasource_list"
    );
}

#[test]
fn the_ssh_server_is_there_and_starts() {
    let link_only = with_sshd(|sshd| sshd.installed = Fact::Known(false));
    assert_eq!(
        status(&link_only, "sshd_enabled"),
        Status::Fail,
        "a link alone starts nothing"
    );
    let unclear = with_sshd(|sshd| sshd.installed = Fact::Unknown(Unknown::new("journal_dirty")));
    assert_eq!(status(&unclear, "sshd_enabled"), Status::Unknown);
    assert_eq!(status(&ready(), "sshd_enabled"), Status::Pass);
}

#[test]
fn commands_are_those_of_the_distribution() {
    for (id, version, expected) in [
        (
            "debian",
            "12",
            vec![
                "apt-get update",
                "apt-get install --yes openssh-server",
                "systemctl enable ssh.service",
            ],
        ),
        (
            "fedora",
            "43",
            vec![
                "dnf install --assumeyes openssh-server",
                "systemctl enable sshd.service",
            ],
        ),
        (
            "rhel",
            "7.9",
            vec![
                "yum install --assumeyes openssh-server",
                "systemctl enable sshd.service",
            ],
        ),
        (
            "centos",
            "6.10",
            vec!["yum install --assumeyes openssh-server", "chkconfig sshd on"],
        ),
        (
            "alpine",
            "3.22.1",
            vec!["apk add openssh", "rc-update add sshd default"],
        ),
        (
            "arch",
            "",
            vec![
                "pacman --sync --refresh --sysupgrade --noconfirm openssh",
                "systemctl enable sshd.service",
            ],
        ),
        (
            "opensuse-leap",
            "15.6",
            vec![
                "zypper --non-interactive install openssh",
                "systemctl enable sshd.service",
            ],
        ),
        ("unheard-of", "1", vec![]),
    ] {
        assert_eq!(commands(&bare(id, version), "sshd_installed"), expected, "{id}");
    }
    let derived = with(|facts| {
        let mut system = crate::subjects::system("tuxedo", "24.04", "TUXEDO OS");
        system.like = crate::subjects::names(&["ubuntu", "debian"]);
        facts.system = Fact::Known(Some(system));
        facts.agent = Fact::Known(None);
    });
    assert_eq!(
        commands(&derived, "cloud_agent"),
        ["apt-get update", "apt-get install --yes cloud-init"],
        "by ID_LIKE"
    );
}

#[test]
fn a_file_name_cannot_smuggle_anything_into_a_command() {
    for (name, expected) in [
        (
            "disk.vhd",
            vec!["qemu-img convert -p -f vpc -O qcow2 ./disk.vhd ./disk.qcow2"],
        ),
        (
            "my disk.vhd",
            vec!["qemu-img convert -p -f vpc -O qcow2 './my disk.vhd' './my disk.qcow2'"],
        ),
        (
            "-n'; rm x.vhd",
            vec![r"qemu-img convert -p -f vpc -O qcow2 './-n'\''; rm x.vhd' './-n'\''; rm x.qcow2'"],
        ),
        ("a\nb.vhd", vec![]),
    ] {
        let subject = unopened(name, Some("vhd"), DiskProblemKind::Incompatible, "format_not_accepted");
        assert_eq!(commands(&subject, "container_format"), expected);
    }
    let compressed = in_container("disk.img.xz", None, Some("xz"));
    assert_eq!(
        commands(&compressed, "compression"),
        ["xz -dc ./disk.img.xz | gzip > ./disk.img.gz"]
    );
}

#[test]
fn damage_is_a_failure_and_a_failing_disk_is_not() {
    use DiskProblemKind::{Corrupt, Incompatible, Io, Refused};
    for (kind, intact, safe) in [
        (Corrupt, Status::Fail, Status::Unknown),
        (Refused, Status::Unknown, Status::Fail),
        (Io, Status::Unknown, Status::Unknown),
        (Incompatible, Status::Unknown, Status::Unknown),
    ] {
        let subject = unopened("disk.qcow2", Some("qcow2"), kind, "code");
        assert_eq!(
            (status(&subject, "container_intact"), status(&subject, "container_safe")),
            (intact, safe),
            "{kind:?}"
        );
    }
}

#[test]
fn a_container_that_fails_while_it_is_read_is_not_called_whole() {
    let subject =
        with(|facts| facts.system = Fact::Unknown(Unknown::new("disk_not_read").with("error", "qcow2_corrupt")));
    assert_eq!(status(&subject, "container_intact"), Status::Unknown);
}

#[test]
fn an_unbelievable_size_is_too_big() {
    let too_big = finding(&crate::subjects::unbelievable(), "virtual_size");
    assert_eq!(
        (too_big.status, too_big.params["gib"].as_str()),
        (Status::Fail, "1073741824.0")
    );
}

#[test]
fn nothing_unknown_passes() {
    let unknown = || Unknown::new("journal_dirty");
    let subject = with(|facts| {
        facts.table = Fact::Unknown(unknown());
        facts.root = Fact::Unknown(unknown());
        facts.system = Fact::Unknown(unknown());
        facts.agent = Fact::Unknown(unknown());
        facts.datasources = Fact::Unknown(unknown());
        facts.sshd = Fact::Unknown(unknown());
        facts.boot = Boot::unread(&unknown());
    });
    let report = judge(&subject);
    assert_eq!(report.verdict, Verdict::Unknown);
    for finding in report.findings {
        let about_the_file = [
            "container_format",
            "compression",
            "virtual_size",
            "container_intact",
            "container_safe",
        ];
        let expected = if about_the_file.contains(&finding.code.as_str()) {
            Status::Pass
        } else {
            Status::Unknown
        };
        assert_eq!(finding.status, expected, "{}", finding.code);
    }
    let unread = judge(&unopened("disk.img", None, DiskProblemKind::Io, "source_read"));
    for finding in unread.findings.iter().filter(|finding| finding.code != "compression") {
        assert_eq!(finding.status, Status::Unknown, "{}", finding.code);
        assert_eq!(
            (finding.reason.as_str(), finding.params["cause"].as_str()),
            ("not_read", "source_read")
        );
    }
}

/// A download that broke off is the commonest fault of all, and everything else that matters may stand in the first half.
#[test]
fn a_container_that_is_cut_off_fails_although_its_system_could_be_read() {
    let mut told = ready();
    told.damage = Some(DiskProblem {
        kind: DiskProblemKind::Corrupt,
        code: "container_truncated".to_owned(),
        params: BTreeMap::from([("missing".to_owned(), "4096".to_owned())]),
    });
    // Nothing in a raw file says how long it should be: its partitions do.
    let mut raw = with(|facts| {
        if let Fact::Known(table) = &mut facts.table {
            table.partitions = vec![Partition {
                number: 1,
                offset: 1 << 20,
                len: 2 << 30,
                filesystem: Some("ext4".to_owned()),
                ..Partition::default()
            }];
        }
    });
    raw.container.format = Some("raw".to_owned());
    raw.container.virtual_size = Some((1 << 20) + (2 << 30) - 4096);
    for subject in [told, raw] {
        let finding = finding(&subject, "container_intact");
        assert_eq!(
            (judge(&subject).verdict, finding.status),
            (Verdict::WillNotWork, Status::Fail)
        );
        assert_eq!(finding.params["cause"], "container_truncated");
        assert_eq!(finding.params["missing"], "4096", "how much is missing is told");
    }
}

/// QEMU refuses a VHDX whose log has not been replayed: the upload may be in vain although we could read the disk.
#[test]
fn what_the_reader_notes_of_a_whole_container_is_a_warning() {
    let subject = noted();
    let finding = finding(&subject, "container_intact");
    assert_eq!(
        (finding.status, finding.params["cause"].as_str()),
        (Status::Warning, "vhdx_log_replayed")
    );
    assert_eq!(judge(&subject).verdict, Verdict::ReadyWithWarnings);
}
