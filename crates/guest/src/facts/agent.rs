//! The program that configures a VM at its first start, and where it looks for its data.

use serde::{Deserialize, Serialize};

use super::{Evidence, Fact, Interface};

/// The program that configures a VM at its first start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// `cloud-init`, `ignition`, `coreos-cloudinit`, `cloudbase-init`, `bsd-cloudinit`, `nuageinit`.
    pub kind: String,
    /// The package's full version, or the program's own.
    pub version: Fact<String>,
    /// Is the version at least 0.7.7 by the rules of the package's family? Only asked of cloud-init.
    pub recent_enough: Fact<bool>,
    /// Does it run at boot?
    pub enabled: Fact<bool>,
    /// Why it does not run at boot, as a code: `disabled_file` (cloud-init.disabled), `masked`, `identify_policy`
    /// (ds-identify.cfg), `no_start_link`, `command_line`, `first_boot_over` (Ignition, nuageinit); `None` when it does.
    pub disabled_because: Option<String>,
    /// Where this was read, first what decides `enabled`.
    pub evidence: Vec<Evidence>,
    /// Others that are there too and do not act as long as this one does.
    pub others: Vec<OtherAgent>,
}

/// A further program of the same purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherAgent {
    /// As [`Agent::kind`], also `afterburn`, `tiny-cloud`, `cirros-init`, `waagent`, `google-guest-agent`.
    pub kind: String,
    /// What shows that it is there.
    pub evidence: Evidence,
}

/// cloud-init's list of datasources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datasources {
    /// As cloud-init itself (Python) reads it, in the order in which they are tried. Empty where a setting names none
    /// that cloud-init could find.
    pub list: Vec<String>,
    /// The place that decided first (the built-in list of `settings.py` if no file names one), then those overruled.
    pub from: Vec<Evidence>,
    /// True when no configuration names a list and cloud-init's own default holds.
    pub built_in: bool,
    /// As ds-identify reads the same files; `None` where it is not started before cloud-init.
    pub identify: Fact<Option<Identify>>,
    /// What will happen on a VM with a config drive.
    pub expected: Fact<Expected>,
}

/// ds-identify: the script that decides before every boot whether cloud-init runs, and with which datasources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identify {
    /// The script.
    pub program: Evidence,
    /// `search` (the default), `report`, `enabled` or `disabled`.
    pub mode: String,
    /// What sets the policy or the datasource, the strongest first: `ds-identify.cfg`, the kernel's command line.
    pub policy: Vec<Evidence>,
    /// The one datasource that is taken without a search.
    pub datasource: Option<String>,
    /// The list that it looks through.
    pub list: Vec<String>,
    /// Where it read the list; empty for its own default.
    pub from: Vec<Evidence>,
    /// True when it finds no list, for example because one is written over several lines, and its own default holds.
    pub built_in: bool,
    /// The list that it hands to cloud-init on a VM with a config drive; `None` when it leaves cloud-init its own.
    pub writes: Option<Vec<String>>,
    /// False when it keeps cloud-init from running on such a VM.
    pub runs_cloud_init: bool,
}

/// What cloud-init will do on a VM with a config drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The datasource that it will take its settings from; `None` for none.
    pub source: Option<String>,
    /// Why, as a code: `config_drive` (the config drive is read), `seed_on_disk` (settings on the image itself come
    /// first), `cached` (those of the machine that the image was made of are kept), `identify_disables` (ds-identify keeps
    /// cloud-init from running), `config_drive_not_listed`.
    pub because: String,
    /// Whose list decides: `python`, `identify` or `command_line`.
    pub wins: String,
    /// The list that is tried.
    pub list: Vec<String>,
    /// What decides besides the list, such as the seed.
    pub evidence: Vec<Evidence>,
}

/// A setting and where it was read; without a place it is cloud-init's own default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting<T> {
    /// What holds.
    pub value: T,
    /// Where it is set.
    pub from: Option<Evidence>,
}

