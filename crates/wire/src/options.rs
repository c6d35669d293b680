//! TCP options, as a `Copy` value.

use crate::bytes::{Cursor, array, u8_at, u16_at};

/// Up to four SACK blocks (RFC 2018), first the most recent one; a D-SACK block comes before all (RFC 2883).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SackBlocks {
    blocks: [(u32, u32); 4],
    len: u8,
}

impl SackBlocks {
    /// No block.
    pub const NONE: SackBlocks = SackBlocks {
        blocks: [(0, 0); 4],
        len: 0,
    };

    /// Adds a block `[start, end)`; false if four are there already.
    pub fn push(&mut self, start: u32, end: u32) -> bool {
        match self.blocks.get_mut(usize::from(self.len)) {
            Some(b) => {
                *b = (start, end);
                self.len += 1;
                true
            }
            None => false,
        }
    }

    /// The blocks.
    #[must_use]
    pub fn as_slice(&self) -> &[(u32, u32)] {
        self.blocks.get(..self.len()).unwrap_or(&[])
    }

    /// How many blocks there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no block.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The Fast Open option (RFC 7413): an empty cookie asks for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FastOpen {
    cookie: [u8; 16],
    len: u8,
    /// Sent as option 254 with magic 0xF989, which is answered in kind.
    pub experimental: bool,
}

impl FastOpen {
    /// An option with this cookie, or `None` if the length is none that RFC 7413 allows: 0, or even in 4..=16.
    #[must_use]
    pub fn new(cookie: &[u8], experimental: bool) -> Option<FastOpen> {
        let n = cookie.len();
        if n != 0 && !(n.is_multiple_of(2) && (4..=16).contains(&n)) {
            return None;
        }
        let mut f = FastOpen {
            cookie: [0; 16],
            len: n as u8,
            experimental,
        };
        f.cookie.get_mut(..n)?.copy_from_slice(cookie);
        Some(f)
    }

    /// The cookie; empty in a request for one.
    #[must_use]
    pub fn cookie(&self) -> &[u8] {
        self.cookie.get(..usize::from(self.len)).unwrap_or(&[])
    }

    fn wire_len(&self) -> usize {
        usize::from(self.len) + if self.experimental { 4 } else { 2 }
    }
}

/// The options of one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Maximum segment size, SYN only.
    pub mss: Option<u16>,
    /// Window scale as it stands on the wire (Linux uses at most 14), SYN only.
    pub wscale: Option<u8>,
    /// SACK permitted, SYN only.
    pub sack_permitted: bool,
    /// Timestamp value and echo reply.
    pub timestamps: Option<(u32, u32)>,
    /// SACK blocks.
    pub sack: SackBlocks,
    /// Fast Open, SYN only.
    pub fast_open: Option<FastOpen>,
    /// An MD5 signature (RFC 2385). It is emitted first and as zeros: the sixteen bytes at [`SIGNATURE_AT`] are for who has
    /// the key and the rest of the segment.
    pub md5: bool,
    /// The list is one for which Linux drops the segment with `TCP_AUTH_HDR`: see [`auth`]. Never emitted.
    pub bad_auth: bool,
}

const EOL: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const WSCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
const MD5: u8 = 19;
const MD5_LEN: usize = 18;
/// Where in the list an emitted signature stands, behind NOP NOP and its kind and length.
pub const SIGNATURE_AT: usize = 4;
/// Room for all options (RFC 9293 3.1).
const MAX_LEN: usize = 40;
const AO: u8 = 29;
const FAST_OPEN: u8 = 34;
const EXPERIMENTAL: u8 = 254;
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

/// What a list says of the segment's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// There is none.
    None,
    /// One MD5 signature.
    Md5,
    /// One TCP-AO option (RFC 5925).
    Ao,
    /// Linux takes no segment with such a list.
    Bad,
}

/// Looks for a signature the way Linux 6.18 does, before and apart from the other options (docs/linux/option-list.md): only
/// while 18 bytes or more are left, so that a defect is noticed there and not nearer to the end. Two signatures, an MD5 option whose length
/// is not 18, and a TCP-AO option of at most 4 bytes are defects too.
#[must_use]
pub fn auth(bytes: &[u8]) -> Auth {
    let mut found = Auth::None;
    let mut rest = bytes;
    while let [kind, after @ ..] = rest {
        if rest.len() < MD5_LEN || *kind == EOL {
            break;
        }
        if *kind == NOP {
            rest = after;
            continue;
        }
        let len = after.first().map_or(0, |n| usize::from(*n));
        let Some((_, next)) = rest.split_at_checked(len).filter(|_| len >= 2) else {
            return Auth::Bad;
        };
        found = match (*kind, found) {
            (MD5, Auth::None) if len == MD5_LEN => Auth::Md5,
            (AO, Auth::None) if len > 4 => Auth::Ao,
            (MD5 | AO, _) => return Auth::Bad,
            _ => found,
        };
        rest = next;
    }
    found
}

