//! The way of an image through the program on the command line: check, upload to the practice cloud, list.

use std::path::Path;

use crate::fixtures;
use crate::programs::{self, Profile};
use crate::system::{Need, System};
use crate::workspace::Workspace;
use crate::{Outcome, child, failure};

/// Builds `lotse` and a Debian image and brings the image through.
pub(crate) fn run(workspace: &Workspace, system: System, profile: Profile) -> Outcome {
    programs::provide(workspace, system, &[Need::Compiler, Need::Images])?;
    let lotse = programs::build_cli(workspace, profile)?;
    let images = fixtures::provide(workspace)?;
    let image = images.join("debian-12.qcow2");

    println!("\n1. Check a Debian 12 image, before a byte is sent");
    check(workspace, &lotse, &image)?;
    println!("\n2. Send it to the practice cloud");
    let mut upload = workspace.command(&lotse);
    upload.arg("upload").arg(&image).args([
        "--connection",
        "practice",
        "--name",
        "Debian 12",
        "--distribution",
        "debian",
    ]);
    upload.args(["--tag", "try-out", "--notes", "Sent by `cargo xtask run`"]);
    child::run(&mut upload)?;
    println!("\n3. The images that are in the practice cloud now");
    child::run(workspace.command(&lotse).args(["images", "--connection", "practice"]))
}

/// Exit status 1 and 3 are verdicts about the image, not failures of the program (docs/report-json.md).
fn check(workspace: &Workspace, lotse: &Path, image: &Path) -> Outcome {
    let status = workspace.command(lotse).arg("check").arg(image).status();
    match status.map(|status| status.code()) {
        Ok(Some(0 | 1 | 3)) => Ok(()),
        Ok(code) => failure(format!("`lotse check` ended with status {code:?}")),
        Err(error) => failure(format!("`lotse check` could not be started: {error}")),
    }
}
