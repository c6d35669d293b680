//! Neighbour solicitation and advertisement (RFC 4861 4.3, 4.4): what ICMPv6 carries instead of ARP.

use crate::Sum;
use crate::bytes::{Cursor, array, u8_at};

/// Bytes of a message with the one option that is sent.
pub const LEN: usize = 32;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Who has `target`?
    Solicitation {
        /// The address asked for.
        target: [u8; 16],
        /// The asker's hardware address; none in duplicate detection.
        source: Option<[u8; 6]>,
    },
    /// `target` is at `mac`.
    Advertisement {
        /// The address told of.
        target: [u8; 16],
        /// Its hardware address; none when the asker knew it.
        mac: Option<[u8; 6]>,
        /// It answers a solicitation.
        solicited: bool,
        /// It replaces what was known.
        overrides: bool,
    },
}

/// Reads an ICMPv6 message that is one of these, its checksum verified already. `None`: it is not, or is malformed.
#[must_use]
pub fn parse(b: &[u8]) -> Option<Message> {
    let kind = u8_at(b, 0)?;
    let flags = u8_at(b, 4)?;
    let target = array(b, 8)?;
    // RFC 4861 7.1: code 0, a target that is no multicast.
    if u8_at(b, 1)? != 0 || target[0] == 0xff {
        return None;
    }
    let wanted = match kind {
        SOLICITATION => SOURCE_LINK_ADDRESS,
        ADVERTISEMENT => TARGET_LINK_ADDRESS,
        _ => return None,
    };
    let mut mac = None;
    let mut at = 24;
    while at < b.len() {
        let len = usize::from(u8_at(b, at + 1)?) * 8;
        if len == 0 || at + len > b.len() {
            return None;
        }
        if u8_at(b, at)? == wanted && len == 8 {
            mac = array(b, at + 2);
        }
        at += len;
    }
    Some(match kind {
        SOLICITATION => Message::Solicitation {
            target,
            source: mac,
        },
        _ => Message::Advertisement {
            target,
            mac,
            solicited: flags & 0x40 != 0,
            overrides: flags & 0x20 != 0,
        },
    })
}

/// Writes a message from `src` to `dst`, checksum and all; returns its length, 0 if it does not fit.
pub fn emit(src: [u8; 16], dst: [u8; 16], message: Message, buf: &mut [u8]) -> usize {
    let (kind, flags, target, option) = match message {
        Message::Solicitation { target, source } => (
            SOLICITATION,
            0,
            target,
            source.map(|m| (SOURCE_LINK_ADDRESS, m)),
        ),
        Message::Advertisement {
            target,
            mac,
            solicited,
            overrides,
        } => {
            let flags = u8::from(solicited) << 6 | u8::from(overrides) << 5;
            (
                ADVERTISEMENT,
                flags,
                target,
                mac.map(|m| (TARGET_LINK_ADDRESS, m)),
            )
        }
    };
    let mut c = Cursor::new(buf);
    c.put(&[kind, 0, 0, 0, flags, 0, 0, 0]);
    c.put(&target);
    if let Some((which, mac)) = option {
        c.put(&[which, 1]);
        c.put(&mac);
    }
    let n = c.finish();
    let Some(written) = buf.get_mut(..n) else {
        return 0;
    };
    let mut sum = Sum::pseudo_v6(src, dst, 58, n as u32);
    sum.add(written);
    if let Some(field) = written.get_mut(2..4) {
        field.copy_from_slice(&sum.finish().to_be_bytes());
    }
    n
}

/// The group that the owner of `ip` listens to for solicitations (RFC 4291 2.7.1).
#[must_use]
pub const fn solicited_node(ip: [u8; 16]) -> [u8; 16] {
    [
        0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ip[13], ip[14], ip[15],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_round_trip_with_a_right_checksum() {
        let (src, dst, target) = ([1; 16], [2; 16], [3; 16]);
        let all = [
            Message::Solicitation {
                target,
                source: Some([9; 6]),
            },
            Message::Solicitation {
                target,
                source: None,
            },
            Message::Advertisement {
                target,
                mac: Some([9; 6]),
                solicited: true,
                overrides: false,
            },
            Message::Advertisement {
                target,
                mac: None,
                solicited: false,
                overrides: true,
            },
        ];
        for m in all {
            let mut b = [0; LEN];
            let n = emit(src, dst, m, &mut b);
            assert!(n == 24 || n == 32);
            assert_eq!(parse(&b[..n]), Some(m));
            let mut sum = Sum::pseudo_v6(src, dst, 58, n as u32);
            sum.add(&b[..n]);
            assert_eq!(sum.finish(), 0);
            for cut in 0..24 {
                assert_eq!(parse(&b[..cut]), None);
            }
        }
    }

    #[test]
    fn malformed_options_make_no_message() {
        let mut b = [0; LEN];
        emit(
            [1; 16],
            [2; 16],
            Message::Solicitation {
                target: [3; 16],
                source: Some([9; 6]),
            },
            &mut b,
        );
        b[25] = 0;
        assert_eq!(parse(&b), None, "an option of length 0");
        b[25] = 2;
        assert_eq!(parse(&b), None, "an option past the end");
    }
}
