//! What the old machine left behind, and room: identity, keys, credentials, traces, growing, free space, swap.

use lotse_guest::{
    Evidence, Fact, Unknown,
    facts::{AuthorizedKeys, Found, Grower, Leftovers, MachineIdState, Setting, Space, Swap, Switches},
};
use lotse_requirements::{Finding, Status, Subject, judge};

use crate::subjects::{ready, system, with};

fn found(kind: &str, path: &str) -> Found {
    Found {
        kind: kind.to_owned(),
        path: path.to_owned(),
    }
}

fn with_leftovers(change: impl FnOnce(&mut Leftovers)) -> Subject {
    with(|facts| {
        if let Fact::Known(leftovers) = &mut facts.leftovers {
            change(leftovers);
        }
    })
}

fn with_machine_id(state: MachineIdState, copied_for_dbus: bool) -> Subject {
    with_leftovers(|leftovers| {
        if let Fact::Known(id) = &mut leftovers.machine_id {
            id.state = state;
            id.copied_for_dbus = copied_for_dbus;
            if copied_for_dbus {
                id.evidence.push(Evidence::path("/var/lib/dbus/machine-id"));
            }
        }
    })
}

fn with_private_keys(keys: &[(&str, &str)]) -> Subject {
    let keys = keys.iter().map(|(kind, path)| found(kind, path)).collect();
    with_leftovers(|leftovers| leftovers.private_keys = Fact::Known(keys))
}

fn with_credentials(all: &[(&str, &str)]) -> Subject {
    let all = all.iter().map(|(kind, path)| found(kind, path)).collect();
    with_leftovers(|leftovers| leftovers.credentials = Fact::Known(all))
}

fn with_histories(histories: &[(&str, &str)], traces: &[(&str, &str)]) -> Subject {
    let of = |all: &[(&str, &str)]| all.iter().map(|(kind, path)| found(kind, path)).collect();
    with_leftovers(|leftovers| {
        leftovers.histories = Fact::Known(of(histories));
        leftovers.traces = Fact::Known(of(traces));
    })
}

fn with_authorized_keys(files: &[(Option<&str>, &str, u32)]) -> Subject {
    let files = files.iter().map(|(user, path, count)| AuthorizedKeys {
        user: user.map(str::to_owned),
        path: (*path).to_owned(),
        count: *count,
    });
    let files = files.collect();
    with_leftovers(|leftovers| leftovers.authorized_keys = Fact::Known(files))
}

fn with_space(change: impl FnOnce(&mut Space)) -> Subject {
    with(|facts| {
        if let Fact::Known(space) = &mut facts.space {
            change(space);
        }
    })
}

fn with_growers(kinds: &[&str]) -> Subject {
    let growers = kinds.iter().map(|kind| Grower {
        kind: (*kind).to_owned(),
        evidence: Evidence::path(format!("/usr/bin/{kind}")),
    });
    let growers = growers.collect();
    with_space(|space| space.growers = Fact::Known(growers))
}

fn with_switches(change: impl FnOnce(&mut Switches)) -> Subject {
    with(|facts| {
        if let Fact::Known(Some(cloud_init)) = &mut facts.cloud_init
            && let Fact::Known(switches) = &mut cloud_init.switches
        {
            change(switches);
        }
    })
}

fn off() -> Setting<bool> {
    Setting {
        value: false,
        from: Some(Evidence::path("/etc/cloud/cloud.cfg.d/10-disk.cfg").line(2)),
    }
}

fn swap_file(line: &str, len: Option<u64>) -> Swap {
    Swap {
        is_file: true,
        partition: None,
        len,
        used_at_boot: true,
        evidence: Some(Evidence::path("/etc/fstab").line(3).value(line)),
    }
}

fn on(mut subject: Subject, id: &str, version: &str) -> Subject {
    if let Ok(facts) = &mut subject.facts {
        facts.system = Fact::Known(Some(system(id, version, id)));
    }
    subject
}

