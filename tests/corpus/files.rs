use std::{collections::BTreeMap, fs};

use lotse_guest::{Fact, FileKind, FileTree as _, ext::Ext};
use lotse_tests::{Result, provided, stored::hexadecimal};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::open;

/// One line of an image's `.files.jsonl`: how the kernel showed this file before `mke2fs` took it over.
#[derive(Debug, Deserialize)]
struct Listed {
    path: String,
    #[serde(rename = "type")]
    kind: String,
    mode: u16,
    size: Option<u64>,
    sha256: Option<String>,
    target: Option<String>,
}

#[test]
fn every_file_of_the_real_debians_is_read_to_the_last_byte() -> Result {
    for name in ["debian-11", "debian-12", "debian-12-kernel", "debian-13"] {
        every_file(name).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

fn every_file(name: &str) -> Result {
    let listed = fs::read_to_string(provided::fixture(&format!("{name}.files.jsonl"))?)?;
    let listed: Vec<Listed> = listed
        .lines()
        .map(serde_json::from_str)
        .collect::<std::result::Result<_, _>>()?;
    assert!(listed.len() > 5000, "a whole Debian, not {} files", listed.len());

    let disk = open(&format!("{name}.qcow2"))?;
    let Fact::Known(table) = lotse_guest::examine(&disk).table else {
        return Err("the partition table can be read".into());
    };
    let root = table.partitions.into_iter().find(|part| part.number == 1);
    let root = root.ok_or("the root partition")?;
    let tree = Ext::open(&disk, root.offset, root.len)?;

    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in &listed {
        let stat = tree
            .lstat(&file.path)?
            .ok_or_else(|| format!("{} is there", file.path))?;
        assert_eq!(stat.mode, file.mode, "{}", file.path);
        let kind = match stat.kind {
            FileKind::File => "file",
            FileKind::Directory => "directory",
            FileKind::Symlink => "symlink",
            FileKind::Other => "other",
        };
        assert_eq!(kind, file.kind, "{}", file.path);
        if stat.kind == FileKind::File {
            assert_eq!(Some(stat.size), file.size, "{}", file.path);
            let content = tree
                .read(&file.path, usize::MAX)?
                .ok_or("no a regular file has content")?;
            assert_eq!(
                Some(hexadecimal(&Sha256::digest(&content))),
                file.sha256,
                "{}",
                file.path
            );
        }
        assert_eq!(tree.read_link(&file.path)?, file.target, "{}", file.path);
        if let Some((folder, name)) = file.path.rsplit_once('/').filter(|_| file.path != "/") {
            names.entry(folder.to_owned()).or_default().push(name.to_owned());
        }
        if stat.kind == FileKind::Directory {
            names.entry(file.path.trim_end_matches('/').to_owned()).or_default();
        }
    }
    for (folder, mut expected) in names {
        if folder.is_empty() {
            // mke2fs adds this one.
            expected.push("lost+found".to_owned());
        }
        expected.sort();
        let found = tree.list(&format!("{folder}/"))?;
        assert_eq!(
            found.as_deref(),
            Some(expected.as_slice()),
            "{folder}/ lists exactly its names"
        );
    }
    Ok(())
}
