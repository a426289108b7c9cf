//! Bucket policies, as far as they make objects public: Allow, everybody, `s3:GetObject`, these objects.
//! What is not understood is refused when it is put, so that nothing that was asked for is ever silently not done.

use std::collections::HashSet;

use s3s::{S3Error, s3_error};
use serde::{Deserialize, de::IgnoredAny};

/// Both versions of the language that there are (IAM user guide, "IAM JSON policy elements: Version").
const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];

/// Why a policy is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is none.
    Malformed,
    /// The practice cloud could not do as it says.
    NotUnderstood,
}

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // Radosgw's answer; AWS calls it MalformedPolicy.
            Refusal::Malformed => s3_error!(InvalidArgument, "The policy is malformed"),
            Refusal::NotUnderstood => s3_error!(NotImplemented, "The practice cloud only lets everybody read objects"),
        }
    }
}

/// A policy that was understood.
#[derive(Debug)]
pub(super) struct Policy {
    /// Patterns of keys that everybody may read.
    readable: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Document {
    version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrMore<Statement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Statement {
    sid: Option<String>,
    effect: String,
    principal: Option<Principal>,
    action: Option<OneOrMore<String>>,
    resource: Option<OneOrMore<String>>,
    condition: Option<IgnoredAny>,
    not_principal: Option<IgnoredAny>,
    not_action: Option<IgnoredAny>,
    not_resource: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Principal {
    All(String),
    Named(Named),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(rename = "AWS")]
    aws: OneOrMore<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    More(Vec<T>),
    One(T),
}

impl<T> OneOrMore<T> {
    fn all(&self) -> &[T] {
        match self {
            Self::More(all) => all,
            Self::One(one) => std::slice::from_ref(one),
        }
    }
}

impl Policy {
    /// Reads the policy of `bucket`.
    pub(super) fn parse(text: &str, bucket: &str) -> Result<Self, Refusal> {
        let document: Document = serde_json::from_str(text).map_err(|_| Refusal::Malformed)?;
        if document
            .version
            .is_some_and(|version| !VERSIONS.contains(&version.as_str()))
        {
            return Err(Refusal::Malformed);
        }
        let statements = document.statement.all();
        // As AWS, which takes no empty policy; radosgw does.
        if statements.is_empty() {
            return Err(Refusal::Malformed);
        }
        let (mut sids, mut readable) = (HashSet::new(), Vec::new());
        for statement in statements {
            // As AWS: letters and digits, none twice. Radosgw takes any.
            if let Some(sid) = &statement.sid
                && !(sid.chars().all(|letter| letter.is_ascii_alphanumeric()) && sids.insert(sid))
            {
                return Err(Refusal::Malformed);
            }
            readable.extend(statement.readable(bucket)?);
        }
        Ok(Self { readable })
    }

    /// May everybody read the object?
    pub(super) fn lets_read(&self, key: &str) -> bool {
        self.readable.iter().any(|pattern| matches(pattern, key))
    }
}

impl Statement {
    /// The patterns of keys that everybody may read by this.
    fn readable(&self, bucket: &str) -> Result<Vec<String>, Refusal> {
        let strange = [
            &self.condition,
            &self.not_principal,
            &self.not_action,
            &self.not_resource,
        ];
        match self.effect.as_str() {
            "Allow" if strange.iter().all(|field| field.is_none()) => {}
            "Allow" | "Deny" => return Err(Refusal::NotUnderstood),
            _ => return Err(Refusal::Malformed),
        }
        // Radosgw takes a statement without these, too, which then does nothing; AWS does not.
        let (Some(principal), Some(action), Some(resource)) = (&self.principal, &self.action, &self.resource) else {
            return Err(Refusal::Malformed);
        };
        let everybody = match principal {
            Principal::All(name) => name == "*",
            Principal::Named(named) => named.aws.all() == ["*"],
        };
        let reading = action
            .all()
            .iter()
            .all(|action| action.eq_ignore_ascii_case("s3:GetObject"));
        if !everybody || !reading || action.all().is_empty() {
            return Err(Refusal::NotUnderstood);
        }
        let patterns = resource.all().iter().map(|resource| {
            let name = resource.strip_prefix("arn:aws:s3:::").ok_or(Refusal::Malformed)?;
            // Policy variables.
            if name.contains("${") {
                return Err(Refusal::NotUnderstood);
            }
            // As radosgw: a colon separates the parts of a resource's name, and this is the last one.
            if name.contains(':') {
                return Err(Refusal::Malformed);
            }
            // As AWS: only objects can be read, and only this bucket's are this policy's business.
            match name.split_once('/') {
                Some((of, pattern)) if of == bucket && !pattern.is_empty() => Ok(pattern.to_owned()),
                _ => Err(Refusal::Malformed),
            }
        });
        patterns.collect()
    }
}

/// Does the text fit the pattern, in which `*` stands for any characters and `?` for one?
fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where to go on when what follows the last `*` does not fit: the star then takes one character more.
    let mut retry = None;
    loop {
        let (mut next_pattern, mut next_text) = (pattern.clone(), text.clone());
        match (next_pattern.next(), next_text.next()) {
            (Some('*'), _) => {
                retry = Some((next_pattern.clone(), text.clone()));
                pattern = next_pattern;
                continue;
            }
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                (pattern, text) = (next_pattern, next_text);
                continue;
            }
            _ => {}
        }
        let Some((after_star, mut longer)) = retry.take() else {
            return false;
        };
        if longer.next().is_none() {
            return false;
        }
        retry = Some((after_star.clone(), longer.clone()));
        (pattern, text) = (after_star, longer);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn statement(change: &Value) -> Value {
        let mut statement =
            json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/a"});
        for (name, value) in change.as_object().unwrap() {
            if value.is_null() {
                statement.as_object_mut().unwrap().remove(name);
            } else {
                statement[name] = value.clone();
            }
        }
        statement
    }

    fn parse(document: &Value) -> Result<Policy, Refusal> {
        Policy::parse(&document.to_string(), "b")
    }

    #[test]
    fn it_opens_just_the_named_objects() {
        let one = parse(&json!({"Version": "2012-10-17", "Statement": [statement(&json!({}))]})).unwrap();
        assert!(one.lets_read("a") && !one.lets_read("ab") && !one.lets_read(""));
        let more = json!({"Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/x/ä b.raw", "arn:aws:s3:::b/y/*"]});
        let more = parse(&json!({"Id": "mine", "Statement": statement(&more)})).unwrap();
        assert!(more.lets_read("x/ä b.raw") && more.lets_read("y/") && more.lets_read("y/1/2") && !more.lets_read("a"));
    }

