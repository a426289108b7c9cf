//! What is public, and for whom: rights with the object and after the fact, policies, strangers.

use lotse_tests::{Result, servers::Kind};
use rusty_s3::Method;
use serde_json::{Value, json};

use crate::asking::{Answer, Asking, Question, tag};

/// With everything that a name on a person's computer has.
const KEY: &str = "imagelotse/Büro „neu“ & alt/ä b+c%20=#~.raw";

pub(crate) const QUESTIONS: &[Question] = &[
    // Swift keeps rights for a whole bucket only, and takes a request without a signature for one of its own protocol.
    Question {
        name: "public_object",
        ask: |ask| Box::pin(public_object(ask)),
        answer: "200; HEAD 200 GET 200 PUT 403 AccessDenied; private: 403 AccessDenied",
        otherwise: &[(Kind::Swift, "200; HEAD 400 GET 400 PUT 400; private: 400")],
    },
    // Each: HEAD with its length, GET, a range and its place, a range behind the end. Swift has no rights for single objects.
    Question {
        name: "rights_after_the_fact",
        ask: |ask| Box::pin(rights_after_the_fact(ask)),
        answer: "private: 403, 403 AccessDenied, 403 AccessDenied; made public 200, again 200: 200 of 11, 200, 206 bytes 2-4/11 llo, \
                 416 InvalidRange; public-read-write 200: 200 of 11, 200, 206 bytes 2-4/11 llo, 416 InvalidRange; made private 200, \
                 again 200: 403, 403 AccessDenied, 403 AccessDenied; overwritten: 403, 403 AccessDenied, 403 AccessDenied; nonsense \
                 400 InvalidArgument, none 400 InvalidArgument, missing key 404 NoSuchKey, missing bucket 404 NoSuchBucket",
        otherwise: &[(
            Kind::Swift,
            "private: 400, 400, 400; made public 501 NotImplemented, again 501 NotImplemented: 400, 400, 400; public-read-write \
             501 NotImplemented: 400, 400, 400; made private 501 NotImplemented, again 501 NotImplemented: 400, 400, 400; overwritten: \
             400, 400, 400; nonsense 501 NotImplemented, none 501 NotImplemented, missing key 501 NotImplemented, missing bucket \
             501 NotImplemented",
        )],
    },
    Question {
        name: "rights_told",
        ask: |ask| Box::pin(rights_told(ask)),
        answer: "private: FULL_CONTROL; public: FULL_CONTROL READ AllUsers",
        otherwise: &[(Kind::Swift, "private: FULL_CONTROL; public: FULL_CONTROL")],
    },
    Question {
        name: "rights_of_a_kind_there_is_none_of",
        ask: |ask| Box::pin(rights_of_a_kind_there_is_none_of(ask)),
        answer: "put 400 InvalidArgument, begin 400 InvalidArgument",
        otherwise: &[],
    },
    // GET; put, GET the very text; the object, another one, one that is not there; a second one with it; taken away, again; the first.
    // Radosgw says 200 where AWS and the practice cloud say 204.
    Question {
        name: "policy_for_single_objects",
        ask: |ask| Box::pin(policy_for_single_objects(ask)),
        answer: "none 404 NoSuchBucketPolicy; put 204, the same text true: HEAD 200, 206, other 403 AccessDenied, missing 403 AccessDenied; two \
                 204: 200, 200; gone 204, 204: 403 AccessDenied, 403 AccessDenied",
        otherwise: &[
            (
                Kind::Radosgw,
                "none 404 NoSuchBucketPolicy; put 204, the same text true: HEAD 200, 206, other 403 AccessDenied, missing 403 AccessDenied; \
                 two 204: 200, 200; gone 200, 200: 403 AccessDenied, 403 AccessDenied",
            ),
            (
                Kind::Swift,
                "none 501 NotImplemented; put 501 NotImplemented, the same text false: HEAD 400, 400, other 400, missing 400; two \
                 501 NotImplemented: 400, 400; gone 501 NotImplemented, 501 NotImplemented: 400, 400",
            ),
        ],
    },
    // `*` and `?` are wildcards and can be escaped by nothing; a policy and a right both count.
    Question {
        name: "policy_patterns",
        ask: |ask| Box::pin(policy_patterns(ask)),
        answer: "a*b: 200, 200; a?b: 200, 200; right and policy: 200, without the policy 200",
        otherwise: &[(
            Kind::Swift,
            "a*b: 400, 400; a?b: 400, 400; right and policy: 400, without the policy 400",
        )],
    },
    Question {
        name: "policies_that_are_none",
        ask: |ask| Box::pin(policies_that_are_none(ask)),
        answer: "garbage 400 InvalidArgument, empty 400 InvalidArgument, field 400 InvalidArgument, version 400 InvalidArgument, effect \
                 400 InvalidArgument, resource 400 InvalidArgument, colon 400 InvalidArgument; the one before stays: 200",
        otherwise: &[(
            Kind::Swift,
            "garbage 501 NotImplemented, empty 501 NotImplemented, field 501 NotImplemented, version 501 NotImplemented, effect \
             501 NotImplemented, resource 501 NotImplemented, colon 501 NotImplemented; the one before stays: 400",
        )],
    },
    // What the practice cloud could not do, or AWS would not take, it refuses; radosgw takes it all.
    Question {
        name: "policies_that_mean_more",
        ask: |ask| Box::pin(policies_that_mean_more(ask)),
        answer: "deny 501 NotImplemented, condition 501 NotImplemented, actions 501 NotImplemented, user 501 NotImplemented, variable \
                 501 NotImplemented, empty 400 InvalidArgument, sid 400 InvalidArgument, other bucket 400 InvalidArgument",
        otherwise: &[
            (
                Kind::Radosgw,
                "deny 204, condition 204, actions 204, user 204, variable 400 InvalidArgument, empty 204, sid 204, other bucket 204",
            ),
            (
                Kind::Swift,
                "deny 501 NotImplemented, condition 501 NotImplemented, actions 501 NotImplemented, user 501 NotImplemented, variable \
                 501 NotImplemented, empty 501 NotImplemented, sid 501 NotImplemented, other bucket 501 NotImplemented",
            ),
        ],
    },
    // List, uploads, policy, right, part of an upload, DELETE, a key that is not there.
    Question {
        name: "strangers",
        ask: |ask| Box::pin(strangers(ask)),
        answer: "403 AccessDenied, 403 AccessDenied, 403 AccessDenied, 403 AccessDenied, 403 AccessDenied, 403 AccessDenied, \
                 403 AccessDenied",
        otherwise: &[(Kind::Swift, "412, 412, 412, 400, 400, 400, 400")],
    },
];

