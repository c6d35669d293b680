//! Signed segments (RFC 2385): `md5 valid` stands for the signature by the key that the script set last, and a setsockopt
//! of TCP_MD5SIG for its struct, `{tcpm_addr=..., tcpm_keylen=6, tcpm_key="secret"}`.

use std::net::IpAddr;

use super::args::{Wrong, int, member, sockaddr, wrong};
use super::calls::Context;
use super::options::TcpOption;
use super::packet::{Body, Packet};
use crate::ast::{Expr, ExprKind};

/// In place of a digest: the right one. Behind a digest: it is the right one.
pub(crate) const VALID: &[u8] = b"valid";

/// Where `struct tcp_md5sig` has its fields, and its size.
const FLAGS: usize = 128;
const KEY_LEN: usize = 130;
const IFINDEX: usize = 132;
const KEY: usize = 136;
const SIZE: usize = 216;

/// Whether an option's value is written as the struct.
pub(crate) fn is_struct(expr: &Expr) -> bool {
    let ExprKind::Struct(fields) = &expr.kind else {
        return false;
    };
    let names = fields.iter().filter_map(|f| f.name.as_deref());
    names.into_iter().any(|name| name.starts_with("tcpm_"))
}

/// The struct as bytes. Without an address, or with `...`, it is the peer's.
pub(crate) fn value(expr: &Expr, domain: i32, context: Context<'_>) -> Result<Vec<u8>, Wrong> {
    let named = |name: &str| member(expr, &[name], usize::MAX);
    let mut out = match named("tcpm_addr").filter(|addr| !addr.is_ellipsis()) {
        Some(addr) => sockaddr(addr)?,
        None => context.world.sockaddr(domain, context.world.remote, 0),
    };
    out.resize(SIZE, 0);
    let number = |name: &str| named(name).map_or(Ok(0), int);
    out[FLAGS] = number("tcpm_flags")? as u8;
    out[FLAGS + 1] = number("tcpm_prefixlen")? as u8;
    out[IFINDEX..KEY].copy_from_slice(&(number("tcpm_ifindex")? as i32).to_ne_bytes());
    let mut len = 0;
    if let Some(key) = named("tcpm_key") {
        let ExprKind::Bytes(text) = &key.kind else {
            return wrong(key.span, "a key is written \"secret\"");
        };
        // Without the zero that ends a string in C.
        let text = text.strip_suffix(b"\0").unwrap_or(text);
        let Some(place) = out.get_mut(KEY..KEY + text.len()) else {
            return wrong(key.span, "a key has at most 80 bytes");
        };
        place.copy_from_slice(text);
        len = text.len() as i64;
    }
    if let Some(given) = named("tcpm_keylen").filter(|n| !n.is_ellipsis()) {
        len = int(given)?;
    }
    out[KEY_LEN..IFINDEX].copy_from_slice(&(len as u16).to_ne_bytes());
    Ok(out)
}

/// The key that a value sets; `None` for one that deletes.
pub(crate) fn key_of(value: &[u8]) -> Option<Vec<u8>> {
    let len = u16::from_ne_bytes(value.get(KEY_LEN..IFINDEX)?.try_into().ok()?);
    let key = value.get(KEY..KEY + usize::from(len))?;
    (!key.is_empty()).then(|| key.to_vec())
}

fn digest(packet: &Packet, bytes: &[u8], key: &[u8]) -> [u8; 16] {
    let ip = match packet.src.ip() {
        IpAddr::V4(_) => usize::from(bytes[0] & 15) * 4,
        IpAddr::V6(_) => 40,
    };
    hearken_twin::md5_signature(packet.src.ip(), packet.dst.ip(), &bytes[ip..], key)
}

fn signature(packet: &mut Packet) -> Option<&mut Vec<u8>> {
    let Body::Tcp(tcp) = &mut packet.body else {
        return None;
    };
    tcp.options.iter_mut().find_map(|option| match option {
        TcpOption::Md5(digest) => Some(digest),
        _ => None,
    })
}

/// Signs a packet of the script's whose signature is to be the right one. The error is a sentence.
pub(crate) fn sign(packet: &mut Packet, key: Option<&[u8]>) -> Result<(), String> {
    match signature(packet) {
        Some(place) if place == VALID => *place = vec![0; 16],
        _ => return Ok(()),
    }
    let Some(key) = key else {
        return Err("`md5 valid` needs a key: setsockopt(3, SOL_TCP, TCP_MD5SIG, {tcpm_addr=..., tcpm_key=\"secret\"}, 216) sets one".into());
    };
    let right = digest(packet, &packet.emit(), key).to_vec();
    if let Some(place) = signature(packet) {
        *place = right;
    }
    Ok(())
}

/// Marks a packet of the system's whose signature is the right one.
pub(crate) fn mark(packet: &mut Packet, bytes: &[u8], key: Option<&[u8]>) {
    let Some(key) = key else { return };
    let right = digest(packet, bytes, key);
    if let Some(told) = signature(packet).filter(|told| told[..] == right) {
        told.extend(VALID);
    }
}
