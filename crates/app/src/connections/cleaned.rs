//! What a person types of an object storage, cleaned and checked: each fault has a code of its own, told before anything is sent.

use std::net::Ipv4Addr;

use lotse_cloud::{Addressing, Secret};
use url::{Host, Url};

use super::ObjectStorage;
use crate::Error;

/// Longest name, and longest name of a region, in characters: what a list still shows.
const MAX_NAME: usize = 100;

/// Longest access key and region: AWS says 128 of a key ("AccessKey" of IAM); nothing that services hand out is longer than this.
const MAX_WORD: usize = 255;

/// Lengths of a bucket's name: 3 to 63 for new ones, up to 255 for old ones of AWS and radosgw ("Bucket naming rules").
const BUCKET_LENGTHS: std::ops::RangeInclusive<usize> = 3..=255;

impl ObjectStorage {
    /// An address of a service as a person types it; without a scheme it is HTTPS.
    ///
    /// # Errors
    /// Codes `s3_endpoint_invalid`, `connection_endpoint_user`.
    pub fn address(typed: &str) -> Result<Url, Error> {
        let typed = typed.trim();
        let invalid = |reason: String| {
            Error::new("s3_endpoint_invalid")
                // What stands before an `@` may be a password.
                .with("endpoint", typed.rsplit('@').next().unwrap_or(typed))
                .with("reason", reason)
        };
        let url = web_address(typed).map_err(invalid)?;
        if url.username().is_empty() && url.password().is_none() {
            Ok(url)
        } else {
            Err(Error::new("connection_endpoint_user"))
        }
    }

    /// An address of a control panel as a person types it; without a scheme it is HTTPS. None where nothing was typed.
    ///
    /// # Errors
    /// Code `connection_panel_invalid`.
    pub fn panel_address(typed: &str) -> Result<Option<Url>, Error> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Ok(None);
        }
        let invalid = || {
            let shown = typed.rsplit('@').next().unwrap_or(typed);
            Error::new("connection_panel_invalid").with("panel", shown)
        };
        match web_address(typed) {
            Ok(url) if url.username().is_empty() && url.password().is_none() => Ok(Some(url)),
            _ => Err(invalid()),
        }
    }

    /// As it is kept.
    ///
    /// # Errors
    /// As [`ObjectStorage::cleaned_to_try`]; codes `connection_name_empty`, `connection_name_too_long`, `connection_bucket_empty`.
    pub(super) fn cleaned(&self) -> Result<Self, Error> {
        let cleaned = self.cleaned_to_try()?;
        if cleaned.name.is_empty() {
            return Err(Error::new("connection_name_empty"));
        }
        if cleaned.name.chars().count() > MAX_NAME {
            return Err(Error::new("connection_name_too_long").with("most", MAX_NAME));
        }
        if cleaned.bucket.is_empty() {
            return Err(Error::new("connection_bucket_empty"));
        }
        Ok(cleaned)
    }

    /// As it is tried: it needs no name for that, and perhaps no bucket yet. An address with the bucket in it is taken apart.
    ///
    /// # Errors
    /// Codes `s3_endpoint_invalid`, `connection_endpoint_user`, `connection_endpoint_path`, `connection_bucket_invalid`,
    /// `connection_access_key_empty`, `connection_access_key_invalid`, `connection_region_invalid`, `connection_panel_invalid`,
    /// `connection_image_region_too_long`.
    pub fn cleaned_to_try(&self) -> Result<Self, Error> {
        let access_key = self.access_key.trim();
        if access_key.is_empty() {
            return Err(Error::new("connection_access_key_empty"));
        }
        if !is_word(access_key) {
            return Err(Error::new("connection_access_key_invalid"));
        }
        let region = self.region.trim();
        if !is_word(region) || region.contains('/') {
            return Err(Error::new("connection_region_invalid").with("region", region));
        }
        let panel = self.panel.as_ref().map_or("", |panel| panel.as_str());
        let typed = Self::address(self.endpoint.as_str())?;
        let (endpoint, bucket, addressing) = apart(typed, self.bucket.trim(), self.addressing)?;
        if !bucket.is_empty() && !is_bucket(&bucket) {
            return Err(Error::new("connection_bucket_invalid").with("bucket", bucket));
        }
        Ok(Self {
            name: one_line(&self.name),
            endpoint,
            region: region.to_owned(),
            bucket,
            addressing,
            access_key: access_key.to_owned(),
            public_by: self.public_by,
            secret_in: self.secret_in,
            panel: Self::panel_address(panel)?,
            image_regions: image_regions(&self.image_regions)?,
        })
    }
}

