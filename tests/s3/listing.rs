//! What is in a bucket, page by page: objects and open uploads.

use lotse_tests::{Result, servers::Kind};
use rusty_s3::Method;

use crate::asking::{Answer, Asking, Question, tag};

/// Sorted by their bytes. The last two look alike: one `ä` is a letter of its own, the other an `a` with two dots over it.
const KEYS: [&str; 8] = [
    "list/A",
    "list/a",
    "list/b",
    "list/folder/1",
    "list/folder/2",
    "list/folder/z b+c%20=&<>.raw",
    "list/a\u{308}.raw",
    "list/ä.raw",
];

pub(crate) const QUESTIONS: &[Question] = &[
    Question {
        name: "pages_of_objects",
        ask: |ask| Box::pin(pages_of_objects(ask)),
        answer: "all keys in order true; size and time true; of 2: 2+ 2+ 2+ 2; none: 200 0 entries, more: false; beyond: 0; prefix: 3; \
                 1001: 8, letters: 400 InvalidArgument",
        otherwise: &[],
    },
    // Without a delimiter, with one. Radosgw always tells the next marker; Swift and AWS only with a delimiter, else one goes on from the
    // last key.
    Question {
        name: "next_markers",
        ask: |ask| Box::pin(next_markers(ask)),
        answer: "without a delimiter: none; with one: A a a\u{308}.raw b folder/, next list/folder/",
        otherwise: &[(
            Kind::Radosgw,
            "without a delimiter: list/a; with one: A a a\u{308}.raw b folder/, next list/folder/",
        )],
    },
    // Radosgw encodes slashes, too, but not the next marker.
    Question {
        name: "encoded_lists",
        ask: |ask| Box::pin(encoded_lists(ask)),
        answer: "url list/folder/z%20b%2Bc%2520%3D%26%3C%3E.raw; nonsense: 400 InvalidArgument",
        otherwise: &[(
            Kind::Radosgw,
            "url list%2Ffolder%2Fz%20b%2Bc%2520%3D%26%3C%3E.raw; nonsense: 200",
        )],
    },
    // centron announces no paging here; radosgw 16 itself and Swift have it. The practice cloud refuses what must not be relied on.
    Question {
        name: "lists_of_version_2",
        ask: |ask| Box::pin(lists_of_version_2(ask)),
        answer: "200, 2 of 8; next page: 200, 2",
        otherwise: &[(Kind::Practice, "200, 2 of 8; next page: 501 NotImplemented, 0")],
    },
    // A page of two; from its markers; of one, from the last upload listed; the key alone as marker; a strange id; prefix of none. Radosgw
    // begins with a key's first upload where only the key is the marker. Swift's markers are empty with one upload a page.
    Question {
        name: "pages_of_uploads",
        ask: |ask| Box::pin(pages_of_uploads(ask)),
        answer: "all in order true; a a+ from a/true; b ü; one by one: a a b ü; key alone: b ü; strange id: b ü; none: 0; letters: 400 InvalidArgument",
        otherwise: &[(
            Kind::Radosgw,
            "all in order true; a a+ from a/true; b ü; one by one: a a b ü; key alone: a a b ü; strange id: b ü; none: 0; \
             letters: 400 InvalidArgument",
        )],
    },
    // Radosgw encodes the keys and forgets to say so.
    Question {
        name: "encoded_uploads",
        ask: |ask| Box::pin(encoded_uploads(ask)),
        answer: "url encoded/%C3%BC%20%2B.raw",
        otherwise: &[(Kind::Radosgw, " encoded/%C3%BC%20%2B.raw")],
    },
    // What a list of objects says of an upload: nothing before it is completed.
    Question {
        name: "uploads_are_no_objects",
        ask: |ask| Box::pin(uploads_are_no_objects(ask)),
        answer: "0 before, 1 after, uploads 1 before, 0 after",
        otherwise: &[],
    },
];

async fn list(ask: &Asking<'_>, query: &[(&str, &str)]) -> Result<Answer> {
    ask.of_bucket(Method::Get, query, b"").await
}

async fn put_all(ask: &Asking<'_>) -> Result {
    for key in KEYS {
        ask.put(key, b"xyz").await?;
    }
    Ok(())
}

/// Keys as they are, without the entities of XML.
fn keys(page: &Answer) -> Vec<String> {
    let plain = |key: String| key.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    tag(&page.text(), "Key").into_iter().map(plain).collect()
}

