//! ds-identify: the shell script that decides before every boot whether cloud-init runs, and with which datasources. It
//! reads the same files as cloud-init in a way of its own, which its own text on the disk tells.

use super::{
    SETTINGS_LIMIT,
    command_line::CommandLine,
    config::{LIST, names},
    shell::{read_lines, trim, unquote, without_comment, yaml_array},
};
use crate::{
    Evidence, FileKind, Unknown,
    facts::Identify,
    files::{Files, Read},
    services::{self, Init, Start},
    yaml::{self, Parsed},
};

/// Where distributions put the script.
const PROGRAMS: &[&str] = &[
    "/usr/lib/cloud-init/ds-identify",
    "/usr/libexec/cloud-init/ds-identify",
    "/usr/local/lib/cloud-init/ds-identify",
    "/usr/local/libexec/cloud-init/ds-identify",
];

/// Start scripts of OpenRC that run it.
const SCRIPTS: &[&str] = &["cloud-init-ds-identify", "ds-identify"];

/// The script that FreeBSD's rc runs it by.
const BSD_SCRIPT: &str = "/usr/local/etc/rc.d/dsidentify";

/// Most drop-ins that are read, as for cloud-init itself.
const MAX_DROP_INS: usize = super::config::MAX_DROP_INS;

/// Most datasources of one list.
const MAX_SOURCES: usize = 1000;

/// Everything that ds-identify looks at and the disk tells.
pub(super) struct Place<'a, 'f> {
    pub(super) files: &'a Files<'f>,
    /// cloud-init's folder of settings, `/etc/cloud`.
    pub(super) etc: &'a str,
    pub(super) command_line: Option<&'a CommandLine>,
    /// Labels of the disk's filesystems.
    pub(super) labels: &'a [String],
}

/// What the script on the disk does, as its own text tells; releases differ.
struct Script {
    text: String,
    /// Looks for keys with grep (since 23.1) instead of line by line.
    greps: bool,
    /// The list that it looks through where none is configured.
    default_list: Vec<String>,
    /// The policy that holds where none is configured.
    default_policy: Policy,
}

/// `policy` of ds-identify.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Policy {
    mode: String,
    found: String,
    maybe: String,
    not_found: String,
}

/// A key that was found in the settings, with its value as the script takes it.
struct Setting {
    value: String,
    path: String,
    line: u32,
}

/// What a check of a datasource says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Found,
    NotFound,
    Maybe,
}

/// What ds-identify reads and what it will say on a VM with a config drive; `None` where it is not there.
pub(super) fn read(place: &Place<'_, '_>) -> Read<Option<Identify>> {
    let Some(program) = place.files.first_file(PROGRAMS)? else {
        return Ok(None);
    };
    let text = place.files.read_text(program, SETTINGS_LIMIT)?.unwrap_or_default();
    let script = Script::new(text).ok_or_else(|| Unknown::new("config_not_read").with("path", program))?;
    let settings = Settings::read(place)?;
    let run = Run {
        place,
        script: &script,
        settings: &settings,
    };
    run.identify(program).map(Some)
}

/// Does something start ds-identify: systemd's generator, OpenRC's or FreeBSD's script of its own?
pub(super) fn is_started(files: &Files<'_>) -> Read<bool> {
    if files.first_file(PROGRAMS)?.is_none() {
        return Ok(false);
    }
    match services::init(files)? {
        Init::Systemd => Ok(super::generator(files)?.is_some()),
        // FreeBSD's script asks for cloud-init's own switch (`rcvar="cloudinit_enable"`).
        Init::BsdRc => {
            let start = services::start(files, Init::BsdRc, &[], &["cloudinit"])?;
            Ok(matches!(start, Start::Yes(..)) && files.stat(BSD_SCRIPT)?.is_some())
        }
        init => {
            let start = services::start(files, init, &[], SCRIPTS)?;
            Ok(matches!(start, Start::Yes(..)))
        }
    }
}

