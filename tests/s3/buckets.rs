//! Buckets: made, listed, asked for, deleted; one's own, other people's and none.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use lotse_tests::{Result, servers::Kind};
use rusty_s3::Method;

use crate::asking::{AT_ONCE, Answer, Asking, Question, line, tag};

/// Buckets of an account, at centron and therefore everywhere here.
const MOST_BUCKETS: usize = 100;

pub(crate) const QUESTIONS: &[Question] = &[
    // New, again, and in a place that there is none of. Swift says that it is one's own already.
    Question {
        name: "making_buckets",
        ask: |ask| Box::pin(making_buckets(ask)),
        answer: "200, 200, 400 InvalidLocationConstraint",
        otherwise: &[(
            Kind::Swift,
            "200, 409 BucketAlreadyOwnedByYou, 400 InvalidLocationConstraint",
        )],
    },
    Question {
        name: "names_of_buckets",
        ask: |ask| Box::pin(names_of_buckets(ask)),
        answer: "Größe 400 InvalidBucketName, UPPER 400 InvalidBucketName, under_score 400 InvalidBucketName, ab 400 InvalidBucketName, \
                 a..b 400 InvalidBucketName, -abc 400 InvalidBucketName, abc- 400 InvalidBucketName, 192.168.1.1 400 InvalidBucketName, \
                 64 letters 400 InvalidBucketName, a.b.c 200",
        otherwise: &[],
    },
    // PUT, HEAD, list, GET of an object, put an object, begin an upload, list uploads, delete. Only radosgw's users share their buckets'
    // names; Swift's accounts are worlds of their own, and the practice cloud has one user.
    Question {
        name: "somebody_elses_bucket",
        ask: |ask| Box::pin(somebody_elses_bucket(ask)),
        answer: "there is nobody else",
        otherwise: &[(
            Kind::Radosgw,
            "409 BucketAlreadyExists, 403, 403 AccessDenied, 403 AccessDenied, 403 AccessDenied, 403 AccessDenied, 403 AccessDenied, \
             403 AccessDenied",
        )],
    },
    // HEAD, list, put an object, begin an upload, list uploads, delete, a stranger's GET.
    Question {
        name: "a_missing_bucket",
        ask: |ask| Box::pin(a_missing_bucket(ask)),
        answer: "404, 404 NoSuchBucket, 404 NoSuchBucket, 404 NoSuchBucket, 404 NoSuchBucket, 404 NoSuchBucket, 404 NoSuchBucket",
        otherwise: &[(
            Kind::Swift,
            "404, 404 NoSuchBucket, 404 NoSuchBucket, 404 NoSuchBucket, 404 NoSuchBucket, 404 NoSuchBucket, 400",
        )],
    },
    // A stranger is shown an empty list by radosgw. Swift takes what is not signed for its own protocol.
    Question {
        name: "list_of_buckets",
        ask: |ask| Box::pin(list_of_buckets(ask)),
        answer: "200 alpha zulu; a stranger: 200, 0 buckets",
        otherwise: &[(Kind::Swift, "200 alpha zulu; a stranger: 404, 0 buckets")],
    },
    // With an object, with an open upload, again.
    Question {
        name: "deleting_buckets",
        ask: |ask| Box::pin(deleting_buckets(ask)),
        answer: "409 BucketNotEmpty, 204, 404 NoSuchBucket",
        otherwise: &[],
    },
    // Swift leaves that to the proxy's operator.
    Question {
        name: "too_many_buckets",
        ask: |ask| Box::pin(too_many_buckets(ask)),
        answer: "the 101st: 400 TooManyBuckets",
        otherwise: &[(Kind::Swift, "the 101st: 200")],
    },
];

async fn make(ask: &Asking<'_>, name: &str) -> Result<Answer> {
    ask.signed(Method::Put, ask.bucket_url(name)?, &[], &[], b"").await
}

async fn delete(ask: &Asking<'_>, name: &str) -> Result<Answer> {
    ask.signed(Method::Delete, ask.bucket_url(name)?, &[], &[], b"").await
}

async fn making_buckets(ask: &Asking<'_>) -> Result<String> {
    let new = make(ask, "made").await?;
    let again = make(ask, "made").await?;
    let body = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>elsewhere\
                </LocationConstraint></CreateBucketConfiguration>";
    let elsewhere = ask
        .signed(
            Method::Put,
            ask.bucket_url("made-elsewhere")?,
            &[],
            &[],
            body.as_bytes(),
        )
        .await?;
    delete(ask, "made").await?;
    Ok(line([&new, &again, &elsewhere]))
}

