//! The demo's carried program: a small HTTP/1.0 server over std::net, as anybody would write it. It knows nothing of Hearken.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};

use super::bytes;
use crate::Failure;

/// Serves until it is ended: every request is answered with the same bytes.
pub(crate) fn serve(port: u16, length: u64) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        if let Err(error) = serve_one(&listener, length) {
            eprintln!("demo server: {error}");
        }
    }
}

/// Accepts one client and answers it.
pub(crate) fn serve_one(listener: &TcpListener, length: u64) -> std::io::Result<()> {
    let (stream, peer) = listener.accept()?;
    let mut reader = BufReader::new(&stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    println!("{} from {peer}", request.trim_end());
    let mut out = &stream;
    write!(
        out,
        "HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    )?;
    bytes::blocks(length, |block| out.write_all(block))?;
    stream.shutdown(Shutdown::Write)
}
