//! Every staging object that still exists: this computer's and others', and what can be removed.

use std::sync::atomic::Ordering;

use lotse_app::{PRACTICE, PublicBy, StagingKind, StagingObject, UploadState};
use lotse_transfer::{JobState, Journal, Target as _};

use crate::{
    computer::{Computer, Outcome, SMALL, ended, limit, request, slow, until},
    storage::Storage,
};

const FOREIGN: &str = "imagelotse/ffffffffffffffffffffffffffffffff/Büro.qcow2";

fn keys(objects: &[StagingObject]) -> Vec<&str> {
    objects.iter().map(|object| object.key.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_computer_left_is_listed_and_removable_and_nothing_else_is_touched() -> Outcome {
    let storage = Storage::new().await?;
    let (app, elsewhere) = (&storage.app, storage.elsewhere()?);
    let staged = storage.staged("server.raw").await?;
    let ours = storage.keys().await?.remove(0);
    elsewhere.put(FOREIGN, "image".into()).await?;
    elsewhere.put("imagelotse.txt", "not ours".into()).await?;
    elsewhere.put("holiday/imagelotse/photo.jpg", "not ours".into()).await?;
    let left = elsewhere.begin(FOREIGN).await?;
    elsewhere.begin("holiday/film.mp4").await?;

    let list = app.staging().await?;
    assert_eq!(list.unreachable, []);
    assert_eq!(keys(&list.objects), [ours.as_str(), FOREIGN, FOREIGN], "{list:?}");
    let [own, object, parts] = list.objects.as_slice() else {
        panic!("three")
    };
    assert_eq!(
        (own.upload, own.size, own.public),
        (Some(staged.id), Some(SMALL), Some(true))
    );
    assert_eq!(
        (own.public_until, own.file_name.as_str()),
        (staged.public_until, "server.raw")
    );
    assert_eq!(
        (object.upload, object.size, object.public),
        (None, Some(5), Some(false))
    );
    assert_eq!((object.public_until, object.file_name.as_str()), (None, "Büro.qcow2"));
    assert_eq!(
        parts.kind,
        StagingKind::OpenUpload {
            upload_id: left.clone()
        }
    );
    assert!(
        list.objects
            .iter()
            .all(|object| object.connection == storage.connection)
    );

    for key in [
        "imagelotse.txt",
        "holiday/imagelotse/photo.jpg",
        "holiday/film.mp4",
        "",
        "imagelotse",
    ] {
        let refused = app.remove_staging(&storage.connection, key, None).await;
        assert_eq!(refused.unwrap_err().code, "staging_foreign", "{key}");
    }
    app.remove_staging(&storage.connection, FOREIGN, Some(&left)).await?;
    app.remove_staging(&storage.connection, FOREIGN, None).await?;
    app.remove_staging(&storage.connection, FOREIGN, None).await?;
    assert_eq!(keys(&app.staging().await?.objects), [ours.as_str()]);
    // To remove what stands ready is to take the upload back.
    app.remove_staging(&storage.connection, &ours, None).await?;
    assert_eq!(
        app.uploads().get(staged.id)?.state,
        UploadState::Job(JobState::Cancelled)
    );
    assert_eq!(
        storage.keys().await?,
        ["holiday/imagelotse/photo.jpg", "imagelotse.txt"]
    );
    Ok(())
}

/// One bucket, two connections (another key, say): whoever looks over the second one must not take the file for somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_known_over_every_connection_that_leads_to_its_bucket() -> Outcome {
    let storage = Storage::new().await?;
    let app = &storage.app;
    let mut draft = storage.draft(PublicBy::Acl);
    draft.storage.name = "Second".into();
    let second = app.save_connection(None, &draft).await?.id;
    let staged = storage.staged("server.raw").await?;
    let listed = app.staging().await?.objects;
    assert_eq!(
        listed.iter().map(|object| object.upload).collect::<Vec<_>>(),
        [Some(staged.id), Some(staged.id)]
    );
    app.remove_staging(&second, &listed[0].key, None).await?;
    assert_eq!(
        app.uploads().get(staged.id)?.state,
        UploadState::Job(JobState::Cancelled)
    );
    assert_eq!(app.staging().await?.objects, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_running_upload_needs_stays() -> Outcome {
    let storage = Storage::new().await?;
    let app = &storage.app;
    slow(app)?;
    let begun = app
        .uploads()
        .start(&storage.request(storage.computer.image("a.raw")?))
        .await?;
    until(app, begun.id, |upload| upload.acknowledged > 0).await?;
    let list = app.staging().await?;
    let [parts] = list.objects.as_slice() else {
        panic!("one, not {list:?}")
    };
    let StagingKind::OpenUpload { upload_id } = &parts.kind else {
        panic!("parts, not {parts:?}")
    };
    assert_eq!((parts.upload, parts.public), (Some(begun.id), Some(false)));
    let refused = app
        .remove_staging(&storage.connection, &parts.key, Some(upload_id))
        .await;
    assert_eq!(refused.unwrap_err().code, "staging_in_use");
    app.uploads().cancel(begun.id).await?;
    assert_eq!(app.staging().await?.objects, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_list_open_uploads_still_tells_its_objects() -> Outcome {
    let storage = Storage::new().await?;
    storage.staged("server.raw").await?;
    storage.elsewhere()?.put(FOREIGN, "image".into()).await?;
    let before = storage.app.staging().await?;
    storage.line.no_uploads.store(true, Ordering::SeqCst);
    assert_eq!(storage.app.staging().await?, before);
    assert_eq!((before.objects.len(), before.unreachable), (2, vec![]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_may_be_removed_what_was_imported_becomes_private() -> Outcome {
    let storage = Storage::new().await?;
    let staged = storage.staged("server.raw").await?;
    storage.line.no_delete.store(true, Ordering::SeqCst);
    let done = storage.app.uploads().import_finished(staged.id).await?;
    assert_eq!((done.state, done.published), (UploadState::Job(JobState::Done), None));
    let list = storage.app.staging().await?;
    let [left] = list.objects.as_slice() else {
        panic!("one, not {list:?}")
    };
    assert_eq!(left.public, Some(false));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_never_began_can_be_taken_back_from_a_service_that_is_away() -> Outcome {
    let storage = Storage::new().await?;
    let app = &storage.app;
    storage.line.set_cut(true);
    let begun = app
        .uploads()
        .start(&storage.request(storage.computer.image("a.raw")?))
        .await?;
    until(app, begun.id, |upload| {
        upload.state == UploadState::Job(JobState::WaitingForNetwork)
    })
    .await?;
    let cancelled = app.uploads().cancel(begun.id).await?;
    assert_eq!(cancelled.state, UploadState::Job(JobState::Cancelled));
    app.remove_connection(&storage.connection, false).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_bucket_cannot_be_listed_the_journal_tells_what_is_there() -> Outcome {
    let storage = Storage::new().await?;
    let app = &storage.app;
    let staged = storage.staged("server.raw").await?;
    let before = app.staging().await?;
    storage.line.set_cut(true);
    let list = app.staging().await?;
    let [(connection, _)] = list.unreachable.as_slice() else {
        panic!("one, not {list:?}")
    };
    assert_eq!(connection, &storage.connection, "the practice cloud can be asked");
    let ([told], [known]) = (list.objects.as_slice(), before.objects.as_slice()) else {
        panic!("{list:?}")
    };
    let expected = StagingObject {
        since: staged.created,
        ..known.clone()
    };
    assert_eq!(told, &expected);
    storage.line.set_cut(false);

    // Nor does a connection that was removed hide it.
    app.remove_connection(&storage.connection, true).await?;
    let list = app.staging().await?;
    assert_eq!(list.objects, [expected]);
    assert_eq!(list.unreachable[0].1.code, "connection_unknown");
    assert_eq!(
        app.uploads().cancel(staged.id).await?.state,
        UploadState::Job(JobState::Cancelled),
        "it leaves the list of uploads all the same"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_outlived_its_upload_is_seen() -> Outcome {
    let storage = Storage::new().await?;
    let staged = storage.staged("server.raw").await?;
    let key = storage.keys().await?.remove(0);
    // As if the service had said that it removed it, and had not.
    let journal = Journal::open(&storage.computer.folder.path().join("data/journal"))?;
    journal.advance(staged.id, JobState::Done)?;
    let list = storage.app.staging().await?;
    let [object] = list.objects.as_slice() else {
        panic!("one, not {list:?}")
    };
    assert_eq!(
        (object.upload, object.public, object.public_until),
        (Some(staged.id), Some(true), None)
    );
    storage.app.remove_staging(&storage.connection, &key, None).await?;
    assert_eq!(storage.keys().await?, [""; 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_fails_leaves_its_object_private() -> Outcome {
    let computer = Computer::new()?;
    let app = computer.app()?;
    slow(&app)?;
    let begun = app.uploads().start(&request(computer.image("server.raw")?)).await?;
    until(&app, begun.id, |upload| upload.acknowledged > 0).await?;
    // The practice cloud's disk loses a part of it: so the image cannot be made.
    let folder = computer.folder.path().join("data/practice-cloud/blobs");
    let mut files = Vec::new();
    for file in std::fs::read_dir(&folder)? {
        let file = file?;
        files.push((file.metadata()?.modified()?, file.path()));
    }
    // The oldest is no longer being written.
    let (_, part) = files.into_iter().min().ok_or("a part")?;
    std::fs::remove_file(part)?;
    limit(&app, None)?;
    let failed = until(&app, begun.id, ended).await?;
    assert_eq!(
        failed.failure.map(|failure| failure.code).as_deref(),
        Some("image_import_failed")
    );
    assert_eq!(failed.published, None);
    let list = app.staging().await?;
    let [object] = list.objects.as_slice() else {
        panic!("one, not {list:?}")
    };
    assert_eq!((object.connection.as_str(), object.public), (PRACTICE, Some(false)));
    app.uploads().cancel(begun.id).await?;
    assert_eq!(app.staging().await?.objects, []);
    assert_eq!(app.images(PRACTICE).await?.images, []);
    Ok(())
}