async fn public_object(ask: &Asking<'_>) -> Result<String> {
    let public = ask.begin_with("public.raw", &[("x-amz-acl", "public-read")]).await?;
    let upload = tag(&public.text(), "UploadId").pop().unwrap_or_default();
    let mut anonymous = "none".to_owned();
    if public.status == 200 {
        let part = ask.part("public.raw", &upload, 1, b"open").await?;
        ask.complete("public.raw", &upload, &[(1, &part.etag)]).await?;
        let url = ask.bucket.object_url("public.raw");
        let head = ask.send(ask.http.head(url.clone())).await?;
        let get = ask.send(ask.http.get(url.clone())).await?;
        let put = ask.send(ask.http.put(url).body("x")).await?;
        anonymous = format!("HEAD {} GET {} PUT {}", head.status, get.short(), put.short());
    }
    ask.put("private.raw", b"secret").await?;
    let private = ask.send(ask.http.get(ask.bucket.object_url("private.raw"))).await?;
    Ok(format!("{}; {anonymous}; private: {}", public.short(), private.short()))
}

/// What a stranger sees of an object.
async fn seen(ask: &Asking<'_>, key: &str) -> Result<String> {
    let url = ask.bucket.object_url(key);
    let head = ask.anonymous(Method::Head, url.clone(), &[]).await?;
    let get = ask.anonymous(Method::Get, url.clone(), &[]).await?;
    let part = ask
        .anonymous(Method::Get, url.clone(), &[("range", "bytes=2-4")])
        .await?;
    let mut told = vec![head.status.to_string(), get.short(), part.short()];
    if let (200, Some(length)) = (head.status, head.length) {
        told[0] = format!("200 of {length}");
    }
    if part.status == 206 {
        told[2] = format!("206 {} {}", part.range, part.text());
        let behind = ask.anonymous(Method::Get, url, &[("range", "bytes=50-60")]).await?;
        told.push(behind.short());
    }
    Ok(told.join(", "))
}

