//! S3: odd answers and what they are taken for.

use bytes::Bytes;
use lotse_transfer::{PartReceipt, Target, TargetErrorKind};
use url::Url;

use super::server::{Server, answer};
use crate::{Addressing, S3, S3Config, Secret, http_client};

pub(super) fn client(endpoint: Url) -> S3 {
    let config = S3Config {
        endpoint,
        region: "practice".to_owned(),
        bucket: "staging".to_owned(),
        access_key: "KEY".to_owned(),
        secret_key: Secret::new("SECRET"),
        addressing: Addressing::Path,
    };
    assert!(!format!("{config:?}").contains("SECRET"), "a secret is never printed");
    S3::new(config, http_client().unwrap()).unwrap()
}

pub(super) fn refusal(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>Because</Message><RequestId>r-1</RequestId></Error>"
    )
}

fn receipt(number: u32) -> PartReceipt {
    PartReceipt {
        number,
        size: 5,
        etag: format!("e{number}"),
    }
}

#[tokio::test]
async fn refusals_become_stable_codes() {
    use TargetErrorKind::{Busy, Forbidden, Integrity, Network, NotFound, Rejected, Unauthorized};
    let cases = [
        (403, refusal("AccessDenied"), Forbidden, "s3_access_denied"),
        (404, refusal("NoSuchBucket"), Forbidden, "s3_no_such_bucket"),
        (404, refusal("NoSuchUpload"), NotFound, "s3_no_such_upload"),
        (404, refusal("NoSuchKey"), NotFound, "s3_no_such_upload"),
        (403, refusal("SignatureDoesNotMatch"), Unauthorized, "s3_signature"),
        (403, refusal("RequestTimeTooSkewed"), Forbidden, "s3_clock_skew"),
        (403, refusal("InvalidAccessKeyId"), Unauthorized, "s3_invalid_key"),
        (503, refusal("SlowDown"), Busy, "s3_busy"),
        (400, refusal("BadDigest"), Integrity, "s3_integrity"),
        (500, refusal("InternalError"), Network, "s3_server_error"),
        (400, refusal("RequestTimeout"), Network, "s3_timeout"),
        (400, refusal("Whatever"), Rejected, "s3_rejected"),
        (429, String::new(), Busy, "s3_busy"),
        (
            502,
            "<html><body>Bad gateway</body></html>".to_owned(),
            Network,
            "s3_server_error",
        ),
        // Taking this for a lost upload would throw away what was sent.
        (
            404,
            "<html><body>Not found</body></html>".to_owned(),
            Rejected,
            "s3_rejected",
        ),
        (302, String::new(), Rejected, "s3_rejected"),
        (301, refusal("PermanentRedirect"), Rejected, "s3_wrong_region"),
        (403, refusal("ExpiredToken"), Unauthorized, "s3_invalid_key"),
        (403, refusal("QuotaExceeded"), Forbidden, "s3_quota"),
        // What a service does not know it does not learn by repetition.
        (501, refusal("NotImplemented"), Rejected, "s3_rejected"),
        (501, String::new(), Rejected, "s3_rejected"),
    ];
    for (status, body, kind, code) in cases {
        let server = Server::start(vec![answer(status, &[("location", "http://127.0.0.1:1/")], &body)]).await;
        let error = client(server.url()).parts("k", "u").await.unwrap_err();
        assert_eq!((error.kind, error.code), (kind, code), "{status} {body}");
        assert_eq!(error.params["status"], status.to_string());
        if body.starts_with("<?xml") {
            assert_eq!(
                (
                    error.params["service_message"].as_str(),
                    error.params["request_id"].as_str()
                ),
                ("Because", "r-1")
            );
        }
    }
}

