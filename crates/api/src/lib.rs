//! What crosses to the window: data, event names and errors as codes, with their TypeScript declarations. Sentences
//! never cross: the window makes them from codes and parameters.

mod connections;
mod staging;
mod typescript;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jiff::Zoned;
use lotse_requirements::Report;
use lotse_transfer::{JobFailure, JobState};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use connections::{
    Addressing, Connection, ConnectionDraft, ConnectionKind, ObjectStorage, Profile, ProfileSource, Profiles, PublicBy,
    SecretFile, SecretPlace, SecretPlaces, SecretSource, TestOutcome, TestStep, TestStepKind, TypedSecret,
};
pub use staging::{HandOver, StagingKind, StagingList, StagingObject, Unreachable};
pub use typescript::bindings;

/// Event: files were dropped on the window. Payload: [`DroppedFiles`].
pub const FILES_DROPPED: &str = "files-dropped";

/// Event: files are being dragged over the window, or no longer. Payload: [`DragOver`].
pub const DRAG_OVER: &str = "drag-over";

/// Event: the uploads have moved on. Payload: all of them, as the command `uploads` returns them.
pub const UPLOADS: &str = "uploads";

/// A path as it can cross to the window, which knows text only: what is no Unicode in it becomes U+FFFD. Such a file cannot be
/// found again by this path; [`CheckedFile`]'s command tells that by its own code.
pub fn crossing(path: &Path) -> PathBuf {
    PathBuf::from(path.to_string_lossy().into_owned())
}

/// Payload of [`FILES_DROPPED`].
#[derive(Debug, Clone, Serialize, TS)]
pub struct DroppedFiles {
    /// Absolute paths in the order in which the desktop gave them.
    #[ts(type = "Array<string>")]
    pub paths: Vec<PathBuf>,
}

/// Payload of [`DRAG_OVER`].
#[derive(Debug, Clone, Copy, Serialize, TS)]
pub struct DragOver {
    /// True while files hover over the window.
    pub over: bool,
}

/// An error: code and parameters, from which the window makes `error_<code>` and `error_<code>_next`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ApiError {
    /// Stable code (`snake_case`).
    pub code: String,
    /// Parameters of the sentences.
    #[ts(type = "Record<string, string>")]
    pub params: BTreeMap<String, String>,
    /// Can the same thing be tried again with hope?
    pub retryable: bool,
}

impl From<lotse_app::Error> for ApiError {
    fn from(error: lotse_app::Error) -> Self {
        Self {
            code: error.code,
            params: error.params,
            retryable: error.retryable,
        }
    }
}

impl From<JobFailure> for ApiError {
    fn from(failure: JobFailure) -> Self {
        Self {
            code: failure.code,
            params: failure.params,
            retryable: failure.retryable,
        }
    }
}

/// A checked file.
#[derive(Debug, Clone, Serialize, TS)]
pub struct CheckedFile {
    /// The path that was asked for.
    #[ts(type = "string")]
    pub path: PathBuf,
    /// What was found.
    pub report: Report,
    /// What the details form begins with.
    pub suggested: Suggested,
}

/// What the details form begins with.
#[derive(Debug, Clone, Serialize, TS)]
pub struct Suggested {
    /// From the file's name.
    pub name: String,
    /// From the system on the disk.
    pub distribution: Distribution,
}

impl CheckedFile {
    /// The file at `path` with what [`lotse_app::check`] found in it.
    pub fn new(path: PathBuf, checked: lotse_app::Checked) -> Self {
        let lotse_app::Suggestion { name, distribution } = checked.suggestion;
        Self {
            path,
            report: checked.report,
            suggested: Suggested {
                name,
                distribution: distribution.into(),
            },
        }
    }
}

/// The window's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, TS)]
pub enum Language {
    /// German.
    #[serde(rename = "de")]
    German,
    /// English.
    #[serde(rename = "en")]
    English,
}

impl From<Language> for lotse_app::Language {
    fn from(language: Language) -> Self {
        match language {
            Language::German => Self::German,
            Language::English => Self::English,
        }
    }
}

