//! `sender ORDER`: one upload as the file ORDER says (JSON of `lotse_tests::sending::Order`), and what came of it on standard output, as JSON.
//! It is what the tests kill. Called again with the same order, it goes on.

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() -> lotse_tests::Result {
    use lotse_tests::sending::{Order, send};

    let path = std::env::args().nth(1).ok_or("usage: sender ORDER")?;
    let order: Order = serde_json::from_slice(&std::fs::read(path)?)?;
    let outcome = send(&order, &lotse_transfer::CancellationToken::new()).await?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the servers are Debian's");
}
