//! What changes while the program's client is at work: the clock, the key.

use std::time::Duration;

use bytes::Bytes;
use lotse_cloud::{S3, http_client};
use lotse_tests::{
    Result,
    faults::{Asked, Fault, Proxy, Rule},
    random::Random,
    sending::{Order, Patience, send},
    servers::{Access, Kind, Server},
};
use lotse_transfer::{CancellationToken, JobState, Target as _};

use crate::client::{code, put_part};

/// The smallest part but the last.
const PART: u64 = 5 << 20;

/// A service whose clock is an hour ahead refuses every address that is signed by ours; the client takes the service's. Radosgw's own clock
/// is another one; Swift has a proxy in front of it that answers so. The practice cloud runs in this program, with our clock.
pub(crate) async fn other_clock(server: &Server) -> Result {
    match server.kind() {
        Kind::Radosgw => {
            let ahead = server.ahead(1).await?;
            at_another_time(&ahead.access).await
        }
        Kind::Swift => {
            let proxy = Proxy::start(&server.access.endpoint)?;
            proxy.play(vec![Rule::always(Fault::ClockAhead(Duration::from_hours(1)))]);
            at_another_time(&server.access.by(proxy.url()?)).await
        }
        Kind::Practice => Ok(()),
    }
}

async fn at_another_time(access: &Access) -> Result {
    let ours = access.client()?;
    let reached = ours.reach().await?;
    let ahead = reached
        .date
        .ok_or("the service tells no time")?
        .duration_since(jiff::Timestamp::now());
    assert!(
        ahead > jiff::SignedDuration::from_mins(50),
        "the person is told by how much: {ahead:#}"
    );
    ours.put("clock.raw", Bytes::from_static(b"x")).await?;
    let upload = ours.begin("clock.raw").await?;
    let part = put_part(&ours, "clock.raw", &upload, 1, &Bytes::from_static(b"xy")).await?;
    ours.complete("clock.raw", &upload, &[part]).await?;
    assert_eq!(ours.stored("clock.raw").await?.map(|object| object.size), Some(2));
    assert_eq!(ours.objects("clock").await?.len(), 1);
    ours.delete("clock.raw").await?;
    Ok(())
}

/// The key is taken away in the middle of an upload. What was sent stays, and with another key the upload goes on.
pub(crate) async fn other_key(server: &mut Server) -> Result {
    let key = "imagelotse/0/Schlüssel.raw";
    let old = server.access.client()?;
    let upload = old.begin(key).await?;
    let first = put_part(&old, key, &upload, 1, &vec![1; usize::try_from(PART)?].into()).await?;
    let data = tempfile::tempdir()?;
    let file = data.path().join("image.raw");
    std::fs::write(&file, Random::new(3).bytes(usize::try_from(3 * PART)? + 123))?;
    let order = |server: &Server, endpoint| Order {
        journal: data.path().join("journal"),
        file: file.clone(),
        access: server.access.by(endpoint),
        key: "imagelotse/1/image.raw".to_owned(),
        part_size: Some(PART),
        workers: Some(1),
        patience: Some(Patience::default()),
    };
    let proxy = Proxy::start(&server.access.endpoint)?;
    // The third part waits until the key is gone.
    proxy.play(vec![Rule::first(Asked::Part, Fault::Hold).after(2)]);
    let before = order(server, proxy.url()?);
    let cancel = CancellationToken::new();
    let (outcome, replaced) = tokio::join!(send(&before, &cancel), async {
        proxy.held().await;
        let replaced = server.replace_key().await;
        proxy.release();
        if server.kind() == Kind::Practice {
            // It is somewhere else now: nobody answers there any more, and the engine would try until somebody does.
            cancel.cancel();
        }
        replaced
    });
    replaced?;
    let outcome = outcome?;

    let wanted = match server.kind() {
        Kind::Swift => "s3_signature",
        Kind::Radosgw | Kind::Practice => "s3_invalid_key",
    };
    if server.kind() != Kind::Practice {
        assert_eq!(outcome.code.as_deref(), Some(wanted), "{outcome:?}");
        assert_eq!(
            outcome.state,
            Some(JobState::WaitingForSignIn),
            "somebody has to sign in: {outcome:?}"
        );
    }
    let mut config = before.access.by(server.access.endpoint.clone()).config();
    let refused = S3::new(config.clone(), http_client()?)?;
    assert_eq!(code(&refused.parts(key, &upload).await), wanted);
    assert_eq!(code(&refused.buckets().await), wanted);

    config = server.access.config();
    let new = S3::new(config, http_client()?)?;
    assert_eq!(
        new.parts(key, &upload).await?,
        std::slice::from_ref(&first),
        "what was sent is still there"
    );
    let second = put_part(&new, key, &upload, 2, &Bytes::from_static(b"end")).await?;
    new.complete(key, &upload, &[first, second]).await?;
    assert_eq!(new.stored(key).await?.map(|object| object.size), Some(PART + 3));

    let again = send(
        &order(server, server.access.endpoint.clone()),
        &CancellationToken::new(),
    )
    .await?;
    assert_eq!((again.code, again.state), (None, Some(JobState::Done)));
    assert_eq!(again.acknowledged_before, 2 * PART, "nothing is sent twice");
    let stored = new.stored("imagelotse/1/image.raw").await?.ok_or("nothing is stored")?;
    assert_eq!(stored.size, 3 * PART + 123);
    Ok(())
}
