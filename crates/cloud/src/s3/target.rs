//! S3 as a target for uploads: begin, parts, complete, abort.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::StreamExt;
use http::{
    StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG},
};
use http_body::{Frame, SizeHint};
use lotse_transfer::{Limits, PartBody, PartReceipt, StoredObject, Target, TargetError, TargetErrorKind};
use reqwest::Body;
use rusty_s3::{
    S3Action,
    actions::{
        AbortMultipartUpload, CompleteMultipartUpload, CreateMultipartUpload, HeadObject, ListParts, UploadPart,
    },
};

use super::{
    S3, SIGNED_FOR, content_type,
    error::{error, is_missing_key, odd_answer, refusal},
    xml::{Element, complete_body},
};
use crate::http::Answer;

/// Most pages of a list of parts: 10,000 parts at 1,000 a page are 10.
const MAX_PAGES: usize = 10_000;

impl S3 {
    async fn page_of_parts(&self, key: &str, upload_id: &str, after: Option<u16>) -> Result<Page, TargetError> {
        self.object(key)?;
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
        self.object(key)?;
        let action = CreateMultipartUpload::new(&self.bucket, Some(&self.credentials), key);
        let answer = self
            .exchange(self.timeouts.small, |at| {
                self.http
                    .post(action.sign_with_time(SIGNED_FOR, at))
                    .header(CONTENT_TYPE, content_type(key))
                    .header(CONTENT_LENGTH, 0)
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
        let open = self.open_uploads(key).await?.into_iter();
        Ok(open
            .filter(|upload| upload.key == key)
            .map(|upload| upload.upload_id)
            .collect())
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
        self.object(key)?;
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
        let answer = self.send(request).await?;
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
        self.object(key)?;
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
        self.object(key)?;
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
        let gone = refused.kind == TargetErrorKind::NotFound || is_missing_key(&refused);
        if gone { Ok(()) } else { Err(refused) }
    }

    async fn stored(&self, key: &str) -> Result<Option<StoredObject>, TargetError> {
        self.object(key)?;
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
