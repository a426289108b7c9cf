//! The program's own client, through all that it can: what it does and says must not depend on the server.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use lotse_cloud::{Addressing, PublicBy, S3, S3Config, Secret, http_client};
use lotse_tests::{
    Result,
    random::Random,
    servers::{Kind, secure::NAME},
};
use lotse_transfer::{PartReceipt, Target as _, TargetError};
use rusty_s3::Method;
use serde_json::json;

use crate::asking::{AT_ONCE, Asking, Question, md5_hex};

/// With everything that a name on a person's computer has.
const KEY: &str = "imagelotse/0123456789abcdef/Büro „neu“ & ä b+c%20=#?~.raw.gz";

/// The smallest part but the last.
const MIB5: usize = 5 << 20;

/// More than a page of a list.
const MANY: usize = 1003;

pub(crate) const QUESTIONS: &[Question] = &[
    Question {
        name: "client_uploads",
        ask: |ask| Box::pin(uploads(ask)),
        answer: "open true; parts true; replaced true; completed ok, again ok; as put together true; type application/gzip; aborted ok, again ok, \
                 then s3_no_such_upload; deleted ok, again ok, stored false",
        otherwise: &[],
    },
    // Swift does not tell an unknown key from a wrong secret.
    Question {
        name: "client_tells_refusals_apart",
        ask: |ask| Box::pin(refusals(ask)),
        answer: "secret s3_signature, key s3_invalid_key, bucket s3_no_such_bucket, upload s3_no_such_upload, object none true",
        otherwise: &[(
            Kind::Swift,
            "secret s3_signature, key s3_signature, bucket s3_no_such_bucket, upload s3_no_such_upload, object none true",
        )],
    },
    Question {
        name: "client_reaches_the_service",
        ask: |ask| Box::pin(reaches(ask)),
        answer: "its clock is ours true, encrypted false, proxy None; nobody there s3_refused; another service s3_not_s3",
        otherwise: &[],
    },
    Question {
        name: "client_and_buckets",
        ask: |ask| Box::pin(buckets(ask)),
        answer: "there ok; missing s3_no_such_bucket; made ok, again ok, listed true; name s3_bucket_name_invalid; nobody else",
        otherwise: &[(
            Kind::Radosgw,
            "there ok; missing s3_no_such_bucket; made ok, again ok, listed true; name s3_bucket_name_invalid; somebody's s3_bucket_taken, \
             there s3_access_denied; one too many s3_too_many_buckets",
        )],
    },
    // Swift keeps rights for whole buckets only.
    Question {
        name: "client_publishes_by_right",
        ask: |ask| Box::pin(publishes(ask, PublicBy::Acl)),
        answer: "private s3_not_public 403, false; made public ok, again ok: ok, true; other size s3_public_differs; withdrawn ok, again ok: \
                 s3_not_public 403, false; missing: publish s3_no_such_object, withdraw ok",
        otherwise: &[(
            Kind::Swift,
            "private s3_not_public 400, false; made public s3_no_public_access, again s3_no_public_access: s3_not_public 400, false; other size \
             s3_not_public; withdrawn ok, again ok: s3_not_public 400, false; missing: publish \
             s3_no_public_access, withdraw ok",
        )],
    },
    Question {
        name: "client_publishes_by_policy",
        ask: |ask| Box::pin(publishes(ask, PublicBy::BucketPolicy)),
        answer: "private s3_not_public 403, false; made public ok, again ok: ok, true; other size s3_public_differs; withdrawn ok, again ok: \
                 s3_not_public 403, false; missing: publish ok, withdraw ok",
        otherwise: &[(
            Kind::Swift,
            "private s3_not_public 400, false; made public s3_no_public_access, again s3_no_public_access: s3_not_public 400, false; other size \
             s3_not_public; withdrawn ok, again ok: s3_not_public 400, false; missing: publish \
             s3_no_public_access, withdraw ok",
        )],
    },
    // What is in the bucket's policy already stays, and of ours nothing is left.
    Question {
        name: "client_leaves_policies_as_they_were",
        ask: |ask| Box::pin(leaves_policies(ask)),
        answer: "two of ours and theirs: 200 200 200; one less: 403 200 200; theirs alone: 403 403 200, as it was true; none before: \
                 404 NoSuchBucketPolicy",
        otherwise: &[(
            Kind::Swift,
            "two of ours and theirs: 400 400 400; one less: 400 400 400; theirs alone: 400 400 400, as it was false; none before: \
             501 NotImplemented",
        )],
    },
    // An account may forbid all that is public; only radosgw of these has that.
    Question {
        name: "client_where_nothing_may_be_public",
        ask: |ask| Box::pin(where_nothing_may_be_public(ask)),
        answer: "cannot be forbidden",
        otherwise: &[(
            Kind::Radosgw,
            "right s3_no_public_access, policy s3_no_public_access, is public false",
        )],
    },
    // The practice cloud has no name.
    Question {
        name: "client_with_the_bucket_in_the_name",
        ask: |ask| Box::pin(bucket_in_the_name(ask)),
        answer: "staging.s3.test/imagelotse/; listed true, stored Some(11), made public ok, checked ok",
        otherwise: &[
            (
                Kind::Swift,
                "staging.s3.test/imagelotse/; listed true, stored Some(11), made public s3_no_public_access, checked s3_not_public",
            ),
            (Kind::Practice, "has no name"),
        ],
    },
    Question {
        name: "client_lists_all_pages",
        ask: |ask| Box::pin(lists(ask)),
        answer: "1003 objects true, sizes and times true; 1003 uploads true, begun true; of another prefix 0, 0",
        otherwise: &[],
    },
];

