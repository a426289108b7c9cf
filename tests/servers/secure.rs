//! Certificates of a private authority, as a company has one: good, expired, and for another name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use serde::Serialize;

use crate::Result;

/// A name of the server that is not one of this machine's own, so that a system's proxy is asked for it (RFC 6761, section 6.2: `.test`
/// is nobody's).
pub const NAME: &str = "s3.test";

/// Ports at which a server answers with TLS, each with a certificate of its own by the same authority.
#[derive(Debug, Clone, Serialize)]
pub struct Secure {
    /// The authority's certificate (PEM), which a computer has to be told to trust.
    pub authority: PathBuf,
    /// That of an authority which signed none of them.
    pub stranger: PathBuf,
    /// Good for `s3.test`, `localhost` and 127.0.0.1.
    pub good: u16,
    /// The same, but expired.
    pub expired: u16,
    /// Good for `elsewhere.test` only.
    pub misnamed: u16,
}

/// What a server has to be started with for one of the ports.
pub(super) struct Port {
    pub(super) number: u16,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// Writes the certificates into the folder.
pub(super) fn provide(folder: &Path, [good, expired, misnamed]: [u16; 3]) -> Result<(Secure, Vec<Port>)> {
    fs::create_dir_all(folder)?;
    let (_, stranger) = authority(&folder.join("stranger.pem"), "Somebody else")?;
    let (issuer, authority) = authority(&folder.join("authority.pem"), "Imagelotse test authority")?;
    let own = [NAME, "localhost", "127.0.0.1"];
    let ports = [
        (good, "good", own.as_slice(), 2099),
        (expired, "expired", &own, 2020),
        (misnamed, "misnamed", &["elsewhere.test"], 2099),
    ];
    let ports: Result<Vec<Port>> = ports
        .into_iter()
        .map(|(port, file, names, until)| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let mut params = CertificateParams::new(names)?;
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(until, 1, 1);
            params.use_authority_key_identifier_extension = true;
            let key = KeyPair::generate()?;
            let signed = params.signed_by(&key, &issuer)?;
            let files = Port {
                number: port,
                certificate: folder.join(format!("{file}.pem")),
                key: folder.join(format!("{file}.key")),
            };
            fs::write(&files.certificate, signed.pem())?;
            fs::write(&files.key, key.serialize_pem())?;
            Ok(files)
        })
        .collect();
    let secure = Secure {
        authority,
        stranger,
        good,
        expired,
        misnamed,
    };
    Ok((secure, ports?))
}

fn authority(file: &Path, name: &str) -> Result<(Issuer<'static, KeyPair>, PathBuf)> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2019, 1, 1);
    let key = KeyPair::generate()?;
    fs::write(file, params.self_signed(&key)?.pem())?;
    Ok((Issuer::new(params, key), file.to_owned()))
}
