//! What made the old machine the one it was: its identity, what cloud-init remembers of it, its leases and seeds.

use crate::{
    Evidence, FileKind,
    facts::{Found, MachineId, MachineIdState},
    files::{Files, Read},
};

use super::{found, is_filled, names};

/// Files with random numbers for the next boot (systemd-random-seed(8), urandom of System V and OpenRC, FreeBSD).
const RANDOM_SEEDS: &[&str] = &[
    "/var/lib/systemd/random-seed",
    "/var/lib/urandom/random-seed",
    "/var/lib/misc/random-seed",
    "/var/lib/seedrng/seed.credit",
    "/var/lib/random-seed",
    "/entropy",
    "/boot/entropy",
];

/// Where DHCP clients write their leases.
const LEASE_FOLDERS: &[&str] = &[
    "/var/lib/dhcp",
    "/var/lib/dhclient",
    "/var/lib/dhcpcd",
    "/var/lib/dhcpcd5",
    "/var/lib/NetworkManager",
    "/var/lib/wicked",
    "/var/db/dhcpcd",
    "/var/db",
];

/// `/etc/machine-id` by machine-id(5): 32 hexadecimal digits and a newline, or a state that makes a new one.
pub(super) fn machine_id(files: &Files<'_>) -> Read<MachineId> {
    const PATH: &str = "/etc/machine-id";
    const DBUS: &str = "/var/lib/dbus/machine-id";
    let state = match files.read_start(PATH, 64)? {
        None => MachineIdState::Missing,
        Some(text) => state_of(&text),
    };
    let mut evidence = vec![Evidence::path(PATH)];
    let is_file = files.lstat(DBUS)?.is_some_and(|stat| stat.kind == FileKind::File);
    let copied_for_dbus =
        is_file && files.read_start(DBUS, 64)?.map(|text| state_of(&text)) == Some(MachineIdState::Set);
    if copied_for_dbus {
        evidence.push(Evidence::path(DBUS));
    }
    Ok(MachineId {
        state,
        copied_for_dbus,
        evidence,
    })
}

fn state_of(text: &[u8]) -> MachineIdState {
    match text.trim_ascii() {
        b"" => MachineIdState::Empty,
        b"uninitialized" => MachineIdState::Uninitialized,
        id if id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit) && id.iter().any(|digit| *digit != b'0') => {
            MachineIdState::Set
        }
        _ => MachineIdState::Invalid,
    }
}

/// What cloud-init remembers of an instance: with it, it takes a new machine for the old one until it sees another
/// instance id, and with `manual-clean` for ever.
pub(super) fn cloud_init(files: &Files<'_>) -> Read<Vec<Found>> {
    let mut all = Vec::new();
    if files.exists("/var/lib/cloud/instance")? {
        all.push(found("instance_link", "/var/lib/cloud/instance"));
    }
    if files.stat("/var/lib/cloud/instance/manual-clean")?.is_some() {
        all.push(found("manual_clean", "/var/lib/cloud/instance/manual-clean"));
    }
    for name in names(files, "/var/lib/cloud/instances")? {
        all.push(found("instance", format!("/var/lib/cloud/instances/{name}")));
    }
    if is_filled(files, "/var/lib/cloud/instance/obj.pkl")? {
        all.push(found("datasource_cache", "/var/lib/cloud/instance/obj.pkl"));
    }
    for name in ["previous-instance-id", "previous-datasource", "instance-id"] {
        let path = format!("/var/lib/cloud/data/{name}");
        if is_filled(files, &path)? {
            all.push(found("previous_instance", path));
        }
    }
    for name in names(files, "/var/lib/cloud/seed")? {
        let path = format!("/var/lib/cloud/seed/{name}");
        if !files.list(&path)?.is_empty() {
            all.push(found("seed", path));
        }
    }
    Ok(all)
}

/// Leases, seeds of the random number generator and the journal of the old machine.
pub(super) fn traces(files: &Files<'_>) -> Read<Vec<Found>> {
    let mut all = Vec::new();
    for folder in LEASE_FOLDERS {
        for name in names(files, folder)? {
            let path = format!("{folder}/{name}");
            if is_lease(&name) && is_filled(files, &path)? {
                all.push(found("dhcp_lease", path));
            }
        }
    }
    for path in RANDOM_SEEDS {
        if is_filled(files, path)? {
            all.push(found("random_seed", *path));
        }
    }
    for name in names(files, "/var/log/journal")? {
        let path = format!("/var/log/journal/{name}");
        if name.len() == 32 && !files.list(&path)?.is_empty() {
            all.push(found("journal", path));
        }
    }
    Ok(all)
}

