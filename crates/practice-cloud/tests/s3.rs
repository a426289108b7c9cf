//! What an uploader relies on from S3.

mod common;

use base64::{Engine, prelude::BASE64_STANDARD};
use common::{MIB5, SIGNED, bytes, s3_code, start, tag};
use md5::{Digest, Md5};
use rusty_s3::{Method, S3Action};

fn md5_hex(data: &[u8]) -> String {
    common::hex(&Md5::digest(data))
}

#[tokio::test]
async fn a_multipart_upload_from_parts_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let (one, two, three) = (bytes(1, MIB5), bytes(2, MIB5 + 1), bytes(3, 77));
    let upload = cloud.begin("a/b ü.raw", false).await;
    let third = cloud.part_etag("a/b ü.raw", &upload, 3, three.clone()).await;
    let first = cloud.part_etag("a/b ü.raw", &upload, 1, one.clone()).await;
    assert_eq!(
        first,
        md5_hex(&one),
        "the ETag of a part is the MD5 that the uploader compares"
    );
    cloud.part_etag("a/b ü.raw", &upload, 2, bytes(9, 10)).await;
    let second = cloud.part_etag("a/b ü.raw", &upload, 2, two.clone()).await;

    let listed = cloud.list_parts("a/b ü.raw", &upload).await.text().await.unwrap();
    let etags: Vec<String> = tag(&listed, "ETag")
        .iter()
        .map(|etag| etag.replace("&quot;", "").replace('"', ""))
        .collect();
    assert_eq!(
        etags,
        [first.clone(), second.clone(), third.clone()],
        "resuming relies on the ETags, and a re-sent part replaces"
    );
    assert_eq!(
        tag(&listed, "Size"),
        [MIB5.to_string(), (MIB5 + 1).to_string(), "77".to_owned()]
    );

    assert_eq!(
        cloud.get("a/b ü.raw").await.status(),
        404,
        "nothing is there before Complete"
    );
    let parts = [(1, first.as_str()), (2, &second), (3, &third)];
    let answer = cloud.complete("a/b ü.raw", &upload, &parts).await;
    assert_eq!(answer.status(), 200);
    let body = answer.text().await.unwrap();
    let whole = [one.as_slice(), &two, &three].concat();
    let digests = [Md5::digest(&one), Md5::digest(&two), Md5::digest(&three)].concat();
    let etag = format!("{}-3", md5_hex(&digests));
    assert!(body.contains(&etag), "{body}");
    assert_eq!(
        cloud.complete("a/b ü.raw", &upload, &parts).await.status(),
        200,
        "a lost answer is repeated"
    );
    assert_eq!(
        s3_code(cloud.list_parts("a/b ü.raw", &upload).await).await,
        (404, "NoSuchUpload".to_owned())
    );

    let answer = cloud.get("a/b ü.raw").await;
    assert_eq!(answer.headers()["etag"], format!("\"{etag}\""));
    assert_eq!(answer.headers()["content-length"], whole.len().to_string());
    assert!(answer.bytes().await.unwrap() == whole);
    let url = cloud.bucket.get_object(Some(&cloud.keys), "a/b ü.raw").sign(SIGNED);
    let range = format!("bytes={}-{}", MIB5 - 3, MIB5 + 2);
    let answer = cloud.http.get(url).header("Range", range).send().await.unwrap();
    assert_eq!(answer.status(), 206);
    assert_eq!(
        answer.headers()["content-range"],
        format!("bytes {}-{}/{}", MIB5 - 3, MIB5 + 2, whole.len())
    );
    assert_eq!(answer.bytes().await.unwrap(), whole[MIB5 - 3..MIB5 + 3]);
}

#[tokio::test]
async fn complete_refuses_what_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let upload = cloud.begin("key", false).await;
    let one = cloud.part_etag("key", &upload, 1, bytes(1, 1000)).await;
    let two = cloud.part_etag("key", &upload, 2, bytes(2, 1000)).await;
    let wrong = "0".repeat(32);
    for (parts, code) in [
        (vec![(1, wrong.as_str())], "InvalidPart"),
        (vec![(1, one.as_str()), (3, two.as_str())], "InvalidPart"),
        (vec![(2, two.as_str()), (1, one.as_str())], "InvalidPartOrder"),
        (vec![(1, one.as_str()), (1, one.as_str())], "InvalidPartOrder"),
        (vec![(1, one.as_str()), (2, two.as_str())], "EntityTooSmall"),
        (vec![], "MalformedXML"),
    ] {
        assert_eq!(
            s3_code(cloud.complete("key", &upload, &parts).await).await,
            (400, code.to_owned()),
            "{parts:?}"
        );
    }
    let answer = cloud.complete("key", &upload, &[(2, &two)]).await;
    assert_eq!(
        answer.status(),
        200,
        "a refused Complete can be repeated rightly; the last part may be small"
    );
    assert_eq!(cloud.get("key").await.bytes().await.unwrap(), bytes(2, 1000));
    assert_eq!(files(folder.path()), 1, "the part that was not chosen is gone");
    let other = cloud.complete("other", &upload, &[(2, &two)]).await;
    assert_eq!(
        s3_code(other).await,
        (404, "NoSuchUpload".to_owned()),
        "an upload belongs to its key"
    );
}

