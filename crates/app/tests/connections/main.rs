//! Connections over a real service, the practice cloud's S3: what is kept, what a test tells, what uploads of it need.

mod desk;

use std::{collections::BTreeMap, sync::Mutex};

use lotse_app::{
    ConnectionKind, Draft, Error, ObjectStorage, PRACTICE, PublicBy, SecretPlace, SecretSource, TestOutcome, TestStep,
    TestStepKind,
};
use url::Url;

use desk::{Desk, Outcome};

fn failed(steps: &[TestStep]) -> Option<(TestStepKind, &str)> {
    steps.iter().find_map(|step| match &step.outcome {
        TestOutcome::Failed(error) => Some((step.kind, error.code.as_str())),
        _ => None,
    })
}

fn passed(steps: &[TestStep], kind: TestStepKind) -> Outcome<&BTreeMap<String, String>> {
    let step = steps.iter().find(|step| step.kind == kind);
    match step.map(|step| &step.outcome) {
        Some(TestOutcome::Passed(params)) => Ok(params),
        other => Err(format!("{kind:?} did not pass: {other:?}").into()),
    }
}

/// Steps before the failed one passed, those after it were not tried.
fn skipped_after(steps: &[TestStep], kind: TestStepKind) {
    let kinds: Vec<_> = steps.iter().map(|step| step.kind).collect();
    assert_eq!(kinds, TestStepKind::ALL, "every step is told, in order");
    let after = steps.iter().skip_while(|step| step.kind != kind).skip(1);
    for step in after {
        assert_eq!(step.outcome, TestOutcome::Skipped, "{:?}", step.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_tells_every_step_as_it_is_taken_and_leaves_nothing() -> Outcome {
    let desk = Desk::new().await?;
    for public_by in [PublicBy::Acl, PublicBy::BucketPolicy] {
        let mut draft = desk.draft();
        draft.storage.public_by = public_by;
        let told = Mutex::new(Vec::new());
        let observe = |step: &TestStep| told.lock().unwrap().push(step.clone());
        let steps = desk.app.test_connection(&draft, &observe).await?;
        assert_eq!(steps, *told.lock().unwrap());
        assert_eq!(failed(&steps), None, "{steps:?}");
        for kind in TestStepKind::ALL {
            passed(&steps, kind)?;
        }
        assert_eq!(
            passed(&steps, TestStepKind::Reach)?["note"],
            "plain",
            "nothing leaves this computer"
        );
        assert_eq!(passed(&steps, TestStepKind::Bucket)?["bucket"], desk.bucket());
        assert_eq!(desk.left().await?, Vec::<String>::new());
        assert_eq!(desk.policy().await?, None, "no statement stays in the bucket's policy");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_work_is_told_at_its_step_and_what_needs_it_is_skipped() -> Outcome {
    let desk = Desk::new().await?;
    let change = |change: &dyn Fn(&mut ObjectStorage)| {
        let mut draft = desk.draft();
        change(&mut draft.storage);
        draft
    };
    let typed = |secret: &str| Draft {
        secret: desk::typed(secret),
        ..desk.draft()
    };
    let unknown = "http://no-such-name.invalid:9000/";
    let cases = [
        (
            change(&|storage| storage.endpoint = Url::parse(unknown).unwrap()),
            TestStepKind::Name,
            "s3_name_unknown",
        ),
        // Port 1 (tcpmux): nobody listens there.
        (
            change(&|storage| storage.endpoint.set_port(Some(1)).unwrap()),
            TestStepKind::Reach,
            "s3_refused",
        ),
        (
            change(&|storage| storage.endpoint = desk.elsewhere()),
            TestStepKind::Reach,
            "s3_not_s3",
        ),
        (
            change(&|storage| storage.access_key = "AKIAUNKNOWN".into()),
            TestStepKind::SignIn,
            "s3_invalid_key",
        ),
        (typed("not the secret"), TestStepKind::SignIn, "s3_signature"),
        (
            change(&|storage| storage.bucket = String::new()),
            TestStepKind::Bucket,
            "connection_bucket_empty",
        ),
        (
            change(&|storage| storage.bucket = "no-such-bucket".into()),
            TestStepKind::Bucket,
            "s3_no_such_bucket",
        ),
    ];
    for (draft, kind, code) in cases {
        let steps = desk.app.test_connection(&draft, &|_| {}).await?;
        assert_eq!(failed(&steps), Some((kind, code)), "{steps:?}");
        skipped_after(&steps, kind);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_is_broken_off_leaves_nothing_either() -> Outcome {
    let desk = Desk::new().await?;
    for public_by in [PublicBy::Acl, PublicBy::BucketPolicy] {
        for at in [TestStepKind::Bucket, TestStepKind::Write, TestStepKind::PublicRead] {
            let mut draft = desk.draft();
            draft.storage.public_by = public_by;
            let (reached, mut wait) = tokio::sync::mpsc::unbounded_channel();
            let observe = move |step: &TestStep| {
                if step.kind == at {
                    _ = reached.send(());
                }
            };
            tokio::select! {
                steps = desk.app.test_connection(&draft, &observe) => panic!("not broken off at {at:?}: {steps:?}"),
                _ = wait.recv() => {}
            }
            desk.app.tidied().await;
            assert_eq!(desk.left().await?, Vec::<String>::new(), "{at:?}");
            assert_eq!(desk.policy().await?, None, "{at:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_are_listed_and_made() -> Outcome {
    let desk = Desk::new().await?;
    let mut draft = desk.draft();
    draft.storage.bucket = String::new();
    assert_eq!(desk.app.buckets(&draft).await?, [desk.bucket()]);
    assert_eq!(
        desk.app.create_bucket(&draft).await.unwrap_err().code,
        "connection_bucket_empty"
    );
    draft.storage.bucket = "My_Images".into();
    assert_eq!(
        desk.app.create_bucket(&draft).await.unwrap_err().code,
        "s3_bucket_name_invalid"
    );
    draft.storage.bucket = "meine-images".into();
    desk.app.create_bucket(&draft).await?;
    desk.app.create_bucket(&draft).await?;
    assert_eq!(
        desk.app.buckets(&draft).await?.len(),
        2,
        "made once; one's own again is fine"
    );
    let steps = desk.app.test_connection(&draft, &|_| {}).await?;
    assert_eq!(failed(&steps), None, "{steps:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_changed_and_removed_and_its_secret_stays_out_of_the_file() -> Outcome {
    let desk = Desk::new().await?;
    let mut draft = desk.draft();
    draft.storage.region = String::new();
    let kept = desk.app.save_connection(None, &draft).await?;
    assert_eq!(
        (kept.id.as_str(), kept.kind),
        ("buero-koeln", ConnectionKind::ObjectStorage)
    );
    assert_eq!(kept.needs, None);
    let storage = kept.storage.ok_or("an object storage tells what it is")?;
    assert_eq!(
        storage.region, "us-east-1",
        "preset where the service does not tell one"
    );
    let listed = desk.app.connections().await?;
    let ids: Vec<_> = listed.iter().map(|connection| connection.id.as_str()).collect();
    assert_eq!(ids, [PRACTICE, "buero-koeln"]);
    let file = std::fs::read_to_string(desk.data().join("connections.json"))?;
    assert!(!file.contains(desk.secret()), "no secret in {file}");

    // Another process, which nobody told the secret.
    let other = desk.process()?;
    let needs = other.connection("buero-koeln").await?.needs;
    assert_eq!(needs.map(|error| error.code).as_deref(), Some("secret_needed"));
    let mut renamed = Draft {
        storage,
        secret: SecretSource::Kept(kept.id.clone()),
    };
    renamed.storage.name = "Büro Nürnberg".into();
    let changed = other.save_connection(Some(&kept.id), &renamed).await?;
    assert_eq!((changed.id, changed.name.as_str()), (kept.id.clone(), "Büro Nürnberg"));
    let refused = other.test_connection(&renamed, &|_| {}).await.unwrap_err();
    assert_eq!(refused.code, "secret_needed");
    assert_eq!(
        other
            .keep_secret(&kept.id, &lotse_app::Secret::new(" "))
            .await
            .unwrap_err()
            .code,
        "connection_secret_empty"
    );
    other
        .keep_secret(&kept.id, &lotse_app::Secret::new(desk.secret()))
        .await?;
    let steps = other.test_connection(&renamed, &|_| {}).await?;
    assert_eq!(failed(&steps), None, "{steps:?}");

    desk.app.remove_connection(&kept.id, false).await?;
    assert_eq!(other.connection(&kept.id).await.unwrap_err().code, "connection_unknown");
    for (id, code) in [
        (PRACTICE, "connection_is_practice"),
        ("elsewhere", "connection_unknown"),
    ] {
        assert_eq!(desk.app.remove_connection(id, false).await.unwrap_err().code, code);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_have_not_ended_keep_their_bucket() -> Outcome {
    let desk = Desk::new().await?;
    let kept = desk.app.save_connection(None, &desk.draft()).await?;
    let upload = desk.begun(&kept.id).await?;
    let changed = |change: fn(&mut ObjectStorage)| {
        let mut draft = desk.draft();
        change(&mut draft.storage);
        draft
    };
    for draft in [
        changed(|storage| storage.bucket = "another".into()),
        changed(|storage| storage.endpoint = Url::parse("https://s3.example.com").unwrap()),
    ] {
        let refused = desk.app.save_connection(Some(&kept.id), &draft).await.unwrap_err();
        assert_eq!(
            refused,
            Error::new("connection_in_use")
                .with("connection", &kept.id)
                .with("count", 1)
        );
    }
    let panel = changed(|storage| storage.panel = Url::parse("https://panel.example.com").ok());
    desk.app.save_connection(Some(&kept.id), &panel).await?;
    let refused = desk.app.remove_connection(&kept.id, false).await.unwrap_err();
    assert_eq!(refused.code, "connection_in_use");
    desk.app.uploads().cancel(upload).await?;
    desk.app.remove_connection(&kept.id, false).await?;

    let again = desk.app.save_connection(None, &desk.draft()).await?;
    desk.begun(&again.id).await?;
    desk.app.remove_connection(&again.id, true).await?;
    // What still waits for the removed one must not go to another service because that is called the same.
    let other = desk.app.save_connection(None, &desk.draft()).await?;
    assert_ne!(other.id, again.id);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_secret_goes_on_when_somebody_signs_in() -> Outcome {
    let desk = Desk::new().await?;
    let mut draft = desk.draft();
    draft.storage.secret_in = SecretPlace::Ask;
    let kept = desk.app.save_connection(None, &draft).await?;
    let upload = desk.begun(&kept.id).await?;
    desk.app.uploads().pause(upload).await?;

    let other = desk.process()?;
    other.uploads().resume(upload).await?;
    let waiting = desk::until(&other, upload, desk::waits_for_sign_in).await?;
    assert_eq!(
        waiting.failure.map(|failure| failure.code).as_deref(),
        Some("secret_needed")
    );
    other.sign_in(&kept.id, &lotse_app::Secret::new(desk.secret())).await?;
    desk::until(&other, upload, |upload| upload.acknowledged == upload.total).await?;
    other.uploads().cancel(upload).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_replaced_elsewhere_is_read_anew() -> Outcome {
    let desk = Desk::new().await?;
    let (window, terminal) = (&desk.app, desk.process()?);
    let mut draft = desk.draft();
    draft.storage.secret_in = SecretPlace::Keychain;
    let kept = window.save_connection(None, &draft).await?;
    let upload = desk.begun(&kept.id).await?;
    window.uploads().pause(upload).await?;

    // Typed wrong at first, and the window has signed in with that.
    let wrong = Draft {
        secret: desk::typed("not the secret"),
        ..draft.clone()
    };
    window.save_connection(Some(&kept.id), &wrong).await?;
    window.uploads().resume(upload).await?;
    let waiting = desk::until(window, upload, desk::waits_for_sign_in).await?;
    assert_eq!(
        waiting.failure.map(|failure| failure.code).as_deref(),
        Some("s3_signature")
    );

    terminal.keep_connection(Some(&kept.id), &draft).await?;
    assert!(
        desk::waits_for_sign_in(&terminal.uploads().get(upload)?),
        "only kept: nobody here goes on with it"
    );
    window.uploads().resume(upload).await?;
    desk::until(window, upload, |upload| upload.acknowledged == upload.total).await?;
    window.uploads().cancel(upload).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_never_left_where_no_connection_leads_to_it() -> Outcome {
    let desk = Desk::new().await?;
    let mut draft = desk.draft();
    draft.storage.secret_in = SecretPlace::Keychain;
    desk.lock_keychain(true);
    assert_eq!(
        desk.app.save_connection(None, &draft).await.unwrap_err().code,
        "keychain_locked"
    );
    assert_eq!(
        desk.app.connections().await?.len(),
        1,
        "a connection without its secret is not kept"
    );
    desk.lock_keychain(false);
    let kept = desk.app.save_connection(None, &draft).await?;

    desk.lock_keychain(true);
    assert_eq!(
        desk.app.remove_connection(&kept.id, false).await.unwrap_err().code,
        "keychain_locked"
    );
    assert!(desk.app.connection(&kept.id).await.is_ok(), "it can be tried again");
    draft.storage.secret_in = SecretPlace::Ask;
    desk.lock_keychain(false);
    desk.app.save_connection(Some(&kept.id), &draft).await?;
    assert!(!desk.keychain_has(&kept.id)?, "it has moved");
    desk.app.test_connection(&draft, &|_| {}).await?;

    draft.storage.secret_in = SecretPlace::Keychain;
    draft.secret = SecretSource::Kept(kept.id.clone());
    desk.app.save_connection(Some(&kept.id), &draft).await?;
    assert!(desk.keychain_has(&kept.id)?, "and back");
    desk.app.remove_connection(&kept.id, false).await?;
    assert!(!desk.keychain_has(&kept.id)?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_told_and_does_not_stop_the_test() -> Outcome {
    let desk = Desk::new().await?;
    for seconds in [7200, -7200] {
        desk.put_clock_ahead(seconds);
        let steps = desk.app.test_connection(&desk.draft(), &|_| {}).await?;
        let clock = steps.iter().find(|step| step.kind == TestStepKind::Clock);
        let Some(TestOutcome::Warned(error)) = clock.map(|step| &step.outcome) else {
            return Err(format!("not warned: {steps:?}").into());
        };
        assert_eq!(error.code, "connection_clock_differs");
        let told: i64 = error.params["seconds"].parse()?;
        assert!((7190..=7210).contains(&told), "{told}");
        assert_eq!(failed(&steps), None);
        passed(&steps, TestStepKind::Delete)?;
    }
    Ok(())
}