fn is_lease(name: &str) -> bool {
    let extension = name.rsplit('.').next().unwrap_or_default();
    matches!(extension, "lease" | "leases" | "lease6" | "leases6")
        || name.starts_with("dhclient.leases.")
        || (name.starts_with("lease-") && extension == "xml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    #[test]
    fn a_machine_id_has_the_states_of_its_manual_page() {
        let id = "5d41402abc4b2a76b9719d911017c592";
        for (text, state) in [
            ("", MachineIdState::Empty),
            ("\n", MachineIdState::Empty),
            ("uninitialized\n", MachineIdState::Uninitialized),
            (&format!("{id}\n"), MachineIdState::Set),
            (id, MachineIdState::Set),
            ("00000000000000000000000000000000\n", MachineIdState::Invalid),
            ("5d41402a-bc4b-2a76-b971-9d911017c592\n", MachineIdState::Invalid),
        ] {
            let tree = MemoryTree::new().file("/etc/machine-id", text);
            let read = machine_id(&Files::new(&tree).unwrap()).unwrap();
            assert_eq!(read.state, state, "{text:?}");
            assert!(!format!("{read:?}").contains("5d41"), "the identity itself is not told");
        }
        let tree = MemoryTree::new();
        let read = machine_id(&Files::new(&tree).unwrap()).unwrap();
        assert_eq!((read.state, read.copied_for_dbus), (MachineIdState::Missing, false));
    }

    #[test]
    fn only_a_copy_for_dbus_keeps_an_identity() {
        let id = "5d41402abc4b2a76b9719d911017c592\n";
        let linked = MemoryTree::new()
            .file("/etc/machine-id", "")
            .symlink("/var/lib/dbus/machine-id", "/etc/machine-id");
        let files = Files::new(&linked).unwrap();
        assert!(!machine_id(&files).unwrap().copied_for_dbus, "Debian's link is no copy");
        let copied = linked.file("/var/lib/dbus/machine-id", id);
        let files = Files::new(&copied).unwrap();
        assert!(
            machine_id(&files).unwrap().copied_for_dbus,
            "systemd would take it over again"
        );
    }

    #[test]
    fn an_instance_that_ran_is_seen() {
        let tree = MemoryTree::new()
            .dir("/var/lib/cloud/seed")
            .dir("/var/lib/cloud/seed/nocloud-net")
            .dir("/var/lib/cloud/instances")
            .dir("/var/lib/cloud/data");
        let files = Files::new(&tree).unwrap();
        assert_eq!(
            cloud_init(&files).unwrap(),
            [],
            "what the package brings is no instance"
        );
        let ran = tree
            .symlink("/var/lib/cloud/instance", "/var/lib/cloud/instances/i-1")
            .file("/var/lib/cloud/instances/i-1/obj.pkl", "pickle")
            .file("/var/lib/cloud/data/previous-instance-id", "NO_PREVIOUS_INSTANCE_ID\n")
            .file("/var/lib/cloud/data/instance-id", "i-1\n");
        let files = Files::new(&ran).unwrap();
        let kinds: Vec<String> = cloud_init(&files)
            .unwrap()
            .into_iter()
            .map(|found| found.kind)
            .collect();
        assert_eq!(
            kinds,
            [
                "instance_link",
                "instance",
                "datasource_cache",
                "previous_instance",
                "previous_instance"
            ]
        );
    }

    #[test]
    fn leases_and_seeds_are_traces() {
        let tree = MemoryTree::new()
            .file("/var/lib/dhcp/dhclient.ens3.leases", "lease { }")
            .file("/var/lib/NetworkManager/internal-5a-ens3.lease", "ADDRESS=1")
            .file("/var/lib/NetworkManager/timestamps", "x")
            .file("/var/lib/systemd/random-seed", "x")
            .file("/var/log/journal/5d41402abc4b2a76b9719d911017c592/system.journal", "x");
        let traces = traces(&Files::new(&tree).unwrap()).unwrap();
        let kinds: Vec<&str> = traces.iter().map(|found| found.kind.as_str()).collect();
        assert_eq!(kinds, ["dhcp_lease", "dhcp_lease", "random_seed", "journal"]);
    }
}
