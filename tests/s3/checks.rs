//! What an uploader asks of an S3 server, one question each; the answer in a few words.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use lotse_cloud::{S3, Secret, http_client};
use lotse_tests::{Result, random::Random};
use lotse_transfer::{Target as _, TargetError};
use rusty_s3::{Credentials, S3Action as _};

use crate::asking::{Answer, Asking, SIGNED, md5_hex, tag};

/// The smallest part but the last.
const MIB5: usize = 5 << 20;
/// With everything that a name on a person's computer has.
const KEY: &str = "staging/Büro „neu“ & alt/ä b+c%20=#?~.raw";

fn bytes(seed: u64, size: usize) -> Vec<u8> {
    Random::new(seed).bytes(size)
}

/// Answers and what is to be told of them, in one line.
fn line<const N: usize>(answers: [&Answer; N]) -> String {
    answers.map(Answer::short).join(", ")
}

pub(crate) async fn whole_way(ask: &Asking<'_>) -> Result<String> {
    let (one, two, three) = (bytes(1, MIB5), bytes(2, MIB5 + 1), bytes(3, 77));
    let upload = ask.begin(KEY).await?;
    let third = ask.part(KEY, &upload, 3, &three).await?;
    let first = ask.part(KEY, &upload, 1, &one).await?;
    ask.part(KEY, &upload, 2, &bytes(9, 10)).await?;
    let second = ask.part(KEY, &upload, 2, &two).await?;
    let is_md5 = [(&first, &one), (&second, &two), (&third, &three)]
        .iter()
        .all(|(answer, data)| answer.etag == md5_hex(data));
    let listed = ask.list(KEY, &upload, None, None).await?.text();
    let numbers = tag(&listed, "PartNumber").join(" ");
    let sizes = tag(&listed, "Size").join(" ");
    let etags = tag(&listed, "ETag") == [first.etag.clone(), second.etag.clone(), third.etag.clone()];
    let before = ask.get(KEY).await?;
    let parts = [(1, first.etag.as_str()), (2, &second.etag), (3, &third.etag)];
    let completed = ask.complete(KEY, &upload, &parts).await?;
    let got = ask.get(KEY).await?;
    let whole = [one.as_slice(), &two, &three].concat();
    let digests: Vec<u8> = [&one, &two, &three]
        .into_iter()
        .flat_map(<md5::Md5 as md5::Digest>::digest)
        .collect();
    let expected = format!("{}-3", md5_hex(&digests));
    let head = ask.head(KEY).await?;
    Ok(format!(
        "MD5 as ETag {is_md5}; parts {numbers} of {sizes}, ETags {etags}; before: {}; completed: {}; same bytes {}; ETag of MD5s {}; HEAD tells the size {}",
        before.short(),
        completed.short(),
        got.body == whole,
        head.etag == expected,
        head.length == u64::try_from(whole.len()).ok(),
    ))
}

pub(crate) async fn complete_again(ask: &Asking<'_>) -> Result<String> {
    let upload = ask.begin("again").await?;
    let part = ask.part("again", &upload, 1, b"a").await?;
    let parts = [(1, part.etag.as_str())];
    let first = ask.complete("again", &upload, &parts).await?;
    let second = ask.complete("again", &upload, &parts).await?;
    let listed = ask.list("again", &upload, None, None).await?;
    let aborted = ask.abort("again", &upload).await?;
    let there = ask.get("again").await?;
    Ok(line([&first, &second, &listed, &aborted, &there]))
}

pub(crate) async fn complete_with_wrong_parts(ask: &Asking<'_>) -> Result<String> {
    let upload = ask.begin("wrong").await?;
    let one = ask.part("wrong", &upload, 1, &bytes(1, 1000)).await?;
    let two = ask.part("wrong", &upload, 2, &bytes(2, 1000)).await?;
    let zeros = "0".repeat(32);
    let wrong_etag = ask.complete("wrong", &upload, &[(1, &zeros)]).await?;
    let not_there = ask
        .complete("wrong", &upload, &[(1, &one.etag), (3, &two.etag)])
        .await?;
    let disordered = ask
        .complete("wrong", &upload, &[(2, &two.etag), (1, &one.etag)])
        .await?;
    let small = ask
        .complete("wrong", &upload, &[(1, &one.etag), (2, &two.etag)])
        .await?;
    let right = ask.complete("wrong", &upload, &[(2, &two.etag)]).await?;
    Ok(line([&wrong_etag, &not_there, &disordered, &small, &right]))
}