/// Each of the distributions whose commands differ.
const DISTRIBUTIONS: &[(&str, &str)] = &[
    ("alpine", "3.22"),
    ("almalinux", "9.6"),
    ("centos", "7"),
    ("arch", ""),
    ("opensuse-leap", "15.6"),
    ("devuan", "5"),
    ("unheard-of", "1"),
];

pub(crate) fn subjects() -> Vec<Subject> {
    let mut all = vec![
        with_machine_id(MachineIdState::Set, true),
        with_machine_id(MachineIdState::Empty, true),
        with_private_keys(&[
            ("ssh_key_encrypted", "/home/anna/.ssh/id_rsa"),
            ("ssh_key", "/home/anna/.ssh/id_ed25519"),
            ("private_key", "/etc/ssl/private/www.key"),
        ]),
        with_private_keys(&[("ssh_key_encrypted", "/home/anna/.ssh/id_rsa")]),
        with_credentials(&[
            ("aws", "/root/.aws/credentials"),
            ("redhat_subscription", "/etc/pki/consumer/key.pem"),
        ]),
        with_credentials(&[("kerberos", "/etc/krb5.keytab")]),
        with_authorized_keys(&[(Some("root"), "/root/.ssh/authorized_keys", 2)]),
        with_histories(
            &[("bash", "/root/.bash_history"), ("mysql", "/root/.mysql_history")],
            &[("random_seed", "/var/lib/systemd/random-seed")],
        ),
        with_histories(&[], &[("journal", "/var/log/journal/5d41402abc4b2a76b9719d911017c592")]),
        with_space(|space| {
            space.root_is_last = false;
            space.partitions_behind_root = vec![2, 5];
        }),
        with(|facts| {
            if let Fact::Known(Some(root)) = &mut facts.root {
                root.layers = vec!["lvm".to_owned()];
            }
        }),
        with_growers(&["growfs"]),
        with_growers(&[]),
        with_switches(|switches| switches.grows_partition = off()),
        with_space(|space| space.free = Fact::Known(5 << 20)),
        with_space(|space| {
            space.swap = Fact::Known(vec![swap_file("/swapfile none swap sw 0 0", Some(1 << 30))]);
        }),
        with_space(|space| {
            space.swap = Fact::Known(vec![Swap {
                is_file: false,
                partition: Some(5),
                len: Some(975 << 20),
                used_at_boot: true,
                evidence: Some(Evidence::path("/etc/fstab").line(2).value("UUID=1 none swap sw 0 0")),
            }]);
        }),
    ];
    for (id, version) in DISTRIBUTIONS {
        all.push(on(with_machine_id(MachineIdState::Set, false), id, version));
        all.push(on(with_growers(&[]), id, version));
        all.push(on(with_space(|space| space.free = Fact::Known(0)), id, version));
    }
    all
}

fn finding(subject: &Subject, code: &str) -> Option<Finding> {
    judge(subject).findings.into_iter().find(|finding| finding.code == code)
}

fn reason(subject: &Subject, code: &str) -> Option<String> {
    finding(subject, code).map(|finding| finding.reason)
}

fn commands(subject: &Subject, code: &str) -> Vec<String> {
    finding(subject, code)
        .and_then(|finding| finding.remedy)
        .map(|remedy| remedy.commands)
        .unwrap_or_default()
}

#[test]
fn an_image_as_it_should_be_is_praised_for_its_secrets_and_silent_on_the_rest() {
    let subject = ready();
    for code in [
        "machine_id",
        "private_keys",
        "credentials",
        "authorized_keys",
        "room_to_grow",
    ] {
        assert_eq!(finding(&subject, code).unwrap().status, Status::Pass, "{code}");
    }
    for code in ["histories", "free_space", "swap"] {
        assert_eq!(finding(&subject, code), None, "{code} has nothing to say");
    }
}

