//! The TypeScript declarations of everything that crosses, as one file for `ui/src/lib/generated`.

use lotse_requirements::{
    AgentSummary, Certainty, ContainerSummary, DatasourceSummary, DiskSummary, Finding, FindingKind, LoginSummary,
    OsSummary, Remedy, RemedyPlace, Report, RootSummary, SourceSummary, SshdSummary, Status, Verdict,
};
use ts_rs::{Config, TS};

use crate::{
    Addressing, ApiError, CheckedFile, Connection, ConnectionDraft, ConnectionKind, Distribution, DragOver,
    DroppedFiles, ExportFormat, ExportRequest, HandOver, Hours, Image, ImageDetails, ImageList, Language,
    ObjectStorage, Profile, ProfileSource, Profiles, PublicBy, SecretFile, SecretPlace, SecretPlaces, SecretSource,
    Settings, StagingKind, StagingList, StagingObject, Suggested, TestOutcome, TestStep, TestStepKind, TimeLeft,
    TimeUnit, TypedSecret, Unreachable, Upload, UploadRequest, UploadState,
};

/// The content of `ui/src/lib/generated/bindings.ts`.
pub fn bindings() -> String {
    // `lotse_guest::Evidence` is written by hand: it knows nothing of the window, and has three fields.
    let mut text = String::from(
        "// Made by `cargo xtask types` from crates/api. Do not edit: a test compares.\n\n\
         export type Evidence = { path: string | null, line: number | null, value: string | null, };\n",
    );
    macro_rules! declare {
        ($($type:ty),* $(,)?) => {$(
            text.push_str("\nexport ");
            text.push_str(&<$type>::decl(&Config::default()));
            text.push('\n');
        )*};
    }
    declare!(
        SourceSummary,
        Verdict,
        ContainerSummary,
        DiskSummary,
        RootSummary,
        OsSummary,
        AgentSummary,
        DatasourceSummary,
        LoginSummary,
        SshdSummary,
        FindingKind,
        Status,
        Certainty,
        RemedyPlace,
        Remedy,
        Finding,
        Report,
        ApiError,
        Distribution,
        Suggested,
        CheckedFile,
        ImageDetails,
        Language,
        ExportFormat,
        ExportRequest,
        UploadRequest,
        Addressing,
        PublicBy,
        SecretPlace,
        ObjectStorage,
        TypedSecret,
        ProfileSource,
        SecretSource,
        ConnectionDraft,
        ConnectionKind,
        Connection,
        Profile,
        Profiles,
        SecretFile,
        SecretPlaces,
        TestStepKind,
        TestOutcome,
        TestStep,
        UploadState,
        TimeUnit,
        TimeLeft,
        Upload,
        Hours,
        Settings,
        Image,
        ImageList,
        HandOver,
        StagingKind,
        StagingObject,
        Unreachable,
        StagingList,
        DroppedFiles,
        DragOver,
    );
    text
}