/// Its mode alone, and where that was set.
pub(super) fn mode(files: &Files<'_>, around: &super::Around<'_>) -> Read<Option<(String, Option<Evidence>)>> {
    let Some(program) = files.first_file(PROGRAMS)? else {
        return Ok(None);
    };
    let text = files.read_text(program, SETTINGS_LIMIT)?.unwrap_or_default();
    let script = Script::new(text).ok_or_else(|| Unknown::new("config_not_read").with("path", program))?;
    let place = Place {
        files,
        etc: "/etc/cloud",
        command_line: around.command_line.as_ref(),
        labels: &[],
    };
    let run = Run {
        place: &place,
        script: &script,
        settings: &Settings { files: Vec::new() },
    };
    let configured = run.configured()?;
    let mode = Policy::parse(&configured.policy, &script.default_policy).mode;
    let named = configured.evidence.into_iter().find(|evidence| {
        evidence
            .value
            .as_deref()
            .is_some_and(|value| value.starts_with("policy:") || value.starts_with("ci.di.policy"))
    });
    Ok(Some((mode, named)))
}

impl Script {
    fn new(text: String) -> Option<Self> {
        let default_list = shell_text(&text, "DI_DSLIST_DEFAULT")?;
        let default_list = default_list.split_ascii_whitespace().map(str::to_owned).collect();
        let policy = shell_text(&text, "DI_DEFAULT_POLICY")?;
        let policy = policy
            .replace("${DI_DISABLED}", "disabled")
            .replace("${DI_ENABLED}", "enabled");
        let none = Policy {
            mode: String::new(),
            found: String::new(),
            maybe: String::new(),
            not_found: String::new(),
        };
        Some(Self {
            greps: text.contains("$(grep \"$key"),
            default_list,
            default_policy: Policy::parse(&policy, &none),
            text,
        })
    }

    /// The body of a function; empty where the release has none of that name.
    fn function(&self, name: &str) -> &str {
        let start = format!("\n{name}() {{");
        let body = self.text.split_once(&start).map(|(_, rest)| rest);
        body.and_then(|body| body.split("\n}").next()).unwrap_or_default()
    }
}

/// The text that a shell variable is set to in its own line, continued lines joined.
fn shell_text(script: &str, name: &str) -> Option<String> {
    let start = format!("\n{name}=\"");
    let (_, rest) = script.split_once(&start)?;
    let (text, _) = rest.split_once('"')?;
    (text.len() < 10_000).then(|| text.replace("\\\n", ""))
}

impl Policy {
    /// Words between commas, exactly as they stand; of an unknown value the default holds (`parse_policy`).
    fn parse(policy: &str, default: &Self) -> Self {
        let mut parsed = default.clone();
        for token in policy.split(',') {
            match token.split_once('=') {
                None if matches!(token, "enabled" | "disabled" | "search" | "report") => {
                    token.clone_into(&mut parsed.mode);
                }
                Some(("found", value @ ("all" | "first"))) => value.clone_into(&mut parsed.found),
                Some(("maybe", value @ ("all" | "none"))) => value.clone_into(&mut parsed.maybe),
                Some(("notfound", value @ ("enabled" | "disabled"))) => value.clone_into(&mut parsed.not_found),
                Some(("found", _)) => parsed.found.clone_from(&default.found),
                Some(("maybe", _)) => parsed.maybe.clone_from(&default.maybe),
                Some(("notfound", _)) => parsed.not_found.clone_from(&default.not_found),
                _ => {}
            }
        }
        parsed
    }
}

/// The settings files that the script searches, in its order.
struct Settings {
    files: Vec<(String, String)>,
}

impl Settings {
    /// `cloud.cfg` and what the shell's `*.cfg` finds: no hidden files, whatever `conf_d` says.
    fn read(place: &Place<'_, '_>) -> Read<Self> {
        let main = format!("{}/cloud.cfg", place.etc);
        let folder = format!("{main}.d");
        let mut names = place.files.list(&folder)?;
        names.retain(|name| name.as_bytes().ends_with(b".cfg") && !name.starts_with('.'));
        if names.len() > MAX_DROP_INS {
            return Err(Unknown::new("config_not_read").with("path", folder));
        }
        let paths = std::iter::once(main).chain(names.into_iter().map(|name| format!("{folder}/{name}")));
        let mut files = Vec::new();
        for path in paths {
            if place.files.stat(&path)?.is_some_and(|stat| stat.kind == FileKind::File)
                && let Some(text) = place.files.read_text(&path, SETTINGS_LIMIT)?
            {
                files.push((path, text));
            }
        }
        Ok(Self { files })
    }

