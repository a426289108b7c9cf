//! A system's proxy (CONNECT, RFC 9110, section 9.3.6), as a company has one: names of the outside are known to it alone.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::Result;

/// Longest head of a request in bytes.
const HEAD: usize = 16 << 10;

/// A proxy on loopback that lets in who has its password. Ends with this.
#[derive(Debug)]
pub struct Tunnel {
    port: u16,
    opened: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

impl Tunnel {
    /// Starts one that knows this name only; behind it is this machine.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(name: &'static str, user_and_password: &'static str) -> Result<Tunnel> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let opened = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&opened);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                // A connection that breaks is the client's to tell.
                tokio::spawn(async move { serve(client, name, user_and_password, &log).await.is_ok() });
            }
        });
        Ok(Tunnel {
            port,
            opened,
            accepting,
        })
    }

    /// As it stands in `HTTPS_PROXY`.
    pub fn address(&self, user_and_password: &str) -> String {
        format!("http://{user_and_password}@127.0.0.1:{}", self.port)
    }

    /// Without a password, as it may be shown.
    pub fn host_and_port(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it was asked for so far, and how it answered.
    pub fn asked(&self) -> Vec<String> {
        self.opened.lock().map(|opened| opened.clone()).unwrap_or_default()
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut client: TcpStream, name: &str, user_and_password: &str, log: &Mutex<Vec<String>>) -> Result {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let credentials = format!("Basic {}", BASE64_STANDARD.encode(user_and_password));
    let let_in = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .any(|(field, value)| field.eq_ignore_ascii_case("proxy-authorization") && value == credentials);
    let port = target
        .and_then(|target| target.rsplit_once(':'))
        .filter(|(host, _)| *host == name)
        .and_then(|(_, port)| port.parse::<u16>().ok());
    let (status, server) = match port {
        _ if !let_in => ("407 Proxy Authentication Required", None),
        None => ("502 Bad Gateway", None),
        Some(port) => match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            Ok(server) => ("200 OK", Some(server)),
            Err(_) => ("502 Bad Gateway", None),
        },
    };
    if let Ok(mut log) = log.lock() {
        log.push(format!("{} {status}", head.lines().next().unwrap_or_default()));
    }
    let Some(mut server) = server else {
        let answer =
            format!("HTTP/1.1 {status}\r\nproxy-authenticate: Basic realm=\"test\"\r\ncontent-length: 0\r\n\r\n");
        client.write_all(answer.as_bytes()).await?;
        return Ok(());
    };
    client
        .write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes())
        .await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
