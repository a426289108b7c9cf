//! Where cloud-init looks for its settings: the effective list of datasources and the place that decides it.

use super::{
    SETTINGS_LIMIT, built_in,
    config::{self, Config, Parsed},
    module_folders,
};
use crate::{
    Evidence, FileKind, Unknown,
    facts::Datasources,
    files::{Files, Read},
};

const CONFIG: &str = "/etc/cloud/cloud.cfg";

/// Drop-ins are read from here unless `cloud.cfg` names another folder (`conf_d`).
const DROP_INS: &str = "/etc/cloud/cloud.cfg.d";

/// Most drop-ins that are read; real systems have a handful, and a hostile image could make every one large.
const MAX_DROP_INS: usize = 200;

/// The effective list: of all drop-ins in byte order the last that names one, else `cloud.cfg`, else the built-in list.
/// Lists are replaced, not merged (`cloudinit.util.read_conf_with_confd`).
pub(crate) fn read(files: &Files<'_>) -> Read<Datasources> {
    let main = read_config(files, CONFIG)?;
    let folder = main.config.drop_ins.clone().unwrap_or_else(|| DROP_INS.to_owned());
    let folder = folder.trim_end_matches('/');
    // From weak to strong, then turned round: the first decides, the others are overruled.
    let mut lists: Vec<(Vec<String>, Evidence)> = main.list().into_iter().collect();
    if !folder.is_empty() {
        // Python's `endswith`: `.CFG` is another ending.
        let mut names = files.list(folder)?;
        names.retain(|name| name.as_bytes().ends_with(b".cfg"));
        if names.len() > MAX_DROP_INS {
            return Err(Unknown::new("config_not_read").with("path", folder));
        }
        for name in names {
            let path = format!("{folder}/{name}");
            if files.stat(&path)?.is_some_and(|stat| stat.kind == FileKind::File) {
                lists.extend(read_config(files, &path)?.list());
            }
        }
    }
    lists.reverse();
    let mut from = Vec::with_capacity(lists.len());
    let mut decided = None;
    for (list, evidence) in lists {
        from.push(evidence);
        decided.get_or_insert(list);
    }
    match decided {
        Some(list) => Ok(Datasources {
            list,
            from,
            built_in: false,
        }),
        None => read_built_in(files),
    }
}

/// A settings file with its text, to show the line that decides.
struct Settings {
    path: String,
    text: String,
    config: Config,
}

impl Settings {
    fn list(self) -> Option<(Vec<String>, Evidence)> {
        let (list, line) = self.config.datasource_list?;
        let index = usize::try_from(line).ok().and_then(|line| line.checked_sub(1));
        let line_text = index
            .and_then(|index| self.text.lines().nth(index))
            .unwrap_or_default()
            .trim();
        // Only the list, for a secret may stand beside it: as written where the line holds nothing else, else rebuilt.
        let rebuilt = format!("datasource_list: [{}]", list.join(", "));
        let bare = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace()).collect() };
        let value = if bare(line_text) == bare(&rebuilt) {
            line_text.to_owned()
        } else {
            rebuilt
        };
        Some((list, Evidence::path(self.path).line(line).value(&value)))
    }
}

fn read_config(files: &Files<'_>, path: &str) -> Read<Settings> {
    let text = files.read_text(path, SETTINGS_LIMIT)?.unwrap_or_default();
    let config = match config::parse(&text) {
        Parsed::Config(config) => config,
        Parsed::Broken => Config::default(),
        Parsed::Unclear => return Err(Unknown::new("config_not_read").with("path", path)),
    };
    Ok(Settings {
        path: path.to_owned(),
        text,
        config,
    })
}

fn read_built_in(files: &Files<'_>) -> Read<Datasources> {
    for module in module_folders(files)? {
        let path = format!("{module}/settings.py");
        let Some(text) = files.read_text(&path, SETTINGS_LIMIT)? else {
            continue;
        };
        let Some((list, line)) = built_in::parse(&text) else {
            return Err(Unknown::new("built_in_list_not_read").with("path", path));
        };
        let value = format!("datasource_list: [{}]", list.join(", "));
        return Ok(Datasources {
            from: vec![Evidence::path(path).line(line).value(&value)],
            list,
            built_in: true,
        });
    }
    Err(Unknown::new("built_in_list_not_read").with("path", "cloudinit/settings.py"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Kind, MemoryTree};

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
        for number in 0..=MAX_DROP_INS {
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