async fn names_of_buckets(ask: &Asking<'_>) -> Result<String> {
    let long = "a".repeat(64);
    let mut told = Vec::new();
    for name in [
        "Größe",
        "UPPER",
        "under_score",
        "ab",
        "a..b",
        "-abc",
        "abc-",
        "192.168.1.1",
        &long,
        "a.b.c",
    ] {
        let shown = if name == long { "64 letters" } else { name };
        told.push(format!("{shown} {}", make(ask, name).await?.short()));
    }
    delete(ask, "a.b.c").await?;
    Ok(told.join(", "))
}

async fn somebody_elses_bucket(ask: &Asking<'_>) -> Result<String> {
    let Some(other) = ask.server.other_user()? else {
        return Ok("there is nobody else".to_owned());
    };
    let other = ask.by(&other.access_key, &other.secret_key);
    make(&other, "somebodys").await?;
    let made = make(ask, "somebodys").await?;
    let mut answers = vec![made.short()];
    answers.extend(asked_of(ask, "somebodys").await?);
    delete(&other, "somebodys").await?;
    Ok(answers.join(", "))
}

/// HEAD, list, GET of an object, put an object, begin an upload, list uploads, delete.
async fn asked_of(ask: &Asking<'_>, bucket: &str) -> Result<Vec<String>> {
    let (url, object) = (ask.bucket_url(bucket)?, ask.bucket_url(&format!("{bucket}/key"))?);
    let mut answers = Vec::new();
    let (nothing, uploads): (&[_], &[_]) = (&[], &[("uploads", "")]);
    for (method, url, query) in [
        (Method::Head, &url, nothing),
        (Method::Get, &url, nothing),
        (Method::Get, &object, nothing),
        (Method::Put, &object, nothing),
        (Method::Post, &object, uploads),
        (Method::Get, &url, uploads),
        (Method::Delete, &url, nothing),
    ] {
        answers.push(ask.signed(method, url.clone(), query, &[], b"").await?.short());
    }
    Ok(answers)
}

async fn a_missing_bucket(ask: &Asking<'_>) -> Result<String> {
    let mut answers = asked_of(ask, "missing-bucket").await?;
    // That of the object says the same.
    answers.remove(2);
    let stranger = ask.bucket_url("missing-bucket/key")?;
    answers.push(ask.anonymous(Method::Get, stranger, &[]).await?.short());
    Ok(answers.join(", "))
}

async fn list_of_buckets(ask: &Asking<'_>) -> Result<String> {
    for name in ["zulu", "alpha"] {
        make(ask, name).await?;
    }
    let own = ask.signed(Method::Get, ask.service(), &[], &[], b"").await?;
    let stranger = ask.anonymous(Method::Get, ask.service(), &[]).await?;
    for name in ["zulu", "alpha"] {
        delete(ask, name).await?;
    }
    let mut names = tag(&own.text(), "Name");
    names.retain(|name| name != ask.bucket.name());
    Ok(format!(
        "{} {}; a stranger: {}, {} buckets",
        own.short(),
        names.join(" "),
        stranger.short(),
        tag(&stranger.text(), "Name").len()
    ))
}

async fn deleting_buckets(ask: &Asking<'_>) -> Result<String> {
    make(ask, "deleted").await?;
    let key = ask.bucket_url("deleted/key")?;
    ask.signed(Method::Put, key.clone(), &[], &[], b"x").await?;
    let full = delete(ask, "deleted").await?;
    ask.signed(Method::Delete, key.clone(), &[], &[], b"").await?;
    ask.signed(Method::Post, key, &[("uploads", "")], &[], b"").await?;
    let open = delete(ask, "deleted").await?;
    let gone = delete(ask, "deleted").await?;
    Ok(line([&full, &open, &gone]))
}

async fn too_many_buckets(ask: &Asking<'_>) -> Result<String> {
    let there = tag(
        &ask.signed(Method::Get, ask.service(), &[], &[], b"").await?.text(),
        "Name",
    );
    let names: Vec<String> = (there.len()..MOST_BUCKETS)
        .map(|number| format!("number-{number}"))
        .collect();
    let made = stream::iter(&names)
        .map(|name| make(ask, name))
        .buffer_unordered(AT_ONCE);
    let made: Vec<Answer> = made.try_collect().await?;
    if let Some(refused) = made.iter().find(|answer| answer.status != 200) {
        return Ok(format!("already refused: {}", refused.short()));
    }
    let more = make(ask, "one-more").await?;
    let deleted = stream::iter(&names)
        .map(|name| delete(ask, name))
        .buffer_unordered(AT_ONCE);
    deleted.try_for_each(async |_| Ok(())).await?;
    delete(ask, "one-more").await?;
    Ok(format!("the 101st: {}", more.short()))
}