    /// `check_config`: the last line that names the key, in whatever place it stands.
    fn find(&self, script: &Script, key: &str) -> Option<Setting> {
        let mut found = None;
        for (path, text) in &self.files {
            let setting = |line: u32, value: &str| Setting {
                value: value.to_owned(),
                path: path.clone(),
                line,
            };
            if script.greps {
                for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| has_key(line, key)) {
                    let line = without_comment(line);
                    if !line.is_empty() {
                        let value = line.split_once(": ").map_or(line, |(_, value)| value);
                        found = Some(setting(number, value));
                    }
                }
            } else {
                for (number, line) in read_lines(text) {
                    let line = without_comment(&line);
                    if let Some(value) = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(':'))
                        && (value.is_empty() || value.starts_with(' '))
                    {
                        found = Some(setting(number, value.strip_prefix(' ').unwrap_or(value)));
                    }
                }
            }
        }
        found
    }
}

/// grep's `KEY["'\]*[[:space:]]*:`, anywhere in the line.
fn has_key(line: &str, key: &str) -> bool {
    line.match_indices(key).any(|(at, _)| {
        let rest = line.get(at + key.len()..).unwrap_or_default();
        let rest = rest.trim_start_matches(['"', '\'', '\\']);
        rest.trim_start_matches([' ', '\t', '\r', '\x0b', '\x0c'])
            .starts_with(':')
    })
}

/// One run of the script.
struct Run<'r, 'a, 'f> {
    place: &'r Place<'a, 'f>,
    script: &'r Script,
    settings: &'r Settings,
}

