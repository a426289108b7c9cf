//! Every fault that a network and a service have, one scenario each: the object arrives, or the right thing is said.

use std::{fs, path::PathBuf, time::Duration};

use lotse_tests::{
    Result,
    faults::{Asked, End, Fault, Proxy, Rule, Script, Sent},
    random::Random,
    sending::{Order, Outcome, Patience, send},
    servers::{Kind, Server, Settings},
    stored::{sha256_of_bytes, sha256_of_file},
};
use lotse_transfer::{CancellationToken, JobState};
use tempfile::TempDir;

use crate::object::{open_uploads, sha256_of_object};

/// Small parts, which the servers are told to take: five of them and a rest.
const PART: u64 = 64 << 10;
const FILE: u64 = 5 * PART + 12_345;

/// Longest that a scenario may take; what takes longer hangs.
const LIMIT: Duration = Duration::from_mins(2);

/// What one scenario is, and what it must come to.
struct Scenario {
    name: &'static str,
    script: Script,
    end: Ends,
    /// Bytes of parts that may be sent beyond the file.
    more: u64,
}

enum Ends {
    /// The object is there, and no upload is left open.
    Sent,
    /// The engine stops with this code and state; when the cause is gone, the next call completes it.
    Waits(&'static str, JobState),
}

fn scenario(name: &'static str, rules: Vec<Rule>, more: u64) -> Scenario {
    Scenario {
        name,
        script: rules.into(),
        end: Ends::Sent,
        more,
    }
}

fn refuse(status: u16, code: &'static str, retry_after: Option<u64>) -> Fault {
    Fault::Refuse {
        status,
        code,
        retry_after,
    }
}
