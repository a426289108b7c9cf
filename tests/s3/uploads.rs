//! Multipart uploads: what an uploader asks of an S3 server, one question each; the answer in a few words.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use lotse_tests::{Result, random::Random, servers::Kind};
use rusty_s3::S3Action as _;

use crate::asking::{Answer, Asking, Question, SIGNED, line, md5_hex, tag};

/// The smallest part but the last.
const MIB5: usize = 5 << 20;
/// With everything that a name on a person's computer has.
const KEY: &str = "staging/Büro „neu“ & alt/ä b+c%20=#?~.raw";

pub(crate) const QUESTIONS: &[Question] = &[
    Question {
        name: "whole_way",
        ask: |ask| Box::pin(whole_way(ask)),
        answer: "MD5 as ETag true; parts 1 2 3 of 5242880 5242881 77, ETags true; before: 404 NoSuchKey; completed: 200; same bytes true; \
                 ETag of MD5s true; HEAD tells the size true",
        otherwise: &[],
    },
    // Complete, again, ListParts, Abort, GET. Radosgw calls an upload that is gone a missing key when its parts are asked for.
    Question {
        name: "complete_again",
        ask: |ask| Box::pin(complete_again(ask)),
        answer: "200, 200, 404 NoSuchUpload, 404 NoSuchUpload, 200",
        otherwise: &[
            (Kind::Swift, "200, 200, 200, 404 NoSuchKey, 200"),
            (Kind::Radosgw, "200, 200, 404 NoSuchKey, 404 NoSuchUpload, 200"),
        ],
    },
    // Wrong ETag, a part that is not there, wrong order, too small, and only one of two. Radosgw looks at the sizes first and wants all parts
    // that it holds to be named.
    Question {
        name: "complete_with_wrong_parts",
        ask: |ask| Box::pin(complete_with_wrong_parts(ask)),
        answer: "400 InvalidPart, 400 InvalidPart, 400 InvalidPartOrder, 400 EntityTooSmall, 200",
        otherwise: &[(
            Kind::Radosgw,
            "400 InvalidPart, 400 EntityTooSmall, 400 EntityTooSmall, 400 EntityTooSmall, 400 InvalidPart",
        )],
    },
    Question {
        name: "pages_of_parts",
        ask: |ask| Box::pin(pages_of_parts(ask)),
        answer: "1 2, more: true from 2; 5, more: false",
        otherwise: &[],
    },
    // Abort, again, ListParts, a late part, Complete, ListParts of a strange id.
    Question {
        name: "aborted",
        ask: |ask| Box::pin(aborted(ask)),
        answer: "204, 404 NoSuchUpload, 404 NoSuchUpload, 404 NoSuchUpload, 404 NoSuchUpload, 404 NoSuchUpload",
        otherwise: &[(
            Kind::Radosgw,
            "204, 404 NoSuchUpload, 404 NoSuchKey, 404 NoSuchUpload, 500 InternalError, 404 NoSuchKey",
        )],
    },
    Question {
        name: "damaged_part",
        ask: |ask| Box::pin(damaged_part(ask)),
        answer: "400 BadDigest, then 0 parts, 200",
        otherwise: &[],
    },
    // 0, 10,000, 10,001: radosgw takes any.
    Question {
        name: "part_numbers",
        ask: |ask| Box::pin(part_numbers(ask)),
        answer: "400 InvalidArgument, 200, 400 InvalidArgument",
        otherwise: &[(Kind::Radosgw, "200, 200, 200")],
    },
];

fn bytes(seed: u64, size: usize) -> Vec<u8> {
    Random::new(seed).bytes(size)
}

async fn whole_way(ask: &Asking<'_>) -> Result<String> {
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

async fn complete_again(ask: &Asking<'_>) -> Result<String> {
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

async fn complete_with_wrong_parts(ask: &Asking<'_>) -> Result<String> {
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

async fn pages_of_parts(ask: &Asking<'_>) -> Result<String> {
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

async fn aborted(ask: &Asking<'_>) -> Result<String> {
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

async fn damaged_part(ask: &Asking<'_>) -> Result<String> {
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

async fn part_numbers(ask: &Asking<'_>) -> Result<String> {
    let upload = ask.begin("numbers").await?;
    let none = ask.part("numbers", &upload, 0, b"x").await?;
    let last = ask.part("numbers", &upload, 10_000, b"x").await?;
    let beyond = ask.part("numbers", &upload, 10_001, b"x").await?;
    Ok(line([&none, &last, &beyond]))
}
