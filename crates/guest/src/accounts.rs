//! Accounts in the guest's user database: is a name there, and can it log in? A password itself is never told.

use crate::{
    Evidence,
    facts::Account,
    files::{Files, Read},
};

/// Largest database that is read, in bytes; a line has about 60.
const LIMIT: usize = 4 << 20;

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
        let shell = fields.nth(3).unwrap_or_default().trim();
        let (password, expires) = match password {
            // In the shadow database.
            "x" => shadow(files, name)?,
            "*" if files.stat("/etc/master.passwd")?.is_some() => master(files, name)?,
            other => (state(other), None),
        };
        return Ok(Some(Account {
            from: Evidence::path(path)
                .line(number)
                .value(&format!("{name}:{uid}:{shell}")),
            uid,
            shell: shell.chars().take(Evidence::MAX_VALUE).collect(),
            password: password.to_owned(),
            expires,
        }));
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
fn shadow(files: &Files<'_>, name: &str) -> Read<(&'static str, Option<u32>)> {
    let text = files.read_text("/etc/shadow", LIMIT)?.unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let mut fields = line.unwrap_or("*").split(':');
    let password = state(fields.next().unwrap_or_default());
    // Behind the password: last change, minimum, maximum, warning, inactivity, and the day of expiry.
    Ok((password, fields.nth(5).and_then(|day| day.parse().ok())))
}

/// From master.passwd(5) of the BSDs; the expiry is in seconds there.
fn master(files: &Files<'_>, name: &str) -> Read<(&'static str, Option<u32>)> {
    const SECONDS_A_DAY: u64 = 86_400;
    let text = files.read_text("/etc/master.passwd", LIMIT)?.unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let mut fields = line.unwrap_or("*").split(':');
    let password = state(fields.next().unwrap_or_default());
    let seconds = fields
        .nth(4)
        .and_then(|seconds| seconds.parse::<u64>().ok())
        .filter(|seconds| *seconds > 0);
    Ok((
        password,
        seconds.and_then(|seconds| u32::try_from(seconds / SECONDS_A_DAY).ok()),
    ))
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
