//! Objects made public and private again, and what a stranger sees of them.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State};
use http::{Method, StatusCode};
use lotse_transfer::TargetErrorKind;
use serde_json::{Value, json};
use url::Url;

use super::{
    s3::{client, refusal},
    server::{Prepared, Server, answer},
};
use crate::PublicBy::{Acl, BucketPolicy};

const KEY: &str = "imagelotse/0f/ä b.raw";

#[tokio::test]
async fn an_object_is_published_by_its_own_access_list() {
    let server = Server::start(vec![
        answer(200, &[], ""),
        answer(200, &[], ""),
        answer(404, &[], &refusal("NoSuchKey")),
        answer(501, &[], &refusal("NotImplemented")),
        answer(400, &[], &refusal("AccessControlListNotSupported")),
    ])
    .await;
    let s3 = client(server.url());
    s3.publish(KEY, Acl).await.unwrap();
    s3.withdraw(KEY, Acl).await.unwrap();
    s3.withdraw(KEY, Acl)
        .await
        .expect("nothing is public of what is not there");
    for _ in ["no access lists at all", "none in this bucket"] {
        s3.withdraw(KEY, Acl).await.expect("then none can make it public");
    }
    let asked = server.asked();
    for (request, acl) in [(0, "public-read"), (1, "private")] {
        let asked = &asked[request];
        assert_eq!(asked.method, "PUT");
        assert!(
            asked.path.starts_with("/staging/imagelotse/0f/%C3%A4%20b.raw?"),
            "{}",
            asked.path
        );
        assert!(asked.path.contains("acl=&"), "{}", asked.path);
        assert!(
            asked.path.contains("X-Amz-SignedHeaders=host%3Bx-amz-acl"),
            "{}",
            asked.path
        );
        assert!(
            asked.headers.contains(&format!("x-amz-acl: {acl}\n")),
            "{}",
            asked.headers
        );
    }
}

#[tokio::test]
async fn why_an_object_cannot_be_published_is_told() {
    for (status, code, kind, ours) in [
        // Swift; a bucket with access lists off; radosgw and AWS where public access is blocked.
        (501, "NotImplemented", TargetErrorKind::Rejected, "s3_no_public_access"),
        (
            400,
            "AccessControlListNotSupported",
            TargetErrorKind::Rejected,
            "s3_no_public_access",
        ),
        (403, "AccessDenied", TargetErrorKind::Rejected, "s3_no_public_access"),
        (404, "NoSuchKey", TargetErrorKind::NotFound, "s3_no_such_object"),
        (503, "SlowDown", TargetErrorKind::Busy, "s3_busy"),
        (
            403,
            "SignatureDoesNotMatch",
            TargetErrorKind::Unauthorized,
            "s3_signature",
        ),
    ] {
        let server = Server::start(vec![
            answer(status, &[], &refusal(code)),
            answer(status, &[], &refusal(code)),
        ])
        .await;
        let s3 = client(server.url());
        let error = s3.publish(KEY, Acl).await.unwrap_err();
        assert_eq!((error.kind, error.code), (kind, ours), "{code}");
        assert_eq!(error.params["service_code"], code);
        if code != "NoSuchKey" {
            assert_eq!(s3.publish(KEY, BucketPolicy).await.unwrap_err().code, ours, "{code}");
        }
    }
    let server = Server::start(vec![answer(403, &[], &refusal("AccessDenied"))]).await;
    let error = client(server.url()).withdraw(KEY, Acl).await.unwrap_err();
    assert_eq!(error.code, "s3_access_denied", "it may still be public");
}

