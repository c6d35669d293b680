//! The demo's client: HTTP/1.0 over the host's own TCP, hashing what comes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::bytes::{BLOCK, hex};

/// How long the client waits for the next byte.
const SILENCE_LIMIT: Duration = Duration::from_secs(15);

pub(crate) struct Fetched {
    pub(crate) length: u64,
    pub(crate) sha256: String,
    pub(crate) took: Duration,
}

/// Fetches `/` until the server closes, or until `end`.
pub(crate) fn fetch(
    from: SocketAddr,
    end: Instant,
    mut progress: impl FnMut(u64, u64),
) -> Result<Fetched, String> {
    let begin = Instant::now();
    let told = |what: &str, e: std::io::Error| match e.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
            format!("{what}: nothing came for {} s", SILENCE_LIMIT.as_secs())
        }
        _ => format!("{what}: {e}"),
    };
    let mut stream = TcpStream::connect_timeout(&from, SILENCE_LIMIT)
        .map_err(|e| told(&format!("connect to {from}"), e))?;
    stream
        .set_read_timeout(Some(SILENCE_LIMIT))
        .and_then(|()| stream.set_write_timeout(Some(SILENCE_LIMIT)))
        .and_then(|()| stream.write_all(b"GET / HTTP/1.0\r\nHost: demo\r\n\r\n"))
        .map_err(|e| told("sending the request", e))?;

    let mut reader = BufReader::with_capacity(BLOCK, stream);
    let mut line = String::new();
    let mut status = None;
    let mut total = 0;
    loop {
        line.clear();
        reader
            .read_line(&mut line)
            .map_err(|e| told("reading the response's head", e))?;
        let head = line.trim_end();
        if head.is_empty() {
            break;
        }
        if status.is_none() {
            status = Some(head.to_owned());
        } else if let Some(("Content-Length", value)) = head.split_once(": ") {
            total = value
                .parse()
                .map_err(|_| format!("Content-Length: {value}"))?;
        }
    }
    if status.as_deref() != Some("HTTP/1.0 200 OK") {
        return Err(format!("the server answered {status:?}"));
    }

    let mut hash = Sha256::new();
    let mut length = 0;
    let mut block = vec![0; BLOCK];
    let mut next = 0;
    loop {
        let n = reader
            .read(&mut block)
            .map_err(|e| told(&format!("after {length} bytes"), e))?;
        if n == 0 {
            break;
        }
        hash.update(&block[..n]);
        length += n as u64;
        if length >= next {
            progress(length, total);
            next = length + (1 << 20);
        }
        if Instant::now() > end {
            return Err(format!("out of time after {length} of {total} bytes"));
        }
    }
    Ok(Fetched {
        length,
        sha256: hex(&hash.finalize()),
        took: begin.elapsed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// The demo's server and client against each other on the host's own TCP: what they find wrong later is Hearken's.
    #[test]
    fn fetch_from_the_demo_server_gives_the_right_hash() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let bytes = 3 * BLOCK as u64 + 5;
        let server = std::thread::spawn(move || super::super::server::serve_one(&listener, bytes));
        let got = fetch(addr, Instant::now() + Duration::from_secs(30), |_, _| {}).unwrap();
        server.join().unwrap().unwrap();
        assert_eq!(got.length, bytes);
        assert_eq!(got.sha256, super::super::bytes::sha256(bytes));
    }

    #[test]
    fn fetch_from_a_closed_port_says_refused() {
        let addr = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap();
        let error = fetch(addr, Instant::now() + Duration::from_secs(30), |_, _| {})
            .err()
            .unwrap();
        assert!(error.contains("refused"), "{error}");
    }
}
