//! What the journal promises: it survives, it allows only what is allowed, one process works on a job at a time.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use super::*;
use crate::job::SourceIdentity;

fn new_job(path: PathBuf) -> NewJob {
    NewJob {
        source: SourceIdentity {
            path,
            size: 1 << 40,
            modified_ns: -5,
            file_id: Some("17".to_owned()),
        },
        connection: "practice".to_owned(),
        key: "staging/a.raw".to_owned(),
        part_size: 8 << 20,
        details: r#"{"name":"Büro"}"#.to_owned(),
    }
}

fn now() -> jiff::Timestamp {
    "2026-11-22T03:00:00.5Z".parse().unwrap()
}

fn open() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("a/journal")).unwrap();
    (folder, journal)
}

fn receipt(number: u32, size: u64) -> PartReceipt {
    PartReceipt {
        number,
        size,
        etag: format!("etag-{number}"),
    }
}

#[test]
fn everything_written_down_is_there_after_opening_again() {
    let (folder, journal) = open();
    let first = journal.add(&new_job("/images/ä b.raw".into()), now()).unwrap();
    let second = journal.add(&new_job("/images/c.raw".into()), now()).unwrap();
    journal.set_opening(first.id).unwrap();
    assert!(journal.job(first.id).unwrap().unwrap().opening);
    journal.set_upload(first.id, "u1").unwrap();
    journal.record_part(first.id, &receipt(2, 20), [2; 16]).unwrap();
    journal.record_part(first.id, &receipt(1, 10), [1; 16]).unwrap();
    journal.record_part(first.id, &receipt(1, 11), [3; 16]).unwrap();
    journal.set_sha512(first.id, "abc").unwrap();
    journal.set_image(first.id, "image").unwrap();
    journal.set_published(first.id, Some(now())).unwrap();
    let failure = JobFailure {
        code: "s3_busy".into(),
        params: [("status".into(), "503".into())].into(),
        retryable: true,
    };
    journal.fail(first.id, &failure).unwrap();
    drop(journal);

    let journal = Journal::open(&folder.path().join("a/journal")).unwrap();
    let job = journal.job(first.id).unwrap().unwrap();
    let expected = Job {
        state: JobState::Failed,
        upload_id: Some("u1".to_owned()),
        published: Some(now()),
        image_id: Some("image".to_owned()),
        sha512: Some("abc".to_owned()),
        acknowledged: 31,
        failure: Some(failure),
        ..first.clone()
    };
    assert_eq!(job, expected);
    assert_eq!((job.source.modified_ns, job.created), (-5, now()));
    assert_eq!(
        journal.jobs().unwrap().iter().map(|job| job.id).collect::<Vec<_>>(),
        [second.id, first.id]
    );
    let parts = journal.parts(first.id).unwrap();
    assert_eq!(
        parts
            .iter()
            .map(|part| (part.receipt.number, part.md5))
            .collect::<Vec<_>>(),
        [(1, [3; 16]), (2, [2; 16])]
    );

    let resumed = journal.advance(first.id, JobState::Checking).unwrap();
    assert_eq!(resumed.failure, None, "a failure is over when the job goes on");
    journal.discard_parts(first.id, &[2, 9]).unwrap();
    assert_eq!(journal.job(first.id).unwrap().unwrap().acknowledged, 11);
    journal.forget_parts(first.id).unwrap();
    let job = journal.job(first.id).unwrap().unwrap();
    assert_eq!((job.upload_id, job.sha512, job.acknowledged), (None, None, 0));
    journal.set_published(first.id, None).unwrap();
    assert_eq!(journal.job(first.id).unwrap().unwrap().published, None);
}

#[test]
fn only_allowed_transitions_are_written() {
    let (_folder, journal) = open();
    for from in JobState::ALL {
        for to in JobState::ALL {
            let job = journal.add(&new_job("/a".into()), now()).unwrap();
            let connection = journal.connection();
            let sql = "UPDATE jobs SET state = ?2 WHERE id = ?1";
            connection.execute(sql, [&job.id.0.to_string(), from.name()]).unwrap();
            drop(connection);
            let result = journal.advance(job.id, to);
            assert_eq!(result.is_ok(), from.may_become(to), "{from:?} -> {to:?}");
            let state = journal.job(job.id).unwrap().unwrap().state;
            assert_eq!(state, if from.may_become(to) { to } else { from });
            if let Err(error) = result {
                assert_eq!((error.code, error.params["to"].as_str()), ("job_transition", to.name()));
            }
        }
    }
}

