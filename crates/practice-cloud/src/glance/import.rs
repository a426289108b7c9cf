//! Import by `web-download`, from this cloud's own S3 only: the object's files are shared with the image, not copied,
//! and read once for the hashes. An import whose process dies is taken up again by the next one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    response::IntoResponse,
};
use futures::StreamExt;
use http::{HeaderValue, Method, StatusCode, header};
use md5::{Digest, Md5};
use s3s::{HttpRequest, service::S3Service};
use serde_json::{Value, json};
use sha2::Sha512;
use url::Url;
use uuid::Uuid;

use super::{
    RequestId,
    fault::{Fault, Reply},
    image::{self, Status},
    read_json,
    tasks::{self, TaskStatus},
};
use crate::{
    blobs::Blob,
    keystone::Caller,
    node::Node,
    s3::AnsweredContent,
    store::{content_blobs, content_size},
};

/// The only import method here.
pub(super) const WEB_DOWNLOAD: &str = "web-download";
/// Methods that Glance knows but a site need not offer.
const OTHER_METHODS: [&str; 3] = ["glance-direct", "copy-image", "glance-download"];
/// What Glance says of nearly every failed import.
const FAILED: &str = "Task failed due to Internal Error";
/// How often the task's message tells how far the import is.
const PROGRESS: Duration = Duration::from_millis(500);

pub(super) async fn begin(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Extension(s3): Extension<S3Service>,
    Extension(RequestId(request)): Extension<RequestId>,
    Path((region, id)): Path<(String, String)>,
    body: Body,
) -> Reply {
    let body = read_json(body).await?;
    let method = body
        .get("method")
        .ok_or_else(|| Fault::bad_request("Import request requires a 'method' field."))?;
    let name = method
        .get("name")
        .ok_or_else(|| Fault::bad_request("Import request requires a 'name' field."))?;
    let name = name.as_str().unwrap_or_default();
    if OTHER_METHODS.contains(&name) {
        return Err(Fault::bad_request(format!("{name} is not enabled on this site.")));
    }
    if name != WEB_DOWNLOAD {
        return Err(Fault::bad_request(format!("Unknown import method name '{name}'.")));
    }
    if !caller.scoped {
        return Err(Fault::no_such_image(&id));
    }
    let uri = method.get("uri").and_then(Value::as_str).unwrap_or("None");
    let source = own_object(&node, uri);
    let refused = format!("URI for web-download does not pass filtering: {uri}");
    let task = Uuid::new_v4().to_string();
    let input = json!({"image_id": id, "import_req": body, "backend": [null]});
    let session = node.session.id().to_owned();
    let (region_of_row, id_of_row, task_of_row) = (region.clone(), id.clone(), task.clone());
    let source = node
        .store
        .run(move |transaction| {
            let (region, id, task) = (region_of_row, id_of_row, task_of_row);
            let mut image = image::find(transaction, &region, &id)?;
            check_state(&image)?;
            let source = source.ok_or_else(|| Fault::bad_request(refused))?;
            tasks::insert(transaction, &task, &region, &id, &input, &request)?;
            image.session = Some(session);
            image.task = Some(task);
            image.save(transaction, &region)?;
            Ok::<_, Fault>(source)
        })
        .await?;
    let node_of_task = Arc::clone(&node);
    node.spawn(async move {
        let import = Import {
            node: node_of_task,
            region,
            id,
            task,
        };
        import.end(import.run(&s3, &source).await).await;
    });
    Ok(StatusCode::ACCEPTED.into_response())
}

