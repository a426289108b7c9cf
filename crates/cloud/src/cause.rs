//! Why no answer came, told apart by the types of the errors below reqwest's, not by their words.

use std::{error::Error, io};

use rustls::CertificateError;

/// What kept an answer away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It took too long.
    Timeout,
    /// The host's name leads nowhere.
    NameUnknown,
    /// The host is there, and nobody listens at this port.
    Refused,
    /// The host's certificate does not hold.
    Certificate(Fault),
    /// No encrypted connection came about for another reason.
    Tls,
    /// Anything else: no way to the host, a connection that broke.
    Other,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its issuer is unknown to this computer.
    Untrusted,
    /// It is for another name.
    Name,
    /// It is not valid at this time, or this computer's clock is wrong.
    Time,
    /// Something else.
    Other,
}

impl Cause {
    pub(crate) fn of(error: &reqwest::Error) -> Cause {
        if let Some(tls) = find::<rustls::Error>(error) {
            return match tls {
                rustls::Error::InvalidCertificate(fault) => Cause::Certificate(Fault::of(fault)),
                _ => Cause::Tls,
            };
        }
        if error.is_timeout() {
            return Cause::Timeout;
        }
        if error.is_dns() {
            return Cause::NameUnknown;
        }
        match find::<io::Error>(error).map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => Cause::Refused,
            _ => Cause::Other,
        }
    }
}

impl Fault {
    fn of(fault: &CertificateError) -> Fault {
        use CertificateError::{
            Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
            UnknownIssuer,
        };
        match fault {
            UnknownIssuer => Fault::Untrusted,
            NotValidForName | NotValidForNameContext { .. } => Fault::Name,
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. } => Fault::Time,
            _ => Fault::Other,
        }
    }
}

/// The innermost error of this type, among those that an error was made from.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut found = None;
    let mut next = Some(error);
    while let Some(error) = next {
        found = error.downcast_ref::<T>().or(found);
        // An I/O error that wraps another one names that one's source as its own.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    found
}
