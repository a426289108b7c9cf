//! A raw image needs an MBR or GPT partition table; the other containers do not.

use lotse_guest::{Fact, facts::TableKind};

use crate::rules::{CCLOUD, Rule};
use crate::{Finding, FindingKind, Status, Subject, judge::table_name, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "partition_table",
    kind: FindingKind::Requirement,
    sources: &[CCLOUD],
    reasons: &[
        "partition_table_present",
        "partition_table_from_backup",
        "partition_table_not_required",
        "partition_table_missing",
        "partition_table_format_unknown",
    ],
    remedies: &["repair_gpt", "convert_without_table"],
    judge: |subject| Some(judge(subject)),
};

fn judge(subject: &Subject) -> Finding {
    let table = match &subject.facts {
        Err(problem) => return Finding::not_read(RULE.code, problem),
        Ok(facts) => match &facts.table {
            Fact::Unknown(unknown) => return Finding::fact_unknown(RULE.code, unknown),
            Fact::Known(table) => table,
        },
    };
    let found = |status, reason| Finding::requirement(RULE.code, status, reason);
    let finding = match (table.kind, subject.container.format.as_deref()) {
        (TableKind::Gpt, _) if table.from_backup => {
            found(Status::Warning, "partition_table_from_backup").file_remedy("repair_gpt", Vec::new())
        }
        (TableKind::Gpt | TableKind::Mbr, _) => found(Status::Pass, "partition_table_present"),
        (TableKind::None, Some("raw")) => found(Status::Fail, "partition_table_missing").file_remedy(
            "convert_without_table",
            remedies::convert_to_qcow2(&subject.source.name, "raw"),
        ),
        (TableKind::None, Some(format)) => found(Status::Pass, "partition_table_not_required").param("format", format),
        (TableKind::None, None) => found(Status::Unknown, "partition_table_format_unknown"),
    };
    finding.param("table", table_name(table.kind))
}