    #[test]
    fn what_it_cannot_do_is_refused() {
        for (change, refusal) in [
            (json!({"Effect": "Deny"}), Refusal::NotUnderstood),
            (
                json!({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}),
                Refusal::NotUnderstood,
            ),
            (
                json!({"Principal": {"AWS": "arn:aws:iam:::user/other"}}),
                Refusal::NotUnderstood,
            ),
            (json!({"Principal": null, "NotPrincipal": "*"}), Refusal::NotUnderstood),
            (json!({"Action": "s3:*"}), Refusal::NotUnderstood),
            (
                json!({"Action": ["s3:GetObject", "s3:PutObject"]}),
                Refusal::NotUnderstood,
            ),
            (
                json!({"Resource": "arn:aws:s3:::b/${aws:username}"}),
                Refusal::NotUnderstood,
            ),
            (json!({"Effect": "Maybe"}), Refusal::Malformed),
            (json!({"Principal": null}), Refusal::Malformed),
            (json!({"Action": null}), Refusal::Malformed),
            (json!({"Resource": null}), Refusal::Malformed),
            (json!({"Resource": "b/a"}), Refusal::Malformed),
            (json!({"Resource": "arn:aws:s3:::other/a"}), Refusal::Malformed),
            (json!({"Resource": "arn:aws:s3:::b"}), Refusal::Malformed),
            (json!({"Resource": "arn:aws:s3:::b/a:b"}), Refusal::Malformed),
            (json!({"Sid": "a b"}), Refusal::Malformed),
            (json!({"Colour": "green"}), Refusal::Malformed),
        ] {
            let refused = parse(&json!({"Statement": [statement(&change)]})).unwrap_err();
            assert_eq!(refused, refusal, "{change}");
        }
        let twice = statement(&json!({"Sid": "a"}));
        for document in [
            json!({"Version": "2020-01-01", "Statement": [statement(&json!({}))]}),
            json!({"Statement": [twice, twice]}),
            json!({"Statement": []}),
            json!({}),
            json!("garbage"),
        ] {
            assert_eq!(parse(&document).unwrap_err(), Refusal::Malformed, "{document}");
        }
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*b*c", "a1b2bc", true),
            ("a*b*c", "a1b2b", false),
            ("a?", "aä", true),
            ("a?", "a", false),
            ("*a", "aaab", false),
            ("a*b", "a*b", true),
            ("", "a", false),
            ("ab", "a", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
