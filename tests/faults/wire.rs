//! One connection of a client: how it ends is decided while requests are served.

use std::{
    future::poll_fn,
    sync::{Arc, OnceLock},
};

use futures::future::BoxFuture;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Notify};

use super::{body::Body, script::End};

/// Ends a connection, from whatever serves it.
#[derive(Debug, Clone, Default)]
pub(super) struct Wire(Arc<Ending>);

#[derive(Debug, Default)]
struct Ending {
    how: OnceLock<End>,
    decided: Notify,
}

impl Wire {
    /// The connection is over.
    pub(super) fn end(&self, how: End) {
        // The first decision counts.
        _ = self.0.how.set(how);
        self.0.decided.notify_one();
    }

    async fn ended(&self) -> End {
        loop {
            if let Some(how) = self.0.how.get() {
                return *how;
            }
            self.0.decided.notified().await;
        }
    }

    /// Serves until the client goes away or the connection is ended.
    pub(super) async fn serve<S>(self, stream: TcpStream, service: S)
    where
        S: Service<
                Request<Incoming>,
                Response = Response<Body>,
                Error = std::convert::Infallible,
                Future = BoxFuture<'static, Result<Response<Body>, std::convert::Infallible>>,
            >,
    {
        let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let how = tokio::select! {
            biased;
            how = self.ended() => how,
            // Why a client went away is its own affair.
            _ = poll_fn(|context| std::pin::Pin::new(&mut connection).poll(context)) => return,
        };
        let stream = connection.into_parts().io.into_inner();
        if how == End::Reset {
            _ = stream.set_zero_linger();
        }
    }
}
