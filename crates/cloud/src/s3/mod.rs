//! S3 object storage as a target: multipart uploads with signed addresses (Signature Version 4), path-style.
//! Written for what Ceph's radosgw, Swift's s3api, Garage and AWS really answer.

mod clock;
mod error;
mod manner;
mod xml;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http_body::{Frame, SizeHint};
use jiff::Timestamp;
use lotse_transfer::{Limits, PartBody, PartReceipt, StoredObject, Target, TargetError, TargetErrorKind};
use reqwest::{Body, Client, RequestBuilder, StatusCode};
use rusty_s3::{
    Bucket, Credentials, Method, S3Action, UrlStyle,
    actions::{
        AbortMultipartUpload, CompleteMultipartUpload, CreateMultipartUpload, DeleteObject, HeadObject, ListParts,
        UploadPart,
    },
    signing::sign,
};
use url::Url;

pub use self::manner::{Addressing, PublicBy};
use self::{
    clock::Clock,
    error::{error, odd_answer, refusal},
    xml::{Element, complete_body},
};
use crate::{
    CloudError, Secret,
    http::{Answer, NoAnswer, REQUEST_TIMEOUT},
};

/// How long a signed address is good for: as much as S3 lets clocks differ (15 minutes).
const SIGNED_FOR: Duration = Duration::from_mins(15);

/// Most pages of a list of parts: 10,000 parts at 1,000 a page are 10.
const MAX_PAGES: usize = 10_000;

/// Where and as whom.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// The service, without the bucket.
    pub endpoint: Url,
    /// Region to sign for.
    pub region: String,
    /// An existing bucket.
    pub bucket: String,
    /// Access key.
    pub access_key: String,
    /// Secret key.
    pub secret_key: Secret,
    /// Where the bucket stands in addresses.
    pub addressing: Addressing,
    /// Make the object readable for everybody who knows its address (`x-amz-acl: public-read`).
    pub public_read: bool,
}

/// How long requests other than parts may take, from the first byte to the answer's last. For parts it is the engine that notices when
/// nothing moves any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct S3Timeouts {
    /// For small requests: one minute.
    pub small: Duration,
    /// For putting an object together: ten minutes, since AWS speaks of minutes for large ones.
    pub complete: Duration,
}

impl Default for S3Timeouts {
    fn default() -> S3Timeouts {
        S3Timeouts {
            small: REQUEST_TIMEOUT,
            complete: Duration::from_mins(10),
        }
    }
}

/// A bucket.
#[derive(Clone)]
pub struct S3 {
    http: Client,
    bucket: Bucket,
    credentials: Credentials,
    public_read: bool,
    clock: Arc<Clock>,
    timeouts: S3Timeouts,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3")
            .field("bucket", &self.bucket.base_url().as_str())
            .finish_non_exhaustive()
    }
}

impl S3 {
    /// A client of a bucket; nothing is sent yet.
    ///
    /// # Errors
    /// `s3_endpoint_invalid` if the endpoint is no HTTP address.
    pub fn new(config: S3Config, http: Client) -> Result<S3, CloudError> {
        let endpoint = config.endpoint.clone();
        let style = match config.addressing {
            Addressing::Path => UrlStyle::Path,
            Addressing::VirtualHost => UrlStyle::VirtualHost,
        };
        let bucket = Bucket::new(endpoint, style, config.bucket, config.region).map_err(|cause| {
            CloudError::new("s3_endpoint_invalid")
                .with("endpoint", &config.endpoint)
                .with("reason", &cause)
        })?;
        let credentials = Credentials::new(config.access_key, config.secret_key.expose());
        Ok(S3 {
            http,
            bucket,
            credentials,
            public_read: config.public_read,
            clock: Arc::default(),
            timeouts: S3Timeouts::default(),
        })
    }

