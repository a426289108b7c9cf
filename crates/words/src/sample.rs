//! Reports for this crate's tests: what the rules say of a real Debian 12, whole and changed.

use lotse_guest::{Fact, Facts, facts::Sshd};
use lotse_requirements::{ContainerSummary, DiskProblem, DiskProblemKind, Report, SourceSummary, Subject, judge};

/// Debian 12 as its packages leave it, as a qcow2 file: NoCloud stands before ConfigDrive.
pub(crate) fn nocloud_first() -> Report {
    judge(&subject())
}

/// The same without SSH server and cloud-init.
pub(crate) fn nothing_installed() -> Report {
    let mut subject = subject();
    if let Ok(facts) = &mut subject.facts {
        facts.agent = Fact::Known(None);
        facts.datasources = Fact::Known(None);
        if let Fact::Known(sshd) = &mut facts.sshd {
            *sshd = Sshd {
                installed: Fact::Known(false),
                enabled: Fact::Known(false),
                not_started_because: Some("not_installed".to_owned()),
                ..sshd.clone()
            };
        }
    }
    judge(&subject)
}

/// A qcow2 file that refers to another and so was not opened.
pub(crate) fn unread() -> Report {
    judge(&Subject {
        facts: Err(DiskProblem {
            kind: DiskProblemKind::Refused,
            code: "qcow2_backing_file".to_owned(),
            params: [("file".to_owned(), "base.qcow2".to_owned())].into(),
        }),
        ..subject()
    })
}

fn subject() -> Subject {
    let facts: Facts =
        serde_json::from_str(include_str!("../../requirements/tests/judge/debian-12.facts.json")).unwrap();
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
        facts: Ok(facts),
        damage: None,
        notes: Vec::new(),
    }
}
