//! Looks for a secret where it must not be: in every file of a folder, in every guise that a program gives to text by accident.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};

use crate::{Result, stored::hexadecimal};

/// The guises of one secret.
#[derive(Debug)]
pub struct Leaks {
    guises: Vec<(&'static str, Vec<u8>)>,
}

impl Leaks {
    /// Of this secret, which should have letters that are escaped (`/`, `+`, `"`), or less is proven.
    pub fn of(secret: &str) -> Leaks {
        let bytes = secret.as_bytes();
        let mut guises = vec![
            ("plain", bytes.to_vec()),
            ("backwards", bytes.iter().rev().copied().collect()),
            ("UTF-16", secret.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            ("hexadecimal", hexadecimal(bytes).into_bytes()),
            ("HEXADECIMAL", hexadecimal(bytes).to_uppercase().into_bytes()),
            ("JSON", secret.replace('\\', "\\\\").replace('"', "\\\"").into_bytes()),
            ("JSON with \\/", secret.replace('/', "\\/").into_bytes()),
            ("XML", secret.replace('&', "&amp;").replace('<', "&lt;").into_bytes()),
            ("list of numbers", listed(bytes).into_bytes()),
            ("percent", percent(bytes, false).into_bytes()),
            ("percent, small", percent(bytes, true).into_bytes()),
        ];
        for before in 0..3 {
            // Base64 by what stands before it: three ways, without the letters that are shared with neighbours.
            let shifted: Vec<u8> = std::iter::repeat_n(0, before).chain(bytes.iter().copied()).collect();
            let whole = shifted.len() / 3 * 4;
            let text = BASE64_STANDARD_NO_PAD.encode(shifted);
            let own = text.get(before.div_ceil(3) * 4..whole).unwrap_or_default();
            guises.push(("base64", own.as_bytes().to_vec()));
            guises.push((
                "base64 for addresses",
                own.replace('+', "-").replace('/', "_").into_bytes(),
            ));
        }
        Leaks { guises }
    }

    /// In which guises it stands in `content`.
    pub fn within(&self, content: &[u8]) -> Vec<&'static str> {
        self.guises
            .iter()
            .filter(|(_, guise)| found(content, guise))
            .map(|(name, _)| *name)
            .collect()
    }

    /// In which files below `folder` it stands, and how; and how many files and bytes were read.
    ///
    /// # Errors
    /// When something there cannot be read.
    pub fn below(&self, folder: &Path) -> Result<(Vec<String>, usize, usize)> {
        let (mut told, mut bytes) = (Vec::new(), 0);
        let files = files_below(folder)?;
        for file in &files {
            let mut content = fs::read(file)?;
            content.extend_from_slice(file.to_string_lossy().as_bytes());
            bytes += content.len();
            let guises = self.within(&content);
            if !guises.is_empty() {
                told.push(format!("{}: {}", file.display(), guises.join(", ")));
            }
        }
        Ok((told, files.len(), bytes))
    }
}

/// Every plain file below a folder. Pipes, sockets and links are no files.
///
/// # Errors
/// When a folder cannot be read.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn found(content: &[u8], guise: &[u8]) -> bool {
    let Some(first) = guise.first() else { return false };
    let mut rest = content;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(guise) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

/// As `{:?}` of bytes shows them.
fn listed(bytes: &[u8]) -> String {
    let shown = format!("{bytes:?}");
    shown.trim_matches(['[', ']']).to_owned()
}

fn percent(bytes: &[u8], small: bool) -> String {
    bytes.iter().fold(String::new(), |mut text, &byte| {
        // Writing into a String cannot fail.
        _ = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => write!(text, "{}", char::from(byte)),
            _ if small => write!(text, "%{byte:02x}"),
            _ => write!(text, "%{byte:02X}"),
        };
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_guise_and_nowhere_else() {
        let secret = "Ge/heim+\"7&x=";
        let leaks = Leaks::of(secret);
        for before in ["", "a", "ab", "abc", "abcd"] {
            let text = format!("{before}{secret}{before}");
            assert!(leaks.within(text.as_bytes()).contains(&"plain"));
            let encoded = BASE64_STANDARD_NO_PAD.encode(&text);
            assert!(leaks.within(encoded.as_bytes()).contains(&"base64"), "{encoded}");
        }
        assert!(leaks.within(b"k=Ge%2Fheim%2B%227%26x%3D").contains(&"percent"));
        assert!(
            leaks
                .within(format!("{:?}", secret.as_bytes()).as_bytes())
                .contains(&"list of numbers")
        );
        assert!(leaks.within(b"Ge/heim+ and 7&x= apart").is_empty());
    }
}
