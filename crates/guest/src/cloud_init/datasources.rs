//! Where cloud-init looks for its settings: the list as it reads it, the list as ds-identify reads it, and what comes of
//! both on a VM with a config drive.

use super::{
    Around, CommandLine,
    config::{self, Config, LIST},
    identify, instance,
    seeds::Seeds,
};
use crate::{
    Evidence, Fact, Unknown,
    facts::{Datasources, Expected, Identify},
    files::{Files, Read},
};

/// Datasources that ask something on the network, or of the machine, which a disk does not tell.
const ASK_THE_NETWORK: &[&str] = &["OpenStack", "Ec2", "MAAS"];

/// Datasources with a folder of their own for settings on the disk.
const SEEDED: &[(&str, &str)] = &[
    ("OpenNebula", "opennebula"),
    ("Azure", "azure"),
    ("OVF", "ovf"),
    ("AliYun", "AliYun"),
    ("CloudStack", "cs"),
    ("MAAS", "maas"),
    ("Ec2", "ec2"),
];

/// Both readings of the settings that were read already.
pub(super) fn read(files: &Files<'_>, around: &Around<'_>, etc: &str, config: &Config) -> Read<Datasources> {
    let (list, built_in) = match config.value.entry(LIST) {
        Some(entry) => (
            config::names(&entry.value).ok_or_else(|| unclear(&config.evidence(entry.place)))?,
            config.is_built_in(entry.place),
        ),
        None => match &config.no_built_in {
            Some(unknown) => return Err(unknown.clone()),
            None => (Vec::new(), false),
        },
    };
    let mut from = config.lists.clone();
    if built_in && let Some(entry) = config.value.entry(LIST) {
        let value = format!("{LIST}: [{}]", list.join(", "));
        from.insert(0, config.evidence(entry.place).value(&value));
    }
    let identify = identify(files, around, etc);
    let expected = match &identify {
        Ok(identify) => expected(files, around, config, &list, identify.as_ref()),
        Err(unknown) => Err(unknown.clone()),
    };
    Ok(Datasources {
        list,
        from,
        built_in,
        identify: Fact::from(identify),
        expected: Fact::from(expected),
    })
}

fn unclear(evidence: &Evidence) -> Unknown {
    Unknown::new("config_not_read").with("path", evidence.path.as_deref().unwrap_or_default())
}

/// ds-identify, where something starts it.
fn identify(files: &Files<'_>, around: &Around<'_>, etc: &str) -> Read<Option<Identify>> {
    if !identify::is_started(files)? {
        return Ok(None);
    }
    let labels: Vec<String> = around.labels.iter().map(|label| label.text.clone()).collect();
    let command_line = around.command_line.as_ref();
    identify::read(&identify::Place {
        files,
        etc,
        command_line,
        labels: &labels,
    })
}

/// What happens on a VM with a config drive: both stages of cloud-init go through the list that won.
fn expected(
    files: &Files<'_>,
    around: &Around<'_>,
    config: &Config,
    own: &[String],
    identify: Option<&Identify>,
) -> Read<Expected> {
    let from_command_line = around.command_line.as_ref().and_then(CommandLine::config).is_some()
        && config.lists.first().map(|evidence| &evidence.path)
            == around.command_line.as_ref().map(|line| &line.evidence.path);
    let (wins, list) = match identify.and_then(|identify| identify.writes.as_ref()) {
        _ if from_command_line => ("command_line", own),
        // Where one side is a mapping and the other a list, cloud-init's merger takes the weaker side's mapping.
        Some(_) if config.value.get(LIST).is_some_and(|value| value.map().is_some()) => ("python", own),
        Some(written) => ("identify", written.as_slice()),
        None => ("python", own),
    };
    let told = |source: Option<&str>, because: &str, evidence: Vec<Evidence>| Expected {
        source: source.map(str::to_owned),
        because: because.to_owned(),
        wins: wins.to_owned(),
        list: list.to_vec(),
        evidence,
    };
    if let Some(identify) = identify.filter(|identify| !identify.runs_cloud_init) {
        let evidence = identify.policy.iter().chain(&identify.from).cloned().collect();
        return Ok(Expected {
            wins: "identify".to_owned(),
            list: identify.list.clone(),
            ..told(None, "identify_disables", evidence)
        });
    }
    if let Some(instance) = instance::read(files, config)?.filter(|instance| instance.kept) {
        return Ok(told(instance.datasource.as_deref(), "cached", instance.kept_evidence));
    }
    let seeds = Seeds::read(files, around, config)?;
    let names: Vec<&str> = list.iter().map(|name| plain_name(name)).collect();
    for name in &names {
        let seed = seed_folder(files, name)?;
        match *name {
            "NoCloud" if seeds.answers_before_network() => {
                return Ok(told(Some("NoCloud"), "seed_on_disk", seeds.evidence));
            }
            "ConfigDrive" => return Ok(told(Some("ConfigDrive"), "config_drive", Vec::new())),
            "OpenStack" => return Err(not_predicted(name)),
            "MAAS"
                if config
                    .value
                    .get("datasource")
                    .and_then(|value| value.get("MAAS"))
                    .is_some() =>
            {
                return Err(not_predicted(name));
            }
            _ if seed => return Err(not_predicted(name)),
            _ => {}
        }
    }
    for name in &names {
        match *name {
            "NoCloud" if seeds.answers() => return Ok(told(Some("NoCloud"), "seed_on_disk", seeds.evidence)),
            "None" => return Ok(told(Some("None"), "config_drive_not_listed", Vec::new())),
            _ if ASK_THE_NETWORK.contains(name) => return Err(not_predicted(name)),
            _ => {}
        }
    }
    Ok(told(None, "config_drive_not_listed", Vec::new()))
}

