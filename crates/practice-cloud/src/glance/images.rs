//! Images as records: create, show, list, delete, tags.

use std::{cmp::Ordering, sync::Arc};

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, RawQuery, State},
    response::IntoResponse,
};
use http::{StatusCode, header};
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::{
    fault::{Fault, Reply},
    image::{self, Fields, Image, Status},
    import, read_json, schema,
};
use crate::{keystone::Caller, node::Node};

/// Images in one page unless the client says otherwise, and at most (Glance's `limit_param_default`, `api_limit_max`).
const PAGE: usize = 25;
const MAX_PAGE: usize = 1000;
/// What a list can be sorted by.
const SORT_KEYS: [&str; 8] = [
    "name",
    "status",
    "container_format",
    "disk_format",
    "size",
    "id",
    "created_at",
    "updated_at",
];

pub(super) async fn create(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(region): Path<String>,
    body: Body,
) -> Reply {
    let body = read_json(body).await?;
    // Glance itself answers 500 to JSON that is no object; a client's error deserves a client's status.
    let body = body
        .as_object()
        .ok_or_else(|| Fault::bad_request("Malformed JSON in request body."))?;
    schema::check_new(body)?;
    if !caller.scoped {
        return Err(Fault::no_project("add_image"));
    }
    let mut fields = Fields::default();
    let mut id = None;
    for (key, value) in body {
        match key.as_str() {
            "id" => id = value.as_str().map(str::to_ascii_lowercase),
            // Glance takes these two and shows its own all the same.
            "os_hash_algo" | "os_hash_value" => {}
            _ if fields.set(key, value)? => {}
            _ => fields.set_property(key, value)?,
        }
    }
    let image = Image::new(id.unwrap_or_else(|| Uuid::new_v4().to_string()), fields);
    let location = node
        .identity
        .openstack_url(&format!("/image/{region}/v2/images/{}", image.id));
    let view = image.view();
    node.store
        .run(move |transaction| image::insert(transaction, &region, &image))
        .await?;
    let headers = [
        (header::LOCATION.as_str(), location),
        ("openstack-image-import-methods", import::WEB_DOWNLOAD.to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, Json(view)).into_response())
}

pub(super) async fn show(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path((region, id)): Path<(String, String)>,
) -> Reply {
    if !caller.scoped {
        return Err(Fault::no_such_image(&id));
    }
    let image = node
        .store
        .run(move |transaction| image::find(transaction, &region, &id))
        .await?;
    Ok(Json(image.view()).into_response())
}

