//! Requests to an S3 server made by hand: nothing of the program's own client, so that a server's habits show as they are.

use std::time::Duration;

use lotse_tests::{Result, servers::Server};
use md5::{Digest as _, Md5};
use reqwest::{Client, RequestBuilder};
use rusty_s3::{
    Bucket, Credentials, S3Action,
    actions::{CompleteMultipartUpload, CreateMultipartUpload},
};

/// How long a signature is good.
pub(crate) const SIGNED: Duration = Duration::from_mins(10);

/// A bucket of a server, and whoever asks.
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

    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        let answer = request.send().await?;
        let header = |name: &str| Some(answer.headers().get(name)?.to_str().ok()?.to_owned());
        Ok(Answer {
            status: answer.status().as_u16(),
            etag: header("etag").unwrap_or_default().trim_matches('"').to_owned(),
            length: header("content-length").and_then(|length| length.parse().ok()),
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
