//! What the proxy does to which request.

use std::time::Duration;

use crate::random::Random;

/// What a request wants of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Asked {
    /// Opening an upload.
    Begin,
    /// A part.
    Part,
    /// The list of an upload's parts.
    List,
    /// The list of a bucket's open uploads.
    Uploads,
    /// Putting the object together.
    Complete,
    /// Throwing an upload away.
    Abort,
    /// The finished object's size and mark.
    Head,
    /// Anything else.
    Other,
}

impl Asked {
    /// Tells it by method and query, as the S3 API reference gives them.
    pub(super) fn of(method: &http::Method, query: &str) -> Asked {
        let has = |name: &str| {
            query
                .split('&')
                .any(|pair| pair == name || pair.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
        };
        match *method {
            http::Method::POST if has("uploads") => Asked::Begin,
            http::Method::POST if has("uploadId") => Asked::Complete,
            http::Method::PUT if has("uploadId") => Asked::Part,
            http::Method::GET if has("uploadId") => Asked::List,
            http::Method::GET if has("uploads") => Asked::Uploads,
            http::Method::DELETE if has("uploadId") => Asked::Abort,
            http::Method::HEAD => Asked::Head,
            _ => Asked::Other,
        }
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Closed, as by a server that goes away (FIN).
    Close,
    /// Reset, as by a router that forgot the connection (RST).
    Reset,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends after so many bytes of the request's body; the server got those.
    CutRequest {
        /// Bytes of the body that come through.
        after: u64,
        /// How the connection ends then.
        end: End,
    },
    /// Everything is taken, nothing passed on, nothing answered.
    NeverAnswer,
    /// After so many bytes of the request's body nothing is read any more.
    StopReading {
        /// Bytes of the body that come through.
        after: u64,
    },
    /// The server does its work; then the connection ends.
    LoseAnswer(End),
    /// The server does its work; of the answer's body so many bytes come.
    TruncateAnswer {
        /// Bytes of the answer's body that come through.
        after: usize,
    },
    /// The server does its work; the answer, with its `ETag`, comes damaged.
    CorruptAnswer,
    /// A byte of the request's body is another one when it reaches the server.
    CorruptRequest,
    /// The server never hears of it, but this is answered.
    Refuse {
        /// HTTP's status.
        status: u16,
        /// S3's code.
        code: &'static str,
        /// Seconds, for `Retry-After`.
        retry_after: Option<u64>,
    },
    /// What no S3 service says: a hotel's page, with this status.
    HotelPage(u16),
    /// The request is sent on twice; the second answer counts.
    Twice,
    /// Held until it is let go ([`super::Proxy::held`], [`super::Proxy::release`]); then passed on.
    Hold,
    /// So many bytes a second, both ways.
    Slow(u64),
    /// Passed on after this time.
    Late(Duration),
    /// All connections are reset and new ones refused for this time.
    Offline(Duration),
    /// The server's clock is ahead by this: what is signed for another time by more than 15 minutes is refused, as S3 does.
    ClockAhead(Duration),
}

/// A fault for some requests.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Which; `None` is all.
    pub on: Option<Asked>,
    /// So many of them pass first.
    pub skip: u32,
    /// So many are hit then.
    pub times: u32,
    /// By this.
    pub fault: Fault,
}

impl Rule {
    /// The first request of this kind.
    pub fn first(on: Asked, fault: Fault) -> Rule {
        Rule::times(on, 1, fault)
    }

    /// The first requests of this kind, so many.
    pub fn times(on: Asked, times: u32, fault: Fault) -> Rule {
        Rule {
            on: Some(on),
            skip: 0,
            times,
            fault,
        }
    }

    /// Every request.
    pub fn always(fault: Fault) -> Rule {
        Rule {
            on: None,
            skip: 0,
            times: u32::MAX,
            fault,
        }
    }

    /// After so many more have passed.
    #[must_use]
    pub fn after(self, skip: u32) -> Rule {
        Rule { skip, ..self }
    }
}

/// All that happens in one scenario.
#[derive(Debug, Clone, Default)]
pub struct Script {
    rules: Vec<Rule>,
    storm: Option<Storm>,
    /// The moment at which a request is held.
    pub(super) hold: Option<u64>,
}

/// Faults by chance.
#[derive(Debug, Clone)]
struct Storm {
    random: Random,
    /// One request of so many is hit.
    one_of: u64,
    /// Bytes of a part.
    part: u64,
    /// So many faults are left.
    left: u32,
}

impl From<Vec<Rule>> for Script {
    fn from(rules: Vec<Rule>) -> Script {
        Script {
            rules,
            ..Script::default()
        }
    }
}

impl Script {
    /// `faults` faults by chance, one request of three, in an upload whose parts have `part` bytes.
    pub fn storm(seed: u64, faults: u32, part: u64) -> Script {
        let storm = Storm {
            random: Random::new(seed),
            one_of: 3,
            part,
            left: faults,
        };
        Script {
            storm: Some(storm),
            ..Script::default()
        }
    }

    /// Holds a request at this moment, counted from 1 over all requests. Each has two: nothing of it has been passed on yet; the server has
    /// answered and the client does not know yet.
    #[must_use]
    pub fn hold_at(self, moment: u64) -> Script {
        Script {
            hold: Some(moment),
            ..self
        }
    }

    /// What happens to the next request of this kind.
    pub(super) fn next(&mut self, asked: Asked) -> Option<Fault> {
        for rule in &mut self.rules {
            if rule.on.is_some_and(|on| on != asked) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if rule.times > 0 {
                rule.times -= 1;
                return Some(rule.fault.clone());
            }
        }
        self.storm.as_mut()?.next(asked)
    }
}

impl Storm {
    fn next(&mut self, asked: Asked) -> Option<Fault> {
        if self.left == 0 || self.random.below(self.one_of) > 0 {
            return None;
        }
        self.left -= 1;
        let end = if self.random.below(2) == 0 {
            End::Close
        } else {
            End::Reset
        };
        let after = if asked == Asked::Part {
            self.random.below(self.part)
        } else {
            0
        };
        let refuse = |status, code, retry_after| Fault::Refuse {
            status,
            code,
            retry_after,
        };
        let faults = [
            Fault::CutRequest { after, end },
            Fault::NeverAnswer,
            Fault::StopReading { after },
            Fault::LoseAnswer(end),
            Fault::TruncateAnswer {
                after: usize::try_from(self.random.below(300)).unwrap_or(0),
            },
            Fault::CorruptAnswer,
            Fault::CorruptRequest,
            refuse(500, "InternalError", None),
            refuse(503, "SlowDown", None),
            refuse(503, "SlowDown", Some(1)),
            refuse(400, "RequestTimeout", None),
            Fault::HotelPage(200),
            Fault::HotelPage(502),
            Fault::Twice,
            Fault::Late(Duration::from_millis(self.random.below(400))),
            Fault::Offline(Duration::from_millis(self.random.below(700))),
        ];
        // Only a part has bytes enough to tell that they do not move, and a checksum of what it carries.
        let only_parts = |fault: &Fault| {
            matches!(
                fault,
                Fault::NeverAnswer | Fault::StopReading { .. } | Fault::CorruptRequest
            )
        };
        let possible: Vec<_> = faults
            .iter()
            .filter(|fault| asked == Asked::Part || !only_parts(fault))
            .collect();
        self.random.one_of(&possible).map(|fault| (*fault).clone())
    }
}