/// `ok`, or the error's code.
pub(crate) fn code<T>(outcome: &std::result::Result<T, TargetError>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(error) => error.code,
    }
}

pub(crate) async fn put_part(s3: &S3, key: &str, upload: &str, number: u32, data: &Bytes) -> Result<PartReceipt> {
    let digest = <md5::Md5 as md5::Digest>::digest(data).into();
    Ok(s3.put_part(key, upload, number, data.clone().into(), digest).await?)
}

fn client(ask: &Asking<'_>, change: impl FnOnce(&mut S3Config)) -> Result<S3> {
    let mut config = ask.server.access.config();
    change(&mut config);
    Ok(S3::new(config, http_client()?)?)
}

/// Somewhere else in time than now only by what a request takes.
fn is_now(time: Timestamp) -> bool {
    Timestamp::now().duration_since(time).abs() < SignedDuration::from_mins(10)
}

async fn uploads(ask: &Asking<'_>) -> Result<String> {
    let s3 = client(ask, |_| ())?;
    let mut random = Random::new(7);
    let data: Vec<Bytes> = [MIB5, MIB5 + 1, 77].map(|size| random.bytes(size).into()).into();
    let upload = s3.begin(KEY).await?;
    let open = s3.uploads(KEY).await? == [upload.clone()];
    let mut receipts = Vec::new();
    put_part(&s3, KEY, &upload, 2, &data[2]).await?;
    for (number, data) in [(3, &data[2]), (1, &data[0]), (2, &data[1])] {
        receipts.push(put_part(&s3, KEY, &upload, number, data).await?);
    }
    receipts.sort_by_key(|part| part.number);
    let parts = s3.parts(KEY, &upload).await?;
    let replaced = parts.get(1).is_some_and(|part| part.etag == md5_hex(&data[1]));
    let completed = code(&s3.complete(KEY, &upload, &parts).await);
    let again = code(&s3.complete(KEY, &upload, &parts).await);
    let stored = s3.stored(KEY).await?.ok_or("nothing is stored")?;
    let digests: Vec<u8> = data.iter().flat_map(<md5::Md5 as md5::Digest>::digest).collect();
    let whole = stored.etag == format!("{}-3", md5_hex(&digests))
        && stored.size == parts.iter().map(|part| part.size).sum::<u64>();
    let told = ask.head(KEY).await?.content_type;
    let other = s3.begin(KEY).await?;
    let (aborted, aborted_again) = (code(&s3.abort(KEY, &other).await), code(&s3.abort(KEY, &other).await));
    let late = code(&s3.parts(KEY, &other).await);
    let (deleted, deleted_again) = (code(&s3.delete(KEY).await), code(&s3.delete(KEY).await));
    Ok(format!(
        "open {open}; parts {}; replaced {replaced}; completed {completed}, again {again}; as put together {whole}; type {told}; aborted \
         {aborted}, again {aborted_again}, then {late}; deleted {deleted}, again {deleted_again}, stored {}",
        parts == receipts,
        s3.stored(KEY).await?.is_some()
    ))
}