#[test]
fn only_an_identity_that_every_machine_would_share_is_warned_of() {
    for state in [
        MachineIdState::Missing,
        MachineIdState::Empty,
        MachineIdState::Uninitialized,
        MachineIdState::Invalid,
    ] {
        let subject = with_machine_id(state, false);
        assert_eq!(
            finding(&subject, "machine_id").unwrap().status,
            Status::Pass,
            "{state:?}"
        );
    }
    let copied = with_machine_id(MachineIdState::Empty, true);
    let found = finding(&copied, "machine_id").unwrap();
    assert_eq!(
        found.reason, "machine_id_kept_by_dbus",
        "systemd takes D-Bus's copy over"
    );
    assert_eq!(found.evidence[0].path.as_deref(), Some("/var/lib/dbus/machine-id"));
    assert_eq!(
        commands(&copied, "machine_id"),
        ["truncate -s 0 /etc/machine-id", "rm -f /var/lib/dbus/machine-id"]
    );
}

#[test]
fn a_key_that_nobody_trusts_is_not_warned_of() {
    let subject = with_private_keys(&[("snakeoil_key", "/etc/ssl/private/ssl-cert-snakeoil.key")]);
    assert_eq!(reason(&subject, "private_keys").as_deref(), Some("private_keys_none"));
}

#[test]
fn keys_without_a_passphrase_stand_first() {
    let subject = with_private_keys(&[
        ("ssh_key_encrypted", "/home/anna/.ssh/id_rsa"),
        ("private_key", "/home/anna/aws.pem"),
    ]);
    let found = finding(&subject, "private_keys").unwrap();
    assert_eq!(found.reason, "private_keys_found");
    assert_eq!(found.evidence[0].path.as_deref(), Some("/home/anna/aws.pem"));
    assert_eq!(found.params["kinds"], "PEM, SSH");
}

/// A web server without its key does not start: no command may take it away.
#[test]
fn what_belongs_to_a_service_is_told_and_left_alone() {
    let subject = with_private_keys(&[
        ("private_key", "/etc/ssl/private/www.key"),
        ("ssh_key", "/root/.ssh/id_ed25519"),
    ]);
    assert_eq!(finding(&subject, "private_keys").unwrap().evidence.len(), 2);
    assert_eq!(
        commands(&subject, "private_keys"),
        ["[ ! -e /root/.ssh/id_ed25519 ] || shred -u /root/.ssh/id_ed25519"]
    );
    let service = with_credentials(&[("mysql", "/etc/mysql/debian.cnf")]);
    assert_eq!(commands(&service, "credentials"), [""; 0]);
}

#[test]
fn names_from_the_image_cannot_become_commands() {
    let quoted = with_credentials(&[("netrc", "/home/$(reboot)/.netrc")]);
    assert_eq!(
        commands(&quoted, "credentials"),
        ["[ ! -e '/home/$(reboot)/.netrc' ] || shred -u '/home/$(reboot)/.netrc'"]
    );
    let unreadable = with_credentials(&[("netrc", "/home/a\nreboot\n/.netrc")]);
    assert_eq!(commands(&unreadable, "credentials"), [""; 0]);
    let swap = with_space(|space| {
        space.swap = Fact::Known(vec![swap_file("/swap;reboot none swap sw 0 0", Some(4096))]);
    });
    assert_eq!(
        commands(&swap, "swap")[1],
        "[ ! -e '/swap;reboot' ] || { shred -n 0 -z '/swap;reboot' && mkswap '/swap;reboot'; }"
    );
}

#[test]
fn a_thousand_files_are_counted_and_not_all_listed() {
    let paths: Vec<String> = (0..1000).map(|number| format!("/home/u{number}/.netrc")).collect();
    let all: Vec<(&str, &str)> = paths.iter().map(|path| ("netrc", path.as_str())).collect();
    let found = finding(&with_credentials(&all), "credentials").unwrap();
    assert_eq!((found.params["count"].as_str(), found.evidence.len()), ("1000", 20));
    assert_eq!(
        found.remedy.unwrap().commands,
        [""; 0],
        "half of it would be worse than none"
    );
}

#[test]
fn keys_are_told_by_whom_they_let_in() {
    let subject = with_authorized_keys(&[
        (Some("anna"), "/home/anna/.ssh/authorized_keys", 2),
        (Some("anna"), "/home/anna/.ssh/authorized_keys2", 1),
        (None, "/home/gone/.ssh/authorized_keys", 1),
    ]);
    let found = finding(&subject, "authorized_keys").unwrap();
    assert_eq!(
        (found.params["count"].as_str(), found.params["users"].as_str()),
        ("4", "anna, /home/gone")
    );
}

