//! Buckets: made, found, listed; names that are none.

use bytes::Bytes;
use lotse_transfer::{Target, TargetErrorKind};
use url::Url;

use super::{
    s3::{client, refusal},
    server::{Server, answer},
};
use crate::{Addressing, CloudError, PublicBy, S3, S3Config, Secret, http_client};

fn buckets(names: &[&str]) -> String {
    let list: Vec<String> = names
        .iter()
        .map(|name| format!("<Bucket><Name>{name}</Name><CreationDate>2026-11-22T10:00:00Z</CreationDate></Bucket>"))
        .collect();
    let list = list.concat();
    format!("<ListAllMyBucketsResult><Owner><ID>o</ID></Owner><Buckets>{list}</Buckets></ListAllMyBucketsResult>")
}

fn s3(endpoint: &str, bucket: &str, addressing: Addressing) -> Result<S3, CloudError> {
    let config = S3Config {
        endpoint: Url::parse(endpoint).unwrap(),
        region: String::new(),
        bucket: bucket.to_owned(),
        access_key: "KEY".to_owned(),
        secret_key: Secret::new("SECRET"),
        addressing,
    };
    assert!(!format!("{config:?}").contains("SECRET"), "a secret is never printed");
    S3::new(config, http_client().unwrap())
}

#[tokio::test]
async fn buckets_are_listed_in_the_services_order() {
    let server = Server::start(vec![
        answer(200, &[], &buckets(&["b", "a"])),
        answer(200, &[], &buckets(&[])),
        answer(403, &[], &refusal("AccessDenied")),
        answer(200, &[], "<html/>"),
    ])
    .await;
    let s3 = s3(server.url().as_str(), "", Addressing::VirtualHost).unwrap();
    assert_eq!(s3.buckets().await.unwrap(), ["b", "a"], "no bucket is needed for that");
    assert_eq!(s3.buckets().await.unwrap(), [""; 0]);
    assert_eq!(s3.buckets().await.unwrap_err().code, "s3_access_denied");
    assert_eq!(s3.buckets().await.unwrap_err().code, "s3_answer_invalid");
    assert!(server.asked()[0].path.starts_with("/?X-Amz-"));
}

#[tokio::test]
async fn a_bucket_is_made_once_and_its_region_told_only_where_it_is_asked_for() {
    let server = Server::start(vec![
        answer(200, &[], ""),
        answer(409, &[], &refusal("BucketAlreadyOwnedByYou")),
        answer(409, &[], &refusal("BucketAlreadyExists")),
        answer(200, &[], &buckets(&["staging"])),
        answer(409, &[], &refusal("BucketAlreadyExists")),
        answer(200, &[], &buckets(&["other"])),
        answer(400, &[], &refusal("TooManyBuckets")),
        answer(400, &[], &refusal("InvalidBucketName")),
        answer(400, &[], &refusal("IllegalLocationConstraintException")),
        answer(200, &[], ""),
    ])
    .await;
    let s3 = client(server.url());
    s3.create_bucket().await.unwrap();
    s3.create_bucket().await.expect("one's own that is there already");
    s3.create_bucket()
        .await
        .expect("the same, by a service that does not tell it by the code");
    for code in ["s3_bucket_taken", "s3_too_many_buckets", "s3_bucket_name_invalid"] {
        assert_eq!(s3.create_bucket().await.unwrap_err().code, code);
    }
    s3.create_bucket().await.unwrap();
    let asked = server.asked();
    assert_eq!(
        (asked[0].method.as_str(), asked[0].body.as_str()),
        ("PUT", ""),
        "radosgw knows no regions but its own"
    );
    assert!(asked[0].headers.contains("content-length: 0"), "radosgw wants a length");
    assert!(
        asked[9]
            .body
            .contains("<LocationConstraint>practice</LocationConstraint>")
    );
}