/// What cloud-init is told to do besides looking for its datasource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudInit {
    /// Files of settings that it skips because they are no valid YAML.
    pub skipped: Vec<Evidence>,
    /// What an earlier first start left behind.
    pub instance: Fact<Option<Instance>>,
    /// Settings below `/var/lib/cloud/seed` and disks labelled `cidata`: they come before a config drive wherever
    /// NoCloud does.
    pub seeds: Fact<Vec<Evidence>>,
    /// True when cloud-init leaves the network alone (`network: {config: disabled}`).
    pub network_disabled: Fact<Setting<bool>>,
    /// Network settings that stand in its own files, as installers leave them: they win over what the new VM is told.
    /// `None` when there are none.
    pub network_settings: Fact<Option<Vec<Interface>>>,
    /// The switches below, as far as a template does not decide them at boot.
    pub switches: Fact<Switches>,
}

/// What cloud-init remembers of the machine that the image was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// `/var/lib/cloud/instance`, with its target.
    pub link: Evidence,
    /// The instance's id, the last part of the target.
    pub id: Option<String>,
    /// The datasource that was used, without its details.
    pub datasource: Option<String>,
    /// True when the cached datasource is kept on the new VM (`manual_cache_clean`).
    pub kept: bool,
    /// What says so.
    pub kept_evidence: Vec<Evidence>,
}

/// Switches of cloud-init that matter on a new VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// The host name is not set.
    pub preserve_hostname: Setting<bool>,
    /// `false`, `true`, `localhost` or `template`.
    pub manage_etc_hosts: Setting<String>,
    /// Host keys of the image are replaced.
    pub ssh_deletekeys: Setting<bool>,
    /// root's keys only tell to use another name.
    pub disable_root: Setting<bool>,
    /// Is a login by password allowed? `None`: left as sshd has it.
    pub ssh_pwauth: Setting<Option<bool>>,
    /// The root partition grows with the disk (module `growpart`, mode not `off`).
    pub grows_partition: Setting<bool>,
    /// The root filesystem grows with its partition (module `resizefs`, `resize_rootfs` not false).
    pub grows_filesystem: Setting<bool>,
    /// Users are made (module `users-groups`).
    pub makes_users: Setting<bool>,
    /// Keys are put in place (module `ssh`).
    pub sets_keys: Setting<bool>,
    /// The VM's keys are among them (`allow_public_ssh_keys`).
    pub imports_keys: Setting<bool>,
}

/// The name to log in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The user that the VM's SSH key is given to; `None` when it is given to nobody but root.
    pub user: Option<String>,
    /// Does root get the key so that it can be used?
    pub root: bool,
    /// Where the name was read, the strongest first; empty for the program's own default.
    pub from: Vec<Evidence>,
    /// The account of that name as it is on the disk, root's where only root gets the key; `None` when it will be made.
    pub account: Fact<Option<Account>>,
    /// Its groups once the VM has started; `None` where that is not known.
    pub groups: Option<Vec<String>>,
    /// Its login shell; `None` where neither the account nor the settings name one.
    pub shell: Option<Shell>,
    /// Does its password's field begin with `!` once the VM has started? A server without PAM takes that for a locked
    /// account. `None` where it is not known.
    pub locked: Option<bool>,
    /// `/etc/nologin`: while it is there, only root may log in (nologin(5)).
    pub barred: Option<Evidence>,
}

/// A login shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shell {
    /// As it is named.
    pub path: String,
    /// Is there a program that may be executed? sshd refuses whoever has none. `None` where the disk does not tell: on
    /// another filesystem, made at boot, or nothing but a part of a system.
    pub there: Option<bool>,
    /// Where it is named.
    pub from: Evidence,
}

/// An account on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The account's line in `passwd`.
    pub from: Evidence,
    /// User number.
    pub uid: u32,
    /// Its login shell; empty for `/bin/sh`.
    pub shell: String,
    /// Number of its own group.
    pub gid: u32,
    /// `none`, `locked`, `set` or `empty`; never the password itself.
    pub password: String,
    /// Does the password's field begin with `!`?
    pub locked: bool,
    /// The password must be changed at the next login: its last change is day 0 (shadow(5)).
    pub must_change: bool,
    /// The first of home directory, `.ssh` and `authorized_keys` that everybody may write. With `StrictModes`, sshd takes no
    /// key from there.
    pub open_to_others: Option<Evidence>,
    /// Day on which it expires, counted from 1970-01-01; `None` for never.
    pub expires: Option<u32>,
}

/// What Ignition will do on a VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignition {
    /// Where it looks for its settings, such as `openstack` or `metal`; `None` where nothing on the disk says.
    pub platform: Option<String>,
    /// What says so.
    pub from: Option<Evidence>,
}