/// A secret key as it was typed or pasted, without what came along with it.
///
/// # Errors
/// Codes `connection_secret_empty`, `connection_secret_invalid`.
pub(super) fn secret(typed: &Secret) -> Result<Secret, Error> {
    let secret = typed.expose().trim();
    if secret.is_empty() {
        Err(Error::new("connection_secret_empty"))
    } else if secret.chars().any(char::is_control) {
        Err(Error::new("connection_secret_invalid"))
    } else {
        Ok(Secret::new(secret))
    }
}

/// May a bucket of this name be made? S3's rules for new ones ("Bucket naming rules"), which radosgw and Swift keep to as well.
pub(super) fn may_be_made(bucket: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let outer = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = bucket.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| inner(*byte))
        && outer(bytes.first())
        && outer(bytes.last())
        && !bucket.contains("..")
        && bucket.parse::<Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"]
            .iter()
            .any(|taken| bucket.starts_with(taken))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
            .iter()
            .any(|taken| bucket.ends_with(taken))
}

/// May there be a bucket of this name? Old ones have capitals and `_`.
fn is_bucket(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    BUCKET_LENGTHS.contains(&name.len())
        && name.bytes().all(known)
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

fn is_word(text: &str) -> bool {
    text.len() <= MAX_WORD && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn one_line(text: &str) -> String {
    let words = text.split(|character: char| character.is_whitespace() || character.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn image_regions(typed: &[String]) -> Result<Vec<String>, Error> {
    let mut regions: Vec<String> = Vec::new();
    for region in typed.iter().map(|region| one_line(region)) {
        if region.chars().count() > MAX_NAME {
            return Err(Error::new("connection_image_region_too_long").with("most", MAX_NAME));
        }
        if !region.is_empty() && !regions.contains(&region) {
            regions.push(region);
        }
    }
    Ok(regions)
}

fn web_address(typed: &str) -> Result<Url, String> {
    let url = if typed.contains("://") {
        Url::parse(typed)
    } else {
        Url::parse(&format!("https://{typed}"))
    };
    match url {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        Ok(url) => Err(url.scheme().to_owned()),
        Err(cause) => Err(cause.to_string()),
    }
}

/// The service and the bucket, where the address names both: panels show `https://bucket.service` and `https://service/bucket`.
///
/// # Errors
/// Code `connection_endpoint_path` where more than that stands in it.
fn apart(mut typed: Url, bucket: &str, addressing: Addressing) -> Result<(Url, String, Addressing), Error> {
    let path = typed.path().trim_matches('/').to_owned();
    let plain = typed.query().is_none() && typed.fragment().is_none();
    let named = path.is_empty() || (!path.contains('/') && (bucket.is_empty() || bucket == path));
    if !(plain && named) {
        let server = typed.host_str().unwrap_or_default();
        return Err(Error::new("connection_endpoint_path").with("server", server));
    }
    typed.set_path("");
    // No name can stand before a bare address.
    let addressing = match typed.host() {
        Some(Host::Domain(_)) => addressing,
        _ => Addressing::Path,
    };
    if !path.is_empty() {
        return Ok((typed, path, Addressing::Path));
    }
    let Some((first, service)) = labels(&typed) else {
        return Ok((typed, bucket.to_owned(), addressing));
    };
    // Such as `s3.eu-central-1.example`. Somebody's own `images.home.example` may well have a bucket `images`.
    let is_s3 = service == "s3" || service.starts_with("s3.") || service.starts_with("s3-");
    let names_bucket = if bucket.is_empty() {
        is_s3
    } else {
        first == bucket && (is_s3 || addressing == Addressing::VirtualHost)
    };
    if !names_bucket {
        return Ok((typed, bucket.to_owned(), addressing));
    }
    let invalid = |cause: url::ParseError| {
        Error::new("s3_endpoint_invalid")
            .with("endpoint", &service)
            .with("reason", cause)
    };
    let mut endpoint = typed.clone();
    endpoint.set_host(Some(&service)).map_err(invalid)?;
    Ok((endpoint, first, Addressing::VirtualHost))
}

/// The first word of the server's name, and the rest where that can be a server's.
pub(super) fn labels(url: &Url) -> Option<(String, String)> {
    match url.host()? {
        Host::Domain(name) => name
            .split_once('.')
            .filter(|(_, rest)| rest.contains('.'))
            .map(|(first, rest)| (first.to_owned(), rest.to_owned())),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use lotse_cloud::PublicBy;

    use super::*;
    use crate::SecretPlace;

    pub(in crate::connections) fn storage() -> ObjectStorage {
        ObjectStorage {
            name: "Work".into(),
            endpoint: Url::parse("https://s3.example.com/").unwrap(),
            region: "eu-1".into(),
            bucket: "images".into(),
            addressing: Addressing::Path,
            access_key: "AKIA1".into(),
            public_by: PublicBy::Acl,
            secret_in: SecretPlace::Ask,
            panel: None,
            image_regions: Vec::new(),
        }
    }

    #[test]
    fn what_came_along_when_it_was_pasted_goes() {
        let typed = ObjectStorage {
            name: "  Büro\tKöln\n".into(),
            region: " eu-1 ".into(),
            bucket: " images\n".into(),
            access_key: "\tAKIA1\r\n".into(),
            image_regions: vec![
                " Nürnberg ".into(),
                String::new(),
                "Nürnberg".into(),
                "Hallstadt  2".into(),
            ],
            ..storage()
        };
        let cleaned = typed.cleaned().unwrap();
        assert_eq!(cleaned.name, "Büro Köln");
        assert_eq!(
            cleaned,
            ObjectStorage {
                name: cleaned.name.clone(),
                image_regions: vec!["Nürnberg".into(), "Hallstadt 2".into()],
                ..storage()
            }
        );
        assert_eq!(secret(&Secret::new(" se/cret+ \n")).unwrap().expose(), "se/cret+");
    }

    #[test]
    fn every_fault_has_its_own_code() {
        let refused = |change: fn(&mut ObjectStorage)| {
            let mut changed = storage();
            change(&mut changed);
            changed.cleaned().unwrap_err().code
        };
        assert_eq!(refused(|typed| typed.name = " \n".into()), "connection_name_empty");
        assert_eq!(
            refused(|typed| typed.name = "x".repeat(101)),
            "connection_name_too_long"
        );
        assert_eq!(
            refused(|typed| typed.access_key = " ".into()),
            "connection_access_key_empty"
        );
        assert_eq!(
            refused(|typed| typed.access_key = "two words".into()),
            "connection_access_key_invalid"
        );
        assert_eq!(
            refused(|typed| typed.access_key = "one\ntwo".into()),
            "connection_access_key_invalid"
        );
        assert_eq!(
            refused(|typed| typed.region = "eu 1".into()),
            "connection_region_invalid"
        );
        assert_eq!(refused(|typed| typed.bucket = " ".into()), "connection_bucket_empty");
        for bucket in ["ab", "Bücher", "a b c", "../up", "a/b", "-abc"] {
            let changed = ObjectStorage {
                bucket: bucket.into(),
                ..storage()
            };
            assert_eq!(
                changed.cleaned().unwrap_err().code,
                "connection_bucket_invalid",
                "{bucket}"
            );
        }
        assert_eq!(
            refused(|typed| typed.image_regions = vec!["x".repeat(101)]),
            "connection_image_region_too_long"
        );
        assert_eq!(secret(&Secret::new(" \n")).unwrap_err().code, "connection_secret_empty");
        assert_eq!(
            secret(&Secret::new("a\0b")).unwrap_err().code,
            "connection_secret_invalid"
        );
    }

    #[test]
    fn an_address_is_read_as_people_write_it_and_never_repeats_a_password() {
        let address = |typed: &str| {
            ObjectStorage::address(typed)
                .map(String::from)
                .map_err(|error| error.code)
        };
        assert_eq!(address(" s3.example.com\n").unwrap(), "https://s3.example.com/");
        assert_eq!(address("localhost:9000").unwrap(), "https://localhost:9000/");
        assert_eq!(address("http://10.0.0.1:7480").unwrap(), "http://10.0.0.1:7480/");
        assert_eq!(
            address("speicher.müller.example").unwrap(),
            "https://speicher.xn--mller-kva.example/"
        );
        for typed in [
            "",
            "   ",
            "https://",
            "ftp://s3.example.com",
            "file:///etc",
            "not an address",
        ] {
            assert_eq!(address(typed).unwrap_err(), "s3_endpoint_invalid", "{typed}");
        }
        assert_eq!(
            address("https://me:hunter2@s3.example.com").unwrap_err(),
            "connection_endpoint_user"
        );
        let wrong = ObjectStorage::address("ftp://me:hunter2@s3.example.com").unwrap_err();
        assert!(!wrong.to_string().contains("hunter2"), "{wrong}");

        let panel = |typed: &str| ObjectStorage::panel_address(typed).map_err(|error| error.code);
        assert_eq!(panel(" ").unwrap(), None);
        assert_eq!(
            panel("panel.example.com/images?tab=1")
                .unwrap()
                .map(String::from)
                .as_deref(),
            Some("https://panel.example.com/images?tab=1")
        );
        assert_eq!(panel("javascript:alert(1)").unwrap_err(), "connection_panel_invalid");
        assert_eq!(panel("mailto://x").unwrap_err(), "connection_panel_invalid");
        assert_eq!(
            panel("https://a:b@panel.example.com").unwrap_err(),
            "connection_panel_invalid"
        );
    }

    #[test]
    fn an_address_with_the_bucket_in_it_is_understood() {
        let apart = |endpoint: &str, bucket: &str| {
            let typed = ObjectStorage {
                endpoint: ObjectStorage::address(endpoint).unwrap(),
                bucket: bucket.into(),
                ..storage()
            };
            typed
                .cleaned_to_try()
                .map(|cleaned| (cleaned.endpoint.to_string(), cleaned.bucket, cleaned.addressing))
                .map_err(|error| error.code)
        };
        let path = |endpoint: &str, bucket: &str| Ok((endpoint.to_owned(), bucket.to_owned(), Addressing::Path));
        let host = |endpoint: &str, bucket: &str| Ok((endpoint.to_owned(), bucket.to_owned(), Addressing::VirtualHost));
        assert_eq!(apart("https://s3.example.com", ""), path("https://s3.example.com/", ""));
        assert_eq!(
            apart("https://s3.example.com/images", ""),
            path("https://s3.example.com/", "images")
        );
        assert_eq!(
            apart("https://s3.example.com/images/", "images"),
            path("https://s3.example.com/", "images")
        );
        assert_eq!(
            apart("https://images.s3.example.com", "images"),
            host("https://s3.example.com/", "images")
        );
        assert_eq!(
            apart("https://images.s3.example.com", ""),
            host("https://s3.example.com/", "images")
        );
        // Only whoever says that the bucket stands before the server's name means it so.
        let typed = ObjectStorage {
            endpoint: ObjectStorage::address("images.fsn1.example.com").unwrap(),
            addressing: Addressing::VirtualHost,
            ..storage()
        };
        let cleaned = typed.cleaned().unwrap();
        assert_eq!(cleaned.endpoint.as_str(), "https://fsn1.example.com/");
        assert_eq!(cleaned.cleaned().unwrap(), cleaned, "taken apart once");
        // A service that is called as its bucket.
        assert_eq!(
            apart("https://images.home.example.com", "images"),
            path("https://images.home.example.com/", "images")
        );
        assert_eq!(
            apart("https://minio.example.com", "minio"),
            path("https://minio.example.com/", "minio")
        );
        let by_number = ObjectStorage {
            endpoint: ObjectStorage::address("https://10.0.0.1:9000").unwrap(),
            addressing: Addressing::VirtualHost,
            ..storage()
        };
        assert_eq!(
            by_number.cleaned().unwrap().addressing,
            Addressing::Path,
            "no name can stand before a number"
        );
        for endpoint in [
            "https://s3.example.com/other",
            "https://s3.example.com/images/folder",
            "https://s3.example.com/?list",
            "https://s3.example.com/#top",
        ] {
            assert_eq!(
                apart(endpoint, "images").unwrap_err(),
                "connection_endpoint_path",
                "{endpoint}"
            );
        }
    }

    #[test]
    fn a_new_bucket_keeps_to_stricter_rules_than_an_old_one() {
        for good in ["images", "my-images.2026", "123"] {
            assert!(may_be_made(good), "{good}");
        }
        for old in [
            "My_Images",
            "images_",
            "images-",
            "192.168.1.1",
            "a..b",
            "xn--bcher-kva",
            "x-s3alias",
        ] {
            assert!(!may_be_made(old), "{old}");
            assert!(is_bucket(old), "{old}");
        }
    }
}
