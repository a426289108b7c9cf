//! The key of a staging object: random bits that nobody guesses, and the file's name with the extension that belongs to it. The panel
//! and whoever imports by the address read the format from there.

use std::path::Path;

use lotse_disk::{Compression, Container, Format};

use crate::connections::PREFIX;

/// Longest name in a key, in bytes. S3 takes keys of 1,024; this one is also to fit whole into a `mailto:` link of 2,000 characters,
/// where a byte that is no ASCII takes five.
const LONGEST_NAME: usize = 120;

/// Stands for a name of which nothing was left.
const NAMELESS: &str = "image";

/// The key under `random` bits for the file at `path`, whose content is a `container`.
pub(super) fn staging_key(random: u128, path: &Path, container: &Container) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{PREFIX}{random:032x}/{}", object_name(&name, container))
}

/// The name in a key, for a person.
pub(crate) fn name_in(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, name)| name)
}

/// The file's name, harmless in an address, and with the extension of what the file really is: `server` that is qcow2 becomes
/// `server.qcow2`, and so does `server.img` become `server.img.qcow2`, since `.img` is a raw disk to everybody.
fn object_name(name: &str, container: &Container) -> String {
    let name: String = name
        .trim()
        .chars()
        .map(|character| if is_harmless(character) { character } else { '_' })
        .collect();
    let (stem, extension) = split(&name, container);
    // What begins with a dot is hidden, what ends in one loses it on Windows.
    let stem = stem.trim_matches('.');
    let room = LONGEST_NAME.saturating_sub(extension.len());
    let stem = stem.get(..stem.floor_char_boundary(room)).unwrap_or_default();
    let stem = stem.trim_end_matches('.');
    let stem = if stem.is_empty() { NAMELESS } else { stem };
    format!("{stem}{extension}")
}

/// The name without its extension, and the extension with its dot, in small letters; the right one where the name has another.
fn split<'a>(name: &'a str, container: &Container) -> (&'a str, String) {
    if let Some(compression) = container.compression {
        let (stem, extension) = ending(name, compressed(compression));
        let stem = stem.trim_end_matches('.');
        // What is inside does not show; but where the name tells it, it stays beside the compression.
        let inside = [Format::Raw, Format::Qcow2, Format::Vhdx, Format::Vdi, Format::Vmdk]
            .into_iter()
            .flat_map(extensions)
            .find_map(|inside| cut(stem, inside).map(|stem| (stem, inside)));
        return match inside {
            Some((stem, inside)) => (stem, format!("{inside}{extension}")),
            None => (stem, extension.to_owned()),
        };
    }
    let (stem, extension) = ending(name, extensions(container.format.unwrap_or(Format::Raw)));
    (stem, extension.to_owned())
}

/// Cuts one of the extensions off the name; the first one belongs to a name that has none of them.
fn ending<'a>(name: &'a str, extensions: &'static [&'static str]) -> (&'a str, &'static str) {
    extensions
        .iter()
        .find_map(|extension| cut(name, extension).map(|stem| (stem, *extension)))
        .unwrap_or((name, extensions.first().copied().unwrap_or_default()))
}

fn cut<'a>(name: &'a str, extension: &str) -> Option<&'a str> {
    let (stem, end) = name.split_at_checked(name.len().checked_sub(extension.len())?)?;
    end.eq_ignore_ascii_case(extension).then_some(stem)
}

/// As ccloud³'s pages write them (`.img` and `.raw` for raw disks).
fn extensions(format: Format) -> &'static [&'static str] {
    match format {
        Format::Qcow2 => &[".qcow2"],
        Format::Vhdx => &[".vhdx"],
        Format::Vdi => &[".vdi"],
        Format::Vmdk => &[".vmdk"],
        // Nothing else is sent.
        _ => &[".img", ".raw"],
    }
}

fn compressed(compression: Compression) -> &'static [&'static str] {
    match compression {
        Compression::Bzip2 => &[".bz2"],
        // Nothing else is sent.
        _ => &[".gz"],
    }
}