/// How many data files the folder holds.
fn files(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder.join("blobs")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_part_that_does_not_match_its_md5_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let upload = cloud.begin("key", false).await;
    let send = |md5: String| {
        let url = cloud
            .bucket
            .upload_part(Some(&cloud.keys), "key", 1, &upload)
            .sign(SIGNED);
        cloud.http.put(url).header("Content-MD5", md5).body("abc").send()
    };
    let wrong = send(BASE64_STANDARD.encode([0_u8; 16])).await.unwrap();
    assert_eq!(s3_code(wrong).await, (400, "BadDigest".to_owned()));
    assert_eq!(
        s3_code(send("nonsense".to_owned()).await.unwrap()).await,
        (400, "InvalidDigest".to_owned())
    );
    assert_eq!(files(folder.path()), 0);
    assert_eq!(
        send(BASE64_STANDARD.encode(Md5::digest("abc"))).await.unwrap().status(),
        200
    );
    for number in [0_u16, 10_001] {
        let answer = cloud.part("key", &upload, number, b"x".to_vec()).await;
        assert_eq!(s3_code(answer).await, (400, "InvalidArgument".to_owned()));
    }
}

#[tokio::test]
async fn an_aborted_upload_is_gone_with_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let upload = cloud.begin("key", false).await;
    cloud.part_etag("key", &upload, 1, bytes(1, 1000)).await;
    assert_eq!(cloud.abort("key", &upload).await.status(), 204);
    assert_eq!(files(folder.path()), 0);
    assert_eq!(
        s3_code(cloud.abort("key", &upload).await).await,
        (404, "NoSuchUpload".to_owned())
    );
    let late = cloud.part("key", &upload, 2, b"x".to_vec()).await;
    assert_eq!(s3_code(late).await, (404, "NoSuchUpload".to_owned()));
}

#[tokio::test]
async fn list_parts_and_uploads_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let upload = cloud.begin("key", false).await;
    for number in [1, 2, 5] {
        cloud.part_etag("key", &upload, number, b"x".to_vec()).await;
    }
    let mut action = cloud.bucket.list_parts(Some(&cloud.keys), "key", &upload);
    action.set_max_parts(2);
    let page = cloud
        .http
        .get(action.sign(SIGNED))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(
        (tag(&page, "PartNumber"), tag(&page, "IsTruncated")),
        (vec!["1", "2"], vec!["true"])
    );
    assert_eq!(tag(&page, "NextPartNumberMarker"), ["2"]);
    let mut action = cloud.bucket.list_parts(Some(&cloud.keys), "key", &upload);
    action.set_part_number_marker(2);
    let page = cloud
        .http
        .get(action.sign(SIGNED))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(
        (tag(&page, "PartNumber"), tag(&page, "IsTruncated")),
        (vec!["5"], vec!["false"])
    );
    // rusty-s3 has no such action; this one signs a GET on the bucket with whatever parameters it is given.
    let mut action = cloud.bucket.list_objects_v2(Some(&cloud.keys));
    action.query_mut().insert("uploads", "");
    action.query_mut().insert("prefix", "k");
    let page = cloud
        .http
        .get(action.sign(SIGNED))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(tag(&page, "UploadId"), [upload.as_str()]);
}

