//! What a client relies on from Keystone and Glance; statuses as Keystone 22 and Glance 25 answered them.

mod common;

use std::time::Duration;

use common::{Cloud, MIB5, bytes, start};
use lotse_practice_cloud::{Options, PracticeCloud};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

fn sha512_hex(data: &[u8]) -> String {
    common::hex(&Sha512::digest(data))
}

/// Uploads `data` in two parts and returns the object's plain address.
async fn stage(cloud: &Cloud, key: &str, data: &[u8], public: bool) -> String {
    let upload = cloud.begin(key, public).await;
    let mut etags = Vec::new();
    for (number, part) in (1..).zip(data.chunks(MIB5)) {
        etags.push((number, cloud.part_etag(key, &upload, number, part.to_vec()).await));
    }
    let parts: Vec<_> = etags.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
    assert_eq!(cloud.complete(key, &upload, &parts).await.status(), 200);
    cloud.bucket.object_url(key).to_string()
}

#[tokio::test]
async fn signing_in() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let answer = cloud.post_tokens(&cloud.sign_in_body("wrong")).await;
    assert_eq!(answer.status(), 401);
    assert!(
        answer.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Keystone uri=")
    );
    let expected = json!({"error": {"code": 401, "title": "Unauthorized",
        "message": "The request you have made requires authentication."}});
    assert_eq!(answer.json::<Value>().await.unwrap(), expected);

    let password = cloud.access().password.clone();
    let mut other_project = cloud.sign_in_body(&password);
    other_project["auth"]["scope"]["project"]["name"] = json!("other");
    assert_eq!(cloud.post_tokens(&other_project).await.status(), 401);
    assert_eq!(cloud.post_tokens(&json!({})).await.status(), 400);
    assert_eq!(
        cloud.post_tokens(&json!({"auth": {"identity": {}}})).await.status(),
        400
    );

    let mut unscoped = cloud.sign_in_body(&password);
    unscoped["auth"].as_object_mut().unwrap().remove("scope");
    let answer = cloud.post_tokens(&unscoped).await;
    assert_eq!(answer.status(), 201);
    let token = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
    assert!(
        answer.json::<Value>().await.unwrap()["token"].get("catalog").is_none(),
        "no project, no catalogue"
    );

    let mut glance = cloud.sign_in().await;
    let url = format!("{}/auth/tokens", cloud.access().auth_url);
    let valid = glance
        .request(Method::GET, &url)
        .header("X-Subject-Token", &glance.token)
        .send()
        .await
        .unwrap();
    assert_eq!(valid.status(), 200);
    let body: Value = valid.json().await.unwrap();
    let types: Vec<_> = body["token"]["catalog"]
        .as_array()
        .unwrap()
        .iter()
        .map(|service| service["type"].clone())
        .collect();
    assert_eq!(types, ["identity", "image", "s3"]);
    let bogus = glance
        .request(Method::GET, &url)
        .header("X-Subject-Token", "bogus")
        .send()
        .await
        .unwrap();
    assert_eq!(bogus.status(), 404);
    glance.token = token;
    assert_eq!(glance.create(&glance.north, &json!({"name": "x"})).await.status(), 403);
    glance.token = "bogus".to_owned();
    assert_eq!(glance.get(format!("{}/images", glance.north)).await.status(), 401);
}

#[tokio::test]
async fn a_token_ends() {
    let folder = tempfile::tempdir().unwrap();
    let server = PracticeCloud::start_with(
        folder.path(),
        Options {
            token_lifetime: Duration::from_millis(300),
        },
    )
    .await;
    let mut cloud = start(folder.path()).await;
    cloud.server = server.unwrap();
    let glance = cloud.sign_in().await;
    assert_eq!(glance.get(format!("{}/images", glance.north)).await.status(), 200);
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert_eq!(glance.get(format!("{}/images", glance.north)).await.status(), 401);
}