/// The digest of the first MD5 signature in a list that [`auth`] finds to have one.
#[must_use]
pub fn signature(bytes: &[u8]) -> Option<[u8; 16]> {
    let mut rest = bytes;
    loop {
        match rest {
            [NOP, after @ ..] => rest = after,
            [MD5, len, ..] if usize::from(*len) == MD5_LEN => return array(rest, 2),
            [kind, len, ..] if *kind != EOL && *len >= 2 => rest = rest.get(usize::from(*len)..)?,
            _ => return None,
        }
    }
}

impl Options {
    /// No option.
    pub const NONE: Options = Options {
        mss: None,
        wscale: None,
        sack_permitted: false,
        timestamps: None,
        sack: SackBlocks::NONE,
        fast_open: None,
        md5: false,
        bad_auth: false,
    };

    /// Reads an option list. `syn` says whether the segment has SYN: the options of the handshake count only there, as in
    /// Linux. A length below 2 or past the end stops the reading, and what was read so far stands (as
    /// `tcp_parse_options` of Linux 6.18 behaves); an option of an unexpected length is skipped.
    #[must_use]
    pub fn parse(bytes: &[u8], syn: bool) -> Options {
        let mut o = Options::NONE;
        match auth(bytes) {
            Auth::None | Auth::Ao => {}
            Auth::Md5 => o.md5 = true,
            Auth::Bad => o.bad_auth = true,
        }
        let mut rest = bytes;
        while let Some((&kind, after)) = rest.split_first() {
            match kind {
                EOL => break,
                NOP => {
                    rest = after;
                    continue;
                }
                _ => {}
            }
            let Some(&len) = after.first() else { break };
            let Some((option, next)) = rest.split_at_checked(usize::from(len)) else {
                break;
            };
            let Some(body) = option.get(2..) else { break };
            o.take(kind, body, syn);
            rest = next;
        }
        o
    }

    fn take(&mut self, kind: u8, body: &[u8], syn: bool) {
        match (kind, body.len()) {
            // Linux ignores an MSS of 0: the default of 536 holds.
            (MSS, 2) if syn => self.mss = u16_at(body, 0).filter(|m| *m != 0).or(self.mss),
            (WSCALE, 1) if syn => self.wscale = u8_at(body, 0),
            (SACK_PERMITTED, 0) if syn => self.sack_permitted = true,
            (TIMESTAMPS, 8) => {
                if let (Some(val), Some(ecr)) = (array(body, 0), array(body, 4)) {
                    self.timestamps = Some((u32::from_be_bytes(val), u32::from_be_bytes(ecr)));
                }
            }
            (SACK, n) if n > 0 && n.is_multiple_of(8) => {
                self.sack = SackBlocks::NONE;
                let (blocks, _) = body.as_chunks::<8>();
                for b in blocks {
                    if let (Some(s), Some(e)) = (array(b, 0), array(b, 4)) {
                        self.sack.push(u32::from_be_bytes(s), u32::from_be_bytes(e));
                    }
                }
            }
            (FAST_OPEN, _) if syn => self.take_fast_open(body, false),
            (EXPERIMENTAL, _) if syn => {
                if let Some(cookie) = body.strip_prefix(&FAST_OPEN_MAGIC) {
                    self.take_fast_open(cookie, true);
                }
            }
            _ => {}
        }
    }

    fn take_fast_open(&mut self, cookie: &[u8], experimental: bool) {
        // Linux 6.18: with an odd length, 2 or 18 it is as if the option were not there.
        if let Some(f) = FastOpen::new(cookie, experimental) {
            self.fast_open = Some(f);
        }
    }

    /// How many SACK blocks fit beside the other options.
    #[must_use]
    pub const fn sack_room(&self) -> usize {
        // 40 bytes of options, 12 for NOP NOP TS, 4 for NOP NOP and the SACK header. Beside a signature of 20 there is room
        // for two, and for none if there are timestamps, too (docs/linux/md5.md).
        match (self.md5, self.timestamps.is_some()) {
            (false, false) => 4,
            (false, true) => 3,
            (true, false) => 2,
            (true, true) => 0,
        }
    }

