use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use lotse_disk::{Disk, FileSource};
use lotse_guest::ext::Ext;
use lotse_guest::{Fact, Facts, FileKind, FileTree};
use lotse_tests::{Result, provided, stored::hexadecimal};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// What `inspect.py` found inside the system by the system's own tools.
#[derive(Debug, Deserialize)]
struct Expected {
    os: ExpectedSystem,
    agent: ExpectedAgent,
    datasources: ExpectedDatasources,
    sshd: ExpectedSshd,
}

#[derive(Debug, Deserialize)]
struct ExpectedSystem {
    family: String,
    distribution: String,
    version: String,
    architecture: String,
}

#[derive(Debug, Deserialize)]
struct ExpectedAgent {
    kind: String,
    version: String,
    enabled: bool,
}

#[derive(Debug, Deserialize)]
struct ExpectedDatasources {
    list: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ExpectedSshd {
    installed: bool,
    enabled: bool,
}

fn open(image: &str) -> Result<Disk> {
    let path = provided::fixture(image)?;
    Ok(Disk::open(Arc::new(FileSource::open(&path)?))?)
}

fn examine(image: &str) -> Result<Facts> {
    Ok(lotse_guest::examine(&open(image)?))
}

fn expected(name: &str) -> Result<Expected> {
    Ok(serde_json::from_slice(&fs::read(provided::fixture(name)?)?)?)
}

fn known<T>(fact: Fact<T>) -> Result<T> {
    match fact {
        Fact::Known(value) => Ok(value),
        Fact::Unknown(unknown) => Err(format!("this must be readable on a stock image: {unknown:?}").into()),
    }
}

fn assert_agrees(facts: Facts, expected: &Expected) -> Result {
    let system = known(facts.system)?.ok_or("no operating system")?;
    assert_eq!(system.family, expected.os.family);
    assert_eq!(system.distribution.as_deref(), Some(expected.os.distribution.as_str()));
    assert_eq!(system.version.as_deref(), Some(expected.os.version.as_str()));
    assert_eq!(system.architecture.as_deref(), Some(expected.os.architecture.as_str()));

    let agent = known(facts.agent)?.ok_or("no cloud-init")?;
    assert_eq!(agent.kind, expected.agent.kind);
    assert_eq!(known(agent.version)?, expected.agent.version, "as dpkg-query says");
    assert_eq!(known(agent.enabled)?, expected.agent.enabled, "as systemctl says");

    let datasources = known(facts.datasources)?.ok_or("no datasources")?;
    assert_eq!(
        datasources.list, expected.datasources.list,
        "as cloud-init's own code reads its configuration"
    );

    let sshd = known(facts.sshd)?;
    assert_eq!(known(sshd.installed)?, expected.sshd.installed, "as dpkg-query says");
    assert_eq!(known(sshd.enabled)?, expected.sshd.enabled, "as systemctl says");
    Ok(())
}

#[test]
fn the_facts_are_those_that_debian_s_own_tools_tell() -> Result {
    let expected = expected("debian-12.expected.json")?;
    for image in ["debian-12.raw", "debian-12.qcow2", "debian-12-compressed.qcow2"] {
        println!("{image}");
        assert_agrees(examine(image)?, &expected)?;
    }
    Ok(())
}

#[test]
fn a_drop_in_that_puts_configdrive_first_is_what_counts() -> Result {
    let facts = examine("configdrive-first.qcow2")?;
    let from = known(facts.datasources.clone())?.ok_or("no datasources")?.from;
    let deciding = from.first().and_then(|evidence| evidence.path.as_deref());
    assert_eq!(
        deciding,
        Some("/etc/cloud/cloud.cfg.d/99-ccloud.cfg"),
        "a person must be led to the file that decides"
    );
    assert_agrees(facts, &expected("configdrive-first.expected.json")?)?;
    Ok(())
}

#[test]
fn sshd_without_its_start_link_is_installed_but_not_started() -> Result {
    let sshd = known(examine("no-sshd.qcow2")?.sshd)?;
    assert!(known(sshd.installed)?, "the package is still there");
    assert!(!known(sshd.enabled)?, "nobody could log in to such a VM");
    Ok(())
}

#[test]
fn the_disk_is_laid_out_as_sfdisk_was_told() -> Result {
    const MIB: u64 = 1 << 20;
    let facts = examine("debian-12.raw")?;
    let table = known(facts.table)?;
    let partitions: BTreeMap<_, _> = table
        .partitions
        .iter()
        .map(|part| (part.number, (part.offset / MIB, part.len / MIB)))
        .collect();
    assert_eq!(
        partitions,
        BTreeMap::from([(1, (20, 1515)), (14, (1, 3)), (15, (4, 16))]),
        "place and size in MiB"
    );
    let root = known(facts.root)?.ok_or("no root filesystem")?;
    assert_eq!((root.filesystem.as_str(), root.partition), ("ext4", Some(1)));
    Ok(())
}

/// One line of `debian-12.files.jsonl`: how the kernel showed this file before `mke2fs` took it over.
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
fn every_file_of_the_real_system_is_read_to_the_last_byte() -> Result {
    let listed = fs::read_to_string(provided::fixture("debian-12.files.jsonl")?)?;
    let listed: Vec<Listed> = listed
        .lines()
        .map(serde_json::from_str)
        .collect::<std::result::Result<_, _>>()?;
    assert!(listed.len() > 5000, "a whole Debian, not {} files", listed.len());

    let disk = open("debian-12.raw")?;
    let root = known(lotse_guest::examine(&disk).table)?
        .partitions
        .into_iter()
        .find(|part| part.number == 1);
    let root = root.expect("the root partition");
    let tree = Ext::open(&disk, root.offset, root.len)?;

    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in &listed {
        let stat = tree
            .lstat(&file.path)?
            .unwrap_or_else(|| panic!("{} is there", file.path));
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