/// The forms of a report that can be saved or handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Plain text.
    Text,
    /// `docs/report-json.md`.
    Json,
    /// One page with both languages, printable.
    Html,
    /// The commands of its remedies, for `sh` inside the system.
    Script,
    /// A `mailto:` link to centron.
    Mail,
}

impl From<ExportFormat> for lotse_app::ExportFormat {
    fn from(format: ExportFormat) -> Self {
        match format {
            ExportFormat::Text => Self::Text,
            ExportFormat::Json => Self::Json,
            ExportFormat::Html => Self::Html,
            ExportFormat::Script => Self::Script,
            ExportFormat::Mail => Self::Mail,
        }
    }
}

/// What the window asks for when a person saves a report or opens a mail about it.
#[derive(Debug, Clone, Deserialize, TS)]
pub struct ExportRequest {
    /// The report as it was shown.
    pub report: Report,
    /// Its form.
    pub format: ExportFormat,
    /// Its language, or the one that comes first.
    pub language: Language,
    /// What was said about the image so far, for the mail.
    pub details: Option<ImageDetails>,
}

impl ExportRequest {
    /// What its file may be called.
    pub fn file_name(&self) -> String {
        lotse_app::report_file_name(&self.report.source.name, self.format.into())
    }

    /// The report in the form that was asked for, made at `now`.
    ///
    /// # Errors
    /// Those of [`lotse_app::export`].
    pub fn export(self, now: &Zoned) -> Result<String, ApiError> {
        let details = self.details.map(lotse_app::ImageDetails::from);
        lotse_app::export(
            &self.report,
            self.format.into(),
            self.language.into(),
            details.as_ref(),
            now,
        )
        .map_err(ApiError::from)
    }
}

/// Distributions as ccloud³'s panel offers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Arch Linux.
    Arch,
    /// Fedora.
    Fedora,
    /// Ubuntu.
    Ubuntu,
    /// CentOS.
    Centos,
    /// Debian.
    Debian,
    /// Another one, or not known.
    Unknown,
}

impl From<lotse_app::Distribution> for Distribution {
    fn from(distribution: lotse_app::Distribution) -> Self {
        match distribution {
            lotse_app::Distribution::Arch => Self::Arch,
            lotse_app::Distribution::Fedora => Self::Fedora,
            lotse_app::Distribution::Ubuntu => Self::Ubuntu,
            lotse_app::Distribution::Centos => Self::Centos,
            lotse_app::Distribution::Debian => Self::Debian,
            lotse_app::Distribution::Unknown => Self::Unknown,
        }
    }
}

impl From<Distribution> for lotse_app::Distribution {
    fn from(distribution: Distribution) -> Self {
        match distribution {
            Distribution::Arch => Self::Arch,
            Distribution::Fedora => Self::Fedora,
            Distribution::Ubuntu => Self::Ubuntu,
            Distribution::Centos => Self::Centos,
            Distribution::Debian => Self::Debian,
            Distribution::Unknown => Self::Unknown,
        }
    }
}

/// What a person says about an image.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct ImageDetails {
    /// Name.
    pub name: String,
    /// Distribution.
    pub distribution: Distribution,
    /// Region.
    pub region: String,
    /// Each one word of letters, digits, `:`, `-`, `_`.
    pub tags: Vec<String>,
    /// Free text.
    pub notes: String,
}

impl From<lotse_app::ImageDetails> for ImageDetails {
    fn from(details: lotse_app::ImageDetails) -> Self {
        let lotse_app::ImageDetails {
            name,
            distribution,
            region,
            tags,
            notes,
        } = details;
        Self {
            name,
            distribution: distribution.into(),
            region,
            tags,
            notes,
        }
    }
}

impl From<ImageDetails> for lotse_app::ImageDetails {
    fn from(details: ImageDetails) -> Self {
        let ImageDetails {
            name,
            distribution,
            region,
            tags,
            notes,
        } = details;
        Self {
            name,
            distribution: distribution.into(),
            region,
            tags,
            notes,
        }
    }
}

/// What the window asks for when a person presses "Upload".
#[derive(Debug, Clone, Deserialize, TS)]
pub struct UploadRequest {
    /// The file.
    #[ts(type = "string")]
    pub path: PathBuf,
    /// Id of the connection.
    pub connection: String,
    /// The wished-for image.
    pub details: ImageDetails,
}