pub(crate) async fn pages_of_parts(ask: &Asking<'_>) -> Result<String> {
    let upload = ask.begin("pages").await?;
    for number in [1, 2, 5] {
        ask.part("pages", &upload, number, b"x").await?;
    }
    let told = |page: Answer| {
        let page = page.text();
        let numbers = tag(&page, "PartNumber").join(" ");
        format!("{numbers}, more: {}", tag(&page, "IsTruncated").join(" "))
    };
    let first = ask.list("pages", &upload, Some(2), None).await?;
    let next = tag(&first.text(), "NextPartNumberMarker").join(" ");
    let rest = ask.list("pages", &upload, None, Some(2)).await?;
    Ok(format!("{} from {next}; {}", told(first), told(rest)))
}

pub(crate) async fn uploads_of_a_bucket(ask: &Asking<'_>) -> Result<String> {
    let upload = ask.begin("uploads/a b").await?;
    // rusty-s3 has no such action; this one signs a GET on the bucket with whatever parameters it is given.
    let mut action = ask.bucket.list_objects_v2(Some(&ask.keys));
    action.query_mut().remove("list-type");
    action.query_mut().remove("encoding-type");
    action.query_mut().insert("uploads", "");
    action.query_mut().insert("prefix", "uploads/");
    let listed = ask.send(ask.http.get(action.sign(SIGNED))).await?;
    let found = tag(&listed.text(), "UploadId") == [upload.clone()];
    let keys = tag(&listed.text(), "Key").join(" ");
    ask.abort("uploads/a b", &upload).await?;
    Ok(format!("{}, found {found}, {keys}", listed.short()))
}

pub(crate) async fn aborted(ask: &Asking<'_>) -> Result<String> {
    let upload = ask.begin("gone").await?;
    ask.part("gone", &upload, 1, &bytes(1, 1000)).await?;
    let first = ask.abort("gone", &upload).await?;
    let second = ask.abort("gone", &upload).await?;
    let listed = ask.list("gone", &upload, None, None).await?;
    let late = ask.part("gone", &upload, 2, b"x").await?;
    let completed = ask.complete("gone", &upload, &[(1, &md5_hex(&bytes(1, 1000)))]).await?;
    let strange = ask.list("gone", "no-such-upload", None, None).await?;
    Ok(line([&first, &second, &listed, &late, &completed, &strange]))
}

pub(crate) async fn damaged_part(ask: &Asking<'_>) -> Result<String> {
    let upload = ask.begin("damaged").await?;
    let send = |md5: String| {
        let mut action = ask.bucket.upload_part(Some(&ask.keys), "damaged", 1, &upload);
        action.headers_mut().insert("content-md5", md5.clone());
        ask.send(ask.http.put(action.sign(SIGNED)).header("content-md5", md5).body("abc"))
    };
    let wrong = send(BASE64_STANDARD.encode([0_u8; 16])).await?;
    let listed = tag(&ask.list("damaged", &upload, None, None).await?.text(), "PartNumber").len();
    let right = send(BASE64_STANDARD.encode(<md5::Md5 as md5::Digest>::digest(b"abc"))).await?;
    Ok(format!("{}, then {listed} parts, {}", wrong.short(), right.short()))
}

pub(crate) async fn public_object(ask: &Asking<'_>) -> Result<String> {
    let public = ask.begin_with("public.raw", &[("x-amz-acl", "public-read")]).await?;
    let upload = tag(&public.text(), "UploadId").pop().unwrap_or_default();
    let mut anonymous = "none".to_owned();
    if public.status == 200 {
        let part = ask.part("public.raw", &upload, 1, b"open").await?;
        ask.complete("public.raw", &upload, &[(1, &part.etag)]).await?;
        let url = ask.bucket.object_url("public.raw");
        let head = ask.send(ask.http.head(url.clone())).await?;
        let get = ask.send(ask.http.get(url.clone())).await?;
        let put = ask.send(ask.http.put(url).body("x")).await?;
        anonymous = format!("HEAD {} GET {} PUT {}", head.status, get.short(), put.short());
    }
    ask.put("private.raw", b"secret").await?;
    let private = ask.send(ask.http.get(ask.bucket.object_url("private.raw"))).await?;
    Ok(format!("{}; {anonymous}; private: {}", public.short(), private.short()))
}

