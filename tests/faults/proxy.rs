//! The proxy itself.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{Notify, watch},
    task::JoinSet,
};
use url::Url;

use super::{
    body::{After, Body, Error, Passing, full},
    script::{Asked, End, Fault, Script},
    wire::Wire,
};
use crate::{Result, servers::free_port};

/// Small, so that a client soon notices that nobody reads.
const RECEIVE_BUFFER: u32 = 32 << 10;

/// By so much S3 lets a signature's time differ from its own.
const TOLERATED: SignedDuration = SignedDuration::from_mins(15);

/// What came in: bytes of bodies and requests, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes of parts that were read from the client, whether they came to anything or not.
    pub part_bytes: u64,
    /// Requests.
    pub requests: BTreeMap<Asked, u32>,
    /// Requests that something happened to.
    pub faults: u32,
}

/// A proxy in front of one server. It ends when it is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: tokio::task::JoinHandle<()>,
}

struct Shared {
    server: Url,
    client: Client<HttpConnector, Body>,
    state: Mutex<State>,
    /// Wakes whoever accepts connections: the network goes or comes back.
    changed: Notify,
    /// True while a request is held.
    held: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    script: Script,
    sent: Sent,
    /// Another one with each [`Proxy::play`]: what is still on the way does not count then.
    part_bytes: Arc<AtomicU64>,
    offline: bool,
    /// Moments that have passed.
    moments: u64,
}

