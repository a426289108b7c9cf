//! ccloud³ takes raw (.img), qcow2, VHDX, VDI and VMDK.

use crate::rules::{CCLOUD, Rule};
use crate::{Finding, FindingKind, Status, Subject, remedies};

/// Formats that ccloud³ takes, by their name in the report.
const ACCEPTED: &[&str] = &["raw", "qcow2", "vhdx", "vdi", "vmdk"];

pub(in crate::rules) const RULE: Rule = Rule {
    code: "container_format",
    kind: FindingKind::Requirement,
    sources: &[CCLOUD],
    reasons: &[
        "container_format_accepted",
        "container_format_hidden",
        "container_format_not_recognised",
        "container_format_iso",
        "container_format_archive",
        "container_format_encrypted",
        "container_format_not_accepted",
    ],
    remedies: &[
        "use_cloud_image",
        "unpack_archive",
        "decrypt_container",
        "convert_container",
    ],
    judge: |subject| Some(judge(subject)),
};

fn judge(subject: &Subject) -> Finding {
    let found = |status, reason| Finding::requirement(RULE.code, status, reason);
    let Some(format) = subject.container.format.as_deref() else {
        return match (&subject.compression, &subject.facts) {
            (Some(compression), _) => {
                found(Status::Unknown, "container_format_hidden").param("compression", compression)
            }
            (None, Err(problem)) => Finding::not_read(RULE.code, problem),
            (None, Ok(_)) => found(Status::Unknown, "container_format_not_recognised"),
        };
    };
    if ACCEPTED.contains(&format) {
        return found(Status::Pass, "container_format_accepted").param("format", format);
    }
    let name = &subject.source.name;
    let finding = match format {
        "iso" => found(Status::Fail, "container_format_iso").file_remedy("use_cloud_image", Vec::new()),
        "zip" | "7z" | "tar" | "ova" => {
            found(Status::Fail, "container_format_archive").file_remedy("unpack_archive", unpack(format, name))
        }
        "luks" => found(Status::Fail, "container_format_encrypted").file_remedy("decrypt_container", Vec::new()),
        _ => {
            found(Status::Fail, "container_format_not_accepted").file_remedy("convert_container", convert(format, name))
        }
    };
    finding.param("format", format)
}

fn unpack(format: &str, name: &str) -> Vec<String> {
    let command = match format {
        "zip" => "unzip",
        "7z" => "7z x",
        _ => "tar -xvf",
    };
    remedies::file_word(name)
        .map(|file| format!("{command} {file}"))
        .into_iter()
        .collect()
}

/// Empty where qemu-img does not read the format.
fn convert(format: &str, name: &str) -> Vec<String> {
    match format {
        "vhd" => remedies::convert_to_qcow2(name, "vpc"),
        "qed" | "parallels" | "qcow" | "dmg" => remedies::convert_to_qcow2(name, format),
        _ => Vec::new(),
    }
}
