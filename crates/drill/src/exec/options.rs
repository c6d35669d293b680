//! TCP options, to bytes and back, in their order.

use core::fmt;

use super::md5;

/// One TCP option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TcpOption {
    Nop,
    Eol,
    Mss(u16),
    Wscale(u8),
    SackOk,
    Sack(Vec<(u32, u32)>),
    Ts {
        val: u32,
        ecr: u32,
    },
    /// RFC 7413; with `exp` the experimental option 254 and its magic number.
    FastOpen {
        cookie: Vec<u8>,
        exp: bool,
    },
    Md5(Vec<u8>),
    /// AccECN (draft-ietf-tcpm-accurate-ecn): the kind says the order, 172 e0b ceb e1b or 174 e1b ceb e0b.
    AccEcn {
        kind: u8,
        fields: Vec<u32>,
    },
    Other {
        kind: u8,
        data: Vec<u8>,
    },
    /// Bytes as a script gives them, an option or not.
    Raw(Vec<u8>),
}

/// `e0b ceb e1b`
pub(crate) const ACC_ECN_0: u8 = 172;
/// `e1b ceb e0b`
pub(crate) const ACC_ECN_1: u8 = 174;
/// The experimental option's magic number for Fast Open (RFC 6994).
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

impl TcpOption {
    pub(crate) fn emit(&self, out: &mut Vec<u8>) {
        let (kind, data): (u8, Vec<u8>) = match self {
            TcpOption::Nop => return out.push(1),
            TcpOption::Eol => return out.push(0),
            TcpOption::Raw(bytes) => return out.extend(bytes),
            TcpOption::Mss(mss) => (2, mss.to_be_bytes().to_vec()),
            TcpOption::Wscale(shift) => (3, vec![*shift]),
            TcpOption::SackOk => (4, Vec::new()),
            TcpOption::Sack(blocks) => {
                let words = blocks.iter().flat_map(|(left, right)| [*left, *right]);
                (5, words.flat_map(u32::to_be_bytes).collect())
            }
            TcpOption::Ts { val, ecr } => (8, [val.to_be_bytes(), ecr.to_be_bytes()].concat()),
            TcpOption::FastOpen { cookie, exp: false } => (34, cookie.clone()),
            TcpOption::FastOpen { cookie, exp: true } => {
                (254, [&FAST_OPEN_MAGIC[..], cookie].concat())
            }
            TcpOption::Md5(digest) => (19, digest.clone()),
            TcpOption::AccEcn { kind, fields } => {
                let bytes = fields.iter().flat_map(|n| n.to_be_bytes()[1..].to_vec());
                (*kind, bytes.collect())
            }
            TcpOption::Other { kind, data } => (*kind, data.clone()),
        };
        out.push(kind);
        out.push(data.len() as u8 + 2);
        out.extend(data);
    }

    /// Reads a list of options.
    pub(crate) fn parse_all(mut bytes: &[u8]) -> Result<Vec<TcpOption>, String> {
        let mut out = Vec::new();
        while let [kind, rest @ ..] = bytes {
            match kind {
                0 => {
                    out.push(TcpOption::Eol);
                    break;
                }
                1 => {
                    out.push(TcpOption::Nop);
                    bytes = rest;
                    continue;
                }
                _ => {}
            }
            let len = rest.first().map_or(0, |len| usize::from(*len));
            if len < 2 || len > bytes.len() {
                return Err(format!("TCP option {kind} of length {len}"));
            }
            out.push(TcpOption::parse(*kind, &bytes[2..len]));
            bytes = &bytes[len..];
        }
        Ok(out)
    }

