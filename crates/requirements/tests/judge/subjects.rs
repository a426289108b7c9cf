//! Typical images, as the disk and guest rooms describe them.

use std::collections::BTreeMap;

use lotse_guest::{
    Evidence, Fact, Facts, Unknown,
    facts::{Agent, Datasources, Grower, PartitionTable, Root, Sshd, System, TableKind},
};
use lotse_requirements::{ContainerNote, ContainerSummary, DiskProblem, DiskProblemKind, SourceSummary, Subject};

/// A qcow2 image of Debian 12 that meets everything.
pub(crate) fn ready() -> Subject {
    Subject {
        source: SourceSummary {
            name: "debian-12.qcow2".to_owned(),
            size: 412_876_800,
        },
        container: ContainerSummary {
            format: Some("qcow2".to_owned()),
            variant: Some("v3".to_owned()),
            virtual_size: Some(3 << 30),
        },
        compression: None,
        facts: Ok(facts()),
        damage: None,
        notes: Vec::new(),
    }
}

/// What is known of [`ready`]: what `lotse facts` says of the corpus's Debian 12 with kernel and GRUB, and a drop-in that
/// puts ConfigDrive first, and Debian's package cloud-guest-utils.
fn facts() -> Facts {
    let mut facts: Facts = serde_json::from_str(include_str!("debian-12.facts.json")).unwrap();
    if let Fact::Known(Some(sources)) = &mut facts.datasources {
        sources.list = names(&["ConfigDrive", "NoCloud", "None"]);
        sources.built_in = false;
        sources.from = vec![
            Evidence::path("/etc/cloud/cloud.cfg.d/99-ccloud.cfg")
                .line(1)
                .value("datasource_list: [ ConfigDrive, NoCloud, None ]"),
        ];
    }
    if let Fact::Known(space) = &mut facts.space
        && let Fact::Known(growers) = &mut space.growers
    {
        growers.push(Grower {
            kind: "growpart".to_owned(),
            evidence: Evidence::path("/usr/bin/growpart"),
        });
    }
    facts
}

pub(crate) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(crate) fn table(kind: TableKind) -> Fact<PartitionTable> {
    Fact::Known(PartitionTable {
        kind,
        sector_size: 512,
        id: None,
        partitions: Vec::new(),
        from_backup: false,
        problems: Vec::new(),
    })
}

pub(crate) fn root(filesystem: &str, read: bool) -> Root {
    Root {
        filesystem: filesystem.to_owned(),
        partition: Some(1),
        read,
        ..Root::default()
    }
}

pub(crate) fn system(id: &str, version: &str, name: &str) -> System {
    System {
        distribution: Some(id.to_owned()),
        version: Some(version.to_owned()),
        name: Some(name.to_owned()),
        architecture: Some("x86_64".to_owned()),
        evidence: vec![Evidence::path("/usr/lib/os-release").line(1)],
        ..System::of_family("linux")
    }
}

pub(crate) fn agent(kind: &str) -> Agent {
    Agent {
        kind: kind.to_owned(),
        version: Fact::Known("22.4.2-1+deb12u4".to_owned()),
        recent_enough: Fact::Known(true),
        enabled: Fact::Known(true),
        disabled_because: None,
        evidence: vec![Evidence::path("/usr/bin/cloud-init")],
        others: Vec::new(),
    }
}

/// The subject with its facts changed.
pub(crate) fn with(change: impl FnOnce(&mut Facts)) -> Subject {
    let mut subject = ready();
    if let Ok(facts) = &mut subject.facts {
        change(facts);
    }
    subject
}

/// A cloud-init that is changed.
pub(crate) fn with_agent(change: impl FnOnce(&mut Agent)) -> Subject {
    with(|facts| {
        let mut agent = agent("cloud-init");
        change(&mut agent);
        facts.agent = Fact::Known(Some(agent));
    })
}

/// An SSH server that is changed.
pub(crate) fn with_sshd(change: impl FnOnce(&mut Sshd)) -> Subject {
    with(|facts| {
        if let Fact::Known(sshd) = &mut facts.sshd {
            change(sshd);
        }
    })
}

/// A datasource list from one place.
pub(crate) fn with_list(list: &[&str], path: &str, built_in: bool) -> Subject {
    with(|facts| {
        let value = format!("datasource_list: [{}]", list.join(", "));
        let from = vec![Evidence::path(path).line(2).value(&value)];
        facts.datasources = Fact::Known(Some(Datasources {
            list: names(list),
            from,
            built_in,
            identify: Fact::Known(None),
            expected: Fact::Unknown(Unknown::new("no_system")),
        }));
    })
}