fn more(page: &Answer) -> bool {
    tag(&page.text(), "IsTruncated") == ["true"]
}

async fn pages_of_objects(ask: &Asking<'_>) -> Result<String> {
    put_all(ask).await?;
    let whole = list(ask, &[("prefix", "list/")]).await?;
    let text = whole.text();
    let mut wanted = KEYS.to_vec();
    wanted.sort_unstable();
    let told = tag(&text, "Size").iter().all(|size| size == "3")
        && tag(&text, "LastModified")
            .iter()
            .all(|time| time.parse::<jiff::Timestamp>().is_ok());
    let (mut found, mut sizes) = (Vec::<String>::new(), Vec::new());
    loop {
        let marker = found.last().cloned().unwrap_or_default();
        let page = list(ask, &[("prefix", "list/"), ("max-keys", "2"), ("marker", &marker)]).await?;
        let entries = keys(&page);
        sizes.push(format!("{}{}", entries.len(), if more(&page) { "+" } else { "" }));
        found.extend(entries);
        if !more(&page) {
            break;
        }
    }
    let none = list(ask, &[("max-keys", "0")]).await?;
    let beyond = list(ask, &[("prefix", "list/"), ("marker", "zzz")]).await?;
    let prefix = list(ask, &[("prefix", "list/folder/")]).await?;
    let many = list(ask, &[("prefix", "list/"), ("max-keys", "1001")]).await?;
    let letters = list(ask, &[("max-keys", "many")]).await?;
    Ok(format!(
        "all keys in order {}; size and time {told}; of 2: {}; none: {} {} entries, more: {}; beyond: {}; prefix: {}; 1001: {}, letters: {}",
        keys(&whole) == wanted && found == wanted,
        sizes.join(" "),
        none.short(),
        keys(&none).len(),
        more(&none),
        keys(&beyond).len(),
        keys(&prefix).len(),
        keys(&many).len(),
        letters.short()
    ))
}

async fn next_markers(ask: &Asking<'_>) -> Result<String> {
    put_all(ask).await?;
    let plain = list(ask, &[("prefix", "list/"), ("max-keys", "2")]).await?;
    let plain = tag(&plain.text(), "NextMarker").pop();
    // The folder comes as one entry, the fifth.
    let (mut marker, mut found, mut next) = (String::new(), Vec::<String>::new(), String::new());
    for size in ["4", "1"] {
        let query = [
            ("prefix", "list/"),
            ("delimiter", "/"),
            ("max-keys", size),
            ("marker", &marker),
        ];
        let page = list(ask, &query).await?;
        let folders = tag(&page.text(), "Prefix");
        found.extend(keys(&page));
        found.extend(folders.into_iter().filter(|folder| folder.starts_with("list/folder")));
        next = tag(&page.text(), "NextMarker").pop().unwrap_or_default();
        marker.clone_from(found.last().ok_or("an empty page")?);
    }
    let names: Vec<&str> = found.iter().filter_map(|key| key.strip_prefix("list/")).collect();
    Ok(format!(
        "without a delimiter: {}; with one: {}, next {next}",
        plain.as_deref().unwrap_or("none"),
        names.join(" ")
    ))
}

async fn encoded_lists(ask: &Asking<'_>) -> Result<String> {
    put_all(ask).await?;
    let encoded = list(ask, &[("prefix", "list/folder/z"), ("encoding-type", "url")]).await?;
    let nonsense = list(ask, &[("encoding-type", "nonsense")]).await?;
    Ok(format!(
        "{} {}; nonsense: {}",
        tag(&encoded.text(), "EncodingType").join(" "),
        keys(&encoded).join(" "),
        nonsense.short()
    ))
}

async fn lists_of_version_2(ask: &Asking<'_>) -> Result<String> {
    put_all(ask).await?;
    let page = list(ask, &[("list-type", "2"), ("prefix", "list/"), ("max-keys", "2")]).await?;
    let token = tag(&page.text(), "NextContinuationToken").pop().unwrap_or_default();
    let next = [
        ("list-type", "2"),
        ("prefix", "list/"),
        ("max-keys", "2"),
        ("continuation-token", &token),
    ];
    let next = list(ask, &next).await?;
    Ok(format!(
        "{}, {} of 8; next page: {}, {}",
        page.short(),
        keys(&page).len(),
        next.short(),
        keys(&next).len()
    ))
}

