//! The whole way against the practice cloud's real protocols: parts, object, image.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use bytes::Bytes;
use lotse_cloud::{Addressing, KeystoneConfig, NewImage, OpenStack, PublicBy, S3, S3Config, Secret, http_client};
use lotse_practice_cloud::PracticeCloud;
use lotse_transfer::{CancellationToken, JobState, Journal, NewJob, SourceIdentity, Steering, Target, send};
use uuid::Uuid;

fn s3_config(practice: &PracticeCloud) -> S3Config {
    let access = practice.access();
    S3Config {
        endpoint: access.s3_endpoint.clone(),
        region: access.s3_region.clone(),
        bucket: access.bucket.clone(),
        access_key: access.access_key.clone(),
        secret_key: Secret::new(access.secret_key.clone()),
        addressing: Addressing::Path,
    }
}

#[tokio::test]
async fn a_file_becomes_an_image_although_its_upload_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let practice = PracticeCloud::start(&folder.path().join("cloud")).await.unwrap();
    let access = practice.access();
    let config = s3_config(&practice);
    let http = http_client().unwrap();
    let s3 = S3::new(config, http.clone()).unwrap();

    let path = folder.path().join("disk.raw");
    let content: Vec<u8> = (0..23_000_000_u32)
        .map(|index| index.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    std::fs::write(&path, &content).unwrap();
    let journal = Journal::open(&folder.path().join("journal")).unwrap();
    let new = NewJob {
        source: SourceIdentity::of(&path).unwrap(),
        connection: "practice".to_owned(),
        key: "staging/ä b+c.raw".to_owned(),
        part_size: 5 << 20,
        details: "{}".to_owned(),
    };
    let job = journal.add(&new, jiff::Timestamp::UNIX_EPOCH).unwrap();
    let claim = journal.claim(job.id).unwrap().unwrap();

    let steering = Steering::default();
    let stop_after_the_first_part = |now: lotse_transfer::Progress| {
        if now.acknowledged > 0 {
            steering.cancel.cancel();
        }
    };
    let interrupted = send(&journal, &s3, &claim, &job, &steering, &stop_after_the_first_part).await;
    assert_eq!(interrupted.unwrap_err().code, "cancelled");
    let there = journal.job(job.id).unwrap().unwrap().acknowledged;

    let progress = Mutex::new(Vec::new());
    let cancel = CancellationToken::new();
    let sent = send(&journal, &s3, &claim, &job, &Steering::default(), &|now| {
        progress.lock().unwrap().push(now.acknowledged);
    })
    .await
    .unwrap();
    assert_eq!(
        progress.lock().unwrap().first(),
        Some(&there),
        "it goes on where it stood"
    );
    assert_eq!(journal.job(job.id).unwrap().unwrap().state, JobState::Verifying);
    let stranger = || http.get(s3.object_url(&job.key)).send();
    assert_eq!(
        stranger().await.unwrap().status(),
        403,
        "what was not compared yet is nobody's"
    );
    s3.publish(&job.key, PublicBy::Acl).await.unwrap();
    s3.check_public(&job.key, 23_000_000).await.unwrap();
    let fetched = http
        .get(s3.object_url(&job.key))
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert!(fetched == content, "everybody who knows the address can fetch the file");

    let account = KeystoneConfig {
        auth_url: access.auth_url.clone(),
        user: access.user.clone(),
        password: Secret::new(access.password.clone()),
        domain: access.domain.clone(),
        project: access.project.clone(),
    };
    let openstack = OpenStack::sign_in(http.clone(), &account).await.unwrap();
    let region = openstack.regions().remove(0);
    let glance = openstack.images(&region).unwrap();
    let id = Uuid::from_u128(7);
    let image = NewImage {
        id,
        name: "Büro „neu“".to_owned(),
        disk_format: "raw".to_owned(),
        tags: vec!["größe:L".to_owned()],
        properties: BTreeMap::from([("os_distro".to_owned(), "debian".to_owned())]),
    };
    glance.create(&image).await.unwrap();
    assert_eq!(
        glance.create(&image).await.unwrap().id,
        id.to_string(),
        "the same image, not a second one"
    );
    glance.import_from_url(id, &s3.object_url(&job.key)).await.unwrap();
    let ready = glance
        .wait_until_active(id, Duration::from_millis(20), &cancel)
        .await
        .unwrap();
    assert_eq!(
        (ready.size, ready.os_hash_value.as_deref()),
        (Some(23_000_000), Some(sent.sha512.as_str()))
    );
    assert_eq!(glance.list().await.unwrap(), [ready]);

    s3.delete(&job.key).await.unwrap();
    assert_eq!(s3.stored(&job.key).await.unwrap(), None);
    glance.delete(id).await.unwrap();
    assert_eq!(glance.get(id).await.unwrap(), None);
}

#[tokio::test]
async fn what_the_service_refuses_has_its_own_code() {
    let folder = tempfile::tempdir().unwrap();
    let practice = PracticeCloud::start(folder.path()).await.unwrap();
    let (config, http) = (s3_config(&practice), http_client().unwrap());
    let s3 = S3::new(config.clone(), http.clone()).unwrap();
    let wrong = S3::new(
        S3Config {
            secret_key: Secret::new("wrong"),
            ..config.clone()
        },
        http.clone(),
    )
    .unwrap();
    assert_eq!(wrong.begin("k").await.unwrap_err().code, "s3_signature");
    let missing = S3::new(
        S3Config {
            bucket: "missing".to_owned(),
            ..config
        },
        http.clone(),
    )
    .unwrap();
    assert_eq!(missing.begin("k").await.unwrap_err().code, "s3_no_such_bucket");
    let upload = s3.begin("other").await.unwrap();
    assert_eq!(s3.uploads("other").await.unwrap(), [upload.as_str()]);
    assert_eq!(s3.uploads("othe").await.unwrap(), [""; 0], "another key's");
    let damaged = s3
        .put_part("other", &upload, 1, Bytes::from_static(b"abc").into(), [0; 16])
        .await;
    assert_eq!(damaged.unwrap_err().code, "s3_integrity");
    s3.abort("other", &upload).await.unwrap();
    s3.abort("other", &upload).await.unwrap();
    assert_eq!(s3.uploads("other").await.unwrap(), [""; 0]);
    assert_eq!(s3.parts("other", &upload).await.unwrap_err().code, "s3_no_such_upload");
}
