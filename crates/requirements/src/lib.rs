//! What ccloud³ asks of an image, one module per rule, and the report that results. Knows no disk.

mod by_cause;
mod finding;
mod judge;
mod remedies;
mod report;
mod rules;

pub use by_cause::by_cause;
pub use judge::judge;
pub use lotse_guest::Evidence;
pub use report::{
    AgentSummary, Certainty, ContainerNote, ContainerSummary, DatasourceSummary, DiskProblem, DiskProblemKind,
    DiskSummary, Finding, FindingKind, LoginSummary, OsSummary, Remedy, RemedyPlace, Report, RootSummary,
    SourceSummary, SshdSummary, Status, Subject, Verdict,
};
pub use rules::{RULES, Rule, SHARED_REASONS};
