//! Lists of objects and open uploads: page by page, and never without end.

use super::{
    s3::{client, refusal},
    server::{Server, answer},
};

fn objects(keys: &[&str], more: bool) -> String {
    let list: Vec<String> = keys
        .iter()
        .map(|key| {
            format!("<Contents><Key>{key}</Key><Size>7</Size><LastModified>2026-11-22T10:00:00.000Z</LastModified></Contents>")
        })
        .collect();
    let list = list.concat();
    format!("<ListBucketResult><IsTruncated>{more}</IsTruncated>{list}</ListBucketResult>")
}

fn uploads(entries: &[(&str, &str)], more: bool) -> String {
    let list: Vec<String> = entries
        .iter()
        .map(|(key, id)| {
            format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>2026-11-22T10:00:00.000Z</Initiated></Upload>")
        })
        .collect();
    let list = list.concat();
    // Swift names no markers on a page with one upload.
    format!(
        "<ListMultipartUploadsResult><IsTruncated>{more}</IsTruncated><NextKeyMarker/><NextUploadIdMarker/>{list}</ListMultipartUploadsResult>"
    )
}

#[tokio::test]
async fn every_page_of_objects_is_asked_for_by_the_last_key() {
    let server = Server::start(vec![
        answer(
            200,
            &[],
            &objects(&["imagelotse/1/ä b.raw", "imagelotse/2/c.raw"], true),
        ),
        answer(200, &[], &objects(&["imagelotse/3/d.raw", "other/e"], false)),
    ])
    .await;
    let found = client(server.url()).objects("imagelotse/").await.unwrap();
    let keys: Vec<_> = found.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(
        keys,
        ["imagelotse/1/ä b.raw", "imagelotse/2/c.raw", "imagelotse/3/d.raw"],
        "what does not begin as asked for is nobody's staging object"
    );
    assert_eq!((found[0].size, found[0].modified.as_second()), (7, 1_795_341_600));
    let asked = server.asked();
    assert!(
        asked[0].path.contains("prefix=imagelotse%2F") && !asked[0].path.contains("list-type"),
        "{}",
        asked[0].path
    );
    assert!(
        asked[1].path.contains("marker=imagelotse%2F2%2Fc.raw"),
        "{}",
        asked[1].path
    );
}

#[tokio::test]
async fn every_page_of_uploads_is_asked_for_by_key_and_id() {
    let server = Server::start(vec![
        answer(200, &[], &uploads(&[("k/1", "u1"), ("k/1", "u3")], true)),
        answer(200, &[], &uploads(&[("k/1", "u2")], true)),
        answer(200, &[], &uploads(&[("k/2", "u4")], false)),
    ])
    .await;
    let found = client(server.url()).open_uploads("k/").await.unwrap();
    let ids: Vec<_> = found.iter().map(|upload| upload.upload_id.as_str()).collect();
    assert_eq!(ids, ["u1", "u3", "u2", "u4"]);
    let asked = server.asked();
    assert!(
        asked[1].path.contains("key-marker=k%2F1&") && asked[1].path.contains("upload-id-marker=u3"),
        "{}",
        asked[1].path
    );
    assert!(asked[2].path.contains("upload-id-marker=u2"), "{}", asked[2].path);
}

#[tokio::test]
async fn a_server_that_goes_in_circles_is_not_followed() {
    let page = objects(&["k/2"], true);
    let server = Server::start(vec![
        answer(200, &[], &page),
        answer(200, &[], &page),
        answer(200, &[], &objects(&[], true)),
    ])
    .await;
    let s3 = client(server.url());
    assert_eq!(s3.objects("k/").await.unwrap_err().code, "s3_answer_invalid");
    assert_eq!(
        s3.objects("k/").await.unwrap_err().code,
        "s3_answer_invalid",
        "more of nothing"
    );

    let one = || answer(200, &[], &uploads(&[("k/1", "u1")], true));
    let other = || answer(200, &[], &uploads(&[("k/1", "u2")], true));
    let server = Server::start(vec![one(), other(), one()]).await;
    assert_eq!(
        client(server.url()).open_uploads("k/").await.unwrap_err().code,
        "s3_answer_invalid"
    );
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let pages = (0..1_000).map(|number| answer(200, &[], &objects(&[&format!("k/{number:06}")], true)));
    let server = Server::start(pages.collect()).await;
    assert_eq!(
        client(server.url()).objects("k/").await.unwrap_err().code,
        "s3_list_too_long"
    );
    let pages = (0..1_000).map(|number| answer(200, &[], &uploads(&[(&format!("k/{number:06}"), "u")], true)));
    let server = Server::start(pages.collect()).await;
    assert_eq!(
        client(server.url()).open_uploads("k/").await.unwrap_err().code,
        "s3_list_too_long"
    );
}

#[tokio::test]
async fn refusals_and_strange_pages_are_told() {
    let server = Server::start(vec![
        answer(404, &[], &refusal("NoSuchBucket")),
        answer(200, &[], "<html>hotel</html>"),
        answer(403, &[], &refusal("AccessDenied")),
        answer(
            200,
            &[],
            "<ListMultipartUploadsResult><Upload/></ListMultipartUploadsResult>",
        ),
    ])
    .await;
    let s3 = client(server.url());
    assert_eq!(s3.objects("").await.unwrap_err().code, "s3_no_such_bucket");
    assert_eq!(s3.objects("").await.unwrap_err().code, "s3_answer_invalid");
    assert_eq!(s3.open_uploads("").await.unwrap_err().code, "s3_access_denied");
    assert_eq!(s3.open_uploads("").await.unwrap_err().code, "s3_answer_invalid");
}
