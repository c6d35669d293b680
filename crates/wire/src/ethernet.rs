//! Ethernet II frames (RFC 894, RFC 2464) and ARP (RFC 826).

use crate::bytes::{Cursor, array, u16_at};

/// Bytes of the header.
pub const LEN: usize = 14;
/// To everybody.
pub const BROADCAST: [u8; 6] = [0xff; 6];

/// What a frame carries.
pub mod ether_type {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
}

/// The header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Receiver.
    pub dst: [u8; 6],
    /// Sender.
    pub src: [u8; 6],
    /// See [`ether_type`].
    pub ether_type: u16,
}

/// Reads the header; `None` if the frame is shorter.
#[must_use]
pub fn parse(b: &[u8]) -> Option<Header> {
    Some(Header {
        dst: array(b, 0)?,
        src: array(b, 6)?,
        ether_type: u16_at(b, 12)?,
    })
}

impl Header {
    /// Writes the header; returns its length, 0 if it does not fit.
    pub fn emit(&self, buf: &mut [u8]) -> usize {
        let mut c = Cursor::new(buf);
        c.put(&self.dst);
        c.put(&self.src);
        c.u16(self.ether_type);
        c.finish()
    }
}

/// The group address that an IPv6 multicast goes to (RFC 2464 7).
#[must_use]
pub const fn multicast_v6(ip: [u8; 16]) -> [u8; 6] {
    [0x33, 0x33, ip[12], ip[13], ip[14], ip[15]]
}

/// The group address that an IPv4 multicast goes to (RFC 1112 6.4).
#[must_use]
pub const fn multicast_v4(ip: [u8; 4]) -> [u8; 6] {
    [0x01, 0x00, 0x5e, ip[1] & 0x7f, ip[2], ip[3]]
}

/// Bytes of an ARP message for IPv4 over Ethernet.
pub const ARP_LEN: usize = 28;

/// An ARP message for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// A request (1), or a reply (2).
    pub request: bool,
    /// Sender's hardware address.
    pub sender_mac: [u8; 6],
    /// Sender's address, 0.0.0.0 in a probe (RFC 5227).
    pub sender_ip: [u8; 4],
    /// Target's hardware address; nothing in a request.
    pub target_mac: [u8; 6],
    /// Whose hardware address is asked for, or who is told.
    pub target_ip: [u8; 4],
}

impl Arp {
    /// Reads a message; `None` if it is cut off or of other kinds of addresses.
    #[must_use]
    pub fn parse(b: &[u8]) -> Option<Arp> {
        let kinds: [u8; 6] = array(b, 0)?;
        let operation = u16_at(b, 6)?;
        if kinds != [0, 1, 8, 0, 6, 4] || !(1..=2).contains(&operation) {
            return None;
        }
        Some(Arp {
            request: operation == 1,
            sender_mac: array(b, 8)?,
            sender_ip: array(b, 14)?,
            target_mac: array(b, 18)?,
            target_ip: array(b, 24)?,
        })
    }

    /// Writes the message; returns its length, 0 if it does not fit.
    pub fn emit(&self, buf: &mut [u8]) -> usize {
        let mut c = Cursor::new(buf);
        c.put(&[0, 1, 8, 0, 6, 4]);
        c.u16(if self.request { 1 } else { 2 });
        c.put(&self.sender_mac);
        c.put(&self.sender_ip);
        c.put(&self.target_mac);
        c.put(&self.target_ip);
        c.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_arp_round_trip() {
        let h = Header {
            dst: BROADCAST,
            src: [1, 2, 3, 4, 5, 6],
            ether_type: ether_type::ARP,
        };
        let mut b = [0; LEN];
        assert_eq!(h.emit(&mut b), LEN);
        assert_eq!(parse(&b), Some(h));
        assert_eq!(parse(&b[..13]), None);
        for request in [true, false] {
            let a = Arp {
                request,
                sender_mac: [1; 6],
                sender_ip: [10, 0, 0, 1],
                target_mac: [0; 6],
                target_ip: [10, 0, 0, 2],
            };
            let mut b = [0; ARP_LEN];
            assert_eq!(a.emit(&mut b), ARP_LEN);
            assert_eq!(Arp::parse(&b), Some(a));
            assert_eq!(Arp::parse(&b[..27]), None);
            b[3] = 1;
            assert_eq!(Arp::parse(&b), None, "not IPv4");
        }
    }

    #[test]
    fn multicast_addresses_map_as_the_rfcs_say() {
        assert_eq!(multicast_v4([224, 129, 2, 3]), [1, 0, 0x5e, 1, 2, 3]);
        let mut ip = [0xff; 16];
        ip[13] = 0xab;
        assert_eq!(multicast_v6(ip), [0x33, 0x33, 0xff, 0xab, 0xff, 0xff]);
    }
}
