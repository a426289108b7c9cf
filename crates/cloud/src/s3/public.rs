//! Making an object public and private again, and looking at it as a stranger does: without a signature.

use std::{
    collections::HashMap,
    sync::{self, Arc, LazyLock, PoisonError},
};

use http::{
    HeaderName, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE},
};
use lotse_transfer::{TargetError, TargetErrorKind};
use reqwest::RequestBuilder;
use rusty_s3::Method;
use tokio::sync::Mutex;
use url::Url;

use super::{
    PublicBy, S3,
    ask::Ask,
    error::{REQUEST_ID, error, is_missing_key, odd_answer, refusal, service_code},
    policy::{self, Change, LARGEST},
};
use crate::http::Answer;

/// Bytes that are fetched to see whether ranges are answered.
const SAMPLE: u64 = 1 << 10;

/// Headers that each answer of a service has, be it a refusal: S3 API reference, "Common response headers"; Swift's `catch_errors`.
const SIGNS: [HeaderName; 2] = [REQUEST_ID, HeaderName::from_static("x-trans-id")];

/// How often the policy is read and changed: once more after the first time, to see whether somebody else's change at the same moment
/// took ours away.
const ROUNDS: usize = 2;

/// A service and a bucket.
type Place = (Url, String);

/// Held while a bucket's policy is being changed: by one client of this process at a time, for two may share a bucket. Each bucket has its
/// own, so that a service that hangs keeps nobody else waiting.
static POLICIES: LazyLock<sync::Mutex<HashMap<Place, Arc<Mutex<()>>>>> = LazyLock::new(sync::Mutex::default);

impl S3 {
    /// Lets everybody who knows the object's address read it. Repeating it is success.
    ///
    /// By [`PublicBy::BucketPolicy`] the bucket's policy is read, added to and written back: S3 has no way to do that in one step. In
    /// this process that is done by one client after another, and afterwards the policy is read again. But what another program writes
    /// between our reading and our writing is lost, and nobody is told.
    ///
    /// # Errors
    /// The `s3_*` codes: `s3_no_public_access` where the service cannot do it or does not let this key; for the policy also
    /// `s3_policy_unreadable`, when it is left as it is, and `s3_policy_too_large`.
    pub async fn publish(&self, key: &str, by: PublicBy) -> Result<(), TargetError> {
        match by {
            PublicBy::Acl => self.set_acl(key, "public-read").await,
            PublicBy::BucketPolicy => {
                let resource = self.resource(key)?;
                self.change_policy(LARGEST, |policy| policy::allow(policy, &resource))
                    .await
            }
        }
        .map_err(not_published)
    }

    /// Makes the object private again. That it is already, or is not there at all, is success; so is a service that has no way to make
    /// it public like this. See [`S3::publish`] about the policy.
    ///
    /// # Errors
    /// The `s3_*` codes.
    pub async fn withdraw(&self, key: &str, by: PublicBy) -> Result<(), TargetError> {
        let withdrawn = match by {
            PublicBy::Acl => self.set_acl(key, "private").await,
            PublicBy::BucketPolicy => {
                let resource = self.resource(key)?;
                // What is taken out makes it smaller: how large it was is no matter.
                self.change_policy(usize::MAX, |policy| match policy {
                    Some(policy) => policy::disallow(policy, &resource),
                    None => Ok(Change::None),
                })
                .await
            }
        };
        match withdrawn {
            Err(refused) if !is_missing_key(&refused) && !is_unknown(&refused) => Err(refused),
            _ => Ok(()),
        }
    }

    /// Does what a service that imports by address does: HEAD, which must tell `size`, and GET of a range, which must bring just that.
    /// No signature, no redirect, no cookie.
    ///
    /// # Errors
    /// `s3_not_public` with the `status`, `s3_public_differs` if something else comes than the object, and what says that there was no
    /// answer at all.
    pub async fn check_public(&self, key: &str, size: u64) -> Result<(), TargetError> {
        let url = self.object(key)?;
        let head = self.stranger(self.http.head(url.clone())).await?;
        if head.status != StatusCode::OK {
            return Err(not_public(&head));
        }
        if number(&head, CONTENT_LENGTH) != Some(size) {
            return Err(differs("Content-Length", &head, CONTENT_LENGTH));
        }
        let Some(last) = size.checked_sub(1) else {
            return Ok(());
        };
        // The end of the object: what was cut off does not have it.
        let first = size.saturating_sub(SAMPLE);
        let range = format!("bytes {first}-{last}/{size}");
        let part = self
            .stranger(self.http.get(url).header(RANGE, format!("bytes={first}-{last}")))
            .await?;
        match part.status {
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::OK => return Err(differs("Range", &part, CONTENT_RANGE)),
            _ => return Err(not_public(&part)),
        }
        if part.header(CONTENT_RANGE).map(str::trim) != Some(&range) {
            return Err(differs("Content-Range", &part, CONTENT_RANGE));
        }
        if u64::try_from(part.body.len()).ok() != Some(size - first) {
            return Err(differs("body", &part, CONTENT_LENGTH));
        }
        Ok(())
    }