    fn parse(kind: u8, data: &[u8]) -> TcpOption {
        let word =
            |at: usize| u32::from_be_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
        match (kind, data.len()) {
            (2, 2) => TcpOption::Mss(u16::from_be_bytes([data[0], data[1]])),
            (3, 1) => TcpOption::Wscale(data[0]),
            (4, 0) => TcpOption::SackOk,
            (5, len) if len > 0 && len % 8 == 0 => {
                let block = |at| (word(at), word(at + 4));
                TcpOption::Sack((0..len).step_by(8).map(block).collect())
            }
            (8, 8) => TcpOption::Ts {
                val: word(0),
                ecr: word(4),
            },
            (34, _) => TcpOption::FastOpen {
                cookie: data.to_vec(),
                exp: false,
            },
            (254, len) if len >= 2 && data[..2] == FAST_OPEN_MAGIC => TcpOption::FastOpen {
                cookie: data[2..].to_vec(),
                exp: true,
            },
            (19, 16) => TcpOption::Md5(data.to_vec()),
            (ACC_ECN_0 | ACC_ECN_1, len) if len % 3 == 0 => {
                let field =
                    |at: usize| u32::from_be_bytes([0, data[at], data[at + 1], data[at + 2]]);
                TcpOption::AccEcn {
                    kind,
                    fields: (0..len).step_by(3).map(field).collect(),
                }
            }
            _ => TcpOption::Other {
                kind,
                data: data.to_vec(),
            },
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As a script writes it.
impl fmt::Display for TcpOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TcpOption::Nop => f.write_str("nop"),
            TcpOption::Eol => f.write_str("eol"),
            TcpOption::Mss(mss) => write!(f, "mss {mss}"),
            TcpOption::Wscale(shift) => write!(f, "wscale {shift}"),
            TcpOption::SackOk => f.write_str("sackOK"),
            TcpOption::Sack(blocks) => {
                f.write_str("sack")?;
                blocks
                    .iter()
                    .try_for_each(|(left, right)| write!(f, " {left}:{right}"))
            }
            TcpOption::Ts { val, ecr } => write!(f, "TS val {val} ecr {ecr}"),
            TcpOption::FastOpen { cookie, exp } => {
                f.write_str(if *exp { "FOEXP" } else { "FO" })?;
                match cookie.is_empty() {
                    true => Ok(()),
                    false => write!(f, " {}", hex(cookie)),
                }
            }
            TcpOption::Md5(digest) if digest.ends_with(md5::VALID) => f.write_str("md5 valid"),
            TcpOption::Md5(digest) if digest.is_empty() => f.write_str("md5"),
            TcpOption::Md5(digest) => write!(f, "md5 {}", hex(digest)),
            TcpOption::Raw(bytes) => write!(f, "bytes {}", hex(bytes)),
            TcpOption::AccEcn { kind, fields } => {
                let names = match *kind {
                    ACC_ECN_0 => ["e0b", "ceb", "e1b"],
                    _ => ["e1b", "ceb", "e0b"],
                };
                f.write_str("ECN")?;
                let mut named = names.iter().zip(fields);
                named.try_for_each(|(name, value)| write!(f, " {name} {value}"))
            }
            TcpOption::Other { kind, data } => {
                write!(f, "bytes {kind:02x}{:02x}{}", data.len() + 2, hex(data))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_every_kind_are_read_back() {
        let all = vec![
            TcpOption::Nop,
            TcpOption::Mss(1000),
            TcpOption::Wscale(7),
            TcpOption::SackOk,
            TcpOption::Sack(vec![(1, 2), (3, 4)]),
            TcpOption::Ts { val: 5, ecr: 6 },
            TcpOption::FastOpen {
                cookie: vec![1, 2, 3, 4],
                exp: false,
            },
            TcpOption::FastOpen {
                cookie: Vec::new(),
                exp: true,
            },
            TcpOption::Md5(vec![9; 16]),
            TcpOption::AccEcn {
                kind: ACC_ECN_1,
                fields: vec![1, 0xff_ffff],
            },
            TcpOption::Other {
                kind: 77,
                data: vec![1],
            },
            TcpOption::Eol,
        ];
        let mut bytes = Vec::new();
        for option in &all {
            option.emit(&mut bytes);
        }
        assert_eq!(TcpOption::parse_all(&bytes), Ok(all));
    }

    #[test]
    fn option_whose_length_runs_over_is_refused() {
        assert!(TcpOption::parse_all(&[2, 5, 1]).is_err());
        assert!(TcpOption::parse_all(&[3, 1]).is_err());
        assert!(TcpOption::parse_all(&[8]).is_err());
    }
}
