//! Buckets: which there are, making one, asking for one.

use http::StatusCode;
use lotse_transfer::{TargetError, TargetErrorKind};
use quick_xml::escape::escape;
use rusty_s3::Method;

use super::{
    S3,
    ask::Ask,
    error::{error, odd_answer, refusal, service_code},
    xml::Element,
};

impl S3 {
    /// The names of the account's buckets (ListBuckets), as the service sorts them. Needs no bucket.
    ///
    /// # Errors
    /// The `s3_*` codes; `s3_access_denied` where the key may use its own bucket only.
    pub async fn buckets(&self) -> Result<Vec<String>, TargetError> {
        let answer = self.ask(&Ask::new(Method::Get, self.service.clone())).await?;
        if !answer.status.is_success() {
            return Err(refusal(&answer));
        }
        let root = Element::parse(&answer.body).filter(|root| root.is("ListAllMyBucketsResult"));
        let names = root.as_ref().and_then(|root| {
            let buckets = root.children("Buckets").flat_map(|list| list.children("Bucket"));
            buckets.map(|bucket| bucket.text("Name").map(str::to_owned)).collect()
        });
        names.ok_or_else(|| odd_answer(&answer))
    }

    /// Makes the bucket. That it is there already and is one's own is success.
    ///
    /// # Errors
    /// The `s3_*` codes, among them `s3_bucket_taken`, `s3_bucket_name_invalid` and `s3_too_many_buckets`.
    pub async fn create_bucket(&self) -> Result<(), TargetError> {
        let url = self.bucket()?.base_url().clone();
        let mut answer = self.ask(&Ask::new(Method::Put, url.clone())).await?;
        if answer.status == StatusCode::BAD_REQUEST && refusal(&answer).code == "s3_wrong_region" {
            // AWS wants its regions named in the request, outside of us-east-1. Radosgw refuses any name that is none of its own
            // zonegroups', and the region that one signs for is none: therefore only where it is asked for.
            let region = escape(self.bucket.region());
            let body = format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            );
            answer = self.ask(&Ask::new(Method::Put, url).body(body)).await?;
        }
        if answer.status.is_success() {
            return Ok(());
        }
        let refused = refusal(&answer);
        match service_code(&refused) {
            "BucketAlreadyOwnedByYou" => Ok(()),
            // Not every service tells one's own from others' by its code.
            "BucketAlreadyExists"
                if self
                    .buckets()
                    .await
                    .is_ok_and(|own| own.iter().any(|name| name == self.bucket.name())) =>
            {
                Ok(())
            }
            _ => Err(refused),
        }
    }

    /// Asks whether the bucket is there and may be listed, by listing one object of it: HeadBucket's refusal has no words.
    ///
    /// # Errors
    /// The `s3_*` codes, among them `s3_no_such_bucket` and `s3_access_denied`.
    pub async fn bucket_exists(&self) -> Result<(), TargetError> {
        let url = self.bucket()?.base_url().clone();
        let answer = self.ask(&Ask::new(Method::Get, url).query("max-keys", "1")).await?;
        if !answer.status.is_success() {
            return Err(refusal(&answer));
        }
        match Element::parse(&answer.body) {
            Some(root) if root.is("ListBucketResult") => Ok(()),
            _ => Err(odd_answer(&answer)),
        }
    }
}

/// A bucket's name is missing or cannot be part of an address.
pub(super) fn name_invalid(name: &str) -> TargetError {
    error(
        TargetErrorKind::Rejected,
        "s3_bucket_name_invalid",
        [("bucket", name.to_owned())],
    )
}
