//! Glance v2: images of one region, made by letting the service fetch an address.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use lotse_transfer::CancellationToken;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::{
    answer::Codes,
    details::NewImage,
    image::{Image, Task, TaskStatus},
    keystone::Session,
};
use crate::{
    CloudError,
    http::{Answer, shorten},
};

const CODES: Codes = Codes {
    // The token has just been renewed: it is the account that is no longer welcome.
    unauthorized: "keystone_unauthorized",
    forbidden: "glance_forbidden",
    not_found: "glance_not_found",
    conflict: "glance_conflict",
    invalid: "glance_invalid",
    quota: "glance_quota",
    busy: "glance_busy",
    server_error: "glance_server_error",
    rejected: "glance_rejected",
    timeout: "glance_timeout",
    unreachable: "glance_unreachable",
    odd: "glance_answer_invalid",
};

/// Images asked for at a time.
const PAGE: &str = "100";

/// Most pages of a list.
const MAX_PAGES: usize = 1_000;

/// How many polls in a row may fail while waiting for an image.
const MAX_FAILED_POLLS: u32 = 30;

/// The image service of a region.
#[derive(Debug, Clone)]
pub struct Glance {
    session: Arc<Session>,
    base: Url,
}

impl Glance {
    pub(super) fn new(session: Arc<Session>, base: Url) -> Glance {
        Glance { session, base }
    }

    /// Makes an image without content, for this project only. If it is there already, by an earlier call, it is returned as it is now.
    ///
    /// # Errors
    /// The `details_*`, `glance_*` and `keystone_*` codes.
    pub async fn create(&self, new: &NewImage) -> Result<Image, CloudError> {
        new.check()?;
        let mut fields: Map<String, Value> = new
            .properties
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        // After the properties: none of them can take the place of these.
        fields.extend([
            ("id".to_owned(), Value::from(new.id.to_string())),
            ("name".to_owned(), Value::from(new.name.as_str())),
            ("disk_format".to_owned(), Value::from(new.disk_format.as_str())),
            ("container_format".to_owned(), Value::from("bare")),
            ("visibility".to_owned(), Value::from("private")),
            ("tags".to_owned(), Value::from(new.tags.clone())),
        ]);
        let answer = self
            .call(&Method::POST, &self.url(&["images"]), Some(&Value::Object(fields)))
            .await?;
        if answer.status == StatusCode::CONFLICT
            && let Some(image) = self.get(new.id).await?
        {
            return Ok(image);
        }
        read_image(&succeeded(answer)?)
    }

    /// Lets the service fetch the image's content from an address. That it is already doing so, or has done so, is success.
    ///
    /// # Errors
    /// `glance_import_refused` if the service takes nothing from this address or cannot import; the `glance_*` and `keystone_*` codes.
    pub async fn import_from_url(&self, id: Uuid, source: &Url) -> Result<(), CloudError> {
        let body = json!({"method": {"name": "web-download", "uri": source.as_str()}});
        let url = self.url(&["images", &id.to_string(), "import"]);
        let answer = self.call(&Method::POST, &url, Some(&body)).await?;
        match answer.status {
            StatusCode::CONFLICT => match self.get(id).await? {
                Some(image) if image.status != "queued" => Ok(()),
                _ => Err(CODES.refusal(&answer)),
            },
            StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED => Err(CloudError {
                code: "glance_import_refused",
                ..CODES.refusal(&answer)
            }),
            _ => succeeded(answer).map(drop),
        }
    }

    /// The image with this id, if there is one.
    ///
    /// # Errors
    /// The `glance_*` and `keystone_*` codes.
    pub async fn get(&self, id: Uuid) -> Result<Option<Image>, CloudError> {
        let answer = self
            .call(&Method::GET, &self.url(&["images", &id.to_string()]), None)
            .await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        read_image(&succeeded(answer)?).map(Some)
    }

    /// The project's own images, as the service orders them (the newest first).
    ///
    /// # Errors
    /// The `glance_*` and `keystone_*` codes.
    pub async fn list(&self) -> Result<Vec<Image>, CloudError> {
        let mut images = Vec::new();
        let mut url = self.url(&["images"]);
        url.query_pairs_mut().append_pair("limit", PAGE);
        let first = url.clone();
        for _ in 0..MAX_PAGES {
            let page: Page = CODES.read(&succeeded(self.call(&Method::GET, &url, None).await?)?)?;
            images.extend(
                page.images
                    .iter()
                    .filter_map(Image::read)
                    .filter(|image| self.is_own(image)),
            );
            // Only the mark is taken: `next` is relative to the service's own root, which the address in the catalogue may not be.
            let Some(marker) = page.next.as_deref().and_then(marker) else {
                return Ok(images);
            };
            url = first.clone();
            url.query_pairs_mut().append_pair("marker", &marker);
        }
        Err(CloudError::new(CODES.odd))
    }