#[tokio::test]
async fn answers_that_are_not_s3s_are_not_believed() {
    let login_page = "<html><body>Welcome to our hotel</body></html>";
    let cut_off = "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</Par";
    let endless = "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>0</NextPartNumberMarker></ListPartsResult>";
    for body in [login_page, cut_off, endless, ""] {
        let server = Server::start(vec![
            answer(200, &[], body),
            answer(200, &[], body),
            answer(200, &[], body),
        ])
        .await;
        let s3 = client(server.url());
        assert_eq!(
            s3.parts("k", "u").await.unwrap_err().code,
            "s3_answer_invalid",
            "{body}"
        );
        assert_eq!(s3.begin("k").await.unwrap_err().code, "s3_answer_invalid", "{body}");
        assert_eq!(
            s3.complete("k", "u", &[receipt(1)]).await.unwrap_err().code,
            "s3_answer_invalid",
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_without_the_signed_address() {
    let error = client(Url::parse("http://127.0.0.1:1").unwrap())
        .begin("k")
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.code), (TargetErrorKind::Network, "s3_refused"));
    assert!(!format!("{error:?}").contains("X-Amz"), "{error:?}");
}

#[tokio::test]
async fn long_lists_of_parts_are_read_page_by_page() {
    let page = |number: u32, rest: &str| {
        let etag = format!("&quot;e{number}&quot;");
        answer(
            200,
            &[],
            &format!(
                "<ListPartsResult><Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><Size>5</Size></Part>{rest}</ListPartsResult>"
            ),
        )
    };
    let more = "<IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker>";
    let server = Server::start(vec![page(1, more), page(2, "<IsTruncated>false</IsTruncated>")]).await;
    let parts = client(server.url()).parts("k", "u").await.unwrap();
    assert_eq!(parts, [receipt(1), receipt(2)]);
    let asked = server.asked();
    assert!(asked[1].path.contains("part-number-marker=1"), "{}", asked[1].path);
}

#[tokio::test]
async fn parts_and_openings_carry_signed_headers() {
    let opened = "<InitiateMultipartUploadResult><UploadId>u/1</UploadId></InitiateMultipartUploadResult>";
    let server = Server::start(vec![
        answer(200, &[], opened),
        answer(200, &[("etag", "\"abc\"")], ""),
        answer(200, &[], ""),
    ])
    .await;
    let s3 = client(server.url());
    assert_eq!(s3.begin("ä b.raw").await.unwrap(), "u/1");
    let receipt = s3
        .put_part("ä b.raw", "u/1", 1, Bytes::from_static(b"hello").into(), [7; 16])
        .await
        .unwrap();
    assert_eq!(
        receipt,
        PartReceipt {
            number: 1,
            size: 5,
            etag: "abc".to_owned()
        }
    );
    let no_etag = s3
        .put_part("ä b.raw", "u/1", 1, Bytes::from_static(b"hello").into(), [7; 16])
        .await
        .unwrap_err();
    assert_eq!(
        no_etag.code, "s3_answer_invalid",
        "a part without a mark cannot be compared"
    );

    let asked = server.asked();
    assert!(
        !asked[0].headers.contains("x-amz-acl"),
        "an object begins private: {}",
        asked[0].headers
    );
    assert!(asked[1].headers.contains("content-md5: BwcHBwcHBwcHBwcHBwcHBw=="));
    assert!(
        asked[1].path.contains("X-Amz-SignedHeaders=content-md5%3Bhost"),
        "{}",
        asked[1].path
    );
    assert_eq!((asked[1].method.as_str(), asked[1].body.as_str()), ("PUT", "hello"));
    assert!(asked[1].headers.contains("user-agent: imagelotse/"));
    assert!(
        asked[1].headers.contains("content-length: 5") && !asked[1].headers.contains("transfer-encoding"),
        "S3 takes no part without a length: {}",
        asked[1].headers
    );
}

#[tokio::test]
async fn an_error_that_comes_with_200_is_an_error_and_a_lost_answer_is_none() {
    let object = [("etag", "\"x-1\""), ("content-length", "0")];
    let server = Server::start(vec![
        answer(200, &[], &refusal("InternalError")),
        answer(404, &[], &refusal("NoSuchUpload")),
        answer(200, &object, ""),
        answer(404, &[], &refusal("NoSuchUpload")),
        answer(404, &[], ""),
        answer(200, &[], "<CompleteMultipartUploadResult/>"),
    ])
    .await;
    let s3 = client(server.url());
    let parts = [receipt(1)];
    assert_eq!(s3.complete("k", "u", &parts).await.unwrap_err().code, "s3_server_error");
    s3.complete("k", "u", &parts)
        .await
        .expect("completed before: the object is there");
    assert_eq!(
        s3.complete("k", "u", &parts).await.unwrap_err().code,
        "s3_no_such_upload"
    );
    s3.complete("k", "u", &parts).await.unwrap();
}

#[tokio::test]
async fn what_is_gone_is_success_for_those_who_remove() {
    let server = Server::start(vec![
        answer(404, &[], &refusal("NoSuchUpload")),
        // Swift, after the upload was completed.
        answer(404, &[], &refusal("NoSuchKey")),
        answer(404, &[], &refusal("NoSuchKey")),
        answer(403, &[], &refusal("AccessDenied")),
    ])
    .await;
    let s3 = client(server.url());
    s3.abort("k", "u").await.unwrap();
    s3.abort("k", "u").await.unwrap();
    s3.delete("k").await.unwrap();
    assert_eq!(s3.delete("k").await.unwrap_err().code, "s3_access_denied");
}

#[tokio::test]
async fn an_object_says_what_it_is_by_its_extension() {
    let opened = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    for (key, kind) in [
        ("imagelotse/0f/debian.raw", "application/octet-stream"),
        ("imagelotse/0f/debian.qcow2", "application/octet-stream"),
        ("imagelotse/0f.gz/debian", "application/octet-stream"),
        ("imagelotse/0f/debian.img.GZ", "application/gzip"),
        ("imagelotse/0f/debian.raw.bz2", "application/x-bzip2"),
    ] {
        let server = Server::start(vec![answer(200, &[], opened), answer(200, &[], "")]).await;
        let s3 = client(server.url());
        s3.begin(key).await.unwrap();
        s3.put(key, Bytes::from_static(b"x")).await.unwrap();
        for asked in server.asked() {
            assert!(
                asked.headers.contains(&format!("content-type: {kind}\n")),
                "{key}: {}",
                asked.headers
            );
            // A browser or service would unpack it on the way, and another file would arrive.
            assert!(!asked.headers.contains("content-encoding"), "{}", asked.headers);
        }
    }
}

/// Which time the request was signed with.
fn signed_at(path: &str) -> jiff::Timestamp {
    let date = path.split("X-Amz-Date=").nth(1).unwrap().split('&').next().unwrap();
    jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", date)
        .unwrap()
        .to_datetime()
        .unwrap()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .unwrap()
        .timestamp()
}

#[tokio::test]
async fn a_wrong_clock_is_mended_by_the_services_own() {
    let hours = jiff::SignedDuration::from_hours(7);
    let theirs = jiff::Timestamp::now().checked_add(hours).unwrap();
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&theirs)
        .unwrap();
    let skewed = || answer(403, &[("date", &date)], &refusal("RequestTimeTooSkewed"));
    let list = "<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>";
    let server = Server::start(vec![skewed(), answer(200, &[], list), answer(200, &[], list)]).await;
    let s3 = client(server.url());
    s3.parts("k", "u").await.unwrap();
    s3.parts("k", "u").await.unwrap();
    for (request, off) in [
        (0, hours),
        (1, jiff::SignedDuration::ZERO),
        (2, jiff::SignedDuration::ZERO),
    ] {
        let difference = theirs.duration_since(signed_at(&server.asked()[request].path));
        assert!(
            (difference - off).abs() < jiff::SignedDuration::from_mins(2),
            "{request}: {difference}"
        );
    }

    // A part's body cannot be sent twice: the next try is the engine's.
    let server = Server::start(vec![
        skewed(),
        answer(403, &[("date", &date)], &refusal("AccessDenied")),
    ])
    .await;
    let s3 = client(server.url());
    let body = || Bytes::from_static(b"hello").into();
    let refused = s3.put_part("k", "u", 1, body(), [0; 16]).await.unwrap_err();
    assert_eq!((refused.retryable(), refused.code), (true, "s3_clock_skew"));
    let refused = s3.put_part("k", "u", 1, body(), [0; 16]).await.unwrap_err();
    assert_eq!(
        (refused.retryable(), refused.code),
        (false, "s3_access_denied"),
        "no excuse twice"
    );
    let difference = theirs.duration_since(signed_at(&server.asked()[1].path));
    assert!(difference.abs() < jiff::SignedDuration::from_mins(2), "{difference}");
}

