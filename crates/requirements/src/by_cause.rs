//! Findings that nothing is known of for one and the same reason, put together so that a person reads it once.

use crate::{Finding, SHARED_REASONS, Status};

/// The findings in their order, each alone or together with those that are unknown for the very same cause, at the place of
/// the first of them. The report itself keeps one finding per rule; this is for showing it.
pub fn by_cause<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<Vec<&'a Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        let same = |group: &&mut Vec<&Finding>| group.first().is_some_and(|first| have_one_cause(first, finding));
        match groups.iter_mut().find(same) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

fn have_one_cause(one: &Finding, other: &Finding) -> bool {
    let is_shared = one.status == Status::Unknown && SHARED_REASONS.contains(&one.reason.as_str());
    is_shared && other.status == Status::Unknown && one.reason == other.reason && one.params == other.params
}
