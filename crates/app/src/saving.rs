//! A report's file: what it is called, and how it gets onto the disk.

use std::{fs, path::Path};

use crate::{Error, ExportFormat};

/// What the file of a report in this form is called, made from the image's own file name: `debian-12.report.html`.
pub fn report_file_name(image_file: &str, format: ExportFormat) -> String {
    /// Endings of images, of which `disk.raw.gz` has two.
    const ENDINGS: [&str; 9] = ["gz", "bz2", "img", "raw", "qcow2", "vhdx", "vdi", "vmdk", "iso"];
    // A folder has no place in a suggestion, whatever the name says.
    let mut stem = image_file.rsplit(['/', '\\']).next().unwrap_or_default();
    while let Some((shorter, ending)) = stem.rsplit_once('.') {
        if shorter.is_empty() || !ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)) {
            break;
        }
        stem = shorter;
    }
    let ending = match format {
        ExportFormat::Text => "report.txt",
        ExportFormat::Json => "report.json",
        ExportFormat::Html => "report.html",
        ExportFormat::Script => "fix.sh",
        ExportFormat::Mail => "mail.txt",
    };
    if stem.is_empty() {
        ending.to_owned()
    } else {
        format!("{stem}.{ending}")
    }
}

/// Writes a text into a file, over what was there before: the dialog has asked.
///
/// # Errors
/// Code `file_not_saved`.
pub fn save_text(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|cause| {
        Error::new("file_not_saved")
            .with("path", path.display())
            .with("cause", cause)
            .retryable()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_called_after_its_image_without_the_image_s_endings() {
        for (image, format, name) in [
            ("debian-12.qcow2", ExportFormat::Html, "debian-12.report.html"),
            ("Büro Server.raw.GZ", ExportFormat::Text, "Büro Server.report.txt"),
            ("web.example.org", ExportFormat::Json, "web.example.org.report.json"),
            (".img", ExportFormat::Script, ".img.fix.sh"),
            ("../../etc/passwd", ExportFormat::Script, "passwd.fix.sh"),
            ("", ExportFormat::Html, "report.html"),
        ] {
            assert_eq!(report_file_name(image, format), name, "{image}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = save_text(&folder.path().join("missing/report.txt"), "text").unwrap_err();
        assert_eq!(error.code, "file_not_saved");
        assert!(error.params["path"].ends_with("report.txt"));
    }
}