impl Run<'_, '_, '_> {
    fn identify(&self, program: &str) -> Read<Identify> {
        let configured = self.configured()?;
        let policy = Policy::parse(&configured.policy, &self.script.default_policy);
        let (list, from) = self.list(configured.datasource.as_deref())?;
        let mut identify = Identify {
            program: Evidence::path(program),
            mode: policy.mode.clone(),
            policy: configured.evidence,
            datasource: configured.datasource,
            built_in: from.is_empty(),
            list,
            from,
            writes: None,
            runs_cloud_init: true,
        };
        match policy.mode.as_str() {
            "disabled" => identify.runs_cloud_init = false,
            "search" => self.search(&policy, &mut identify)?,
            _ => {}
        }
        if let Some(list) = identify.writes.take() {
            identify.writes = as_cloud_init_reads(&list, program)?;
        }
        Ok(identify)
    }

    /// What the settings of ds-identify itself and the kernel's command line say (`read_config`).
    fn configured(&self) -> Read<Configured> {
        let path = format!("{}/ds-identify.cfg", self.place.etc);
        let mut configured = Configured::default();
        let text = self.place.files.read_text(&path, SETTINGS_LIMIT)?.unwrap_or_default();
        for (number, line) in read_lines(&text) {
            let Some((key, value)) = without_comment(&line).split_once(':') else {
                continue;
            };
            let (key, value) = (trim(key), unquote(trim(value)));
            let evidence = Evidence::path(&path).line(number).value(&format!("{key}: {value}"));
            configured.set(key, value, "policy", &["datasource"], evidence);
        }
        if let Some(command_line) = self.place.command_line {
            let reader = self.script.function("read_config");
            let mut names = vec!["ci.ds", "ci.datasource"];
            if reader.contains(" ds) ") {
                names.push("ds");
            }
            for word in command_line.text.split_ascii_whitespace() {
                let (key, value) = word.split_once('=').unwrap_or((word, word));
                let value = if reader.contains("%%;*") {
                    value.split(';').next().unwrap_or_default()
                } else {
                    value
                };
                let evidence = command_line.evidence.clone().value(word);
                configured.set(key, value, "ci.di.policy", &names, evidence);
            }
        }
        Ok(configured)
    }

    /// The list that it looks through, and where that was read; nothing for its own default (`read_datasource_list`).
    fn list(&self, datasource: Option<&str>) -> Read<(Vec<String>, Vec<Evidence>)> {
        let mut list: Vec<String> = datasource
            .iter()
            .flat_map(|name| name.split_ascii_whitespace())
            .map(str::to_owned)
            .collect();
        let mut from = Vec::new();
        if let Some(command_line) = self.place.command_line
            && let Some((_, after)) = command_line.text.split_once("cc:")
            && let Some((_, value)) = after.rsplit_once("datasource_list")
        {
            let value = value.split(']').next().unwrap_or_default();
            list = yaml_array(value.rsplit('[').next().unwrap_or_default());
            from = vec![
                command_line
                    .evidence
                    .clone()
                    .value(&format!("datasource_list: [{}]", list.join(", "))),
            ];
        }
        if list.is_empty() {
            from.clear();
            if let Some(setting) = self.settings.find(self.script, "datasource_list") {
                // With grep: only what stands behind the last colon, and nothing where that is empty.
                let value = if self.script.greps {
                    trim(setting.value.rsplit(':').next().unwrap_or_default())
                } else {
                    &setting.value
                };
                list = yaml_array(value);
                if !list.is_empty() {
                    let value = format!("datasource_list: [{}]", list.join(", "));
                    from.push(Evidence::path(setting.path).line(setting.line).value(&value));
                }
            }
        }
        if list.len() > MAX_SOURCES {
            return Err(Unknown::new("config_not_read").with("path", format!("{}/cloud.cfg", self.place.etc)));
        }
        if list.is_empty() {
            list.clone_from(&self.script.default_list);
        }
        Ok((list, from))
    }

    /// Looks for datasources as it would on a VM with a config drive (`_main`).
    fn search(&self, policy: &Policy, identify: &mut Identify) -> Read<()> {
        if let Some(datasource) = &identify.datasource {
            identify.writes = Some(with_none(vec![datasource.clone()]));
            return Ok(());
        }
        let seeds = Seeds { place: self.place };
        if seeds.is_file("instance/manual-clean")? {
            return Ok(());
        }
        if let [only] | [only, _] = identify.list.as_slice()
            && identify.list.get(1).is_none_or(|second| second == "None")
        {
            let alone = self
                .script
                .function("_main")
                .contains("write_result \"datasource_list: [ $1 ]\"");
            let list = if alone && identify.list.len() == 1 {
                vec![only.clone()]
            } else {
                with_none(identify.list.clone())
            };
            identify.writes = Some(list);
            return Ok(());
        }
        let (mut found, mut maybe) = (Vec::new(), Vec::new());
        for name in &identify.list {
            match self.check(name, &seeds)? {
                Check::Found => found.push(name.clone()),
                Check::Maybe => maybe.push(name.clone()),
                Check::NotFound => {}
            }
        }
        if !found.is_empty() {
            if policy.found == "first" {
                found.truncate(1);
            }
            identify.writes = Some(with_none(found));
        } else if !maybe.is_empty() && policy.maybe != "none" {
            identify.writes = Some(with_none(maybe));
        } else {
            identify.runs_cloud_init = policy.not_found == "enabled";
        }
        Ok(())
    }

    /// One check (`dscheck_…`) on a KVM machine of OpenStack with a config drive and no other drive of settings.
    fn check(&self, name: &str, seeds: &Seeds<'_, '_, '_>) -> Read<Check> {
        let body = self.script.function(&format!("dscheck_{name}"));
        let configures = |key: &str| {
            body.contains(&format!("check_config \"{key}\"")) && self.settings.find(self.script, key).is_some()
        };
        let has_label = |labels: &[&str]| self.place.labels.iter().any(|label| labels.contains(&label.as_str()));
        let data = ["meta-data", "user-data"];
        let found = match name {
            _ if body.is_empty() => false,
            "ConfigDrive" => true,
            "NoCloud" => {
                let asks_command_line = body.contains("DI_KERNEL_CMDLINE");
                let on_command_line = self
                    .place
                    .command_line
                    .is_some_and(|line| line.text.split(' ').any(|word| word.starts_with("ds=nocloud")));
                (asks_command_line && on_command_line)
                    || seeds.has("seed/nocloud", &data)?
                    || seeds.has("seed/nocloud-net", &data)?
                    || has_label(&["cidata", "CIDATA"])
                    || (configures("NoCloud")
                        && ((configures("user-data") && configures("meta-data")) || configures("seedfrom")))
            }
            "MAAS" => configures("MAAS"),
            "OpenNebula" => seeds.has("seed/opennebula", &["meta-data"])? || has_label(&["CONTEXT", "CDROM"]),
            "RbxCloud" => has_label(&["CLOUDMD", "cloudmd"]),
            "OVF" => seeds.has("seed/ovf", &["ovf-env.xml"])?,
            "Azure" => seeds.has("seed/azure", &["ovf-env.xml"])?,
            "Bigstep" => seeds.is_file("data/seed/bigstep/url")?,
            "AliYun" => seeds.has("seed/AliYun", &data)?,
            "Vultr" => self
                .place
                .files
                .stat("/etc/vultr")?
                .is_some_and(|stat| stat.kind == FileKind::File),
            "Ec2" => {
                if !seeds.has("seed/ec2", &data)? {
                    return self.check_ec2();
                }
                true
            }
            // Asked by what the machine says of itself, and so not found; with a config drive neither is OpenStack.
            _ => false,
        };
        Ok(if found { Check::Found } else { Check::NotFound })
    }

    /// Not on EC2, but perhaps told not to be strict about it.
    fn check_ec2(&self) -> Read<Check> {
        let command_line = self
            .place
            .command_line
            .map(|line| line.text.as_str())
            .unwrap_or_default();
        let key = "ci.datasource.ec2.strict_id";
        let word = command_line
            .split_ascii_whitespace()
            .rev()
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let mut strict = word.map(str::to_owned);
        if strict.is_none() {
            let about_ec2 = Settings {
                files: self
                    .settings
                    .files
                    .iter()
                    .filter(|(path, _)| path.ends_with("/cloud.cfg") || path.to_lowercase().ends_with("ec2.cfg"))
                    .cloned()
                    .collect(),
            };
            strict = about_ec2.find(self.script, "strict_id").map(|setting| setting.value);
        }
        if strict.is_none() {
            let path = format!("{}/ds-identify.cfg", self.place.etc);
            let text = self.place.files.read_text(&path, SETTINGS_LIMIT)?.unwrap_or_default();
            strict = read_lines(&text).into_iter().find_map(|(_, line)| {
                let (name, value) = without_comment(&line).split_once(':')?;
                (trim(name) == key).then(|| unquote(trim(value)).to_owned())
            });
        }
        let strict = strict.unwrap_or_default();
        let lenient = strict == "false" || strict == "warn" || strict.starts_with("warn,");
        Ok(if lenient { Check::Maybe } else { Check::NotFound })
    }
}

