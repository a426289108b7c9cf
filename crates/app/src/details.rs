//! What a person says about an image: name, distribution, region, tags, notes; and what can be suggested for it.

use std::path::Path;

use lotse_requirements::Report;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The longest name and tag that Glance takes, in characters (OpenStack Image API v2, `images` schema).
const MAX_NAME: usize = 255;

/// The longest property value that Glance's database keeps is 65,535 bytes; that many characters of up to four bytes fit surely.
const MAX_NOTES: usize = 16_000;

/// Distributions as ccloud³'s panel offers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Arch Linux.
    Arch,
    /// Fedora.
    Fedora,
    /// Ubuntu.
    Ubuntu,
    /// CentOS.
    Centos,
    /// Debian.
    Debian,
    /// Another one, or not known.
    Unknown,
}

impl Distribution {
    /// In the panel's order.
    pub const ALL: [Self; 6] = [
        Self::Arch,
        Self::Fedora,
        Self::Ubuntu,
        Self::Centos,
        Self::Debian,
        Self::Unknown,
    ];

    /// The word used on the command line and in Glance's property `os_distro`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arch => "arch",
            Self::Fedora => "fedora",
            Self::Ubuntu => "ubuntu",
            Self::Centos => "centos",
            Self::Debian => "debian",
            Self::Unknown => "unknown",
        }
    }

    /// Its name as its makers write it; none for an unknown one.
    pub fn title(self) -> Option<&'static str> {
        match self {
            Self::Arch => Some("Arch Linux"),
            Self::Fedora => Some("Fedora"),
            Self::Ubuntu => Some("Ubuntu"),
            Self::Centos => Some("CentOS"),
            Self::Debian => Some("Debian"),
            Self::Unknown => None,
        }
    }

    /// The distribution with this `ID` of os-release; `Unknown` for every other one.
    pub fn from_os_release_id(id: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|distribution| distribution.name() == id)
            .unwrap_or(Self::Unknown)
    }
}

/// How many tags an image may have (Glance, `image_tag_quota`).
const MAX_TAGS: usize = 128;

/// What a person says about an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageDetails {
    /// Shown in lists; need not be unique.
    pub name: String,
    /// As the panel asks it.
    pub distribution: Distribution,
    /// Where the image shall be.
    pub region: String,
    /// Each one word of letters, digits, `:`, `-`, `_`.
    pub tags: Vec<String>,
    /// Free text.
    pub notes: String,
}

impl ImageDetails {
    /// Trims what was typed and drops repeated tags (upper and lower case are the same tag; the first writing stays).
    ///
    /// # Errors
    /// Codes `details_name_empty`, `details_name_too_long`, `details_name_character`, `details_tag_invalid` (param
    /// `tag`), `details_too_many_tags`, `details_notes_too_long`, `details_notes_character`.
    pub fn cleaned(&self) -> Result<Self, Error> {
        let name = self.name.trim();
        if name.is_empty() {
            return Err(Error::new("details_name_empty"));
        }
        if name.chars().count() > MAX_NAME {
            return Err(Error::new("details_name_too_long").with("most", MAX_NAME));
        }
        if let Some(character) = name.chars().find(|character| !is_stored(*character)) {
            return Err(Error::new("details_name_character").with("character", character));
        }
        let notes = self.notes.trim().replace("\r\n", "\n");
        if notes.chars().count() > MAX_NOTES {
            return Err(Error::new("details_notes_too_long").with("most", MAX_NOTES));
        }
        if let Some(character) = notes
            .chars()
            .find(|character| !is_stored(*character) && !matches!(character, '\n' | '\t'))
        {
            return Err(Error::new("details_notes_character").with("character", character));
        }
        let mut tags: Vec<String> = Vec::new();
        for tag in self.tags.iter().map(|tag| tag.trim()) {
            if !is_tag(tag) {
                return Err(Error::new("details_tag_invalid").with("tag", tag));
            }
            if !tags.iter().any(|kept| kept.to_lowercase() == tag.to_lowercase()) {
                tags.push(tag.to_owned());
            }
        }
        if tags.len() > MAX_TAGS {
            return Err(Error::new("details_too_many_tags").with("most", MAX_TAGS));
        }
        Ok(Self {
            name: name.to_owned(),
            distribution: self.distribution,
            region: self.region.clone(),
            tags,
            notes,
        })
    }
}

