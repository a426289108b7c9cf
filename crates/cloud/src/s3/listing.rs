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
    /// The `s3_*` codes; `s3_list_too_long` beyond 100,000 objects.
    pub async fn objects(&self, prefix: &str) -> Result<Vec<StoredKey>, TargetError> {
        let url = self.bucket()?.base_url().clone();
        let (mut found, mut marker) = (Vec::new(), String::new());
        loop {
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
            bounded(found.len())?;
        }
    }

    /// Every open multipart upload whose key begins with `prefix`, sorted by key.
    ///
    /// # Errors
    /// The `s3_*` codes; `s3_list_too_long` beyond 100,000 uploads.
    pub async fn open_uploads(&self, prefix: &str) -> Result<Vec<OpenUpload>, TargetError> {
        let url = self.bucket()?.base_url().clone();
        let (mut found, mut marker) = (Vec::new(), (String::new(), String::new()));
        let mut seen = HashSet::new();
        loop {
            let mut ask = Ask::new(Method::Get, url.clone())
                .query("encoding-type", "url")
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
            bounded(found.len().max(seen.len()))?;
        }
    }
}

fn bounded(entries: usize) -> Result<(), TargetError> {
    if entries <= MOST {
        return Ok(());
    }
    let most = [("most", MOST.to_string())];
    Err(error(TargetErrorKind::Rejected, "s3_list_too_long", most))
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
