//! Accounts in the guest's user database: is a name there, and can it log in? A password itself is never told.

use crate::{
    Evidence, Fact, FileKind,
    facts::{Account, Login, Shell},
    files::{Files, Read},
};

/// Largest database that is read, in bytes; a line has about 60.
const LIMIT: usize = 4 << 20;

/// What a program will set of a user whom it makes, or changes of one who is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Further groups.
    pub(crate) groups: Vec<String>,
    /// Its own group, if it is named.
    pub(crate) own_group: Option<String>,
    /// Has it none of its own name?
    pub(crate) no_own_group: bool,
    pub(crate) shell: Option<(String, Evidence)>,
    /// Is the password locked, as `passwd -l` does?
    pub(crate) locks: bool,
    /// Does the password's field that is set begin with `!`? `None` when none is set.
    pub(crate) password_locked: Option<bool>,
}

/// The user who gets the key, with the account on the disk or the one that `plan` makes of it.
pub(crate) fn login(
    files: &Files<'_>,
    user: Option<String>,
    root: bool,
    from: Vec<Evidence>,
    plan: Option<&Plan>,
) -> Login {
    let name = user.as_deref().or(root.then_some("root"));
    // Only the default user is planned for; root stays as it is.
    let plan = plan.filter(|_| user.is_some());
    let account = match name {
        Some(name) => Fact::from(find(files, name)),
        None => Fact::Known(None),
    };
    let there = match &account {
        Fact::Known(there) => Some(there.as_ref()),
        Fact::Unknown(_) => None,
    };
    let groups = match (name, there, plan) {
        (Some(name), Some(Some(account)), _) => groups(files, name, account.gid).ok(),
        (Some(name), Some(None), Some(plan)) => planned_groups(files, name, plan).ok(),
        _ => None,
    };
    let named = match (there, plan) {
        (Some(Some(account)), _) if account.shell.is_empty() => Some(("/bin/sh".to_owned(), account.from.clone())),
        (Some(Some(account)), _) => Some((account.shell.clone(), account.from.clone())),
        (Some(None), Some(plan)) => plan.shell.clone(),
        _ => None,
    };
    let locked = match (there, plan) {
        (Some(_), Some(Plan { locks: true, .. })) => Some(true),
        (
            Some(_),
            Some(Plan {
                password_locked: Some(locked),
                ..
            }),
        ) => Some(*locked),
        (Some(Some(account)), _) => Some(account.locked),
        // useradd(8) and adduser make an account without a password by `!`.
        (Some(None), Some(_)) => Some(true),
        _ => None,
    };
    Login {
        shell: named.map(|(path, from)| Shell {
            there: shell_there(files, &path).unwrap_or_default(),
            path,
            from,
        }),
        groups,
        locked,
        barred: barred(files),
        user,
        root,
        from,
        account,
    }
}

/// A system without `/bin/sh` is only a part of one, and `/run` is filled at boot (NixOS has its shells there).
fn shell_there(files: &Files<'_>, path: &str) -> Read<Option<bool>> {
    let there = is_program(files, path)?;
    let whole = there || (!path.starts_with("/run/") && is_program(files, "/bin/sh")?);
    Ok(whole.then_some(there))
}

fn is_program(files: &Files<'_>, path: &str) -> Read<bool> {
    Ok(files
        .stat(path)?
        .is_some_and(|stat| stat.kind == FileKind::File && stat.mode & 0o111 != 0))
}

/// nologin(5), for everybody but root.
fn barred(files: &Files<'_>) -> Option<Evidence> {
    const PATH: &str = "/etc/nologin";
    matches!(files.stat(PATH), Ok(Some(_))).then(|| Evidence::path(PATH))
}