#[tokio::test]
async fn what_a_service_asks_for_is_understood() {
    let soon = "Sun, 22 Nov 2026 10:00:30 GMT";
    let cases = [
        (vec![("retry-after", "7")], Some(7)),
        (
            vec![("date", "Sun, 22 Nov 2026 10:00:00 GMT"), ("retry-after", soon)],
            Some(30),
        ),
        (
            vec![("date", "Sun, 22 Nov 2026 11:00:00 GMT"), ("retry-after", soon)],
            None,
        ),
        (vec![("retry-after", "when it suits you")], None),
        (vec![], None),
    ];
    for (headers, seconds) in cases {
        let server = Server::start(vec![answer(503, &headers, &refusal("SlowDown"))]).await;
        let error = client(server.url()).parts("k", "u").await.unwrap_err();
        assert_eq!(
            error.retry_after,
            seconds.map(std::time::Duration::from_secs),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn open_uploads_are_those_of_this_very_key() {
    let upload = |key: &str, id: &str| {
        format!(
            "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>2026-11-22T10:00:00.000Z</Initiated></Upload>"
        )
    };
    let (ours, other) = (upload("a/ä.raw", "u1"), upload("a/ä.raw.gz", "u2"));
    let list = format!("<ListMultipartUploadsResult>{ours}{other}</ListMultipartUploadsResult>");
    let server = Server::start(vec![answer(200, &[], &list), answer(200, &[], "<html/>")]).await;
    let s3 = client(server.url());
    assert_eq!(s3.uploads("a/ä.raw").await.unwrap(), ["u1"]);
    assert_eq!(s3.uploads("a/ä.raw").await.unwrap_err().code, "s3_answer_invalid");
    let asked = &server.asked()[0].path;
    assert!(
        asked.contains("uploads=") && asked.contains("prefix=a%2F%C3%A4.raw"),
        "{asked}"
    );
}
