//! An image's data: PUT and GET of `/v2/images/{id}/file`.

use std::{io, sync::Arc};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use http::{HeaderMap, StatusCode, header};
use s3s::dto::Range;
use tokio::sync::{mpsc, oneshot};

use super::{
    fault::{Fault, Reply},
    image::{self, Status},
};
use crate::{
    blobs::{Expected, Received},
    keystone::Caller,
    node::Node,
    store::{content_blobs, insert_blob, insert_content},
};

/// The only media type of data.
const DATA_TYPE: &str = "application/octet-stream";

pub(super) async fn upload(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path((region, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if media_type.split(';').next().map(str::trim) != Some(DATA_TYPE) {
        return Err(Fault::unsupported_type(&headers));
    }
    if !caller.scoped {
        return Err(Fault::no_such_image(&id));
    }
    let size = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    begin(&node, &region, &id).await?;
    // The request ends when its client goes away, but the image must come out of `saving` in any case: so the end of the
    // upload is a task of its own, which the request only feeds.
    let (sender, chunks) = mpsc::channel::<Result<Bytes, axum::Error>>(1);
    let (answer, answered) = oneshot::channel();
    let task = save(Arc::clone(&node), region, id, chunks, size);
    node.spawn(async move {
        // Nobody may be left to hear it.
        let _ = answer.send(task.await);
    });
    let mut data = body.into_data_stream();
    let mut whole = true;
    while let Some(chunk) = data.next().await {
        whole = chunk.is_ok();
        if sender.send(chunk).await.is_err() || !whole {
            break;
        }
    }
    if whole {
        // Marks the end: a channel that only closes means that the client is gone.
        let _ = sender.send(Ok(Bytes::new())).await;
    }
    drop(sender);
    answered.await.map_err(|_| Fault::internal())??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `queued` → `saving`, and nobody else may bring data now.
async fn begin(node: &Node, region: &str, id: &str) -> Result<(), Fault> {
    let (region, id, session) = (region.to_owned(), id.to_owned(), node.session.id().to_owned());
    node.store
        .run(move |transaction| {
            let mut image = image::find(transaction, &region, &id)?;
            let missing = [
                ("disk_format", &image.fields.disk_format),
                ("container_format", &image.fields.container_format),
            ];
            let missing: Vec<_> = missing
                .into_iter()
                .filter(|(_, value)| value.is_none())
                .map(|(name, _)| name)
                .collect();
            if !missing.is_empty() {
                let (noun, names) = (
                    if missing.len() == 1 { "Property" } else { "Properties" },
                    missing.join(", "),
                );
                return Err(Fault::bad_request(format!(
                    "{noun} {names} must be set prior to saving data."
                )));
            }
            if image.status != Status::Queued || image.task.is_some() {
                let from = image.status.as_str();
                return Err(Fault::conflict(format!(
                    "Image status transition from {from} to saving is not allowed"
                )));
            }
            image.status = Status::Saving;
            image.session = Some(session);
            image.save(transaction, &region)
        })
        .await
}

/// Takes the data and makes the image active, or puts it back to `queued`.
async fn save(
    node: Arc<Node>,
    region: String,
    id: String,
    chunks: mpsc::Receiver<Result<Bytes, axum::Error>>,
    size: Option<u64>,
) -> Result<(), Fault> {
    // Ends well after the empty chunk that marks the end, badly when the channel closes without it.
    let body = stream::unfold(Some(chunks), |chunks| async {
        let mut chunks = chunks?;
        match chunks.recv().await {
            Some(Ok(data)) if data.is_empty() => None,
            Some(Ok(data)) => Some((Ok(data), Some(chunks))),
            Some(Err(error)) => Some((Err(io::Error::other(error)), None)),
            None => Some((Err(io::ErrorKind::UnexpectedEof.into()), None)),
        }
    });
    let result = match node
        .blobs
        .receive(
            body,
            Expected {
                size,
                md5: None,
                sha512: true,
            },
        )
        .await
    {
        Ok(received) => activate(&node, &region, &id, received).await,
        Err(error) => Err(error.into()),
    };
    if result.is_err() {
        restore(&node, &region, &id).await?;
    }
    result
}

async fn activate(node: &Arc<Node>, region: &str, id: &str, received: Received) -> Result<(), Fault> {
    let (region, id, session) = (region.to_owned(), id.to_owned(), node.session.id().to_owned());
    node.store_received(received, move |transaction, received| {
        let gone = || {
            Fault::new(
                StatusCode::GONE,
                format!(
                    "Image {id} could not be found after upload. The image may have been deleted during the upload."
                ),
            )
        };
        let mut image = image::find(transaction, &region, &id).map_err(|_| gone())?;
        if image.status != Status::Saving || image.session != Some(session) {
            return Err(gone());
        }
        insert_blob(transaction, &received.blob)?;
        let (content, size) = insert_content(transaction, [&received.blob])?;
        image.status = Status::Active;
        image.session = None;
        image.content = Some(content);
        image.fields.size = Some(size);
        image.fields.checksum = Some(crate::hex(&received.md5));
        image.fields.os_hash_value.clone_from(&received.sha512);
        image.save(transaction, &region)?;
        Ok(((), Vec::new()))
    })
    .await
}

/// Puts an image whose PUT broke off back to `queued`.
pub(super) async fn restore(node: &Node, region: &str, id: &str) -> Result<(), Fault> {
    let (region, id, session) = (region.to_owned(), id.to_owned(), node.session.id().to_owned());
    node.store
        .run(move |transaction| {
            // Deleted meanwhile: nothing to put back.
            let Ok(mut image) = image::find(transaction, &region, &id) else {
                return Ok(());
            };
            if image.status == Status::Saving && image.session == Some(session) {
                image.status = Status::Queued;
                image.session = None;
                image.save(transaction, &region)?;
            }
            Ok(())
        })
        .await
}

pub(super) async fn download(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path((region, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Reply {
    if !caller.scoped {
        return Err(Fault::no_such_image(&id));
    }
    let found = node.store.run(move |transaction| {
        let image = image::find(transaction, &region, &id)?;
        match (image.status, image.content) {
            (Status::Active, Some(content)) => {
                Ok::<_, Fault>(Some((content_blobs(transaction, content)?, image.fields)))
            }
            _ => Ok(None),
        }
    });
    let Some((files, fields)) = found.await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let size = fields.size.unwrap_or(0);
    let range = wanted_range(&headers, size)?;
    let (code, range) = match range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range),
        None => (StatusCode::OK, 0..size),
    };
    let mut response = Response::builder()
        .status(code)
        .header(header::CONTENT_TYPE, DATA_TYPE)
        .header(header::CONTENT_LENGTH, range.end.saturating_sub(range.start));
    if code == StatusCode::PARTIAL_CONTENT {
        response = response.header(
            header::CONTENT_RANGE,
            format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1)),
        );
    }
    if let Some(checksum) = fields.checksum {
        response = response.header("content-md5", checksum);
    }
    let body = Body::from_stream(node.blobs.read(&files, range));
    Ok(response.body(body).map_err(|_| Fault::internal())?.into_response())
}

/// The range in the header `Range`, checked against the size.
fn wanted_range(headers: &HeaderMap, size: u64) -> Result<Option<std::ops::Range<u64>>, Fault> {
    let Some(range) = headers.get(header::RANGE).and_then(|range| range.to_str().ok()) else {
        return Ok(None);
    };
    if range.contains(',') {
        let explanation = "Requests with multiple ranges are not supported in Glance. You may make multiple single-range \
            requests instead.";
        return Err(Fault::bad_request(explanation));
    }
    // A header that is no byte range is as good as none (RFC 9110, section 14.2).
    let Ok(range) = Range::parse(range) else {
        return Ok(None);
    };
    match range.check(size) {
        Ok(range) if !range.is_empty() => Ok(Some(range)),
        _ => Err(Fault::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "The Range requested is not available.",
        )),
    }
}