async fn refusals(ask: &Asking<'_>) -> Result<String> {
    let s3 = client(ask, |_| ())?;
    let secret = client(ask, |config| config.secret_key = Secret::new("wrong"))?;
    let key = client(ask, |config| config.access_key.push_str("nobody"))?;
    let bucket = client(ask, |config| config.bucket.push_str("-missing"))?;
    Ok(format!(
        "secret {}, key {}, bucket {}, upload {}, object none {}",
        code(&secret.begin(KEY).await),
        code(&key.begin(KEY).await),
        code(&bucket.begin(KEY).await),
        code(&s3.parts(KEY, "no-such-upload").await),
        s3.stored("missing").await?.is_none(),
    ))
}

async fn reaches(ask: &Asking<'_>) -> Result<String> {
    // Neither bucket nor key count here.
    let s3 = client(ask, |config| {
        config.bucket.clear();
        config.secret_key = Secret::new("wrong");
    })?;
    let reached = s3.reach().await?;
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let nobody = client(ask, |config| {
        config.endpoint = set_port(config.endpoint.clone(), free.port());
    })?;
    let hotel = lotse_tests::faults::Proxy::start(&ask.server.access.endpoint)?;
    hotel.play(vec![lotse_tests::faults::Rule::always(
        lotse_tests::faults::Fault::HotelPage(200),
    )]);
    let endpoint = hotel.url()?;
    let other = client(ask, |config| config.endpoint = endpoint)?;
    Ok(format!(
        "its clock is ours {}, encrypted {}, proxy {:?}; nobody there {}; another service {}",
        reached.date.is_some_and(is_now),
        reached.encrypted,
        reached.proxy,
        code(&nobody.reach().await),
        code(&other.reach().await),
    ))
}

fn set_port(mut url: url::Url, port: u16) -> url::Url {
    // Never fails for an address with a host.
    _ = url.set_port(Some(port));
    url
}

async fn buckets(ask: &Asking<'_>) -> Result<String> {
    let of = |name: &str| client(ask, |config| name.clone_into(&mut config.bucket));
    let there = code(&client(ask, |_| ())?.bucket_exists().await);
    let missing = code(&of("missing-bucket")?.bucket_exists().await);
    let new = of("clients-own")?;
    let (made, again) = (code(&new.create_bucket().await), code(&new.create_bucket().await));
    let listed = of("")?.buckets().await?.iter().any(|name| name == "clients-own");
    let name = code(&of("Under_Score")?.create_bucket().await);
    let told = format!("there {there}; missing {missing}; made {made}, again {again}, listed {listed}; name {name}");
    if ask.server.kind() != Kind::Radosgw {
        return Ok(format!("{told}; nobody else"));
    }
    let limit = |most: &str| {
        ask.server
            .admin(&["user", "modify", "--uid=test", &format!("--max-buckets={most}")])
    };
    let other = ask.server.other_user()?.ok_or("nobody else")?;
    let taken = S3::new(
        S3Config {
            bucket: "somebodys-own".to_owned(),
            ..other.config()
        },
        http_client()?,
    )?;
    taken.create_bucket().await?;
    let taken = of("somebodys-own")?;
    limit("2")?;
    let too_many = code(&of("one-too-many")?.create_bucket().await);
    limit("100")?;
    Ok(format!(
        "{told}; somebody's {}, there {}; one too many {too_many}",
        code(&taken.create_bucket().await),
        code(&taken.bucket_exists().await)
    ))
}

