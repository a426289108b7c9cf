use std::{fs, process::Command};

use lotse_disk::Disk;
use lotse_guest::{Fact, Facts, facts::Left};
use lotse_tests::{Result, provided};
use serde_json::Value;

use crate::{found, open};

/// The verdict of `lotse check` on an image, and why it is that.
struct Image {
    file: &'static str,
    verdict: &'static str,
}

const fn image(file: &'static str, verdict: &'static str) -> Image {
    Image { file, verdict }
}

/// Every image of the corpus. What is expected of its facts was written down by the tools when it was made.
const IMAGES: &[Image] = &[
    image("alma-9.raw", "ready_with_warnings"),
    image("alpine-3.22.raw", "will_not_work"),
    image("arch.raw", "ready_with_warnings"),
    image("centos-6.raw", "will_not_work"),
    image("centos-7.raw", "ready_with_warnings"),
    image("cirros.raw", "unknown"),
    image("configdrive-first.qcow2", "ready"),
    image("debian-11.qcow2", "ready_with_warnings"),
    image("debian-12-compressed.qcow2", "ready_with_warnings"),
    image("debian-12-kernel.qcow2", "ready_with_warnings"),
    image("debian-12.qcow2", "ready_with_warnings"),
    image("debian-12.raw", "ready_with_warnings"),
    image("debian-13.qcow2", "ready_with_warnings"),
    image("debian-4k.raw", "ready_with_warnings"),
    image("debian-backup-gpt.raw", "ready_with_warnings"),
    image("debian-btrfs.raw", "will_not_work"),
    image("debian-dirty-journal.raw", "ready_with_warnings"),
    image("debian-f2fs.raw", "will_not_work"),
    image("debian-luks.raw", "unknown"),
    image("debian-lvm.raw", "ready_with_warnings"),
    image("debian-mbr-logical.raw", "ready_with_warnings"),
    image("debian-no-table.raw", "will_not_work"),
    image("debian-split.raw", "ready_with_warnings"),
    image("debian-used.qcow2", "ready_with_warnings"),
    image("debian-xfs.raw", "will_not_work"),
    image("fedora-42.raw", "ready_with_warnings"),
    image("fedora-coreos.raw", "ready_with_warnings"),
    image("flatcar.raw", "ready_with_warnings"),
    image("freebsd-14.raw", "will_not_work"),
    image("gentoo.raw", "ready_with_warnings"),
    image("no-sshd.qcow2", "will_not_work"),
    image("opensuse-leap-15.6.raw", "ready_with_warnings"),
    image("opensuse-tumbleweed.raw", "ready_with_warnings"),
    image("rocky-8.raw", "ready_with_warnings"),
    image("two-systems.raw", "unknown"),
    image("ubuntu-24.04.raw", "ready_with_warnings"),
    image("windows.raw", "will_not_work"),
];