fn check_state(image: &image::Image) -> Result<(), Fault> {
    if image.status == Status::Active {
        return Err(Fault::conflict("Image with status active cannot be target for import"));
    }
    if image.status != Status::Queued {
        return Err(Fault::conflict(format!(
            "Image needs to be in 'queued' state to use '{WEB_DOWNLOAD}' method"
        )));
    }
    for (field, value) in [
        ("container_format", &image.fields.container_format),
        ("disk_format", &image.fields.disk_format),
    ] {
        if value.is_none() {
            return Err(Fault::conflict(format!("'{field}' needs to be set before import")));
        }
    }
    if image.task.is_some() {
        let explanation = format!(
            "New operation on image '{}' is not permitted as prior operation is still in progress",
            image.id
        );
        return Err(Fault::conflict(explanation));
    }
    Ok(())
}

/// The URL, if it is of this cloud's own S3: the practice cloud downloads from nowhere else.
fn own_object(node: &Node, uri: &str) -> Option<Url> {
    let own = node.identity.s3_endpoint();
    let url = Url::parse(uri).ok()?;
    let same = url.scheme() == own.scheme() && url.host() == own.host() && url.port() == own.port();
    (same && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// Takes an import up again that a dead process left; `self` holds the image already.
pub(super) async fn resume(node: &Arc<Node>, region: &str, id: &str, task: &str) -> Result<(), Fault> {
    let import = Import {
        node: Arc::clone(node),
        region: region.to_owned(),
        id: id.to_owned(),
        task: task.to_owned(),
    };
    let (region, id) = (region.to_owned(), id.to_owned());
    let content = node
        .store
        .run(move |transaction| image::find(transaction, &region, &id).map(|image| image.content))
        .await?;
    // Without content the source was not fetched yet, and its address is of a server that is no more.
    let result = match content {
        Some(content) => import.hash(content).await,
        None => Err(Fault::internal()),
    };
    import.end(result).await;
    Ok(())
}

/// One import under way.
struct Import {
    node: Arc<Node>,
    region: String,
    id: String,
    task: String,
}

/// What reading the whole content gave.
struct Hashes {
    size: u64,
    md5: String,
    sha512: String,
}

impl Import {
    async fn run(&self, s3: &S3Service, source: &Url) -> Result<Hashes, Fault> {
        self.message(TaskStatus::Processing, String::new()).await?;
        let content = fetch(s3, source).await.ok_or_else(Fault::internal)?;
        self.share(content).await?;
        self.hash(content).await
    }

    /// Makes the image an owner of the object's files: from here on the object may go.
    async fn share(&self, content: i64) -> Result<(), Fault> {
        self.change(move |transaction, image| {
            content_size(transaction, content)?.ok_or_else(Fault::internal)?;
            image.status = Status::Importing;
            image.content = Some(content);
            Ok(())
        })
        .await
    }

    /// Reads the whole content.
    async fn hash(&self, content: i64) -> Result<Hashes, Fault> {
        let files = self
            .node
            .store
            .run(move |transaction| content_blobs(transaction, content).map_err(Fault::from))
            .await?;
        let size = files.iter().fold(0_u64, |size, file| size.saturating_add(file.size));
        let (mut md5, mut sha512) = (Md5::new(), Sha512::new());
        let mut told = Instant::now();
        let mut read = 0_u64;
        for file in &files {
            (md5, sha512) = self.hash_file(file, md5, sha512).await?;
            read = read.saturating_add(file.size);
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                self.message(TaskStatus::Processing, copied(read)).await?;
            }
        }
        Ok(Hashes {
            size,
            md5: crate::hex(&md5.finalize()),
            sha512: crate::hex(&sha512.finalize()),
        })
    }

    async fn hash_file(&self, file: &Blob, mut md5: Md5, mut sha512: Sha512) -> Result<(Md5, Sha512), Fault> {
        let mut data = Box::pin(self.node.blobs.read(std::slice::from_ref(file), 0..file.size));
        while let Some(chunk) = data.next().await {
            let chunk = chunk.map_err(|error| {
                tracing::warn!(%error, image = %self.id, "a file of an import could not be read");
                Fault::internal()
            })?;
            // Hashing a chunk takes about a millisecond: too long for a thread that serves others.
            (md5, sha512) = tokio::task::spawn_blocking(move || {
                md5.update(&chunk);
                sha512.update(&chunk);
                (md5, sha512)
            })
            .await
            .map_err(|_| Fault::internal())?;
        }
        Ok((md5, sha512))
    }

    /// Writes the outcome into image and task.
    async fn end(&self, result: Result<Hashes, Fault>) {
        let activated = match result {
            Ok(hashes) => self.activate(hashes).await,
            Err(fault) => Err(fault),
        };
        if activated.is_err()
            && let Err(error) = self.fail().await
        {
            tracing::warn!(%error, image = %self.id, "the failure of an import could not be written");
        }
    }

    async fn activate(&self, hashes: Hashes) -> Result<(), Fault> {
        let task = self.task.clone();
        self.change(move |transaction, image| {
            image.status = Status::Active;
            (image.session, image.task) = (None, None);
            image.fields.size = Some(hashes.size);
            image.fields.checksum = Some(hashes.md5);
            image.fields.os_hash_value = Some(hashes.sha512);
            Ok(tasks::update(
                transaction,
                &task,
                TaskStatus::Success,
                &copied(hashes.size),
            )?)
        })
        .await
    }

    /// Back to `queued`, with a failed task to tell why: so does Glance, and another import may be tried.
    async fn fail(&self) -> Result<(), Fault> {
        let (region, id, task) = (self.region.clone(), self.id.clone(), self.task.clone());
        let unnamed = self.node.store.run(move |transaction| {
            tasks::update(transaction, &task, TaskStatus::Failure, FAILED)?;
            match image::find(transaction, &region, &id) {
                Ok(mut image) if image.task.as_ref() == Some(&task) => {
                    image.status = Status::Queued;
                    (image.session, image.task) = (None, None);
                    image.drop_content(transaction, &region)
                }
                _ => Ok::<_, Fault>(Vec::new()),
            }
        });
        self.node.blobs.remove(unnamed.await?).await;
        Ok(())
    }

    /// Changes the image as long as it still belongs to this import.
    async fn change(
        &self,
        change: impl FnOnce(&rusqlite::Transaction<'_>, &mut image::Image) -> Result<(), Fault> + Send + 'static,
    ) -> Result<(), Fault> {
        let (region, id, task, session) = (
            self.region.clone(),
            self.id.clone(),
            self.task.clone(),
            self.node.session.id().to_owned(),
        );
        self.node
            .store
            .run(move |transaction| {
                let mut image = image::find(transaction, &region, &id)?;
                if image.task != Some(task) || image.session != Some(session) {
                    return Err(Fault::no_such_image(&id));
                }
                change(transaction, &mut image)?;
                image.save(transaction, &region)
            })
            .await
    }

    async fn message(&self, status: TaskStatus, message: String) -> Result<(), Fault> {
        let task = self.task.clone();
        self.change(move |transaction, _| Ok(tasks::update(transaction, &task, status, &message)?))
            .await
    }
}

/// Asks the object store as any anonymous client would, in process, and takes note of what it would have sent.
async fn fetch(s3: &S3Service, source: &Url) -> Option<i64> {
    let target = match source.query() {
        Some(query) => format!("{}?{query}", source.path()),
        None => source.path().to_owned(),
    };
    let host = format!("{}:{}", source.host_str()?, source.port()?);
    let mut request = HttpRequest::new(s3s::Body::empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = target.parse().ok()?;
    request
        .headers_mut()
        .insert(header::HOST, HeaderValue::try_from(host).ok()?);
    let response = s3.call(request).await.ok()?;
    (response.status() == StatusCode::OK)
        .then(|| response.extensions().get::<AnsweredContent>().map(|content| content.0))
        .flatten()
}

fn copied(bytes: u64) -> String {
    format!("Copied {} MiB", bytes / (1024 * 1024))
}
