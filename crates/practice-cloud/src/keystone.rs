//! Keystone v3 as far as a client needs it to sign in: tokens by password, the catalogue. Answers as Keystone 22 does.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use md5::Digest;
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use crate::{Access, glance::REGIONS, node::Node};

/// Ids are the same at each start, so that images keep their owner.
pub(crate) const USER_ID: &str = "6f0d1c6d6a0e4b0c9e6f7b0d8c1f2a31";
pub(crate) const PROJECT_ID: &str = "0b7c9f0f1f0b4c3e9d1a5e2b6c7d8e91";
const DOMAIN_NAME: &str = "Default";
const ROLES: [(&str, &str); 2] = [
    ("f1a276bdd3cb41a6a7ba7cbb100cd7ae", "reader"),
    ("f7a208ebdabf4da0a53b57d6e7946a4b", "member"),
];

/// Longest request body, bytes (Keystone's `max_request_body_size`).
const MAX_BODY: usize = 114_688;
/// Tokens kept at most; the oldest go first. A client needs one an hour.
const MAX_TOKENS: usize = 10_000;

/// Who signs in with what, and the tokens given out. All of it ends with the process.
pub(crate) struct Identity {
    access: Access,
    lifetime: Duration,
    tokens: Mutex<HashMap<String, Token>>,
}

/// What a token stands for.
#[derive(Debug, Clone)]
struct Token {
    issued: Timestamp,
    expires: Timestamp,
    /// Scoped to the project, or to nothing.
    scoped: bool,
    audit_id: String,
}

/// Who makes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    /// False: the token is good but belongs to no project.
    pub(crate) scoped: bool,
}

impl Identity {
    pub(crate) fn new(access: Access, lifetime: Duration) -> Self {
        Self {
            access,
            lifetime,
            tokens: Mutex::default(),
        }
    }

    /// The port of this cloud's own S3.
    pub(crate) fn s3_endpoint(&self) -> &Url {
        &self.access.s3_endpoint
    }

    /// For the header `WWW-Authenticate`.
    pub(crate) fn challenge(&self) -> String {
        format!("Keystone uri=\"{}\"", self.access.auth_url)
    }

