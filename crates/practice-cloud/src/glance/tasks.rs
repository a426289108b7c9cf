//! The record of each import: `GET /v2/images/{id}/tasks`.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
    response::IntoResponse,
};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::{
    fault::{Fault, Reply},
    image,
};
use crate::{
    keystone::{Caller, PROJECT_ID, USER_ID},
    node::Node,
    store::now,
};

/// A finished task is said to be kept for this long, milliseconds: 48 h (Glance's `[task] task_time_to_live`).
const TIME_TO_LIVE: i64 = 48 * 3600 * 1000;

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskStatus {
    Pending,
    Processing,
    Success,
    Failure,
}

impl TaskStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// Writes a new task; `input` is what the client asked for.
pub(super) fn insert(
    connection: &Connection,
    task: &str,
    region: &str,
    image: &str,
    input: &Value,
    request: &str,
) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT INTO task (id, region, image, status, message, input, request, created, updated)
             VALUES (?1, ?2, ?3, ?4, '', ?5, ?6, ?7, ?7)",
            params![
                task,
                region,
                image,
                TaskStatus::Pending.as_str(),
                input.to_string(),
                request,
                now()
            ],
        )
        .map(drop)
}

/// Moves a task on.
pub(super) fn update(connection: &Connection, task: &str, status: TaskStatus, message: &str) -> rusqlite::Result<()> {
    connection
        .execute(
            "UPDATE task SET status = ?2, message = ?3, updated = ?4 WHERE id = ?1",
            params![task, status.as_str(), message, now()],
        )
        .map(drop)
}

pub(super) async fn list(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path((region, id)): Path<(String, String)>,
) -> Reply {
    if !caller.scoped {
        return Err(Fault::no_such_resource());
    }
    let tasks = node
        .store
        .run(move |transaction| {
            image::find(transaction, &region, &id).map_err(|_| Fault::no_such_resource())?;
            let mut statement = transaction.prepare_cached(
                "SELECT id, status, message, input, request, created, updated, image FROM task
                 WHERE region = ?1 AND image = ?2 ORDER BY created, id",
            )?;
            let tasks = statement.query_map([&region, &id], view)?;
            Ok::<_, Fault>(tasks.collect::<Result<Vec<_>, _>>()?)
        })
        .await?;
    Ok(Json(json!({ "tasks": tasks })).into_response())
}

fn view(row: &rusqlite::Row<'_>) -> rusqlite::Result<Value> {
    let (status, input, image): (String, String, String) = (row.get(1)?, row.get(3)?, row.get(7)?);
    let (created, updated): (i64, i64) = (row.get(5)?, row.get(6)?);
    let ended = [TaskStatus::Success, TaskStatus::Failure]
        .iter()
        .any(|end| end.as_str() == status);
    let result = (status == TaskStatus::Success.as_str()).then(|| json!({"image_id": image}));
    Ok(json!({
        "id": row.get::<_, String>(0)?,
        "type": "api_image_import",
        "status": status,
        "owner": PROJECT_ID,
        "user_id": USER_ID,
        "image_id": image,
        "request_id": row.get::<_, String>(4)?,
        "created_at": microseconds(created),
        "updated_at": microseconds(updated),
        "expires_at": ended.then(|| microseconds(updated.saturating_add(TIME_TO_LIVE))),
        "deleted_at": null,
        "deleted": false,
        "input": serde_json::from_str::<Value>(&input).unwrap_or_default(),
        "result": result,
        "message": row.get::<_, String>(2)?,
    }))
}

/// `2026-11-22T03:26:36.274000`
fn microseconds(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string())
        .unwrap_or_default()
}