/// A file in another container; its disk is not read.
pub(crate) fn unopened(name: &str, format: Option<&str>, kind: DiskProblemKind, code: &str) -> Subject {
    let container = ContainerSummary {
        format: format.map(str::to_owned),
        variant: None,
        virtual_size: None,
    };
    let source = SourceSummary {
        name: name.to_owned(),
        size: 1_000_000,
    };
    let problem = DiskProblem {
        kind,
        code: code.to_owned(),
        params: [("path".to_owned(), "base.qcow2".to_owned())].into(),
    };
    Subject {
        source,
        container,
        compression: None,
        facts: Err(problem),
        damage: None,
        notes: Vec::new(),
    }
}

/// A container that claims more than any disk has.
pub(crate) fn unbelievable() -> Subject {
    let mut subject = unopened(
        "disk.qcow2",
        Some("qcow2"),
        DiskProblemKind::Refused,
        "virtual_size_too_large",
    );
    if let Err(problem) = &mut subject.facts {
        problem.params.insert("size".to_owned(), (1_u64 << 60).to_string());
    }
    subject
}

/// A file of the given format whose disk was read.
pub(crate) fn in_container(name: &str, format: Option<&str>, compression: Option<&str>) -> Subject {
    let mut subject = ready();
    name.clone_into(&mut subject.source.name);
    subject.container.format = format.map(str::to_owned);
    subject.compression = compression.map(str::to_owned);
    subject
}

pub(crate) fn of_size(virtual_size: Option<u64>) -> Subject {
    let mut subject = ready();
    subject.container.virtual_size = virtual_size;
    subject
}

/// An image of another distribution on which nothing is installed.
pub(crate) fn bare(id: &str, version: &str) -> Subject {
    with(|facts| {
        facts.system = Fact::Known(Some(system(id, version, id)));
        facts.agent = Fact::Known(None);
        facts.datasources = Fact::Known(None);
        facts.sshd = Fact::Known(Sshd {
            kind: None,
            installed: Fact::Known(false),
            enabled: Fact::Known(false),
            not_started_because: Some("not_installed".to_owned()),
            started_by: None,
            ports: Fact::Unknown(Unknown::new("sshd_not_installed")),
            config: Fact::Known(None),
            host_keys: Fact::Unknown(Unknown::new("sshd_not_installed")),
            installed_evidence: Vec::new(),
            enabled_evidence: Vec::new(),
        });
    })
}

pub(crate) fn masked() -> Subject {
    with_sshd(|sshd| {
        sshd.enabled = Fact::Known(false);
        sshd.not_started_because = Some("masked".to_owned());
        sshd.enabled_evidence = vec![Evidence::path("/etc/systemd/system/ssh.service").value("/dev/null")];
    })
}

pub(crate) fn xfs() -> Subject {
    with(|facts| {
        let unknown = Unknown::new("filesystem_not_read").with("filesystem", "xfs");
        facts.root = Fact::Known(Some(root("xfs", false)));
        facts.system = Fact::Unknown(unknown.clone());
        facts.agent = Fact::Unknown(unknown.clone());
        facts.datasources = Fact::Unknown(unknown.clone());
        facts.sshd = Fact::Unknown(unknown);
    })
}

pub(crate) fn raw_without_table() -> Subject {
    let mut subject = with(|facts| facts.table = table(TableKind::None));
    subject.container = ContainerSummary {
        format: Some("raw".to_owned()),
        variant: None,
        virtual_size: Some(3 << 30),
    };
    "alpine disk.img".clone_into(&mut subject.source.name);
    subject
}

pub(crate) fn nocloud_first() -> Subject {
    with_list(
        &["NoCloud", "ConfigDrive", "None"],
        "/etc/cloud/cloud.cfg.d/90_dpkg.cfg",
        false,
    )
}

/// One subject for about every reason that there is.
/// A VHDX that was not closed properly.
pub(crate) fn noted() -> Subject {
    Subject {
        notes: vec![ContainerNote {
            code: "vhdx_log_replayed".to_owned(),
            params: BTreeMap::new(),
        }],
        ..ready()
    }
}

pub(crate) fn all() -> Vec<Subject> {
    [
        containers(),
        disks(),
        systems(),
        programs(),
        crate::start::subjects(),
        crate::agent::subjects(),
        crate::leftovers::subjects(),
        crate::network::subjects(),
        crate::access::subjects(),
    ]
    .concat()
}