#[tokio::test]
async fn images_are_made_shown_changed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let glance = cloud.sign_in().await;
    let north = &glance.north;
    let id = "0B7C9F0F-1f0b-4c3e-9d1a-5e2b6c7d8e91";
    let body = json!({"id": id, "name": "Ubuntu ünï", "disk_format": "qcow2", "container_format": "bare",
        "os_distro": "ubuntu", "tags": ["b", "a", "b"], "min_disk": 3});
    let answer = glance.create(north, &body).await;
    assert_eq!(answer.status(), 201);
    let image: Value = answer.json().await.unwrap();
    let id = image["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&image["status"], &image["os_distro"], &image["tags"]),
        (&json!("queued"), &json!("ubuntu"), &json!(["a", "b"]))
    );
    assert_eq!(glance.create(north, &body).await.status(), 409, "an id is taken once");
    for (body, status) in [
        (json!({"disk_format": "vhdxx"}), 400),
        (json!({"name": "n".repeat(256)}), 400),
        (json!({"name": "x\u{1F600}"}), 400),
        (json!({"tags": ["t".repeat(256)]}), 400),
        (json!({"foo": 3}), 400),
        (json!({"size": 4}), 403),
        (json!({"os_glance_foo": "x"}), 403),
        (json!({"visibility": "public"}), 403),
        (json!({"id": "nope"}), 400),
        (json!({"min_disk": -1}), 400),
        (json!([]), 400),
    ] {
        assert_eq!(glance.create(north, &body).await.status(), status, "{body}");
    }
    let operations = json!([{"op": "replace", "path": "/name", "value": "renamed"},
        {"op": "add", "path": "/notes", "value": "line 1\nline 2"}, {"op": "remove", "path": "/os_distro"}]);
    let image: Value = glance.patch(north, &id, &operations).await.json().await.unwrap();
    assert_eq!(
        (&image["name"], &image["notes"]),
        (&json!("renamed"), &json!("line 1\nline 2"))
    );
    assert!(image.get("os_distro").is_none());
    let failing = json!([{"op": "replace", "path": "/name", "value": "half"}, {"op": "remove", "path": "/absent"}]);
    assert_eq!(glance.patch(north, &id, &failing).await.status(), 409);
    assert_eq!(
        glance.get_json(format!("{north}/images/{id}")).await["name"],
        "renamed",
        "all or nothing"
    );
    let plain = glance
        .request(Method::PATCH, &format!("{north}/images/{id}"))
        .json(&operations)
        .send()
        .await
        .unwrap();
    assert_eq!(plain.status(), 415);
}

#[tokio::test]
async fn tags_are_set_and_taken_and_protection_holds() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let glance = cloud.sign_in().await;
    let north = &glance.north;
    let id = glance.image(north, "tagged").await;
    let tag = |method, tag: &str| {
        glance
            .request(method, &format!("{north}/images/{id}/tags/{tag}"))
            .send()
    };
    assert_eq!(tag(Method::PUT, "web").await.unwrap().status(), 204);
    assert_eq!(tag(Method::PUT, "web").await.unwrap().status(), 204);
    assert_eq!(tag(Method::DELETE, "web").await.unwrap().status(), 204);
    assert_eq!(tag(Method::DELETE, "web").await.unwrap().status(), 404);
    assert_eq!(
        glance
            .request(Method::HEAD, &format!("{north}/images/{id}"))
            .send()
            .await
            .unwrap()
            .status(),
        405
    );

    assert_eq!(
        glance
            .patch(
                north,
                &id,
                &json!([{"op": "replace", "path": "/protected", "value": true}])
            )
            .await
            .status(),
        200
    );
    assert_eq!(glance.delete(north, &id).await, 403);
    assert_eq!(
        glance
            .patch(
                north,
                &id,
                &json!([{"op": "replace", "path": "/protected", "value": false}])
            )
            .await
            .status(),
        200
    );
    assert_eq!(glance.delete(north, &id).await, 204);
    assert_eq!(glance.delete(north, &id).await, 404);
    let again = glance.create(north, &json!({"id": id})).await;
    assert_eq!(again.status(), 409, "a deleted image's id stays taken");
}

