//! The report as one value: the same for window, command line and JSON (`docs/report-json.md`).

use std::collections::BTreeMap;

use lotse_guest::{Evidence, Facts};
use serde::{Deserialize, Serialize};

/// What is judged: the file, its container, and the facts if the disk could be opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The file.
    pub source: SourceSummary,
    /// Its container as detected from the bytes; `format` is `None` while a compression hides it.
    pub container: ContainerSummary,
    /// `gzip`, `bzip2`, `xz`, `zstd`.
    pub compression: Option<String>,
    /// The facts, or the code and parameters of the error that kept the disk from being read.
    pub facts: Result<Facts, DiskProblem>,
    /// What is known to be missing or broken in a container whose disk could be opened all the same.
    pub damage: Option<DiskProblem>,
    /// What is worth telling about a container that is read all the same, for example that it was not closed properly.
    pub notes: Vec<ContainerNote>,
}

/// Something worth knowing that does no harm to what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerNote {
    /// The reader's code; `note_<code>` is its sentence.
    pub code: String,
    /// The reader's parameters.
    pub params: BTreeMap<String, String>,
}

/// Why the virtual disk could not be opened or read through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskProblem {
    /// How the container's reader sorts it.
    pub kind: DiskProblemKind,
    /// The reader's code, for example `qcow2_backing_file`.
    pub code: String,
    /// The reader's parameters.
    pub params: BTreeMap<String, String>,
}

/// How the container's reader sorts a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskProblemKind {
    /// Could not be read; says nothing about the image.
    Io,
    /// Damaged: `container_intact` fails.
    Corrupt,
    /// Not read by Imagelotse (yet): what depends on it is unknown.
    Incompatible,
    /// Refers to other files or is two formats at once: `container_safe` fails.
    Refused,
}

/// A check's result. The field names are a contract with other programs: new ones may be added, these stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Report {
    /// 1.
    pub schema: u32,
    /// The file.
    pub source: SourceSummary,
    /// What it all comes to.
    pub verdict: Verdict,
    /// The container.
    pub container: ContainerSummary,
    /// `gzip`, `bzip2`, `xz`, `zstd` or null.
    pub compression: Option<String>,
    /// The partition table.
    pub disk: DiskSummary,
    /// The root filesystem; null when unknown or none.
    pub root: Option<RootSummary>,
    /// The operating system; null when unknown or none.
    pub os: Option<OsSummary>,
    /// The configuring program; null when unknown or none.
    pub agent: Option<AgentSummary>,
    /// cloud-init's datasources; null when unknown or not asked.
    pub datasources: Option<DatasourceSummary>,
    /// The SSH server.
    pub sshd: SshdSummary,
    /// Who gets the VM's SSH key; null when unknown or when nothing gives it to anybody.
    pub login: Option<LoginSummary>,
    /// One finding per requirement, then one per advice whose question arises, in the rules' order.
    pub findings: Vec<Finding>,
}

/// The file that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SourceSummary {
    /// File name without its folder.
    pub name: String,
    /// Bytes of the file itself.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub size: u64,
}

/// What the findings come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every requirement passes.
    Ready,
    /// No requirement fails or is unknown; something is worth a look.
    ReadyWithWarnings,
    /// A requirement fails.
    WillNotWork,
    /// No requirement fails, but one could not be judged.
    Unknown,
}

/// The container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ContainerSummary {
    /// `raw`, `qcow2`, ...; null while a compression hides it.
    pub format: Option<String>,
    /// The format's own word for its kind.
    pub variant: Option<String>,
    /// Size of the disk a VM would see, in bytes.
    #[cfg_attr(feature = "ts", ts(type = "number | null"))]
    pub virtual_size: Option<u64>,
}

/// The partition table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DiskSummary {
    /// `gpt`, `mbr`, `none`; null when unknown.
    pub table: Option<String>,
    /// Logical sector in bytes.
    pub sector_size: Option<u32>,
}

/// The root filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RootSummary {
    /// `ext4`, ...
    pub filesystem: String,
    /// Number as the table counts; null without a table.
    pub partition: Option<u32>,
    /// What lies between partition and filesystem.
    pub layers: Vec<String>,
}

/// The operating system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct OsSummary {
    /// `linux`, `freebsd`, `windows`, ...
    pub family: String,
    /// os-release's `ID`.
    pub distribution: Option<String>,
    /// os-release's `VERSION_ID`.
    pub version: Option<String>,
    /// `x86_64`, ...
    pub architecture: Option<String>,
    /// os-release's `PRETTY_NAME`.
    pub name: Option<String>,
}

/// The configuring program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AgentSummary {
    /// `cloud-init`, ...
    pub kind: String,
    /// Full version.
    pub version: Option<String>,
    /// Does it run at boot?
    pub enabled: Option<bool>,
}

/// cloud-init's datasources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DatasourceSummary {
    /// In the order in which they are tried.
    pub list: Vec<String>,
    /// The place that decided first.
    #[cfg_attr(feature = "ts", ts(type = "Array<Evidence>"))]
    pub from: Vec<Evidence>,
}

/// The SSH server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SshdSummary {
    /// Is it there?
    pub installed: Option<bool>,
    /// Is it started at boot?
    pub enabled: Option<bool>,
}

/// Who gets the VM's SSH key, so that its owner can log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct LoginSummary {
    /// The name to log in with; null when the key is given to root or to nobody.
    pub user: Option<String>,
    /// Does root get the key so that it can be used?
    pub root: bool,
}

/// What one rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Finding {
    /// The rule's stable code, for example `datasource_order`.
    pub code: String,
    /// Does it decide the verdict?
    pub kind: FindingKind,
    /// What came out.
    pub status: Status,
    /// Which of the rule's sentences applies (message `reason_<reason>`), for example `datasource_order_nocloud_first`.
    pub reason: String,
    /// What else is to be said, one sentence each: codes as in `reason`, with the same parameters. Often none.
    pub details: Vec<String>,
    /// How sure that is.
    pub certainty: Certainty,
    /// Where it was read.
    #[cfg_attr(feature = "ts", ts(type = "Array<Evidence>"))]
    pub evidence: Vec<Evidence>,
    /// Parameters of the sentences.
    #[cfg_attr(feature = "ts", ts(type = "Record<string, string>"))]
    pub params: BTreeMap<String, String>,
    /// How to mend it; null where there is nothing to mend.
    pub remedy: Option<Remedy>,
}

/// How to mend what a rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Remedy {
    /// Message `remedy_<code>` says what to do; it may use the finding's parameters.
    pub code: String,
    /// Where the commands are run.
    pub place: RemedyPlace,
    /// Do the commands take away what may be the only copy, or somebody's own way in? A person decides; no script runs them.
    pub destructive: bool,
    /// Commands for the image's distribution, one each; may be empty.
    pub commands: Vec<String>,
}

/// Where a remedy's commands are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum RemedyPlace {
    /// Inside the system, as root.
    System,
    /// On the computer that has the image's file, in its folder.
    File,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// It stands in the image and follows from nothing else.
    Certain,
    /// It follows from the image and from how such systems and clouds usually behave.
    Likely,
    /// It depends on something that is not in the image, such as the VM's firmware.
    Possible,
}

/// Does a rule decide the verdict?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// ccloud³ asks for it.
    Requirement,
    /// Worth knowing.
    Advice,
}

/// What a rule came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// In order.
    Pass,
    /// May not work as wished.
    Warning,
    /// Will not work.
    Fail,
    /// Could not be judged.
    Unknown,
}
