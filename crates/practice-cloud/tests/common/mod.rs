//! A client made of plain HTTP requests and rusty-s3's signatures: nothing of our own on the asking side.

#![expect(dead_code, reason = "each test program uses a part of it")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

use std::{path::Path, time::Duration};

use lotse_practice_cloud::{Access, PracticeCloud};
use reqwest::{Client, Response, StatusCode};
use rusty_s3::{
    Bucket, Credentials, Method, S3Action, UrlStyle,
    actions::{CompleteMultipartUpload, CreateMultipartUpload, UploadPart},
    signing::sign,
};
use serde_json::{Value, json};

/// How long a signature is good.
pub(crate) const SIGNED: Duration = Duration::from_mins(10);
/// The smallest part but the last.
pub(crate) const MIB5: usize = 5 * 1024 * 1024;

pub(crate) struct Cloud {
    pub(crate) server: PracticeCloud,
    pub(crate) http: Client,
    pub(crate) bucket: Bucket,
    pub(crate) keys: Credentials,
}

pub(crate) async fn start(folder: &Path) -> Cloud {
    let server = PracticeCloud::start(folder).await.unwrap();
    let access = server.access();
    let bucket = Bucket::new(
        access.s3_endpoint.clone(),
        UrlStyle::Path,
        access.bucket.clone(),
        access.s3_region.clone(),
    )
    .unwrap();
    let keys = Credentials::new(access.access_key.clone(), access.secret_key.clone());
    Cloud {
        http: client(),
        bucket,
        keys,
        server,
    }
}

pub(crate) fn client() -> Client {
    // reqwest wants one although nothing here uses TLS; the second test of a process finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

/// Bytes that repeat nowhere near, the same for the same seed.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}

/// The code in an S3 error.
pub(crate) async fn s3_code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    let code = body
        .split("<Code>")
        .nth(1)
        .and_then(|rest| rest.split("</Code>").next())
        .unwrap_or_default();
    (status, code.to_owned())
}

pub(crate) fn tag<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    xml.split(&format!("<{name}>"))
        .skip(1)
        .filter_map(|rest| rest.split(&format!("</{name}>")).next())
        .collect()
}

impl Cloud {
    pub(crate) fn access(&self) -> &Access {
        self.server.access()
    }

    pub(crate) async fn put(&self, key: &str, data: Vec<u8>) -> Response {
        let url = self.bucket.put_object(Some(&self.keys), key).sign(SIGNED);
        self.http.put(url).body(data).send().await.unwrap()
    }

