//! cloud-init's settings, as a system's files hold them.

use std::{io::Read, sync::LazyLock};

use lotse_guest::{Fact, MemoryTree, agents};

/// The script of two releases, which look for keys in two ways.
static SCRIPTS: LazyLock<[String; 2]> = LazyLock::new(|| {
    let packed: [&[u8]; 2] = [
        include_bytes!("../../../crates/guest/tests/cloud_init/ds-identify-22.4.2.gz"),
        include_bytes!("../../../crates/guest/tests/cloud_init/ds-identify-26.2.gz"),
    ];
    packed.map(|packed| {
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("a script of this repository");
        text
    })
});

/// Reads settings in pieces between zero bytes: the kernel's command line, `cloud.cfg`, a drop-in, another one, those of
/// ds-identify, a seed's metadata. The first byte chooses the script.
pub fn use_settings(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let mut pieces = bytes.split(|byte| *byte == 0);
    let command_line = String::from_utf8_lossy(pieces.next().unwrap_or_default()).into_owned();
    let mut tree = MemoryTree::new()
        .symlink("/sbin/init", "/usr/lib/systemd/systemd")
        .program("/usr/lib/systemd/systemd", "")
        .program("/usr/lib/systemd/system-generators/cloud-init-generator", "")
        .program("/usr/bin/cloud-init", "")
        .program("/usr/lib/cloud-init/ds-identify", &SCRIPTS[usize::from(*which) % 2])
        .file("/var/lib/cloud/seed/nocloud/user-data", "");
    for path in [
        "/etc/cloud/cloud.cfg",
        "/etc/cloud/cloud.cfg.d/50.cfg",
        "/etc/cloud/cloud.cfg.d/90_ec2.cfg",
        "/etc/cloud/ds-identify.cfg",
        "/var/lib/cloud/seed/nocloud/meta-data",
    ] {
        if let Some(piece) = pieces.next() {
            tree = tree.file(path, piece);
        }
    }
    let read = agents::facts_of(&tree, &command_line);
    assert!(matches!(read.agent, Fact::Known(Some(_))), "{:?}", read.agent);
}
