//! Where `aws` and `rclone` keep their connections.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::Error;

/// Most bytes of a file of profiles: tens of thousands of them.
const MOST_BYTES: u64 = 4 << 20;

/// Where other programs of this person keep their connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfilePaths {
    pub(super) aws_config: Option<PathBuf>,
    pub(super) aws_credentials: Option<PathBuf>,
    /// The first that is there counts.
    pub(super) rclone: Vec<PathBuf>,
}

impl ProfilePaths {
    /// Those of the person who runs this program.
    pub fn of_this_computer() -> Self {
        let folders = directories::BaseDirs::new();
        Self::new(folders.as_ref().map(directories::BaseDirs::home_dir), |name| {
            env::var_os(name)
        })
    }

    /// Those of a person with this home folder and these environment variables.
    pub fn new(home: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        // As the shell does, for `aws` takes `~/x` from a variable, too.
        let at = |path: &Path| match (path.strip_prefix("~"), home) {
            (Ok(below), Some(home)) => home.join(below),
            _ => path.to_owned(),
        };
        // A variable that is set counts even when it is empty: then there is no such file.
        let named = |name: &str| variable(name).map(|path| (!path.is_empty()).then(|| at(Path::new(&path))));
        let below_home = |below: &str| home.map(|home| home.join(below));
        // In the order of rclone's own search.
        let rclone = named("RCLONE_CONFIG").map_or_else(
            || {
                let folder = |name: &str| variable(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
                let app_data = if cfg!(windows) { folder("APPDATA") } else { None };
                [app_data, folder("XDG_CONFIG_HOME"), below_home(".config")]
                    .into_iter()
                    .flatten()
                    .map(|folder| folder.join("rclone").join("rclone.conf"))
                    .chain(below_home(".rclone.conf"))
                    .collect()
            },
            |path| path.into_iter().collect(),
        );
        Self {
            aws_config: named("AWS_CONFIG_FILE").unwrap_or_else(|| below_home(".aws/config")),
            aws_credentials: named("AWS_SHARED_CREDENTIALS_FILE").unwrap_or_else(|| below_home(".aws/credentials")),
            rclone,
        }
    }
}

/// The text of a file; `None` when it is not there. Bytes that are no UTF-8 stand out as `�`.
///
/// # Errors
/// Code `profile_unreadable`.
pub(super) fn text(path: &Path) -> Result<Option<String>, Error> {
    match read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::new("profile_unreadable")
            .with("path", path.display())
            .with("cause", cause)),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for whoever writes into it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(bytes)
}
