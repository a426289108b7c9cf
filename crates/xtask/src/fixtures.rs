//! `cargo xtask fixtures`: real disk images, built by the systems' own tools as root or as a normal user, and kept until
//! their recipe changes. The recipes are in `tests/corpus/recipes`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;
use std::{io, thread};

use crate::programs;
use crate::system::{Need, System};
use crate::workspace::Workspace;
use crate::{Failure, Outcome, about, child, failure};

/// How an image, or what several need, is made.
struct Recipe {
    name: &'static str,
    place: Place,
    /// The script with its arguments.
    script: &'static [&'static str],
    /// Files beside the script that have a say in what comes out.
    parts: &'static [&'static str],
    /// Recipes whose outcome this one takes.
    after: &'static [&'static str],
}

/// Where a recipe is carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On this machine; mmdebstrap finds its own way to seem to be root.
    Machine,
    /// As root, or seemingly so, in the system that the recipe `workshop` makes.
    Workshop,
}

const fn debian(name: &'static str, script: &'static [&'static str]) -> Recipe {
    Recipe {
        name,
        place: Place::Machine,
        script,
        parts: &[
            "debian-99-ccloud.cfg",
            "debian-filesystem.sh",
            "debian-inspect.py",
            "debian-kernel.sh",
            "expect.py",
            "grub-bios.py",
            "lib.sh",
        ],
        after: &[],
    }
}

/// A system that Debian's mirror has no packages of.
const fn foreign(name: &'static str, script: &'static [&'static str]) -> Recipe {
    Recipe {
        name,
        place: Place::Workshop,
        script,
        parts: &["expect.py", "hold-open.py", "lib.sh", "rpm.sh", "system.sh"],
        after: &["workshop"],
    }
}

/// As [`foreign`], with a package database that only an old rpm can write.
const fn old_rpm(name: &'static str, script: &'static [&'static str]) -> Recipe {
    Recipe {
        after: &["workshop", "old-rpm"],
        ..foreign(name, script)
    }
}

/// The Debian 12, laid out in another way.
const fn layout(name: &'static str, script: &'static [&'static str]) -> Recipe {
    Recipe {
        parts: &[
            "debian-99-ccloud.cfg",
            "debian-slim.sh",
            "expect.py",
            "gpt4k.py",
            "into-journal.py",
            "lib.sh",
            "lvm.head.sha256",
            "xfs-proto.py",
        ],
        after: &["workshop", "debian-12"],
        ..foreign(name, script)
    }
}

/// Every recipe, those that take longest first.
const RECIPES: &[Recipe] = &[
    debian("debian-12-kernel", &["debian.sh", "bookworm", "kernel"]),
    Recipe {
        name: "workshop",
        place: Place::Machine,
        script: &["workshop.sh"],
        parts: &[],
        after: &[],
    },
    debian("debian-12", &["debian.sh", "bookworm"]),
    debian("debian-13", &["debian.sh", "trixie"]),
    debian("debian-11", &["debian.sh", "bullseye"]),
    Recipe {
        name: "old-rpm",
        place: Place::Machine,
        script: &["old-rpm.sh"],
        parts: &["rpm.sh"],
        after: &[],
    },
    foreign("fedora-coreos", &["fedora-coreos.sh"]),
    foreign("ubuntu-24.04", &["ubuntu-24.04.sh"]),
    foreign("fedora-42", &["redhat.sh", "fedora-42"]),
    foreign("alma-9", &["redhat.sh", "alma-9"]),
    old_rpm("rocky-8", &["redhat.sh", "rocky-8"]),
    old_rpm("centos-7", &["redhat.sh", "centos-7"]),
    old_rpm("centos-6", &["centos-6.sh"]),
    foreign("opensuse-leap-15.6", &["suse.sh", "leap"]),
    foreign("opensuse-tumbleweed", &["suse.sh", "tumbleweed"]),
    foreign("arch", &["arch.sh"]),
    foreign("alpine-3.22", &["alpine.sh"]),
    foreign("gentoo", &["gentoo.sh"]),
    foreign("flatcar", &["flatcar.sh"]),
    foreign("cirros", &["cirros.sh"]),
    foreign("freebsd-14", &["freebsd-14.sh"]),
    foreign("windows", &["windows.sh"]),
    Recipe {
        name: "debian-used",
        place: Place::Machine,
        script: &["debian-used.sh"],
        parts: &["expect.py", "lib.sh"],
        after: &["debian-12-kernel"],
    },
    layout("debian-no-table", &["debian-layout.sh", "no-table"]),
    layout("debian-mbr-logical", &["debian-layout.sh", "mbr-logical"]),
    layout("debian-4k", &["debian-layout.sh", "4k"]),
    layout("debian-backup-gpt", &["debian-layout.sh", "backup-gpt"]),
    layout("debian-dirty-journal", &["debian-layout.sh", "dirty-journal"]),
    layout("debian-split", &["debian-layout.sh", "split"]),
    layout("debian-lvm", &["debian-layout.sh", "lvm"]),
    layout("debian-luks", &["debian-layout.sh", "luks"]),
    layout("debian-xfs", &["debian-layout.sh", "xfs"]),
    layout("debian-btrfs", &["debian-layout.sh", "btrfs"]),
    layout("debian-f2fs", &["debian-layout.sh", "f2fs"]),
    layout("two-systems", &["two-systems.sh"]),
];

/// Builds the images, from the beginning if `again`.
pub(crate) fn run(workspace: Workspace, again: bool) -> Outcome {
    programs::provide(&workspace, System::detect(), &[Need::Images])?;
    if again {
        _ = fs::remove_dir_all(stamps(&folder(&workspace)));
    }
    let folder = provide(&workspace)?;
    println!("{}", folder.display());
    drop(workspace);
    Ok(())
}

/// Where the images are.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target("fixtures")
}

/// Where it is noted by which recipe each image was made.
fn stamps(folder: &Path) -> PathBuf {
    folder.join("recipes")
}

/// The folder with the images, each built if it is not there yet or its recipe has changed.
pub(crate) fn provide(workspace: &Workspace) -> Outcome<PathBuf> {
    let folder = folder(workspace);
    let texts = texts(workspace)?;
    let wanted: Vec<&Recipe> = RECIPES
        .iter()
        .filter(|recipe| {
            let stamp = stamps(&folder).join(recipe.name);
            fs::read_to_string(stamp).ok().as_ref() != texts.get(recipe.name)
        })
        .collect();
    if wanted.is_empty() {
        println!("The test images are up to date.");
        return Ok(folder);
    }
    let start = Instant::now();
    // What an older layout of the folder left behind is in nobody's recipe.
    if !stamps(&folder).exists() && folder.exists() {
        fs::remove_dir_all(&folder).map_err(about(&folder))?;
    }
    fs::create_dir_all(stamps(&folder)).map_err(about(&folder))?;
    println!(
        "Building {} of {} test images; all of them together take about four minutes.",
        wanted.len(),
        RECIPES.len()
    );
    let site = Site {
        workspace,
        folder: &folder,
    };
    site.close_workshop()?;
    let outcome = site.build(&wanted, &texts);
    site.close_workshop()?;
    outcome?;
    println!("Built in {:.0} s.", start.elapsed().as_secs_f64());
    Ok(folder)
}

/// What each recipe consists of, with everything that its outcome depends on.
fn texts(workspace: &Workspace) -> Outcome<BTreeMap<&'static str, String>> {
    let mut texts = BTreeMap::new();
    // A recipe may stand before those that it takes from, but no chain is longer than the list.
    while texts.len() < RECIPES.len() {
        let before = texts.len();
        for recipe in RECIPES {
            let ready = recipe.after.iter().all(|name| texts.contains_key(name));
            if texts.contains_key(recipe.name) || !ready {
                continue;
            }
            let mut text = recipe.script.join(" ");
            let files = recipe.script.iter().take(1).chain(recipe.parts);
            for file in files {
                let path = workspace.path("tests/corpus/recipes").join(file);
                text.push_str(&fs::read_to_string(&path).map_err(about(&path))?);
            }
            for name in recipe.after {
                text.push_str(texts.get(name).map_or("", String::as_str));
            }
            texts.insert(recipe.name, text);
        }
        if texts.len() == before {
            return failure("the recipes of the test images wait for each other");
        }
    }
    Ok(texts)
}

/// Where it is built.
struct Site<'a> {
    workspace: &'a Workspace,
    folder: &'a Path,
}

/// What the builders share: which recipes nobody has begun, and which are done.
struct Progress<'a> {
    open: Vec<&'a Recipe>,
    running: BTreeSet<&'static str>,
    failures: Vec<String>,
}