async fn publishes(ask: &Asking<'_>, by: PublicBy) -> Result<String> {
    let s3 = client(ask, |_| ())?;
    let content = Bytes::from_static(b"hello world");
    s3.put(KEY, content.clone()).await?;
    let size = u64::try_from(content.len())?;
    let checked = async || match s3.check_public(KEY, size).await {
        Ok(()) => "ok".to_owned(),
        Err(error) => {
            let status = error.params.get("status").cloned().unwrap_or_default();
            format!("{} {status}", error.code)
        }
    };
    let private = format!("{}, {}", checked().await, s3.is_public(KEY).await?);
    let (made, again) = (code(&s3.publish(KEY, by).await), code(&s3.publish(KEY, by).await));
    let public = format!("{}, {}", checked().await, s3.is_public(KEY).await?);
    let other_size = code(&s3.check_public(KEY, size + 1).await);
    let (withdrawn, once_more) = (code(&s3.withdraw(KEY, by).await), code(&s3.withdraw(KEY, by).await));
    let closed = format!("{}, {}", checked().await, s3.is_public(KEY).await?);
    let (publish, withdraw) = (
        code(&s3.publish("imagelotse/missing", by).await),
        code(&s3.withdraw("imagelotse/missing", by).await),
    );
    s3.delete(KEY).await?;
    Ok(format!(
        "private {private}; made public {made}, again {again}: {public}; other size {other_size}; withdrawn {withdrawn}, again {once_more}: \
         {closed}; missing: publish {publish}, withdraw {withdraw}"
    ))
}

async fn leaves_policies(ask: &Asking<'_>) -> Result<String> {
    let s3 = client(ask, |_| ())?;
    let keys = ["imagelotse/1/a*b ${c} ä?.raw", "imagelotse/2/b.raw", "theirs"];
    for key in keys {
        s3.put(key, Bytes::from_static(b"x")).await?;
    }
    let theirs = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "theirs",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{}/theirs", ask.bucket.name()),
    }]});
    ask.of_bucket(Method::Put, &[("policy", "")], theirs.to_string().as_bytes())
        .await?;
    let by = PublicBy::BucketPolicy;
    let statuses = async || {
        let mut told = Vec::new();
        for key in keys {
            let answer = ask.anonymous(Method::Get, ask.bucket.object_url(key), &[]).await?;
            told.push(answer.status.to_string());
        }
        Result::Ok(told.join(" "))
    };
    for key in &keys[..2] {
        // Where it cannot be, that is told above.
        _ = s3.publish(key, by).await;
    }
    let two = statuses().await?;
    _ = s3.withdraw(keys[0], by).await;
    let one = statuses().await?;
    _ = s3.withdraw(keys[1], by).await;
    let none = statuses().await?;
    let read = async || ask.of_bucket(Method::Get, &[("policy", "")], b"").await;
    let left = read().await?.text();
    let same = left.parse::<serde_json::Value>().is_ok_and(|left| left == theirs);
    ask.of_bucket(Method::Delete, &[("policy", "")], b"").await?;
    _ = s3.publish(keys[0], by).await;
    _ = s3.withdraw(keys[0], by).await;
    Ok(format!(
        "two of ours and theirs: {two}; one less: {one}; theirs alone: {none}, as it was {same}; none before: {}",
        read().await?.short()
    ))
}