/// Letters and digits of any script, and what has no meaning anywhere: neither in paths and addresses nor in a bucket's policy, where
/// `*`, `?` and `${` stand for something else. Whoever copies the address by hand meets no blank.
fn is_harmless(character: char) -> bool {
    if character.is_ascii() {
        character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_')
    } else {
        // Marks that combine with the letter before them: macOS writes `ü` as two characters.
        character.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&character)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    const ACCEPTED: [Format; 5] = [Format::Raw, Format::Qcow2, Format::Vhdx, Format::Vdi, Format::Vmdk];

    fn container(format: Option<Format>, compression: Option<Compression>) -> Container {
        Container {
            format,
            variant: None,
            compression,
            virtual_size: None,
        }
    }

    fn named(name: &str, format: Format) -> String {
        object_name(name, &container(Some(format), None))
    }

    #[test]
    fn a_name_gets_the_extension_of_what_the_file_is() {
        for (name, format, expected) in [
            ("debian-12.qcow2", Format::Qcow2, "debian-12.qcow2"),
            ("server", Format::Qcow2, "server.qcow2"),
            ("SERVER.QCOW2", Format::Qcow2, "SERVER.qcow2"),
            (
                "jammy-server-cloudimg-amd64.img",
                Format::Qcow2,
                "jammy-server-cloudimg-amd64.img.qcow2",
            ),
            ("disk.img", Format::Raw, "disk.img"),
            ("disk.raw", Format::Raw, "disk.raw"),
            ("disk.bin", Format::Raw, "disk.bin.img"),
            ("Büro Server.vhdx", Format::Vhdx, "Büro_Server.vhdx"),
            ("a.vmdk", Format::Vdi, "a.vmdk.vdi"),
            (".qcow2", Format::Qcow2, "image.qcow2"),
            ("..", Format::Vmdk, "image.vmdk"),
            ("", Format::Raw, "image.img"),
            ("../../etc/passwd", Format::Raw, "_.._etc_passwd.img"),
            (
                "a?x=1#y%2f${aws:username}*.raw",
                Format::Raw,
                "a_x_1_y_2f__aws_username__.raw",
            ),
        ] {
            assert_eq!(named(name, format), expected, "{name}");
        }
    }

    #[test]
    fn a_compressed_file_ends_in_its_compression() {
        let gzip = container(None, Some(Compression::Gzip));
        let bzip2 = container(None, Some(Compression::Bzip2));
        for (name, container, expected) in [
            ("disk.img.gz", &gzip, "disk.img.gz"),
            ("disk.RAW.GZ", &gzip, "disk.raw.gz"),
            ("disk.qcow2", &gzip, "disk.qcow2.gz"),
            ("disk", &gzip, "disk.gz"),
            ("disk.img.bz2", &bzip2, "disk.img.bz2"),
            ("disk.gz", &bzip2, "disk.gz.bz2"),
        ] {
            assert_eq!(object_name(name, container), expected, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_unicode_survives() {
        use std::os::unix::ffi::OsStringExt as _;
        let path = PathBuf::from(std::ffi::OsString::from_vec(b"/images/b\xfcro.raw".to_vec()));
        let key = staging_key(1, &path, &container(Some(Format::Raw), None));
        assert_eq!(key, "imagelotse/00000000000000000000000000000001/b_ro.raw");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Whatever a file is called, its key can be written, listed, allowed in a policy and imported by.
        #[test]
        fn every_name_makes_a_key_that_every_service_takes(
            name in prop_oneof!["\\PC{0,300}", "[.]{0,9}", ".{0,60}(\\.img|\\.GZ|\\.qcow2|\\.)", "(ü|😀|\\.){0,200}"],
            random: u128,
            format in proptest::sample::select(ACCEPTED.to_vec()),
            compression in proptest::sample::select(vec![None, Some(Compression::Gzip), Some(Compression::Bzip2)]),
        ) {
            let container = container(compression.is_none().then_some(format), compression);
            let key = staging_key(random, Path::new(&name), &container);
            let [folder, bits, object] = key.split('/').collect::<Vec<_>>()[..] else {
                return Err(TestCaseError::fail(format!("three parts: {key}")));
            };
            prop_assert_eq!((folder, bits.len()), ("imagelotse", 32));
            prop_assert_eq!(u128::from_str_radix(bits, 16).ok(), Some(random));
            prop_assert!(object.len() <= LONGEST_NAME && !object.starts_with('.') && !object.ends_with('.'));
            prop_assert!(object.chars().all(is_harmless), "{}", object);
            let right = match compression {
                Some(compression) => compressed(compression),
                None => extensions(format),
            };
            let stem = right.iter().find_map(|extension| object.strip_suffix(extension));
            prop_assert!(stem.is_some_and(|stem| !stem.is_empty()), "{}", object);
            prop_assert_eq!(name_in(&key), object);
            // Sent once more under its own name it keeps it.
            prop_assert!(object_name(object, &container).eq_ignore_ascii_case(object), "{}", object);
        }
    }
}
