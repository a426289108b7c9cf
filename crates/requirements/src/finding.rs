//! Building a finding: status and reason first, then parameters, evidence and remedy.

use std::{collections::BTreeMap, fmt};

use lotse_guest::{Evidence, Unknown};

use crate::{Certainty, DiskProblem, Finding, FindingKind, Remedy, RemedyPlace, Status};

impl Finding {
    /// A requirement's finding without parameters, evidence and remedy.
    pub(crate) fn requirement(code: &str, status: Status, reason: &str) -> Self {
        Self {
            code: code.to_owned(),
            kind: FindingKind::Requirement,
            status,
            reason: reason.to_owned(),
            details: Vec::new(),
            certainty: Certainty::Certain,
            evidence: Vec::new(),
            params: BTreeMap::new(),
            remedy: None,
        }
    }

    /// Unknown, because the virtual disk could not be opened.
    pub(crate) fn not_read(code: &str, problem: &DiskProblem) -> Self {
        Self {
            params: problem.params.clone(),
            ..Self::requirement(code, Status::Unknown, "not_read")
        }
        .param("cause", &problem.code)
    }

    /// Unknown, because this fact could not be read off the disk.
    pub(crate) fn fact_unknown(code: &str, unknown: &Unknown) -> Self {
        Self {
            params: unknown.params.clone(),
            ..Self::requirement(code, Status::Unknown, "fact_unknown")
        }
        .param("cause", &unknown.code)
    }

    /// Adds a sentence after the reason's.
    pub(crate) fn detail(mut self, reason: &str) -> Self {
        self.details.push(reason.to_owned());
        self
    }

    /// Says how sure it is.
    pub(crate) fn certainty(mut self, certainty: Certainty) -> Self {
        self.certainty = certainty;
        self
    }

    /// Adds a parameter for the sentences.
    pub(crate) fn param(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    /// Says where it was read.
    pub(crate) fn evidence(mut self, evidence: &[Evidence]) -> Self {
        self.evidence.extend_from_slice(evidence);
        self
    }

    /// Says how to mend it inside the system; the commands are run there as root.
    pub(crate) fn remedy(self, code: &str, commands: Vec<String>) -> Self {
        self.remedy_at(RemedyPlace::System, code, commands)
    }

    /// Says how to mend the file; the commands are run in its folder.
    pub(crate) fn file_remedy(self, code: &str, commands: Vec<String>) -> Self {
        self.remedy_at(RemedyPlace::File, code, commands)
    }

    fn remedy_at(mut self, place: RemedyPlace, code: &str, commands: Vec<String>) -> Self {
        self.remedy = Some(Remedy {
            code: code.to_owned(),
            place,
            destructive: false,
            commands,
        });
        self
    }

    /// As [`Self::remedy`], where the commands take away what may be the only copy, or somebody's own way in.
    pub(crate) fn destructive_remedy(self, code: &str, commands: Vec<String>) -> Self {
        let mut finding = self.remedy(code, commands);
        if let Some(remedy) = &mut finding.remedy {
            remedy.destructive = true;
        }
        finding
    }
}
