//! What a server really holds, asked by hand.

use std::time::Duration;

use lotse_tests::{Result, servers::Access, stored::hexadecimal};
use rusty_s3::S3Action as _;
use sha2::{Digest as _, Sha256};

/// How long a signature is good.
const SIGNED: Duration = Duration::from_mins(10);

/// SHA-256 of the object's bytes; an error if there is none.
pub(crate) async fn sha256_of_object(access: &Access, key: &str) -> Result<String> {
    let (bucket, keys) = access.by_hand()?;
    let url = bucket.get_object(Some(&keys), key).sign(SIGNED);
    let mut answer = lotse_cloud::http_client()?.get(url).send().await?.error_for_status()?;
    let mut hash = Sha256::new();
    while let Some(chunk) = answer.chunk().await? {
        hash.update(&chunk);
    }
    Ok(hexadecimal(&hash.finalize()))
}

/// The ids of the uploads that are open under this key.
pub(crate) async fn open_uploads(access: &Access, key: &str) -> Result<Vec<String>> {
    let (bucket, keys) = access.by_hand()?;
    // rusty-s3 has no such action; this one signs a GET on the bucket with whatever parameters it is given.
    let mut action = bucket.list_objects_v2(Some(&keys));
    action.query_mut().remove("list-type");
    action.query_mut().remove("encoding-type");
    action.query_mut().insert("uploads", "");
    action.query_mut().insert("prefix", key.to_owned());
    let url = action.sign(SIGNED);
    let answer = lotse_cloud::http_client()?.get(url).send().await?.error_for_status()?;
    let listed = answer.text().await?;
    Ok(listed
        .split("<UploadId>")
        .skip(1)
        .filter_map(|rest| rest.split("</UploadId>").next())
        .map(str::to_owned)
        .collect())
}

/// Throws all uploads away that are open under this key, as the service itself does with old ones; how many there were.
pub(crate) async fn abort_uploads(access: &Access, key: &str) -> Result<usize> {
    let (bucket, keys) = access.by_hand()?;
    let open = open_uploads(access, key).await?;
    for upload in &open {
        let url = bucket.abort_multipart_upload(Some(&keys), key, upload).sign(SIGNED);
        lotse_cloud::http_client()?
            .delete(url)
            .send()
            .await?
            .error_for_status()?;
    }
    Ok(open.len())
}

/// Removes an object, so that a server that keeps all in memory has room for the next.
pub(crate) async fn remove(access: &Access, key: &str) -> Result {
    let (bucket, keys) = access.by_hand()?;
    let url = bucket.delete_object(Some(&keys), key).sign(SIGNED);
    lotse_cloud::http_client()?
        .delete(url)
        .send()
        .await?
        .error_for_status()?;
    Ok(())
}