    /// The same with other limits of time.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: S3Timeouts) -> S3 {
        self.timeouts = timeouts;
        self
    }

    /// The object's address, not signed: for objects that everybody may read.
    pub fn object_url(&self, key: &str) -> Url {
        self.bucket.object_url(key)
    }

    /// Removes an object. That there is none is success.
    ///
    /// # Errors
    /// The `s3_*` codes.
    pub async fn delete(&self, key: &str) -> Result<(), TargetError> {
        let action = DeleteObject::new(&self.bucket, Some(&self.credentials), key);
        let answer = self
            .exchange(self.timeouts.small, |at| {
                self.http.delete(action.sign_with_time(SIGNED_FOR, at))
            })
            .await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let refused = refusal(&answer);
        if is_missing_key(&answer, &refused) {
            Ok(())
        } else {
            Err(refused)
        }
    }

    /// A small request, signed at the time that it is given. Refused because of that time, it is repeated once by the service's clock.
    async fn exchange(
        &self,
        timeout: Duration,
        request: impl Fn(&Timestamp) -> RequestBuilder + Send + Sync,
    ) -> Result<Answer, TargetError> {
        for last in [false, true] {
            let signed = self.clock.now();
            let response = request(&signed).timeout(timeout).send().await.map_err(NoAnswer::from)?;
            let answer = Answer::read(response).await?;
            if last || !self.clock.corrected_by(&answer, signed) {
                return Ok(answer);
            }
        }
        Err(error(TargetErrorKind::Network, "s3_clock_skew", []))
    }

    /// ListMultipartUploads, which rusty-s3 does not have. One page: no other key begins with an unguessable one.
    fn list_uploads(&self, key: &str, at: &Timestamp) -> Url {
        let query = [("prefix", key), ("uploads", "")];
        sign(
            at,
            Method::Get,
            self.bucket.base_url().clone(),
            self.credentials.key(),
            self.credentials.secret(),
            None,
            self.bucket.region(),
            SIGNED_FOR.as_secs(),
            query.into_iter(),
            std::iter::empty(),
        )
    }

    async fn page_of_parts(&self, key: &str, upload_id: &str, after: Option<u16>) -> Result<Page, TargetError> {
        let mut action = ListParts::new(&self.bucket, Some(&self.credentials), key, upload_id);
        if let Some(after) = after {
            action.set_part_number_marker(after);
        }
        let answer = self
            .exchange(self.timeouts.small, |at| {
                self.http.get(action.sign_with_time(SIGNED_FOR, at))
            })
            .await?;
        if !answer.status.is_success() {
            return Err(refusal(&answer));
        }
        read_page(&answer, after).ok_or_else(|| odd_answer(&answer))
    }
}

#[async_trait]
impl Target for S3 {
    /// S3's own limits ("Amazon S3 multipart upload limits"), and centron's ten requests at a time.
    fn limits(&self) -> Limits {
        Limits {
            min_part: 5 << 20,
            max_part: 5 << 30,
            max_parts: 10_000,
            max_concurrent: 10,
            max_object: 5 << 40,
        }
    }

    async fn begin(&self, key: &str) -> Result<String, TargetError> {
        let mut action = CreateMultipartUpload::new(&self.bucket, Some(&self.credentials), key);
        if self.public_read {
            action.headers_mut().insert("x-amz-acl", "public-read");
        }
        let answer = self
            .exchange(self.timeouts.small, |at| {
                let request = self
                    .http
                    .post(action.sign_with_time(SIGNED_FOR, at))
                    .header(CONTENT_TYPE, "application/octet-stream")
                    .header(CONTENT_LENGTH, 0);
                if self.public_read {
                    request.header("x-amz-acl", "public-read")
                } else {
                    request
                }
            })
            .await?;
        if !answer.status.is_success() {
            return Err(refusal(&answer));
        }
        let document = Element::parse(&answer.body);
        let upload_id = document
            .as_ref()
            .and_then(|root| root.text("UploadId"))
            .filter(|id| !id.is_empty());
        upload_id.map(str::to_owned).ok_or_else(|| odd_answer(&answer))
    }

    async fn parts(&self, key: &str, upload_id: &str) -> Result<Vec<PartReceipt>, TargetError> {
        let mut parts = Vec::new();
        let mut after = None;
        for _ in 0..MAX_PAGES {
            let page = self.page_of_parts(key, upload_id, after).await?;
            parts.extend(page.parts);
            after = page.next;
            if after.is_none() {
                parts.sort_by_key(|part| part.number);
                return Ok(parts);
            }
        }
        Err(error(TargetErrorKind::Rejected, "s3_answer_invalid", []))
    }

    async fn uploads(&self, key: &str) -> Result<Vec<String>, TargetError> {
        let answer = self
            .exchange(self.timeouts.small, |at| self.http.get(self.list_uploads(key, at)))
            .await?;
        if !answer.status.is_success() {
            return Err(refusal(&answer));
        }
        read_uploads(&answer, key).ok_or_else(|| odd_answer(&answer))
    }

    async fn put_part(
        &self,
        key: &str,
        upload_id: &str,
        number: u32,
        body: PartBody,
        md5: [u8; 16],
    ) -> Result<PartReceipt, TargetError> {
        let part_number = u16::try_from(number)
            .map_err(|_| error(TargetErrorKind::Rejected, "s3_rejected", [("part", number.to_string())]))?;
        let size = body.remaining();
        let content_md5 = BASE64_STANDARD.encode(md5);
        let mut action = UploadPart::new(&self.bucket, Some(&self.credentials), key, part_number, upload_id);
        // Signed, so that nothing in between can leave it out.
        action.headers_mut().insert("content-md5", content_md5.as_str());
        let signed = self.clock.now();
        let request = self
            .http
            .put(action.sign_with_time(SIGNED_FOR, &signed))
            .header("content-md5", &content_md5)
            .body(Body::wrap(SizedBody(body)));
        // How long is too long is for the engine to say: it knows the link and the bandwidth limit.
        let response = request.send().await.map_err(NoAnswer::from)?;
        let answer = Answer::read(response).await.map_err(TargetError::from)?;
        if !answer.status.is_success() {
            let mut refused = refusal(&answer);
            if self.clock.corrected_by(&answer, signed) {
                // The body is gone; with the right time another try will do.
                refused.kind = TargetErrorKind::Network;
            }
            return Err(refused);
        }
        match answer.header(ETAG) {
            Some(etag) => Ok(PartReceipt {
                number,
                size,
                etag: unquoted(etag),
            }),
            None => Err(odd_answer(&answer)),
        }
    }