fn containers() -> Vec<Subject> {
    use DiskProblemKind::{Corrupt, Incompatible, Io, Refused};
    let mut subjects = vec![
        of_size(None),
        of_size(Some(u64::MAX)),
        in_container("disk.img.xz", None, Some("xz")),
        in_container("disk.img.gz", None, Some("gzip")),
        in_container("disk.img.zst", Some("raw"), Some("zstd")),
        in_container("disk", None, None),
        unopened("disk.vhdx", Some("vhdx"), Incompatible, "format_not_read_yet"),
        unopened("disk.qcow2", Some("qcow2"), Refused, "qcow2_backing_file"),
        unopened("disk.qcow2", Some("qcow2"), Refused, "qcow2_encrypted"),
        unopened("disk.qcow2", Some("qcow2"), Refused, "two_formats"),
        unbelievable(),
        noted(),
        unopened("disk.qcow2", Some("qcow2"), Corrupt, "qcow2_header"),
        unopened("disk.qcow2", Some("qcow2"), Io, "source_read"),
        unopened("disk.img", None, Io, "source_read"),
    ];
    let formats = "raw vhdx vdi vmdk vhd qed parallels iso qcow luks dmg zip 7z tar";
    for format in formats.split(' ') {
        let name = format!("disk.{format}");
        subjects.push(unopened(&name, Some(format), Incompatible, "format_not_accepted"));
    }
    let mut no_table = in_container("disk", None, None);
    if let Ok(facts) = &mut no_table.facts {
        facts.table = table(TableKind::None);
    }
    subjects.push(no_table);
    subjects
}

fn systems() -> Vec<Subject> {
    vec![
        ready(),
        masked(),
        xfs(),
        raw_without_table(),
        nocloud_first(),
        with_list(
            &["NoCloud", "ConfigDrive"],
            "/usr/lib/python3/dist-packages/cloudinit/settings.py",
            true,
        ),
        with_list(&["None"], "/etc/cloud/cloud.cfg.d/99-installer.cfg", false),
        with_list(&["None"], "/etc/cloud/cloud.cfg.d/zzz.cfg", false),
        with_list(&["None"], "/boot/grub/grub.cfg", false),
        with_list(&["Ec2", "OpenStack"], "/etc/cloud/cloud.cfg", false),
        bare("debian", "12"),
        bare("alpine", "3.22"),
        bare("arch", ""),
        bare("opensuse-leap", "15.6"),
        bare("centos", "6.10"),
        bare("devuan", "5"),
        bare("unheard-of", "1"),
    ]
}

fn disks() -> Vec<Subject> {
    let unknown = || Unknown::new("journal_dirty");
    vec![
        with(|facts| facts.datasources = Fact::Unknown(unknown())),
        with(|facts| facts.table = Fact::Unknown(unknown())),
        with(|facts| facts.root = Fact::Unknown(unknown())),
        with(|facts| facts.sshd = Fact::Unknown(unknown())),
        with(|facts| facts.root = Fact::Known(Some(root("ext4", false)))),
        with(|facts| facts.root = Fact::Known(Some(root("ext2", true)))),
        with(|facts| facts.root = Fact::Unknown(Unknown::new("root_inside_layer").with("layers", "lvm"))),
        with(|facts| {
            facts.root = Fact::Known(Some(Root {
                partition: None,
                ..root("ext3", true)
            }));
        }),
        with(|facts| facts.system = Fact::Known(None)),
        with(|facts| {
            facts.root = Fact::Known(None);
            facts.system = Fact::Known(None);
        }),
        with(|facts| {
            let windows = System {
                family: "windows".to_owned(),
                name: None,
                ..system("", "", "")
            };
            facts.system = Fact::Known(Some(windows));
        }),
        with(|facts| {
            if let Fact::Known(table) = &mut facts.table {
                table.from_backup = true;
            }
        }),
        with(|facts| facts.table = table(TableKind::None)),
    ]
}

fn programs() -> Vec<Subject> {
    let mut subjects = vec![
        with_agent(|agent| agent.recent_enough = Fact::Known(false)),
        with_agent(|agent| agent.recent_enough = unknown_bool()),
        with_agent(|agent| agent.enabled = unknown_bool()),
        with_agent(|agent| agent.version = Fact::Unknown(Unknown::new("version_not_known"))),
        with(|facts| facts.agent = Fact::Known(Some(agent("nuageinit")))),
        with(|facts| facts.agent = Fact::Known(Some(agent("ignition")))),
        with(|facts| {
            let disabled = Agent {
                enabled: Fact::Known(false),
                ..agent("ignition")
            };
            facts.agent = Fact::Known(Some(disabled));
        }),
        with_sshd(|sshd| sshd.installed = unknown_bool()),
        with_sshd(|sshd| sshd.enabled = unknown_bool()),
    ];
    for because in ["disabled_file", "identify_policy", "masked", "no_start_link"] {
        subjects.push(with_agent(|agent| {
            agent.enabled = Fact::Known(false);
            agent.disabled_because = Some(because.to_owned());
            agent
                .evidence
                .insert(0, Evidence::path("/etc/systemd/system/cloud-init.service"));
        }));
    }
    for because in ["masked", "not_to_be_run", "condition", "no_start_link"] {
        subjects.push(with_sshd(|sshd| {
            sshd.enabled = Fact::Known(false);
            sshd.not_started_because = Some(because.to_owned());
        }));
    }
    subjects
}

fn unknown_bool() -> Fact<bool> {
    Fact::Unknown(Unknown::new("package_database_not_read").with("kind", "rpm-sqlite"))
}
