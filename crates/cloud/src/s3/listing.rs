//! What is in a bucket: objects and open multipart uploads, page by page. ListObjects in its first version, since centron's service has
//! no paging of the second. Nothing that a server answers makes this endless.

use std::collections::HashSet;

use jiff::Timestamp;
use lotse_transfer::{TargetError, TargetErrorKind};
use percent_encoding::percent_decode_str;
use rusty_s3::Method;

use super::{
    S3,
    ask::Ask,
    error::{error, odd_answer, refusal},
    xml::Element,
};
use crate::http::Answer;

/// Entries of a page that are asked for, S3's own most (API reference, ListObjects).
const PAGE: &str = "1000";

/// Most entries that are listed; ours are one for every upload of the last days.
const MOST: usize = 100_000;

/// Most pages: a service may give fewer entries than are asked for, but not hardly any.
const MOST_PAGES: usize = 1_000;

/// Longest key in bytes (S3 user guide, "Naming Amazon S3 objects").
const LONGEST_KEY: usize = 1024;

/// An object in a bucket's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// When it was stored, by the service's clock.
    pub modified: Timestamp,
}

/// A multipart upload that was neither completed nor aborted. Its parts take space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    /// The key it would have.
    pub key: String,
    /// Names it to the service.
    pub upload_id: String,
    /// When it was begun, by the service's clock.
    pub begun: Timestamp,
}

impl S3 {
    /// Every object whose key begins with `prefix`, sorted by key.
    ///
    /// # Errors
    /// The `s3_*` codes; `s3_list_too_long` beyond 100,000 objects or 1,000 pages.
    pub async fn objects(&self, prefix: &str) -> Result<Vec<StoredKey>, TargetError> {
        let url = self.bucket()?.base_url().clone();
        let (mut found, mut marker) = (Vec::new(), String::new());
        for _ in 0..MOST_PAGES {
            let ask = Ask::new(Method::Get, url.clone())
                .query("encoding-type", "url")
                .query("marker", marker.as_str())
                .query("max-keys", PAGE)
                .query("prefix", prefix);
            let answer = self.ask(&ask).await?;
            if !answer.status.is_success() {
                return Err(refusal(&answer));
            }
            let page = read_objects(&answer).ok_or_else(|| odd_answer(&answer))?;
            found.extend(page.entries.into_iter().filter(|object| object.key.starts_with(prefix)));
            match page.next {
                None => return Ok(found),
                // Keys are listed in the order of their bytes: whoever goes back would do so without end.
                Some(next) if next > marker => marker = next,
                Some(_) => return Err(odd_answer(&answer)),
            }
            if found.len() > MOST {
                break;
            }
        }
        Err(too_long())
    }

    /// Every open multipart upload whose key begins with `prefix`, sorted by key.
    ///
    /// # Errors
    /// The `s3_*` codes; `s3_list_too_long` beyond 100,000 uploads or 1,000 pages.
    pub async fn open_uploads(&self, prefix: &str) -> Result<Vec<OpenUpload>, TargetError> {
        let url = self.bucket()?.base_url().clone();
        let (mut found, mut marker) = (Vec::new(), (String::new(), String::new()));
        let mut seen = HashSet::new();
        for _ in 0..MOST_PAGES {
            // Percent-encoding is not asked for: radosgw 16 gives it and does not say so.
            let mut ask = Ask::new(Method::Get, url.clone())
                .query("max-uploads", PAGE)
                .query("prefix", prefix)
                .query("uploads", "");
            if !marker.0.is_empty() {
                ask = ask
                    .query("key-marker", marker.0.as_str())
                    .query("upload-id-marker", marker.1.as_str());
            }
            let answer = self.ask(&ask).await?;
            if !answer.status.is_success() {
                return Err(refusal(&answer));
            }
            let page = read_uploads(&answer).ok_or_else(|| odd_answer(&answer))?;
            found.extend(page.entries.into_iter().filter(|upload| upload.key.starts_with(prefix)));
            match page.next {
                None => return Ok(found),
                // The uploads of one key are in an order of the service's own.
                Some(next) if next.0 >= marker.0 && seen.insert(next.clone()) => marker = next,
                Some(_) => return Err(odd_answer(&answer)),
            }
            if found.len() > MOST {
                break;
            }
        }
        Err(too_long())
    }
}

fn too_long() -> TargetError {
    error(
        TargetErrorKind::Rejected,
        "s3_list_too_long",
        [("most", MOST.to_string())],
    )
}

/// A page of a list.
#[derive(Debug)]
struct Page<T, M> {
    entries: Vec<T>,
    /// Behind what the next page begins, if there is one.
    next: Option<M>,
}

impl<T, M> Page<T, M> {
    /// Nothing, if the list should go on but does not say from where.
    fn of(entries: Vec<T>, last: Option<M>, root: &Element) -> Option<Page<T, M>> {
        let more = root.text("IsTruncated") == Some("true");
        let next = if more { Some(last?) } else { None };
        Some(Page { entries, next })
    }
}

fn read_objects(answer: &Answer) -> Option<Page<StoredKey, String>> {
    let root = Element::parse(&answer.body).filter(|root| root.is("ListBucketResult"))?;
    let names = Names::of(&root);
    let object = |entry: &Element| {
        Some(StoredKey {
            key: names.read(entry, "Key")?,
            size: entry.text("Size")?.parse().ok()?,
            modified: entry.text("LastModified")?.parse().ok()?,
        })
    };
    let entries = root.children("Contents").map(object).collect::<Option<Vec<_>>>()?;
    // Without a delimiter the last key is the marker (API reference, ListObjects, NextMarker). What services name themselves differs:
    // Swift nothing, radosgw a key that is not encoded where all others are.
    let next = entries.last().map(|last| last.key.clone());
    Page::of(entries, next, &root)
}

