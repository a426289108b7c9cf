//! One suite for real S3 servers and the practice cloud: it accepts and refuses what they do, and where they differ among themselves, that
//! is written down here. First by requests made by hand, then by the program's own client.

#![cfg(target_os = "linux")]

mod access;
mod asking;
mod buckets;
mod changes;
mod client;
mod listing;
mod public;
mod uploads;

use lotse_tests::{
    Result,
    servers::{Kind, Server, Settings},
};

use asking::{Asking, Question};

const QUESTIONS: [&[Question]; 6] = [
    buckets::QUESTIONS,
    uploads::QUESTIONS,
    listing::QUESTIONS,
    access::QUESTIONS,
    public::QUESTIONS,
    client::QUESTIONS,
];

/// Asks everything and names all answers that are not the expected ones. One server for all, since starting one is what takes time.
async fn all(kind: Kind) -> Result {
    let settings = Settings {
        named: true,
        ..Settings::default()
    };
    let mut server = Server::start(kind, settings).await?;
    questions(&server).await?;
    changes::other_clock(&server).await?;
    changes::other_key(&mut server).await
}

async fn questions(server: &Server) -> Result {
    let kind = server.kind();
    let asking = Asking::new(server)?;
    let mut wrong = Vec::new();
    for question in QUESTIONS.into_iter().flatten() {
        let said = (question.ask)(&asking)
            .await
            .unwrap_or_else(|error| format!("no answer: {error}"));
        let own = question.otherwise.iter().find(|(other, _)| *other == kind);
        let wanted = own.map_or(question.answer, |(_, answer)| answer);
        if said != wanted {
            wrong.push(format!("{}\n  expected {wanted}\n  answered {said}", question.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} answers otherwise:\n{}\n{}",
        kind.name(),
        wrong.join("\n"),
        server.logs()
    );
    Ok(())
}

#[tokio::test]
async fn swift_answers_as_expected() -> Result {
    all(Kind::Swift).await
}

#[tokio::test]
async fn radosgw_answers_as_expected() -> Result {
    all(Kind::Radosgw).await
}

#[tokio::test]
async fn the_practice_cloud_answers_as_the_real_ones() -> Result {
    all(Kind::Practice).await
}
