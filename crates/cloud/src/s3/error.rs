//! What an S3 service's refusals mean.

use std::{collections::BTreeMap, time::Duration};

use http::{
    HeaderName, StatusCode,
    header::{DATE, RETRY_AFTER},
};
use jiff::{Timestamp, fmt::rfc2822};
use lotse_transfer::{TargetError, TargetErrorKind};

use url::Url;

use super::xml::Element;
use crate::{
    cause::{Cause, Fault},
    http::{Answer, NoAnswer, Unreachable, proxy_of, shorten},
};

/// Radosgw, Swift, AWS and s3s all set it.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

pub(super) fn error<const N: usize>(
    kind: TargetErrorKind,
    code: &'static str,
    params: [(&str, String); N],
) -> TargetError {
    let params: BTreeMap<String, String> = params
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    TargetError {
        kind,
        code,
        params,
        retry_after: None,
    }
}

/// What kept an answer away. All of it may pass by itself: a network that one has left, a sign-in page in between.
pub(super) fn no_answer(cause: NoAnswer) -> TargetError {
    let why = match cause {
        NoAnswer::Timeout => return error(TargetErrorKind::Network, "s3_timeout", []),
        NoAnswer::TooLarge => return error(TargetErrorKind::Rejected, "s3_answer_invalid", []),
        NoAnswer::Unreachable(why) => why,
    };
    let proxy = why.url.as_ref().and_then(proxy_of);
    unreachable(why, proxy)
}

fn unreachable(why: Unreachable, proxy: Option<String>) -> TargetError {
    let host = why.url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let address = match why.url.as_ref().and_then(Url::port_or_known_default) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let host = host.to_owned();
    let network = TargetErrorKind::Network;
    let reason = ("reason", why.reason);
    match (why.cause, proxy) {
        (Cause::Certificate(fault), _) => match fault {
            Fault::Untrusted => error(network, "s3_certificate_untrusted", [("host", host), reason]),
            Fault::Name => error(network, "s3_certificate_name", [("host", host), reason]),
            Fault::Time => error(network, "s3_certificate_expired", [("host", host), reason]),
            Fault::Other => error(network, "s3_certificate", [("host", host), reason]),
        },
        (Cause::Tls, _) => error(network, "s3_tls", [("host", address), reason]),
        // With a proxy it is the proxy that is looked up and connected to.
        (_, Some(proxy)) if why.connecting => error(network, "s3_proxy", [("proxy", proxy), reason]),
        (Cause::NameUnknown, _) => error(network, "s3_name_unknown", [("host", host), reason]),
        (Cause::Refused, _) => error(network, "s3_refused", [("host", address), reason]),
        (Cause::Timeout | Cause::Other, _) => error(network, "s3_unreachable", [reason]),
    }
}

/// A proxy lets nobody through who does not sign in.
pub(super) fn proxy_refused(answer: &Answer, service: &Url) -> TargetError {
    error(
        TargetErrorKind::Network,
        "s3_proxy",
        [
            // One that stands before the service names itself by this, too.
            (
                "proxy",
                proxy_of(service).unwrap_or_else(|| service.host_str().unwrap_or_default().to_owned()),
            ),
            ("reason", answer.status.to_string()),
        ],
    )
}

/// An answer that could not be understood: cut off, or not from an S3 service at all.
pub(super) fn odd_answer(answer: &Answer) -> TargetError {
    // Network: a proxy's or hotel's page in between goes away again.
    error(
        TargetErrorKind::Network,
        "s3_answer_invalid",
        [("status", answer.status.as_u16().to_string())],
    )
}

/// The meaning of a refusal. Codes from the S3 API reference, "Error responses".
pub(super) fn refusal(answer: &Answer) -> TargetError {
    let document = Element::parse(&answer.body).filter(|root| root.is("Error"));
    let text = |name: &str| document.as_ref().and_then(|root| root.text(name)).unwrap_or_default();
    let (service_code, message) = (text("Code"), shorten(text("Message")));
    let (kind, code) = by_code(service_code, &message).unwrap_or_else(|| by_status(answer.status));
    let mut refused = error(kind, code, [("status", answer.status.as_u16().to_string())]);
    let request_id = match text("RequestId") {
        "" => answer.header(REQUEST_ID).unwrap_or_default(),
        id => id,
    };
    let known = [
        ("service_code", service_code),
        ("service_message", &message),
        ("request_id", request_id),
    ];
    for (name, value) in known.into_iter().filter(|(_, value)| !value.is_empty()) {
        refused.params.insert(name.to_owned(), shorten(value));
    }
    refused.retry_after = retry_after(answer);
    refused
}

/// How long the service asks to be left alone (RFC 9110, 10.2.3): seconds, or a date by its own clock.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let asked = answer.header(RETRY_AFTER)?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let pause = parse_date(asked)?.duration_since(date(answer)?);
    // What lies in the past asks for nothing.
    pause.try_into().ok()
}

