//! A desktop of its own for one test: display (Xvfb), session bus, window manager, and folders that nobody else uses.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::Result;
use crate::process::{self, Process};

/// Large enough for the window as it opens (1100 × 760) with its frame.
const SCREEN: &str = "1280x900x24";
const STARTS_WITHIN: Duration = Duration::from_secs(20);
/// The system's own Python, which has GTK; another one may come first in PATH.
const PYTHON: &str = "/usr/bin/python3";

/// Steps in which a drag moves: it begins after some pixels, and a target wants to be told more than once.
const DRAG_STEPS: i64 = 12;

/// A desktop; everything in it ends when this is dropped.
#[derive(Debug)]
pub struct Desktop {
    display: String,
    /// Address of the session bus.
    bus: Option<String>,
    locale: String,
    /// The last one started comes first: clients end before the display they are shown on.
    processes: Vec<Process>,
    /// Dropped after the processes that write into it.
    folder: TempDir,
}

impl Desktop {
    /// Starts one whose programs speak English.
    ///
    /// # Errors
    /// When one of the programs (Xvfb, dbus-daemon, openbox) is missing or does not start.
    pub fn start() -> Result<Self> {
        Self::start_in("en_US.UTF-8")
    }

    /// Starts one with this locale, for example `de_DE.UTF-8`.
    ///
    /// # Errors
    /// As [`Desktop::start`].
    pub fn start_in(locale: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("imagelotse-desktop-").tempdir()?;
        for name in ["home", "data", "config", "cache", "runtime", "locale"] {
            let path = folder.path().join(name);
            fs::create_dir(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        }
        // A locale that is not installed counts for nothing, so that the desktop brings its own.
        let (language, encoding) = locale.split_once('.').ok_or("a locale is written like de_DE.UTF-8")?;
        let mut localedef = Command::new("localedef");
        localedef
            .args(["--inputfile", language, "--charmap", encoding])
            .arg(folder.path().join("locale").join(locale));
        process::output(&mut localedef)?;

        let mut xvfb = Command::new("Xvfb");
        xvfb.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            SCREEN,
            "-nolisten",
            "tcp",
            "-noreset",
            "-dpi",
            "96",
        ]);
        let xvfb = Process::start(&xvfb)?;
        let number = xvfb.line(STARTS_WITHIN)?;
        let mut desktop = Self {
            display: format!(":{}", number.trim()),
            bus: None,
            locale: locale.to_owned(),
            processes: vec![xvfb],
            folder,
        };

