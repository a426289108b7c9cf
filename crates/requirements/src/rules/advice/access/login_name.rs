//! Under which name does the owner log in, and is anybody given the key at all?

use lotse_guest::{
    Evidence, Fact, Facts,
    facts::{Login, Switches},
};

use super::{acting_agent, cloud_init_setting, owner, plain_name, switches};
use crate::rules::{Rule, advice};
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "login_name",
    kind: FindingKind::Advice,
    sources: &["cloud-init: cc_users_groups", "cloud-init: cc_ssh"],
    reasons: &[
        "login_name_user",
        "login_name_user_and_root",
        "login_name_root",
        "login_name_keys_not_set",
        "login_name_keys_not_imported",
        "login_name_no_user",
        "login_name_user_not_made",
        "login_name_root_redirected",
    ],
    remedies: &[
        "set_keys",
        "import_keys",
        "name_default_user",
        "make_user",
        "let_root_in",
    ],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = advice::unix(subject)?;
    let agent = acting_agent(facts)?;
    let login = match &facts.login {
        Fact::Known(login) => login.as_ref()?,
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    let finding = switches(facts).and_then(|switches| nobody(subject, facts, login, switches));
    let finding = finding.unwrap_or_else(|| named(login));
    let finding = if agent.kind == "cloud-init" {
        finding
    } else {
        // It stands in no setting: so these systems have it, and the VM's own settings may say otherwise.
        finding.certainty(Certainty::Likely)
    };
    Some(finding.param("user", login.user.as_deref().unwrap_or("root")))
}

fn named(login: &Login) -> Finding {
    let reason = match (&login.user, login.root) {
        (Some(name), _) if name == "root" => "login_name_root",
        (Some(_), false) => "login_name_user",
        (Some(_), true) => "login_name_user_and_root",
        (None, _) => "login_name_root",
    };
    Finding::advice(RULE.code, Status::Pass, reason).evidence(&login.from)
}

/// Why nobody gets the key, or nobody so that it can be used.
fn nobody(subject: &Subject, facts: &Facts, login: &Login, switches: &Switches) -> Option<Finding> {
    let failed =
        |reason: &str, evidence: &[Evidence]| Finding::advice(RULE.code, Status::Fail, reason).evidence(evidence);
    let drop_in = |decides: Option<&Evidence>, topic: &str, setting: &str| {
        cloud_init_setting(decides, topic, setting).into_iter().collect()
    };
    if !switches.sets_keys.value {
        let from = switches.sets_keys.from.as_slice();
        return Some(failed("login_name_keys_not_set", from).remedy("set_keys", Vec::new()));
    }
    let imports = &switches.imports_keys;
    if !imports.value {
        let commands = drop_in(imports.from.as_ref(), "keys", "allow_public_ssh_keys: true");
        return Some(failed("login_name_keys_not_imported", imports.from.as_slice()).remedy("import_keys", commands));
    }
    let Some(owner) = owner(facts) else {
        let commands = drop_in(login.from.first(), "users", "users: [default]");
        return Some(failed("login_name_no_user", &login.from).remedy("name_default_user", commands));
    };
    // The key is written for the user first and then for root, where it only tells to take the other name.
    let disables = &switches.disable_root;
    if login.user.as_deref() == Some("root") && disables.value {
        let commands = drop_in(disables.from.as_ref(), "root", "disable_root: false");
        let places = [login.from.clone(), disables.from.iter().cloned().collect()].concat();
        return Some(failed("login_name_root_redirected", &places).remedy("let_root_in", commands));
    }
    if owner.is_made() && !switches.makes_users.value {
        let commands = plain_name(owner.name)
            .map(|name| remedies::add_user(subject, name))
            .unwrap_or_default();
        let places = [login.from.clone(), switches.makes_users.from.iter().cloned().collect()].concat();
        return Some(failed("login_name_user_not_made", &places).remedy("make_user", commands));
    }
    None
}
