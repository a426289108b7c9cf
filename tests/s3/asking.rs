//! Requests to an S3 server made by hand: nothing of the program's own client, so that a server's habits show as they are.

use std::time::Duration;

use futures::future::LocalBoxFuture;
use lotse_tests::{
    Result,
    servers::{Kind, Server},
};
use md5::{Digest as _, Md5};
use reqwest::{Client, RequestBuilder};
use rusty_s3::{
    Bucket, Credentials, Method, S3Action,
    actions::{CompleteMultipartUpload, CreateMultipartUpload},
    signing::sign,
};
use url::Url;

/// How long a signature is good.
pub(crate) const SIGNED: Duration = Duration::from_mins(10);

/// Requests at a time where many are made.
pub(crate) const AT_ONCE: usize = 16;

/// A question and what most of them answer.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    /// The answer in a few words.
    pub(crate) ask: for<'a> fn(&'a Asking<'a>) -> LocalBoxFuture<'a, Result<String>>,
    pub(crate) answer: &'static str,
    /// Who answers otherwise, each with its own answer. A difference that an uploader has to know has its reason beside it.
    pub(crate) otherwise: &'static [(Kind, &'static str)],
}

/// A bucket of a server, and whoever asks.
#[derive(Clone)]
pub(crate) struct Asking<'a> {
    pub(crate) server: &'a Server,
    pub(crate) http: Client,
    pub(crate) bucket: Bucket,
    pub(crate) keys: Credentials,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: String,
    pub(crate) length: Option<u64>,
    pub(crate) content_type: String,
    /// `Content-Range`.
    pub(crate) range: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `200`, or the status with S3's code, `403 AccessDenied`. An error that comes with 200 shows, too.
    pub(crate) fn short(&self) -> String {
        match tag(&self.text(), "Code").first() {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }
}

