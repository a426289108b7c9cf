//! Uploads over an object storage: they stand ready until a person has imported the image.

use std::{sync::atomic::Ordering, time::Duration};

use jiff::SignedDuration;
use lotse_app::{Error, PublicBy, SecretSource, Settings, UploadState};
use lotse_transfer::{JobState, Journal};

use crate::{
    computer::{Outcome, SIZE, SMALL, limit, slow, until},
    storage::{Storage, stands},
};

const STAGED: UploadState = UploadState::Job(JobState::Staged);

#[tokio::test(flavor = "multi_thread")]
async fn what_has_arrived_is_handed_over_and_goes_when_it_was_imported() -> Outcome {
    let storage = Storage::new().await?;
    let uploads = storage.app.uploads();
    let staged = storage.staged("Büro Server.bin").await?;
    let published = staged.published.expect("it can be read");
    assert_eq!(
        staged.public_until,
        Some(published + SignedDuration::from_hours(7 * 24))
    );
    assert_eq!(
        storage.process()?.uploads().get(staged.id)?.state,
        STAGED,
        "nobody has to work on it"
    );

    let hand_over = uploads.hand_over(staged.id).await?;
    assert_eq!(
        (hand_over.file_name.as_str(), hand_over.size),
        ("Büro Server.bin", SMALL)
    );
    assert_eq!(hand_over.details, staged.details);
    assert_eq!(
        hand_over.panel.map(String::from).as_deref(),
        Some("https://panel.example.org/")
    );
    assert_eq!(hand_over.published, Some(published));
    // The panel reads the format from the address' end.
    assert!(
        hand_over.url.path().ends_with("/B%C3%BCro_Server.bin.img"),
        "{}",
        hand_over.url
    );
    assert_eq!(hand_over.url.query(), None);
    let keys = storage.keys().await?;
    let [key] = keys.as_slice() else {
        panic!("one object, not {keys:?}")
    };
    storage.elsewhere()?.check_public(key, SMALL).await?;

    // What holds for all does not take it along: an import may be running.
    assert_eq!((uploads.pause_all().await?, uploads.cancel_all().await?), (0, 0));
    assert_eq!(uploads.pause(staged.id).await.unwrap_err().code, "upload_not_pausable");
    assert_eq!(uploads.resume(staged.id).await.unwrap_err().code, "upload_staged");
    assert_eq!(uploads.forget(staged.id).unwrap_err().code, "upload_not_final");
    assert_eq!(uploads.resume_all().await?, []);
    assert_eq!(uploads.get(staged.id)?.state, STAGED);

    storage.line.set_cut(true);
    let unreachable = uploads.import_finished(staged.id).await.unwrap_err();
    assert!(unreachable.retryable, "{unreachable}");
    assert_eq!(uploads.get(staged.id)?, staged, "nothing is claimed that was not done");
    storage.line.set_cut(false);
    let done = uploads.import_finished(staged.id).await?;
    assert_eq!((done.state, done.published), (UploadState::Job(JobState::Done), None));
    assert_eq!(storage.keys().await?, [""; 0]);
    assert_eq!(
        uploads.import_finished(staged.id).await.unwrap_err().code,
        "upload_final"
    );
    assert_eq!(
        uploads.hand_over(staged.id).await.unwrap_err().code,
        "upload_not_staged"
    );
    uploads.forget(staged.id)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_somebody_else_removed_is_no_obstacle() -> Outcome {
    let storage = Storage::new().await?;
    let staged = storage.staged("a.raw").await?;
    for key in storage.keys().await? {
        storage.elsewhere()?.delete(&key).await?;
    }
    let uploads = storage.app.uploads();
    assert_eq!(uploads.publish_again(staged.id).await.unwrap_err().code, "staging_gone");
    let done = uploads.import_finished(staged.id).await?;
    assert_eq!(done.state, UploadState::Job(JobState::Done));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_lists_of_rights_is_told_and_what_arrived_stays() -> Outcome {
    let storage = Storage::new().await?;
    storage.line.no_acl.store(true, Ordering::SeqCst);
    let uploads = storage.app.uploads();
    let path = storage.computer.image("a.raw")?;
    let begun = uploads.start(&storage.request(path.clone())).await?;
    let failed = until(&storage.app, begun.id, stands).await?;
    let failure = failed.failure.expect("it cannot be handed over");
    assert_eq!(
        (failure.code.as_str(), failure.retryable),
        ("s3_no_public_access", true)
    );
    assert_eq!((failed.acknowledged, failed.published), (SIZE as u64, None));
    assert_eq!(storage.keys().await?.len(), 1, "what has arrived stays");

    // The file is not needed any more, and nothing is sent twice.
    std::fs::remove_file(path)?;
    let before = storage.line.sent();
    let mut draft = storage.draft(PublicBy::BucketPolicy);
    draft.secret = SecretSource::Kept(storage.connection.clone());
    storage.app.save_connection(Some(&storage.connection), &draft).await?;
    uploads.resume(begun.id).await?;
    let staged = until(&storage.app, begun.id, stands).await?;
    assert_eq!(staged.state, STAGED, "{:?}", staged.failure);
    assert!(storage.line.sent() - before < 1 << 20, "only a few requests");
    let key = storage.keys().await?.remove(0);
    storage.elsewhere()?.check_public(&key, SIZE as u64).await?;
    uploads.cancel(begun.id).await?;
    // The same key again would be public if its statement had stayed in the bucket's policy.
    storage.elsewhere()?.put(&key, "other".into()).await?;
    assert!(!storage.elsewhere()?.is_public(&key).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_two_steps_is_repaired() -> Outcome {
    let storage = Storage::new().await?;
    let uploads = storage.app.uploads();
    for noted in [true, false] {
        storage.line.no_acl.store(true, Ordering::SeqCst);
        let begun = uploads
            .start(&storage.request(storage.computer.small_image("a.raw")?))
            .await?;
        until(&storage.app, begun.id, stands).await?;
        storage.line.no_acl.store(false, Ordering::SeqCst);
        // As if it had ended before the service was asked, or before its answer was noted.
        if noted {
            let journal = Journal::open(&storage.computer.folder.path().join("data/journal"))?;
            journal.set_published(begun.id, Some(jiff::Timestamp::UNIX_EPOCH))?;
        } else {
            let key = storage.keys().await?.remove(0);
            storage.elsewhere()?.publish(&key, PublicBy::Acl).await?;
        }
        uploads.resume(begun.id).await?;
        let staged = until(&storage.app, begun.id, stands).await?;
        assert_eq!(staged.state, STAGED, "{:?}", staged.failure);
        assert!(
            staged.published > Some(begun.created),
            "its time begins when it is public"
        );
        let key = storage.keys().await?.remove(0);
        storage.elsewhere()?.check_public(&key, SMALL).await?;
        uploads.import_finished(begun.id).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_time_it_is_private_and_can_be_made_public_again() -> Outcome {
    let storage = Storage::new().await?;
    let (app, uploads) = (&storage.app, storage.app.uploads());
    uploads.set_settings(&Settings {
        staging_days: 3,
        ..uploads.settings()
    })?;
    let staged = storage.staged("a.raw").await?;
    let key = storage.keys().await?.remove(0);
    storage.clock.forward(1);
    let still = uploads.publish_again(staged.id).await?;
    assert_eq!(still.published, staged.published, "what is public keeps its time");
    storage.clock.forward(1);
    assert_eq!(app.tidy_staging().await?, 0, "it has some hours left");
    let longer = uploads.publish_again(staged.id).await?;
    assert!(longer.published > staged.published, "which are too few for an import");
    let staged = uploads.get(staged.id)?;
    storage.clock.forward(3);
    assert!(
        uploads.publish_again(staged.id).await?.published > staged.public_until,
        "over, but not yet tidied"
    );
    let staged = uploads.get(staged.id)?;

    storage.clock.forward(3);
    storage.line.set_cut(true);
    assert_eq!(app.tidy_staging().await?, 0);
    assert_eq!(
        uploads.get(staged.id)?.published,
        staged.published,
        "not reached: tried again later"
    );
    storage.line.set_cut(false);
    assert_eq!(app.tidy_staging().await?, 1);
    assert_eq!(app.tidy_staging().await?, 0);
    assert!(!storage.elsewhere()?.is_public(&key).await?);
    let private = uploads.get(staged.id)?;
    assert_eq!(
        (private.state, private.published, private.public_until),
        (STAGED, None, None)
    );
    assert_eq!(uploads.hand_over(staged.id).await?.published, None);

    let again = uploads.publish_again(staged.id).await?;
    assert!(again.published > staged.public_until.map(|until| until - SignedDuration::from_hours(1)));
    storage.elsewhere()?.check_public(&key, SMALL).await?;
    Ok(())
}

/// A company's filter says 403 as a service does, but knows nothing of the object.
#[tokio::test(flavor = "multi_thread")]
async fn what_something_in_between_says_is_no_proof_that_an_object_is_private_or_gone() -> Outcome {
    let storage = Storage::new().await?;
    let (app, uploads) = (&storage.app, storage.app.uploads());
    let staged = storage.staged("a.raw").await?;
    let key = storage.keys().await?.remove(0);
    storage.clock.forward(8);
    storage.line.filtered.store(true, Ordering::SeqCst);
    assert_eq!(app.tidy_staging().await?, 0);
    uploads.import_finished(staged.id).await.unwrap_err();
    uploads.cancel(staged.id).await.unwrap_err();
    assert_eq!(uploads.get(staged.id)?, staged, "nothing is claimed that is not so");
    storage.line.filtered.store(false, Ordering::SeqCst);
    assert!(storage.elsewhere()?.is_public(&key).await?);
    assert_eq!(app.tidy_staging().await?, 1);
    assert!(!storage.elsewhere()?.is_public(&key).await?);
    Ok(())
}

/// Whose upload is lost, its object is not.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_goes_with_its_upload_also_when_the_parts_are_forgotten() -> Outcome {
    let storage = Storage::new().await?;
    let staged = storage.staged("a.raw").await?;
    let journal = Journal::open(&storage.computer.folder.path().join("data/journal"))?;
    journal.forget_parts(staged.id)?;
    storage.app.uploads().cancel(staged.id).await?;
    assert_eq!(storage.keys().await?, [""; 0]);
    Ok(())
}

/// The loop that whoever runs long begins once.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_long_tidies_by_itself() -> Outcome {
    let storage = Storage::new().await?;
    let staged = storage.staged("a.raw").await?;
    storage.clock.forward(8);
    storage.app.uploads().oversee();
    until(&storage.app, staged.id, |upload| upload.published.is_none()).await?;
    let key = storage.keys().await?.remove(0);
    assert!(!storage.elsewhere()?.is_public(&key).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_failed_is_not_left_public() -> Outcome {
    let storage = Storage::new().await?;
    let uploads = storage.app.uploads();
    let staged = storage.staged("a.raw").await?;
    let key = storage.keys().await?.remove(0);
    // As if the service had gone away before the object of a failed upload could be made private.
    let journal = Journal::open(&storage.computer.folder.path().join("data/journal"))?;
    let failure = lotse_transfer::JobFailure {
        code: "s3_not_public".into(),
        params: [].into(),
        retryable: true,
    };
    journal.fail(staged.id, &failure)?;
    assert_eq!(storage.app.tidy_staging().await?, 1);
    assert!(!storage.elsewhere()?.is_public(&key).await?);
    assert_eq!(uploads.get(staged.id)?.state, UploadState::Job(JobState::Failed));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_back_it_leaves_nothing_and_anew_it_gets_another_address() -> Outcome {
    let storage = Storage::new().await?;
    let uploads = storage.app.uploads();
    let staged = storage.staged("a.raw").await?;
    let old = storage.keys().await?;
    uploads.start_anew(staged.id).await?;
    let anew = until(&storage.app, staged.id, stands).await?;
    assert_eq!(anew.state, STAGED, "{:?}", anew.failure);
    let new = storage.keys().await?;
    assert_eq!(new.len(), 1, "the old one is gone");
    assert_ne!(old, new, "who has the old address does not read the new file");

    storage.line.set_cut(true);
    assert_eq!(uploads.cancel(staged.id).await.unwrap_err().code, "cancel_incomplete");
    assert_eq!(
        uploads.get(staged.id)?.state,
        STAGED,
        "what stands ready goes on doing so"
    );
    storage.line.set_cut(false);
    let cancelled = uploads.cancel(staged.id).await?;
    assert_eq!(
        (cancelled.state, cancelled.published),
        (UploadState::Job(JobState::Cancelled), None)
    );
    assert_eq!(storage.keys().await?, [""; 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_moved_is_followed_without_sending_anything() -> Outcome {
    let storage = Storage::new().await?;
    let staged = storage.staged("a.raw").await?;
    let moved = storage.computer.folder.path().join("b.raw");
    std::fs::rename(storage.computer.folder.path().join("a.raw"), &moved)?;
    let before = storage.line.sent();
    let upload = storage.app.uploads().relocate(staged.id, &moved).await?;
    assert_eq!((upload.state, upload.source_name.as_str()), (STAGED, "b.raw"));
    assert_eq!(storage.line.sent(), before);
    Ok(())
}

#[test]
fn without_its_secret_an_upload_waits_for_whoever_knows_it() -> Outcome {
    let runtime = tokio::runtime::Runtime::new()?;
    let storage = runtime.block_on(Storage::new())?;
    let path = storage.computer.image("a.raw")?;
    let first = tokio::runtime::Runtime::new()?;
    let id = first.block_on(async {
        let app = storage.process()?;
        app.keep_secret(&storage.connection, &storage.secret()).await?;
        slow(&app)?;
        let begun = app.uploads().start(&storage.request(path)).await?;
        until(&app, begun.id, |upload| upload.acknowledged > 0).await?;
        Ok::<_, Error>(begun.id)
    })?;
    // All its tasks end where they stand.
    first.shutdown_timeout(Duration::from_secs(10));
    limit(&storage.app, None)?;
    runtime.block_on(async {
        let app = storage.process()?;
        app.uploads().resume_interrupted().await?;
        let waiting = until(&app, id, stands).await?;
        assert_eq!(waiting.state, UploadState::Job(JobState::WaitingForSignIn));
        assert_eq!(
            waiting.failure.map(|failure| failure.code).as_deref(),
            Some("secret_needed")
        );
        assert!(waiting.acknowledged > 0, "what has arrived stays");
        app.sign_in(&storage.connection, &storage.secret()).await?;
        let staged = until(&app, id, |upload| upload.state == STAGED).await?;
        assert_eq!(staged.acknowledged, SIZE as u64);

        // The address is no secret; what asks the service needs the secret, and changes nothing without it.
        let other = storage.process()?;
        assert_eq!(other.uploads().hand_over(id).await?.size, SIZE as u64);
        for refused in [
            other.uploads().import_finished(id).await.map(drop),
            other.uploads().publish_again(id).await.map(drop),
            other.uploads().cancel(id).await.map(drop),
        ] {
            assert_eq!(refused.unwrap_err().code, "secret_needed");
        }
        assert_eq!(other.uploads().get(id)?.state, STAGED);
        storage.clock.forward(8);
        assert_eq!(other.tidy_staging().await?, 0, "left for who can");
        assert_eq!(app.tidy_staging().await?, 1);
        Ok(())
    })
}