#[test]
fn the_queue_keeps_the_order_it_was_given() {
    let (_folder, journal) = open();
    let names = ["a", "b", "c", "d"];
    let ids = names.map(|name| journal.add(&new_job(name.into()), now()).unwrap().id);
    let order = || {
        let mut jobs = journal.jobs().unwrap();
        jobs.sort_by_key(|job| job.position);
        jobs.iter()
            .map(|job| job.source.path.display().to_string())
            .collect::<String>()
    };
    assert_eq!(order(), "abcd", "as they were written down");
    journal.move_before(ids[3], Some(ids[1])).unwrap();
    assert_eq!(order(), "adbc");
    journal.move_before(ids[0], None).unwrap();
    journal.move_before(ids[1], Some(ids[1])).unwrap();
    assert_eq!(order(), "dbca");
    journal.add(&new_job("e".into()), now()).unwrap();
    assert_eq!(order(), "dbcae", "what is new comes last");
    let unknown = JobId(Uuid::nil());
    assert_eq!(
        journal.move_before(ids[0], Some(unknown)).unwrap_err().code,
        "job_unknown"
    );
    assert_eq!(journal.move_before(unknown, None).unwrap_err().code, "job_unknown");
    assert_eq!(order(), "dbcae");
}

#[test]
fn only_what_is_over_can_be_removed_and_the_unknown_is_told() {
    let (_folder, journal) = open();
    let job = journal.add(&new_job("/a".into()), now()).unwrap();
    journal.record_part(job.id, &receipt(1, 10), [1; 16]).unwrap();
    assert_eq!(journal.remove(job.id).unwrap_err().code, "job_not_final");
    drop(journal.claim(job.id).unwrap().unwrap());
    journal.advance(job.id, JobState::Cancelled).unwrap();
    journal.remove(job.id).unwrap();
    assert_eq!(journal.job(job.id).unwrap(), None);
    assert_eq!(journal.parts(job.id).unwrap(), []);
    assert_eq!(journal.remove(job.id).unwrap_err().code, "job_unknown");
    assert_eq!(journal.set_upload(job.id, "u").unwrap_err().code, "job_unknown");
    assert_eq!(
        journal.record_part(job.id, &receipt(1, 1), [0; 16]).unwrap_err().code,
        "job_unknown"
    );
    assert_eq!(journal.claim(job.id).unwrap_err().code, "job_unknown");
    assert!(!claim::lock_path(&journal.folder, job.id).exists());
}

#[cfg(unix)]
#[test]
fn it_is_readable_for_its_user_only_and_takes_any_path() {
    use std::os::unix::{ffi::OsStringExt, fs::PermissionsExt};
    let (_folder, journal) = open();
    let odd = PathBuf::from(std::ffi::OsString::from_vec(b"/images/\xff\xfe.raw".to_vec()));
    let job = journal.add(&new_job(odd.clone()), now()).unwrap();
    assert_eq!(journal.job(job.id).unwrap().unwrap().source.path, odd);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&journal.folder), 0o700);
    for file in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        assert_eq!(mode(&journal.folder.join(file)), 0o600, "{file}");
    }
}

#[test]
fn unusable_folders_and_files_have_their_own_codes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    assert_eq!(Journal::open(&file).unwrap_err().code, "journal_unavailable");
    std::fs::write(folder.path().join("journal.sqlite"), vec![0x55; 9000]).unwrap();
    assert_eq!(Journal::open(folder.path()).unwrap_err().code, "journal_corrupt");
}

#[test]
fn clones_in_many_threads_and_a_second_opening_write_side_by_side() {
    let (_folder, journal) = open();
    let job = journal.add(&new_job("/a".into()), now()).unwrap();
    let second = Journal::open(&journal.folder).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let journal = if thread % 2 == 0 {
                journal.clone()
            } else {
                second.clone()
            };
            scope.spawn(move || {
                for number in 0..10 {
                    journal
                        .record_part(job.id, &receipt(thread * 10 + number + 1, 1), [0; 16])
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(journal.job(job.id).unwrap().unwrap().acknowledged, 40);
}

/// Run by the next test in a process of its own; does nothing otherwise.
#[test]
fn child_that_holds_a_claim() {
    let Some(folder) = std::env::var_os("LOTSE_TEST_CLAIM") else {
        return;
    };
    let journal = Journal::open(Path::new(&folder)).unwrap();
    let job = journal.jobs().unwrap().remove(0);
    let _claim = journal.claim(job.id).unwrap().expect("free");
    println!("\nheld");
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn one_works_on_a_job_at_a_time_and_a_killed_process_lets_go() {
    let (_folder, journal) = open();
    let job = journal.add(&new_job("/a".into()), now()).unwrap();
    let claim = journal.claim(job.id).unwrap().unwrap();
    assert!(journal.claim(job.id).unwrap().is_none(), "not even this process twice");
    drop(claim);

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "journal::tests::child_that_holds_a_claim", "--nocapture"])
        .env("LOTSE_TEST_CLAIM", &journal.folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "held"), "the child has the claim");
    assert!(journal.claim(job.id).unwrap().is_none(), "another process works on it");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        journal.claim(job.id).unwrap().is_some(),
        "the system released it with the process"
    );
}
