//! Who is let in: the one key pair of this start, and strangers to what may be public.

use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    s3_error,
};
use url::form_urlencoded;

/// The operations that a request without a signature may try: the object decides, and a stranger has no buckets (radosgw 16 says so
/// with an empty list).
const ANONYMOUS: [&str; 3] = ["GetObject", "HeadObject", "ListBuckets"];

/// Knows the one key pair of this start.
pub(crate) struct Keys {
    pub(crate) access_key: String,
    pub(crate) secret_key: SecretKey,
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key {
            Ok(self.secret_key.clone())
        } else {
            Err(s3_error!(InvalidAccessKeyId))
        }
    }
}

/// Lets unsigned requests through to [`ANONYMOUS`] operations only.
pub(crate) struct Gate;

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        // As Swift: an uploader that sends trailers must notice here and not at the customer's.
        if context.headers().contains_key("x-amz-trailer") {
            return Err(s3_error!(
                NotImplemented,
                "Transferring payloads with trailers is not supported."
            ));
        }
        if context.credentials().is_none() {
            return if ANONYMOUS.contains(&context.s3_op().name()) {
                Ok(())
            } else {
                Err(s3_error!(AccessDenied))
            };
        }
        // As Swift and AWS: a right that is not part of the signature could have been added by anybody.
        if let Some(signed) = signed_headers(context)
            && context.headers().keys().any(|name| {
                name.as_str().starts_with("x-amz-") && !signed.split(';').any(|signed| signed == name.as_str())
            })
        {
            return Err(s3_error!(
                AccessDenied,
                "There were headers present in the request which were not signed"
            ));
        }
        Ok(())
    }
}

/// The names of the signed headers of an address that was signed, joined by `;`.
fn signed_headers(context: &S3AccessContext<'_>) -> Option<String> {
    form_urlencoded::parse(context.uri().query()?.as_bytes())
        .find(|(name, _)| name == "X-Amz-SignedHeaders")
        .map(|(_, names)| names.into_owned())
}
