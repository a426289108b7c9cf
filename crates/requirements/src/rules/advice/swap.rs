//! Swap space in the image: what the old machine had in memory may still stand in it, and all of it is uploaded.

use lotse_guest::{Evidence, Fact, facts::Swap};

use crate::rules::Rule;
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

use super::unix;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "swap",
    kind: FindingKind::Advice,
    sources: &["mkswap(8)", "swapon(8)"],
    reasons: &["swap_file", "swap_partition"],
    remedies: &["empty_swap_file", "empty_swap_partition"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = unix(subject)?;
    let Fact::Known(space) = &facts.space else {
        return None;
    };
    let swap: Vec<&Swap> = match &space.swap {
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
        // A file that fstab names and that is not there yet holds nothing.
        Fact::Known(swap) => swap.iter().filter(|swap| swap.len.unwrap_or_default() > 0).collect(),
    };
    let first = swap.first()?;
    let size: u64 = swap.iter().filter_map(|swap| swap.len).fold(0, u64::saturating_add);
    let places: Vec<Evidence> = swap.iter().filter_map(|swap| swap.evidence.clone()).collect();
    let found = |reason| {
        Finding::advice(RULE.code, Status::Warning, reason)
            .certainty(Certainty::Possible)
            .param("mib", size.div_ceil(1 << 20))
            .evidence(&places)
    };
    Some(if swap.iter().all(|swap| swap.is_file) {
        found("swap_file").remedy("empty_swap_file", empty_files(&swap))
    } else {
        let partition = swap.iter().find(|swap| !swap.is_file).unwrap_or(first);
        found("swap_partition")
            .param(
                "partition",
                partition.partition.map_or(String::new(), |number| number.to_string()),
            )
            .remedy("empty_swap_partition", Vec::new())
    })
}

/// Overwrites the files with zeros, which take no room in a packed image, and makes them swap space again.
fn empty_files(swap: &[&Swap]) -> Vec<String> {
    let path = |swap: &&Swap| {
        let line = swap.evidence.as_ref()?.value.as_deref()?;
        remedies::path_word(line.split_whitespace().next()?)
    };
    let paths: Option<Vec<String>> = swap.iter().map(path).collect();
    paths
        .unwrap_or_default()
        .iter()
        .flat_map(|path| {
            [
                "swapoff -a".to_owned(),
                format!("[ ! -e {path} ] || {{ shred -n 0 -z {path} && mkswap {path}; }}"),
            ]
        })
        .collect()
}
