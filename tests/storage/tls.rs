//! TLS as a company has it: a private authority that the computer trusts, and a proxy before everything.

use lotse_tests::{
    Result,
    home::Home,
    servers::{
        Access, Kind, Server, Settings,
        secure::{NAME, Secure},
    },
    stored::sha256_of_file,
    strangers,
    tunnel::Tunnel,
};
use url::Url;

use crate::person::{Step, add, own_file, staged, steps, word};

const PROXY_PASSWORD: &str = "petra:geheim";

/// What went wrong with the test of a connection: the first step that did not pass.
fn stopped_at(steps: &[Step]) -> Option<(&str, &str)> {
    let step = steps.iter().find(|(_, result, _)| result != "passed")?;
    Some((&step.0, step.2.as_deref().unwrap_or(&step.1)))
}

fn at(host: &str, port: u16) -> Result<Url> {
    Ok(format!("https://{host}:{port}").parse()?)
}

/// A computer that trusts this authority and no other.
fn trusting(authority: &std::path::Path, access: &Access) -> Result<Home> {
    let mut home = Home::new()?;
    home.set("SSL_CERT_FILE", word(authority)?);
    home.set("LOTSE_SECRET_KEY", &access.secret_key);
    Ok(home)
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_trusted_by_the_computers_own_authorities_and_goes_through_its_proxy() -> Result {
    let settings = Settings {
        tls: true,
        ..Settings::default()
    };
    let server = Server::start(Kind::Radosgw, settings).await?;
    let secure = server.secure.clone().ok_or("no TLS")?;
    trusted(&server.access, &secure)?;
    refused(&server.access, &secure)?;
    by_proxy(&server.access, &secure).await
}

fn trusted(access: &Access, secure: &Secure) -> Result {
    let home = trusting(&secure.authority, access)?;
    let image = own_file(&home, "debian-12-compressed.qcow2", "Über TLS.qcow2")?;
    let id = add(
        &home,
        &access.by(at("localhost", secure.good)?),
        &["--secret-in", "ask"],
        "",
    )?
    .well()?;
    let told = home.run(&["connection", "test", id.out.trim(), "--json"])?.well()?;
    let steps = steps(&told.json()?)?;
    assert_eq!(steps.len(), 8, "every step is told: {steps:?}");
    assert_eq!(stopped_at(&steps), None, "{steps:?}");

    home.run(&["upload", "--anyway", "--connection", id.out.trim(), word(&image)?])?
        .well()?;
    let url = staged(&home)?;
    assert_eq!((url.scheme(), url.port()), ("https", Some(secure.good)));
    // curl trusts whom it is told to trust; the server is asked without TLS, where the same object is.
    let plain = format!("{}{}", access.endpoint, url.path().trim_start_matches('/')).parse()?;
    assert_eq!(strangers::sha256(&plain)?, sha256_of_file(&image)?);
    Ok(())
}

fn refused(access: &Access, secure: &Secure) -> Result {
    for (what, authority, port, code) in [
        (
            "unknown authority",
            &secure.stranger,
            secure.good,
            "s3_certificate_untrusted",
        ),
        ("expired", &secure.authority, secure.expired, "s3_certificate_expired"),
        (
            "another's name",
            &secure.authority,
            secure.misnamed,
            "s3_certificate_name",
        ),
    ] {
        let home = trusting(authority, access)?;
        let at = access.by(at("localhost", port)?);
        let refused = add(&home, &at, &["--secret-in", "ask"], "")?;
        assert_eq!(
            (refused.status, refused.out.as_str()),
            (Some(1), ""),
            "{what}: {refused:?}"
        );
        let kept = home.run(&["connection", "list", "--json"])?.well()?.json()?;
        assert_eq!(
            kept.as_array().map(Vec::len),
            Some(1),
            "{what}: only the practice cloud is there: {kept}"
        );

        let id = add(&home, &at, &["--secret-in", "ask", "--no-test"], "")?.well()?;
        let told = home.run(&["connection", "test", id.out.trim(), "--json"])?;
        assert_eq!(told.status, Some(1), "{what}");
        let steps = steps(&told.json()?)?;
        assert_eq!(stopped_at(&steps), Some(("reach", code)), "{what}");
        assert!(
            steps[2..].iter().all(|step| step.1 == "skipped"),
            "{what}: the key is not shown to it: {steps:?}"
        );
    }
    Ok(())
}

async fn by_proxy(access: &Access, secure: &Secure) -> Result {
    let tunnel = Tunnel::start(NAME, PROXY_PASSWORD).await?;
    let mut home = trusting(&secure.authority, access)?;
    // Only the proxy knows the name (RFC 6761: `.test` is in no name service).
    let there = access.by(at(NAME, secure.good)?);
    let id = add(&home, &there, &["--secret-in", "ask", "--no-test"], "")?.well()?;
    let id = id.out.trim();

    let told = home.run(&["connection", "test", id, "--json"])?;
    assert_eq!(
        stopped_at(&steps(&told.json()?)?),
        Some(("name", "s3_name_unknown")),
        "without the proxy"
    );

    home.set("HTTPS_PROXY", &tunnel.address("petra:falsch"));
    let told = home.run(&["connection", "test", id, "--json"])?;
    assert_eq!(
        stopped_at(&steps(&told.json()?)?),
        Some(("reach", "s3_proxy")),
        "a password that is not the proxy's"
    );
    assert!(
        !told.out.contains("falsch") && !told.err.contains("falsch"),
        "the proxy's password is nobody's business: {told:?}"
    );

    home.set("HTTPS_PROXY", &tunnel.address(PROXY_PASSWORD));
    let told = home.run(&["connection", "test", id, "--json"])?.well()?;
    assert_eq!(stopped_at(&steps(&told.json()?)?), None, "{told:?}");
    let by_name = home.run(&["connection", "test", id])?.well()?;
    assert!(
        by_name.out.contains(&tunnel.host_and_port()),
        "it tells by which way it goes: {}",
        by_name.out
    );

    let image = own_file(&home, "debian-12-compressed.qcow2", "Über den Proxy.qcow2")?;
    home.run(&["upload", "--anyway", "--connection", id, word(&image)?])?
        .well()?;
    let url = staged(&home)?;
    assert_eq!(url.host_str(), Some(NAME));
    let plain = format!("{}{}", access.endpoint, url.path().trim_start_matches('/')).parse()?;
    assert_eq!(strangers::sha256(&plain)?, sha256_of_file(&image)?);
    let asked = tunnel.asked();
    assert!(
        asked
            .iter()
            .any(|asked| asked.ends_with("407 Proxy Authentication Required")),
        "{asked:?}"
    );
    assert!(asked.iter().any(|asked| asked.ends_with("200 OK")), "{asked:?}");
    Ok(())
}
