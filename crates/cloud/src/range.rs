//! A file on a web server as a source of disk images: ranges by HTTP, so that only what the check looks at is fetched.
//! RFC 9110, 14 "Range Requests" and 13.1.5 "If-Range".

use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use lotse_disk::{Error, Fetch, Kind};
use reqwest::{
    Client, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_RANGE, LAST_MODIFIED,
        LOCATION, RANGE,
    },
};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};
use url::Url;

use crate::{CloudError, http::reason};

/// Redirects that are followed one after another. Browsers follow 20; a download page needs 2 or 3.
const MOST_REDIRECTS: usize = 10;

/// How long the server may be silent, before its answer and within it.
const SILENCE: Duration = Duration::from_secs(30);

/// How often in a row a range may bring no byte before it is given up.
const ATTEMPTS: u32 = 4;

/// Before the second attempt; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// A file on a web server that answers requests for ranges. Clones share what is known about it.
///
/// `fetch` blocks: it is called by threads of their own (`spawn_blocking`), never by one that drives the runtime.
#[derive(Clone)]
pub struct RangeFile {
    shared: Arc<Shared>,
    runtime: Handle,
}

struct Shared {
    client: Client,
    /// As it was given; may be signed, so it is never shown.
    url: Url,
    /// Where its redirects led the last time.
    place: Mutex<Url>,
    len: u64,
    version: Version,
}

/// What tells one version of the file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    etag: Option<String>,
    modified: Option<String>,
}

impl Version {
    fn of(headers: &HeaderMap) -> Version {
        Version {
            etag: header(headers, ETAG),
            modified: header(headers, LAST_MODIFIED),
        }
    }

    /// What `If-Range` may hold: RFC 9110 wants a strong validator. A date is only strong if it is old enough, which an
    /// honest server checks.
    fn strong(&self) -> Option<&str> {
        match &self.etag {
            Some(etag) => Some(etag.as_str()).filter(|etag| !etag.starts_with("W/")),
            None => self.modified.as_deref(),
        }
    }
}

impl RangeFile {
    /// Asks the server for the file's first byte, which tells its length and whether ranges are answered. A HEAD request
    /// would not do: many servers refuse it, and an address signed for GET is refused for anything else.
    ///
    /// `client` is one of [`http_client`](crate::http_client): it follows no redirects by itself.
    ///
    /// # Errors
    /// `http_address_invalid`, `http_no_ranges`, `http_empty`, `http_forbidden`, `http_not_found`, `http_rejected`,
    /// `http_redirect_refused`, `http_answer_invalid`; worth another try: `http_unreachable`, `http_timeout`,
    /// `http_busy`, `http_server_error`.
    pub async fn open(client: Client, url: Url) -> Result<RangeFile, CloudError> {
        if !is_web(&url) {
            return Err(CloudError::new("http_address_invalid"));
        }
        let (response, place) = get(&client, &url, 0..1, None).await?;
        let headers = response.headers();
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {}
            // The whole file comes instead; the connection is given up unread.
            StatusCode::OK => return Err(CloudError::new("http_no_ranges")),
            StatusCode::RANGE_NOT_SATISFIABLE => return Err(CloudError::new("http_empty")),
            status => return Err(refusal(status)),
        }
        let (_, len) = content_range(headers)?;
        let version = Version::of(headers);
        let shared = Shared {
            client,
            url,
            place: Mutex::new(place),
            len,
            version,
        };
        Ok(RangeFile {
            shared: Arc::new(shared),
            runtime: Handle::current(),
        })
    }
}

impl Fetch for RangeFile {
    fn len(&self) -> u64 {
        self.shared.len
    }

    fn fetch(&self, range: Range<u64>) -> lotse_disk::Result<Vec<u8>> {
        let (send, receive) = mpsc::sync_channel(1);
        let shared = Arc::clone(&self.shared);
        self.runtime.spawn(async move {
            // Nobody waits for it any more: then there is nobody to tell.
            _ = send.send(shared.fetch(range).await);
        });
        // The sender is gone without a word when the program ends.
        receive
            .recv()
            .unwrap_or_else(|_| Err(CloudError::new("cancelled")))
            .map_err(|error| for_disk(&error))
    }
}

impl Shared {
    /// The bytes of a range, fetched on from where the connection broke.
    async fn fetch(&self, range: Range<u64>) -> Result<Vec<u8>, CloudError> {
        let mut bytes = Vec::new();
        let mut attempt = 0;
        loop {
            let before = bytes.len();
            let rest = range.start.saturating_add(before as u64)..range.end;
            let error = match self.fetch_once(rest, &mut bytes).await {
                Ok(()) => return Ok(bytes),
                Err(error) => error,
            };
            // Some bytes came: that is worth a fresh start.
            attempt = if bytes.len() > before { 1 } else { attempt + 1 };
            if !error.retryable || attempt >= ATTEMPTS {
                return Err(error);
            }
            sleep(FIRST_PAUSE * 2_u32.pow(attempt - 1)).await;
        }
    }