    pub(crate) async fn get(&self, key: &str) -> Response {
        self.http
            .get(self.bucket.get_object(Some(&self.keys), key).sign(SIGNED))
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn get_anonymous(&self, key: &str) -> Response {
        self.http.get(self.bucket.object_url(key)).send().await.unwrap()
    }

    /// A request on the bucket itself. The query is sorted by name.
    pub(crate) async fn of_bucket(&self, method: Method, query: &[(&str, &str)], body: &str) -> Response {
        let url = self.sign(method, self.bucket.object_url(""), query, &[]);
        let method = method.to_str().parse::<reqwest::Method>().unwrap();
        self.http
            .request(method, url)
            .body(body.to_owned())
            .send()
            .await
            .unwrap()
    }

    /// Gives the object a ready-made right.
    pub(crate) async fn set_acl(&self, key: &str, acl: &str) -> Response {
        let url = self.sign(
            Method::Put,
            self.bucket.object_url(key),
            &[("acl", "")],
            &[("x-amz-acl", acl)],
        );
        self.http.put(url).header("x-amz-acl", acl).send().await.unwrap()
    }

    fn sign(&self, method: Method, url: url::Url, query: &[(&str, &str)], headers: &[(&str, &str)]) -> url::Url {
        let (key, secret) = (self.keys.key(), self.keys.secret());
        let (query, headers) = (query.iter().copied(), headers.iter().copied());
        let now = jiff::Timestamp::now();
        sign(
            &now,
            method,
            url,
            key,
            secret,
            None,
            self.bucket.region(),
            SIGNED.as_secs(),
            query,
            headers,
        )
    }

    /// A page of the bucket's listing.
    pub(crate) async fn list(&self, query: &[(&str, &str)]) -> String {
        let answer = self.of_bucket(Method::Get, query, "").await;
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    }

    pub(crate) async fn delete(&self, key: &str) -> StatusCode {
        let url = self.bucket.delete_object(Some(&self.keys), key).sign(SIGNED);
        self.http.delete(url).send().await.unwrap().status()
    }

    /// Begins an upload and returns its id.
    pub(crate) async fn begin(&self, key: &str, public: bool) -> String {
        let mut action = self.bucket.create_multipart_upload(Some(&self.keys), key);
        if public {
            action.headers_mut().insert("x-amz-acl", "public-read");
        }
        let mut request = self.http.post(action.sign(SIGNED));
        if public {
            request = request.header("x-amz-acl", "public-read");
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        CreateMultipartUpload::parse_response(&answer.text().await.unwrap())
            .unwrap()
            .upload_id()
            .to_owned()
    }

    pub(crate) async fn part(&self, key: &str, upload: &str, number: u16, data: Vec<u8>) -> Response {
        let action: UploadPart<'_> = self.bucket.upload_part(Some(&self.keys), key, number, upload);
        self.http.put(action.sign(SIGNED)).body(data).send().await.unwrap()
    }

    /// Sends a part and returns its ETag without quotes.
    pub(crate) async fn part_etag(&self, key: &str, upload: &str, number: u16, data: Vec<u8>) -> String {
        let answer = self.part(key, upload, number, data).await;
        assert_eq!(answer.status(), 200);
        answer.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned()
    }

    pub(crate) async fn list_parts(&self, key: &str, upload: &str) -> Response {
        let url = self.bucket.list_parts(Some(&self.keys), key, upload).sign(SIGNED);
        self.http.get(url).send().await.unwrap()
    }

    /// Completes with parts in just the given order; rusty-s3 would number them itself.
    pub(crate) async fn complete(&self, key: &str, upload: &str, parts: &[(u16, &str)]) -> Response {
        let action =
            CompleteMultipartUpload::new(&self.bucket, Some(&self.keys), key, upload, std::iter::empty::<&str>());
        let parts: Vec<String> = parts
            .iter()
            .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag></Part>"))
            .collect();
        let body = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.concat());
        self.http.post(action.sign(SIGNED)).body(body).send().await.unwrap()
    }

    pub(crate) async fn abort(&self, key: &str, upload: &str) -> Response {
        let url = self
            .bucket
            .abort_multipart_upload(Some(&self.keys), key, upload)
            .sign(SIGNED);
        self.http.delete(url).send().await.unwrap()
    }

    pub(crate) fn sign_in_body(&self, password: &str) -> Value {
        let access = self.access();
        let domain = json!({"id": access.domain});
        json!({"auth": {
            "identity": {"methods": ["password"],
                "password": {"user": {"name": access.user, "domain": domain, "password": password}}},
            "scope": {"project": {"name": access.project, "domain": domain}}}})
    }

    pub(crate) async fn post_tokens(&self, body: &Value) -> Response {
        self.http
            .post(format!("{}/auth/tokens", self.access().auth_url))
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// Signs in and returns the image service of each region by its name.
    pub(crate) async fn sign_in(&self) -> Glance {
        let answer = self.post_tokens(&self.sign_in_body(&self.access().password)).await;
        assert_eq!(answer.status(), 201);
        let token = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
        let body: Value = answer.json().await.unwrap();
        let services = body["token"]["catalog"].as_array().unwrap().clone();
        let image = services.iter().find(|service| service["type"] == "image").unwrap();
        let url = |region: &str| {
            let endpoints = image["endpoints"].as_array().unwrap();
            let endpoint = endpoints
                .iter()
                .find(|endpoint| endpoint["region"] == region && endpoint["interface"] == "public")
                .unwrap();
            format!("{}/v2", endpoint["url"].as_str().unwrap())
        };
        Glance {
            http: self.http.clone(),
            token,
            north: url("practice-north"),
            south: url("practice-south"),
        }
    }
}

pub(crate) struct Glance {
    pub(crate) http: Client,
    pub(crate) token: String,
    pub(crate) north: String,
    pub(crate) south: String,
}

impl Glance {
    pub(crate) fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        self.http.request(method, url).header("X-Auth-Token", &self.token)
    }

    pub(crate) async fn get(&self, url: String) -> Response {
        self.request(reqwest::Method::GET, &url).send().await.unwrap()
    }

    pub(crate) async fn get_json(&self, url: String) -> Value {
        let answer = self.get(url).await;
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    pub(crate) async fn create(&self, service: &str, body: &Value) -> Response {
        self.request(reqwest::Method::POST, &format!("{service}/images"))
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// Makes an image and returns its id.
    pub(crate) async fn image(&self, service: &str, name: &str) -> String {
        let answer = self
            .create(
                service,
                &json!({"name": name, "disk_format": "raw", "container_format": "bare"}),
            )
            .await;
        assert_eq!(answer.status(), 201);
        answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn put_file(&self, service: &str, id: &str, data: impl Into<reqwest::Body>) -> Response {
        self.request(reqwest::Method::PUT, &format!("{service}/images/{id}/file"))
            .header("Content-Type", "application/octet-stream")
            .body(data)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn import(&self, service: &str, id: &str, uri: &str) -> Response {
        self.request(reqwest::Method::POST, &format!("{service}/images/{id}/import"))
            .json(&json!({"method": {"name": "web-download", "uri": uri}}))
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn patch(&self, service: &str, id: &str, operations: &Value) -> Response {
        self.request(reqwest::Method::PATCH, &format!("{service}/images/{id}"))
            .header("Content-Type", "application/openstack-images-v2.1-json-patch")
            .body(operations.to_string())
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn delete(&self, service: &str, id: &str) -> StatusCode {
        self.request(reqwest::Method::DELETE, &format!("{service}/images/{id}"))
            .send()
            .await
            .unwrap()
            .status()
    }

    pub(crate) async fn tasks(&self, service: &str, id: &str) -> Vec<Value> {
        self.get_json(format!("{service}/images/{id}/tasks")).await["tasks"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// Waits until the last task has ended, and returns task and image.
    pub(crate) async fn ended(&self, service: &str, id: &str) -> (Value, Value) {
        for _ in 0..600 {
            let task = self.tasks(service, id).await.pop().unwrap();
            if task["status"] == "success" || task["status"] == "failure" {
                return (task, self.get_json(format!("{service}/images/{id}")).await);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the import did not end");
    }
}