impl Proxy {
    /// A proxy that lets everything pass. To be called where tokio runs.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(server: &Url) -> Result<Proxy> {
        // Not of the system's choice: the port must still be free when the network comes back.
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let shared = Arc::new(Shared {
            server: server.clone(),
            // A connection for each request: none that the server has closed meanwhile.
            client: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build_http(),
            state: Mutex::default(),
            changed: Notify::new(),
            held: watch::Sender::new(false),
        });
        let listener = listen(address)?;
        let accepting = tokio::spawn(accept(shared.clone(), address, listener));
        Ok(Proxy {
            shared,
            address,
            accepting,
        })
    }

    /// Its address.
    ///
    /// # Errors
    /// Never for an address that the proxy has.
    pub fn url(&self) -> Result<Url> {
        Ok(format!("http://{}", self.address).parse()?)
    }

    /// From now on this happens; counting begins anew.
    pub fn play(&self, script: impl Into<Script>) {
        let mut state = self.shared.state();
        state.script = script.into();
        state.sent = Sent::default();
        state.part_bytes = Arc::default();
        state.moments = 0;
        self.shared.held.send_replace(false);
    }

    /// From now on this happens; counting goes on.
    pub fn go_on(&self, script: impl Into<Script>) {
        let mut state = self.shared.state();
        state.script = script.into();
        state.moments = 0;
        self.shared.held.send_replace(false);
    }

    /// Waits until a request is held.
    pub async fn held(&self) {
        // The sender lives as long as this.
        _ = self.shared.held.subscribe().wait_for(|held| *held).await;
    }

    /// Lets the held request go on.
    pub fn release(&self) {
        self.shared.held.send_replace(false);
    }

    /// What came in since [`Proxy::play`].
    pub fn sent(&self) -> Sent {
        let state = self.shared.state();
        Sent {
            part_bytes: state.part_bytes.load(Ordering::Relaxed),
            ..state.sent.clone()
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request is at a moment at which it may be held.
    async fn moment(&self) {
        let held = {
            let mut state = self.state();
            state.moments += 1;
            state.script.hold == Some(state.moments)
        };
        if held {
            self.hold().await;
        }
    }

    async fn hold(&self) {
        let mut released = self.held.subscribe();
        self.held.send_replace(true);
        _ = released.wait_for(|held| !held).await;
    }

    fn set_offline(&self, offline: bool) {
        self.state().offline = offline;
        self.changed.notify_one();
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Inherited by the connections.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(address)?;
    Ok(socket.listen(128)?)
}

/// Takes connections while the network is there. They end with this task.
async fn accept(shared: Arc<Shared>, address: SocketAddr, listener: TcpListener) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    let mut wires: Vec<Wire> = Vec::new();
    loop {
        let offline = shared.state().offline;
        if offline {
            listener = None;
            wires.drain(..).for_each(|wire| wire.end(End::Reset));
        } else if listener.is_none() {
            listener = listen(address).ok();
        }
        tokio::select! {
            () = shared.changed.notified() => {}
            accepted = accepted(listener.as_ref()) => {
                let Ok((stream, _)) = accepted else { continue };
                let (wire, shared) = (Wire::default(), shared.clone());
                wires.push(wire.clone());
                let serving = wire.clone();
                let service = service_fn(move |request| -> futures::future::BoxFuture<'static, _> {
                    let (shared, wire) = (shared.clone(), wire.clone());
                    Box::pin(async move { serve(shared, wire, request).await })
                });
                connections.spawn(serving.serve(stream, service));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accepted(listener: Option<&TcpListener>) -> std::io::Result<(tokio::net::TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn serve(
    shared: Arc<Shared>,
    wire: Wire,
    request: Request<Incoming>,
) -> std::result::Result<Response<Body>, Infallible> {
    let asked = Asked::of(request.method(), request.uri().query().unwrap_or_default());
    let (fault, part_bytes) = {
        let mut state = shared.state();
        *state.sent.requests.entry(asked).or_default() += 1;
        let fault = state.script.next(asked);
        state.sent.faults += u32::from(fault.is_some());
        (fault, state.part_bytes.clone())
    };
    let request = request.map(|body| {
        let passing = Passing::new(body.map_err(Error::from).boxed_unsync());
        if asked == Asked::Part {
            passing.counted(part_bytes)
        } else {
            passing
        }
    });
    shared.moment().await;
    match exchange(&shared, &wire, request, fault).await {
        Ok(response) => {
            shared.moment().await;
            Ok(response)
        }
        Err(error) => {
            // The server went away, or was cut off: so is the client.
            tracing::debug!(%error, "not passed on");
            wire.end(End::Close);
            std::future::pending().await
        }
    }
}

async fn exchange(
    shared: &Arc<Shared>,
    wire: &Wire,
    request: Request<Passing>,
    fault: Option<Fault>,
) -> std::result::Result<Response<Body>, Error> {
    let Some(fault) = fault else {
        return pass(shared, request).await;
    };
    match fault {
        Fault::CutRequest { after, end } => {
            let cut = After::End(wire.clone(), end);
            if after == 0 {
                wire.end(end);
            }
            pass(shared, request.map(|body| body.fault(after, cut))).await?;
            wire.end(end);
            std::future::pending().await
        }
        Fault::NeverAnswer => {
            _ = request.into_body().collect().await;
            std::future::pending().await
        }
        Fault::StopReading { after } => pass(shared, request.map(|body| body.fault(after, After::Nothing))).await,
        Fault::LoseAnswer(end) => {
            let answer = pass(shared, request).await?;
            _ = answer.into_body().collect().await;
            wire.end(end);
            std::future::pending().await
        }
        Fault::TruncateAnswer { after } => {
            let (parts, body) = pass(shared, request).await?.into_parts();
            let body = Passing::new(full(body.collect().await?.to_bytes()));
            let after = u64::try_from(after).unwrap_or(u64::MAX);
            let cut = body.fault(after, After::End(wire.clone(), End::Close));
            if after == 0 {
                wire.end(End::Close);
            }
            Ok(Response::from_parts(parts, cut.boxed_unsync()))
        }
        Fault::CorruptAnswer => {
            let (mut parts, body) = pass(shared, request).await?.into_parts();
            let body = damaged(&body.collect().await?.to_bytes());
            if let Some(etag) = parts.headers.get_mut(header::ETAG) {
                *etag = HeaderValue::from_bytes(&damaged(etag.as_bytes()))?;
            }
            Ok(Response::from_parts(parts, full(body)))
        }
        Fault::CorruptRequest => pass(shared, request.map(|body| body.fault(10, After::OtherByte))).await,
        Fault::Refuse {
            status,
            code,
            retry_after,
        } => {
            _ = request.into_body().collect().await;
            Ok(refusal(status, code, retry_after, None)?)
        }
        Fault::HotelPage(status) => {
            _ = request.into_body().collect().await;
            let page = "<html><body>Welcome to our hotel. Please accept the terms.</body></html>";
            Ok(Response::builder()
                .status(status)
                .header(header::CONTENT_TYPE, "text/html")
                .body(full(page))?)
        }
        Fault::Twice => {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let again = || Request::from_parts(parts.clone(), Passing::new(full(body.clone())));
            _ = pass(shared, again()).await?.into_body().collect().await;
            pass(shared, again()).await
        }
        Fault::Slow(rate) => {
            let answer = pass(shared, request.map(|body| body.slow(rate))).await?;
            Ok(answer.map(|body| Passing::new(body).slow(rate).boxed_unsync()))
        }
        Fault::Hold => {
            shared.hold().await;
            pass(shared, request).await
        }
        Fault::Late(time) => {
            tokio::time::sleep(time).await;
            pass(shared, request).await
        }
        Fault::Offline(time) => {
            shared.set_offline(true);
            let shared = shared.clone();
            // Outlives the connection that it ends.
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                shared.set_offline(false);
            });
            std::future::pending().await
        }
        Fault::ClockAhead(ahead) => {
            let now = Timestamp::now() + ahead;
            // What is not signed has no time.
            if signed_at(&request).is_none_or(|signed| signed.duration_since(now).abs() <= TOLERATED) {
                let mut answer = pass(shared, request).await?;
                answer.headers_mut().insert(header::DATE, http_date(now).try_into()?);
                return Ok(answer);
            }
            _ = request.into_body().collect().await;
            Ok(refusal(403, "RequestTimeTooSkewed", None, Some(now))?)
        }
    }
}

async fn pass(shared: &Shared, request: Request<Passing>) -> std::result::Result<Response<Body>, Error> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let server = shared.server.as_str().trim_end_matches('/');
    parts.uri = format!("{server}{path}").parse()?;
    // The client's `Host` stays: it is signed.
    let request = Request::from_parts(parts, body.boxed_unsync());
    let answer = shared.client.request(request).await?;
    Ok(answer.map(|body| body.map_err(Error::from).boxed_unsync()))
}

/// One letter is another one, somewhere in the middle; still text.
fn damaged(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    let middle = data.len() / 2;
    if let Some(byte) = data.get_mut(middle) {
        *byte = if *byte == b'0' { b'1' } else { b'0' };
    }
    data
}

fn refusal(
    status: u16,
    code: &str,
    retry_after: Option<u64>,
    date: Option<Timestamp>,
) -> std::result::Result<Response<Body>, Error> {
    let mut answer = Response::builder().status(StatusCode::from_u16(status)?);
    if let Some(seconds) = retry_after {
        answer = answer.header(header::RETRY_AFTER, seconds);
    }
    if let Some(date) = date {
        answer = answer.header(header::DATE, http_date(date));
    }
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>by the script</Message><RequestId>script</RequestId></Error>"
    );
    Ok(answer
        .header(header::CONTENT_TYPE, "application/xml")
        .body(full(Bytes::from(body)))?)
}

fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// For when the request is signed (`X-Amz-Date`, in the query or as a header).
fn signed_at<B>(request: &Request<B>) -> Option<Timestamp> {
    let query = request.uri().query().unwrap_or_default();
    let in_query = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Date="));
    let in_header = request.headers().get("x-amz-date").and_then(|date| date.to_str().ok());
    let date = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", in_query.or(in_header)?).ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}