/// The groups of an account: its own by number, the others by their members (group(5)).
fn groups(files: &Files<'_>, name: &str, gid: u32) -> Read<Vec<String>> {
    let mut all = Vec::new();
    for path in ["/etc/group", "/usr/lib/group"] {
        let text = files.read_text(path, LIMIT)?.unwrap_or_default();
        for line in text.lines() {
            let mut fields = line.split(':');
            let (Some(group), Some(number)) = (fields.next(), fields.nth(1)) else {
                continue;
            };
            let is_member = fields
                .next()
                .unwrap_or_default()
                .split(',')
                .any(|member| member.trim() == name);
            if (number.parse() == Ok(gid) || is_member) && !all.iter().any(|known| known == group) {
                all.push(group.to_owned());
            }
        }
    }
    Ok(all)
}

/// Those of an account that is made: useradd(8) gives it one of its own name unless `USERGROUPS_ENAB` says otherwise.
fn planned_groups(files: &Files<'_>, name: &str, plan: &Plan) -> Read<Vec<String>> {
    let own = match &plan.own_group {
        Some(group) => group.clone(),
        None if !plan.no_own_group && user_groups(files)? => name.to_owned(),
        None => "users".to_owned(),
    };
    Ok([vec![own], plan.groups.clone()].concat())
}

/// `USERGROUPS_ENAB` of login.defs(5); a system without that file has no useradd of shadow's and makes a group.
fn user_groups(files: &Files<'_>) -> Read<bool> {
    let Some(path) = files.first_file(&["/etc/login.defs", "/usr/etc/login.defs"])? else {
        return Ok(true);
    };
    let text = files.read_text(path, LIMIT)?.unwrap_or_default();
    let value = text.lines().rev().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("USERGROUPS_ENAB")).then(|| words.next().unwrap_or_default())
    });
    Ok(value.is_some_and(|value| value.eq_ignore_ascii_case("yes")))
}

/// What the password database says of an account.
struct Password {
    state: &'static str,
    locked: bool,
    must_change: bool,
    expires: Option<u32>,
}

impl Password {
    fn of(field: &str) -> Self {
        Self {
            state: state(field),
            locked: field.starts_with('!'),
            must_change: false,
            expires: None,
        }
    }
}

/// The account of a name; `None` when there is none.
pub(crate) fn find(files: &Files<'_>, name: &str) -> Read<Option<Account>> {
    for path in ["/etc/passwd", "/usr/lib/passwd"] {
        let Some(text) = files.read_text(path, LIMIT)? else {
            continue;
        };
        let found = (1..).zip(text.lines()).find_map(|(number, line)| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then_some((number, fields))
        });
        let Some((number, mut fields)) = found else {
            continue;
        };
        let password = fields.next().unwrap_or_default();
        let Some(uid) = fields.next().and_then(|uid| uid.parse().ok()) else {
            continue;
        };
        let Some(gid) = fields.next().and_then(|gid| gid.parse().ok()) else {
            continue;
        };
        let home = fields.nth(1).unwrap_or_default().to_owned();
        let shell = fields.next().unwrap_or_default().trim();
        let password = match password {
            // In the shadow database.
            "x" => shadow(files, name)?,
            "*" if files.stat("/etc/master.passwd")?.is_some() => master(files, name)?,
            other => Password::of(other),
        };
        return Ok(Some(Account {
            from: Evidence::path(path)
                .line(number)
                .value(&format!("{name}:{uid}:{shell}")),
            uid,
            shell: shell.chars().take(Evidence::MAX_VALUE).collect(),
            gid,
            password: password.state.to_owned(),
            locked: password.locked,
            must_change: password.must_change,
            expires: password.expires,
            open_to_others: open_to_others(files, &home)?,
        }));
    }
    Ok(None)
}

/// What of the way to the keys everybody may write: the home directory, `.ssh`, the file. What only its group may write,
/// Debian's server takes where that is the user's own.
fn open_to_others(files: &Files<'_>, home: &str) -> Read<Option<Evidence>> {
    for path in ["", "/.ssh", "/.ssh/authorized_keys"].map(|below| format!("{}{below}", home.trim_end_matches('/'))) {
        if let Some(stat) = files.stat(&path)?
            && stat.mode & 0o002 != 0
        {
            return Ok(Some(
                Evidence::path(path).value(&format!("mode {:03o}", stat.mode & 0o777)),
            ));
        }
    }
    Ok(None)
}

