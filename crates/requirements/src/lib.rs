//! What ccloud³ asks of an image, one module per rule, and the report that results. Knows no disk.

mod report;

pub use report::{DiskProblem, DiskProblemKind,
    AgentSummary, ContainerSummary, DatasourceSummary, DiskSummary, Finding, FindingKind, OsSummary, Remedy, Report,
    RootSummary, SourceSummary, SshdSummary, Status, Subject, Verdict,
};