pub(super) async fn delete(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path((region, id)): Path<(String, String)>,
) -> Reply {
    if !caller.scoped {
        return Err(Fault::no_such_image(&id));
    }
    let unnamed = node
        .store
        .run(move |transaction| {
            let mut image = image::find(transaction, &region, &id)?;
            if image.fields.protected {
                return Err(Fault::forbidden(format!(
                    "Image {id} is protected and cannot be deleted."
                )));
            }
            image.status = Status::Deleted;
            (image.session, image.task) = (None, None);
            image.drop_content(transaction, &region)
        })
        .await?;
    node.blobs.remove(unnamed).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn add_tag(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path((region, id, tag)): Path<(String, String, String)>,
) -> Reply {
    schema::check("tags", &json!([tag]))?;
    image::check_tag(&tag)?;
    change_tags(&node, caller, region, id, move |fields| {
        fields.tags.insert(tag);
        fields.check_counts()
    })
    .await
}

pub(super) async fn remove_tag(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path((region, id, tag)): Path<(String, String, String)>,
) -> Reply {
    change_tags(&node, caller, region, id, move |fields| {
        if fields.tags.remove(&tag) {
            Ok(())
        } else {
            Err(Fault::no_such_resource())
        }
    })
    .await
}

async fn change_tags(
    node: &Node,
    caller: Caller,
    region: String,
    id: String,
    change: impl FnOnce(&mut Fields) -> Result<(), Fault> + Send + 'static,
) -> Reply {
    if !caller.scoped {
        return Err(Fault::no_such_image(&id));
    }
    node.store
        .run(move |transaction| {
            let mut image = image::find(transaction, &region, &id)?;
            change(&mut image.fields)?;
            image.save(transaction, &region)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What a list is asked for.
#[derive(Debug, Default)]
struct Query {
    limit: Option<usize>,
    marker: Option<String>,
    sort: Vec<(String, bool)>,
    tags: Vec<String>,
    filters: Vec<(String, String)>,
    /// Everything but the marker, for the links `first` and `next`.
    rest: Vec<(String, String)>,
}

fn parse(query: &str) -> Result<Query, Fault> {
    let mut parsed = Query::default();
    let (mut keys, mut directions) = (Vec::new(), Vec::new());
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        if key != "marker" {
            parsed.rest.push((key.clone().into_owned(), value.clone().into_owned()));
        }
        match key.as_ref() {
            "limit" => parsed.limit = Some(parse_limit(&value)?),
            "marker" => parsed.marker = Some(value.into_owned()),
            "tag" => parsed.tags.push(value.trim().to_owned()),
            "member_status" => {}
            "sort_key" => keys.push(check_sort_key(value.trim())?),
            "sort_dir" => directions.push(check_direction(value.trim())?),
            "sort" => {
                for part in value.split(',') {
                    let (key, direction) = part.split_once(':').unwrap_or((part, "desc"));
                    parsed
                        .sort
                        .push((check_sort_key(key.trim())?, check_direction(direction.trim())?));
                }
            }
            _ => parsed.filters.push((key.into_owned(), value.into_owned())),
        }
    }
    if directions.len() > 1 && directions.len() != keys.len() {
        return Err(Fault::bad_request(
            "Number of sort dirs does not match the number of sort keys",
        ));
    }
    let only = directions.first().copied().unwrap_or(false);
    let directions = directions.into_iter().chain(std::iter::repeat(only));
    parsed.sort.extend(keys.into_iter().zip(directions));
    Ok(parsed)
}

fn parse_limit(text: &str) -> Result<usize, Fault> {
    match text.trim().parse::<i128>() {
        Ok(limit) if limit < 0 => Err(Fault::bad_request("limit param must be positive")),
        Ok(limit) => Ok(usize::try_from(limit).unwrap_or(MAX_PAGE)),
        Err(_) => Err(Fault::bad_request("limit param must be an integer")),
    }
}

fn check_sort_key(key: &str) -> Result<String, Fault> {
    if SORT_KEYS.contains(&key) {
        return Ok(key.to_owned());
    }
    let available = SORT_KEYS.join(", ");
    Err(Fault::bad_request(format!(
        "Invalid sort key: {key}. It must be one of the following: {available}."
    )))
}

/// True: ascending.
fn check_direction(direction: &str) -> Result<bool, Fault> {
    match direction {
        "asc" => Ok(true),
        "desc" => Ok(false),
        other => Err(Fault::bad_request(format!("Invalid sort direction: {other}"))),
    }
}

impl Query {
    fn wants(&self, view: &Value, tags: &std::collections::BTreeSet<String>) -> bool {
        let asked_for_hidden = self.filters.iter().any(|(key, _)| key == "os_hidden");
        self.tags.iter().all(|tag| tags.contains(tag))
            && (asked_for_hidden || view.get("os_hidden") == Some(&json!(false)))
            && self
                .filters
                .iter()
                .all(|(key, wanted)| matches_filter(view, key, wanted))
    }

    fn order(&self, first: &Value, second: &Value) -> Ordering {
        for (key, ascending) in &self.sort {
            let order = compare(first.get(key), second.get(key));
            let order = if *ascending { order } else { order.reverse() };
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

fn matches_filter(view: &Value, key: &str, wanted: &str) -> bool {
    let size = || view.get("size").and_then(Value::as_u64).unwrap_or(0);
    match key {
        "size_min" => wanted.parse().is_ok_and(|least: u64| size() >= least),
        "size_max" => wanted.parse().is_ok_and(|most: u64| size() <= most),
        "visibility" if wanted == "all" => true,
        _ => {
            let value = match view.get(key) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Bool(value)) => return wanted.eq_ignore_ascii_case(if *value { "true" } else { "false" }),
                Some(Value::Null) | None => return false,
                Some(other) => other.to_string(),
            };
            match wanted.strip_prefix("in:") {
                Some(list) => list.split(',').any(|wanted| wanted.trim_matches('"') == value),
                None => wanted == value,
            }
        }
    }
}

fn compare(first: Option<&Value>, second: Option<&Value>) -> Ordering {
    match (first, second) {
        (Some(Value::String(first)), Some(Value::String(second))) => first.cmp(second),
        (Some(Value::Number(first)), Some(Value::Number(second))) => first.as_u64().cmp(&second.as_u64()),
        // Nothing sorts before something.
        (first, second) => first
            .is_some_and(|value| !value.is_null())
            .cmp(&second.is_some_and(|value| !value.is_null())),
    }
}

pub(super) async fn list(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(region): Path<String>,
    RawQuery(query): RawQuery,
) -> Reply {
    let query = parse(query.as_deref().unwrap_or_default())?;
    let images = if caller.scoped {
        node.store
            .run(move |transaction| image::all(transaction, &region))
            .await?
    } else {
        Vec::new()
    };
    let limit = query.limit.unwrap_or(PAGE).min(MAX_PAGE);
    let mut views: Vec<_> = images.iter().map(|image| (image, image.view())).collect();
    // Stable: what is equal stays in the order of making, the newest first.
    views.sort_by(|(_, first), (_, second)| query.order(first, second));
    if let Some(marker) = &query.marker {
        let place = views
            .iter()
            .position(|(image, _)| image.id == *marker)
            .ok_or_else(|| Fault::bad_request(format!("No image found with ID {marker}")))?;
        views.drain(..=place);
    }
    let views: Vec<_> = views
        .into_iter()
        .filter(|(image, view)| query.wants(view, &image.fields.tags))
        .map(|(_, view)| view)
        .take(limit)
        .collect();
    let link = |marker: Option<&str>| {
        let mut parameters = form_urlencoded::Serializer::new(String::new());
        parameters
            .extend_pairs(&query.rest)
            .extend_pairs(marker.map(|marker| ("marker", marker)));
        match parameters.finish() {
            parameters if parameters.is_empty() => "/v2/images".to_owned(),
            parameters => format!("/v2/images?{parameters}"),
        }
    };
    let last = views
        .last()
        .filter(|_| views.len() == limit)
        .and_then(|view| view.get("id"))
        .and_then(Value::as_str);
    let next = last.map(|last| link(Some(last)));
    let mut body = json!({"images": views, "first": link(None), "schema": "/v2/schemas/images"});
    if let (Some(next), Some(body)) = (next, body.as_object_mut()) {
        body.insert("next".into(), json!(next));
    }
    Ok(Json(body).into_response())
}
