//! Keystone and Glance: odd answers and what they are taken for.

use std::{collections::BTreeMap, time::Duration};

use lotse_transfer::CancellationToken;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::server::{Prepared, Server, answer};
use crate::{CloudError, Glance, KeystoneConfig, NewImage, OpenStack, Secret, http_client};

fn token(server: &Server, name: &str) -> Prepared {
    let endpoint =
        |region: &str, interface: &str, url: &str| json!({"region_id": region, "interface": interface, "url": url});
    let image = server.url().join("image").unwrap();
    let body = json!({"token": {"project": {"id": "p1"}, "catalog": [
        {"type": "identity", "endpoints": [endpoint("Three", "public", image.as_str())]},
        {"type": "image", "endpoints": [
            endpoint("Two", "internal", "http://10.0.0.1"),
            endpoint("Two", "public", image.as_str()),
            endpoint("One", "public", image.as_str()),
        ]},
    ]}});
    answer(201, &[("x-subject-token", name)], &body.to_string())
}

async fn sign_in(server: &Server) -> Result<OpenStack, CloudError> {
    let config = KeystoneConfig {
        auth_url: server.url(),
        user: "u".to_owned(),
        password: Secret::new("SECRET"),
        domain: "default".to_owned(),
        project: "p".to_owned(),
    };
    OpenStack::sign_in(http_client().unwrap(), &config).await
}

async fn glance(answers: Vec<Prepared>) -> (Server, Glance) {
    let server = Server::start(Vec::new()).await;
    server.then(vec![token(&server, "t1")]);
    server.then(answers);
    let openstack = sign_in(&server).await.unwrap();
    assert_eq!(
        openstack.regions(),
        ["Two", "One"],
        "the catalogue's order, image services only"
    );
    assert_eq!(openstack.images("Three").unwrap_err().code, "region_unknown");
    assert!(!format!("{openstack:?}").contains("SECRET"));
    let glance = openstack.images("One").unwrap();
    (server, glance)
}

fn image(status: &str) -> Prepared {
    answer(
        200,
        &[],
        &json!({"id": Uuid::nil(), "status": status, "name": "n", "size": 5, "os_distro": "debian"}).to_string(),
    )
}

fn new_image() -> NewImage {
    NewImage {
        id: Uuid::nil(),
        name: "n".to_owned(),
        disk_format: "raw".to_owned(),
        tags: vec!["t".to_owned()],
        properties: BTreeMap::from([
            ("os_distro".to_owned(), "debian".to_owned()),
            ("id".to_owned(), "evil".to_owned()),
        ]),
    }
}