    /// Adds what comes of a range to `bytes`; an error unless all of it came.
    async fn fetch_once(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<(), CloudError> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let version = self.version.strong();
        let (mut response, mut place) = get(&self.client, &place, range.clone(), version).await?;
        if is_lost(response.status()) && place != self.url {
            // The address that a redirect leads to is often good for some minutes only.
            (response, place) = get(&self.client, &self.url, range.clone(), version).await?;
        }
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {}
            // `If-Range` did not hold, or the file has become too short.
            StatusCode::OK | StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PRECONDITION_FAILED => {
                return Err(CloudError::new("http_changed"));
            }
            status => return Err(refusal(status)),
        }
        let (answered, len) = content_range(response.headers())?;
        if len != self.len || Version::of(response.headers()) != self.version {
            return Err(CloudError::new("http_changed"));
        }
        if answered.start != range.start {
            return Err(CloudError::new("http_answer_invalid").with("reason", &"Content-Range"));
        }
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
        let mut left = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        while left > 0 {
            let chunk = timeout(SILENCE, response.chunk()).await.map_err(|_| no_answer())?;
            let Some(chunk) = chunk.map_err(unreachable)? else {
                return Err(CloudError::new("http_truncated").retryable());
            };
            let wanted = chunk.get(..chunk.len().min(left)).unwrap_or_default();
            bytes.extend_from_slice(wanted);
            left -= wanted.len();
        }
        Ok(())
    }
}

/// Asks for a range, follows redirects, and tells where the answer came from.
async fn get(
    client: &Client,
    url: &Url,
    range: Range<u64>,
    version: Option<&str>,
) -> Result<(Response, Url), CloudError> {
    let mut place = url.clone();
    for _ in 0..=MOST_REDIRECTS {
        let last = range.end.saturating_sub(1);
        let mut request = client
            .get(place.clone())
            .header(RANGE, format!("bytes={}-{last}", range.start))
            // A range of a file that the server packs for the way would be one of other bytes.
            .header(ACCEPT_ENCODING, "identity");
        if let Some(version) = version {
            request = request.header(IF_RANGE, version);
        }
        let response = timeout(SILENCE, request.send())
            .await
            .map_err(|_| no_answer())?
            .map_err(unreachable)?;
        let headers = response.headers();
        if !is_redirect(response.status()) {
            let encoding = header(headers, CONTENT_ENCODING);
            if response.status() == StatusCode::PARTIAL_CONTENT && encoding.is_some_and(|word| word != "identity") {
                return Err(CloudError::new("http_answer_invalid").with("reason", &"Content-Encoding"));
            }
            return Ok((response, place));
        }
        let target = header(headers, LOCATION).and_then(|target| place.join(&target).ok());
        place = match target {
            // From https, a redirect to http would hand the request to whoever listens.
            Some(target) if is_web(&target) && (place.scheme() == "http" || target.scheme() == "https") => target,
            _ => return Err(CloudError::new("http_redirect_refused")),
        };
    }
    Err(CloudError::new("http_redirect_refused"))
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// May the address have run out?
fn is_lost(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 404 | 410)
}

/// `Content-Range: bytes 0-0/1234`: which bytes these are, and of how many.
fn content_range(headers: &HeaderMap) -> Result<(Range<u64>, u64), CloudError> {
    let value = header(headers, CONTENT_RANGE);
    let parse = |value: &str| {
        let (range, len) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.trim().split_once('-')?;
        let (first, last, len): (u64, u64, u64) = (first.parse().ok()?, last.parse().ok()?, len.parse().ok()?);
        (first <= last && last < len).then_some((first..last.saturating_add(1), len))
    };
    value
        .as_deref()
        .and_then(parse)
        .ok_or_else(|| CloudError::new("http_answer_invalid").with("reason", &"Content-Range"))
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// What a status other than the hoped-for says.
fn refusal(status: StatusCode) -> CloudError {
    let error = match status.as_u16() {
        401 | 403 => CloudError::new("http_forbidden"),
        404 | 410 => CloudError::new("http_not_found"),
        408 => CloudError::new("http_timeout").retryable(),
        429 | 503 => CloudError::new("http_busy").retryable(),
        500.. => CloudError::new("http_server_error").retryable(),
        _ => CloudError::new("http_rejected"),
    };
    error.with("status", &status.as_u16())
}

fn no_answer() -> CloudError {
    CloudError::new("http_timeout").retryable()
}

fn unreachable(error: reqwest::Error) -> CloudError {
    if error.is_timeout() {
        return no_answer();
    }
    // A body that ends before its length is one as well.
    let code = if error.is_body() || error.is_decode() {
        "http_truncated"
    } else {
        "http_unreachable"
    };
    CloudError::new(code).with("reason", &reason(error)).retryable()
}

/// The same error in the words of `disk`, whose readers hand it on.
fn for_disk(error: &CloudError) -> Error {
    let mut told = Error::new(Kind::Io, error.code);
    for name in ["status", "reason"] {
        if let Some(value) = error.params.get(name) {
            told = told.with(name, value);
        }
    }
    told
}

impl fmt::Debug for RangeFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RangeFile")
            .field("host", &self.shared.url.host_str())
            .field("len", &self.shared.len)
            .finish_non_exhaustive()
    }
}
