//! The HTTP client that all services share, and answers of a bounded size.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{
    Client, Proxy, Response, StatusCode,
    header::{HeaderMap, HeaderName},
    redirect::Policy,
};
use url::{Host, Url};

use crate::{CloudError, cause::Cause};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a small request may take from its first byte to the answer's last.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// Largest answer that is read: a page of 1,000 parts takes 0.3 MiB, a page of 100 images 0.5 MiB.
const MAX_ANSWER: usize = 16 << 20;

/// Most characters of a service's own message that are kept.
const MAX_MESSAGE: usize = 300;

/// A client for all services: TLS by rustls on ring with the system's trust store, the system's proxy except for this computer itself,
/// no redirects (a signed or authenticated request must not wander to another host).
///
/// # Errors
/// `http_client_failed` if the system's trust store cannot be used.
pub fn http_client() -> Result<Client, CloudError> {
    // An error means that a provider was installed before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let system = Matcher::from_system();
    Client::builder()
        .user_agent(concat!("imagelotse/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(Duration::from_secs(30))
        .proxy(Proxy::custom(move |url| {
            if is_loopback(url) {
                None
            } else {
                system_proxy(&system, url)
            }
        }))
        .build()
        .map_err(|error| CloudError::new("http_client_failed").with("reason", &reason(error)))
}

/// The system's proxy for an address, as `host:port`; none for this computer itself.
pub fn proxy_of(url: &Url) -> Option<String> {
    if is_loopback(url) {
        return None;
    }
    let proxy = system_proxy(&Matcher::from_system(), url)?;
    let host = proxy.host_str()?;
    Some(match proxy.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn system_proxy(system: &Matcher, url: &Url) -> Option<Url> {
    let intercept = system.intercept(&url.as_str().parse().ok()?)?;
    let mut proxy = Url::parse(&intercept.uri().to_string()).ok()?;
    if let Some(basic) = intercept.basic_auth() {
        let decoded = BASE64_STANDARD
            .decode(basic.to_str().ok()?.strip_prefix("Basic ")?)
            .ok()?;
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        proxy.set_username(user).ok()?;
        proxy.set_password(Some(password)).ok()?;
    }
    Some(proxy)
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    Timeout,
    Unreachable(Unreachable),
    TooLarge,
}

/// What is known of a connection that did not come about, or broke.
#[derive(Debug)]
pub(crate) struct Unreachable {
    pub(crate) cause: Cause,
    /// No connection came about at all, be it for the proxy in between.
    pub(crate) connecting: bool,
    /// The system's own words.
    pub(crate) reason: String,
    /// Who was asked.
    pub(crate) url: Option<Url>,
}

impl Answer {
    /// Reads the whole answer.
    pub(crate) async fn read(mut response: Response) -> Result<Answer, NoAnswer> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len().saturating_add(chunk.len()) > MAX_ANSWER {
                return Err(NoAnswer::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body,
        })
    }

    /// A header's value, if it is readable.
    pub(crate) fn header(&self, name: impl Into<HeaderName>) -> Option<&str> {
        self.headers.get(name.into())?.to_str().ok()
    }
}

impl From<reqwest::Error> for NoAnswer {
    fn from(error: reqwest::Error) -> NoAnswer {
        match Cause::of(&error) {
            Cause::Timeout => NoAnswer::Timeout,
            cause => NoAnswer::Unreachable(Unreachable {
                cause,
                connecting: error.is_connect(),
                url: error.url().map(without_query),
                reason: reason(error),
            }),
        }
    }
}

/// What is signed stands in the query.
fn without_query(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    url
}

/// The innermost cause in the system's words, without the address, which may be signed.
pub(crate) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    shorten(&cause.to_string())
}

/// The beginning of a service's own message, on one line.
pub(crate) fn shorten(text: &str) -> String {
    let mut short = String::new();
    for word in text.split_whitespace() {
        if !short.is_empty() {
            short.push(' ');
        }
        short.push_str(word);
        if short.chars().nth(MAX_MESSAGE).is_some() {
            return short.chars().take(MAX_MESSAGE).chain(['…']).collect();
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_computer_is_never_reached_through_a_proxy() {
        let loopback = |text: &str| is_loopback(&Url::parse(text).unwrap());
        assert!(loopback("http://127.0.0.1:9000/a"));
        assert!(loopback("http://localhost/"));
        assert!(loopback("http://[::1]:80/"));
        assert!(!loopback("https://localhost.example/"));
        assert!(!loopback("https://10.0.0.1/"));
    }

    #[test]
    fn the_systems_proxy_keeps_its_password() {
        let system = Matcher::builder()
            .all("http://me:secret@proxy.example:3128")
            .no("internal.example")
            .build();
        let proxy = |text: &str| system_proxy(&system, &Url::parse(text).unwrap()).map(String::from);
        assert_eq!(
            proxy("https://s3.example/").as_deref(),
            Some("http://me:secret@proxy.example:3128/")
        );
        assert_eq!(
            proxy("https://internal.example/"),
            None,
            "the system's exceptions are kept"
        );
    }

    #[test]
    fn a_long_message_is_cut_and_put_on_one_line() {
        assert_eq!(shorten("  a\n b\t c "), "a b c");
        assert_eq!(shorten(&"ä".repeat(10_000)).chars().count(), MAX_MESSAGE + 1);
    }
}
