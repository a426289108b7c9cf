//! Whole reports of typical images, as other programs read them. A change here is a change of the contract.

use insta::assert_json_snapshot;
use lotse_requirements::{DiskProblemKind, Subject, Verdict, judge};

fn finding(subject: &Subject, code: &str) -> serde_json::Value {
    let report = judge(subject);
    serde_json::to_value(report.findings.iter().find(|finding| finding.code == code)).unwrap()
}

#[test]
fn ready() {
    assert_json_snapshot!(judge(&crate::subjects::ready()));
}

#[test]
fn nocloud_first_is_a_warning_with_file_line_and_drop_in() {
    let subject = crate::subjects::nocloud_first();
    assert_eq!(judge(&subject).verdict, Verdict::ReadyWithWarnings);
    assert_json_snapshot!(finding(&subject, "datasource_order"));
}

#[test]
fn no_sshd_on_debian() {
    let subject = crate::subjects::bare("debian", "12");
    assert_eq!(judge(&subject).verdict, Verdict::WillNotWork);
    assert_json_snapshot!([
        finding(&subject, "cloud_agent"),
        finding(&subject, "datasource_order"),
        finding(&subject, "sshd_installed"),
        finding(&subject, "sshd_enabled"),
    ]);
}

#[test]
fn masked_sshd() {
    assert_json_snapshot!(finding(&crate::subjects::masked(), "sshd_enabled"));
}

#[test]
fn too_big() {
    assert_json_snapshot!(finding(
        &crate::subjects::of_size(Some(107_374_182_400)),
        "virtual_size"
    ));
}

#[test]
fn xfs_root() {
    assert_json_snapshot!(judge(&crate::subjects::xfs()));
}

#[test]
fn raw_without_a_table() {
    assert_json_snapshot!(finding(&crate::subjects::raw_without_table(), "partition_table"));
}

#[test]
fn a_vhdx_that_is_not_read_yet_is_unknown_and_no_failure() {
    let subject = crate::subjects::unopened(
        "disk.vhdx",
        Some("vhdx"),
        DiskProblemKind::Incompatible,
        "format_not_read",
    );
    assert_json_snapshot!(judge(&subject));
}

#[test]
fn a_backing_file_is_refused() {
    let subject = crate::subjects::unopened(
        "disk.qcow2",
        Some("qcow2"),
        DiskProblemKind::Refused,
        "qcow2_backing_file",
    );
    assert_eq!(judge(&subject).verdict, Verdict::WillNotWork);
    assert_json_snapshot!(finding(&subject, "container_safe"));
}

#[test]
fn an_iso_says_what_to_do_instead() {
    let subject = crate::subjects::unopened(
        "debian.iso",
        Some("iso"),
        DiskProblemKind::Incompatible,
        "format_not_accepted",
    );
    assert_eq!(judge(&subject).verdict, Verdict::WillNotWork);
    assert_json_snapshot!(finding(&subject, "container_format"));
}
