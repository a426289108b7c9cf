//! Requests that rusty-s3 has no action for, signed by its own signature.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use jiff::Timestamp;
use lotse_transfer::TargetError;
use reqwest::RequestBuilder;
use rusty_s3::{Method, signing::sign};
use url::Url;

use super::{S3, SIGNED_FOR};
use crate::http::Answer;

/// A small request: its parameters and headers are part of the signature.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    method: Method,
    url: Url,
    query: Vec<(&'static str, Cow<'a, str>)>,
    headers: Vec<(&'static str, &'static str)>,
    body: Bytes,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, url: Url) -> Ask<'a> {
        Ask {
            method,
            url,
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Adds a parameter; `sign` wants them sorted.
    pub(super) fn query(mut self, name: &'static str, value: impl Into<Cow<'a, str>>) -> Ask<'a> {
        let place = self.query.partition_point(|(other, _)| *other < name);
        self.query.insert(place, (name, value.into()));
        self
    }

    /// Adds a header by its name in small letters.
    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Ask<'a> {
        let place = self.headers.partition_point(|(other, _)| *other < name);
        self.headers.insert(place, (name, value));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Ask<'a> {
        self.body = body.into();
        self
    }
}

impl S3 {
    /// Sends the request; any answer is one.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, TargetError> {
        self.exchange(self.timeouts.small, |at| self.signed(ask, at)).await
    }

    fn signed(&self, ask: &Ask<'_>, at: &Timestamp) -> RequestBuilder {
        let url = sign(
            at,
            ask.method,
            ask.url.clone(),
            self.credentials.key(),
            self.credentials.secret(),
            None,
            self.bucket.region(),
            SIGNED_FOR.as_secs(),
            ask.query.iter().map(|(name, value)| (*name, value.as_ref())),
            ask.headers.iter().copied(),
        );
        let method = match ask.method {
            Method::Head => reqwest::Method::HEAD,
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut request = self.http.request(method, url);
        for (name, value) in &ask.headers {
            request = request.header(*name, *value);
        }
        match ask.method {
            // S3 wants to know the length of nothing, too.
            Method::Put | Method::Post if ask.body.is_empty() => request.header(CONTENT_LENGTH, 0),
            Method::Put | Method::Post => request.body(ask.body.clone()),
            Method::Head | Method::Get | Method::Delete => request,
        }
    }
}