    /// Can everybody read the object now? Of an object that is not there: no. Only the service itself can say no: what a filter, a gateway
    /// or a hotel's sign-in page in between says tells nothing about the object.
    ///
    /// # Errors
    /// `s3_answer_invalid` if somebody else than an S3 service answers, or one that sends elsewhere; what says that there was no answer, or that
    /// the service is too busy for one. All of them pass.
    pub async fn is_public(&self, key: &str) -> Result<bool, TargetError> {
        let url = self.object(key)?;
        let head = self.stranger(self.http.head(url.clone())).await?;
        if head.status.is_success() {
            return Ok(true);
        }
        if is_the_services(&head) {
            return Ok(false);
        }
        // Not all services sign their answers in the header, and an answer to HEAD has nothing else.
        let byte = self.stranger(self.http.get(url).header(RANGE, "bytes=0-0")).await?;
        if byte.status.is_success() || byte.status == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(true);
        }
        let says_why = byte.status.is_client_error() && !service_code(&refusal(&byte)).is_empty();
        if says_why || is_the_services(&byte) {
            Ok(false)
        } else {
            Err(odd_answer(&byte))
        }
    }

    /// PutObjectAcl with a ready-made list.
    async fn set_acl(&self, key: &str, acl: &'static str) -> Result<(), TargetError> {
        let ask = Ask::new(Method::Put, self.object(key)?)
            .query("acl", "")
            .header("x-amz-acl", acl);
        let answer = self.ask(&ask).await?;
        if answer.status.is_success() {
            Ok(())
        } else {
            Err(refusal(&answer))
        }
    }

    /// The object's name in the bucket's policy.
    fn resource(&self, key: &str) -> Result<String, TargetError> {
        self.object(key)?;
        Ok(policy::resource(self.bucket.name(), key))
    }

    async fn change_policy(
        &self,
        largest: usize,
        change: impl Fn(Option<&[u8]>) -> Result<Change, policy::Unreadable>,
    ) -> Result<(), TargetError> {
        let policy = self.policy();
        let _turn = policy.lock().await;
        for _ in 0..ROUNDS {
            let policy = self.read_policy().await?;
            let change =
                change(policy.as_deref()).map_err(|_| error(TargetErrorKind::Rejected, "s3_policy_unreadable", []))?;
            let url = self.bucket()?.base_url().clone();
            let ask = match change {
                Change::None => return Ok(()),
                Change::Replace(policy) if policy.len() > largest => {
                    let size = [("size", policy.len().to_string()), ("largest", largest.to_string())];
                    return Err(error(TargetErrorKind::Rejected, "s3_policy_too_large", size));
                }
                Change::Replace(policy) => Ask::new(Method::Put, url).body(policy),
                Change::Delete => Ask::new(Method::Delete, url),
            };
            let answer = self.ask(&ask.query("policy", "")).await?;
            if !answer.status.is_success() {
                return Err(refusal(&answer));
            }
        }
        Ok(())
    }

    /// What is held while this bucket's policy is being changed.
    fn policy(&self) -> Arc<Mutex<()>> {
        let place = (self.service.clone(), self.bucket.name().to_owned());
        // Whole between any two statements: a panic elsewhere leaves nothing half done in it.
        let mut all = POLICIES.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(place).or_default())
    }

    async fn read_policy(&self) -> Result<Option<Vec<u8>>, TargetError> {
        let url = self.bucket()?.base_url().clone();
        let answer = self.ask(&Ask::new(Method::Get, url).query("policy", "")).await?;
        if answer.status.is_success() {
            return Ok(Some(answer.body));
        }
        let refused = refusal(&answer);
        if service_code(&refused) == "NoSuchBucketPolicy" {
            Ok(None)
        } else {
            Err(refused)
        }
    }

    /// Sends what is not signed. An answer that says nothing about the object is an error.
    async fn stranger(&self, request: RequestBuilder) -> Result<Answer, TargetError> {
        let answer = self.send(request.timeout(self.timeouts.small)).await?;
        let status = answer.status;
        let elsewhere = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        if status.is_server_error() || elsewhere {
            return Err(refusal(&answer));
        }
        Ok(answer)
    }
}

/// Why an object was not made public.
fn not_published(refused: TargetError) -> TargetError {
    let code = if is_missing_key(&refused) {
        "s3_no_such_object"
    } else if is_unknown(&refused) || refused.code == "s3_access_denied" || service_code(&refused) == "MalformedPolicy"
    {
        // AWS and radosgw deny it to everybody where public access is blocked.
        return TargetError {
            kind: TargetErrorKind::Rejected,
            code: "s3_no_public_access",
            ..refused
        };
    } else {
        refused.code
    };
    TargetError { code, ..refused }
}

/// Does the service, or this bucket, not know such a thing at all?
fn is_unknown(refused: &TargetError) -> bool {
    matches!(
        service_code(refused),
        "NotImplemented" | "MethodNotAllowed" | "AccessControlListNotSupported"
    )
}

/// Does the refusal come from the service, and not from something in between? One that sends elsewhere does not know the object.
fn is_the_services(answer: &Answer) -> bool {
    answer.status.is_client_error() && SIGNS.iter().any(|sign| answer.headers.contains_key(sign))
}

fn not_public(answer: &Answer) -> TargetError {
    error(
        TargetErrorKind::Rejected,
        "s3_not_public",
        [("status", answer.status.as_u16().to_string())],
    )
}

fn differs(what: &str, answer: &Answer, header: HeaderName) -> TargetError {
    let found = answer.header(header).unwrap_or_default();
    error(
        TargetErrorKind::Rejected,
        "s3_public_differs",
        [("what", what.to_owned()), ("found", crate::http::shorten(found))],
    )
}

fn number(answer: &Answer, header: HeaderName) -> Option<u64> {
    answer.header(header)?.trim().parse().ok()
}
