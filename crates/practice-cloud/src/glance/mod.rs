//! Glance v2, once for each region: routes, sign-in check, and what happens to images whose process died.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::{Path, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http::{HeaderName, HeaderValue, StatusCode};
use s3s::service::S3Service;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{node::Node, store::StoreError};

mod data;
mod fault;
mod image;
mod images;
mod import;
mod patch;
mod schema;
mod tasks;

use fault::Fault;

/// The regions of the practice cloud; each has images of its own.
pub(crate) const REGIONS: [&str; 2] = ["practice-north", "practice-south"];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");
/// Longest JSON body, bytes; an image's 128 properties of 64 KiB would not fit, but nobody writes such.
const MAX_JSON: usize = 1 << 20;

/// The id by which server and client speak about one request.
#[derive(Debug, Clone)]
struct RequestId(String);

/// The routes below `/image/{region}`; imports are fetched through `s3` itself.
pub(crate) fn router(node: &Arc<Node>, s3: S3Service) -> Router<Arc<Node>> {
    let signed_in = Router::new()
        .route(
            "/image/{region}/v2/images",
            get(images::list).head(refuse_method).post(images::create),
        )
        .route(
            "/image/{region}/v2/images/{id}",
            get(images::show)
                .head(refuse_method)
                .patch(patch::update)
                .delete(images::delete),
        )
        .route(
            "/image/{region}/v2/images/{id}/file",
            get(data::download).head(refuse_method).put(data::upload),
        )
        .route("/image/{region}/v2/images/{id}/import", post(import::begin))
        .route("/image/{region}/v2/images/{id}/tasks", get(tasks::list))
        .route(
            "/image/{region}/v2/images/{id}/tags/{tag}",
            put(images::add_tag).delete(images::remove_tag),
        )
        .route("/image/{region}/v2/info/import", get(import_info))
        .route("/image/{region}/v2/schemas/image", get(image_schema))
        .layer(Extension(s3))
        .method_not_allowed_fallback(refuse_method)
        .route_layer(middleware::from_fn_with_state(Arc::clone(node), require_token));
    Router::new()
        .route("/image/{region}", get(versions_choice))
        .route("/image/{region}/", get(versions_choice))
        .route("/image/{region}/versions", get(versions))
        .merge(signed_in)
        .fallback(|| async { Fault::no_such_resource() })
        .layer(middleware::from_fn(finish))
}

/// Gives each request its id, refuses unknown regions, and words errors as the client asked for them.
async fn finish(mut request: Request, next: Next) -> Response {
    let id = format!("req-{}", Uuid::new_v4());
    let headers = request.headers().clone();
    request.extensions_mut().insert(RequestId(id.clone()));
    let path = request.uri().path();
    let region = path.strip_prefix("/image/").and_then(|rest| rest.split('/').next());
    let response = match region {
        Some(region) if !REGIONS.contains(&region) => Fault::no_such_resource().into_response(),
        _ => next.run(request).await,
    };
    let mut response = fault::word(response, &headers);
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Lets requests with a good token through.
async fn require_token(State(node): State<Arc<Node>>, mut request: Request, next: Next) -> Response {
    match node.identity.caller(request.headers()) {
        Some(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        None => Fault::unauthorized(&node.identity).into_response(),
    }
}

async fn refuse_method(request: Request) -> Fault {
    Fault::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("The method {} is not allowed for this resource. ", request.method()),
    )
}

fn version_list(node: &Node, region: &str) -> Value {
    let href = node.identity.openstack_url(&format!("/image/{region}/v2/"));
    let entry = |id: &str, status: &str| json!({"id": id, "status": status, "links": [{"rel": "self", "href": href}]});
    json!({"versions": [entry("v2.9", "CURRENT"), entry("v2.7", "SUPPORTED"), entry("v2.6", "SUPPORTED"),
        entry("v2.5", "SUPPORTED"), entry("v2.3", "SUPPORTED"), entry("v2.2", "SUPPORTED"), entry("v2.1", "SUPPORTED"),
        entry("v2.0", "SUPPORTED")]})
}

async fn versions_choice(State(node): State<Arc<Node>>, Path(region): Path<String>) -> Response {
    (StatusCode::MULTIPLE_CHOICES, Json(version_list(&node, &region))).into_response()
}

async fn versions(State(node): State<Arc<Node>>, Path(region): Path<String>) -> Json<Value> {
    Json(version_list(&node, &region))
}

async fn import_info() -> Json<Value> {
    Json(json!({"import-methods": {
        "description": "Import methods available.", "type": "array", "value": [import::WEB_DOWNLOAD]}}))
}

async fn image_schema() -> Json<Value> {
    Json(schema::image())
}

/// Reads a JSON body.
async fn read_json(body: axum::body::Body) -> Result<Value, Fault> {
    let body = axum::body::to_bytes(body, MAX_JSON)
        .await
        .map_err(|_| Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large."))?;
    if body.is_empty() {
        return Err(Fault::new(StatusCode::BAD_REQUEST, "Body expected in request."));
    }
    serde_json::from_slice(&body).map_err(|_| Fault::new(StatusCode::BAD_REQUEST, "Malformed JSON in request body."))
}

/// Takes over what dead processes left: an upload is back at `queued`, an import goes on or fails visibly.
pub(crate) async fn recover(node: &Arc<Node>) -> Result<(), StoreError> {
    let session = Arc::clone(&node.session);
    let orphans = node
        .store
        .run(move |transaction| -> Result<_, StoreError> {
            let mut dead = Vec::new();
            for orphan in image::held(transaction)? {
                if !session.is_living(&orphan.session)? {
                    image::take_over(transaction, &orphan, session.id())?;
                    dead.push(orphan);
                }
            }
            Ok(dead)
        })
        .await?;
    for orphan in orphans {
        let node_of_task = Arc::clone(node);
        node.spawn(async move {
            if let Err(error) = resume(&node_of_task, &orphan).await {
                tracing::warn!(image = %orphan.id, ?error, "an interrupted image could not be taken up again");
            }
        });
    }
    Ok(())
}

async fn resume(node: &Arc<Node>, orphan: &image::Held) -> Result<(), Fault> {
    match &orphan.task {
        Some(task) => import::resume(node, &orphan.region, &orphan.id, task).await,
        None => data::restore(node, &orphan.region, &orphan.id).await,
    }
}
