//! A process that uses the system's keychain as the programs do; the tests of `keychain` give it sessions of many kinds.
//! Reads lines such as `works`, `has ACCOUNT`, `read ACCOUNT`, `write ACCOUNT SECRET`, `remove ACCOUNT`, and answers each with one.

use std::io;

use lotse_app::{Error, Keychain, Secret, SystemKeychain};

#[tokio::main]
async fn main() {
    for line in io::stdin().lines().map_while(Result::ok) {
        // From a thread of tokio's, as in the programs: the bus must need no runtime of its own, and block none.
        let answered = tokio::task::spawn_blocking(move || answer(&line.split(' ').collect::<Vec<_>>()));
        match answered.await {
            Ok(Ok(answer)) => println!("{answer}"),
            Ok(Err(error)) => println!("{error}"),
            Err(broken) => println!("broken off: {broken}"),
        }
    }
}

fn answer(words: &[&str]) -> Result<String, Error> {
    let done = || "done".to_owned();
    match words {
        ["works"] => SystemKeychain.works().map(|()| done()),
        ["has", account] => SystemKeychain.has(account).map(|has| has.to_string()),
        ["read", account] => {
            let secret = SystemKeychain.read(account)?;
            Ok(secret.map_or_else(|| "nothing".to_owned(), |secret| secret.expose().to_owned()))
        }
        ["write", account, secret] => SystemKeychain.write(account, &Secret::new(*secret)).map(|()| done()),
        ["remove", account] => SystemKeychain.remove(account).map(|()| done()),
        _ => Ok(format!("not understood: {words:?}")),
    }
}
