//! Is there a service at all, and if not, why: real sockets and real certificates.

use std::sync::Arc;

use lotse_transfer::TargetErrorKind;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::{
    s3::{client, refusal},
    server::{Server, answer},
};
use crate::{
    cause::{Cause, Fault},
    http_client,
};

#[tokio::test]
async fn whatever_s3_says_shows_that_it_is_s3() {
    // Another time would be taken for the reason of a refusal.
    let now = jiff::Timestamp::now();
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&now)
        .unwrap();
    let date = date.as_str();
    let anonymous = "<ListAllMyBucketsResult><Owner><ID>anonymous</ID></Owner><Buckets/></ListAllMyBucketsResult>";
    for first in [
        vec![answer(200, &[("date", date)], anonymous)],
        vec![answer(403, &[("date", date)], &refusal("AccessDenied"))],
        // AWS sends a browser to its web pages.
        vec![answer(307, &[("date", date), ("x-amz-request-id", "r")], "")],
        // Swift takes what is not signed for its own protocol.
        vec![
            answer(404, &[], "<html><h1>Not Found</h1></html>"),
            answer(403, &[("date", date)], &refusal("SignatureDoesNotMatch")),
        ],
    ] {
        let server = Server::start(first).await;
        let reached = client(server.url()).reach().await.unwrap();
        assert_eq!((reached.encrypted, reached.proxy), (false, None));
        assert_eq!(reached.date.unwrap().as_second(), now.as_second());
        assert_eq!(server.asked()[0].path, "/", "not signed");
    }
}

#[tokio::test]
async fn what_is_no_s3_service_is_told_apart_from_one_that_is_away() {
    let page = || answer(200, &[], "<html><body>Welcome to our hotel</body></html>");
    let server = Server::start(vec![
        page(),
        page(),
        answer(502, &[], "<html/>"),
        answer(502, &[], "<html/>"),
    ])
    .await;
    let s3 = client(server.url());
    let error = s3.reach().await.unwrap_err();
    assert_eq!((error.kind, error.code), (TargetErrorKind::Rejected, "s3_not_s3"));
    assert_eq!(s3.reach().await.unwrap_err().code, "s3_server_error");
}

#[tokio::test]
async fn why_nothing_answers_is_told_apart() {
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let refused = client(format!("http://127.0.0.1:{port}").parse().unwrap())
        .reach()
        .await
        .unwrap_err();
    assert_eq!((refused.kind, refused.code), (TargetErrorKind::Network, "s3_refused"));
    assert_eq!(refused.params["host"], format!("127.0.0.1:{port}"));

    // `.invalid` never exists (RFC 6761, 6.4). A proxy of this computer would be asked for it otherwise.
    let unknown = Cause::of(&unproxied(&[]).get("http://s3.invalid/").send().await.unwrap_err());
    assert_eq!(unknown, Cause::NameUnknown);

    // Somebody who hangs up.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let broken = client(format!("http://{address}").parse().unwrap())
        .reach()
        .await
        .unwrap_err();
    assert_eq!((broken.kind, broken.code), (TargetErrorKind::Network, "s3_unreachable"));

    let server = Server::start(vec![answer(407, &[], "")]).await;
    let proxy = client(server.url()).reach().await.unwrap_err();
    assert_eq!((proxy.kind, proxy.code), (TargetErrorKind::Network, "s3_proxy"));
    assert_eq!(
        proxy.params["proxy"], "127.0.0.1",
        "without a proxy of the system's it is somebody before the service"
    );

    // No TLS where it was expected.
    let server = Server::start(Vec::new()).await;
    let mut url = server.url();
    url.set_scheme("https").unwrap();
    let plain = client(url).reach().await.unwrap_err();
    assert_eq!((plain.kind, plain.code), (TargetErrorKind::Network, "s3_tls"));
}

/// A client that trusts these alone, and has no proxy.
fn unproxied(trusted: &[CertificateDer<'static>]) -> reqwest::Client {
    http_client().unwrap();
    let trusted = trusted
        .iter()
        .map(|certificate| reqwest::Certificate::from_der(certificate).unwrap());
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only(trusted)
        .build()
        .unwrap()
}

/// A server with a certificate that `change` makes, signed by an authority that is returned.
async fn secured(issuer: &str, change: impl FnOnce(&mut CertificateParams)) -> (Url, CertificateDer<'static>) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, issuer);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let mut own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    change(&mut own);
    let key = KeyPair::generate().unwrap();
    let certificate = own.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    http_client().unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut secure) = acceptor.accept(stream).await {
                _ = secure.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                _ = secure.shutdown().await;
            }
        }
    });
    (
        format!("https://localhost:{port}/").parse().unwrap(),
        authority.der().clone(),
    )
}

#[tokio::test]
async fn certificates_are_refused_for_their_own_reasons() {
    let fault = async |url: &Url, trusted: &CertificateDer<'static>| {
        let answered = unproxied(std::slice::from_ref(trusted)).get(url.clone()).send().await;
        answered
            .map(|answer| answer.status().as_u16())
            .map_err(|error| Cause::of(&error))
    };
    let (url, authority) = secured("ours", |_| ()).await;
    assert_eq!(fault(&url, &authority).await, Ok(200), "a good one is taken");
    let (_, stranger) = secured("another", |_| ()).await;
    assert_eq!(fault(&url, &stranger).await, Err(Cause::Certificate(Fault::Untrusted)));
    let mut by_number = url.clone();
    by_number.set_host(Some("127.0.0.1")).unwrap();
    assert_eq!(
        fault(&by_number, &authority).await,
        Err(Cause::Certificate(Fault::Name))
    );
    let (expired, authority) = secured("ours", |own| own.not_after = rcgen::date_time_ymd(2020, 1, 1)).await;
    assert_eq!(fault(&expired, &authority).await, Err(Cause::Certificate(Fault::Time)));
    let (early, authority) = secured("ours", |own| own.not_before = rcgen::date_time_ymd(2090, 1, 1)).await;
    assert_eq!(fault(&early, &authority).await, Err(Cause::Certificate(Fault::Time)));

    // And in the client's own words.
    let error = client(url).reach().await.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (TargetErrorKind::Network, "s3_certificate_untrusted")
    );
    assert_eq!(error.params["host"], "localhost");
}
