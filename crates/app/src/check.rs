//! Checks an image file: container, facts and rules in one go, offline.

use std::{path::Path, sync::Arc};

use lotse_disk::{Container, Disk, FileSource, Kind, Source as _};
use lotse_requirements::{
    ContainerNote, ContainerSummary, DiskProblem, DiskProblemKind, Report, SourceSummary, Subject, judge,
};

use crate::{Error, Suggestion};

/// A checked file: the report and what the details form begins with.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What was found.
    pub report: Report,
    /// What the form begins with.
    pub suggestion: Suggestion,
}

/// Checks the image at `path`. Blocks while it reads: a few megabytes whatever the image's size, but all of a compressed file.
///
/// # Errors
/// When the file cannot be read as a disk image at all; everything else is in the report.
pub fn check(path: &Path) -> Result<Checked, Error> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let source = FileSource::open(path)?;
    let size = source.len();
    let container = match lotse_disk::identify(&source) {
        Ok(container) => container,
        // Recognised only too well: a file that is two things at once gets its report.
        Err(error) if error.kind() == Kind::Refused => return refused(name, size, error),
        Err(error) => return Err(error.into()),
    };
    let (container, facts, damage, notes) = match Disk::open(Arc::new(source)) {
        // Once it is open, the size of what lies behind a compression is known, too.
        Ok(disk) => (
            disk.container().clone(),
            Ok(lotse_guest::examine(&disk)),
            damage(&disk)?,
            notes(&disk),
        ),
        Err(error) => (container, Err(problem(error)?), None, Vec::new()),
    };
    let subject = Subject {
        source: SourceSummary { name, size },
        container: summary(&container),
        compression: container.compression.map(|compression| compression.name().to_owned()),
        facts,
        damage,
        notes,
    };
    Ok(judged(&subject))
}

/// The report of a file whose container may not be opened at all.
fn refused(name: String, size: u64, error: lotse_disk::Error) -> Result<Checked, Error> {
    let format = error
        .params()
        .iter()
        .find(|(param, _)| *param == "format")
        .map(|(_, format)| format.clone());
    let subject = Subject {
        source: SourceSummary { name, size },
        container: ContainerSummary {
            format,
            variant: None,
            virtual_size: None,
        },
        compression: None,
        facts: Err(problem(error)?),
        damage: None,
        notes: Vec::new(),
    };
    Ok(judged(&subject))
}

fn judged(subject: &Subject) -> Checked {
    let report = judge(subject);
    let suggestion = Suggestion::from(&report);
    Checked { report, suggestion }
}

fn summary(container: &Container) -> ContainerSummary {
    ContainerSummary {
        format: container.format.map(|format| format.name().to_owned()),
        variant: container.variant.clone(),
        virtual_size: container.virtual_size,
    }
}

fn notes(disk: &Disk) -> Vec<ContainerNote> {
    let owned = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
    let note = |note: &lotse_disk::Note| ContainerNote {
        code: note.code().to_owned(),
        params: note.params().iter().map(owned).collect(),
    };
    disk.notes().iter().map(note).collect()
}

/// What of the container is cut off or contradicts itself although the disk could be opened.
fn damage(disk: &Disk) -> Result<Option<DiskProblem>, Error> {
    match disk.missing_bytes() {
        Ok(0) => Ok(None),
        Ok(missing) => {
            problem(lotse_disk::Error::new(Kind::Corrupt, "container_truncated").with("missing", missing)).map(Some)
        }
        Err(error) => problem(error).map(Some),
    }
}

/// The problem as the rules see it. That the file could not be read says nothing about the image and stays an error.
fn problem(error: lotse_disk::Error) -> Result<DiskProblem, Error> {
    let kind = match error.kind() {
        Kind::Io => return Err(error.into()),
        Kind::Corrupt => DiskProblemKind::Corrupt,
        Kind::Refused => DiskProblemKind::Refused,
        // A kind that is new to this crate is one that Imagelotse cannot judge.
        _ => DiskProblemKind::Incompatible,
    };
    let params = error
        .params()
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    Ok(DiskProblem {
        kind,
        code: error.code().to_owned(),
        params,
    })
}