    /// The owner of a token that is good.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        let token = headers.get("x-auth-token")?.to_str().ok()?;
        self.find(token).map(|token| Caller { scoped: token.scoped })
    }

    fn find(&self, token: &str) -> Option<Token> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens
            .get(token)
            .filter(|token| Timestamp::now() < token.expires)
            .cloned()
    }

    fn issue(&self, scoped: bool) -> Result<(String, Token), Fault> {
        let mut random = [0_u8; 132];
        getrandom::fill(&mut random).map_err(|_| Fault::internal())?;
        // The look of a Fernet token; clients must not care, but some check the length of header lines.
        let id = format!("gAAAAA{}", BASE64_URL_SAFE_NO_PAD.encode(random));
        let issued = Timestamp::now();
        let expires = issued.checked_add(self.lifetime).map_err(|_| Fault::internal())?;
        let audit_id = BASE64_URL_SAFE_NO_PAD.encode(Uuid::new_v4());
        let token = Token {
            issued,
            expires,
            scoped,
            audit_id,
        };
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, token| issued < token.expires);
        if tokens.len() >= MAX_TOKENS {
            let oldest = tokens
                .iter()
                .min_by_key(|(_, token)| token.issued)
                .map(|(id, _)| id.clone());
            oldest.and_then(|oldest| tokens.remove(&oldest));
        }
        tokens.insert(id.clone(), token.clone());
        Ok((id, token))
    }

    fn revoke(&self, token: &str) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    fn view(&self, token: &Token) -> Value {
        let domain = json!({"id": self.access.domain, "name": DOMAIN_NAME});
        let mut view = json!({
            "methods": ["password"],
            "user": {"domain": domain, "id": USER_ID, "name": self.access.user, "password_expires_at": null},
            "audit_ids": [token.audit_id],
            "expires_at": precise_time(token.expires),
            "issued_at": precise_time(token.issued),
        });
        if token.scoped
            && let Some(view) = view.as_object_mut()
        {
            let roles: Vec<_> = ROLES.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
            view.insert(
                "project".into(),
                json!({"domain": domain, "id": PROJECT_ID, "name": self.access.project}),
            );
            view.insert("is_domain".into(), json!(false));
            view.insert("roles".into(), roles.into());
            view.insert("catalog".into(), self.catalogue());
        }
        json!({ "token": view })
    }

    fn catalogue(&self) -> Value {
        let identity = self.access.auth_url.to_string();
        let s3 = self.access.s3_endpoint.as_str().trim_end_matches('/').to_owned();
        let image = |region: &str| self.openstack_url(&format!("/image/{region}"));
        json!([
            service("identity", "keystone", |_| identity.clone()),
            service("image", "glance", image),
            service("s3", "s3", |_| s3.clone()),
        ])
    }

    /// A path on the port of Keystone and Glance.
    pub(crate) fn openstack_url(&self, path: &str) -> String {
        let mut url = self.access.auth_url.clone();
        url.set_path(path);
        url.to_string()
    }

    /// Checks name and password. Whatever is wrong, the answer is the same, so that names cannot be guessed.
    fn is_user(&self, user: &Map<String, Value>) -> Result<bool, Fault> {
        let text = |name: &str| user.get(name).and_then(Value::as_str);
        let right_user = match (text("id"), text("name")) {
            (Some(id), _) => id == USER_ID,
            (None, Some(name)) => {
                let domain = user.get("domain").ok_or_else(|| Fault::expecting("domain", "user"))?;
                name == self.access.user && self.is_domain(domain)
            }
            (None, None) => return Err(Fault::expecting("id or name", "user")),
        };
        Ok(right_user && text("password") == Some(self.access.password.as_str()))
    }

    fn is_domain(&self, domain: &Value) -> bool {
        match (domain.get("id"), domain.get("name")) {
            (Some(id), _) => id == self.access.domain.as_str(),
            (None, name) => name.is_some_and(|name| name == DOMAIN_NAME),
        }
    }

    fn is_project(&self, project: &Value) -> Result<bool, Fault> {
        match (project.get("id"), project.get("name")) {
            (Some(id), _) => Ok(id == PROJECT_ID),
            (None, Some(name)) => {
                let domain = project
                    .get("domain")
                    .ok_or_else(|| Fault::expecting("domain", "project"))?;
                Ok(name == self.access.project.as_str() && self.is_domain(domain))
            }
            (None, None) => Err(Fault::expecting("id or name", "project")),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

fn service(kind: &str, name: &str, url: impl Fn(&str) -> String) -> Value {
    let id = |seed: &str| Uuid::from_bytes(md5::Md5::digest(seed).into()).simple().to_string();
    let endpoints: Vec<_> = REGIONS
        .iter()
        .flat_map(|region| ["public", "internal", "admin"].map(|interface| (region, interface)))
        .map(|(region, interface)| {
            json!({"id": id(&format!("{kind} {region} {interface}")), "interface": interface, "region_id": region,
                   "region": region, "url": url(region)})
        })
        .collect();
    json!({"endpoints": endpoints, "id": id(kind), "type": kind, "name": name})
}

fn precise_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string()
}

/// An error as Keystone words it.
#[derive(Debug)]
struct Fault {
    status: StatusCode,
    message: String,
    challenge: Option<String>,
}

impl Fault {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            challenge: None,
        }
    }

    fn expecting(what: &str, place: &str) -> Self {
        let message = format!(
            "Expecting to find {what} in {place}. The server could not comply with the request since it is either \
             malformed or otherwise incorrect. The client is assumed to be in error."
        );
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    fn unauthorized(identity: &Identity) -> Self {
        let message = "The request you have made requires authentication.";
        Self {
            challenge: Some(identity.challenge()),
            ..Self::new(StatusCode::UNAUTHORIZED, message)
        }
    }

    fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "An unexpected error prevented the server from fulfilling your request.",
        )
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let body = json!({"error": {"code": self.status.as_u16(), "message": self.message, "title": title}});
        let mut response = (self.status, Json(body)).into_response();
        if let Some(challenge) = self.challenge.and_then(|challenge| challenge.try_into().ok()) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The routes below `/identity`.
pub(crate) fn router() -> Router<Arc<Node>> {
    Router::new()
        .route("/identity", get(versions))
        .route("/identity/", get(versions))
        .route("/identity/v3", get(version))
        .route("/identity/v3/", get(version))
        .route("/identity/v3/auth/tokens", get(validate).post(sign_in).delete(sign_out))
        .route("/identity/v3/auth/catalog", get(catalogue))
}