fn not_predicted(name: &str) -> Unknown {
    Unknown::new("datasource_not_predicted").with("source", name)
}

/// Are there settings for a datasource other than NoCloud on the disk?
fn seed_folder(files: &Files<'_>, name: &str) -> Read<bool> {
    let Some((_, folder)) = SEEDED.iter().find(|(known, _)| *known == name) else {
        return Ok(false);
    };
    Ok(!files.list(&format!("/var/lib/cloud/seed/{folder}"))?.is_empty())
}

/// A list may name a datasource with its module's prefix (`cloudinit.sources.DS_PREFIX`), and newer releases take it in
/// any case (`match_case_insensitive_module_name`).
fn plain_name(name: &str) -> &str {
    let bare = name.strip_prefix("DataSource").unwrap_or(name);
    let known = ["NoCloud", "ConfigDrive", "OpenStack", "None", "MAAS", "Ec2"];
    known
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(bare))
        .unwrap_or(bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Kind, MemoryTree};

    const CONFIG: &str = "/etc/cloud/cloud.cfg";
    const DROP_INS: &str = "/etc/cloud/cloud.cfg.d";
    const SETTINGS_PY: &str = "/usr/lib/python3/dist-packages/cloudinit/settings.py";

    fn debian() -> MemoryTree {
        MemoryTree::new()
            .file(CONFIG, include_str!("../../tests/stock/debian-12-cloud.cfg"))
            .file(
                "/etc/cloud/cloud.cfg.d/05_logging.cfg",
                include_str!("../../tests/stock/debian-12-05_logging.cfg"),
            )
            .file("/etc/cloud/cloud.cfg.d/README", "datasource_list: [ Readme ]\n")
            .file(SETTINGS_PY, include_str!("../../tests/stock/debian-12-settings.py"))
    }

    fn drop_in(tree: MemoryTree, name: &str, list: &str) -> MemoryTree {
        tree.file(&format!("{DROP_INS}/{name}"), format!("datasource_list: [ {list} ]\n"))
    }

    fn read(files: &Files<'_>) -> Read<Datasources> {
        match crate::cloud_init::settings(files, &Around::default()).datasources {
            Fact::Known(sources) => Ok(sources),
            Fact::Unknown(unknown) => Err(unknown),
        }
    }

    fn sources(tree: &MemoryTree) -> Datasources {
        read(&Files::new(tree).unwrap()).unwrap()
    }

    #[test]
    fn debian_names_no_list_and_so_its_own_holds() {
        let sources = sources(&debian());
        assert!(sources.built_in);
        assert_eq!(sources.list[..2], ["NoCloud", "ConfigDrive"]);
        assert_eq!(
            (sources.from[0].path.as_deref(), sources.from[0].line),
            (Some(SETTINGS_PY), Some(23))
        );
    }

    #[test]
    fn ubuntus_drop_in_decides_with_file_and_line() {
        let tree = debian().file(
            "/etc/cloud/cloud.cfg.d/90_dpkg.cfg",
            "# to update this file, run dpkg-reconfigure cloud-init\ndatasource_list: [ NoCloud, ConfigDrive, OpenNebula, None ]\n",
        );
        let sources = sources(&tree);
        assert!(!sources.built_in);
        let evidence = Evidence::path("/etc/cloud/cloud.cfg.d/90_dpkg.cfg")
            .line(2)
            .value("datasource_list: [ NoCloud, ConfigDrive, OpenNebula, None ]");
        assert_eq!(sources.from, [evidence]);
    }

    #[test]
    fn the_evidence_shows_the_list_and_nothing_else_of_its_line() {
        for line in [
            r#"{"password": "hunter2", "datasource_list": ["ConfigDrive", "NoCloud"]"#,
            r#"{"datasource_list": ["ConfigDrive", "NoCloud"], "password": ["hunter2"]"#,
            r#""datasource_list": [ConfigDrive, NoCloud] # [hunter2]"#,
            "datasource_list: [ConfigDrive, NoCloud] # hunter2 ]",
        ] {
            let end = if line.starts_with('{') { "\n}\n" } else { "\n" };
            let tree = debian().file("/etc/cloud/cloud.cfg.d/90_x.cfg", format!("{line}{end}"));
            assert_eq!(
                sources(&tree).from[0].value.as_deref(),
                Some("datasource_list: [ConfigDrive, NoCloud]"),
                "{line}"
            );
        }
    }

    #[test]
    fn the_last_drop_in_in_byte_order_wins_over_all_others() {
        let tree = debian().file(CONFIG, "datasource_list: [ Main ]\n");
        assert_eq!(sources(&tree).list, ["Main"]);
        let mut tree = tree;
        // `100` < `99` < `Z` < `a`.
        for name in ["100.cfg", "99.cfg", "Z.cfg", "a.cfg"] {
            tree = drop_in(tree, name, name);
            assert_eq!(sources(&tree).list, [name]);
        }
        let overruled: Vec<_> = sources(&tree).from.into_iter().filter_map(|place| place.path).collect();
        let expected = ["a.cfg", "Z.cfg", "99.cfg", "100.cfg"].map(|name| format!("{DROP_INS}/{name}"));
        assert_eq!(overruled[..4], expected);
        assert_eq!(overruled[4], CONFIG);
    }

    #[test]
    fn what_cloud_init_does_not_read_does_not_count() {
        let tree = drop_in(debian(), "90_dpkg.cfg", "ConfigDrive");
        let tree = drop_in(tree, "99_notes.cfg.bak", "NoCloud")
            .file("/etc/cloud/cloud.cfg.d/99_broken.cfg", "datasource_list: [ NoCloud\n")
            .file("/etc/cloud/cloud.cfg.d/99_words.cfg", "just words\n")
            .symlink("/etc/cloud/cloud.cfg.d/99_dangling.cfg", "/nowhere")
            .dir("/etc/cloud/cloud.cfg.d/99_folder.cfg");
        assert_eq!(sources(&tree).list, ["ConfigDrive"]);
    }

    #[test]
    fn an_empty_list_overrules_and_is_not_the_built_in_one() {
        let tree = debian().file("/etc/cloud/cloud.cfg.d/99-installer.cfg", "datasource_list:\n");
        let sources = sources(&tree);
        assert!(sources.list.is_empty() && !sources.built_in);
    }

    #[test]
    fn a_flood_of_drop_ins_is_not_read() {
        let mut tree = debian();
        for number in 0..=config::MAX_DROP_INS {
            tree = drop_in(tree, &format!("{number}.cfg"), "ConfigDrive");
        }
        assert_eq!(read(&Files::new(&tree).unwrap()).unwrap_err().code, "config_not_read");
    }

    #[test]
    fn another_folder_for_drop_ins_is_respected() {
        let tree = drop_in(debian(), "90_dpkg.cfg", "NoCloud")
            .file(CONFIG, "conf_d: /etc/cloud/other/\n")
            .file("/etc/cloud/other/x.cfg", "datasource_list: [ ConfigDrive ]\n");
        assert_eq!(sources(&tree).list, ["ConfigDrive"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_leaves_the_list_unknown() {
        let tree = drop_in(debian(), "90_dpkg.cfg", "ConfigDrive").unreadable(
            "/etc/cloud/cloud.cfg.d/95_x.cfg",
            Error::new(Kind::Corrupt, "ext_corrupt"),
        );
        assert_eq!(read(&Files::new(&tree).unwrap()).unwrap_err().code, "ext_corrupt");
        let tree = debian().file(SETTINGS_PY, "CFG_BUILTIN = load()\n");
        assert_eq!(
            read(&Files::new(&tree).unwrap()).unwrap_err().code,
            "built_in_list_not_read"
        );
    }
}