fn expected(file: &str) -> Result<Value> {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let stem = stem.strip_suffix("-compressed").unwrap_or(stem);
    let path = provided::fixture(&format!("{stem}.expected.json"))?;
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

fn examine(file: &str) -> Result<Facts> {
    let disk: Disk = open(file)?;
    Ok(lotse_guest::examine(&disk))
}

#[test]
fn every_fact_is_what_the_tools_told_when_the_image_was_made() {
    let mut wrong = Vec::new();
    for image in IMAGES {
        let differences = match (examine(image.file), expected(image.file)) {
            (Ok(facts), Ok(expected)) => found::differences(&expected, &found::found(&facts)),
            (Err(error), _) | (_, Err(error)) => vec![error.to_string()],
        };
        wrong.extend(differences.into_iter().map(|line| format!("{}: {line}", image.file)));
    }
    assert!(wrong.is_empty(), "{} facts differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_image_gets_the_verdict_that_a_person_would_come_to() -> Result {
    let mut wrong = Vec::new();
    for image in IMAGES {
        let output = Command::new(provided::lotse()?)
            .args(["check", "--json"])
            .arg(provided::fixture(image.file)?)
            .output()?;
        let report: Value = serde_json::from_slice(&output.stdout)?;
        if report["verdict"] != image.verdict {
            let findings = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
            let reasons: Vec<_> = findings
                .iter()
                .filter(|finding| finding["kind"] == "requirement" && finding["status"] != "pass")
                .map(|finding| {
                    format!(
                        "{} {} {}",
                        finding["status"], finding["reason"], finding["params"]["cause"]
                    )
                })
                .collect();
            wrong.push(format!(
                "{}: expected {}, found {} ({})",
                image.file,
                image.verdict,
                report["verdict"],
                reasons.join("; ")
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} verdicts differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}

#[test]
fn a_drop_in_that_puts_configdrive_first_is_what_decides() -> Result {
    let Fact::Known(Some(datasources)) = examine("configdrive-first.qcow2")?.datasources else {
        return Err("cloud-init's list can be read".into());
    };
    let deciding = datasources.from.first().and_then(|evidence| evidence.path.as_deref());
    assert_eq!(
        deciding,
        Some("/etc/cloud/cloud.cfg.d/99-ccloud.cfg"),
        "a person must be led to the file that decides"
    );
    Ok(())
}

/// What an advice says of each image: reasons that are no pass, by code. `codes` are those that are asked for.
fn advice(file: &str, codes: &[&str]) -> Result<Vec<(String, String)>> {
    let output = Command::new(provided::lotse()?)
        .args(["check", "--json"])
        .arg(provided::fixture(file)?)
        .output()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let findings = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(findings
        .iter()
        .filter(|finding| finding["status"] != "pass" && codes.contains(&text(&finding["code"]).as_str()))
        .map(|finding| (text(&finding["status"]), text(&finding["reason"])))
        .collect())
}

/// What is told of the old machine's network, identity, secrets and room.
const LEFTOVERS: &[&str] = &[
    "network_address",
    "network_card",
    "machine_id",
    "private_keys",
    "credentials",
    "authorized_keys",
    "histories",
    "room_to_grow",
    "free_space",
    "swap",
];

#[test]
fn years_of_use_elsewhere_are_told() -> Result {
    let found = advice("debian-used.qcow2", LEFTOVERS)?;
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(status, reason)| (status.as_str(), reason.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("fail", "network_address_fixed"),
            ("warning", "machine_id_kept"),
            ("warning", "private_keys_found"),
            ("warning", "credentials_found"),
            ("warning", "authorized_keys_found"),
            ("warning", "histories_found"),
            ("warning", "room_to_grow_not_last"),
            ("warning", "swap_partition"),
        ]
    );
    Ok(())
}

/// A false alarm is worse than a missed trifle: who gets ten of them reads none.
#[test]
fn nothing_of_the_kind_is_told_of_systems_as_they_are_handed_out() -> Result {
    for file in [
        "alma-9.raw",
        "arch.raw",
        "centos-7.raw",
        "fedora-42.raw",
        "fedora-coreos.raw",
        "flatcar.raw",
        "gentoo.raw",
        "opensuse-leap-15.6.raw",
        "opensuse-tumbleweed.raw",
        "rocky-8.raw",
        "ubuntu-24.04.raw",
    ] {
        assert_eq!(advice(file, LEFTOVERS)?, [], "{file}");
    }
    assert_eq!(advice("debian-12-kernel.qcow2", LEFTOVERS)?, []);
    Ok(())
}

/// The card's hardware address stands in Red Hat's file, and its cloud-init is too old to write another.
#[test]
fn a_card_that_no_new_machine_has_is_told() -> Result {
    let found = advice("centos-6.raw", &["network_card"])?;
    assert_eq!(found, [("fail".to_owned(), "network_card_mac".to_owned())]);
    Ok(())
}

/// What is told of whether a VM starts.
const START: &[&str] = &[
    "kernel",
    "boot_loader",
    "root_device",
    "virtio_drivers",
    "mounts",
    "architecture",
    "disk_layout",
    "several_systems",
];

#[test]
fn a_system_that_starts_is_told_nothing_about_starting() -> Result {
    assert_eq!(advice("debian-12-kernel.qcow2", START)?, []);
    Ok(())
}

/// The stand-ins have neither a boot loader nor, most of them, a kernel or its initramfs; what they have is judged.
#[test]
fn what_keeps_a_vm_from_starting_is_told() -> Result {
    let no_loader = ("fail", "boot_loader_none");
    for (file, expected) in [
        ("debian-12.raw", vec![("fail", "kernel_missing"), no_loader]),
        (
            "debian-dirty-journal.raw",
            vec![("fail", "kernel_missing"), no_loader, ("warning", "disk_layout_in_use")],
        ),
        // The initramfs is named by the menu, and the root by its UUID, which only an initramfs finds.
        ("alma-9.raw", vec![("fail", "kernel_initramfs_missing"), no_loader]),
        (
            "gentoo.raw",
            vec![
                ("warning", "kernel_initramfs_missing"),
                no_loader,
                ("warning", "root_device_kernel_name"),
                ("warning", "mounts_root_line"),
            ],
        ),
        (
            "centos-6.raw",
            vec![
                ("warning", "kernel_initramfs_missing"),
                no_loader,
                ("warning", "root_device_virtio_name"),
                ("warning", "mounts_root_line"),
            ],
        ),
        ("alpine-3.22.raw", vec![no_loader, ("warning", "architecture_other")]),
        (
            "debian-luks.raw",
            vec![no_loader, ("warning", "mounts_encrypted_system")],
        ),
        (
            "two-systems.raw",
            vec![no_loader, ("warning", "several_systems_undecided")],
        ),
        // Nothing about a start that ccloud³ does not offer.
        ("windows.raw", vec![]),
        // Kernel and drivers are there: only the loader is missing.
        ("arch.raw", vec![no_loader]),
        ("flatcar.raw", vec![no_loader]),
    ] {
        let found = advice(file, START)?;
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(status, reason)| (status.as_str(), reason.as_str()))
            .collect();
        assert_eq!(found, expected, "{file}");
    }
    Ok(())
}

#[test]
fn how_a_filesystem_was_left_is_read_off_it() -> Result {
    for (file, left) in [
        ("debian-12.raw", Left::Clean),
        ("debian-dirty-journal.raw", Left::InUse),
        ("debian-lvm.raw", Left::Clean),
    ] {
        let facts = examine(file)?;
        let (Fact::Known(volumes), Fact::Known(Some(root))) = (facts.volumes, facts.root) else {
            return Err("volumes and root are known".into());
        };
        let volume = volumes
            .iter()
            .find(|volume| volume.uuid == root.uuid && volume.layers == root.layers)
            .ok_or("the root is among the volumes")?;
        assert_eq!(volume.left, Some(left), "{file}");
        assert!(
            volume.filesystem_len.is_some_and(|len| len > 0 && len <= volume.len),
            "{file}: whole"
        );
    }
    Ok(())
}

/// Whether the VM is reachable and lets its owner in.
const ACCESS: &[&str] = &[
    "ssh_key_login",
    "firewall",
    "sshd_configuration",
    "login_account",
    "login_name",
    "ssh_port",
    "host_keys",
];

#[test]
fn the_owner_gets_into_systems_as_they_are_handed_out() -> Result {
    for (file, user) in [
        ("alma-9.raw", "almalinux"),
        ("arch.raw", "arch"),
        ("centos-6.raw", "centos"),
        ("centos-7.raw", "centos"),
        ("debian-11.qcow2", "debian"),
        ("debian-12-kernel.qcow2", "debian"),
        ("debian-13.qcow2", "debian"),
        ("debian-lvm.raw", "debian"),
        ("fedora-42.raw", "fedora"),
        ("fedora-coreos.raw", "core"),
        ("flatcar.raw", "core"),
        ("gentoo.raw", "gentoo"),
        ("opensuse-leap-15.6.raw", "opensuse"),
        ("opensuse-tumbleweed.raw", "opensuse"),
        ("rocky-8.raw", "rocky"),
        ("ubuntu-24.04.raw", "ubuntu"),
    ] {
        assert_eq!(advice(file, ACCESS)?, [], "{file}");
        assert_eq!(login(file)?.as_deref(), Some(user), "{file}");
    }
    // Its server is built without PAM, and cloud-init's own settings lock the user's password: so it is with Alpine.
    let locked = ("fail".to_owned(), "login_account_locked".to_owned());
    assert_eq!(advice("alpine-3.22.raw", ACCESS)?, [locked]);
    Ok(())
}

/// The name to log in with, as the report has it.
fn login(file: &str) -> Result<Option<String>> {
    let output = Command::new(provided::lotse()?)
        .args(["check", "--json"])
        .arg(provided::fixture(file)?)
        .output()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    Ok(report["login"]["user"].as_str().map(str::to_owned))
}

/// What is told of the program that sets a VM up, besides the two requirements.
const AGENT: &[&str] = &[
    "ignition_platform",
    "cloud_init_instance",
    "cloud_init_seed",
    "cloud_init_skipped_files",
    "cloud_init_hostname",
    "cloud_init_password_login",
    "other_agents",
];

#[test]
fn only_what_was_in_use_or_made_for_another_place_is_told_about_its_set_up() -> Result {
    let told = [
        ("debian-used.qcow2", "warning", "cloud_init_instance_left"),
        // Made for QEMU: Ignition would ask its firmware, and never look at a config drive.
        ("fedora-coreos.raw", "fail", "ignition_platform_other"),
        ("flatcar.raw", "warning", "ignition_platform_not_named"),
    ];
    for image in IMAGES {
        let told = told.iter().filter(|(file, ..)| *file == image.file);
        let expected: Vec<_> = told
            .map(|(_, status, reason)| ((*status).to_owned(), (*reason).to_owned()))
            .collect();
        assert_eq!(advice(image.file, AGENT)?, expected, "{}", image.file);
    }
    Ok(())
}

/// The rule stays ccloud³'s; a person who uploads a stock image learns what will come of it.
#[test]
fn the_datasource_order_of_stock_images_tells_what_will_come_of_it() -> Result {
    for (file, reason, effect) in [
        (
            "debian-11.qcow2",
            "datasource_order_nocloud_first_built_in",
            "datasource_order_effect_identify",
        ),
        (
            "debian-12.qcow2",
            "datasource_order_nocloud_first_built_in",
            "datasource_order_effect_identify",
        ),
        (
            "debian-13.qcow2",
            "datasource_order_nocloud_first_built_in",
            "datasource_order_effect_identify",
        ),
        (
            "ubuntu-24.04.raw",
            "datasource_order_nocloud_first",
            "datasource_order_effect_identify",
        ),
        (
            "alpine-3.22.raw",
            "datasource_order_nocloud_first",
            "datasource_order_effect_nothing_there",
        ),
    ] {
        let output = Command::new(provided::lotse()?)
            .args(["check", "--json"])
            .arg(provided::fixture(file)?)
            .output()?;
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let findings = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
        let order = findings.iter().find(|finding| finding["code"] == "datasource_order");
        let order = order.ok_or("every report has the order")?;
        assert_eq!(order["status"], "warning", "{file}");
        assert_eq!(
            (&order["reason"], &order["details"][0]),
            (&reason.into(), &effect.into()),
            "{file}"
        );
    }
    Ok(())
}
