//! Errors as Glance words them: text, HTML or JSON, by the request's `Accept` (that of WebOb, which Glance is built on).

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{blobs::ReceiveError, keystone::Identity, store::StoreError};

/// What a handler answers.
pub(super) type Reply = Result<Response, Fault>;

/// A refusal.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{status}: {explanation} {detail}")]
pub(super) struct Fault {
    status: StatusCode,
    explanation: String,
    detail: String,
    /// Boxed, so that every `Result` stays small.
    header: Option<Box<(header::HeaderName, HeaderValue)>>,
}

impl Fault {
    pub(super) fn new(status: StatusCode, explanation: impl Into<String>) -> Self {
        Self {
            status,
            explanation: explanation.into(),
            detail: String::new(),
            header: None,
        }
    }

    pub(super) fn bad_request(explanation: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, explanation)
    }

    pub(super) fn forbidden(explanation: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, explanation)
    }

    /// 403 with WebOb's own sentence and Glance's as the detail.
    pub(super) fn forbidden_detail(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::forbidden("Access was denied to this resource.")
        }
    }

    pub(super) fn conflict(explanation: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, explanation)
    }

    /// 409 with WebOb's own sentence and Glance's as the detail.
    pub(super) fn conflict_detail(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::conflict("There was a conflict when trying to complete your request.")
        }
    }

    pub(super) fn no_such_image(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("No image found with ID {id}"))
    }

    pub(super) fn no_such_resource() -> Self {
        Self::new(StatusCode::NOT_FOUND, "The resource could not be found.")
    }

    pub(super) fn unauthorized(identity: &Identity) -> Self {
        let explanation = "This server could not verify that you are authorized to access the document you requested. \
            Either you supplied the wrong credentials (e.g., bad password), or your browser does not understand how to \
            supply the credentials required.";
        let fault = Self::new(StatusCode::UNAUTHORIZED, explanation);
        match HeaderValue::try_from(identity.challenge()) {
            Ok(challenge) => fault.with_header(header::WWW_AUTHENTICATE, challenge),
            Err(_) => fault,
        }
    }

    /// A token without a project may not do this.
    pub(super) fn no_project(action: &str) -> Self {
        Self::forbidden(format!("You are not authorized to complete {action} action."))
    }

    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server has either erred or is incapable of performing the requested operation.",
        )
    }

    pub(super) fn unsupported_type(headers: &HeaderMap) -> Self {
        let media_type = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let explanation = format!("The request media type {media_type} is not supported by this server. ");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, explanation)
    }

    pub(super) fn with_header(self, name: header::HeaderName, value: HeaderValue) -> Self {
        Self {
            header: Some(Box::new((name, value))),
            ..self
        }
    }

    fn body(&self, accept: Option<&str>) -> Response {
        let title = match self.status {
            // The names that WebOb still has for these two.
            StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
            StatusCode::RANGE_NOT_SATISFIABLE => "Request Range Not Satisfiable",
            status => status.canonical_reason().unwrap_or_default(),
        };
        let code = format!("{} {title}", self.status.as_u16());
        let (explanation, detail) = (escape(&self.explanation), escape(&self.detail));
        match accept {
            Some(accept) if accept.contains("text/html") || accept.contains("*/*") => {
                let html = format!(
                    "<html>\n <head>\n  <title>{code}</title>\n </head>\n <body>\n  <h1>{code}</h1>\n  \
                     {explanation}<br /><br />\n{detail}\n\n\n </body>\n</html>"
                );
                ([(header::CONTENT_TYPE, "text/html; charset=UTF-8")], html).into_response()
            }
            Some(accept) if accept.contains("application/json") => {
                let message = format!("{explanation}<br /><br />\n{detail}\n\n");
                Json(json!({"message": message, "code": code, "title": title})).into_response()
            }
            _ => {
                let text = format!("{code}\n\n{}\n\n {}  ", self.explanation, self.detail);
                ([(header::CONTENT_TYPE, "text/plain; charset=UTF-8")], text).into_response()
            }
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

impl IntoResponse for Fault {
    /// The words follow in [`word`], which knows the request.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some((name, value)) = self.header.clone().map(|header| *header) {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Puts a refusal into words.
pub(super) fn word(mut response: Response, request: &HeaderMap) -> Response {
    let Some(fault) = response.extensions_mut().remove::<Fault>() else {
        return response;
    };
    let accept = request.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let mut worded = fault.body(accept);
    *worded.status_mut() = response.status();
    for (name, value) in response.headers() {
        if name != header::CONTENT_LENGTH {
            worded.headers_mut().insert(name, value.clone());
        }
    }
    worded
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the practice cloud's database failed");
        Self::internal()
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<ReceiveError> for Fault {
    fn from(error: ReceiveError) -> Self {
        match error {
            // What uwsgi makes of a body that ends early; few clients are still there to read it.
            ReceiveError::Broken | ReceiveError::WrongSize | ReceiveError::WrongMd5 => Self::internal(),
            ReceiveError::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Image storage media is full")
            }
            ReceiveError::Io(error) => {
                tracing::error!(%error, "an image could not be written");
                Self::internal()
            }
        }
    }
}
