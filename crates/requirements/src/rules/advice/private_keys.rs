//! Private keys would be uploaded with the image, and every VM made from it would have them.

use lotse_guest::{Fact, facts::Found};

use crate::rules::Rule;
use crate::{Finding, FindingKind, Status, Subject, remedies};

use super::{found, unix};

/// What Debian's package ssl-cert makes for trying things out: nobody trusts it, so that nobody is deceived with it.
const SNAKEOIL: &str = "snakeoil_key";

/// What a passphrase protects.
const ENCRYPTED: &str = "_encrypted";

pub(in crate::rules) const RULE: Rule = Rule {
    code: "private_keys",
    kind: FindingKind::Advice,
    sources: &["RFC 7468", "OpenSSH: PROTOCOL.key"],
    reasons: &["private_keys_none", "private_keys_found", "private_keys_encrypted"],
    remedies: &["erase_private_keys"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = unix(subject)?;
    // Where the whole system is not read, the requirements say so.
    let Fact::Known(leftovers) = &facts.leftovers else {
        return None;
    };
    let keys = match &leftovers.private_keys {
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
        Fact::Known(keys) => keys,
    };
    // Those that anybody can use stand first.
    let (encrypted, mut all): (Vec<&Found>, Vec<&Found>) = keys
        .iter()
        .filter(|key| key.kind != SNAKEOIL)
        .partition(|key| key.kind.ends_with(ENCRYPTED));
    let reason = match (all.is_empty(), encrypted.is_empty()) {
        (true, true) => return Some(Finding::advice(RULE.code, Status::Pass, "private_keys_none")),
        (true, false) => "private_keys_encrypted",
        (false, _) => "private_keys_found",
    };
    all.extend(encrypted);
    let finding = Finding::advice(RULE.code, Status::Warning, reason);
    Some(
        found::tell(finding, &all, name)
            .destructive_remedy("erase_private_keys", remedies::erase(&found::in_homes(&all))),
    )
}

/// The format of a key as its users call it.
fn name(kind: &str) -> &str {
    match kind.strip_suffix(ENCRYPTED).unwrap_or(kind) {
        "ssh_key" => "SSH",
        "private_key" => "PEM",
        "pgp_key" => "OpenPGP",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use lotse_guest::facts::Leftovers;

    use super::*;

    #[test]
    fn every_kind_has_a_name_that_people_know() {
        for kind in Leftovers::PRIVATE_KEYS.iter().filter(|kind| **kind != SNAKEOIL) {
            assert_ne!(name(kind), *kind);
        }
    }
}