impl Progress<'_> {
    /// The first recipe that nothing unfinished stands in the way of.
    fn next(&mut self) -> Option<usize> {
        let waiting: BTreeSet<_> = self.open.iter().map(|recipe| recipe.name).collect();
        self.open.iter().position(|recipe| {
            recipe
                .after
                .iter()
                .all(|name| !waiting.contains(name) && !self.running.contains(name))
        })
    }
}

impl Site<'_> {
    /// Carries the recipes out, as many at a time as there are processors.
    fn build(&self, wanted: &[&Recipe], texts: &BTreeMap<&str, String>) -> Outcome {
        let progress = Mutex::new(Progress {
            open: wanted.to_vec(),
            running: BTreeSet::new(),
            failures: Vec::new(),
        });
        let changed = Condvar::new();
        let builders = thread::available_parallelism().map_or(2, |count| count.get().max(2));
        thread::scope(|scope| {
            for _ in 0..builders {
                scope.spawn(|| self.work(&progress, &changed, texts));
            }
        });
        let failures = progress.into_inner().unwrap_or_else(PoisonError::into_inner).failures;
        if failures.is_empty() {
            Ok(())
        } else {
            failure(failures.join("\n"))
        }
    }

    fn work(&self, progress: &Mutex<Progress<'_>>, changed: &Condvar, texts: &BTreeMap<&str, String>) {
        let mut state = progress.lock().unwrap_or_else(PoisonError::into_inner);
        while state.failures.is_empty() && !state.open.is_empty() {
            let Some(place) = state.next() else {
                state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let recipe = state.open.remove(place);
            state.running.insert(recipe.name);
            drop(state);
            let start = Instant::now();
            let outcome = self.carry_out(recipe).and_then(|()| {
                let stamp = stamps(self.folder).join(recipe.name);
                fs::write(&stamp, texts.get(recipe.name).map_or("", String::as_str)).map_err(about(&stamp))
            });
            state = progress.lock().unwrap_or_else(PoisonError::into_inner);
            state.running.remove(recipe.name);
            match outcome {
                Ok(()) => println!("  {:<24} {:>4.0} s", recipe.name, start.elapsed().as_secs_f64()),
                Err(Failure(sentence)) => state.failures.push(sentence),
            }
            changed.notify_all();
        }
    }

    fn carry_out(&self, recipe: &Recipe) -> Outcome {
        let scratch = self.folder.join(format!("{}.building", recipe.name));
        match fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(about(&scratch)(error)),
            _ => fs::create_dir_all(&scratch).map_err(about(&scratch))?,
        }
        let log = self.folder.join(format!("{}.log", recipe.name));
        let file = File::create(&log).map_err(about(&log))?;
        let mut command = match recipe.place {
            Place::Machine => self.workspace.command("sh"),
            Place::Workshop => self.as_root("workshop-enter.sh"),
        };
        let recipes = self.workspace.path("tests/corpus/recipes");
        let mut words = recipe.script.iter();
        command
            .arg(recipes.join(words.next().copied().unwrap_or_default()))
            .args(words)
            .env("NAME", recipe.name)
            .env("OUT", self.folder)
            .env("RECIPES", &recipes)
            .current_dir(&scratch)
            .stdin(Stdio::null())
            .stdout(file.try_clone().map_err(about(&log))?)
            .stderr(file);
        let status = command
            .status()
            .map_err(|error| Failure(format!("the recipe of `{}` could not be started: {error}", recipe.name)))?;
        if !status.success() {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            let end = lines.get(lines.len().saturating_sub(30)..).unwrap_or_default();
            return failure(format!(
                "the test image `{}` could not be built ({status}); the end of {}:\n{}",
                recipe.name,
                log.display(),
                end.join("\n")
            ));
        }
        fs::remove_file(&log).map_err(about(&log))?;
        fs::remove_dir_all(&scratch).map_err(about(&scratch))
    }
}

/// The workshop: unpacked when the first recipe enters it, gone when the last has left. Its files belong to several users,
/// for a normal user to some that only a user namespace can name.
impl Site<'_> {
    /// A script that runs as root or seems to, with mounts and processes of its own.
    fn as_root(&self, script: &str) -> Command {
        let mut command = self.workspace.command("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child"]);
        if child::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() != "0") {
            command.args(["--map-root-user", "--map-auto"]);
        }
        command
            .arg("sh")
            .arg(self.workspace.path("tests/corpus/recipes").join(script));
        command
    }

    fn close_workshop(&self) -> Outcome {
        if !self.folder.join("workshop").exists() {
            return Ok(());
        }
        child::output(self.as_root("workshop-leave.sh").env("OUT", self.folder)).map(drop)
    }
}
