//! runit's services (runsvdir(8)): links in the folder of the runlevel, without a file `down`.

use super::Start;
use crate::{
    Evidence,
    files::{Files, Read},
};

/// Folders whose services are started; Void, Artix and Devuan have these.
const FOLDERS: &[&str] = &["/etc/runit/runsvdir/default", "/etc/service", "/var/service"];

/// What runit starts.
pub(super) fn start(files: &Files<'_>, scripts: &[&str]) -> Read<Start> {
    for script in scripts {
        for folder in FOLDERS {
            let link = format!("{folder}/{script}");
            if !super::is_program(files, &format!("{link}/run"))? {
                continue;
            }
            let down = format!("{link}/down");
            if files.exists(&down)? {
                return Ok(Start::Blocked((*script).to_owned(), vec![Evidence::path(down)]));
            }
            return Ok(Start::Yes((*script).to_owned(), vec![Evidence::path(link)]));
        }
    }
    let script = scripts.first().unwrap_or(&"");
    Ok(Start::No(vec![Evidence::path(format!(
        "/etc/runit/runsvdir/default/{script}"
    ))]))
}