impl From<UploadRequest> for lotse_app::UploadRequest {
    fn from(request: UploadRequest) -> Self {
        Self {
            path: request.path,
            connection: request.connection,
            details: request.details.into(),
        }
    }
}

/// Where an upload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// Written down; waits for its turn, or for its hours.
    Queued,
    /// File and service are compared with what the journal says of an earlier run.
    Checking,
    /// Parts are being sent.
    Uploading,
    /// Stopped by the person, until it is resumed.
    Paused,
    /// The service cannot be reached; goes on by itself.
    WaitingForNetwork,
    /// The service does not accept the sign-in any more.
    WaitingForSignIn,
    /// All parts have arrived; the object is put together and compared.
    Verifying,
    /// The service makes an image of it.
    Importing,
    /// The object stands ready in the storage until a person says that it has been imported.
    Staged,
    /// The image is there.
    Done,
    /// Gave up; can be resumed or cancelled.
    Failed,
    /// Taken back.
    Cancelled,
    /// Not ended, but no living process works on it: can be resumed or cancelled.
    Interrupted,
}

impl From<lotse_app::UploadState> for UploadState {
    fn from(state: lotse_app::UploadState) -> Self {
        let lotse_app::UploadState::Job(state) = state else {
            return Self::Interrupted;
        };
        match state {
            JobState::Queued => Self::Queued,
            JobState::Checking => Self::Checking,
            JobState::Uploading => Self::Uploading,
            JobState::Paused => Self::Paused,
            JobState::WaitingForNetwork => Self::WaitingForNetwork,
            JobState::WaitingForSignIn => Self::WaitingForSignIn,
            JobState::Verifying => Self::Verifying,
            JobState::Importing => Self::Importing,
            JobState::Staged => Self::Staged,
            JobState::Done => Self::Done,
            JobState::Failed => Self::Failed,
            JobState::Cancelled => Self::Cancelled,
        }
    }
}

/// How long an upload will still take, as coarse as anybody can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
pub struct TimeLeft {
    /// In what it is told.
    pub unit: TimeUnit,
    /// How many of them; 0 minutes: less than one.
    #[ts(type = "number")]
    pub count: u64,
}

/// Units of [`TimeLeft`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Days.
    Day,
}

impl From<lotse_app::TimeLeft> for TimeLeft {
    fn from(left: lotse_app::TimeLeft) -> Self {
        let unit = match left.unit {
            lotse_app::TimeUnit::Minute => TimeUnit::Minute,
            lotse_app::TimeUnit::Hour => TimeUnit::Hour,
            lotse_app::TimeUnit::Day => TimeUnit::Day,
        };
        Self {
            unit,
            count: left.count,
        }
    }
}

/// An upload.
#[derive(Debug, Clone, Serialize, TS)]
pub struct Upload {
    /// Names it for good (UUID).
    pub id: String,
    /// Id of its connection.
    pub connection: String,
    /// Name of the file without its folder.
    pub source_name: String,
    /// The wished-for image.
    pub details: ImageDetails,
    /// Where it stands.
    pub state: UploadState,
    /// Bytes acknowledged by the service.
    #[ts(type = "number")]
    pub acknowledged: u64,
    /// Bytes in all.
    #[ts(type = "number")]
    pub total: u64,
    /// Moving average; null until it can be told.
    #[ts(type = "number | null")]
    pub bytes_per_second: Option<u64>,
    /// Until all bytes have arrived; null until it can be told.
    pub time_left: Option<TimeLeft>,
    /// When the hours in which uploads may run begin (RFC 3339); null when it does not wait for them.
    pub starts_at: Option<String>,
    /// Since when everybody who knows the staging object's address can read it (RFC 3339); null while it is private.
    pub published: Option<String>,
    /// Until when, at the latest (RFC 3339).
    pub public_until: Option<String>,
    /// The image, once the service was asked to make it.
    pub image_id: Option<String>,
    /// Why it failed, or what it waits for.
    pub error: Option<ApiError>,
    /// When it was asked for (RFC 3339).
    pub created: String,
}

