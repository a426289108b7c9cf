//! What a person types at `lotse`, and what they see of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lotse_tests::{
    Result,
    home::{Home, Said},
    provided::fixture,
    servers::{Access, Server},
};
use serde_json::Value;

/// Puts a test image under a name of the person's own into their home, without copying it.
pub(crate) fn own_file(home: &Home, image: &str, name: &str) -> Result<PathBuf> {
    let path = home.path().join(name);
    let original = fixture(image)?;
    if fs::hard_link(&original, &path).is_err() {
        fs::copy(&original, &path)?;
    }
    Ok(path)
}

/// What centron gives a customer: an account of their own on the server, with a secret key of the letters that real ones have, and a bucket.
pub(crate) async fn customer(server: &Server, name: &str) -> Result<Access> {
    let access = Access {
        bucket: format!("images-{name}"),
        access_key: format!("KEY{}", name.to_uppercase()),
        // `+`, `/` and `=` are what an escape would show.
        secret_key: format!("pRf/9+Geheim=Kpx3/{name}+wJalrXUtnFEMI"),
        ..server.access.clone()
    };
    let uid = format!("--uid={name}");
    let keys = [format!("--access-key={}", access.access_key), format!("--secret-key={}", access.secret_key)];
    server.admin(&["user", "create", &uid, "--display-name=Petra", &keys[0], &keys[1]])?;
    access.make_bucket().await?;
    Ok(access)
}

/// For a word of a call.
pub(crate) fn word(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| "the path is not UTF-8".into())
}

/// `lotse connection add` with what a person has from centron, and more words.
pub(crate) fn add(home: &Home, access: &Access, more: &[&str], typed: &str) -> Result<Said> {
    let mut words = vec!["connection", "add", "ccloud³"];
    words.extend(["--endpoint", access.endpoint.as_str()]);
    words.extend(["--region", &access.region, "--bucket", &access.bucket]);
    words.extend(["--access-key", &access.access_key]);
    words.extend(more);
    home.typed(&words, typed)
}

/// A step of the connection's test: what was tried, how it went, and the error's code.
pub(crate) type Step = (String, String, Option<String>);

/// The steps of `lotse connection test --json`.
pub(crate) fn steps(told: &Value) -> Result<Vec<Step>> {
    let steps = told["steps"].as_array().or(told.as_array()).ok_or("no steps")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    steps
        .iter()
        .map(|step| {
            let kind = text(&step["kind"]).ok_or("no kind")?;
            let result = text(&step["outcome"]["result"]).ok_or("no result")?;
            Ok((kind, result, text(&step["outcome"]["error"]["code"])))
        })
        .collect()
}
