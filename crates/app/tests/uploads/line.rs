//! The line to a service: it can be cut or filtered, and it can refuse to make objects public as a service without lists of rights does.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use url::Url;

/// What goes wrong, and what went over it.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) cut: AtomicBool,
    pub(crate) no_acl: AtomicBool,
    /// Open uploads cannot be listed.
    pub(crate) no_uploads: AtomicBool,
    /// A filter of the network answers everything itself.
    pub(crate) filtered: AtomicBool,
    /// Nothing can be removed.
    pub(crate) no_delete: AtomicBool,
    /// Bytes towards the service.
    pub(crate) sent: AtomicU64,
}

/// What Swift's s3api answers to PutObjectAcl, and others to what they lack.
const NOT_IMPLEMENTED: &str = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>NotImplemented</Code>\
    <Message>The requested resource is not implemented</Message></Error>";

impl Line {
    /// A line to the service at `far`, and the address of its near end.
    pub(crate) async fn to(far: &Url) -> io::Result<(Arc<Line>, Url)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let mut near = far.clone();
        let port = listener.local_addr()?.port();
        near.set_port(Some(port)).map_err(|()| io::ErrorKind::InvalidInput)?;
        let (host, port) = far.host_str().zip(far.port()).ok_or(io::ErrorKind::InvalidInput)?;
        let far = format!("{host}:{port}");
        let line = Arc::new(Line::default());
        let carrying = Arc::clone(&line);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (line, far) = (Arc::clone(&carrying), far.clone());
                // Either end may break off whenever it likes.
                tokio::spawn(async move { line.carry(near, &far).await });
            }
        });
        Ok((line, near))
    }

    pub(crate) fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    async fn carry(&self, mut near: TcpStream, far: &str) -> io::Result<()> {
        let mut far = TcpStream::connect(far).await?;
        let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            if self.cut.load(Ordering::SeqCst) {
                return Ok(());
            }
            tokio::select! {
                count = near.read(&mut up) => {
                    let said = up.get(..count?).unwrap_or_default();
                    if said.is_empty() {
                        return Ok(());
                    }
                    if self.cut.load(Ordering::SeqCst) {
                        return Ok(());
                    }
                    if self.filtered.load(Ordering::SeqCst) {
                        let answer = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 7\r\nConnection: close\r\n\r\nBlocked";
                        return near.write_all(answer.as_bytes()).await;
                    }
                    let first = said.split(|byte| *byte == b'\r').next().unwrap_or_default();
                    let asks_for_acl = first.starts_with(b"PUT ") && first.windows(4).any(|word| word == b"acl=");
                    let asks_for_uploads = first.starts_with(b"GET ") && first.windows(8).any(|word| word == b"uploads=");
                    if asks_for_acl && self.no_acl.load(Ordering::SeqCst)
                        || asks_for_uploads && self.no_uploads.load(Ordering::SeqCst)
                        || first.starts_with(b"DELETE ") && self.no_delete.load(Ordering::SeqCst)
                    {
                        let answer = format!(
                            "HTTP/1.1 501 Not Implemented\r\nContent-Type: application/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{NOT_IMPLEMENTED}",
                            NOT_IMPLEMENTED.len()
                        );
                        return near.write_all(answer.as_bytes()).await;
                    }
                    self.sent.fetch_add(said.len() as u64, Ordering::SeqCst);
                    far.write_all(said).await?;
                }
                count = far.read(&mut down) => {
                    let said = down.get(..count?).unwrap_or_default();
                    if said.is_empty() {
                        return Ok(());
                    }
                    near.write_all(said).await?;
                }
            }
        }
    }
}
