//! What OpenStack's answers mean, whichever service they come from.

use http::HeaderName;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    CloudError,
    http::{Answer, NoAnswer, shorten},
};

/// Set by every OpenStack service (oslo.middleware).
const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// The codes of one service.
#[derive(Debug)]
pub(super) struct Codes {
    pub(super) unauthorized: &'static str,
    pub(super) forbidden: &'static str,
    pub(super) not_found: &'static str,
    pub(super) conflict: &'static str,
    pub(super) invalid: &'static str,
    pub(super) quota: &'static str,
    pub(super) busy: &'static str,
    pub(super) server_error: &'static str,
    pub(super) rejected: &'static str,
    pub(super) timeout: &'static str,
    pub(super) unreachable: &'static str,
    pub(super) odd: &'static str,
}

impl Codes {
    pub(super) fn no_answer(&self, cause: NoAnswer) -> CloudError {
        match cause {
            NoAnswer::Timeout => CloudError::new(self.timeout).retryable(),
            NoAnswer::Unreachable(why) => CloudError::new(self.unreachable)
                .with("reason", &why.reason)
                .retryable(),
            NoAnswer::TooLarge => CloudError::new(self.odd),
        }
    }

    /// A refusal, with the service's own words.
    pub(super) fn refusal(&self, answer: &Answer) -> CloudError {
        let (code, retryable) = match answer.status.as_u16() {
            400 => (self.invalid, false),
            401 => (self.unauthorized, false),
            403 => (self.forbidden, false),
            404 => (self.not_found, false),
            409 => (self.conflict, false),
            408 => (self.timeout, true),
            413 => (self.quota, false),
            429 | 503 => (self.busy, true),
            500..=599 => (self.server_error, true),
            _ => (self.rejected, false),
        };
        let error = CloudError {
            retryable,
            ..CloudError::new(code)
        }
        .with("status", &answer.status.as_u16());
        let message = service_message(&answer.body);
        let error = if message.is_empty() {
            error
        } else {
            error.with("service_message", &message)
        };
        match answer.header(REQUEST_ID) {
            Some(id) => error.with("request_id", &shorten(id)),
            None => error,
        }
    }

    /// The answer's content.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, CloudError> {
        // Retryable: a proxy's or hotel's page in between goes away again.
        serde_json::from_slice(&answer.body).map_err(|_| {
            CloudError::new(self.odd)
                .with("status", &answer.status.as_u16())
                .retryable()
        })
    }
}

/// The service's own message: Keystone and Nova send JSON with an object that has a `message`, Glance an HTML page.
fn service_message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(fields)) => {
            let inner = fields.values().find_map(|field| field.get("message")?.as_str());
            shorten(inner.or_else(|| fields.get("message")?.as_str()).unwrap_or_default())
        }
        Ok(_) => String::new(),
        Err(_) => shorten(&without_tags(&text)),
    }
}

/// The text of an HTML page, its title left out.
fn without_tags(page: &str) -> String {
    let body = page
        .split_once("<body")
        .map_or(page, |(_, body)| body.split_once('>').map_or("", |(_, body)| body));
    let mut text = String::with_capacity(body.len());
    let mut inside = false;
    for character in body.chars() {
        match character {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                text.push(' ');
            }
            _ if !inside => text.push(character),
            _ => {}
        }
    }
    text.replace("&#x27;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_own_words_are_found() {
        let keystone = br#"{"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}}"#;
        assert_eq!(
            service_message(keystone),
            "The request you have made requires authentication."
        );
        let glance = b"<html>\n <head>\n  <title>403 Forbidden</title>\n </head>\n <body>\n  <h1>403 Forbidden</h1>\n  It&#x27;s denied<br /><br />\n </body>\n</html>";
        assert_eq!(service_message(glance), "403 Forbidden It's denied");
        assert_eq!(service_message(b"plain \xff text"), "plain \u{fffd} text");
        assert_eq!(service_message(br#"{"message":"here"}"#), "here");
        assert_eq!(service_message(b"[1]"), "");
        assert_eq!(service_message(b"<body"), "");
    }
}
