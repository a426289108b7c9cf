//! Who is let in: keys, signatures, clocks.

use std::time::Duration;

use lotse_tests::{Result, servers::Kind};
use rusty_s3::{Credentials, S3Action as _};

use crate::asking::{Asking, Question, SIGNED, line};

pub(crate) const QUESTIONS: &[Question] = &[
    Question {
        name: "addresses_signed_for_another_method",
        ask: |ask| Box::pin(addresses_signed_for_another_method(ask)),
        answer: "HEAD 403, another key 403 SignatureDoesNotMatch",
        otherwise: &[],
    },
    // Only AWS, whom the practice cloud follows here, minds addresses from the future.
    Question {
        name: "clocks",
        ask: |ask| Box::pin(clocks(ask)),
        answer: "an hour ago: 403 AccessDenied; in an hour: 403 RequestTimeTooSkewed",
        otherwise: &[
            (
                Kind::Swift,
                "an hour ago: 403 AccessDenied; in an hour: 404 NoSuchUpload",
            ),
            (
                Kind::Radosgw,
                "an hour ago: 403 AccessDenied; in an hour: 404 NoSuchKey",
            ),
        ],
    },
    Question {
        name: "wrong_keys",
        ask: |ask| Box::pin(wrong_keys(ask)),
        answer: "403 SignatureDoesNotMatch, 403 InvalidAccessKeyId",
        otherwise: &[(Kind::Swift, "403 SignatureDoesNotMatch, 403 SignatureDoesNotMatch")],
    },
    Question {
        name: "missing_objects",
        ask: |ask| Box::pin(missing_objects(ask)),
        answer: "404 NoSuchKey, 404, 204",
        otherwise: &[],
    },
    // A right that is not part of the signature could have been added by anybody. Radosgw takes it.
    Question {
        name: "unsigned_headers",
        ask: |ask| Box::pin(unsigned_headers(ask)),
        answer: "403 AccessDenied",
        otherwise: &[(Kind::Radosgw, "200")],
    },
];

async fn addresses_signed_for_another_method(ask: &Asking<'_>) -> Result<String> {
    ask.put("signed", b"x").await?;
    let url = ask.bucket.get_object(Some(&ask.keys), "signed").sign(SIGNED);
    let head = ask.send(ask.http.head(url.clone())).await?;
    let tampered = url.as_str().replace("signed?", "again?").parse::<url::Url>()?;
    let other = ask.send(ask.http.get(tampered)).await?;
    Ok(format!("HEAD {}, another key {}", head.status, other.short()))
}

async fn clocks(ask: &Asking<'_>) -> Result<String> {
    let now = jiff::Timestamp::now();
    let mut told = Vec::new();
    for (name, hours) in [("an hour ago", -1), ("in an hour", 1)] {
        let time = now + jiff::SignedDuration::from_hours(hours);
        let action = ask.bucket.list_parts(Some(&ask.keys), "k", "u");
        let url = action.sign_with_time(Duration::from_mins(15), &time);
        told.push(format!("{name}: {}", ask.send(ask.http.get(url)).await?.short()));
    }
    Ok(told.join("; "))
}

async fn wrong_keys(ask: &Asking<'_>) -> Result<String> {
    let begin = |keys: Credentials| async move {
        let action = ask.bucket.create_multipart_upload(Some(&keys), "k");
        let request = ask.http.post(action.sign(SIGNED)).header("content-length", 0);
        ask.send(request).await
    };
    let wrong_secret = begin(Credentials::new(ask.keys.key(), "wrong")).await?;
    let unknown = begin(Credentials::new("unknown:nobody", "wrong")).await?;
    Ok(line([&wrong_secret, &unknown]))
}

async fn missing_objects(ask: &Asking<'_>) -> Result<String> {
    let get = ask.get("missing").await?;
    let head = ask.head("missing").await?;
    let delete = ask.delete("missing").await?;
    Ok(line([&get, &head, &delete]))
}

async fn unsigned_headers(ask: &Asking<'_>) -> Result<String> {
    let url = ask.bucket.put_object(Some(&ask.keys), "unsigned").sign(SIGNED);
    let put = ask.http.put(url).header("x-amz-acl", "public-read").body("x");
    Ok(ask.send(put).await?.short())
}
