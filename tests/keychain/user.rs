//! A process that uses the system's keychain as the programs do; the tests of `keychain` give it sessions of many kinds.
//! Reads lines such as `works`, `has ACCOUNT`, `read ACCOUNT`, `write ACCOUNT SECRET`, `remove ACCOUNT`, and answers each with one.

use std::{io, sync::Arc};

use lotse_app::{Error, Keychain, Secret, SystemKeychain};

#[tokio::main]
async fn main() {
    let keychain = Arc::new(SystemKeychain::default());
    for line in io::stdin().lines().map_while(Result::ok) {
        // From a thread of tokio's, as in the programs: the bus must need no runtime of its own, and block none.
        let keychain = Arc::clone(&keychain);
        let answered = tokio::task::spawn_blocking(move || answer(&*keychain, &line.split(' ').collect::<Vec<_>>()));
        match answered.await {
            Ok(Ok(answer)) => println!("{answer}"),
            Ok(Err(error)) => println!("{error}"),
            Err(broken) => println!("broken off: {broken}"),
        }
    }
}

fn answer(keychain: &dyn Keychain, words: &[&str]) -> Result<String, Error> {
    let done = || "done".to_owned();
    match words {
        ["works"] => keychain.works().map(|()| done()),
        ["has", account] => keychain.has(account).map(|has| has.to_string()),
        ["read", account] => {
            let secret = keychain.read(account)?;
            Ok(secret.map_or_else(|| "nothing".to_owned(), |secret| secret.expose().to_owned()))
        }
        ["write", account, secret] => keychain.write(account, &Secret::new(*secret)).map(|()| done()),
        ["remove", account] => keychain.remove(account).map(|()| done()),
        _ => Ok(format!("not understood: {words:?}")),
    }
}