#[tokio::test]
async fn only_public_objects_can_be_read_without_a_signature() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    assert_eq!(cloud.put("private", b"secret".to_vec()).await.status(), 200);
    let denied = (403, "AccessDenied".to_owned());
    assert_eq!(s3_code(cloud.get_anonymous("private").await).await, denied);
    assert_eq!(
        s3_code(cloud.get_anonymous("missing").await).await,
        denied,
        "keys cannot be guessed"
    );
    let upload = cloud.begin("public", true).await;
    let etag = cloud.part_etag("public", &upload, 1, b"open".to_vec()).await;
    assert_eq!(cloud.complete("public", &upload, &[(1, &etag)]).await.status(), 200);
    let answer = cloud.get_anonymous("public").await;
    assert_eq!(
        (answer.status().as_u16(), answer.text().await.unwrap()),
        (200, "open".to_owned())
    );
    let url = cloud.bucket.object_url("public");
    assert_eq!(cloud.http.head(url.clone()).send().await.unwrap().status(), 200);
    let delete = cloud.http.delete(url.clone()).send().await.unwrap();
    assert_eq!(s3_code(delete).await, denied, "public means readable only");
    assert_eq!(
        s3_code(cloud.http.put(url).body("x").send().await.unwrap()).await,
        denied
    );
    let list = cloud.http.get(cloud.bucket.base_url().clone()).send().await.unwrap();
    assert_eq!(s3_code(list).await, denied);
    let signed_for_get = cloud.bucket.get_object(Some(&cloud.keys), "private").sign(SIGNED);
    assert_eq!(
        cloud.http.head(signed_for_get).send().await.unwrap().status(),
        403,
        "a signature is for one method"
    );
}

#[tokio::test]
async fn signatures_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let access = cloud.access();
    let wrong = rusty_s3::Credentials::new(access.access_key.clone(), "wrong");
    let url = cloud.bucket.put_object(Some(&wrong), "key").sign(SIGNED);
    let answer = cloud.http.put(url).body("x").send().await.unwrap();
    assert_eq!(s3_code(answer).await, (403, "SignatureDoesNotMatch".to_owned()));
    let unknown = rusty_s3::Credentials::new("unknown", "wrong");
    let url = cloud.bucket.put_object(Some(&unknown), "key").sign(SIGNED);
    let answer = cloud.http.put(url).body("x").send().await.unwrap();
    assert_eq!(s3_code(answer).await, (403, "InvalidAccessKeyId".to_owned()));
    let shown = format!("{access:?}");
    assert!(
        !shown.contains(&access.secret_key) && !shown.contains(&access.password),
        "secrets stay out of logs"
    );
}

#[tokio::test]
async fn objects_are_listed_replaced_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    for key in ["a", "dir/1", "dir/2", "z"] {
        assert_eq!(cloud.put(key, key.as_bytes().to_vec()).await.status(), 200);
    }
    let page = cloud.list(&[("delimiter", "/"), ("max-keys", "2")]).await;
    assert_eq!(
        (tag(&page, "Key"), tag(&page, "IsTruncated")),
        (vec!["a"], vec!["true"]),
        "{page}"
    );
    assert!(
        page.contains("<CommonPrefixes><Prefix>dir/</Prefix></CommonPrefixes>"),
        "{page}"
    );
    let next = tag(&page, "NextMarker")[0];
    let page = cloud.list(&[("delimiter", "/"), ("marker", next)]).await;
    assert_eq!(
        (tag(&page, "Key"), tag(&page, "IsTruncated")),
        (vec!["z"], vec!["false"]),
        "{page}"
    );

    assert_eq!(cloud.put("a", b"new".to_vec()).await.status(), 200);
    assert_eq!(cloud.get("a").await.text().await.unwrap(), "new");
    assert_eq!(files(folder.path()), 4, "the replaced object's file is gone");
    assert_eq!(cloud.delete("a").await, 204);
    assert_eq!(cloud.delete("a").await, 204, "deleting twice is success");
    assert_eq!(s3_code(cloud.get("a").await).await, (404, "NoSuchKey".to_owned()));
    assert_eq!(files(folder.path()), 3);
    let missing = cloud
        .http
        .get(cloud.bucket.get_object(Some(&cloud.keys), "dir/1").sign(SIGNED));
    assert_eq!(missing.header("Range", "bytes=5-").send().await.unwrap().status(), 416);
}

#[tokio::test]
async fn a_deleted_bucket_leaves_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let upload = cloud.begin("open", false).await;
    cloud.part_etag("open", &upload, 1, b"part".to_vec()).await;
    let delete = async || cloud.of_bucket(Method::Delete, &[], "").await;
    assert_eq!(cloud.put("object", b"content".to_vec()).await.status(), 200);
    assert_eq!(s3_code(delete().await).await, (409, "BucketNotEmpty".to_owned()));
    assert_eq!(cloud.delete("object").await, 204);
    assert_eq!(delete().await.status(), 204);
    assert_eq!(files(folder.path()), 0, "the open upload went with its bucket");
    assert_eq!(s3_code(delete().await).await, (404, "NoSuchBucket".to_owned()));
    drop(cloud);
    let cloud = start(folder.path()).await;
    assert_eq!(
        cloud.put("object", b"content".to_vec()).await.status(),
        200,
        "the program relies on its bucket: it is there after each start"
    );
}
