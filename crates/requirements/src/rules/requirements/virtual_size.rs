//! ccloud³ takes at most 100 GB, counted uncompressed: the size of the disk that a VM sees.

use crate::rules::{CCLOUD, Rule};
use crate::{Finding, FindingKind, Status, Subject};

/// 100 GB as ccloud³ counts, in bytes: decimal, 7.4 % less than 100 GiB.
const LIMIT: u64 = 100_000_000_000;

const GB: u64 = 1_000_000_000;
const GIB: u64 = 1 << 30;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "virtual_size",
    kind: FindingKind::Requirement,
    sources: &[CCLOUD],
    reasons: &[
        "virtual_size_within_limit",
        "virtual_size_too_big",
        "virtual_size_unknown",
    ],
    remedies: &["shrink_disk"],
    judge: |subject| Some(judge(subject)),
};

fn judge(subject: &Subject) -> Finding {
    let Some(size) = subject.container.virtual_size.or_else(|| refused_size(subject)) else {
        return match &subject.facts {
            Err(problem) => Finding::not_read(RULE.code, problem),
            Ok(_) => Finding::requirement(RULE.code, Status::Unknown, "virtual_size_unknown"),
        };
    };
    let (finding, tenths): (_, fn(u64, u64) -> String) = if size <= LIMIT {
        (
            Finding::requirement(RULE.code, Status::Pass, "virtual_size_within_limit"),
            nearest_tenth,
        )
    } else {
        // Rounded up, so that one byte too many does not read "100.0 GB, the limit is 100 GB".
        let finding = Finding::requirement(RULE.code, Status::Fail, "virtual_size_too_big");
        (finding.remedy("shrink_disk", Vec::new()), next_tenth)
    };
    finding
        .param("bytes", size)
        .param("gb", tenths(size, GB))
        .param("gib", tenths(size, GIB))
        .param("limit_bytes", LIMIT)
        .param("limit_gb", "100")
        .param("limit_gib", nearest_tenth(LIMIT, GIB))
}

/// The size that the container's reader refused to believe; it is what a VM would be given all the same.
fn refused_size(subject: &Subject) -> Option<u64> {
    let problem = subject
        .facts
        .as_ref()
        .err()
        .filter(|problem| problem.code == "virtual_size_too_large")?;
    problem.params.get("size")?.parse().ok()
}

fn nearest_tenth(size: u64, unit: u64) -> String {
    format_tenths((u128::from(size) * 10 + u128::from(unit) / 2) / u128::from(unit))
}

fn next_tenth(size: u64, unit: u64) -> String {
    format_tenths((u128::from(size) * 10).div_ceil(u128::from(unit)))
}

fn format_tenths(tenths: u128) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_both_units() {
        assert_eq!(
            (nearest_tenth(LIMIT, GB), nearest_tenth(LIMIT, GIB)),
            ("100.0".to_owned(), "93.1".to_owned())
        );
        assert_eq!(
            next_tenth(LIMIT + 1, GB),
            "100.1",
            "a byte above the limit must not look like the limit"
        );
        assert_eq!(
            next_tenth(u64::MAX, GB),
            "18446744073.8",
            "the largest size there is does not overflow"
        );
        assert_eq!(nearest_tenth(0, GIB), "0.0");
    }
}
