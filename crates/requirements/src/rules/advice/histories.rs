//! What somebody typed on the old machine, and its logs: both tell of people, addresses, and often of passwords.

use lotse_guest::{Fact, facts::Found};

use crate::rules::Rule;
use crate::{Finding, FindingKind, Status, Subject, remedies};

use super::{found, unix};

/// The old machine's log. Leases and random seeds are taken away with the rest; alone they are not worth a word.
const JOURNAL: &str = "journal";

pub(in crate::rules) const RULE: Rule = Rule {
    code: "histories",
    kind: FindingKind::Advice,
    sources: &["bash(1), HISTORY", "systemd: Building Images Safely"],
    reasons: &["histories_found", "histories_log"],
    remedies: &["erase_histories"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = unix(subject)?;
    // Where the whole system is not read, the requirements say so.
    let Fact::Known(leftovers) = &facts.leftovers else {
        return None;
    };
    let (histories, traces) = match (&leftovers.histories, &leftovers.traces) {
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => {
            return Some(Finding::advice_unknown(RULE.code, unknown));
        }
        (Fact::Known(histories), Fact::Known(traces)) => (histories, traces),
    };
    let has_log = traces.iter().any(|trace| trace.kind == JOURNAL);
    let (reason, told): (_, Vec<&Found>) = if !histories.is_empty() {
        ("histories_found", histories.iter().collect())
    } else if has_log {
        let logs = traces.iter().filter(|trace| trace.kind == JOURNAL);
        ("histories_log", logs.collect())
    } else {
        return None;
    };
    let finding = Finding::advice(RULE.code, Status::Warning, reason);
    Some(found::tell(finding, &told, |kind| kind).remedy("erase_histories", commands(histories, traces, has_log)))
}

/// First of all the shell must not write its history anew when it is left.
fn commands(histories: &[Found], traces: &[Found], has_log: bool) -> Vec<String> {
    let typed: Vec<&str> = histories.iter().map(|found| found.path.as_str()).collect();
    let traces: Vec<&str> = traces
        .iter()
        .filter(|trace| trace.kind != JOURNAL)
        .map(|trace| trace.path.as_str())
        .collect();
    let mut commands = remedies::erase(&typed);
    if !commands.is_empty() {
        commands.insert(0, "unset HISTFILE".to_owned());
    }
    commands.extend(remedies::delete(&traces));
    if has_log {
        commands.push("find /var/log/journal -type f -exec shred -u {} +".to_owned());
    }
    commands
}
