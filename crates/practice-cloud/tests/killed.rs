//! What a client was told survives `kill -9` of the server, and what was half done goes.

#![expect(clippy::unwrap_used, reason = "a test's own steps")]

mod common;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use common::{SIGNED, bytes, client, start, tag};
use lotse_practice_cloud::PracticeCloud;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};

/// Names the folder to serve, in the process that is to be killed.
const FOLDER: &str = "LOTSE_TEST_PRACTICE_FOLDER";

/// No test by itself: the test below runs this program again with just this, to have a server that it can kill.
#[tokio::test]
async fn serve_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let server = PracticeCloud::start(Path::new(&folder)).await.unwrap();
    let access = server.access();
    println!(
        "serving {} {} {}",
        access.s3_endpoint, access.access_key, access.secret_key
    );
    std::future::pending::<()>().await;
}

fn serve(folder: &Path) -> (Child, Bucket, Credentials) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "serve_until_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines
        .map_while(Result::ok)
        .find(|line| line.contains("serving "))
        .unwrap();
    let words: Vec<_> = line.split("serving ").nth(1).unwrap().split(' ').collect();
    let bucket = Bucket::new(words[0].parse().unwrap(), UrlStyle::Path, "staging", "practice").unwrap();
    (child, bucket, Credentials::new(words[1], words[2]))
}

#[tokio::test]
async fn acknowledged_parts_survive_and_half_written_ones_go() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, bucket, keys) = serve(folder.path());
    let running = start(folder.path()).await;
    let upload = running.begin("key", false).await;
    for number in 1..=3_u16 {
        let url = bucket.upload_part(Some(&keys), "key", number, &upload).sign(SIGNED);
        let answer = client()
            .put(url)
            .body(bytes(u64::from(number), 100_000))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
    }
    // A part that never ends keeps a half-written file in the folder until the kill.
    let endless = futures::stream::unfold((), |()| async {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        Some((Ok::<_, std::io::Error>(vec![0_u8; 1000]), ()))
    });
    let url = bucket.upload_part(Some(&keys), "key", 4, &upload).sign(SIGNED);
    let request = client()
        .put(url)
        .header("Content-Length", "1000000000")
        .body(reqwest::Body::wrap_stream(endless));
    let sending = tokio::spawn(request.send());
    let half = || std::fs::read_dir(folder.path().join("incoming")).unwrap().count();
    for _ in 0..500 {
        if half() > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(half(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(sending.await.unwrap().is_err());
    let listed = running.list_parts("key", &upload).await.text().await.unwrap();
    assert_eq!(
        tag(&listed, "PartNumber"),
        ["1", "2", "3"],
        "the server that lives on sees what the killed one acknowledged"
    );
    drop(running);

    let next = start(folder.path()).await;
    let listed = next.list_parts("key", &upload).await.text().await.unwrap();
    assert_eq!(
        (tag(&listed, "PartNumber"), tag(&listed, "Size")),
        (vec!["1", "2", "3"], vec!["100000"; 3])
    );
    assert_eq!(half(), 0, "the killed server's half part is removed at the next start");
    let etag = next.part_etag("key", &upload, 4, b"end".to_vec()).await;
    assert_eq!(next.complete("key", &upload, &[(4, &etag)]).await.status(), 200);
}
