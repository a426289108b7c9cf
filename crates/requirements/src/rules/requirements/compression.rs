//! ccloud³ takes an image as it is or compressed with gzip or bzip2.

use crate::rules::{CCLOUD, Rule};
use crate::{Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "compression",
    kind: FindingKind::Requirement,
    sources: &[CCLOUD],
    reasons: &["compression_none", "compression_accepted", "compression_not_accepted"],
    remedies: &["recompress"],
    judge: |subject| Some(judge(subject)),
};

fn judge(subject: &Subject) -> Finding {
    let Some(compression) = subject.compression.as_deref() else {
        return Finding::requirement(RULE.code, Status::Pass, "compression_none");
    };
    let finding = if matches!(compression, "gzip" | "bzip2") {
        Finding::requirement(RULE.code, Status::Pass, "compression_accepted")
    } else {
        Finding::requirement(RULE.code, Status::Fail, "compression_not_accepted")
            .file_remedy("recompress", recompress(compression, &subject.source.name))
    };
    finding.param("compression", compression)
}

fn recompress(compression: &str, name: &str) -> Vec<String> {
    // `disk.img.xz` becomes `disk.img.gz`; a name without its usual ending keeps all of it.
    let (tool, plain) = match compression {
        "xz" => ("xz", name.strip_suffix(".xz")),
        "zstd" => ("zstd", name.strip_suffix(".zst").or_else(|| name.strip_suffix(".zstd"))),
        _ => return Vec::new(),
    };
    let target = format!("{}.gz", plain.filter(|plain| !plain.is_empty()).unwrap_or(name));
    let (Some(source), Some(target)) = (remedies::file_word(name), remedies::file_word(&target)) else {
        return Vec::new();
    };
    vec![format!("{tool} -dc {source} | gzip > {target}")]
}