        let mut bus = desktop.command("dbus-daemon");
        let bus = Process::start(bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]))?;
        desktop.bus = Some(bus.line(STARTS_WITHIN)?.trim().to_owned());
        desktop.processes.insert(0, bus);

        let window_manager = Process::start(&desktop.command("openbox"))?;
        desktop.processes.insert(0, window_manager);
        Ok(desktop)
    }

    /// Where programs on this desktop keep their data (`XDG_DATA_HOME`).
    pub fn data_home(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The home folder of programs on this desktop; a place for files to drop.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A program that is to run on this desktop.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let folder = |name: &str| self.folder.path().join(name);
        command
            .env("HOME", folder("home"))
            .env("XDG_DATA_HOME", folder("data"))
            .env("XDG_CONFIG_HOME", folder("config"));
        command
            .env("XDG_CACHE_HOME", folder("cache"))
            .env("XDG_RUNTIME_DIR", folder("runtime"));
        command.env("DISPLAY", &self.display).env("GDK_BACKEND", "x11");
        if let Some(bus) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", bus);
        }
        // Settings in memory, dialogs of GTK itself, drawing without a graphics card: nothing that another machine does differently.
        command
            .env("GSETTINGS_BACKEND", "memory")
            .env("GTK_USE_PORTAL", "0")
            .env("LIBGL_ALWAYS_SOFTWARE", "1");
        command
            .env("LOCPATH", folder("locale"))
            .env("LANG", &self.locale)
            .env("LANGUAGE", self.locale.split('_').next().unwrap_or_default());
        for inherited in [
            "WAYLAND_DISPLAY",
            "LC_ALL",
            "LC_MESSAGES",
            "XAUTHORITY",
            "XDG_DATA_DIRS",
            "XDG_CURRENT_DESKTOP",
        ] {
            command.env_remove(inherited);
        }
        command
    }

    /// A picture of the whole display as PNG: what a person would see, file dialogs included.
    ///
    /// # Errors
    /// When the picture cannot be taken or written.
    pub fn screenshot(&self, to: &Path) -> Result {
        process::output(self.python("screenshot.py").arg(to)).map(drop)
    }

    /// Enters a path into the open file dialog of this title and confirms.
    ///
    /// # Errors
    /// When no such dialog opens within 20 seconds.
    pub fn answer_file_dialog(&self, title: &str, path: &Path) -> Result {
        self.answer_dialog(title, path, &["ctrl+l", "ctrl+a", "ctrl+v", "Return"])
    }

    fn answer_dialog(&self, title: &str, path: &Path, pressed: &[&str]) -> Result {
        let dialog = self.find_window(title)?;
        // Pasted, not typed: for a letter that is not on the keyboard xdotool changes the keyboard, and under load the letter goes missing.
        let mut clipboard = self.python("clipboard.py");
        let clipboard = Process::start(clipboard.arg(path))?;
        clipboard.line(STARTS_WITHIN)?;
        let mut keys = self.command("xdotool");
        keys.args(["windowactivate", "--sync", &dialog]);
        for key in pressed {
            keys.args(["key", key, "sleep", "0.3"]);
        }
        process::output(&mut keys).map(drop)
    }

    /// Enters a path into the open dialog for saving of this title and confirms.
    ///
    /// # Errors
    /// When no such dialog opens within 20 seconds.
    pub fn answer_save_dialog(&self, title: &str, path: &Path) -> Result {
        // The name's field has the focus; what is pasted over it may be a whole path.
        self.answer_dialog(title, path, &["ctrl+a", "ctrl+v", "Return"])
    }

    /// The text on the clipboard; none if there is none.
    ///
    /// # Errors
    /// When the clipboard cannot be asked.
    pub fn clipboard(&self) -> Result<Option<String>> {
        let told = process::output(&mut self.python("clipboard.py"))?;
        Ok(serde_json::from_str(&told)?)
    }

    /// Makes a program of its own the desktop's mail program: it writes down what it is asked to open.
    ///
    /// # Errors
    /// When its files cannot be written.
    pub fn take_mail(&self) -> Result<TakenMail> {
        let link = self.folder.path().join("mail-link");
        let program = self.folder.path().join("mail-program");
        fs::write(
            &program,
            format!("#!/bin/sh\nprintf %s \"$1\" > '{}'\n", link.display()),
        )?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700))?;
        let applications = self.folder.path().join("data/applications");
        fs::create_dir_all(&applications)?;
        fs::write(
            applications.join("test-mail.desktop"),
            format!(
                "[Desktop Entry]\nType=Application\nName=Mail\nExec={} %u\nMimeType=x-scheme-handler/mailto;\n",
                program.display()
            ),
        )?;
        fs::write(
            self.folder.path().join("config/mimeapps.list"),
            "[Default Applications]\nx-scheme-handler/mailto=test-mail.desktop\n",
        )?;
        Ok(TakenMail { link })
    }

    /// Drags files from another program onto a place of the display and lets go.
    pub(crate) fn drop_files(&self, paths: &[&Path], (x, y): (i64, i64)) -> Result {
        let mut source = self.python("drag_source.py");
        let source = Process::start(source.args(paths))?;
        let line = source.line(STARTS_WITHIN)?;
        let (from_x, from_y) = pair(&line).ok_or_else(|| format!("drag_source.py said: {line}"))?;
        let mut mouse = self.command("xdotool");
        let mut at = |x: i64, y: i64, pause: &str| {
            mouse.args([
                "mousemove".to_owned(),
                x.to_string(),
                y.to_string(),
                "sleep".to_owned(),
                pause.to_owned(),
            ]);
        };
        at(from_x, from_y, "0.2");
        process::output(&mut mouse)?;
        let mut mouse = self.command("xdotool");
        mouse.args(["mousedown", "1", "sleep", "0.1"]);
        for step in 1..=DRAG_STEPS {
            let place = |from: i64, to: i64| (from + (to - from) * step / DRAG_STEPS).to_string();
            mouse.args(["mousemove", &place(from_x, x), &place(from_y, y), "sleep", "0.03"]);
        }
        mouse.args(["sleep", "0.3", "mouseup", "1"]);
        process::output(&mut mouse)?;
        match source.line(STARTS_WITHIN)?.as_str() {
            "dropped" => Ok(()),
            other => Err(format!("the drop did not happen: {other}").into()),
        }
    }

    /// The upper left corner of a window's content on the display.
    pub(crate) fn place(&self, title: &str) -> Result<(i64, i64)> {
        let window = self.find_window(title)?;
        // xdotool's own answer is off by the frame.
        let told = process::output(self.command("xwininfo").args(["-id", &window]))?;
        let value = |name: &str| {
            told.lines()
                .find_map(|line| line.trim().strip_prefix(name)?.trim().parse::<i64>().ok())
        };
        match (value("Absolute upper-left X:"), value("Absolute upper-left Y:")) {
            (Some(x), Some(y)) => Ok((x, y)),
            _ => Err(format!("xwininfo does not tell where the window is:\n{told}").into()),
        }
    }

    /// The X number of the visible window with exactly this title; waits for it.
    fn find_window(&self, title: &str) -> Result<String> {
        let mut search = self.command("timeout");
        search.args([
            "20",
            "xdotool",
            "search",
            "--sync",
            "--onlyvisible",
            "--name",
            &format!("^{title}$"),
        ]);
        let found =
            process::output(&mut search).map_err(|error| format!("no window is called \"{title}\": {error}"))?;
        found
            .lines()
            .last()
            .map(str::to_owned)
            .ok_or_else(|| format!("no window is called \"{title}\"").into())
    }

    fn python(&self, script: &str) -> Command {
        let mut command = self.command(PYTHON);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e").join(script));
        command
    }
}

/// What the desktop's mail program was asked to open.
#[derive(Debug)]
pub struct TakenMail {
    link: PathBuf,
}

impl TakenMail {
    /// The link; waits for it.
    ///
    /// # Errors
    /// When nothing was opened within 20 seconds.
    pub fn link(&self) -> Result<String> {
        let limit = std::time::Instant::now() + STARTS_WITHIN;
        loop {
            match fs::read_to_string(&self.link) {
                Ok(link) if !link.is_empty() => return Ok(link),
                _ if std::time::Instant::now() > limit => return Err("no mail program was opened".into()),
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}

fn pair(line: &str) -> Option<(i64, i64)> {
    let (x, y) = line.trim().split_once(' ')?;
    Some((x.parse().ok()?, y.parse().ok()?))
}