fn version_entry(node: &Node) -> Value {
    json!({
        "id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": node.identity.openstack_url("/identity/v3/")}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    })
}

async fn versions(State(node): State<Arc<Node>>) -> impl IntoResponse {
    (
        StatusCode::MULTIPLE_CHOICES,
        Json(json!({"versions": {"values": [version_entry(&node)]}})),
    )
}

async fn version(State(node): State<Arc<Node>>) -> impl IntoResponse {
    Json(json!({"version": version_entry(&node)}))
}

async fn sign_in(State(node): State<Arc<Node>>, body: Body) -> Result<Response, Fault> {
    let identity = &node.identity;
    let body = axum::body::to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "Request is too large."))?;
    let body: Value = serde_json::from_slice(&body).map_err(|_| Fault::expecting("valid JSON", "request body"))?;
    let auth = body
        .get("auth")
        .ok_or_else(|| Fault::expecting("auth", "request body"))?;
    let required = |place: &Value, field: &str, name: &str| {
        let message = format!("Invalid input for field '{field}': '{name}' is a required property");
        place
            .get(name)
            .cloned()
            .ok_or_else(|| Fault::new(StatusCode::BAD_REQUEST, message))
    };
    let methods = required(&required(auth, "auth", "identity")?, "identity", "methods")?;
    if methods != json!(["password"]) {
        let message = "Attempted to authenticate with an unsupported method.";
        return Err(Fault {
            message: message.to_owned(),
            ..Fault::unauthorized(identity)
        });
    }
    let user = auth
        .pointer("/identity/password/user")
        .and_then(Value::as_object)
        .ok_or_else(|| Fault::expecting("user", "password"))?;
    if !identity.is_user(user)? {
        return Err(Fault::unauthorized(identity));
    }
    let scoped = match auth.get("scope") {
        None => false,
        Some(scope) if scope == "unscoped" || scope.get("unscoped").is_some() => false,
        Some(scope) => match scope.get("project") {
            Some(project) if identity.is_project(project)? => true,
            // No role on that project, domain or system: Keystone does not say which.
            _ => return Err(Fault::unauthorized(identity)),
        },
    };
    let (id, token) = identity.issue(scoped)?;
    Ok((
        StatusCode::CREATED,
        [("x-subject-token", id)],
        Json(identity.view(&token)),
    )
        .into_response())
}

/// The token in the header `X-Subject-Token`, asked for by a caller with a good token.
fn subject<'a>(node: &Node, headers: &'a HeaderMap) -> Result<(&'a str, Token), Fault> {
    if node.identity.caller(headers).is_none() {
        return Err(Fault::unauthorized(&node.identity));
    }
    let subject = headers
        .get("x-subject-token")
        .and_then(|token| token.to_str().ok())
        .ok_or_else(|| {
            Fault::new(
                StatusCode::FORBIDDEN,
                "You are not authorized to perform the requested action: identity:validate_token.",
            )
        })?;
    match node.identity.find(subject) {
        Some(token) => Ok((subject, token)),
        None => Err(Fault::new(StatusCode::NOT_FOUND, "Could not recognize Fernet token")),
    }
}

async fn validate(State(node): State<Arc<Node>>, headers: HeaderMap) -> Result<Response, Fault> {
    let (id, token) = subject(&node, &headers)?;
    Ok(([("x-subject-token", id.to_owned())], Json(node.identity.view(&token))).into_response())
}

async fn sign_out(State(node): State<Arc<Node>>, headers: HeaderMap) -> Result<StatusCode, Fault> {
    let (id, _) = subject(&node, &headers)?;
    node.identity.revoke(id);
    Ok(StatusCode::NO_CONTENT)
}

async fn catalogue(State(node): State<Arc<Node>>, headers: HeaderMap) -> Result<Response, Fault> {
    match node.identity.caller(&headers) {
        Some(Caller { scoped: true }) => Ok(Json(json!({"catalog": node.identity.catalogue()})).into_response()),
        Some(_) => Err(Fault::new(
            StatusCode::FORBIDDEN,
            "You are not authorized to perform the requested action.",
        )),
        None => Err(Fault::unauthorized(&node.identity)),
    }
}