/// The last letters of the keys, and whether there is more.
fn told(page: &Answer) -> String {
    let names: Vec<String> = keys(page)
        .iter()
        .filter_map(|key| key.chars().last())
        .map(String::from)
        .collect();
    format!("{}{}", names.join(" "), if more(page) { "+" } else { "" })
}

async fn pages_of_uploads(ask: &Asking<'_>) -> Result<String> {
    let mut uploads = Vec::new();
    for key in ["ups/ü", "ups/b", "ups/a", "ups/a", "upside"] {
        uploads.push((key, ask.begin(key).await?));
    }
    let page = async |query: &[(&str, &str)]| {
        let query = [&[("uploads", ""), ("prefix", "ups/")], query].concat();
        list(ask, &query).await
    };
    let whole = page(&[]).await?;
    let in_order = keys(&whole) == ["ups/a", "ups/a", "ups/b", "ups/ü"]
        && tag(&whole.text(), "UploadId")
            .iter()
            .all(|id| uploads.iter().any(|(_, known)| known == id))
        && tag(&whole.text(), "Initiated")
            .iter()
            .all(|time| time.parse::<jiff::Timestamp>().is_ok());
    let two = page(&[("max-uploads", "2")]).await?;
    let key = tag(&two.text(), "NextKeyMarker").join(" ");
    let id = tag(&two.text(), "NextUploadIdMarker").join(" ");
    let last = tag(&two.text(), "UploadId").pop().ok_or("no upload")?;
    let next = page(&[("max-uploads", "2"), ("key-marker", &key), ("upload-id-marker", &id)]).await?;
    // Swift says that there is more where the last page is full.
    let next = told(&next).trim_end_matches('+').to_owned();
    let (mut single, mut marker) = (Vec::new(), (String::new(), String::new()));
    for _ in 0..4 {
        let one = page(&[
            ("max-uploads", "1"),
            ("key-marker", &marker.0),
            ("upload-id-marker", &marker.1),
        ])
        .await?;
        single.push(told(&one).trim_end_matches('+').to_owned());
        marker = (keys(&one).concat(), tag(&one.text(), "UploadId").concat());
    }
    let key_alone = page(&[("key-marker", "ups/a")]).await?;
    let strange = page(&[("key-marker", "ups/a"), ("upload-id-marker", "~~~")]).await?;
    let none = page(&[("key-marker", "zzz")]).await?;
    let letters = page(&[("max-uploads", "many")]).await?;
    for (key, upload) in &uploads {
        ask.abort(key, upload).await?;
    }
    Ok(format!(
        "all in order {in_order}; {} from {}/{}; {next}; one by one: {}; key alone: {}; strange id: {}; none: {}; letters: {}",
        told(&two),
        key.trim_start_matches("ups/"),
        id == last,
        single.join(" "),
        told(&key_alone),
        told(&strange),
        keys(&none).len(),
        letters.short()
    ))
}

async fn encoded_uploads(ask: &Asking<'_>) -> Result<String> {
    let upload = ask.begin("encoded/ü +.raw").await?;
    let page = list(
        ask,
        &[("uploads", ""), ("prefix", "encoded/"), ("encoding-type", "url")],
    )
    .await?;
    ask.abort("encoded/ü +.raw", &upload).await?;
    Ok(format!(
        "{} {}",
        tag(&page.text(), "EncodingType").join(" "),
        keys(&page).join(" ")
    ))
}

async fn uploads_are_no_objects(ask: &Asking<'_>) -> Result<String> {
    let upload = ask.begin("both/key").await?;
    let part = ask.part("both/key", &upload, 1, b"x").await?;
    let count = async |query: &[(&str, &str)]| {
        let query = [query, &[("prefix", "both/")]].concat();
        Result::Ok(keys(&list(ask, &query).await?).len())
    };
    let (objects, uploads) = (count(&[]).await?, count(&[("uploads", "")]).await?);
    ask.complete("both/key", &upload, &[(1, &part.etag)]).await?;
    let (objects_after, uploads_after) = (count(&[]).await?, count(&[("uploads", "")]).await?);
    Ok(format!(
        "{objects} before, {objects_after} after, uploads {uploads} before, {uploads_after} after"
    ))
}