fn policy_of(resources: &[&str]) -> Value {
    let statements: Vec<_> = resources
        .iter()
        .map(|resource| {
            json!({"Sid": format!("Imagelotse{}", resource.len()), "Effect": "Allow", "Principal": {"AWS": ["*"]},
            "Action": ["s3:GetObject"], "Resource": [resource]})
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn policy(policy: &Value) -> Prepared {
    answer(200, &[], &policy.to_string())
}

#[tokio::test]
async fn an_object_is_published_by_a_statement_of_its_own_in_the_buckets_policy() {
    let (ours, other) = ("arn:aws:s3:::staging/imagelotse/0f/ä b.raw", "arn:aws:s3:::staging/x");
    let server = Server::start(vec![
        answer(404, &[], &refusal("NoSuchBucketPolicy")),
        answer(204, &[], ""),
        policy(&policy_of(&[ours])),
        // Somebody else's change took ours away in between: once more.
        policy(&policy_of(&[other])),
        answer(204, &[], ""),
        policy(&policy_of(&[other])),
        answer(204, &[], ""),
        // And out again.
        policy(&policy_of(&[other, ours])),
        answer(204, &[], ""),
        policy(&policy_of(&[other])),
        policy(&policy_of(&[ours])),
        answer(204, &[], ""),
        answer(404, &[], &refusal("NoSuchBucketPolicy")),
        // A service without policies.
        answer(501, &[], &refusal("NotImplemented")),
    ])
    .await;
    let s3 = client(server.url());
    s3.publish(KEY, BucketPolicy).await.unwrap();
    s3.publish(KEY, BucketPolicy).await.unwrap();
    s3.withdraw(KEY, BucketPolicy).await.unwrap();
    s3.withdraw(KEY, BucketPolicy).await.unwrap();
    s3.withdraw(KEY, BucketPolicy).await.unwrap();
    let asked = server.asked();
    let methods: Vec<_> = asked.iter().map(|asked| asked.method.as_str()).collect();
    assert_eq!(
        methods,
        [
            "GET", "PUT", "GET", "GET", "PUT", "GET", "PUT", "GET", "PUT", "GET", "GET", "DELETE", "GET", "GET"
        ]
    );
    assert!(
        asked
            .iter()
            .all(|asked| asked.path.starts_with("/staging/?") && asked.path.contains("policy="))
    );
    let put = |request: usize| serde_json::from_str::<Value>(&asked[request].body).unwrap()["Statement"].clone();
    assert_eq!(put(1)[0]["Resource"], json!([ours]));
    assert_eq!(
        (&put(4)[0]["Resource"], &put(4)[1]["Resource"]),
        (&json!([other]), &json!([ours]))
    );
    assert_eq!(put(8), policy_of(&[other])["Statement"], "only ours went");
}

/// A bucket whose policy is kept, as a service keeps it.
async fn bucket_with_policy() -> (Url, Arc<Mutex<Option<String>>>) {
    let kept = Arc::new(Mutex::new(None));
    let serve = |State(kept): State<Arc<Mutex<Option<String>>>>, method: Method, body: String| async move {
        // Whoever does not wait meets somebody else here.
        tokio::task::yield_now().await;
        let mut kept = kept.lock().unwrap();
        match (method, kept.clone()) {
            (Method::GET, Some(policy)) => (StatusCode::OK, policy),
            (Method::GET, None) => (StatusCode::NOT_FOUND, refusal("NoSuchBucketPolicy")),
            (Method::PUT, _) => {
                *kept = Some(body);
                (StatusCode::NO_CONTENT, String::new())
            }
            _ => {
                *kept = None;
                (StatusCode::NO_CONTENT, String::new())
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let router = Router::new().fallback(serve).with_state(Arc::clone(&kept));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, kept)
}

#[tokio::test]
async fn many_objects_published_at_once_by_several_clients_are_all_in_the_policy() {
    let (url, kept) = bucket_with_policy().await;
    let keys: Vec<_> = (0..20)
        .map(|number| format!("imagelotse/{number:032x}/a.raw"))
        .collect();
    let published = keys.iter().map(|key| {
        let s3 = client(url.clone());
        async move { s3.publish(key, BucketPolicy).await }
    });
    futures::future::try_join_all(published).await.unwrap();
    let policy: Value = serde_json::from_str(kept.lock().unwrap().as_ref().unwrap()).unwrap();
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 20);
    let withdrawn = keys.iter().map(|key| {
        let s3 = client(url.clone());
        async move { s3.withdraw(key, BucketPolicy).await }
    });
    futures::future::try_join_all(withdrawn).await.unwrap();
    assert_eq!(*kept.lock().unwrap(), None, "the last one takes the policy with it");
}

#[tokio::test]
async fn a_service_that_hangs_keeps_no_other_from_changing_its_policy() {
    let hanging = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stuck = client(format!("http://{}", hanging.local_addr().unwrap()).parse().unwrap());
    let stuck = tokio::spawn(async move { stuck.publish(KEY, BucketPolicy).await });
    let _asked = hanging.accept().await.unwrap();
    let (url, _) = bucket_with_policy().await;
    client(url).publish(KEY, BucketPolicy).await.unwrap();
    assert!(!stuck.is_finished(), "it still waits for its answer");
    stuck.abort();
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_or_has_no_room_is_left_alone() {
    let long = "x".repeat(20 << 10);
    let full = json!({"Version": "2012-10-17", "Id": long, "Statement": []});
    let mut too_full = policy_of(&["arn:aws:s3:::staging/imagelotse/0f/ä b.raw", "arn:aws:s3:::staging/x"]);
    too_full["Id"] = json!(long);
    let server = Server::start(vec![
        answer(403, &[], &refusal("AccessDenied")),
        answer(200, &[], "<html>hotel</html>"),
        policy(&full),
        answer(403, &[], &refusal("AccessDenied")),
        answer(200, &[], "<html>hotel</html>"),
    ])
    .await;
    let s3 = client(server.url());
    for code in ["s3_no_public_access", "s3_policy_unreadable", "s3_policy_too_large"] {
        assert_eq!(s3.publish(KEY, BucketPolicy).await.unwrap_err().code, code);
    }
    for code in ["s3_access_denied", "s3_policy_unreadable"] {
        assert_eq!(s3.withdraw(KEY, BucketPolicy).await.unwrap_err().code, code);
    }
    assert!(
        server.asked().iter().all(|asked| asked.method == "GET"),
        "nothing was written"
    );
    server.then(vec![policy(&too_full), answer(204, &[], ""), policy(&full)]);
    s3.withdraw(KEY, BucketPolicy)
        .await
        .expect("there is always room for less");
}

fn head(status: u16, length: &str) -> Prepared {
    answer(status, &[("content-length", length)], "")
}

fn part(status: u16, range: &str, body: &str) -> Prepared {
    answer(status, &[("content-range", range)], body)
}

#[tokio::test]
async fn a_stranger_must_get_just_the_object() {
    let good = || head(200, "2000");
    let sample = "x".repeat(1024);
    let cases = [
        (vec![good(), part(206, "bytes 976-1999/2000", &sample)], Ok(())),
        (vec![head(403, "0")], Err("s3_not_public")),
        (vec![head(404, "0")], Err("s3_not_public")),
        (vec![head(405, "0")], Err("s3_not_public")),
        (
            vec![answer(301, &[("location", "http://127.0.0.1:1/")], "")],
            Err("s3_not_public"),
        ),
        (vec![head(200, "1999")], Err("s3_public_differs")),
        (vec![good(), answer(200, &[], &sample)], Err("s3_public_differs")),
        (
            vec![good(), part(206, "bytes 0-1023/2000", &sample)],
            Err("s3_public_differs"),
        ),
        (
            vec![good(), part(206, "bytes 976-1999/4000", &sample)],
            Err("s3_public_differs"),
        ),
        (
            vec![good(), part(206, "bytes 976-1999/2000", "short")],
            Err("s3_public_differs"),
        ),
        (vec![good(), part(403, "", "")], Err("s3_not_public")),
        (vec![head(503, "0")], Err("s3_busy")),
        (vec![good(), answer(502, &[], "")], Err("s3_server_error")),
    ];
    for (number, (answers, expected)) in cases.into_iter().enumerate() {
        let server = Server::start(answers).await;
        let checked = client(server.url()).check_public(KEY, 2000).await;
        assert_eq!(checked.map_err(|error| error.code), expected, "case {number}");
        for asked in server.asked() {
            assert_eq!(asked.path, "/staging/imagelotse/0f/%C3%A4%20b.raw", "nothing is signed");
            assert!(!asked.headers.contains("authorization") && !asked.headers.contains("cookie"));
        }
    }
    let server = Server::start(vec![head(200, "0")]).await;
    client(server.url())
        .check_public(KEY, 0)
        .await
        .expect("nothing has no range");
}

#[tokio::test]
async fn whether_an_object_is_public_is_known_or_not() {
    let from = |status, header| answer(status, &[(header, "r-1")], "");
    let denied = || answer(403, &[], &refusal("AccessDenied"));
    for (number, (answers, public)) in [
        (vec![head(200, "5")], true),
        // radosgw; Swift's answers to strangers.
        (vec![from(403, "x-amz-request-id")], false),
        (vec![from(404, "x-amz-request-id")], false),
        (vec![from(400, "x-trans-id")], false),
        (vec![from(401, "x-trans-id")], false),
        // Services that tell who they are in the body only.
        (vec![head(403, "0"), denied()], false),
        (vec![head(404, "0"), answer(404, &[], &refusal("NoSuchBucket"))], false),
        // Something in between does not let HEAD through.
        (vec![head(405, "0"), part(206, "bytes 0-0/5", "x")], true),
        (vec![head(405, "0"), answer(416, &[], &refusal("InvalidRange"))], true),
    ]
    .into_iter()
    .enumerate()
    {
        let server = Server::start(answers).await;
        assert_eq!(client(server.url()).is_public(KEY).await, Ok(public), "case {number}");
        assert!(server.asked().iter().all(|asked| !asked.path.contains('?')), "unsigned");
    }
}

#[tokio::test]
async fn whoever_is_not_the_service_cannot_say_that_an_object_is_private() {
    let page = "<html><body>Blocked by your company</body></html>";
    let away = |status| answer(status, &[("location", "http://login.example/")], "");
    let elsewhere = || answer(301, &[("x-amz-request-id", "r-1")], &refusal("PermanentRedirect"));
    for (number, (answers, code)) in [
        (vec![head(403, "0"), answer(403, &[], page)], "s3_answer_invalid"),
        (vec![head(404, "0"), answer(404, &[], page)], "s3_answer_invalid"),
        (vec![away(302), away(302)], "s3_answer_invalid"),
        (vec![elsewhere(), elsewhere()], "s3_answer_invalid"),
        (vec![head(503, "0")], "s3_busy"),
        (vec![head(429, "0")], "s3_busy"),
        (vec![head(403, "0"), answer(502, &[], page)], "s3_server_error"),
    ]
    .into_iter()
    .enumerate()
    {
        let server = Server::start(answers).await;
        let error = client(server.url()).is_public(KEY).await.unwrap_err();
        assert_eq!(error.code, code, "case {number}: no answer is no proof");
        assert!(error.retryable(), "case {number}");
    }
}
