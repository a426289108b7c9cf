//! The check as a whole, where the rooms below meet.

use std::fs;

use lotse_app::check;
use lotse_requirements::{Status, Verdict};

/// CVE-2024-32498 and its kin: a file that one program takes for a container and another for a disk.
#[test]
fn a_file_of_two_formats_gets_its_report_and_fails() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("two.img");
    let mut bytes = vec![0; 1 << 20];
    bytes[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
    // One partition, active, of type Linux, from sector 2048 on; and the boot signature.
    bytes[446..462].copy_from_slice(&[0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0]);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    fs::write(&path, bytes)?;
    let report = check(&path)?.report;
    assert_eq!(report.verdict, Verdict::WillNotWork);
    let safe = report.findings.iter().find(|finding| finding.code == "container_safe");
    assert_eq!(safe.map(|finding| finding.status), Some(Status::Fail), "{safe:?}");
    assert_eq!(
        report.container.format.as_deref(),
        Some("qcow2"),
        "what it was recognised as first"
    );
    Ok(())
}