async fn rights_after_the_fact(ask: &Asking<'_>) -> Result<String> {
    ask.put(KEY, b"hello world").await?;
    let private = seen(ask, KEY).await?;
    let set = async |acl: &str| Result::Ok(ask.set_acl(KEY, acl).await?.short());
    let (public, again) = (set("public-read").await?, set("public-read").await?);
    let open = seen(ask, KEY).await?;
    let (wide, wide_open) = (set("public-read-write").await?, seen(ask, KEY).await?);
    let (closed, closed_again) = (set("private").await?, set("private").await?);
    let closed_for = seen(ask, KEY).await?;
    set("public-read").await?;
    ask.put(KEY, b"hello again").await?;
    let overwritten = seen(ask, KEY).await?;
    let nonsense = set("nonsense").await?;
    let object = ask.bucket.object_url(KEY);
    let none = ask.signed(Method::Put, object, &[("acl", "")], &[], b"").await?;
    let missing = ask.set_acl("missing", "public-read").await?;
    let (elsewhere, headers) = (ask.bucket_url("missing-bucket/key")?, [("x-amz-acl", "public-read")]);
    let elsewhere = ask
        .signed(Method::Put, elsewhere, &[("acl", "")], &headers, b"")
        .await?;
    Ok(format!(
        "private: {private}; made public {public}, again {again}: {open}; public-read-write {wide}: {wide_open}; made private {closed}, \
         again {closed_again}: {closed_for}; overwritten: {overwritten}; nonsense {nonsense}, none {}, missing key {}, missing bucket {}",
        none.short(),
        missing.short(),
        elsewhere.short()
    ))
}

async fn rights_told(ask: &Asking<'_>) -> Result<String> {
    ask.put("told", b"x").await?;
    let read = async || {
        let answer = ask
            .signed(Method::Get, ask.bucket.object_url("told"), &[("acl", "")], &[], b"")
            .await?;
        let mut grants = tag(&answer.text(), "Permission");
        grants.sort_unstable();
        grants.extend(
            tag(&answer.text(), "URI")
                .iter()
                .filter_map(|group| group.rsplit('/').next())
                .map(str::to_owned),
        );
        Result::Ok(grants.join(" "))
    };
    let private = read().await?;
    ask.set_acl("told", "public-read").await?;
    Ok(format!("private: {private}; public: {}", read().await?))
}

async fn rights_of_a_kind_there_is_none_of(ask: &Asking<'_>) -> Result<String> {
    let headers = [("x-amz-acl", "nonsense")];
    let put = ask
        .signed(Method::Put, ask.bucket.object_url("nonsense"), &[], &headers, b"x")
        .await?;
    let begin = ask.begin_with("nonsense", &headers).await?;
    Ok(format!("put {}, begin {}", put.short(), begin.short()))
}

/// Lets everybody read this, changed by `change`.
fn statement(ask: &Asking<'_>, key: &str, change: Value) -> Value {
    let mut statement = json!({
        "Sid": "imagelotse",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{}/{key}", ask.bucket.name()),
    });
    if let (Some(statement), Value::Object(change)) = (statement.as_object_mut(), change) {
        statement.extend(change);
    }
    statement
}