/// When the service answered, by its own clock (`Date`).
pub(super) fn date(answer: &Answer) -> Option<Timestamp> {
    parse_date(answer.header(DATE)?.trim())
}

fn parse_date(text: &str) -> Option<Timestamp> {
    // HTTP's form is one of RFC 2822's.
    rfc2822::parse(text).ok().map(|date| date.timestamp())
}

fn by_code(service_code: &str, message: &str) -> Option<(TargetErrorKind, &'static str)> {
    use TargetErrorKind::{Busy, Forbidden, Integrity, Network, NotFound, Rejected, Unauthorized};
    Some(match service_code {
        // A signed address is refused this way when the clocks differ by more than its time.
        "AccessDenied" if message.contains("expired") => (Forbidden, "s3_clock_skew"),
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => (Forbidden, "s3_access_denied"),
        "RequestTimeTooSkewed" | "RequestExpired" => (Forbidden, "s3_clock_skew"),
        // "the region 'x' is wrong; expecting 'y'": AWS and Swift.
        "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError" if message.contains("region") => {
            (Unauthorized, "s3_wrong_region")
        }
        "SignatureDoesNotMatch" | "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError" => {
            (Unauthorized, "s3_signature")
        }
        "InvalidAccessKeyId" | "InvalidToken" | "ExpiredToken" | "TokenRefreshRequired" => {
            (Unauthorized, "s3_invalid_key")
        }
        // Not `NotFound`, which says that an upload is lost: somebody has to look at the connection, and then it goes on.
        "NoSuchBucket" => (Forbidden, "s3_no_such_bucket"),
        // Swift and radosgw speak of the key when the upload was completed before.
        "NoSuchUpload" | "NoSuchKey" => (NotFound, "s3_no_such_upload"),
        "AccessControlListNotSupported" => (Rejected, "s3_no_public_access"),
        "BucketAlreadyExists" | "OperationAborted" => (Rejected, "s3_bucket_taken"),
        "InvalidBucketName" => (Rejected, "s3_bucket_name_invalid"),
        "TooManyBuckets" => (Rejected, "s3_too_many_buckets"),
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "IllegalLocationConstraintException"
        | "InvalidLocationConstraint" => (Rejected, "s3_wrong_region"),
        "QuotaExceeded" => (Forbidden, "s3_quota"),
        "SlowDown" | "ServiceUnavailable" | "TooManyRequests" | "Busy" => (Busy, "s3_busy"),
        "NotImplemented" | "MethodNotAllowed" => (Rejected, "s3_rejected"),
        "InternalError" => (Network, "s3_server_error"),
        "RequestTimeout" => (Network, "s3_timeout"),
        "BadDigest" | "IncompleteBody" | "XAmzContentSHA256Mismatch" | "InvalidPart" | "InvalidPartOrder" => {
            (Integrity, "s3_integrity")
        }
        _ => return None,
    })
}

fn by_status(status: StatusCode) -> (TargetErrorKind, &'static str) {
    use TargetErrorKind::{Busy, Forbidden, Integrity, Network, Rejected, Unauthorized};
    match status.as_u16() {
        401 => (Unauthorized, "s3_invalid_key"),
        403 => (Forbidden, "s3_access_denied"),
        408 => (Network, "s3_timeout"),
        // Swift and Garage, for a body that does not match its MD5.
        422 => (Integrity, "s3_integrity"),
        429 | 503 => (Busy, "s3_busy"),
        // Repeating does not teach it.
        501 => (Rejected, "s3_rejected"),
        500..=599 => (Network, "s3_server_error"),
        // A 404 without S3's own code is no proof that an upload is lost: it may come from something in between.
        _ => (Rejected, "s3_rejected"),
    }
}

/// Is it the object that is not there?
pub(super) fn is_missing_key(refused: &TargetError) -> bool {
    service_code(refused) == "NoSuchKey" && refused.params.get("status").is_some_and(|status| status == "404")
}

/// The service's own code for a refusal; empty without one.
pub(super) fn service_code(refused: &TargetError) -> &str {
    refused.params.get("service_code").map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_does_not_connect_is_not_taken_for_the_service() {
        let unreachable = |cause, connecting| {
            let why = Unreachable {
                cause,
                connecting,
                reason: "no way".to_owned(),
                url: Some(Url::parse("https://s3.example/b").unwrap()),
            };
            super::unreachable(why, Some("proxy.example:3128".to_owned()))
        };
        for cause in [Cause::Refused, Cause::NameUnknown, Cause::Other] {
            let told = unreachable(cause, true);
            assert_eq!(
                (told.code, told.params["proxy"].as_str()),
                ("s3_proxy", "proxy.example:3128")
            );
        }
        let told = unreachable(Cause::Certificate(Fault::Untrusted), true);
        assert_eq!(
            told.code, "s3_certificate_untrusted",
            "a proxy that reads along shows by its certificate"
        );
        assert_eq!(
            unreachable(Cause::Other, false).code,
            "s3_unreachable",
            "it broke later"
        );
    }
}