async fn where_nothing_may_be_public(ask: &Asking<'_>) -> Result<String> {
    if ask.server.kind() != Kind::Radosgw {
        return Ok("cannot be forbidden".to_owned());
    }
    let s3 = client(ask, |_| ())?;
    s3.put(KEY, Bytes::from_static(b"x")).await?;
    let all = [
        "BlockPublicAcls",
        "IgnorePublicAcls",
        "BlockPublicPolicy",
        "RestrictPublicBuckets",
    ]
    .map(|name| format!("<{name}>true</{name}>"))
    .concat();
    let block = format!(
        "<PublicAccessBlockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{all}</PublicAccessBlockConfiguration>"
    );
    let query = [("publicAccessBlock", "")];
    let forbidden = ask.of_bucket(Method::Put, &query, block.as_bytes()).await?;
    if forbidden.status != 200 {
        return Err(forbidden.text().into());
    }
    let told = format!(
        "right {}, policy {}, is public {}",
        code(&s3.publish(KEY, PublicBy::Acl).await),
        code(&s3.publish(KEY, PublicBy::BucketPolicy).await),
        s3.is_public(KEY).await?
    );
    ask.of_bucket(Method::Delete, &query, b"").await?;
    Ok(told)
}

async fn bucket_in_the_name(ask: &Asking<'_>) -> Result<String> {
    if ask.server.kind() == Kind::Practice {
        return Ok("has no name".to_owned());
    }
    let mut config = ask.server.access.config();
    let port = config.endpoint.port().ok_or("no port")?;
    config.endpoint = format!("http://{NAME}:{port}").parse()?;
    config.addressing = Addressing::VirtualHost;
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let http = reqwest::Client::builder()
        .no_proxy()
        .resolve(NAME, server)
        .resolve(&format!("{}.{NAME}", config.bucket), server)
        .build()?;
    let bucket = config.bucket.clone();
    let s3 = S3::new(config, http)?;
    s3.put(KEY, Bytes::from_static(b"hello world")).await?;
    let url = s3.object_url(KEY);
    let folder = url.path().split('/').nth(1).unwrap_or_default();
    let listed = s3.buckets().await?.contains(&bucket) && s3.objects(KEY).await?.len() == 1;
    let stored = s3.stored(KEY).await?.map(|object| object.size);
    let made = code(&s3.publish(KEY, PublicBy::Acl).await);
    let checked = code(&s3.check_public(KEY, 11).await);
    s3.delete(KEY).await?;
    Ok(format!(
        "{}/{folder}/; listed {listed}, stored {stored:?}, made public {made}, checked {checked}",
        url.host_str().unwrap_or_default()
    ))
}

async fn lists(ask: &Asking<'_>) -> Result<String> {
    let s3 = client(ask, |_| ())?;
    let mut keys: Vec<String> = (0..MANY).map(|number| format!("many/ä {number}+&.raw")).collect();
    stream::iter(&keys)
        .map(|key| ask.put(key, b"xyz"))
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |_| Ok(()))
        .await?;
    let mut uploads: Vec<(String, String)> = stream::iter(&keys)
        .map(async |key| Result::Ok((key.clone(), ask.begin(key).await?)))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    keys.sort_unstable();
    uploads.sort_unstable();
    let objects = s3.objects("many/").await?;
    let mut open: Vec<_> = s3.open_uploads("many/").await?;
    let begun = open.iter().all(|upload| is_now(upload.begun));
    open.sort_by(|one, other| one.key.cmp(&other.key));
    let same_uploads = open
        .iter()
        .map(|upload| (&upload.key, &upload.upload_id))
        .eq(uploads.iter().map(|(key, id)| (key, id)));
    Ok(format!(
        "{} objects {}, sizes and times {}; {} uploads {same_uploads}, begun {begun}; of another prefix {}, {}",
        objects.len(),
        objects.iter().map(|object| &object.key).eq(&keys),
        objects.iter().all(|object| object.size == 3 && is_now(object.modified)),
        open.len(),
        s3.objects("many/none").await?.len(),
        s3.open_uploads("many/none").await?.len()
    ))
}