    /// Bytes that `emit` writes for a segment with or without SYN, a multiple of 4.
    #[must_use]
    pub fn len(&self, syn: bool) -> usize {
        let mut n = if self.md5 { MD5_LEN + 2 } else { 0 };
        if syn {
            n += if self.mss.is_some() { 4 } else { 0 };
            n += if self.timestamps.is_some() { 12 } else { 0 };
            n += if self.sack_permitted && self.timestamps.is_none() {
                4
            } else {
                0
            };
            n += if self.wscale.is_some() { 4 } else { 0 };
            // Linux: a cookie beside a signature is left out when there is no room.
            n += self
                .fast_open
                .map(|f| f.wire_len().next_multiple_of(4))
                .filter(|f| n + f <= MAX_LEN)
                .unwrap_or(0);
        } else {
            n += if self.timestamps.is_some() { 12 } else { 0 };
            let blocks = self.sack.len().min(self.sack_room());
            n += if blocks > 0 { 4 + 8 * blocks } else { 0 };
        }
        n
    }

    /// Whether a segment with or without SYN carries no option.
    #[must_use]
    pub fn is_empty(&self, syn: bool) -> bool {
        self.len(syn) == 0
    }

    /// Writes the list in Linux's order and padding, and returns its length; 0 if the buffer is too small.
    ///
    /// First of all NOP NOP and the signature. SYN and SYN-ACK: MSS; SACK permitted with timestamps, or NOP NOP timestamps, or NOP NOP SACK permitted; NOP window scale;
    /// Fast Open. Other segments: NOP NOP timestamps; NOP NOP SACK.
    pub fn emit(&self, buf: &mut [u8], syn: bool) -> usize {
        let mut c = Cursor::new(buf);
        if self.md5 {
            c.put(&[NOP, NOP, MD5, MD5_LEN as u8]);
            c.put(&[0; 16]);
        }
        if syn {
            if let Some(mss) = self.mss {
                c.put(&[MSS, 4]);
                c.u16(mss);
            }
            match (self.sack_permitted, self.timestamps) {
                (true, Some(ts)) => {
                    c.put(&[SACK_PERMITTED, 2]);
                    put_timestamps(&mut c, ts);
                }
                (false, Some(ts)) => {
                    c.put(&[NOP, NOP]);
                    put_timestamps(&mut c, ts);
                }
                (true, None) => c.put(&[NOP, NOP, SACK_PERMITTED, 2]),
                (false, None) => {}
            }
            if let Some(shift) = self.wscale {
                c.put(&[NOP, WSCALE, 3, shift]);
            }
            let without = Options {
                fast_open: None,
                ..*self
            };
            if let Some(f) = &self.fast_open
                && self.len(true) > without.len(true)
            {
                put_fast_open(&mut c, f);
            }
        } else {
            if let Some(ts) = self.timestamps {
                c.put(&[NOP, NOP]);
                put_timestamps(&mut c, ts);
            }
            let blocks = self.sack.len().min(self.sack_room());
            if blocks > 0 {
                c.put(&[NOP, NOP, SACK, (2 + 8 * blocks) as u8]);
                for (start, end) in self.sack.as_slice().iter().take(blocks) {
                    c.u32(*start);
                    c.u32(*end);
                }
            }
        }
        c.finish()
    }
}

fn put_timestamps(c: &mut Cursor<'_>, (val, ecr): (u32, u32)) {
    c.put(&[TIMESTAMPS, 10]);
    c.u32(val);
    c.u32(ecr);
}