#[tokio::test]
async fn refused_and_odd_sign_ins_are_told_apart() {
    let message = r#"{"error":{"code":401,"message":"Go away","title":"Unauthorized"}}"#;
    let cases = [
        (
            answer(401, &[("x-openstack-request-id", "req-1")], message),
            "keystone_unauthorized",
            false,
        ),
        (answer(200, &[], "<html>hotel</html>"), "keystone_answer_invalid", true),
        (answer(201, &[], r#"{"token":{}}"#), "keystone_answer_invalid", true),
        (
            answer(201, &[("x-subject-token", "t")], "{"),
            "keystone_answer_invalid",
            true,
        ),
        (
            answer(307, &[("location", "http://127.0.0.1:1/")], ""),
            "keystone_rejected",
            false,
        ),
        (answer(503, &[], ""), "keystone_busy", true),
        (answer(404, &[], "<html>nginx</html>"), "keystone_not_found", false),
    ];
    for (prepared, code, retryable) in cases {
        let server = Server::start(vec![prepared]).await;
        let error = sign_in(&server).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (code, retryable));
        if code == "keystone_unauthorized" {
            assert_eq!(
                (
                    error.params["service_message"].as_str(),
                    error.params["request_id"].as_str()
                ),
                ("Go away", "req-1")
            );
        }
    }
}

#[tokio::test]
async fn a_token_that_ended_is_renewed_once() {
    let (server, glance) = glance(vec![answer(401, &[], "")]).await;
    server.then(vec![
        token(&server, "t2"),
        image("active"),
        answer(401, &[], ""),
        token(&server, "t3"),
        answer(401, &[], ""),
    ]);
    assert_eq!(glance.get(Uuid::nil()).await.unwrap().unwrap().status, "active");
    let asked = server.asked();
    assert!(asked[1].headers.contains("x-auth-token: t1") && asked[3].headers.contains("x-auth-token: t2"));
    assert_eq!(
        asked[3].path,
        format!("/image/v2/images/{}", Uuid::nil()),
        "the catalogue's path is kept"
    );
    assert_eq!(
        glance.get(Uuid::nil()).await.unwrap_err().code,
        "keystone_unauthorized",
        "not again and again"
    );
}

#[tokio::test]
async fn making_an_image_twice_finds_the_first() {
    let (server, glance) = glance(vec![
        answer(409, &[], ""),
        image("importing"),
        answer(409, &[], "taken"),
        answer(404, &[], ""),
    ])
    .await;
    assert_eq!(glance.create(&new_image()).await.unwrap().status, "importing");
    assert_eq!(
        glance.create(&new_image()).await.unwrap_err().code,
        "glance_conflict",
        "somebody else's id"
    );
    let sent: serde_json::Value = serde_json::from_str(&server.asked()[1].body).unwrap();
    assert_eq!(
        sent["id"],
        Uuid::nil().to_string(),
        "no property takes the place of the id"
    );
    assert_eq!(
        (&sent["container_format"], &sent["visibility"], &sent["os_distro"]),
        (&"bare".into(), &"private".into(), &"debian".into())
    );

    let before = server.asked().len();
    let emoji = NewImage {
        name: "🚀".to_owned(),
        ..new_image()
    };
    assert_eq!(glance.create(&emoji).await.unwrap_err().code, "details_name_invalid");
    assert_eq!(server.asked().len(), before, "found before anything was sent");
}

#[tokio::test]
async fn lists_are_followed_by_their_mark_and_strangers_left_out() {
    let page = |owner: &str, next: &str| {
        answer(
            200,
            &[],
            &format!(r#"{{"images":[{{"id":"i-{owner}","status":"active","owner":"{owner}"}}]{next}}}"#),
        )
    };
    let (server, glance) = glance(vec![
        page("p1", r#","next":"/v2/images?limit=100&marker=i%2Fp1""#),
        page("other", ""),
    ])
    .await;
    let images = glance.list().await.unwrap();
    assert_eq!(
        images.iter().map(|image| image.id.as_str()).collect::<Vec<_>>(),
        ["i-p1"]
    );
    assert_eq!(server.asked()[2].path, "/image/v2/images?limit=100&marker=i%2Fp1");
}

#[tokio::test]
async fn an_import_that_runs_already_is_success() {
    let source = Url::parse("http://127.0.0.1:9/a.raw").unwrap();
    let (_server, glance) = glance(vec![
        answer(409, &[], ""),
        image("importing"),
        answer(409, &[], ""),
        image("queued"),
        answer(400, &[], "<html><body>URI does not pass filtering</body></html>"),
    ])
    .await;
    glance.import_from_url(Uuid::nil(), &source).await.unwrap();
    assert_eq!(
        glance.import_from_url(Uuid::nil(), &source).await.unwrap_err().code,
        "glance_conflict"
    );
    let refused = glance.import_from_url(Uuid::nil(), &source).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.params["service_message"].as_str()),
        ("glance_import_refused", "URI does not pass filtering")
    );
}

#[tokio::test]
async fn waiting_ends_with_the_image_or_with_the_tasks_own_words() {
    let tasks = |tasks: serde_json::Value| answer(200, &[], &json!({"tasks": tasks}).to_string());
    let failed_before = json!({"id": "1", "status": "failure", "message": "old", "created_at": "2026-11-22T01:00:00"});
    let running = json!({"id": "2", "status": "processing", "created_at": "2026-11-22T02:00:00"});
    let failed =
        json!({"id": "2", "status": "failure", "message": "No such host", "created_at": "2026-11-22T02:00:00"});
    let cancel = CancellationToken::new();
    let poll = Duration::from_millis(1);
    let (_server, service) = glance(vec![
        image("importing"),
        tasks(json!([running, failed_before])),
        answer(503, &[], ""),
        image("active"),
        // Glance leaves the image as `importing`; only its tasks tell.
        image("importing"),
        tasks(json!([failed, failed_before])),
        image("killed"),
        answer(404, &[], ""),
    ])
    .await;
    let wait = || service.wait_until_active(Uuid::nil(), poll, &cancel);
    assert_eq!(
        wait().await.unwrap().status,
        "active",
        "an earlier attempt's failure and a busy moment do not count"
    );
    let error = wait().await.unwrap_err();
    assert_eq!(
        (error.code, error.params["service_message"].as_str()),
        ("image_import_failed", "No such host")
    );
    assert_eq!(wait().await.unwrap_err().code, "image_import_failed");
    assert_eq!(wait().await.unwrap_err().code, "image_gone");
    cancel.cancel();
    assert_eq!(wait().await.unwrap_err().code, "cancelled");
}

#[tokio::test]
async fn what_is_gone_is_success_for_those_who_remove() {
    let (_server, glance) = glance(vec![answer(204, &[], ""), answer(404, &[], ""), answer(403, &[], "")]).await;
    glance.delete(Uuid::nil()).await.unwrap();
    glance.delete(Uuid::nil()).await.unwrap();
    assert_eq!(glance.delete(Uuid::nil()).await.unwrap_err().code, "glance_forbidden");
}