    /// Public and shared images of others are listed, too.
    fn is_own(&self, image: &Image) -> bool {
        match (&image.owner, &self.session.project) {
            (Some(owner), Some(project)) => owner == project,
            _ => true,
        }
    }

    /// The service's tasks for an image; none where the service does not tell.
    ///
    /// # Errors
    /// The `glance_*` and `keystone_*` codes.
    pub async fn tasks(&self, id: Uuid) -> Result<Vec<Task>, CloudError> {
        let answer = self
            .call(&Method::GET, &self.url(&["images", &id.to_string(), "tasks"]), None)
            .await?;
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) {
            return Ok(Vec::new());
        }
        let Tasks { tasks } = CODES.read(&succeeded(answer)?)?;
        Ok(tasks)
    }

    /// Removes an image. That there is none is success.
    ///
    /// # Errors
    /// The `glance_*` and `keystone_*` codes.
    pub async fn delete(&self, id: Uuid) -> Result<(), CloudError> {
        let answer = self
            .call(&Method::DELETE, &self.url(&["images", &id.to_string()]), None)
            .await?;
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(());
        }
        succeeded(answer).map(drop)
    }

    /// Asks every `poll` until the image is active. A service that does not answer for a while is asked again.
    ///
    /// # Errors
    /// `image_import_failed` (with the service's words if it has some), `image_gone`, `cancelled`, and the `glance_*` and `keystone_*` codes.
    pub async fn wait_until_active(
        &self,
        id: Uuid,
        poll: Duration,
        cancel: &CancellationToken,
    ) -> Result<Image, CloudError> {
        let waiting = async {
            let mut failed_polls = 0;
            loop {
                match self.look(id).await {
                    Ok(image) if image.status == "active" => return Ok(image),
                    Ok(_) => failed_polls = 0,
                    Err(error) if error.retryable && failed_polls < MAX_FAILED_POLLS => failed_polls += 1,
                    Err(error) => return Err(error),
                }
                tokio::time::sleep(poll).await;
            }
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(CloudError::new("cancelled").retryable()),
            result = waiting => result,
        }
    }

    /// The image on its way, or why it will never be active.
    async fn look(&self, id: Uuid) -> Result<Image, CloudError> {
        let image = self
            .get(id)
            .await?
            .ok_or_else(|| CloudError::new("image_gone").with("image", &id))?;
        let failed = |message: &str| {
            CloudError::new("image_import_failed")
                .with("image", &id)
                .with("image_status", &image.status)
                .with("service_message", &shorten(message))
        };
        match image.status.as_str() {
            "active" => Ok(image),
            "killed" | "deleted" | "pending_delete" | "deactivated" => Err(failed("")),
            // The image of a failed import is `queued` again, or `importing` for good: only its tasks tell.
            _ => match newest(&self.tasks(id).await?) {
                Some(task) if task.status == TaskStatus::Failure => {
                    Err(failed(task.message.as_deref().unwrap_or_default()))
                }
                _ => Ok(image),
            },
        }
    }

    async fn call(&self, method: &Method, url: &Url, body: Option<&Value>) -> Result<Answer, CloudError> {
        self.session.call(&CODES, method, url, body).await
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url
    }
}

/// The last attempt counts: tasks of earlier ones stay for two days.
fn newest(tasks: &[Task]) -> Option<&Task> {
    // Of equal times the later in the list, which `max_by` returns.
    tasks.iter().max_by(|one, other| one.created_at.cmp(&other.created_at))
}

fn succeeded(answer: Answer) -> Result<Answer, CloudError> {
    if answer.status.is_success() {
        Ok(answer)
    } else {
        Err(CODES.refusal(&answer))
    }
}

fn read_image(answer: &Answer) -> Result<Image, CloudError> {
    let fields: Map<String, Value> = CODES.read(answer)?;
    Image::read(&fields).ok_or_else(|| {
        CloudError::new(CODES.odd)
            .with("status", &answer.status.as_u16())
            .retryable()
    })
}

fn marker(next: &str) -> Option<String> {
    let (_, query) = next.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "marker")
        .map(|(_, value)| value.into_owned())
}

#[derive(Deserialize)]
struct Page {
    images: Vec<Map<String, Value>>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Tasks {
    #[serde(default)]
    tasks: Vec<Task>,
}
