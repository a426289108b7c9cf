//! A bucket's policy as far as it is ours: one statement an object, recognised by its `Sid`. Everything else in it stays as it is.
//! AWS, "Policies and permissions in Amazon S3"; radosgw understands the same.

use serde_json::{Map, Value, json};

/// How the `Sid` of every statement of ours begins. AWS allows letters and digits only.
const OURS: &str = "Imagelotse";

/// Most of a key that becomes part of a `Sid`: folder and random digits of a staging object.
const LONGEST_MARK: usize = 64;

/// Largest policy in bytes (AWS, "Bucket policy quotas": 20 KB).
pub(super) const LARGEST: usize = 20 << 10;

/// A policy that is there and cannot be understood must not be replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// What is to be done with the bucket's policy.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It says already what it shall say.
    None,
    /// This one takes its place.
    Replace(String),
    /// Nothing would be left in it.
    Delete,
}

/// The policy's name for an object. `*`, `?` and `${…}` mean something else in it than themselves, and radosgw takes no `:` in a key:
/// for all of these stands `?`, which means any one character. The key's random digits keep it from meaning any other object.
pub(super) fn resource(bucket: &str, key: &str) -> String {
    let key: String = key
        .chars()
        .map(|character| {
            if matches!(character, '*' | '$' | ':') {
                '?'
            } else {
                character
            }
        })
        .collect();
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// Lets everybody read the object.
pub(super) fn allow(policy: Option<&[u8]>, resource: &str) -> Result<Change, Unreadable> {
    let mut document = match policy {
        Some(policy) => read(policy)?,
        None => Map::from_iter([("Version".to_owned(), Value::from("2012-10-17"))]),
    };
    let statements = statements(&mut document)?;
    if statements.iter().any(|statement| is_ours(statement, resource)) {
        return Ok(Change::None);
    }
    let sid = free_sid(statements, resource);
    statements.push(json!({
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": ["s3:GetObject"],
        "Resource": [resource],
    }));
    Ok(Change::Replace(Value::Object(document).to_string()))
}

/// Takes out what [`allow`] put in.
pub(super) fn disallow(policy: &[u8], resource: &str) -> Result<Change, Unreadable> {
    let mut document = read(policy)?;
    let statements = statements(&mut document)?;
    let before = statements.len();
    statements.retain(|statement| !is_ours(statement, resource));
    Ok(if statements.len() == before {
        Change::None
    } else if statements.is_empty() {
        Change::Delete
    } else {
        Change::Replace(Value::Object(document).to_string())
    })
}

fn read(policy: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    serde_json::from_slice(policy).map_err(|_| Unreadable)
}

/// The list of statements; a single one may stand without a list.
fn statements(document: &mut Map<String, Value>) -> Result<&mut Vec<Value>, Unreadable> {
    let statements = document.entry("Statement").or_insert_with(|| Value::Array(Vec::new()));
    if statements.is_object() {
        *statements = Value::Array(vec![statements.take()]);
    }
    statements.as_array_mut().ok_or(Unreadable)
}

fn is_ours(statement: &Value, resource: &str) -> bool {
    let named = match &statement["Resource"] {
        Value::Array(list) => list.len() == 1 && list[0] == resource,
        single => single == resource,
    };
    named && sid(statement).is_some_and(|sid| sid.starts_with(OURS))
}

fn sid(statement: &Value) -> Option<&str> {
    statement["Sid"].as_str()
}

/// A `Sid` that no other statement has: AWS refuses a policy with one twice.
fn free_sid(statements: &[Value], resource: &str) -> String {
    let key = resource.split_once('/').map_or("", |(_, key)| key);
    let mark = key.chars().filter(char::is_ascii_alphanumeric).take(LONGEST_MARK);
    let sid_of_key: String = OURS.chars().chain(mark).collect();
    let mut free = sid_of_key.clone();
    let mut count = 1_usize;
    while statements.iter().any(|statement| sid(statement) == Some(&free)) {
        count += 1;
        free = format!("{sid_of_key}N{count}");
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "imagelotse/0123456789abcdef0123456789abcdef/Büro $x*.raw";

    fn theirs() -> Value {
        json!({"Version": "2008-10-17", "Id": "own", "Statement": [
            {"Sid": "Backup", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/b"]}, "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"},
            {"Sid": "Imagelotse1", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": ["arn:aws:s3:::b/x", "arn:aws:s3:::b/y"]},
        ]})
    }

    fn replaced(change: Result<Change, Unreadable>) -> Value {
        match change.unwrap() {
            Change::Replace(policy) => serde_json::from_str(&policy).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn bytes(policy: &Value) -> Vec<u8> {
        policy.to_string().into_bytes()
    }

    #[test]
    fn what_others_wrote_stays_and_ours_goes_again() {
        let resource = resource("b", KEY);
        let with = replaced(allow(Some(&bytes(&theirs())), &resource));
        let statements = with["Statement"].as_array().unwrap();
        assert_eq!(statements[..2], theirs()["Statement"].as_array().unwrap()[..]);
        assert_eq!((&with["Id"], &with["Version"]), (&json!("own"), &json!("2008-10-17")));
        assert_eq!(
            statements[2]["Resource"],
            json!(["arn:aws:s3:::b/imagelotse/0123456789abcdef0123456789abcdef/Büro ?x?.raw"]),
            "this one object, and nothing in its name means anything else"
        );
        let sid = statements[2]["Sid"].as_str().unwrap();
        assert!(sid.chars().all(|character| character.is_ascii_alphanumeric()), "{sid}");
        assert_eq!(
            allow(Some(&bytes(&with)), &resource),
            Ok(Change::None),
            "once is enough"
        );
        assert_eq!(replaced(disallow(&bytes(&with), &resource)), theirs());
        assert_eq!(disallow(&bytes(&theirs()), &resource), Ok(Change::None));
        assert_eq!(
            disallow(&bytes(&theirs()), "arn:aws:s3:::b/x"),
            Ok(Change::None),
            "a statement about more than one object is none of ours"
        );
    }

    #[test]
    fn a_policy_of_ours_alone_is_removed_as_a_whole() {
        let (one, two) = (resource("b", "imagelotse/1/a.raw"), resource("b", "imagelotse/1/a-raw"));
        let first = replaced(allow(None, &one));
        assert_eq!(first["Version"], "2012-10-17");
        let both = replaced(allow(Some(&bytes(&first)), &two));
        let sids: Vec<_> = both["Statement"].as_array().unwrap().iter().map(sid).collect();
        assert_ne!(sids[0], sids[1], "AWS refuses a Sid twice");
        assert_eq!(replaced(disallow(&bytes(&both), &two)), first);
        assert_eq!(disallow(&bytes(&first), &one), Ok(Change::Delete));
    }

    #[test]
    fn a_single_statement_and_none_are_understood_and_anything_else_is_left_alone() {
        let resource = resource("b", "k");
        let single = json!({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}});
        let with = replaced(allow(Some(&bytes(&single)), &resource));
        assert_eq!(with["Statement"][0], single["Statement"]);
        assert_eq!(
            replaced(allow(Some(b"{}"), &resource))["Statement"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        for odd in [
            "",
            "[]",
            "<html>",
            "{\"Statement\": 5}",
            "{\"Statement\": \"all\"}",
            "{\"Statement\"",
        ] {
            assert_eq!(allow(Some(odd.as_bytes()), &resource), Err(Unreadable), "{odd}");
            assert_eq!(disallow(odd.as_bytes(), &resource), Err(Unreadable), "{odd}");
        }
    }
}