pub(crate) async fn addresses_signed_for_another_method(ask: &Asking<'_>) -> Result<String> {
    ask.put("signed", b"x").await?;
    let url = ask.bucket.get_object(Some(&ask.keys), "signed").sign(SIGNED);
    let head = ask.send(ask.http.head(url.clone())).await?;
    let tampered = url.as_str().replace("signed?", "again?").parse::<url::Url>()?;
    let other = ask.send(ask.http.get(tampered)).await?;
    Ok(format!("HEAD {}, another key {}", head.status, other.short()))
}

pub(crate) async fn clocks(ask: &Asking<'_>) -> Result<String> {
    let now = jiff::Timestamp::now();
    let mut told = Vec::new();
    for (name, hours) in [("an hour ago", -1), ("in an hour", 1)] {
        let time = now + jiff::SignedDuration::from_hours(hours);
        let action = ask.bucket.list_parts(Some(&ask.keys), "k", "u");
        let url = action.sign_with_time(Duration::from_mins(15), &time);
        told.push(format!("{name}: {}", ask.send(ask.http.get(url)).await?.short()));
    }
    Ok(told.join("; "))
}

pub(crate) async fn wrong_keys(ask: &Asking<'_>) -> Result<String> {
    let begin = |keys: Credentials| async move {
        let action = ask.bucket.create_multipart_upload(Some(&keys), "k");
        let request = ask.http.post(action.sign(SIGNED)).header("content-length", 0);
        ask.send(request).await
    };
    let wrong_secret = begin(Credentials::new(ask.keys.key(), "wrong")).await?;
    let unknown = begin(Credentials::new("unknown:nobody", "wrong")).await?;
    Ok(line([&wrong_secret, &unknown]))
}

pub(crate) async fn missing_objects(ask: &Asking<'_>) -> Result<String> {
    let get = ask.get("missing").await?;
    let head = ask.head("missing").await?;
    let delete = ask.delete("missing").await?;
    Ok(line([&get, &head, &delete]))
}

pub(crate) async fn part_numbers(ask: &Asking<'_>) -> Result<String> {
    let upload = ask.begin("numbers").await?;
    let none = ask.part("numbers", &upload, 0, b"x").await?;
    let last = ask.part("numbers", &upload, 10_000, b"x").await?;
    let beyond = ask.part("numbers", &upload, 10_001, b"x").await?;
    Ok(line([&none, &last, &beyond]))
}

/// The program's own client: what it says of refusals must not depend on the server.
pub(crate) async fn the_clients_words(ask: &Asking<'_>) -> Result<String> {
    let access = &ask.server.access;
    let client = |change: &dyn Fn(&mut lotse_cloud::S3Config)| -> Result<S3> {
        let mut config = access.config();
        change(&mut config);
        Ok(S3::new(config, http_client()?)?)
    };
    let code = |outcome: std::result::Result<String, TargetError>| match outcome {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.code.to_owned(),
    };
    let s3 = client(&|_| ())?;
    let wrong_secret = client(&|config| config.secret_key = Secret::new("wrong"))?
        .begin("k")
        .await;
    let unknown_key = client(&|config| config.access_key.push_str("nobody"))?.begin("k").await;
    let missing_bucket = client(&|config| config.bucket.push_str("-missing"))?.begin("k").await;
    let no_upload = s3.parts("k", "no-such-upload").await.map(|_| String::new());
    let upload = s3.begin(KEY).await?;
    let after_abort = {
        s3.abort(KEY, &upload).await?;
        s3.abort(KEY, &upload).await?;
        s3.parts(KEY, &upload).await.map(|_| String::new())
    };
    s3.delete("missing").await?;
    let nothing = s3.stored("missing").await?.is_none();
    Ok(format!(
        "secret {}, key {}, bucket {}, upload {}, aborted {}, nothing stored {nothing}",
        code(wrong_secret),
        code(unknown_key),
        code(missing_bucket),
        code(no_upload),
        code(after_abort),
    ))
}
