//! Partitions and filesystems must fit into each other, and nothing should be half written.

use lotse_guest::{
    Fact, Facts,
    facts::{Left, TableKind, TableProblem, Volume},
};

use crate::rules::Rule;
use crate::{Certainty, Finding, FindingKind, Status, Subject};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "disk_layout",
    kind: FindingKind::Advice,
    sources: &[
        "UEFI Specification 2.10: 5.3 GUID Partition Table",
        "Linux: Documentation/filesystems/ext4",
        "sgdisk(8)",
    ],
    reasons: &[
        "disk_layout_in_order",
        "disk_layout_grown",
        "disk_layout_cut_off",
        "disk_layout_past_end",
        "disk_layout_overlap",
        "disk_layout_chain_broken",
        "disk_layout_errors",
        "disk_layout_in_use",
        "disk_layout_backup_damaged",
        "disk_layout_hybrid",
    ],
    remedies: &[
        "make_image_again",
        "check_filesystem",
        "shut_down_first",
        "lay_out_again",
    ],
    judge,
};

/// One thing that is wrong.
struct Trouble {
    status: Status,
    certainty: Certainty,
    reason: &'static str,
    remedy: &'static str,
    params: Vec<(&'static str, String)>,
}

impl Trouble {
    fn new(status: Status, certainty: Certainty, reason: &'static str, remedy: &'static str) -> Self {
        Self {
            status,
            certainty,
            reason,
            remedy,
            params: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.params.push((name, value));
        self
    }
}

fn judge(subject: &Subject) -> Option<Finding> {
    let facts = subject.facts.as_ref().ok()?;
    let Fact::Known(table) = &facts.table else { return None };
    if matches!(&facts.system, Fact::Known(Some(system)) if system.family == "windows") {
        return None;
    }
    let mut troubles = of_volumes(subject, facts);
    troubles.extend(
        table
            .problems
            .iter()
            .filter_map(|problem| of_table(subject, facts, problem)),
    );
    // What bites most first; of the same kind in the order of the table.
    troubles.sort_by_key(|trouble| (trouble.status != Status::Fail, trouble.certainty != Certainty::Certain));
    let grown = table.problems.contains(&TableProblem::BackupNotAtEnd);
    let cut_off = is_told(subject) && reaches_past_end(facts);
    let Some(worst) = troubles.first() else {
        let finding = Finding::advice(RULE.code, Status::Pass, "disk_layout_in_order");
        return (table.kind != TableKind::None && !cut_off).then(|| {
            if grown {
                finding.detail("disk_layout_grown")
            } else {
                finding
            }
        });
    };
    let mut finding = Finding::advice(RULE.code, worst.status, worst.reason)
        .certainty(worst.certainty)
        .remedy(worst.remedy, Vec::new());
    for trouble in &troubles {
        if trouble.reason != worst.reason && !finding.details.iter().any(|detail| detail == trouble.reason) {
            finding = finding.detail(trouble.reason);
        }
        for (name, value) in &trouble.params {
            let known = finding.params.remove(*name);
            let list = known.map_or_else(|| value.clone(), |known| format!("{known}, {value}"));
            finding = finding.param(name, list);
        }
    }
    Some(finding)
}

/// A raw file whose partitions reach beyond its end was cut off: `container_intact` says so.
fn is_told(subject: &Subject) -> bool {
    subject.container.format.as_deref() == Some("raw")
}

fn reaches_past_end(facts: &Facts) -> bool {
    let is_past_end = |problem: &TableProblem| matches!(problem, TableProblem::PastEnd(_));
    matches!(&facts.table, Fact::Known(table) if table.problems.iter().any(is_past_end))
}

fn of_table(subject: &Subject, facts: &Facts, problem: &TableProblem) -> Option<Trouble> {
    let warning = |certainty, reason| Some(Trouble::new(Status::Warning, certainty, reason, "lay_out_again"));
    match problem {
        TableProblem::PastEnd(_) if is_told(subject) => None,
        TableProblem::PastEnd(number) => {
            let status = if is_root(facts, *number) {
                Status::Fail
            } else {
                Status::Warning
            };
            Some(
                Trouble::new(status, Certainty::Certain, "disk_layout_past_end", "make_image_again")
                    .with("beyond", number.to_string()),
            )
        }
        TableProblem::Overlap(one, other) => warning(Certainty::Likely, "disk_layout_overlap")
            .map(|trouble| trouble.with("overlapping", format!("{one} + {other}"))),
        TableProblem::LogicalChainBroken => warning(Certainty::Likely, "disk_layout_chain_broken"),
        // The end of the disk is missing altogether, and with it its last sector.
        TableProblem::BackupDamaged if reaches_past_end(facts) => None,
        TableProblem::BackupDamaged => Some(Trouble::new(
            Status::Warning,
            Certainty::Possible,
            "disk_layout_backup_damaged",
            "make_image_again",
        )),
        TableProblem::Hybrid => warning(Certainty::Possible, "disk_layout_hybrid"),
        TableProblem::BackupNotAtEnd => None,
    }
}

fn of_volumes(subject: &Subject, facts: &Facts) -> Vec<Trouble> {
    let Fact::Known(volumes) = &facts.volumes else {
        return Vec::new();
    };
    volumes
        .iter()
        .flat_map(|volume| of_volume(subject, facts, volume))
        .collect()
}

fn of_volume(subject: &Subject, facts: &Facts, volume: &Volume) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    let place = place(volume);
    let ends_early = match (&facts.table, volume.partition) {
        (Fact::Known(table), Some(number)) => table.problems.contains(&TableProblem::PastEnd(number)),
        _ => false,
    };
    // Where the partition itself reaches beyond the disk, that is told.
    if volume.filesystem_len.is_some_and(|len| len > volume.len) && !(ends_early && is_told(subject)) {
        let status = if is_root_volume(facts, volume) {
            Status::Fail
        } else {
            Status::Warning
        };
        troubles.push(
            Trouble::new(status, Certainty::Certain, "disk_layout_cut_off", "make_image_again")
                .with("cut_off", place.clone()),
        );
    }
    match volume.left {
        Some(Left::WithErrors) => troubles.push(
            Trouble::new(
                Status::Warning,
                Certainty::Likely,
                "disk_layout_errors",
                "check_filesystem",
            )
            .with("erroneous", place),
        ),
        Some(Left::InUse) => troubles.push(
            Trouble::new(
                Status::Warning,
                Certainty::Certain,
                "disk_layout_in_use",
                "shut_down_first",
            )
            .with("in_use", place),
        ),
        Some(Left::Clean) | None => {}
    }
    troubles
}

fn is_root(facts: &Facts, number: u32) -> bool {
    matches!(&facts.root, Fact::Known(Some(root)) if root.partition == Some(number))
}

fn is_root_volume(facts: &Facts, volume: &Volume) -> bool {
    matches!(&facts.root, Fact::Known(Some(root))
        if root.partition == volume.partition && root.layers == volume.layers && root.uuid == volume.uuid)
}

/// Its number, or its name inside a layer; the filesystem's own kind where it has neither.
fn place(volume: &Volume) -> String {
    volume
        .name
        .clone()
        .or_else(|| volume.partition.map(|number| number.to_string()))
        .or_else(|| volume.filesystem.clone())
        .unwrap_or_default()
}