impl From<lotse_app::Upload> for Upload {
    fn from(upload: lotse_app::Upload) -> Self {
        Self {
            id: upload.id.0.to_string(),
            connection: upload.connection,
            source_name: upload.source_name,
            details: upload.details.into(),
            state: upload.state.into(),
            acknowledged: upload.acknowledged,
            total: upload.total,
            bytes_per_second: upload.bytes_per_second,
            time_left: upload.time_left.map(TimeLeft::from),
            starts_at: upload.starts_at.map(|at| at.to_string()),
            published: upload.published.map(|at| at.to_string()),
            public_until: upload.public_until.map(|at| at.to_string()),
            image_id: upload.image_id,
            error: upload.failure.map(ApiError::from),
            created: upload.created.to_string(),
        }
    }
}

/// What a person has chosen for all uploads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Settings {
    /// How many uploads run at the same time, from 1 to 4.
    pub at_once: u32,
    /// Bytes a second that all uploads take together, at least 1000; null for no limit.
    #[ts(type = "number | null")]
    pub bytes_per_second: Option<u64>,
    /// The hours in which uploads may run; null for always.
    pub hours: Option<Hours>,
    /// Keeps the computer from falling asleep while an upload runs.
    pub keep_awake: bool,
    /// So many days after a staging object was made public it becomes private again, from 1 to 90.
    pub staging_days: u32,
}

/// Hours of the day by the computer's clock, over midnight where the second is the earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Hours {
    /// `HH:MM`, included.
    pub from: String,
    /// `HH:MM`, not included.
    pub until: String,
}

impl From<lotse_app::Settings> for Settings {
    fn from(settings: lotse_app::Settings) -> Self {
        Self {
            at_once: settings.at_once,
            bytes_per_second: settings.bytes_per_second,
            hours: settings.hours.map(|hours| Hours {
                from: hours.from().strftime("%H:%M").to_string(),
                until: hours.until().strftime("%H:%M").to_string(),
            }),
            keep_awake: settings.keep_awake,
            staging_days: settings.staging_days,
        }
    }
}

impl TryFrom<Settings> for lotse_app::Settings {
    type Error = lotse_app::Error;

    fn try_from(settings: Settings) -> Result<Self, lotse_app::Error> {
        let hours = |hours: Hours| lotse_app::Hours::parse(&format!("{}-{}", hours.from, hours.until));
        Ok(Self {
            at_once: settings.at_once,
            bytes_per_second: settings.bytes_per_second,
            hours: settings.hours.map(hours).transpose()?,
            keep_awake: settings.keep_awake,
            staging_days: settings.staging_days,
        })
    }
}

/// An image in a region.
#[derive(Debug, Clone, Serialize, TS)]
pub struct Image {
    /// The service's id.
    pub id: String,
    /// Region in which it is.
    pub region: String,
    /// Name.
    pub name: String,
    /// The service's word: `queued`, `importing`, `active`, ...
    pub status: String,
    /// Stored bytes, once known.
    #[ts(type = "number | null")]
    pub size: Option<u64>,
    /// `raw`, `qcow2`, ...
    pub disk_format: Option<String>,
    /// Distribution, where one was given.
    pub distribution: Option<Distribution>,
    /// Tags.
    pub tags: Vec<String>,
    /// Notes.
    pub notes: String,
    /// When it was made, as the service tells it (ISO 8601).
    pub created: Option<String>,
}

impl From<lotse_app::Image> for Image {
    fn from(image: lotse_app::Image) -> Self {
        Self {
            id: image.id,
            region: image.region,
            name: image.name,
            status: image.status,
            size: image.size,
            disk_format: image.disk_format,
            distribution: image.distribution.map(Distribution::from),
            tags: image.tags,
            notes: image.notes,
            created: image.created,
        }
    }
}

/// Images and the storage that they take together.
#[derive(Debug, Clone, Serialize, TS)]
pub struct ImageList {
    /// Region by region.
    pub images: Vec<Image>,
    /// Sum of the sizes in bytes.
    #[ts(type = "number")]
    pub total_size: u64,
}

impl From<lotse_app::ImageList> for ImageList {
    fn from(list: lotse_app::ImageList) -> Self {
        Self {
            images: list.images.into_iter().map(Image::from).collect(),
            total_size: list.total_size,
        }
    }
}