fn put_fast_open(c: &mut Cursor<'_>, f: &FastOpen) {
    let len = f.wire_len();
    if f.experimental {
        c.put(&[EXPERIMENTAL, len as u8]);
        c.put(&FAST_OPEN_MAGIC);
    } else {
        c.put(&[FAST_OPEN, len as u8]);
    }
    c.put(f.cookie());
    for _ in len..len.next_multiple_of(4) {
        c.u8(NOP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emit(o: &Options, syn: bool) -> ([u8; 64], usize) {
        let mut b = [0xaau8; 64];
        let n = o.emit(&mut b, syn);
        assert_eq!(n, o.len(syn));
        assert_eq!(n % 4, 0);
        (b, n)
    }

    #[test]
    fn options_of_a_syn_ack_stand_in_linux_order() {
        let mut o = Options {
            mss: Some(1460),
            wscale: Some(7),
            sack_permitted: true,
            timestamps: Some((1, 2)),
            ..Options::NONE
        };
        let (b, n) = emit(&o, true);
        assert_eq!(
            b[..n],
            [
                2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7
            ]
        );
        assert_eq!(Options::parse(&b[..n], true), o);
        o.sack_permitted = false;
        let (b, n) = emit(&o, true);
        assert_eq!(b[4..8], [1, 1, 8, 10]);
        assert_eq!(Options::parse(&b[..n], true), o);
        o.timestamps = None;
        o.sack_permitted = true;
        let (b, n) = emit(&o, true);
        assert_eq!(b[..n], [2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 7]);
        assert_eq!(Options::parse(&b[..n], true), o);
    }

    #[test]
    fn options_of_data_carry_at_most_three_sack_blocks_beside_timestamps() {
        let mut o = Options {
            timestamps: Some((9, 8)),
            ..Options::NONE
        };
        for i in 0..4 {
            assert!(o.sack.push(i * 10, i * 10 + 5));
        }
        assert!(!o.sack.push(1, 2));
        let (b, n) = emit(&o, false);
        assert_eq!(n, 40);
        let back = Options::parse(&b[..n], false);
        assert_eq!(back.sack.as_slice(), &o.sack.as_slice()[..3]);
        o.timestamps = None;
        let (b, n) = emit(&o, false);
        assert_eq!(n, 36);
        assert_eq!(b[..4], [1, 1, 5, 34]);
        assert_eq!(Options::parse(&b[..n], false), o);
    }

    #[test]
    fn options_fast_open_round_trips_in_both_kinds() {
        for experimental in [false, true] {
            for len in [0usize, 4, 6, 8, 16] {
                let cookie = [7u8; 16];
                let f = FastOpen::new(&cookie[..len], experimental).unwrap();
                let o = Options {
                    fast_open: Some(f),
                    ..Options::NONE
                };
                let (b, n) = emit(&o, true);
                assert_eq!(Options::parse(&b[..n], true).fast_open, Some(f));
                assert_eq!(f.cookie().len(), len);
            }
        }
        for bad in [1usize, 2, 3, 5, 7, 15, 17, 18] {
            assert_eq!(FastOpen::new(&[0; 18][..bad], false), None);
        }
    }

    #[test]
    fn options_signature_comes_first_and_leaves_room_for_two_sack_blocks() {
        let mut o = Options {
            mss: Some(1460),
            wscale: Some(7),
            sack_permitted: true,
            timestamps: Some((1, 2)),
            md5: true,
            ..Options::NONE
        };
        let (b, n) = emit(&o, true);
        assert_eq!(n, 40);
        assert_eq!(b[..4], [1, 1, 19, 18]);
        assert_eq!(b[20..24], [2, 4, 5, 180]);
        assert_eq!(Options::parse(&b[..n], true), o);
        // What does not fit beside it is left out.
        let alone = o;
        o.fast_open = FastOpen::new(&[7; 8], false);
        assert_eq!(emit(&o, true), emit(&alone, true));
        let mut o = Options {
            md5: true,
            ..Options::NONE
        };
        for i in 0..4 {
            assert!(o.sack.push(i * 10, i * 10 + 5));
        }
        let (b, n) = emit(&o, false);
        assert_eq!((n, b[20..24] == [1, 1, 5, 18]), (40, true));
        o.timestamps = Some((9, 8));
        let (b, n) = emit(&o, false);
        assert_eq!((n, b[20..24] == [1, 1, 8, 10]), (32, true));
        assert_eq!(Options::parse(&b[..n], false).sack.len(), 0);
    }

    #[test]
    fn signature_is_found_among_other_options() {
        let want: [u8; 16] = core::array::from_fn(|i| i as u8);
        let mut list = [1; 20];
        list[2..4].copy_from_slice(&[19, 18]);
        list[4..].copy_from_slice(&want);
        assert_eq!(signature(&list), Some(want));
        let mut behind = [1; 25];
        behind[..4].copy_from_slice(&[2, 4, 5, 180]);
        behind[5..].copy_from_slice(&list);
        assert_eq!(signature(&behind), Some(want));
        behind[0] = 0;
        assert_eq!(signature(&behind), None);
        assert_eq!(signature(&list[..19]), None);
        for broken in [&[5u8, 0][..], &[5, 1], &[5], &[5, 9], &[]] {
            assert_eq!(signature(broken), None);
        }
    }

    #[test]
    fn options_malformed_list_keeps_what_came_before() {
        let good = Options {
            mss: Some(1460),
            ..Options::NONE
        };
        for tail in [
            &[3u8][..],          // no length
            &[3, 0][..],         // length 0
            &[3, 1][..],         // length 1
            &[3, 4, 7][..],      // past the end
            &[8, 255, 0, 0][..], // far past the end
            &[0, 3, 3, 7][..],   // after the end of list
        ] {
            let mut b = [0u8; 16];
            b[..4].copy_from_slice(&[2, 4, 5, 180]);
            b[4..4 + tail.len()].copy_from_slice(tail);
            assert_eq!(Options::parse(&b[..4 + tail.len()], true), good, "{tail:?}");
        }
    }

    #[test]
    fn options_of_wrong_length_are_skipped_and_the_rest_counts() {
        for odd in [
            &[2u8, 3, 1][..],
            &[2, 5, 1, 1, 1][..],
            &[3, 4, 7, 7][..],
            &[4, 3, 0][..],
            &[8, 9, 0, 0, 0, 0, 0, 0, 0][..],
            &[5, 2][..],
            &[5, 9, 0, 0, 0, 0, 0, 0, 0][..],
            &[20, 3, 0][..],
            &[34, 3, 0][..],
            &[254, 3, 0xf9][..],
            &[253, 4, 0, 0][..],
            &[2, 4, 0, 0][..],
        ] {
            let mut b = [1u8; 20];
            b[..odd.len()].copy_from_slice(odd);
            b[odd.len()..odd.len() + 3].copy_from_slice(&[3, 3, 9]);
            let want = Options {
                wscale: Some(9),
                ..Options::NONE
            };
            assert_eq!(Options::parse(&b, true), want, "{odd:?}");
        }
    }

    #[test]
    fn options_signatures_are_read_as_linux_reads_them() {
        let list = |pieces: &[&[u8]]| {
            let mut b = [NOP; 40];
            let mut at = 0;
            for p in pieces {
                b[at..at + p.len()].copy_from_slice(p);
                at += p.len();
            }
            b
        };
        let mut md5 = [7u8; 18];
        md5[..2].copy_from_slice(&[MD5, 18]);
        let ao = [AO, 6, 7, 7, 7, 7];
        assert_eq!(auth(&list(&[&md5])), Auth::Md5);
        assert_eq!(auth(&list(&[&ao])), Auth::Ao);
        assert_eq!(auth(&list(&[&[AO, 5, 1, 1, 1]])), Auth::Ao);
        let bad = [
            &[AO, 4, 1, 1][..],
            &[MD5, 17],
            &[MD5, 19],
            &[5, 0],
            &[5, 1],
            &[5, 41],
        ];
        for b in bad {
            assert_eq!(auth(&list(&[b])), Auth::Bad, "{b:?}");
        }
        for (a, b) in [(&md5[..], &md5[..]), (&md5, &ao), (&ao, &md5), (&ao, &ao)] {
            assert_eq!(auth(&list(&[a, b])), Auth::Bad);
        }
        assert_eq!(auth(&list(&[&[EOL, 5, 0]])), Auth::None);
        // The last option of 40 that is looked at begins 18 bytes before the end.
        let mut b = list(&[]);
        for at in 0..39 {
            b.fill(NOP);
            b[at] = 5;
            b[at + 1] = 0;
            let want = if at <= 22 { Auth::Bad } else { Auth::None };
            assert_eq!(auth(&b), want, "at {at}");
            assert_eq!(Options::parse(&b, false).bad_auth, at <= 22);
        }
        assert!(Options::parse(&list(&[&md5]), false).md5);
    }

    #[test]
    fn options_of_the_handshake_do_not_count_without_syn() {
        let b = [2, 4, 5, 180, 4, 2, 3, 3, 7, 34, 2, 0];
        assert_eq!(Options::parse(&b, false), Options::NONE);
        assert!(Options::parse(&b, true).sack_permitted);
    }

    #[test]
    fn options_emit_into_too_small_a_buffer_writes_zero_length() {
        let o = Options {
            mss: Some(1),
            ..Options::NONE
        };
        assert_eq!(o.emit(&mut [0; 3], true), 0);
    }
}