    async fn complete(&self, key: &str, upload_id: &str, parts: &[PartReceipt]) -> Result<(), TargetError> {
        let no_etags = std::iter::empty::<&str>();
        let action = CompleteMultipartUpload::new(&self.bucket, Some(&self.credentials), key, upload_id, no_etags);
        let answer = self
            .exchange(self.timeouts.complete, |at| {
                self.http
                    .post(action.sign_with_time(SIGNED_FOR, at))
                    .header(CONTENT_TYPE, "application/xml")
                    .body(complete_body(parts))
            })
            .await?;
        // S3 sends the status before it knows how it ends: an error may come with 200.
        let document = Element::parse(&answer.body);
        if answer.status.is_success()
            && document
                .as_ref()
                .is_some_and(|root| root.is("CompleteMultipartUploadResult"))
        {
            return Ok(());
        }
        if answer.status.is_success() && !document.is_some_and(|root| root.is("Error")) {
            return Err(odd_answer(&answer));
        }
        let refused = refusal(&answer);
        // Completed before, and the answer got lost: the upload is gone and the object is there.
        if refused.kind == TargetErrorKind::NotFound && self.stored(key).await?.is_some() {
            return Ok(());
        }
        Err(refused)
    }

    async fn abort(&self, key: &str, upload_id: &str) -> Result<(), TargetError> {
        let action = AbortMultipartUpload::new(&self.bucket, Some(&self.credentials), key, upload_id);
        let answer = self
            .exchange(self.timeouts.small, |at| {
                self.http.delete(action.sign_with_time(SIGNED_FOR, at))
            })
            .await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let refused = refusal(&answer);
        // Swift speaks of a missing key when the upload was completed before.
        let gone = refused.kind == TargetErrorKind::NotFound || is_missing_key(&answer, &refused);
        if gone { Ok(()) } else { Err(refused) }
    }

    async fn stored(&self, key: &str) -> Result<Option<StoredObject>, TargetError> {
        // Signed as HEAD: an address signed for GET is refused for HEAD.
        let action = HeadObject::new(&self.bucket, Some(&self.credentials), key);
        let answer = self
            .exchange(self.timeouts.small, |at| {
                self.http.head(action.sign_with_time(SIGNED_FOR, at))
            })
            .await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(refusal(&answer));
        }
        let size = answer.header(CONTENT_LENGTH).and_then(|size| size.parse().ok());
        match (size, answer.header(ETAG)) {
            (Some(size), Some(etag)) => Ok(Some(StoredObject {
                size,
                etag: unquoted(etag),
            })),
            _ => Err(odd_answer(&answer)),
        }
    }
}

/// A page of a list of parts.
struct Page {
    parts: Vec<PartReceipt>,
    /// Where the next page begins, if there is one.
    next: Option<u16>,
}

fn read_page(answer: &Answer, after: Option<u16>) -> Option<Page> {
    let root = Element::parse(&answer.body).filter(|root| root.is("ListPartsResult"))?;
    let parts = root.children("Part").map(read_part).collect::<Option<Vec<_>>>()?;
    let next = match root.text("IsTruncated") {
        Some("true") => {
            let next: u16 = root.text("NextPartNumberMarker")?.parse().ok()?;
            // A list that does not go on would be asked for without end.
            Some(next).filter(|next| *next > after.unwrap_or(0))
        }
        _ => return Some(Page { parts, next: None }),
    };
    next.map(|next| Page {
        parts,
        next: Some(next),
    })
}

fn read_part(part: &Element) -> Option<PartReceipt> {
    Some(PartReceipt {
        number: part.text("PartNumber")?.parse().ok()?,
        size: part.text("Size")?.parse().ok()?,
        etag: unquoted(part.text("ETag")?),
    })
}

/// The ids of the open uploads under this very key.
fn read_uploads(answer: &Answer, key: &str) -> Option<Vec<String>> {
    let root = Element::parse(&answer.body).filter(|root| root.is("ListMultipartUploadsResult"))?;
    let ours = root
        .children("Upload")
        .filter(|upload| upload.text("Key") == Some(key.trim()));
    ours.map(|upload| upload.text("UploadId").map(str::to_owned)).collect()
}

/// Tells its size, so that the request has a length: S3 takes no part without one.
struct SizedBody(PartBody);

impl http_body::Body for SizedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_next_unpin(context)
            .map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.remaining() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.remaining())
    }
}

fn unquoted(etag: &str) -> String {
    etag.trim().trim_matches('"').to_owned()
}

fn is_missing_key(answer: &Answer, refused: &TargetError) -> bool {
    answer.status == StatusCode::NOT_FOUND
        && refused
            .params
            .get("service_code")
            .is_some_and(|code| code == "NoSuchKey")
}