#[tokio::test]
async fn whether_a_bucket_is_there_is_told_with_the_services_reason() {
    let server = Server::start(vec![
        answer(200, &[], "<ListBucketResult><MaxKeys>1</MaxKeys></ListBucketResult>"),
        answer(404, &[], &refusal("NoSuchBucket")),
        answer(403, &[], &refusal("InvalidAccessKeyId")),
        answer(200, &[], "<html>hotel</html>"),
    ])
    .await;
    let s3 = client(server.url());
    s3.bucket_exists().await.unwrap();
    for code in ["s3_no_such_bucket", "s3_invalid_key", "s3_answer_invalid"] {
        assert_eq!(s3.bucket_exists().await.unwrap_err().code, code);
    }
    assert!(server.asked()[0].path.starts_with("/staging/?X-Amz-") && server.asked()[0].path.contains("max-keys=1"));
}

#[test]
fn an_endpoint_or_bucket_that_is_none_is_told_without_its_secret() {
    for (endpoint, bucket, addressing, code) in [
        ("ftp://s3.example", "b", Addressing::Path, "s3_endpoint_invalid"),
        (
            "https://me:SECRET@s3.example",
            "b",
            Addressing::Path,
            "s3_endpoint_invalid",
        ),
        (
            "https://s3.example?token=SECRET",
            "a:b",
            Addressing::VirtualHost,
            "s3_bucket_name_invalid",
        ),
        (
            "https://s3.example",
            "Upper",
            Addressing::VirtualHost,
            "s3_bucket_name_invalid",
        ),
        ("https://192.0.2.1", "b", Addressing::VirtualHost, "s3_endpoint_invalid"),
        ("https://s3.example", "..", Addressing::Path, "s3_bucket_name_invalid"),
    ] {
        let error = s3(endpoint, bucket, addressing).unwrap_err();
        assert_eq!(error.code, code, "{endpoint} {bucket}");
        assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
    }
}

#[test]
fn what_is_handed_over_is_an_address_that_ends_in_the_files_extension() {
    let key = "imagelotse/0f/Büro „neu“ + 100% #1?.raw.gz";
    let path = s3("https://s3.example/gate?x=1", "b", Addressing::Path).unwrap();
    let written = "B%C3%BCro%20%E2%80%9Eneu%E2%80%9C%20%2B%20100%25%20%231%3F.raw.gz";
    assert_eq!(
        path.object_url(key).as_str(),
        format!("https://s3.example/gate/b/imagelotse/0f/{written}")
    );
    let host = s3("https://s3.example", "b", Addressing::VirtualHost).unwrap();
    assert_eq!(
        host.object_url(key).as_str(),
        format!("https://b.s3.example/imagelotse/0f/{written}")
    );
}

/// An empty key would mean the bucket itself: removing it would remove that.
#[tokio::test]
async fn a_key_that_is_none_never_leaves_this_computer() {
    let s3 = client(Url::parse("http://127.0.0.1:1").unwrap());
    for key in ["", ".", "..", "a/../b", "imagelotse/./x", "a/.."] {
        let refusals = [
            s3.delete(key).await.unwrap_err(),
            s3.put(key, Bytes::new()).await.unwrap_err(),
            s3.begin(key).await.unwrap_err(),
            s3.abort(key, "u").await.unwrap_err(),
            s3.parts(key, "u").await.unwrap_err(),
            s3.complete(key, "u", &[]).await.unwrap_err(),
            s3.stored(key).await.unwrap_err(),
            s3.put_part(key, "u", 1, Bytes::new().into(), [0; 16])
                .await
                .unwrap_err(),
            s3.publish(key, PublicBy::Acl).await.unwrap_err(),
            s3.publish(key, PublicBy::BucketPolicy).await.unwrap_err(),
            s3.withdraw(key, PublicBy::Acl).await.unwrap_err(),
            s3.check_public(key, 1).await.unwrap_err(),
            s3.is_public(key).await.unwrap_err(),
        ];
        for refused in refusals {
            assert_eq!(
                (refused.kind, refused.code),
                (TargetErrorKind::Rejected, "s3_key_invalid"),
                "{key}"
            );
        }
    }
    let no_bucket = self::s3("http://127.0.0.1:1", "", Addressing::Path).unwrap();
    for refused in [
        no_bucket.delete("k").await.unwrap_err(),
        no_bucket.objects("").await.unwrap_err(),
        no_bucket.open_uploads("").await.unwrap_err(),
        no_bucket.create_bucket().await.unwrap_err(),
        no_bucket.bucket_exists().await.unwrap_err(),
    ] {
        assert_eq!(refused.code, "s3_bucket_name_invalid");
    }
}