fn request(http: &Client, method: Method, url: Url, headers: &[(&str, &str)]) -> Result<RequestBuilder> {
    let mut request = http.request(method.to_str().parse()?, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Ok(request)
}

/// Answers in a line, one after the other.
pub(crate) fn line<const N: usize>(answers: [&Answer; N]) -> String {
    answers.map(Answer::short).join(", ")
}

/// Every content of this element, with its entities for quotes resolved.
pub(crate) fn tag(xml: &str, name: &str) -> Vec<String> {
    xml.split(&format!("<{name}>"))
        .skip(1)
        .filter_map(|rest| rest.split(&format!("</{name}>")).next())
        .map(|content| content.replace("&quot;", "").replace("&#34;", "").replace('"', ""))
        .collect()
}

pub(crate) fn md5_hex(data: &[u8]) -> String {
    lotse_tests::stored::hexadecimal(&Md5::digest(data))
}

impl Asking<'_> {
    pub(crate) fn new(server: &Server) -> Result<Asking<'_>> {
        let (bucket, keys) = server.access.by_hand()?;
        Ok(Asking {
            server,
            http: lotse_cloud::http_client()?,
            bucket,
            keys,
        })
    }

    /// The same, asked by somebody else.
    pub(crate) fn by(&self, key: &str, secret: &str) -> Self {
        Asking {
            keys: Credentials::new(key, secret),
            ..self.clone()
        }
    }

    /// The service's own address.
    pub(crate) fn service(&self) -> Url {
        self.server.access.endpoint.clone()
    }

    /// The address of a bucket.
    pub(crate) fn bucket_url(&self, name: &str) -> Result<Url> {
        Ok(self.service().join(name)?)
    }

    /// Any request, signed: rusty-s3 has an action for few of them.
    pub(crate) async fn signed(
        &self,
        method: Method,
        url: Url,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer> {
        let mut query = query.to_vec();
        query.sort_unstable();
        let url = sign(
            &jiff::Timestamp::now(),
            method,
            url,
            self.keys.key(),
            self.keys.secret(),
            None,
            self.bucket.region(),
            SIGNED.as_secs(),
            query.iter().copied(),
            headers.iter().copied(),
        );
        let mut request = request(&self.http, method, url, headers)?;
        // Radosgw wants to be told that there is no body.
        request = match (method, body) {
            (Method::Put | Method::Post, []) => request.header("content-length", 0),
            (_, []) => request,
            _ => request.body(body.to_vec()),
        };
        self.send(request).await
    }

    /// A request on the bucket, signed.
    pub(crate) async fn of_bucket(&self, method: Method, query: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        let url = self.bucket_url(self.bucket.name())?;
        self.signed(method, url, query, &[], body).await
    }

    /// Gives an object a ready-made right.
    pub(crate) async fn set_acl(&self, key: &str, acl: &str) -> Result<Answer> {
        let (url, headers) = (self.bucket.object_url(key), [("x-amz-acl", acl)]);
        self.signed(Method::Put, url, &[("acl", "")], &headers, b"").await
    }

    /// A request without a signature.
    pub(crate) async fn anonymous(&self, method: Method, url: Url, headers: &[(&str, &str)]) -> Result<Answer> {
        self.send(request(&self.http, method, url, headers)?).await
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        let answer = request.send().await?;
        let header = |name: &str| Some(answer.headers().get(name)?.to_str().ok()?.to_owned());
        Ok(Answer {
            status: answer.status().as_u16(),
            etag: header("etag").unwrap_or_default().trim_matches('"').to_owned(),
            length: header("content-length").and_then(|length| length.parse().ok()),
            content_type: header("content-type").unwrap_or_default(),
            range: header("content-range").unwrap_or_default(),
            body: answer.bytes().await?.to_vec(),
        })
    }

    /// Begins an upload.
    pub(crate) async fn begin_with(&self, key: &str, headers: &[(&'static str, &str)]) -> Result<Answer> {
        let mut action = self.bucket.create_multipart_upload(Some(&self.keys), key);
        for (name, value) in headers {
            action.headers_mut().insert(*name, (*value).to_owned());
        }
        let mut request = self.http.post(action.sign(SIGNED)).header("content-length", 0);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    /// Begins an upload and returns its id.
    pub(crate) async fn begin(&self, key: &str) -> Result<String> {
        let answer = self.begin_with(key, &[]).await?;
        let upload = CreateMultipartUpload::parse_response(&answer.text()).map_err(|error| format!("{error:?}"))?;
        Ok(upload.upload_id().to_owned())
    }

    pub(crate) async fn part(&self, key: &str, upload: &str, number: u16, data: &[u8]) -> Result<Answer> {
        let action = self.bucket.upload_part(Some(&self.keys), key, number, upload);
        self.send(self.http.put(action.sign(SIGNED)).body(data.to_vec())).await
    }

    pub(crate) async fn list(&self, key: &str, upload: &str, most: Option<u16>, after: Option<u16>) -> Result<Answer> {
        let mut action = self.bucket.list_parts(Some(&self.keys), key, upload);
        if let Some(most) = most {
            action.set_max_parts(most);
        }
        if let Some(after) = after {
            action.set_part_number_marker(after);
        }
        self.send(self.http.get(action.sign(SIGNED))).await
    }

    /// Completes with the parts in just the given order; rusty-s3 would number them itself.
    pub(crate) async fn complete(&self, key: &str, upload: &str, parts: &[(u16, &str)]) -> Result<Answer> {
        let none = std::iter::empty::<&str>();
        let action = CompleteMultipartUpload::new(&self.bucket, Some(&self.keys), key, upload, none);
        let parts: Vec<String> = parts
            .iter()
            .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag></Part>"))
            .collect();
        let body = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.concat());
        self.send(self.http.post(action.sign(SIGNED)).body(body)).await
    }

    pub(crate) async fn abort(&self, key: &str, upload: &str) -> Result<Answer> {
        let action = self.bucket.abort_multipart_upload(Some(&self.keys), key, upload);
        self.send(self.http.delete(action.sign(SIGNED))).await
    }

    pub(crate) async fn put(&self, key: &str, data: &[u8]) -> Result<Answer> {
        let action = self.bucket.put_object(Some(&self.keys), key);
        self.send(self.http.put(action.sign(SIGNED)).body(data.to_vec())).await
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Answer> {
        let action = self.bucket.get_object(Some(&self.keys), key);
        self.send(self.http.get(action.sign(SIGNED))).await
    }

    pub(crate) async fn head(&self, key: &str) -> Result<Answer> {
        let action = self.bucket.head_object(Some(&self.keys), key);
        self.send(self.http.head(action.sign(SIGNED))).await
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<Answer> {
        let action = self.bucket.delete_object(Some(&self.keys), key);
        self.send(self.http.delete(action.sign(SIGNED))).await
    }
}
