//! The region that a service wants to be signed for, where it tells it.

use http::HeaderName;
use lotse_transfer::TargetError;
use rusty_s3::Method;

use super::{S3, ask::Ask, xml::Element};

/// AWS and some others set it on every answer about a bucket, refusals included.
const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");

impl S3 {
    /// The region as the service tells it: of the bucket, or in its refusal of a signature for another one
    /// (`AuthorizationHeaderMalformed`, `AuthorizationQueryParametersError`, `PermanentRedirect`). None where it tells nothing, as radosgw,
    /// which takes any. Needs no bucket.
    ///
    /// # Errors
    /// What says that there was no answer.
    pub async fn region_told(&self) -> Result<Option<String>, TargetError> {
        let ask = match self.bucket() {
            Ok(bucket) => Ask::new(Method::Get, bucket.base_url().clone()).query("max-keys", "1"),
            Err(_) => Ask::new(Method::Get, self.service.clone()),
        };
        let answer = self.ask(&ask).await?;
        let of_refusal = || {
            let refusal = Element::parse(&answer.body).filter(|root| root.is("Error"))?;
            refusal.text("Region").map(str::to_owned)
        };
        let told = answer.header(BUCKET_REGION).map(str::to_owned).or_else(of_refusal);
        Ok(told.map(|told| told.trim().to_owned()).filter(|told| !told.is_empty()))
    }
}
