//! Ports for servers that cannot choose one themselves.

use std::{
    io::Read as _,
    net::{Ipv4Addr, TcpListener},
};

use crate::Result;

/// Below the range from which Linux gives ports to outgoing connections (32768 to 60999), so that none of those takes one meanwhile.
const RANGE: std::ops::Range<u16> = 12_000..32_000;

/// So many ports of the loopback address that nobody uses now. Chosen at random: several runs at once hardly meet.
pub(super) fn free<const N: usize>() -> Result<[u16; N]> {
    let mut random = std::fs::File::open("/dev/urandom")?;
    // Held until all are found, so that none comes twice.
    let mut found: Vec<TcpListener> = Vec::new();
    for _ in 0..1000 {
        if found.len() == N {
            break;
        }
        let mut bytes = [0; 2];
        random.read_exact(&mut bytes)?;
        let port = RANGE.start + u16::from_le_bytes(bytes) % (RANGE.end - RANGE.start);
        found.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
    }
    let mut ports = [0; N];
    if found.len() < N {
        return Err("no free ports".into());
    }
    for (port, listener) in ports.iter_mut().zip(&found) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
