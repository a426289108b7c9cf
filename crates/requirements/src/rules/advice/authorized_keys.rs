//! Keys that let somebody in: whoever has the private half gets into every VM made from the image.

use lotse_guest::{Evidence, Fact, facts::AuthorizedKeys};

use crate::rules::Rule;
use crate::{Finding, FindingKind, Status, Subject, remedies};

use super::{found::MAX_PLACES, unix};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "authorized_keys",
    kind: FindingKind::Advice,
    sources: &["OpenSSH: sshd(8), AUTHORIZED_KEYS FILE FORMAT"],
    reasons: &["authorized_keys_none", "authorized_keys_found"],
    remedies: &["delete_authorized_keys"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = unix(subject)?;
    // Where the whole system is not read, the requirements say so.
    let Fact::Known(leftovers) = &facts.leftovers else {
        return None;
    };
    let files = match &leftovers.authorized_keys {
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
        Fact::Known(files) => files,
    };
    if files.is_empty() {
        return Some(Finding::advice(RULE.code, Status::Pass, "authorized_keys_none"));
    }
    let mut users: Vec<&str> = files.iter().map(owner).collect();
    users.dedup();
    let count: u64 = files.iter().map(|file| u64::from(file.count)).sum();
    let places: Vec<Evidence> = files
        .iter()
        .take(MAX_PLACES)
        .map(|file| Evidence::path(&file.path))
        .collect();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    Some(
        Finding::advice(RULE.code, Status::Warning, "authorized_keys_found")
            .param("count", count)
            .param("users", users.join(", "))
            .evidence(&places)
            .destructive_remedy("delete_authorized_keys", remedies::delete(&paths)),
    )
}

/// Whom the keys let in; the home directory where no account has it.
fn owner(file: &AuthorizedKeys) -> &str {
    let home = || {
        file.path
            .split_once("/.ssh/")
            .map_or(file.path.as_str(), |(home, _)| home)
    };
    file.user.as_deref().unwrap_or_else(home)
}
