//! cloud-init may switch on at every new VM what ccloud³ keeps off: logging in with a password.

use lotse_guest::Fact;

use super::cloud_init;
use crate::rules::{CCLOUD, Rule};
use crate::{Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "cloud_init_password_login",
    kind: FindingKind::Advice,
    sources: &[CCLOUD, "cloud-init: Set Passwords"],
    reasons: &["cloud_init_password_login_on"],
    remedies: &["keep_password_login_off", "edit_setting"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (_, cloud_init) = cloud_init(subject)?;
    // That the switches are not known is told by the rules on logging in.
    let Fact::Known(switches) = &cloud_init.switches else {
        return None;
    };
    let setting = &switches.ssh_pwauth;
    if setting.value != Some(true) {
        return None;
    }
    let decider: Vec<_> = setting.from.iter().cloned().collect();
    let path = setting.from.as_ref().and_then(|from| from.path.as_deref());
    Some(remedies::cloud_init::set(
        subject,
        Finding::advice(RULE.code, Status::Warning, "cloud_init_password_login_on").evidence(&decider),
        path,
        ("keep_password_login_off", "ssh_pwauth: false", "ccloud-ssh.cfg"),
    ))
}
