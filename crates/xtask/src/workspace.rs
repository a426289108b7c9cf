//! Where the checkout, its target folder and its private tools are, and how children are started there.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Failure, Outcome, child};

/// This checkout.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    /// Folders that are searched before the machine's own PATH; for children only.
    tools: Vec<PathBuf>,
}

impl Workspace {
    /// Asks cargo, which knows about every way to move the target folder.
    pub(crate) fn find() -> Outcome<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).unwrap_or(manifest).to_owned();
        let mut command = Command::new(cargo());
        command
            .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
            .current_dir(&root);
        let metadata = child::output(&mut command)?;
        let target = json_string(&metadata, "target_directory")
            .ok_or_else(|| Failure("`cargo metadata` names no target folder".to_owned()))?;
        Ok(Self {
            root,
            target: target.into(),
            tools: Vec::new(),
        })
    }

    /// A place in the checkout.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A place in the target folder.
    pub(crate) fn target(&self, relative: &str) -> PathBuf {
        self.target.join(relative)
    }

    /// From now on children find the programs of this folder first.
    pub(crate) fn add_tools(&mut self, folder: PathBuf) {
        self.tools.insert(0, folder);
    }

    /// `program`, to be started in the checkout with the private tools in its PATH.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let program = self.find_program(program.as_ref());
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", self.search_path());
        command
    }

    /// The cargo that runs this task.
    pub(crate) fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = self.command(cargo());
        command.args(arguments);
        command
    }

    /// npm, in the window's folder.
    pub(crate) fn npm<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = self.command(if cfg!(windows) { "npm.cmd" } else { "npm" });
        command.args(arguments).current_dir(self.path("ui"));
        command
    }

    /// Can this program be started?
    pub(crate) fn has(&self, program: &str) -> bool {
        self.folders().any(|folder| folder.join(program).is_file())
    }

    /// A bare name is looked up here, since a changed PATH of the child does not count for that on every system.
    fn find_program(&self, program: &OsStr) -> OsString {
        let in_folder = |folder: PathBuf| Some(folder.join(program)).filter(|path| path.is_file());
        self.folders()
            .find_map(in_folder)
            .map_or_else(|| program.to_owned(), PathBuf::into_os_string)
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let machine = std::env::var_os("PATH").unwrap_or_default();
        let machine: Vec<_> = std::env::split_paths(&machine).collect();
        // mke2fs and sfdisk stand where a normal user's PATH on Debian does not look.
        let system = if cfg!(unix) {
            vec![PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")]
        } else {
            Vec::new()
        };
        self.tools.iter().cloned().chain(machine).chain(system)
    }

    fn search_path(&self) -> OsString {
        std::env::join_paths(self.folders()).unwrap_or_else(|_| std::env::var_os("PATH").unwrap_or_default())
    }
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The first string of this name in JSON on one line without spaces, as cargo and serde write it.
pub(crate) fn json_string(json: &str, name: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{name}\":\""))?;
    let mut value = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(value),
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_windows_path_comes_out_of_json_with_single_backslashes() {
        let json = r#"{"packages":[],"target_directory":"C:\\Users\\me\\target","version":1}"#;
        assert_eq!(
            json_string(json, "target_directory").as_deref(),
            Some(r"C:\Users\me\target")
        );
        assert_eq!(json_string(json, "missing"), None);
    }
}
