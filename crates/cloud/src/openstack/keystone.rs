//! Keystone v3: a token and the catalogue for a password; a token that ends is renewed once.

use http::{HeaderName, StatusCode};
use reqwest::{Client, Method, header::HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::answer::Codes;
use crate::{
    CloudError, Secret,
    http::{Answer, NoAnswer, REQUEST_TIMEOUT},
};

const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");
const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

const CODES: Codes = Codes {
    unauthorized: "keystone_unauthorized",
    forbidden: "keystone_forbidden",
    not_found: "keystone_not_found",
    conflict: "keystone_rejected",
    invalid: "keystone_rejected",
    quota: "keystone_rejected",
    busy: "keystone_busy",
    server_error: "keystone_server_error",
    rejected: "keystone_rejected",
    timeout: "keystone_timeout",
    unreachable: "keystone_unreachable",
    odd: "keystone_answer_invalid",
};

/// Where and as whom to sign in.
#[derive(Debug, Clone)]
pub struct KeystoneConfig {
    /// Keystone's address, with or without `/v3` at its end.
    pub auth_url: Url,
    /// User's name.
    pub user: String,
    /// Password.
    pub password: Secret,
    /// Domain of user and project: its name, or its id (`default`, or 32 hexadecimal digits).
    pub domain: String,
    /// Project's name.
    pub project: String,
}

/// An address from the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) region: String,
    pub(super) url: Url,
    service: String,
}

/// A signed-in user.
#[derive(Debug)]
pub(super) struct Session {
    http: Client,
    config: KeystoneConfig,
    token: Mutex<HeaderValue>,
    catalogue: Vec<Endpoint>,
    /// Id of the project that the token is for.
    pub(super) project: Option<String>,
}

impl Session {
    pub(super) async fn sign_in(http: Client, config: &KeystoneConfig) -> Result<Session, CloudError> {
        let (token, content) = sign_in(&http, config).await?;
        let catalogue = content
            .catalog
            .into_iter()
            .flat_map(CatalogService::into_endpoints)
            .collect();
        let project = content.project.map(|project| project.id);
        Ok(Session {
            http,
            config: config.clone(),
            token: Mutex::new(token),
            catalogue,
            project,
        })
    }

    /// The public addresses of a type of service, in the catalogue's order.
    pub(super) fn endpoints(&self, service: &str) -> impl Iterator<Item = &Endpoint> {
        self.catalogue
            .iter()
            .filter(move |endpoint| endpoint.service == service)
    }

    /// Sends a request to a service. A token that has ended is renewed, and the request sent again, once.
    pub(super) async fn call(
        &self,
        codes: &Codes,
        method: &Method,
        url: &Url,
        body: Option<&Value>,
    ) -> Result<Answer, CloudError> {
        let token = self.token.lock().await.clone();
        let answer = self.send(codes, method, url, body, &token).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let token = self.renew(&token).await?;
        let answer = self.send(codes, method, url, body, &token).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            Err(codes.refusal(&answer))
        } else {
            Ok(answer)
        }
    }

    async fn send(
        &self,
        codes: &Codes,
        method: &Method,
        url: &Url,
        body: Option<&Value>,
        token: &HeaderValue,
    ) -> Result<Answer, CloudError> {
        let mut request = self
            .http
            .request(method.clone(), url.clone())
            .header(AUTH_TOKEN, token.clone());
        if let Some(body) = body {
            request = request.json(body);
        }
        exchange(codes, request).await
    }

    /// A new token in place of one that has ended, unless another call has just fetched one.
    async fn renew(&self, ended: &HeaderValue) -> Result<HeaderValue, CloudError> {
        let mut token = self.token.lock().await;
        if *token == *ended {
            (*token, _) = sign_in(&self.http, &self.config).await?;
        }
        Ok(token.clone())
    }
}