/// What a password's field says (shadow(5), crypt(5)): none fits, it is locked, empty or set.
fn state(field: &str) -> &'static str {
    match field {
        "" => "empty",
        "*" | "!*" | "!!" | "*LK*" | "!" | "x" => "none",
        _ if field.starts_with(['!', '*']) => "locked",
        _ => "set",
    }
}

/// From shadow(5): the password's state and the day on which the account expires.
fn shadow(files: &Files<'_>, name: &str) -> Read<Password> {
    let text = files.read_text("/etc/shadow", LIMIT)?.unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let mut fields = line.unwrap_or("*").split(':');
    let password = Password::of(fields.next().unwrap_or_default());
    let last_change = fields.next();
    // Behind it: minimum, maximum, warning, inactivity, and the day of expiry.
    Ok(Password {
        must_change: last_change == Some("0"),
        expires: fields.nth(4).and_then(|day| day.parse().ok()),
        ..password
    })
}

/// From master.passwd(5) of the BSDs; the expiry is in seconds there.
fn master(files: &Files<'_>, name: &str) -> Read<Password> {
    const SECONDS_A_DAY: u64 = 86_400;
    let text = files.read_text("/etc/master.passwd", LIMIT)?.unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let mut fields = line.unwrap_or("*").split(':');
    let password = Password::of(fields.next().unwrap_or_default());
    let seconds = fields
        .nth(4)
        .and_then(|seconds| seconds.parse::<u64>().ok())
        .filter(|seconds| *seconds > 0);
    Ok(Password {
        expires: seconds.and_then(|seconds| u32::try_from(seconds / SECONDS_A_DAY).ok()),
        ..password
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    fn account(tree: &MemoryTree, name: &str) -> Option<Account> {
        find(&Files::new(tree).unwrap(), name).unwrap()
    }

    #[test]
    fn an_account_tells_shell_and_state_and_no_password() {
        let tree = MemoryTree::new()
            .file(
                "/etc/passwd",
                "root:x:0:0:root:/root:/bin/bash\ndebian:x:1000:1000:,,,:/home/debian:/bin/bash\nold:x:1001:1001::/:\n",
            )
            .file(
                "/etc/shadow",
                "root:*:19000:0:99999:7:::\ndebian:!$y$secret:19000:0:99999:7:::\nold:$y$secret:1:0:9:7::18000:\n",
            );
        let debian = account(&tree, "debian").unwrap();
        assert_eq!(
            (debian.uid, debian.shell.as_str(), debian.password.as_str()),
            (1000, "/bin/bash", "locked")
        );
        assert_eq!((debian.from.line, debian.expires), (Some(2), None));
        let old = account(&tree, "old").unwrap();
        assert_eq!(
            (old.shell.as_str(), old.password.as_str(), old.expires),
            ("", "set", Some(18000))
        );
        assert_eq!(account(&tree, "root").unwrap().password, "none");
        assert_eq!(account(&tree, "deb"), None, "a name's beginning is another name");
        assert!(!format!("{debian:?}{old:?}").contains("secret"));
    }

    fn login_of(tree: &MemoryTree, user: Option<&str>, plan: Option<&Plan>) -> Login {
        let files = Files::new(tree).unwrap();
        login(&files, user.map(str::to_owned), user.is_none(), Vec::new(), plan)
    }

    /// Debian's own files, and a user as cloud-init's settings have one there.
    fn debian() -> (MemoryTree, Plan) {
        let tree = MemoryTree::new()
            .program("/bin/bash", "\x7fELF")
            .program("/bin/sh", "\x7fELF")
            .file("/etc/login.defs", "# USERGROUPS_ENAB no\nUSERGROUPS_ENAB yes\n")
            .file(
                "/etc/passwd",
                "root:x:0:0:root:/root:/bin/bash\nold:x:1001:100::/home/old:/usr/sbin/nologin\n",
            )
            .file("/etc/shadow", "root:*:19000:0:99999:7:::\nold:$y$x:0:0:9:7:::\n")
            .file("/etc/group", "root:x:0:\nusers:x:100:\nsudo:x:27:admin, old\n");
        let plan = Plan {
            groups: vec!["adm".to_owned(), "sudo".to_owned()],
            shell: Some(("/bin/bash".to_owned(), Evidence::path("/etc/cloud/cloud.cfg").line(7))),
            locks: true,
            ..Plan::default()
        };
        (tree, plan)
    }

    #[test]
    fn a_user_who_will_be_made_is_told_as_it_will_be() {
        let (tree, plan) = debian();
        let made = login_of(&tree, Some("debian"), Some(&plan));
        assert_eq!(made.groups.unwrap(), ["debian", "adm", "sudo"]);
        assert_eq!((made.account, made.locked), (Fact::Known(None), Some(true)));
        let shell = made.shell.unwrap();
        assert_eq!(
            (shell.path.as_str(), shell.there, shell.from.line),
            ("/bin/bash", Some(true), Some(7))
        );

        let suse = tree
            .clone()
            .file("/etc/login.defs", "USERGROUPS_ENAB no\n")
            .without("/bin/bash");
        let made = login_of(&suse, Some("opensuse"), Some(&plan));
        assert_eq!(made.groups.unwrap(), ["users", "adm", "sudo"]);
        assert_eq!(
            made.shell.unwrap().there,
            Some(false),
            "sshd refuses whoever has no shell"
        );

        let unlocked = |password_locked| Plan {
            locks: false,
            password_locked,
            ..plan.clone()
        };
        assert_eq!(
            login_of(&tree, Some("x"), Some(&unlocked(Some(false)))).locked,
            Some(false)
        );
        assert_eq!(
            login_of(&tree, Some("x"), Some(&unlocked(None))).locked,
            Some(true),
            "useradd makes `!`"
        );
    }

    #[test]
    fn an_account_that_is_there_keeps_its_shell_and_groups() {
        let (tree, plan) = debian();
        let old = login_of(&tree, Some("old"), Some(&plan));
        assert_eq!(old.groups.unwrap(), ["users", "sudo"]);
        let shell = old.shell.unwrap();
        assert_eq!((shell.path.as_str(), shell.there), ("/usr/sbin/nologin", Some(false)));
        assert_eq!(old.locked, Some(true), "cloud-init locks its password");
        assert!(matches!(old.account, Fact::Known(Some(account)) if account.must_change && !account.locked));

        let root = login_of(&tree.file("/etc/nologin", ""), None, Some(&plan));
        assert_eq!((root.user, root.groups.unwrap()), (None, vec!["root".to_owned()]));
        assert_eq!(root.locked, Some(false), "root is not touched");
        assert_eq!(root.barred, Some(Evidence::path("/etc/nologin")));
    }

    #[test]
    fn a_home_that_others_may_write_is_seen() {
        let (tree, _) = debian();
        assert_eq!(account(&tree, "old").unwrap().open_to_others, None);
        let open = tree.file_with_mode("/home/old/.ssh/authorized_keys", "", 0o666);
        let place = Evidence::path("/home/old/.ssh/authorized_keys").value("mode 666");
        assert_eq!(account(&open, "old").unwrap().open_to_others, Some(place));
    }

    #[test]
    fn freebsd_keeps_passwords_in_a_database_of_its_own() {
        let tree = MemoryTree::new()
            .file("/etc/passwd", "freebsd:*:1001:1001:FreeBSD:/home/freebsd:/bin/sh\n")
            .file(
                "/etc/master.passwd",
                "freebsd:*:1001:1001::0:864000:FreeBSD:/home/freebsd:/bin/sh\n",
            );
        let account = account(&tree, "freebsd").unwrap();
        assert_eq!((account.password.as_str(), account.expires), ("none", Some(10)));
    }
}
