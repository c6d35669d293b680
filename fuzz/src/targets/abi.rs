//! Socket addresses that a program hands over.

use hearken_abi::sockaddr::{Decoded, decode, encode};
use std::net::SocketAddr;

pub(crate) fn sockaddr(b: &[u8]) {
    if let Ok(Decoded::Addr(a)) = decode(b) {
        // Flow label and scope may be cut off; address and port may not.
        let (bytes, len) = encode(a);
        match decode(&bytes[..len]) {
            Ok(Decoded::Addr(again)) => {
                assert_eq!((a.ip(), a.port()), (again.ip(), again.port()));
                if let (SocketAddr::V6(x), SocketAddr::V6(y)) = (a, again) {
                    assert_eq!(x.scope_id(), y.scope_id());
                }
            }
            other => panic!("{a} came back as {other:?}"),
        }
    }
}
