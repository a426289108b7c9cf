//! `s3-server swift|radosgw|practice [--min-part BYTES] [--memory-gib N] [--tls true]`: starts a real S3 server on loopback, prints where it is as one line
//! of JSON, and ends it when standard input is closed.

#[cfg(target_os = "linux")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> lotse_tests::Result {
    use std::io::Read as _;

    use lotse_tests::servers::{Kind, Server, Settings};

    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    let kind =
        kind.ok_or("usage: s3-server swift|radosgw|practice [--min-part BYTES] [--memory-gib N] [--tls true]")?;
    let mut settings = Settings::default();
    while let (Some(option), Some(value)) = (words.next(), words.next()) {
        match option.as_str() {
            "--min-part" => settings.min_part = value.parse()?,
            "--memory-gib" => settings.memory_gib = value.parse()?,
            "--tls" => settings.tls = value.parse()?,
            other => return Err(format!("`{other}` is not known").into()),
        }
    }
    let server = Server::start(kind, settings).await?;
    println!("{}", serde_json::to_string(&server.access)?);
    if let Some(secure) = &server.secure {
        println!("{}", serde_json::to_string(secure)?);
    }
    // The server itself may run in this process, so that nothing here may block.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the servers are Debian's");
}
