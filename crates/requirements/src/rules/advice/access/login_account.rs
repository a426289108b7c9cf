//! Does the account itself let its owner in: a shell, not expired, not locked?

use lotse_guest::{
    Evidence, Fact, Facts,
    facts::{Account, SshdConfig},
};

use super::{Owner, acting_agent, cloud_init_setting, line, owner, plain_name, plain_path, server, switches};
use crate::rules::{Rule, advice};
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

/// Shells that end at once.
const CLOSED_SHELLS: &[&str] = &["nologin", "false", "true", "sync", "halt", "shutdown", "poweroff"];

pub(in crate::rules) const RULE: Rule = Rule {
    code: "login_account",
    kind: FindingKind::Advice,
    sources: &[
        "OpenSSH: sshd(8), LOGIN PROCESS",
        "shadow: shadow(5)",
        "Linux-PAM: pam_nologin(8)",
    ],
    reasons: &[
        "login_account_no_shell",
        "login_account_closed_shell",
        "login_account_locked",
        "login_account_expired",
        "login_account_expires",
        "login_account_must_change",
        "login_account_only_root",
    ],
    remedies: &["mend_account"],
    judge,
};

/// One thing that keeps the account's owner out.
struct Cause {
    reason: &'static str,
    status: Status,
    evidence: Vec<Evidence>,
    command: Option<String>,
}

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, system) = advice::unix(subject)?;
    acting_agent(facts)?;
    let sshd = server(facts)?;
    let owner = owner(facts)?;
    let account = match &owner.login.account {
        Fact::Known(account) => account.as_ref(),
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    let config = match &sshd.config {
        Fact::Known(config) => config.as_ref(),
        Fact::Unknown(_) => None,
    };
    let mut causes: Vec<Cause> = Vec::new();
    causes.extend(shell(facts, owner));
    if system.family == "linux" {
        causes.extend(config.and_then(|config| locked(subject, facts, owner, config)));
    }
    causes.extend(account.and_then(|account| expiry(owner, account)));
    causes.extend(account.and_then(|account| must_change(owner, account, config)));
    causes.extend(only_root(owner));
    let first = causes.first()?;
    let status = if causes.iter().any(|cause| cause.status == Status::Fail) {
        Status::Fail
    } else {
        Status::Warning
    };
    let mut finding = Finding::advice(RULE.code, status, first.reason).certainty(Certainty::Likely);
    for cause in causes.iter().skip(1) {
        finding = finding.detail(cause.reason);
    }
    for place in causes.iter().flat_map(|cause| &cause.evidence) {
        if !finding.evidence.contains(place) {
            finding = finding.evidence(std::slice::from_ref(place));
        }
    }
    let commands = causes.iter().filter_map(|cause| cause.command.clone()).collect();
    let shell = owner.login.shell.as_ref().map_or("", |shell| shell.path.as_str());
    let expires = account
        .and_then(|account| account.expires)
        .map(date)
        .unwrap_or_default();
    Some(
        finding
            .param("user", owner.name)
            .param("shell", shell)
            .param("date", expires)
            .remedy("mend_account", commands),
    )
}

/// sshd refuses whoever has no shell that can be run, and ends at once with one that does nothing.
fn shell(facts: &Facts, owner: Owner<'_>) -> Option<Cause> {
    let shell = owner.login.shell.as_ref()?;
    let name = shell.path.rsplit('/').next().unwrap_or_default();
    let reason = if CLOSED_SHELLS.contains(&name) {
        "login_account_closed_shell"
    } else if shell.there == Some(false) {
        "login_account_no_shell"
    } else {
        return None;
    };
    let command = if owner.is_made() {
        switches(facts).and_then(|_| {
            cloud_init_setting(
                Some(&shell.from),
                "shell",
                "system_info: {default_user: {shell: /bin/sh}}",
            )
        })
    } else {
        // Exact for every system: field 7 of passwd(5), by the name of the account.
        plain_name(owner.name)
            .zip(plain_path(&shell.from))
            .map(|(user, path)| format!(r"sed -i 's|^\({user}:.*:\)[^:]*$|\1/bin/sh|' {path}"))
    };
    Some(Cause {
        reason,
        status: Status::Fail,
        evidence: vec![shell.from.clone()],
        command,
    })
}

/// Without PAM, OpenSSH on Linux refuses a key too where the password's field begins with `!` (auth.c, `allowed_user`;
/// configure.ac, `LOCKED_PASSWD_PREFIX`), and so cloud-init leaves every user whom it makes (`lock_passwd`).
fn locked(subject: &Subject, facts: &Facts, owner: Owner<'_>, config: &SshdConfig) -> Option<Cause> {
    if config.use_pam.value || owner.login.locked != Some(true) {
        return None;
    }
    let is_alpine = remedies::is_alpine(subject);
    let command = if is_alpine {
        // Alpine's own sshd is built without PAM.
        switches(facts).and_then(|_| {
            let setting = "system_info: {default_user: {lock_passwd: false, hashed_passwd: \"*\"}}";
            cloud_init_setting(None, "password", setting)
        })
    } else {
        match config.use_pam.evidence.first() {
            Some(place) => line::set(place, "UsePAM", "yes"),
            None => Some(
                "grep -qi '^[[:space:]]*UsePAM' /etc/ssh/sshd_config || sed -i '1i UsePAM yes' /etc/ssh/sshd_config"
                    .to_owned(),
            ),
        }
    };
    let account = match &owner.login.account {
        Fact::Known(Some(account)) => Some(account.from.clone()),
        _ => None,
    };
    let places = config.use_pam.evidence.iter().cloned();
    Some(Cause {
        reason: "login_account_locked",
        status: Status::Fail,
        evidence: places.chain(account).chain(owner.login.from.first().cloned()).collect(),
        command,
    })
}

/// From that day on nobody logs in (shadow(5), field 8; 0 and 1 are how an account is switched off).
fn expiry(owner: Owner<'_>, account: &Account) -> Option<Cause> {
    const SWITCHED_OFF: u32 = 1;
    let day = account.expires?;
    let off = day <= SWITCHED_OFF;
    Some(Cause {
        reason: if off {
            "login_account_expired"
        } else {
            "login_account_expires"
        },
        status: if off { Status::Fail } else { Status::Warning },
        evidence: vec![account.from.clone()],
        command: plain_name(owner.name).map(|user| format!("usermod --expiredate '' {user}")),
    })
}

/// PAM asks for a new password at once, and for the old one before that, which nobody has.
fn must_change(owner: Owner<'_>, account: &Account, config: Option<&SshdConfig>) -> Option<Cause> {
    let asks = account.must_change && config.is_some_and(|config| config.use_pam.value);
    asks.then(|| Cause {
        reason: "login_account_must_change",
        status: Status::Fail,
        evidence: vec![account.from.clone()],
        command: plain_name(owner.name).map(|user| format!("chage --lastday -1 {user}")),
    })
}

fn only_root(owner: Owner<'_>) -> Option<Cause> {
    let place = owner.login.barred.as_ref().filter(|_| !owner.is_root())?;
    Some(Cause {
        reason: "login_account_only_root",
        status: Status::Fail,
        evidence: vec![place.clone()],
        command: plain_path(place).map(|path| format!("rm -f {path}")),
    })
}

/// A day counted from 1970-01-01 as `2026-11-22` (proleptic Gregorian calendar; H. Hinnant, "chrono-compatible low-level
/// date algorithms").
fn date(day: u32) -> String {
    let shifted = u64::from(day) + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
