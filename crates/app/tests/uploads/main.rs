//! The use cases over the real journal and the practice cloud: what window and command line both rely on.

mod computer;
mod line;
mod mail;
mod queue;
mod staged;
mod staging_list;
mod storage;

use std::fs;

use lotse_app::{Distribution, ImageDetails, PRACTICE, UploadRequest, UploadState};
use lotse_transfer::JobState;

use computer::{Computer, Outcome, SIZE, ended, interrupted, request, slow, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_becomes_an_image_with_all_that_was_said_about_it() -> Outcome {
    let computer = Computer::new()?;
    let app = computer.app()?;
    let begun = app.uploads().start(&request(computer.image("server.raw")?)).await?;
    let done = until(&app, begun.id, ended).await?;
    assert_eq!(done.state, UploadState::Job(JobState::Done), "{:?}", done.failure);
    assert_eq!((done.acknowledged, done.total), (SIZE as u64, SIZE as u64));

    let list = app.images(PRACTICE).await?;
    let [image] = list.images.as_slice() else {
        panic!("one image, not {list:?}")
    };
    assert_eq!(Some(&image.id), done.image_id.as_ref());
    assert_eq!(
        (image.name.as_str(), image.region.as_str()),
        ("Büro Server", "practice-south")
    );
    assert_eq!(
        (image.distribution, image.notes.as_str()),
        (Some(Distribution::Debian), "Aus dem Keller")
    );
    assert_eq!(image.tags, ["web"]);
    assert_eq!(list.total_size, SIZE as u64);
    // The image's bytes and the database: had the staging object stayed with copies of its own, it were twice as much.
    assert!(
        computer.stored()? < (SIZE as u64) + (4 << 20),
        "the staging object is gone"
    );
    app.uploads().forget(begun.id)?;
    assert_eq!(
        app.uploads().list()?,
        [],
        "what is forgotten leaves the list, not the cloud"
    );
    assert_eq!(app.images(PRACTICE).await?.images.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_before_anything_is_written_down() -> Outcome {
    let computer = Computer::new()?;
    let app = computer.app()?;
    let good = request(computer.image("server.raw")?);
    let text = computer.folder.path().join("notes.raw");
    fs::write(&text, "no disk")?;
    let cases: [(&str, UploadRequest); 5] = [
        (
            "region_unknown",
            UploadRequest {
                details: ImageDetails {
                    region: "mars".into(),
                    ..good.details.clone()
                },
                ..good.clone()
            },
        ),
        (
            "connection_unknown",
            UploadRequest {
                connection: "elsewhere".into(),
                ..good.clone()
            },
        ),
        (
            "details_name_empty",
            UploadRequest {
                details: ImageDetails {
                    name: " ".into(),
                    ..good.details.clone()
                },
                ..good.clone()
            },
        ),
        (
            "source_not_found",
            UploadRequest {
                path: computer.folder.path().join("gone.raw"),
                ..good.clone()
            },
        ),
        ("not_a_disk_image", UploadRequest { path: text, ..good }),
    ];
    for (code, request) in cases {
        assert_eq!(app.uploads().start(&request).await.unwrap_err().code, code);
    }
    assert_eq!(app.uploads().list()?, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_upload_leaves_nothing_behind() -> Outcome {
    let computer = Computer::new()?;
    let app = computer.app()?;
    slow(&app)?;
    let first = app.uploads().start(&request(computer.image("eins.raw")?)).await?;
    let second = app.uploads().start(&request(computer.image("zwei.raw")?)).await?;
    until(&app, first.id, |upload| upload.acknowledged > 0).await?;
    assert_eq!(
        app.uploads().get(second.id)?.state,
        UploadState::Job(JobState::Queued),
        "one at a time"
    );
    app.uploads().cancel_all().await?;
    for id in [first.id, second.id] {
        assert_eq!(app.uploads().get(id)?.state, UploadState::Job(JobState::Cancelled));
        assert_eq!(app.uploads().cancel(id).await.unwrap_err().code, "upload_final");
        assert_eq!(app.uploads().resume(id).await.unwrap_err().code, "upload_final");
    }
    assert_eq!(app.images(PRACTICE).await?.images, []);
    assert!(computer.is_swept().await?, "no part is left in the cloud");
    Ok(())
}

#[test]
fn an_interrupted_upload_is_found_and_resumed_by_the_next_process() -> Outcome {
    let computer = Computer::new()?;
    let path = computer.image("server.raw")?;
    let id = interrupted(&computer, path, |upload| upload.acknowledged > 0)?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let app = computer.app()?;
        let waiting = app.uploads().get(id)?;
        assert_eq!(waiting.state, UploadState::Interrupted);
        assert!(waiting.acknowledged > 0, "what had been acknowledged still counts");
        let resumed = app.uploads().resume_interrupted().await?;
        assert_eq!(resumed.iter().map(|upload| upload.id).collect::<Vec<_>>(), [id]);
        let done = until(&app, id, ended).await?;
        assert_eq!(done.state, UploadState::Job(JobState::Done), "{:?}", done.failure);
        assert_eq!(app.images(PRACTICE).await?.images.len(), 1);
        Ok(())
    })
}

#[test]
fn a_file_that_changed_meanwhile_is_refused_and_can_be_cancelled() -> Outcome {
    let computer = Computer::new()?;
    let path = computer.image("server.raw")?;
    let id = interrupted(&computer, path.clone(), |upload| upload.acknowledged > 0)?;
    fs::File::options()
        .write(true)
        .open(&path)?
        .set_len(SIZE as u64 - 512)?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let app = computer.app()?;
        app.uploads().resume(id).await?;
        let failed = until(&app, id, ended).await?;
        assert_eq!(
            failed.failure.map(|failure| failure.code),
            Some("source_changed".to_owned())
        );
        app.uploads().cancel(id).await?;
        assert!(
            computer.is_swept().await?,
            "the parts of the old file are gone from the cloud"
        );
        Ok(())
    })
}

#[test]
fn a_failed_upload_goes_on_once_its_cause_is_gone() -> Outcome {
    let computer = Computer::new()?;
    let path = computer.image("server.raw")?;
    let away = path.with_extension("away");
    let id = interrupted(&computer, path.clone(), |upload| upload.acknowledged > 0)?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let app = computer.app()?;
        fs::rename(&path, &away)?;
        app.uploads().resume(id).await?;
        let failed = until(&app, id, ended).await?;
        assert_eq!(
            failed.failure.map(|failure| failure.code),
            Some("source_not_found".to_owned())
        );
        fs::rename(&away, &path)?;
        let resumed = app.uploads().resume(id).await?;
        assert_ne!(
            resumed.state,
            UploadState::Job(JobState::Failed),
            "somebody works on it again"
        );
        assert_eq!(resumed.failure, None, "the old reason does not count any more");
        let done = until(&app, id, ended).await?;
        assert_eq!(done.state, UploadState::Job(JobState::Done), "{:?}", done.failure);
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_all_does_not_claim_to_have_stopped_somebody_elses_upload() -> Outcome {
    let computer = Computer::new()?;
    let (one, other) = (computer.app()?, computer.app()?);
    assert_eq!(other.uploads().cancel_all().await?, 0);
    slow(&one)?;
    let begun = one.uploads().start(&request(computer.image("server.raw")?)).await?;
    assert_eq!(
        other.uploads().cancel_all().await.unwrap_err().code,
        "upload_busy_elsewhere"
    );
    assert_eq!(one.uploads().cancel_all().await?, 1);
    assert_eq!(
        one.uploads().get(begun.id)?.state,
        UploadState::Job(JobState::Cancelled)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_never_work_on_the_same_upload() -> Outcome {
    let computer = Computer::new()?;
    let (one, other) = (computer.app()?, computer.app()?);
    let begun = one.uploads().start(&request(computer.image("server.raw")?)).await?;
    assert_eq!(
        other.uploads().resume(begun.id).await.unwrap_err().code,
        "upload_busy_elsewhere"
    );
    assert_eq!(
        other.uploads().cancel(begun.id).await.unwrap_err().code,
        "upload_busy_elsewhere"
    );
    assert_eq!(
        other.uploads().resume_interrupted().await?,
        [],
        "it is not interrupted, somebody works on it"
    );
    let done = until(&one, begun.id, ended).await?;
    assert_eq!(done.state, UploadState::Job(JobState::Done), "{:?}", done.failure);
    assert_eq!(
        other.uploads().get(begun.id)?.state,
        UploadState::Job(JobState::Done),
        "the journal tells every process"
    );
    Ok(())
}