#[tokio::test]
async fn lists_come_in_pages_and_by_region() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let glance = cloud.sign_in().await;
    for name in ["one", "two", "three"] {
        glance.image(&glance.north, name).await;
    }
    glance.image(&glance.south, "south").await;
    let names = |page: &Value| -> Vec<String> {
        page["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|image| image["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let service = glance.north.trim_end_matches("/v2").to_owned();
    let page = glance.get_json(format!("{service}/v2/images?limit=2")).await;
    assert_eq!(names(&page), ["three", "two"], "the newest first");
    let next = page["next"].as_str().unwrap();
    assert!(next.starts_with("/v2/images?limit=2&marker="), "{next}");
    let page = glance.get_json(format!("{service}{next}")).await;
    assert_eq!(names(&page), ["one"]);
    assert!(page.get("next").is_none());
    assert_eq!(
        names(&glance.get_json(format!("{service}/v2/images?name=two")).await),
        ["two"]
    );
    assert_eq!(
        names(&glance.get_json(format!("{service}/v2/images?sort=name:asc")).await),
        ["one", "three", "two"]
    );
    assert_eq!(
        names(&glance.get_json(format!("{}/images", glance.south)).await),
        ["south"]
    );
    for bad in ["limit=x", "limit=-1", "marker=nope", "sort=x"] {
        assert_eq!(
            glance.get(format!("{service}/v2/images?{bad}")).await.status(),
            400,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn data_is_put_once_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let glance = cloud.sign_in().await;
    let north = &glance.north;
    let data = bytes(5, 3_000_001);
    let id = glance.image(north, "put").await;
    assert_eq!(
        glance.get(format!("{north}/images/{id}/file")).await.status(),
        204,
        "no data yet"
    );
    assert_eq!(glance.put_file(north, &id, data.clone()).await.status(), 204);
    let image = glance.get_json(format!("{north}/images/{id}")).await;
    assert_eq!(
        (&image["status"], &image["size"]),
        (&json!("active"), &json!(data.len()))
    );
    assert_eq!(
        (&image["os_hash_algo"], &image["os_hash_value"]),
        (&json!("sha512"), &json!(sha512_hex(&data)))
    );
    assert!(
        glance
            .get(format!("{north}/images/{id}/file"))
            .await
            .bytes()
            .await
            .unwrap()
            == data
    );
    let range = glance
        .request(Method::GET, &format!("{north}/images/{id}/file"))
        .header("Range", "bytes=-2");
    let range = range.send().await.unwrap();
    assert_eq!(
        (range.status().as_u16(), range.bytes().await.unwrap().to_vec()),
        (206, data[data.len() - 2..].to_vec())
    );
    assert_eq!(glance.put_file(north, &id, "x").await.status(), 409);
    let format = json!([{"op": "replace", "path": "/disk_format", "value": "qcow2"}]);
    assert_eq!(glance.patch(north, &id, &format).await.status(), 403);

    let id = glance.image(north, "empty").await;
    assert_eq!(glance.put_file(north, &id, "").await.status(), 204);
    assert_eq!(
        glance.get_json(format!("{north}/images/{id}")).await["status"],
        "active",
        "so does Glance"
    );
    let id = glance.create(north, &json!({})).await.json::<Value>().await.unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        glance.put_file(north, &id, "x").await.status(),
        400,
        "formats come first"
    );
    assert_eq!(
        glance
            .put_file(north, "00000000-0000-0000-0000-000000000000", "x")
            .await
            .status(),
        404
    );
}

#[tokio::test]
async fn a_put_that_breaks_off_leaves_the_image_queued() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let glance = cloud.sign_in().await;
    let north = &glance.north;
    let id = glance.image(north, "broken").await;
    let chunks = futures::stream::iter([Ok(vec![1_u8; 100_000]), Err(std::io::Error::other("gone"))]);
    let url = format!("{north}/images/{id}/file");
    let broken = glance
        .request(Method::PUT, &url)
        .header("Content-Type", "application/octet-stream");
    assert!(broken.body(reqwest::Body::wrap_stream(chunks)).send().await.is_err());
    for _ in 0..200 {
        if glance.get_json(format!("{north}/images/{id}")).await["status"] == "queued" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        glance.put_file(north, &id, "whole").await.status(),
        204,
        "it can be repeated"
    );
}

#[tokio::test]
async fn an_import_shares_the_object_and_survives_its_deletion() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let glance = cloud.sign_in().await;
    let data = bytes(6, MIB5 + 12_345);
    let uri = stage(&cloud, "unguessable/disk.raw", &data, true).await;
    let id = glance.image(&glance.south, "import").await;
    assert_eq!(glance.import(&glance.south, &id, &uri).await.status(), 202);
    let (task, image) = glance.ended(&glance.south, &id).await;
    assert_eq!(
        (&task["status"], &task["message"]),
        (&json!("success"), &json!("Copied 5 MiB"))
    );
    assert_eq!(
        (&image["status"], &image["size"]),
        (&json!("active"), &json!(data.len()))
    );
    assert_eq!(image["os_hash_value"], sha512_hex(&data));
    assert_eq!(
        std::fs::read_dir(folder.path().join("blobs")).unwrap().count(),
        2,
        "two parts, no copy"
    );
    assert_eq!(glance.import(&glance.south, &id, &uri).await.status(), 409);
    assert_eq!(cloud.delete("unguessable/disk.raw").await, 204);
    let read = glance
        .get(format!("{}/images/{id}/file", glance.south))
        .await
        .bytes()
        .await
        .unwrap();
    assert!(read == data, "the image keeps its data when the staging object goes");
    assert_eq!(
        glance.get(format!("{}/images/{id}", glance.north)).await.status(),
        404,
        "regions are separate"
    );
    assert_eq!(glance.delete(&glance.south, &id).await, 204);
    assert_eq!(
        std::fs::read_dir(folder.path().join("blobs")).unwrap().count(),
        0,
        "the last owner takes the files along"
    );
}

#[tokio::test]
async fn an_import_from_a_bad_source_fails_visibly_and_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = start(folder.path()).await;
    let glance = cloud.sign_in().await;
    let north = &glance.north;
    let id = glance.image(north, "import").await;
    for elsewhere in [
        "http://10.0.0.1/x.raw",
        "http://127.0.0.1:1/x.raw",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "x",
    ] {
        let answer = glance.import(north, &id, elsewhere).await;
        assert_eq!(answer.status(), 400, "{elsewhere}");
        assert!(answer.text().await.unwrap().contains("does not pass filtering"));
    }
    assert!(glance.tasks(north, &id).await.is_empty());
    let private = stage(&cloud, "private.raw", b"abc", false).await;
    let missing = cloud.bucket.object_url("missing.raw").to_string();
    for source in [&private, &missing] {
        assert_eq!(glance.import(north, &id, source).await.status(), 202);
        let (task, image) = glance.ended(north, &id).await;
        assert_eq!(
            (&task["status"], &image["status"]),
            (&json!("failure"), &json!("queued"))
        );
    }
    let public = stage(&cloud, "public.raw", b"abc", true).await;
    assert_eq!(glance.import(north, &id, &public).await.status(), 202);
    assert_eq!(glance.ended(north, &id).await.1["status"], "active");
}