fn read_uploads(answer: &Answer) -> Option<Page<OpenUpload, (String, String)>> {
    let root = Element::parse(&answer.body).filter(|root| root.is("ListMultipartUploadsResult"))?;
    let names = Names::of(&root);
    let upload = |entry: &Element| {
        Some(OpenUpload {
            key: names.read(entry, "Key")?,
            upload_id: entry.text("UploadId").filter(|id| !id.is_empty())?.to_owned(),
            begun: entry.text("Initiated")?.parse().ok()?,
        })
    };
    let entries = root.children("Upload").map(upload).collect::<Option<Vec<_>>>()?;
    // Swift's own markers may be empty.
    let next = entries.last().map(|last| (last.key.clone(), last.upload_id.clone()));
    Page::of(entries, next, &root)
}

/// How keys are written in a list. Asked for percent-encoding, which can hold what XML cannot, not every service follows.
#[derive(Debug, Clone, Copy)]
struct Names {
    encoded: bool,
}

impl Names {
    fn of(root: &Element) -> Names {
        Names {
            encoded: root.text("EncodingType") == Some("url"),
        }
    }

    fn read(self, parent: &Element, name: &str) -> Option<String> {
        let written = parent.whole_text(name)?;
        let key = if self.encoded {
            // AWS writes a space as a form does, and a plus as `%2B`.
            let written = written.replace('+', " ");
            percent_decode_str(&written).decode_utf8().ok()?.into_owned()
        } else {
            written.to_owned()
        };
        (key.len() <= LONGEST_KEY).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use proptest::prelude::*;

    use super::*;

    fn answer(body: String) -> Answer {
        Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.into_bytes(),
        }
    }

    fn object(key: &str, size: &str, modified: &str) -> String {
        format!("<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{modified}</LastModified></Contents>")
    }

    const TIME: &str = "2026-11-22T10:00:00.000Z";

    #[test]
    fn keys_are_read_as_they_were_written() {
        let list = |encoding: &str, key: &str| {
            let entry = object(key, "5", TIME);
            let answer = answer(format!("<ListBucketResult>{encoding}{entry}</ListBucketResult>"));
            read_objects(&answer).map(|page| page.entries[0].key.clone())
        };
        let url = "<EncodingType>url</EncodingType>";
        assert_eq!(list("", " a+b%20c&amp;&#228; ").as_deref(), Some(" a+b%20c&ä "));
        assert_eq!(list(url, "a%2Bb+c%20%C3%A4/%01").as_deref(), Some("a+b c ä/\u{1}"));
        assert_eq!(list(url, "%FF"), None, "no text at all");
        assert_eq!(
            list("", &"k".repeat(LONGEST_KEY)).map(|key| key.len()),
            Some(LONGEST_KEY)
        );
        assert_eq!(
            list("", &"k".repeat(LONGEST_KEY + 1)),
            None,
            "no service has such a key"
        );
    }

    #[test]
    fn a_list_that_lacks_something_is_none() {
        for entry in [
            object("k", "-1", TIME),
            object("k", "5", "yesterday"),
            "<Contents><Key>k</Key></Contents>".to_owned(),
            "<IsTruncated>true</IsTruncated>".to_owned(),
        ] {
            let odd = answer(format!("<ListBucketResult>{entry}</ListBucketResult>"));
            assert!(read_objects(&odd).is_none(), "{entry}");
        }
        let upload = "<Upload><Key>k</Key><UploadId></UploadId><Initiated>2026-11-22T10:00:00Z</Initiated></Upload>";
        assert!(
            read_uploads(&answer(format!(
                "<ListMultipartUploadsResult>{upload}</ListMultipartUploadsResult>"
            )))
            .is_none()
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_list_is_read_without_a_panic(
            root in "ListBucketResult|ListMultipartUploadsResult|Error",
            parts in prop::collection::vec("<(/?)(Contents|Upload|Key|UploadId|Size|LastModified|Initiated|IsTruncated|EncodingType)>|url|true|5|%[0-9A-G]{2}|2026-11-22T10:00:00Z|&[a-z#x0-9]{0,5};", 0..40),
        ) {
            let odd = answer(format!("<{root}>{}</{root}>", parts.concat()));
            _ = read_objects(&odd);
            _ = read_uploads(&odd);
        }

        #[test]
        fn what_is_listed_is_what_was_stored(keys in prop::collection::vec("[a-zäöü +%#?&<>\"'/.-]{1,20}", 1..5), more in any::<bool>()) {
            let entries: Vec<String> = keys.iter().map(|key| object(&quick_xml::escape::escape(key.as_str()), "5", TIME)).collect();
            let list = answer(format!("<ListBucketResult><IsTruncated>{more}</IsTruncated>{}</ListBucketResult>", entries.concat()));
            let page = read_objects(&list).unwrap();
            let found: Vec<_> = page.entries.into_iter().map(|object| object.key).collect();
            prop_assert_eq!(&found, &keys);
            prop_assert_eq!(page.next, more.then(|| keys[keys.len() - 1].clone()));
        }
    }
}