/// What configures ds-identify itself.
#[derive(Default)]
struct Configured {
    policy: String,
    /// The one datasource that is not searched for.
    datasource: Option<String>,
    evidence: Vec<Evidence>,
}

impl Configured {
    /// Takes a setting if it is one of the policy or the datasource; the last one holds.
    fn set(&mut self, key: &str, value: &str, policy: &str, datasources: &[&str], evidence: Evidence) {
        if key == policy {
            value.clone_into(&mut self.policy);
        } else if datasources.contains(&key) {
            self.datasource = Some(value.to_owned()).filter(|value| !value.is_empty());
        } else {
            return;
        }
        self.evidence.insert(0, evidence);
        self.evidence.truncate(100);
    }
}

/// What cloud-init makes of the list that is written for it. Words that are no YAML make a file that it skips.
fn as_cloud_init_reads(list: &[String], program: &str) -> Read<Option<Vec<String>>> {
    let unclear = || Unknown::new("config_not_read").with("path", program);
    match yaml::parse(&format!("datasource_list: [ {} ]\n", list.join(", ")), 0) {
        Parsed::Value(value) => match value.get(LIST) {
            Some(value) => names(value).map(Some).ok_or_else(unclear),
            None => Ok(None),
        },
        Parsed::Broken(_) => Ok(None),
        Parsed::Unclear => Err(unclear()),
    }
}

/// The list as it is written for cloud-init: `None` comes last where it is not named.
fn with_none(mut list: Vec<String>) -> Vec<String> {
    if !list.iter().any(|name| name == "None") {
        list.push("None".to_owned());
    }
    list
}

/// Settings that lie on the disk itself, below `/var/lib/cloud`.
struct Seeds<'s, 'a, 'f> {
    place: &'s Place<'a, 'f>,
}

impl Seeds<'_, '_, '_> {
    fn is_file(&self, path: &str) -> Read<bool> {
        let stat = self.place.files.stat(&format!("/var/lib/cloud/{path}"))?;
        Ok(stat.is_some_and(|stat| stat.kind == FileKind::File))
    }

    fn has(&self, folder: &str, names: &[&str]) -> Read<bool> {
        for name in names {
            if !self.is_file(&format!("{folder}/{name}"))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