/// ccloud³: "one word of letters, digits, `:`, `-`, `_`".
fn is_tag(tag: &str) -> bool {
    !tag.is_empty()
        && tag.chars().count() <= MAX_NAME
        && tag.chars().all(|character| {
            (character.is_alphanumeric() && is_stored(character)) || matches!(character, ':' | '-' | '_')
        })
}

/// Glance answers 400 to characters of four UTF-8 bytes (emoji, mostly).
fn is_stored(character: char) -> bool {
    character.len_utf8() < 4 && !character.is_control()
}

/// What the details form begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The file's name without the endings of container and compression.
    pub name: String,
    /// From os-release.
    pub distribution: Distribution,
}

impl From<&Report> for Suggestion {
    fn from(report: &Report) -> Self {
        let distribution = report.os.as_ref().and_then(|os| os.distribution.as_deref());
        Self {
            name: bare_name(&report.source.name).to_owned(),
            distribution: distribution.map_or(Distribution::Unknown, Distribution::from_os_release_id),
        }
    }
}

/// `debian-12.qcow2.gz` -> `debian-12`: only endings that name a container or compression are taken off.
fn bare_name(file: &str) -> &str {
    const ENDINGS: [&str; 16] = [
        "gz", "gzip", "bz2", "bzip2", "xz", "zst", "raw", "img", "qcow2", "qcow", "vhdx", "vhd", "vdi", "vmdk", "iso",
        "bin",
    ];
    let mut name = file;
    while let (Some(stem), Some(ending)) = (Path::new(name).file_stem(), Path::new(name).extension()) {
        let known = ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known));
        match stem.to_str() {
            Some(stem) if known => name = stem,
            _ => break,
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details() -> ImageDetails {
        ImageDetails {
            name: " Web server ".into(),
            distribution: Distribution::Debian,
            region: "practice-north".into(),
            tags: vec!["Web".into(), "web".into(), "tier:1".into()],
            notes: String::new(),
        }
    }

    #[test]
    fn a_name_is_preset_without_the_endings_of_the_container() {
        assert_eq!(bare_name("debian-12.qcow2.gz"), "debian-12");
        assert_eq!(bare_name("Büro Server.IMG"), "Büro Server");
        assert_eq!(bare_name("v1.2"), "v1.2", "a version number is no ending");
        assert_eq!(bare_name(".raw"), ".raw", "a name must not become empty");
    }

    #[test]
    fn tags_keep_the_writing_in_which_they_were_first_given() {
        let cleaned = details().cleaned().unwrap();
        assert_eq!(cleaned.name, "Web server");
        assert_eq!(cleaned.tags, ["Web", "tier:1"]);
    }

    #[test]
    fn notes_may_have_lines_and_columns_wherever_they_were_written() {
        let notes = "one\r\n\ttwo".to_owned();
        assert_eq!(
            ImageDetails { notes, ..details() }.cleaned().unwrap().notes,
            "one\n\ttwo"
        );
    }

    #[test]
    fn what_the_cloud_would_refuse_is_told_before_anything_is_sent() {
        let refused = |change: fn(&mut ImageDetails)| {
            let mut changed = details();
            change(&mut changed);
            changed.cleaned().unwrap_err().code
        };
        assert_eq!(refused(|details| details.name = "  ".into()), "details_name_empty");
        assert_eq!(
            refused(|details| details.name = "x".repeat(256)),
            "details_name_too_long"
        );
        assert_eq!(
            refused(|details| details.name = "Web 🚀".into()),
            "details_name_character"
        );
        assert_eq!(
            refused(|details| details.tags = vec!["two words".into()]),
            "details_tag_invalid"
        );
        assert_eq!(
            refused(|details| details.tags = vec!["a/b".into()]),
            "details_tag_invalid"
        );
        assert_eq!(
            refused(|details| details.notes = "x".repeat(16_001)),
            "details_notes_too_long"
        );
        assert_eq!(
            refused(|details| details.notes = "launch 🚀".into()),
            "details_notes_character"
        );
        let many = |details: &mut ImageDetails| details.tags = (0..129).map(|number| format!("t{number}")).collect();
        assert_eq!(refused(many), "details_too_many_tags");
    }
}
