//! `cargo xtask run`: from a fresh machine to the open window, or to the same journey on the command line.

use crate::programs::{self, Profile};
use crate::system::{Need, System};
use crate::workspace::Workspace;
use crate::{Outcome, child, journey, node};

/// Sets up, builds and starts.
pub(crate) fn run(mut workspace: Workspace, profile: Profile) -> Outcome {
    let system = System::detect();
    if !system.has_display() {
        println!(
            "There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set), so no window can be opened.\n\
             The same journey follows with `lotse`, the command line program."
        );
        return journey::run(&workspace, system, profile);
    }
    programs::provide(&workspace, system, &[Need::Compiler, Need::Window])?;
    node::provide(&mut workspace, system)?;
    programs::build_page(&workspace)?;
    let program = programs::build_desktop(&workspace, profile)?;
    println!("The window opens with the practice cloud as its connection: nothing leaves this computer.");
    child::run(&mut workspace.command(program))
}