async fn exchange(codes: &Codes, request: reqwest::RequestBuilder) -> Result<Answer, CloudError> {
    let response = request.timeout(REQUEST_TIMEOUT).send().await;
    let response = response.map_err(|error| codes.no_answer(NoAnswer::from(error)))?;
    Answer::read(response).await.map_err(|cause| codes.no_answer(cause))
}

/// "Password authentication with scoped authorization" of the Identity API v3.
async fn sign_in(http: &Client, config: &KeystoneConfig) -> Result<(HeaderValue, TokenContent), CloudError> {
    let domain = domain(&config.domain);
    let body = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": config.user, "domain": domain, "password": config.password.expose(),
        }}},
        "scope": {"project": {"name": config.project, "domain": domain}},
    }});
    let answer = exchange(&CODES, http.post(tokens_url(&config.auth_url)).json(&body)).await?;
    if answer.status != StatusCode::CREATED {
        // What succeeds otherwise is not Keystone; and a redirect must not take the password elsewhere.
        return Err(if answer.status.is_success() {
            odd(&answer)
        } else {
            CODES.refusal(&answer)
        });
    }
    let TokenAnswer { token: content } = CODES.read(&answer)?;
    let mut token = answer.headers.get(SUBJECT_TOKEN).cloned().ok_or_else(|| odd(&answer))?;
    token.set_sensitive(true);
    Ok((token, content))
}

fn odd(answer: &Answer) -> CloudError {
    CloudError::new(CODES.odd)
        .with("status", &answer.status.as_u16())
        .retryable()
}

fn domain(name_or_id: &str) -> Value {
    let is_id =
        name_or_id == "default" || (name_or_id.len() == 32 && name_or_id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_id {
        json!({"id": name_or_id})
    } else {
        json!({"name": name_or_id})
    }
}

fn tokens_url(auth_url: &Url) -> Url {
    let mut url = auth_url.clone();
    let versioned = url.path().trim_end_matches('/').ends_with("/v3");
    if let Ok(mut segments) = url.path_segments_mut() {
        segments
            .pop_if_empty()
            .extend((!versioned).then_some("v3"))
            .extend(["auth", "tokens"]);
    }
    url
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: TokenContent,
}

#[derive(Deserialize)]
struct TokenContent {
    #[serde(default)]
    catalog: Vec<CatalogService>,
    project: Option<Project>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
}

#[derive(Deserialize)]
struct CatalogService {
    #[serde(rename = "type")]
    service: String,
    #[serde(default)]
    endpoints: Vec<CatalogEndpoint>,
}

#[derive(Deserialize)]
struct CatalogEndpoint {
    interface: String,
    region_id: Option<String>,
    region: Option<String>,
    url: String,
}

impl CatalogService {
    /// The public ones; an address that is none is left out.
    fn into_endpoints(self) -> impl Iterator<Item = Endpoint> {
        let service = self.service;
        self.endpoints
            .into_iter()
            .filter(|endpoint| endpoint.interface == "public")
            .filter_map(move |endpoint| {
                Some(Endpoint {
                    region: endpoint.region_id.or(endpoint.region)?,
                    url: Url::parse(&endpoint.url).ok()?,
                    service: service.clone(),
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_may_end_in_v3_or_not() {
        let tokens = |text: &str| String::from(tokens_url(&Url::parse(text).unwrap()));
        for address in [
            "http://h:5000",
            "http://h:5000/",
            "http://h:5000/v3",
            "http://h:5000/v3/",
        ] {
            assert_eq!(tokens(address), "http://h:5000/v3/auth/tokens", "{address}");
        }
        assert_eq!(tokens("https://h/identity/v3"), "https://h/identity/v3/auth/tokens");
        assert_eq!(tokens("https://h/identity"), "https://h/identity/v3/auth/tokens");
    }

    #[test]
    fn ids_and_names_of_domains_are_told_apart() {
        assert_eq!(domain("default"), json!({"id": "default"}));
        assert_eq!(domain("Default"), json!({"name": "Default"}));
        assert_eq!(domain(&"ab".repeat(16)), json!({"id": "ab".repeat(16)}));
    }
}
