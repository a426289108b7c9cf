//! What a program really left in its practice cloud: the bytes of an image, asked for by the protocols, compared by SHA-256.

use std::{fmt::Write as _, fs::File, io::Read as _, path::Path};

use lotse_practice_cloud::PracticeCloud;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Result;

/// SHA-256 of the image's bytes as the practice cloud under `data_home` (`XDG_DATA_HOME` of the program) gives them out.
///
/// # Errors
/// When the cloud does not start, or holds no such image.
pub async fn sha256_of_image(data_home: &Path, region: &str, image: &str) -> Result<String> {
    let cloud = PracticeCloud::start(&data_home.join("imagelotse/practice-cloud")).await?;
    let access = cloud.access();
    let http = lotse_cloud::http_client()?;
    let sign_in = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": access.user, "domain": {"id": access.domain}, "password": access.password}}},
        "scope": {"project": {"name": access.project, "domain": {"id": access.domain}}}}});
    let url = format!("{}/auth/tokens", access.auth_url.as_str().trim_end_matches('/'));
    let answer = http.post(url).json(&sign_in).send().await?.error_for_status()?;
    let token = answer
        .headers()
        .get("x-subject-token")
        .ok_or("no token")?
        .to_str()?
        .to_owned();
    let catalogue: Value = answer.json().await?;
    let endpoints = catalogue["token"]["catalog"].as_array().ok_or("no catalogue")?.iter();
    let mut endpoints = endpoints
        .filter(|service| service["type"] == "image")
        .filter_map(|service| service["endpoints"].as_array())
        .flatten();
    let glance = endpoints
        .find(|endpoint| endpoint["region"] == region && endpoint["interface"] == "public")
        .and_then(|endpoint| endpoint["url"].as_str())
        .ok_or("the region has no image service")?;
    let url = format!("{}/v2/images/{image}/file", glance.trim_end_matches('/'));
    let mut answer = http
        .get(url)
        .header("X-Auth-Token", token)
        .send()
        .await?
        .error_for_status()?;
    let mut hash = Sha256::new();
    while let Some(chunk) = answer.chunk().await? {
        hash.update(&chunk);
    }
    cloud.shutdown().await;
    Ok(hexadecimal(&hash.finalize()))
}

/// SHA-256 of a file.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hexadecimal(&hash.finalize())),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// Two lower-case digits a byte.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}
