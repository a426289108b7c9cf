//! What is there after the server was stopped, killed, or while another one serves the same folder.

mod common;

use std::time::Duration;

use common::{MIB5, bytes, start};
use lotse_practice_cloud::PracticeCloud;
use rusty_s3::Method;
use serde_json::json;

#[tokio::test]
async fn parts_objects_and_images_outlive_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let upload = cloud.begin("key", true).await;
    let one = cloud.part_etag("key", &upload, 1, bytes(1, MIB5)).await;
    assert_eq!(cloud.put("object", b"content".to_vec()).await.status(), 200);
    let glance = cloud.sign_in().await;
    let id = glance.image(&glance.north, "kept").await;
    assert_eq!(glance.put_file(&glance.north, &id, "data").await.status(), 204);
    let secret = cloud.access().secret_key.clone();
    drop(cloud);

    let cloud = start(folder.path()).await;
    assert_ne!(cloud.access().secret_key, secret, "credentials are made anew");
    let two = cloud.part_etag("key", &upload, 2, b"end".to_vec()).await;
    assert_eq!(
        cloud.complete("key", &upload, &[(1, &one), (2, &two)]).await.status(),
        200
    );
    assert_eq!(
        cloud.get_anonymous("key").await.bytes().await.unwrap().len(),
        MIB5 + 3,
        "the ACL was kept, too"
    );
    assert_eq!(cloud.get("object").await.text().await.unwrap(), "content");
    let glance = cloud.sign_in().await;
    let read = glance.get(format!("{}/images/{id}/file", glance.north)).await;
    assert_eq!(read.text().await.unwrap(), "data");
    cloud.server.shutdown().await;
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    for name in names {
        let path = folder.path().join(name);
        if path.is_file() {
            let content = std::fs::read(path).unwrap();
            assert!(
                !content.windows(secret.len()).any(|window| window == secret.as_bytes()),
                "no secret on disk"
            );
        }
    }
}

/// What makes objects public is kept like the objects.
#[tokio::test]
async fn rights_and_policies_outlive_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    for key in ["by-acl", "by-policy", "private"] {
        assert_eq!(cloud.put(key, b"x".to_vec()).await.status(), 200);
    }
    assert_eq!(cloud.set_acl("by-acl", "public-read").await.status(), 200);
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{}/by-policy", cloud.access().bucket)}]});
    let put = cloud
        .of_bucket(Method::Put, &[("policy", "")], &policy.to_string())
        .await;
    assert_eq!(put.status(), 204);
    drop(cloud);

    let cloud = start(folder.path()).await;
    let kept = cloud.of_bucket(Method::Get, &[("policy", "")], "").await;
    assert_eq!(kept.text().await.unwrap(), policy.to_string());
    assert_eq!(cloud.get_anonymous("by-acl").await.status(), 200);
    assert_eq!(cloud.get_anonymous("by-policy").await.status(), 200);
    assert_eq!(cloud.get_anonymous("private").await.status(), 403);
    assert_eq!(cloud.set_acl("by-acl", "private").await.status(), 200);
    assert_eq!(
        cloud.of_bucket(Method::Delete, &[("policy", "")], "").await.status(),
        204
    );
    assert_eq!(cloud.get_anonymous("by-acl").await.status(), 403);
    assert_eq!(cloud.get_anonymous("by-policy").await.status(), 403);
}

#[tokio::test]
async fn two_servers_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (start(folder.path()).await, start(folder.path()).await);
    let upload = first.begin("key", true).await;
    let mut etags = Vec::new();
    for number in 1..=8 {
        let cloud = if number % 2 == 0 { &first } else { &second };
        etags.push((
            number,
            cloud
                .part_etag("key", &upload, number, bytes(u64::from(number), MIB5))
                .await,
        ));
    }
    let parts: Vec<_> = etags.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
    assert_eq!(second.complete("key", &upload, &parts).await.status(), 200);
    let whole: Vec<u8> = (1..=8).flat_map(|number| bytes(number, MIB5)).collect();
    assert!(first.get("key").await.bytes().await.unwrap() == whole);
    let clients = [first.sign_in().await, second.sign_in().await];
    let makers = (0..20).map(|number: usize| {
        let glance = &clients[number % 2];
        async move { glance.image(&glance.north, &format!("image {number}")).await }
    });
    futures::future::join_all(makers).await;
    let list = second.sign_in().await;
    let page = list.get_json(format!("{}/images", list.north)).await;
    assert_eq!(
        page["images"].as_array().unwrap().len(),
        20,
        "no write is lost when two write at once"
    );
}

#[tokio::test]
async fn an_interrupted_import_ends_with_the_next_server() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let data = bytes(3, 3 * MIB5);
    let upload = cloud.begin("disk.raw", true).await;
    let etag = cloud.part_etag("disk.raw", &upload, 1, data.clone()).await;
    assert_eq!(cloud.complete("disk.raw", &upload, &[(1, &etag)]).await.status(), 200);
    let uri = cloud.bucket.object_url("disk.raw").to_string();
    let glance = cloud.sign_in().await;
    let mut ids = Vec::new();
    for number in 0..6 {
        let id = glance.image(&glance.north, &format!("image {number}")).await;
        assert_eq!(glance.import(&glance.north, &id, &uri).await.status(), 202);
        ids.push(id);
    }
    cloud.server.shutdown().await;

    let cloud = start(folder.path()).await;
    let glance = cloud.sign_in().await;
    for id in ids {
        let (task, image) = glance.ended(&glance.north, &id).await;
        match image["status"].as_str().unwrap() {
            "active" => assert_eq!(
                (&image["size"], &task["status"]),
                (&json!(data.len()), &json!("success"))
            ),
            "queued" => assert_eq!(task["status"], "failure", "stopped before the source was fetched"),
            other => panic!("{other} is no end"),
        }
    }
}

#[tokio::test]
async fn an_upload_cut_off_by_the_servers_end_is_queued_again() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let glance = cloud.sign_in().await;
    let id = glance.image(&glance.north, "cut").await;
    let forever = futures::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Some((Ok::<_, std::io::Error>(vec![0_u8; 1000]), ()))
    });
    let request = glance
        .request(reqwest::Method::PUT, &format!("{}/images/{id}/file", glance.north))
        .header("Content-Type", "application/octet-stream")
        .body(reqwest::Body::wrap_stream(forever))
        .send();
    let sending = tokio::spawn(request);
    let mut saving = false;
    for _ in 0..200 {
        saving |= glance.get_json(format!("{}/images/{id}", glance.north)).await["status"] == "saving";
        if saving {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(saving);
    drop(cloud);
    assert!(sending.await.unwrap().is_err());

    let cloud = start(folder.path()).await;
    let glance = cloud.sign_in().await;
    let mut status = String::new();
    for _ in 0..500 {
        let image = glance.get_json(format!("{}/images/{id}", glance.north)).await;
        status = image["status"].as_str().unwrap().to_owned();
        if status == "queued" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status, "queued");
    assert_eq!(glance.put_file(&glance.north, &id, "again").await.status(), 204);
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let error = PracticeCloud::start(&file.join("below")).await.err().unwrap();
    assert_eq!(error.code(), "practice_folder");
    std::fs::write(
        folder.path().join("practice.sqlite"),
        b"this is no database, but long enough to be looked at",
    )
    .unwrap();
    let error = PracticeCloud::start(folder.path()).await.err().unwrap();
    assert_eq!(error.code(), "practice_database");
}