fn policy(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

async fn put_policy(ask: &Asking<'_>, policy: &str) -> Result<Answer> {
    ask.of_bucket(Method::Put, &[("policy", "")], policy.as_bytes()).await
}

async fn delete_policy(ask: &Asking<'_>) -> Result<Answer> {
    ask.of_bucket(Method::Delete, &[("policy", "")], b"").await
}

async fn stranger(ask: &Asking<'_>, key: &str) -> Result<String> {
    let answer = ask.anonymous(Method::Get, ask.bucket.object_url(key), &[]).await?;
    Ok(answer.short())
}

async fn policy_for_single_objects(ask: &Asking<'_>) -> Result<String> {
    for key in [KEY, "second", "third"] {
        ask.put(key, b"hello world").await?;
    }
    let read = async || ask.of_bucket(Method::Get, &[("policy", "")], b"").await;
    let none = read().await?;
    let one = policy(&[statement(ask, KEY, json!({}))]);
    let put = put_policy(ask, &one).await?;
    let same = read().await?.text() == one;
    let url = ask.bucket.object_url(KEY);
    let head = ask.anonymous(Method::Head, url.clone(), &[]).await?;
    let range = ask.anonymous(Method::Get, url, &[("range", "bytes=2-4")]).await?;
    let (other, missing) = (stranger(ask, "second").await?, stranger(ask, "missing").await?);
    let second = statement(
        ask,
        "second",
        json!({"Sid": "second", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"]}),
    );
    let two = put_policy(ask, &policy(&[statement(ask, KEY, json!({})), second])).await?;
    let both = format!("{}, {}", stranger(ask, KEY).await?, stranger(ask, "second").await?);
    let (gone, again) = (delete_policy(ask).await?, delete_policy(ask).await?);
    let after = format!("{}, {}", stranger(ask, KEY).await?, stranger(ask, "second").await?);
    Ok(format!(
        "none {}; put {}, the same text {same}: HEAD {}, {}, other {other}, missing {missing}; two {}: {both}; gone {}, {}: {after}",
        none.short(),
        put.short(),
        head.status,
        range.status,
        two.short(),
        gone.short(),
        again.short()
    ))
}

async fn policy_patterns(ask: &Asking<'_>) -> Result<String> {
    let mut told = Vec::new();
    for pattern in ["a*b", "a?b"] {
        for key in [pattern, "axb"] {
            ask.put(key, b"x").await?;
        }
        put_policy(ask, &policy(&[statement(ask, pattern, json!({}))])).await?;
        told.push(format!(
            "{pattern}: {}, {}",
            stranger(ask, pattern).await?,
            stranger(ask, "axb").await?
        ));
    }
    ask.set_acl("axb", "public-read").await?;
    let both = stranger(ask, "axb").await?;
    delete_policy(ask).await?;
    let right = stranger(ask, "axb").await?;
    Ok(format!(
        "{}; right and policy: {both}, without the policy {right}",
        told.join("; ")
    ))
}

async fn policies_that_are_none(ask: &Asking<'_>) -> Result<String> {
    ask.put(KEY, b"hello world").await?;
    let good = policy(&[statement(ask, KEY, json!({}))]);
    put_policy(ask, &good).await?;
    let mut told = Vec::new();
    for (name, policy) in [
        ("garbage", "garbage".to_owned()),
        ("empty", String::new()),
        ("field", policy(&[statement(ask, KEY, json!({"Colour": "green"}))])),
        ("version", good.replace("2012", "2020")),
        ("effect", good.replace("Allow", "Maybe")),
        ("resource", good.replace("arn:aws:s3:::", "")),
        ("colon", policy(&[statement(ask, "a:b", json!({}))])),
    ] {
        told.push(format!("{name} {}", put_policy(ask, &policy).await?.short()));
    }
    let stays = stranger(ask, KEY).await?;
    delete_policy(ask).await?;
    Ok(format!("{}; the one before stays: {stays}", told.join(", ")))
}

async fn policies_that_mean_more(ask: &Asking<'_>) -> Result<String> {
    let mut told = Vec::new();
    for (name, change) in [
        ("deny", json!({"Effect": "Deny"})),
        (
            "condition",
            json!({"Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.1/32"}}}),
        ),
        ("actions", json!({"Action": "s3:*"})),
        ("user", json!({"Principal": {"AWS": "arn:aws:iam:::user/other"}})),
        (
            "variable",
            json!({"Resource": format!("arn:aws:s3:::{}/${{aws:username}}", ask.bucket.name())}),
        ),
        ("empty", Value::Null),
        ("sid", json!({"Sid": "with a space"})),
        ("other bucket", json!({"Resource": "arn:aws:s3:::other/key"})),
    ] {
        let statements = if change.is_null() {
            vec![]
        } else {
            vec![statement(ask, KEY, change)]
        };
        told.push(format!(
            "{name} {}",
            put_policy(ask, &policy(&statements)).await?.short()
        ));
    }
    delete_policy(ask).await?;
    Ok(told.join(", "))
}

async fn strangers(ask: &Asking<'_>) -> Result<String> {
    ask.put("strange", b"x").await?;
    let (bucket, object) = (ask.bucket_url(ask.bucket.name())?, ask.bucket.object_url("strange"));
    let mut answers = Vec::new();
    for (method, url, query) in [
        (Method::Get, &bucket, None),
        (Method::Get, &bucket, Some("uploads")),
        (Method::Get, &bucket, Some("policy")),
        (Method::Put, &object, Some("acl")),
        (Method::Put, &object, Some("partNumber=1&uploadId=x")),
        (Method::Delete, &object, None),
        (Method::Get, &ask.bucket.object_url("missing"), None),
    ] {
        let mut url = url.clone();
        url.set_query(query);
        let no_body: &[_] = if method == Method::Put {
            &[("content-length", "0")]
        } else {
            &[]
        };
        answers.push(ask.anonymous(method, url, no_body).await?.short());
    }
    Ok(answers.join(", "))
}
