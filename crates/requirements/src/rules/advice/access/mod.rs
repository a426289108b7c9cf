//! Is the VM reachable, and does it let its owner in? Who that is and how single settings are changed stands here.

pub(in crate::rules) mod firewall;
pub(in crate::rules) mod host_keys;
pub(in crate::rules) mod login_account;
pub(in crate::rules) mod login_name;
pub(in crate::rules) mod ssh_key_login;
pub(in crate::rules) mod ssh_port;
pub(in crate::rules) mod sshd_configuration;

use lotse_guest::{
    Evidence, Fact, Facts,
    facts::{Agent, Login, Sshd, Switches},
};

/// Who gets the VM's SSH key.
#[derive(Debug, Clone, Copy)]
struct Owner<'f> {
    login: &'f Login,
    /// The name to log in with.
    name: &'f str,
}

impl Owner<'_> {
    fn is_root(self) -> bool {
        self.name == "root"
    }

    /// Will the account be made, because there is none?
    fn is_made(self) -> bool {
        self.login.account == Fact::Known(None)
    }
}

/// Who gets the key, as far as that is known and somebody does.
fn owner(facts: &Facts) -> Option<Owner<'_>> {
    let Fact::Known(Some(login)) = &facts.login else {
        return None;
    };
    let name = login.user.as_deref().or(login.root.then_some("root"))?;
    Some(Owner { login, name })
}

/// The program that sets the VM up, unless it certainly does not run.
fn acting_agent(facts: &Facts) -> Option<&Agent> {
    match &facts.agent {
        Fact::Known(Some(agent)) if agent.enabled != Fact::Known(false) => Some(agent),
        _ => None,
    }
}

/// cloud-init's switches, where it acts and they are known.
fn switches(facts: &Facts) -> Option<&Switches> {
    acting_agent(facts).filter(|agent| agent.kind == "cloud-init")?;
    match &facts.cloud_init {
        Fact::Known(Some(cloud_init)) => match &cloud_init.switches {
            Fact::Known(switches) => Some(switches),
            Fact::Unknown(_) => None,
        },
        _ => None,
    }
}

/// The SSH server, if one is there.
fn server(facts: &Facts) -> Option<&Sshd> {
    match &facts.sshd {
        Fact::Known(sshd) if sshd.installed == Fact::Known(true) => Some(sshd),
        _ => None,
    }
}

/// A path of the image that needs no quoting in a command.
fn plain_path(evidence: &Evidence) -> Option<&str> {
    let path = evidence.path.as_deref()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    (path.starts_with('/') && path.bytes().all(plain)).then_some(path)
}

/// A user's name that needs no quoting in a command.
fn plain_name(name: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let begins = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (begins && name.bytes().all(plain)).then_some(name)
}

/// Changes to single lines of `sshd_config`, in place: line numbers and with them other commands stay right, and a line
/// that is another one by now is left alone.
mod line {
    use lotse_guest::Evidence;

    /// The line, if it is certain to be the keyword's and its path needs no quoting.
    fn address<'e>(evidence: &'e Evidence, keyword: &str) -> Option<(u32, &'e str)> {
        let written = evidence.value.as_deref()?.split([' ', '=', '\t']).next()?;
        if !written.eq_ignore_ascii_case(keyword) {
            return None;
        }
        Some((evidence.line?, super::plain_path(evidence)?))
    }

    /// Sets a keyword's line to other values.
    pub(super) fn set(evidence: &Evidence, keyword: &str, values: &str) -> Option<String> {
        let (number, path) = address(evidence, keyword)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" ./%_-".contains(&byte);
        values
            .bytes()
            .all(plain)
            .then(|| format!(r"sed -i '{number}s|^[[:space:]]*{keyword}[[:space:]=].*|{keyword} {values}|I' {path}"))
    }

    /// Puts one more value before those of a keyword's line.
    pub(super) fn add(evidence: &Evidence, keyword: &str, value: &str) -> Option<String> {
        let (number, path) = address(evidence, keyword)?;
        let value = super::plain_name(value)?;
        Some(format!(
            r"sed -i '{number}s|^[[:space:]]*{keyword}[[:space:]=]*|&{value} |I' {path}"
        ))
    }

    /// Makes a comment of a line.
    pub(super) fn comment_out(evidence: &Evidence) -> Option<String> {
        let (number, path) = (evidence.line?, super::plain_path(evidence)?);
        Some(format!("sed -i '{number}s|^[^#]|#&|' {path}"))
    }
}

/// A drop-in with a setting for cloud-init, `99-ccloud-<topic>.cfg`, that comes after the file that decides now; `None`
/// where no name is certain to.
fn cloud_init_setting(decides: Option<&Evidence>, topic: &str, setting: &str) -> Option<String> {
    const FOLDER: &str = "/etc/cloud/cloud.cfg.d/";
    let now = decides
        .and_then(|evidence| evidence.path.as_deref())
        .and_then(|path| path.strip_prefix(FOLDER))
        .unwrap_or_default();
    let name = ["99", "zz"]
        .map(|rank| format!("{rank}-ccloud-{topic}.cfg"))
        .into_iter()
        .find(|name| name.as_str() >= now)?;
    Some(format!("echo '{setting}' > {FOLDER}{name}"))
}
