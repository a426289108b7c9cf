//! Is there an S3 service at this address at all?

use jiff::Timestamp;
use lotse_transfer::{TargetError, TargetErrorKind};
use rusty_s3::Method;

use super::{
    S3,
    ask::Ask,
    error::{REQUEST_ID, date, error, refusal},
    xml::Element,
};
use crate::http::{Answer, proxy_of};

/// A service that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The service's own time, if it told one.
    pub date: Option<Timestamp>,
    /// Does nobody in between read along?
    pub encrypted: bool,
    /// The system's proxy through which it was reached, as `host:port`.
    pub proxy: Option<String>,
}

impl S3 {
    /// Asks the service without a signature for anything. Needs no bucket and no valid key.
    ///
    /// # Errors
    /// What kept the answer away, each with its own code: `s3_name_unknown`, `s3_refused`, `s3_unreachable`, `s3_timeout`, `s3_proxy`,
    /// `s3_certificate_untrusted`, `s3_certificate_name`, `s3_certificate_expired`, `s3_certificate`, `s3_tls`; `s3_not_s3` for an answer
    /// that comes from something else.
    pub async fn reach(&self) -> Result<Reached, TargetError> {
        let anonymous = self.http.get(self.service.clone()).timeout(self.timeouts.small);
        let mut answer = self.send(anonymous).await?;
        if !is_s3(&answer) {
            // Swift takes what is not signed for its own protocol.
            answer = self.ask(&Ask::new(Method::Get, self.service.clone())).await?;
        }
        if !is_s3(&answer) {
            let refused = refusal(&answer);
            // A gateway whose service is away for a while says so without any sign of S3.
            return Err(if refused.retryable() {
                refused
            } else {
                let status = answer.status.as_u16().to_string();
                error(TargetErrorKind::Rejected, "s3_not_s3", [("status", status)])
            });
        }
        Ok(Reached {
            date: date(&answer),
            encrypted: self.service.scheme() == "https",
            proxy: proxy_of(&self.service),
        })
    }
}

fn is_s3(answer: &Answer) -> bool {
    answer.header(REQUEST_ID).is_some()
        || Element::parse(&answer.body)
            .is_some_and(|root| root.is("ListAllMyBucketsResult") || (root.is("Error") && root.text("Code").is_some()))
}
