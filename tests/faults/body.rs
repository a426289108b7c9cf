//! Bodies on their way through: counted, cut, slowed, damaged.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;

use super::{script::End, wire::Wire};

pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;
/// Any body.
pub(super) type Body = UnsyncBoxBody<Bytes, Error>;

pub(super) fn full(data: impl Into<Bytes>) -> Body {
    Full::new(data.into()).map_err(Error::from).boxed_unsync()
}

/// What a body meets after some bytes.
#[derive(Debug, Clone)]
pub(super) enum After {
    /// The connection of the client ends.
    End(Wire, End),
    /// Nothing ever comes.
    Nothing,
    /// One byte is another one.
    OtherByte,
}

/// A body that is counted and to which something may happen.
pub(super) struct Passing {
    inner: Body,
    counted: Option<Arc<AtomicU64>>,
    passed: u64,
    fault: Option<(u64, After)>,
    /// Bytes a second, and the wait until the next may pass.
    slow: Option<u64>,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Passing {
    pub(super) fn new(inner: Body) -> Passing {
        Passing {
            inner,
            counted: None,
            passed: 0,
            fault: None,
            slow: None,
            wait: None,
        }
    }

    /// Adds every byte to this counter.
    pub(super) fn counted(self, counter: Arc<AtomicU64>) -> Passing {
        Passing {
            counted: Some(counter),
            ..self
        }
    }

    /// After so many bytes this happens.
    pub(super) fn fault(self, after: u64, what: After) -> Passing {
        Passing {
            fault: Some((after, what)),
            ..self
        }
    }

    /// So many bytes a second.
    pub(super) fn slow(self, rate: u64) -> Passing {
        Passing {
            slow: Some(rate.max(1)),
            ..self
        }
    }

    fn data(&mut self, data: Bytes) -> Result<Bytes, Error> {
        let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let before = self.passed;
        self.passed += size;
        match &self.fault {
            Some((after, After::End(..))) if self.passed >= *after => {
                let keep = usize::try_from(after.saturating_sub(before)).unwrap_or(0);
                if keep > 0 {
                    // The rest of it ends the connection.
                    return Ok(data.slice(..keep.min(data.len())));
                }
                Err("cut".into())
            }
            Some((after, After::OtherByte)) if before <= *after && self.passed > *after => {
                let at = usize::try_from(after.saturating_sub(before)).unwrap_or(0);
                let mut other = data.to_vec();
                if let Some(byte) = other.get_mut(at) {
                    *byte ^= 1;
                }
                Ok(other.into())
            }
            _ => Ok(data),
        }
    }
}

impl HttpBody for Passing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        match &this.fault {
            Some((after, After::End(wire, end))) if this.passed >= *after => {
                wire.end(*end);
                return Poll::Ready(Some(Err("cut".into())));
            }
            // Nobody wakes this again: that is what it means.
            Some((after, After::Nothing)) if this.passed >= *after => return Poll::Pending,
            _ => {}
        }
        if let Some(wait) = &mut this.wait {
            ready!(wait.as_mut().poll(context));
            this.wait = None;
        }
        let frame = match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            Some(Ok(frame)) => frame,
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(other) => return Poll::Ready(Some(Ok(other))),
        };
        let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if let Some(counter) = &this.counted {
            counter.fetch_add(size, Ordering::Relaxed);
        }
        if let Some(rate) = this.slow {
            let takes = Duration::from_micros(size.saturating_mul(1_000_000) / rate);
            this.wait = Some(Box::pin(tokio::time::sleep(takes)));
        }
        Poll::Ready(Some(this.data(data).map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.fault.is_none() && self.wait.is_none() && self.inner.is_end_stream()
    }
}
