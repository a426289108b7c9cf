//! Pausing, the queue's order, and what holds for all uploads.

use std::{fs, path::PathBuf};

use lotse_app::{Error, Hours, Settings, Upload, UploadState};
use lotse_transfer::{JobId, JobState};

use crate::computer::{Computer, Outcome, SIZE, ended, interrupted, limit, request, slow, until};

fn is(state: JobState) -> impl Fn(&Upload) -> bool {
    move |upload| upload.state == UploadState::Job(state)
}

#[test]
fn a_paused_upload_rests_until_somebody_resumes_it() -> Outcome {
    let computer = Computer::new()?;
    let path = computer.image("server.raw")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (id, acknowledged) = runtime.block_on(async {
        let app = computer.app()?;
        slow(&app)?;
        let begun = app.uploads().start(&request(path)).await?;
        until(&app, begun.id, |upload| upload.acknowledged > 0).await?;
        let paused = app.uploads().pause(begun.id).await?;
        assert_eq!(paused.state, UploadState::Job(JobState::Paused));
        assert!(paused.acknowledged > 0, "what has arrived stays");
        assert_eq!(app.uploads().pause(begun.id).await?, paused, "twice is no error");
        Ok::<_, Error>((begun.id, paused.acknowledged))
    })?;
    runtime.shutdown_timeout(std::time::Duration::from_secs(10));

    tokio::runtime::Runtime::new()?.block_on(async {
        let app = computer.app()?;
        assert_eq!(
            app.uploads().resume_interrupted().await?,
            [],
            "a person paused it: only a person wakes it, whatever was restarted meanwhile"
        );
        limit(&app, None)?;
        assert_eq!(app.uploads().get(id)?.acknowledged, acknowledged);
        let resumed = app.uploads().resume_all().await?;
        assert_eq!(resumed.len(), 1);
        let done = until(&app, id, ended).await?;
        assert_eq!(done.state, UploadState::Job(JobState::Done), "{:?}", done.failure);
        assert_eq!(app.uploads().pause(id).await.unwrap_err().code, "upload_final");
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn they_run_in_the_order_that_was_chosen() -> Outcome {
    let computer = Computer::new()?;
    let app = computer.app()?;
    slow(&app)?;
    let mut ids: Vec<JobId> = Vec::new();
    for name in ["eins.raw", "zwei.raw", "drei.raw"] {
        ids.push(app.uploads().start(&request(computer.image(name)?)).await?.id);
    }
    let [first, second, third] = ids[..] else {
        panic!("three uploads")
    };
    until(&app, first, |upload| upload.acknowledged > 0).await?;
    app.uploads().move_before(third, Some(second))?;
    let listed: Vec<JobId> = app.uploads().list()?.iter().map(|upload| upload.id).collect();
    assert_eq!(
        listed,
        [first, third, second],
        "the list shows the order in which they run"
    );
    limit(&app, None)?;
    until(&app, first, ended).await?;
    until(&app, third, ended).await?;
    let last = app.uploads().get(second)?;
    assert!(!ended(&last) || last.created > app.uploads().get(first)?.created);
    assert_eq!(
        until(&app, second, ended).await?.state,
        UploadState::Job(JobState::Done)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_run_at_once_as_were_chosen() -> Outcome {
    let computer = Computer::new()?;
    let app = computer.app()?;
    slow(&app)?;
    let first = app.uploads().start(&request(computer.image("eins.raw")?)).await?.id;
    let second = app.uploads().start(&request(computer.image("zwei.raw")?)).await?.id;
    until(&app, first, is(JobState::Uploading)).await?;
    assert_eq!(app.uploads().get(second)?.state, UploadState::Job(JobState::Queued));
    app.uploads().set_settings(&Settings {
        at_once: 2,
        ..app.uploads().settings()
    })?;
    until(&app, second, is(JobState::Uploading)).await?;
    assert_eq!(
        app.uploads().get(first)?.state,
        UploadState::Job(JobState::Uploading),
        "and the other one goes on beside it"
    );
    assert_eq!(app.uploads().pause_all().await?, 2);
    assert_eq!(
        app.uploads().cancel_all().await?,
        2,
        "what is paused can be taken back, too"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_the_hours_an_upload_waits_and_says_until_when() -> Outcome {
    let computer = Computer::new()?;
    let app = computer.app()?;
    slow(&app)?;
    let now = jiff::Zoned::now();
    let hours = |from: i64, until: i64| {
        let time = |hour: i64| jiff::civil::Time::midnight().wrapping_add(jiff::Span::new().hours(hour));
        Hours::new(time(from), time(until))
    };
    let this_hour = i64::from(now.hour());
    let closed = Settings {
        hours: Some(hours(this_hour + 2, this_hour + 3)?),
        ..app.uploads().settings()
    };
    let begun = app.uploads().start(&request(computer.image("server.raw")?)).await?;
    until(&app, begun.id, |upload| upload.acknowledged > 0).await?;
    app.uploads().set_settings(&closed)?;
    let waiting = until(&app, begun.id, is(JobState::Queued)).await?;
    let starts_at = waiting.starts_at.expect("it waits for its hours");
    assert!(starts_at > now.timestamp(), "{starts_at}");
    app.uploads().set_settings(&Settings {
        hours: None,
        bytes_per_second: None,
        ..closed
    })?;
    let done = until(&app, begun.id, ended).await?;
    assert_eq!(done.state, UploadState::Job(JobState::Done), "{:?}", done.failure);
    Ok(())
}

#[test]
fn a_changed_file_is_sent_anew_when_somebody_says_so() -> Outcome {
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
            failed.failure.map(|failure| failure.code).as_deref(),
            Some("source_changed")
        );
        let anew = app.uploads().start_anew(id).await?;
        assert_eq!((anew.total, anew.failure), (SIZE as u64 - 512, None));
        let done = until(&app, id, ended).await?;
        assert_eq!(done.state, UploadState::Job(JobState::Done), "{:?}", done.failure);
        assert_eq!(app.images(lotse_app::PRACTICE).await?.total_size, SIZE as u64 - 512);
        Ok(())
    })
}

#[test]
fn a_file_that_was_moved_is_found_again_and_no_other_is_taken_for_it() -> Outcome {
    let computer = Computer::new()?;
    let path = computer.image("server.raw")?;
    let id = interrupted(&computer, path.clone(), |upload| upload.acknowledged > 0)?;
    let moved: PathBuf = computer.folder.path().join("umgezogen.raw");
    fs::rename(&path, &moved)?;
    let other = computer.image("andere.raw")?;
    fs::File::options()
        .append(true)
        .open(&other)?
        .set_len(SIZE as u64 + 512)?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let app = computer.app()?;
        app.uploads().resume(id).await?;
        let failed = until(&app, id, ended).await?;
        assert_eq!(
            failed.failure.map(|failure| failure.code).as_deref(),
            Some("source_not_found")
        );
        assert_eq!(
            app.uploads().relocate(id, &other).await.unwrap_err().code,
            "source_changed"
        );
        app.uploads().relocate(id, &moved).await?;
        let done = until(&app, id, ended).await?;
        assert_eq!(done.state, UploadState::Job(JobState::Done), "{:?}", done.failure);
        assert_eq!(done.acknowledged, SIZE as u64);
        Ok(())
    })
}