#[test]
fn the_shell_does_not_write_its_history_again() {
    let subject = with_histories(
        &[("bash", "/root/.bash_history")],
        &[("dhcp_lease", "/var/lib/dhcp/a.leases")],
    );
    assert_eq!(
        commands(&subject, "histories"),
        [
            "unset HISTFILE",
            "[ ! -e /root/.bash_history ] || shred -u /root/.bash_history",
            "rm -f /var/lib/dhcp/a.leases"
        ]
    );
    let seed = with_histories(&[], &[("random_seed", "/var/lib/systemd/random-seed")]);
    assert_eq!(finding(&seed, "histories"), None, "a seed alone is not worth a word");
}

#[test]
fn a_root_that_grows_by_itself_needs_no_cloud_init() {
    let mut subject = with_growers(&["growroot", "growfs"]);
    if let Ok(facts) = &mut subject.facts
        && let Fact::Known(Some(cloud_init)) = &mut facts.cloud_init
        && let Fact::Known(switches) = &mut cloud_init.switches
    {
        switches.grows_partition = off();
        switches.grows_filesystem = off();
    }
    assert_eq!(reason(&subject, "room_to_grow").as_deref(), Some("room_to_grow_grows"));
}

#[test]
fn the_missing_program_is_named_and_installed() {
    let found = |kinds: &[&str]| finding(&with_growers(kinds), "room_to_grow").unwrap();
    let both = found(&[]);
    assert_eq!(both.params["programs"], "growpart, resize2fs");
    assert_eq!(
        both.remedy.unwrap().commands,
        ["apt-get update", "apt-get install --yes cloud-guest-utils e2fsprogs"]
    );
    assert_eq!(found(&["growpart"]).params["programs"], "resize2fs");
    assert_eq!(found(&["growpart", "growfs"]).status, Status::Pass);
}

#[test]
fn without_a_table_only_the_filesystem_grows() {
    let mut subject = with_growers(&["resize2fs"]);
    if let Ok(facts) = &mut subject.facts
        && let Fact::Known(Some(root)) = &mut facts.root
    {
        root.partition = None;
    }
    assert_eq!(reason(&subject, "room_to_grow").as_deref(), Some("room_to_grow_grows"));
}

#[test]
fn sixteen_mebibytes_are_just_enough() {
    let with_free = |free| with_space(|space| space.free = Fact::Known(free));
    assert_eq!(finding(&with_free(16 << 20), "free_space"), None);
    let short = finding(&with_free((16 << 20) - 1), "free_space").unwrap();
    assert_eq!(
        short.params["free_mib"], "15",
        "less than the limit must not look like the limit"
    );
}

#[test]
fn a_swap_file_that_is_not_there_yet_holds_nothing() {
    let subject = with_space(|space| space.swap = Fact::Known(vec![swap_file("/swapfile none swap sw 0 0", None)]));
    assert_eq!(finding(&subject, "swap"), None);
}

#[test]
fn what_is_not_known_is_no_pass() {
    let unknown = || Unknown::new("file_on_other_filesystem").with("path", "/home");
    let subject = with_leftovers(|leftovers| {
        leftovers.private_keys = Fact::Unknown(unknown());
        leftovers.credentials = Fact::Unknown(unknown());
        leftovers.authorized_keys = Fact::Unknown(unknown());
        leftovers.histories = Fact::Unknown(unknown());
    });
    for code in ["private_keys", "credentials", "authorized_keys", "histories"] {
        assert_eq!(finding(&subject, code).unwrap().status, Status::Unknown, "{code}");
    }
    let subject = with_space(|space| {
        space.free = Fact::Unknown(unknown());
        space.growers = Fact::Unknown(unknown());
        space.swap = Fact::Unknown(unknown());
    });
    for code in ["room_to_grow", "free_space", "swap"] {
        assert_eq!(finding(&subject, code).unwrap().status, Status::Unknown, "{code}");
    }
}
