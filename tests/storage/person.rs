//! What a person types at `lotse`, and what they see of it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use lotse_tests::{
    Result,
    home::{Home, Said},
    provided::fixture,
    servers::{Access, Server},
};
use rusty_s3::S3Action as _;
use serde_json::Value;
use url::Url;

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
    let keys = [
        format!("--access-key={}", access.access_key),
        format!("--secret-key={}", access.secret_key),
    ];
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
    add_as("ccloud³", home, access, more, typed)
}

/// The same under another name.
pub(crate) fn add_as(name: &str, home: &Home, access: &Access, more: &[&str], typed: &str) -> Result<Said> {
    let mut words = vec!["connection", "add", name];
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

/// The import URL of the one upload that is staged.
pub(crate) fn staged(home: &Home) -> Result<Url> {
    let told = home.run(&["handover", "--json"])?.well()?.json()?;
    let [one] = told.as_array().map(Vec::as_slice).unwrap_or_default() else {
        return Err(format!("not one: {told}").into());
    };
    Ok(one["url"].as_str().ok_or("no address")?.parse()?)
}

/// The percentage in a line of progress.
pub(crate) fn percent(line: &str) -> Option<u32> {
    line.split(" %").next()?.rsplit(' ').next()?.parse().ok()
}

/// What a customer keeps in the bucket beside staging objects, and how it was before.
pub(crate) struct Inventory {
    bucket: String,
    listed: String,
}

impl Inventory {
    /// Puts some things there.
    pub(crate) async fn put(server: &Server, access: &Access) -> Result<Inventory> {
        let (bucket, keys) = access.by_hand()?;
        let http = lotse_cloud::http_client()?;
        for key in [
            "Urlaub/Büro.qcow2",
            "imagelotse",
            "imagelotse.txt",
            "imagelotses/notes.txt",
            "zz",
        ] {
            let url = bucket.put_object(Some(&keys), key).sign(Duration::from_mins(5));
            http.put(url).body(key).send().await?.error_for_status()?;
        }
        let bucket = access.bucket.clone();
        let listed = everything(server, &bucket)?;
        Ok(Inventory { bucket, listed })
    }

    /// That they are as they were, and that nothing else is there: no object, no part of an open upload.
    pub(crate) fn assert_alone(&self, server: &Server) -> Result {
        assert_eq!(everything(server, &self.bucket)?, self.listed);
        Ok(())
    }
}

/// All entries of a bucket's index as the server's own tool lists them: objects with their marks and times, and parts of open uploads.
fn everything(server: &Server, bucket: &str) -> Result<String> {
    server.admin(&["bucket", "list", "--max-entries=10000", &format!("--bucket={bucket}")])
}

/// Keys of the objects under the program's prefix, as the server lists them.
pub(crate) async fn keys_of(access: &Access) -> Result<Vec<String>> {
    let (bucket, keys) = access.by_hand()?;
    let mut action = bucket.list_objects_v2(Some(&keys));
    // Version 1, which all services have (rusty-s3 has the second one only).
    action.query_mut().remove("list-type");
    action.query_mut().remove("encoding-type");
    action.query_mut().insert("prefix", "imagelotse/");
    let url = action.sign(Duration::from_mins(5));
    let answer = lotse_cloud::http_client()?.get(url).send().await?.error_for_status()?;
    let listed = answer.text().await?;
    Ok(listed
        .split("<Key>")
        .skip(1)
        .filter_map(|rest| rest.split("</Key>").next())
        .map(str::to_owned)
        .collect())
}
