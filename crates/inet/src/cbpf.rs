//! Classic BPF: the programs of SO_ATTACH_FILTER and SO_ATTACH_REUSEPORT_CBPF (bpf(4) of the BSDs; Linux
//! `sock_filter`). A program is checked once, when it is attached, and runs in bounded time: jumps only lead forward.

use alloc::vec::Vec;

/// One instruction, as `struct sock_filter` holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn {
    /// Class, size, mode or operation, source.
    pub code: u16,
    /// Instructions to skip when a condition holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// The constant.
    pub k: u32,
}

impl Insn {
    /// Bytes of one instruction.
    pub const LEN: usize = 8;

    /// Reads one instruction as it lies in a program's memory.
    #[must_use]
    pub const fn from_bytes(b: [u8; Self::LEN]) -> Self {
        Self {
            code: u16::from_ne_bytes([b[0], b[1]]),
            jt: b[2],
            jf: b[3],
            k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
        }
    }
}

impl Insn {
    /// The instruction as it lies in a program's memory.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let (c, k) = (self.code.to_ne_bytes(), self.k.to_ne_bytes());
        [c[0], c[1], self.jt, self.jf, k[0], k[1], k[2], k[3]]
    }
}

/// A program that Linux's checker would refuse (EINVAL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadProgram;

/// Linux's BPF_MAXINSNS.
pub const MAX_INSNS: usize = 4096;
/// Words of scratch memory (BPF_MEMWORDS).
const MEM: usize = 16;

/// Offsets from here on name what is no byte of the packet (SKF_AD_OFF).
const AD: u32 = -0x1000_i32 as u32;
/// Offsets from here on count from the network header (SKF_NET_OFF).
const NET: u32 = -0x10_0000_i32 as u32;
/// Offsets from here on count from the link header (SKF_LL_OFF); without one, the network header.
const LINK: u32 = -0x20_0000_i32 as u32;
/// One past the last ancillary word (SKF_AD_MAX).
const AD_MAX: u32 = 64;

mod class {
    pub(super) const LD: u16 = 0;
    pub(super) const LDX: u16 = 1;
    pub(super) const ST: u16 = 2;
    pub(super) const STX: u16 = 3;
    pub(super) const ALU: u16 = 4;
    pub(super) const JMP: u16 = 5;
    pub(super) const RET: u16 = 6;
    pub(super) const MISC: u16 = 7;
}

mod op {
    pub(super) const LD_IMM: u16 = 0x00;
    pub(super) const LD_W_ABS: u16 = 0x20;
    pub(super) const LD_H_ABS: u16 = 0x28;
    pub(super) const LD_B_ABS: u16 = 0x30;
    pub(super) const LD_W_IND: u16 = 0x40;
    pub(super) const LD_H_IND: u16 = 0x48;
    pub(super) const LD_B_IND: u16 = 0x50;
    pub(super) const LD_MEM: u16 = 0x60;
    pub(super) const LD_LEN: u16 = 0x80;
    pub(super) const LDX_IMM: u16 = 0x01;
    pub(super) const LDX_MEM: u16 = 0x61;
    pub(super) const LDX_LEN: u16 = 0x81;
    pub(super) const LDX_MSH: u16 = 0xb1;
    pub(super) const JA: u16 = 0x05;
    pub(super) const RET_K: u16 = 0x06;
    pub(super) const RET_A: u16 = 0x16;
    pub(super) const TAX: u16 = 0x07;
    pub(super) const TXA: u16 = 0x87;
    pub(super) const NEG: u16 = 0x84;
    /// The source is X, not the constant.
    pub(super) const X: u16 = 0x08;
}

/// A checked program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    insns: Vec<Insn>,
}

/// What a program sees of a packet. A load outside of it ends the program with 0.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What offset 0 means.
    pub data: &'a [u8],
    /// From the network header on: that header, and what follows it.
    pub network: [&'a [u8]; 2],
    /// The EtherType of the packet.
    pub protocol: u16,
    /// The index of the interface that it came by.
    pub ifindex: u32,
    /// The processor that handles it.
    pub cpu: u32,
    /// A number that nobody foresees.
    pub random: u32,
}

impl Program {
    /// Checks a program as Linux does when it is attached (docs/linux/reuseport-programs.md).
    ///
    /// # Errors
    /// [`BadProgram`]: empty or longer than [`MAX_INSNS`], an unknown instruction, a jump beyond the end, a division
    /// by the constant 0, a shift by 32 or more, scratch memory that does not exist or is read before it is written on
    /// some way there, unknown ancillary data, or no return at the end.
    pub fn new(insns: Vec<Insn>) -> Result<Self, BadProgram> {
        if insns.is_empty() || insns.len() > MAX_INSNS {
            return Err(BadProgram);
        }
        // For each instruction, the scratch words that every way to it has written.
        let mut written = alloc::vec![u16::MAX; insns.len()];
        let mut here = 0u16;
        for (at, i) in insns.iter().enumerate() {
            here &= written[at];
            let mut reaches = |skip: u64, mask: u16| {
                let to = at as u64 + 1 + skip;
                let slot = usize::try_from(to).ok().and_then(|t| written.get_mut(t));
                slot.map(|w| *w &= mask).ok_or(BadProgram)
            };
            if !known(i) {
                return Err(BadProgram);
            }
            match i.code & 7 {
                class::ST | class::STX => here |= 1 << i.k,
                class::LD | class::LDX if i.code & 0xe0 == op::LD_MEM && here & 1 << i.k == 0 => {
                    return Err(BadProgram);
                }
                class::JMP => {
                    if i.code == op::JA {
                        reaches(u64::from(i.k), here)?;
                    } else {
                        reaches(u64::from(i.jt), here)?;
                        reaches(u64::from(i.jf), here)?;
                    }
                    here = u16::MAX;
                }
                class::RET => here = u16::MAX,
                _ => {}
            }
        }
        let ends = insns
            .last()
            .is_some_and(|i| matches!(i.code, op::RET_K | op::RET_A));
        if ends {
            Ok(Self { insns })
        } else {
            Err(BadProgram)
        }
    }

    /// Runs it; what it returns.
    #[must_use]
    pub fn run(&self, v: &View<'_>) -> u32 {
        let (mut a, mut x) = (0u32, 0u32);
        let mut mem = [0u32; MEM];
        let mut pc = 0;
        while let Some(i) = self.insns.get(pc) {
            pc += 1;
            match i.code & 7 {
                class::LD | class::LDX => {
                    let index = i.code & 0xe0 == 0x40;
                    let value = match i.code {
                        op::LD_IMM | op::LDX_IMM => Some(i.k),
                        op::LD_LEN | op::LDX_LEN => Some(v.data.len() as u32),
                        op::LD_MEM | op::LDX_MEM => mem.get(i.k as usize).copied(),
                        op::LDX_MSH => v.load(i.k, 1).map(|b| (b & 15) << 2),
                        _ if !index && i.k >= AD => v.ancillary(i.k - AD, a, x),
                        code => {
                            let from = if index { x.wrapping_add(i.k) } else { i.k };
                            let size = match code & 0x18 {
                                0x08 => 2,
                                0x10 => 1,
                                _ => 4,
                            };
                            v.load(from, size)
                        }
                    };
                    let Some(value) = value else { return 0 };
                    if i.code & 7 == class::LD {
                        a = value;
                    } else {
                        x = value;
                    }
                }
                class::ST => mem[i.k as usize % MEM] = a,
                class::STX => mem[i.k as usize % MEM] = x,
                class::ALU => {
                    let by = if i.code & op::X != 0 { x } else { i.k };
                    let Some(value) = alu(i.code, a, by) else {
                        return 0;
                    };
                    a = value;
                }
                class::JMP => {
                    let by = if i.code & op::X != 0 { x } else { i.k };
                    let taken = match i.code & 0xf0 {
                        0x10 => a == by,
                        0x20 => a > by,
                        0x30 => a >= by,
                        0x40 => a & by != 0,
                        _ => {
                            pc += i.k as usize;
                            continue;
                        }
                    };
                    pc += usize::from(if taken { i.jt } else { i.jf });
                }
                class::RET => return if i.code == op::RET_A { a } else { i.k },
                _ if i.code == op::TAX => x = a,
                _ => a = x,
            }
        }
        0
    }
}

/// Whether the instruction exists and its constant makes sense.
fn known(i: &Insn) -> bool {
    match i.code & 7 {
        class::LD => match i.code {
            op::LD_MEM => (i.k as usize) < MEM,
            op::LD_W_ABS | op::LD_H_ABS | op::LD_B_ABS => {
                i.k < AD || i.k - AD < AD_MAX && (i.k - AD).is_multiple_of(4)
            }
            code => matches!(
                code,
                op::LD_IMM | op::LD_LEN | op::LD_W_IND | op::LD_H_IND | op::LD_B_IND
            ),
        },
        class::LDX => match i.code {
            op::LDX_MEM => (i.k as usize) < MEM,
            code => matches!(code, op::LDX_IMM | op::LDX_LEN | op::LDX_MSH),
        },
        class::ST | class::STX => i.code <= 7 && (i.k as usize) < MEM,
        class::ALU => match (i.code & 0xf0, i.code & op::X != 0) {
            _ if i.code > 0xff => false,
            (0x30 | 0x90, false) => i.k != 0,
            (0x60 | 0x70, false) => i.k < 32,
            (0x80, _) => i.code == op::NEG,
            (operation, _) => operation <= 0xa0,
        },
        class::JMP => i.code == op::JA || i.code < 0x50 && i.code & 0xf0 != 0,
        class::RET => matches!(i.code, op::RET_K | op::RET_A),
        class::MISC => matches!(i.code, op::TAX | op::TXA),
        _ => false,
    }
}

/// `None`: a division by zero, which ends the program with 0.
fn alu(code: u16, a: u32, by: u32) -> Option<u32> {
    Some(match code & 0xf0 {
        0x00 => a.wrapping_add(by),
        0x10 => a.wrapping_sub(by),
        0x20 => a.wrapping_mul(by),
        0x30 => a.checked_div(by)?,
        0x40 => a | by,
        0x50 => a & by,
        0x60 => a.wrapping_shl(by),
        0x70 => a.wrapping_shr(by),
        0x80 => a.wrapping_neg(),
        0x90 => a.checked_rem(by)?,
        _ => a ^ by,
    })
}

impl View<'_> {
    /// `size` bytes at an offset, in network order.
    fn load(&self, at: u32, size: usize) -> Option<u32> {
        let (bytes, at) = match at {
            AD.. => return None,
            NET.. => (self.network, at - NET),
            LINK.. => (self.network, at - LINK),
            _ => ([self.data, &[]], at),
        };
        (0..size).try_fold(0, |n, i| {
            let at = (at as usize).checked_add(i)?;
            let beyond = at.checked_sub(bytes[0].len());
            let byte = beyond.map_or(bytes[0].get(at), |at| bytes[1].get(at))?;
            Some(n << 8 | u32::from(*byte))
        })
    }

    /// What Linux knows of a packet beside its bytes. Marks, queues, hashes and VLAN tags do not exist here.
    fn ancillary(&self, what: u32, a: u32, x: u32) -> Option<u32> {
        Some(match what {
            0 => u32::from(self.protocol),
            8 => self.ifindex,
            36 => self.cpu,
            40 => a ^ x,
            56 => self.random,
            _ => 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const fn i(code: u16, jt: u8, jf: u8, k: u32) -> Insn {
        Insn { code, jt, jf, k }
    }
    const RET_A: Insn = i(0x16, 0, 0, 0);

    fn view<'a>(data: &'a [u8], network: [&'a [u8]; 2]) -> View<'a> {
        View {
            data,
            network,
            protocol: 0x800,
            ifindex: 7,
            cpu: 3,
            random: 99,
        }
    }

    fn run(insns: &[Insn]) -> u32 {
        let program = Program::new(insns.to_vec()).expect("a good program");
        program.run(&view(&[1, 2, 3, 4, 5], [&[0x45, 0], &[0, 40]]))
    }

    #[test]
    fn loads_read_in_network_order_and_end_with_zero_outside() {
        assert_eq!(run(&[i(0x20, 0, 0, 1), RET_A]), 0x0203_0405);
        assert_eq!(run(&[i(0x28, 0, 0, 3), RET_A]), 0x0405);
        assert_eq!(run(&[i(0x30, 0, 0, 4), RET_A]), 5);
        assert_eq!(run(&[i(0x30, 0, 0, 5), i(0x06, 0, 0, 9)]), 0);
        assert_eq!(run(&[i(0x28, 0, 0, 4), i(0x06, 0, 0, 9)]), 0);
        assert_eq!(run(&[i(0x30, 0, 0, NET), RET_A]), 0x45);
        assert_eq!(run(&[i(0x30, 0, 0, LINK + 3), RET_A]), 40);
        assert_eq!(run(&[i(0x80, 0, 0, 0), RET_A]), 5);
        // x = 1, ld [x + 1]
        assert_eq!(run(&[i(0x01, 0, 0, 1), i(0x50, 0, 0, 1), RET_A]), 3);
        // ldx 4 * (net[0] & 15); txa
        assert_eq!(run(&[i(0xb1, 0, 0, NET), i(0x87, 0, 0, 0), RET_A]), 20);
    }

    #[test]
    fn ancillary_words_are_what_the_view_says() {
        for (word, value) in [(0, 0x800), (4, 0), (8, 7), (36, 3), (56, 99)] {
            assert_eq!(run(&[i(0x20, 0, 0, AD + word), RET_A]), value, "{word}");
        }
    }

    #[test]
    fn arithmetic_wraps_and_division_by_zero_ends_the_program() {
        let with = |code, k, by| run(&[i(0x00, 0, 0, k), i(code, 0, 0, by), RET_A]);
        assert_eq!(with(0x04, u32::MAX, 2), 1);
        assert_eq!(with(0x14, 1, 2), u32::MAX);
        assert_eq!(with(0x24, 1 << 31, 2), 0);
        assert_eq!(with(0x34, 7, 2), 3);
        assert_eq!(with(0x44, 5, 2), 7);
        assert_eq!(with(0x54, 6, 3), 2);
        assert_eq!(with(0x64, 1, 31), 1 << 31);
        assert_eq!(with(0x74, 8, 2), 2);
        assert_eq!(with(0x84, 1, 0), u32::MAX);
        assert_eq!(with(0x94, 7, 4), 3);
        assert_eq!(with(0xa4, 5, 1), 4);
        // X is 0.
        assert_eq!(run(&[i(0, 0, 0, 7), i(0x3c, 0, 0, 0), i(0x06, 0, 0, 9)]), 0);
        assert_eq!(run(&[i(0, 0, 0, 7), i(0x9c, 0, 0, 0), i(0x06, 0, 0, 9)]), 0);
    }

    #[test]
    fn jumps_take_the_branch_that_the_condition_names() {
        let with = |code, a, k| {
            run(&[
                i(0, 0, 0, a),
                i(code, 0, 1, k),
                i(0x06, 0, 0, 1),
                i(0x06, 0, 0, 2),
            ])
        };
        assert_eq!((with(0x15, 4, 4), with(0x15, 4, 5)), (1, 2));
        assert_eq!((with(0x25, 5, 4), with(0x25, 4, 4)), (1, 2));
        assert_eq!((with(0x35, 4, 4), with(0x35, 3, 4)), (1, 2));
        assert_eq!((with(0x45, 6, 2), with(0x45, 6, 1)), (1, 2));
        assert_eq!(
            run(&[i(0x05, 0, 0, 1), i(0x06, 0, 0, 1), i(0x06, 0, 0, 2)]),
            2
        );
    }

    #[test]
    fn memory_and_the_index_register_keep_what_was_stored() {
        // a = 5; m[15] = a; x = a; a = 0; m[0] = x; a = m[15] + m[0]
        let p = [
            i(0x00, 0, 0, 5),
            i(0x02, 0, 0, 15),
            i(0x07, 0, 0, 0),
            i(0x00, 0, 0, 0),
            i(0x03, 0, 0, 0),
            i(0x60, 0, 0, 15),
            i(0x61, 0, 0, 0),
            i(0x0c, 0, 0, 0),
            RET_A,
        ];
        assert_eq!(run(&p), 10);
    }

    #[test]
    fn checker_refuses_what_linux_refuses() {
        // Each measured: docs/linux/reuseport-programs.md.
        let end = i(0x06, 0, 0, 0);
        let bad = [
            vec![],
            vec![i(0, 0, 0, 1)],
            vec![i(0x05, 0, 0, 1), end],
            vec![i(0x05, 0, 0, u32::MAX), end],
            vec![i(0x15, 3, 0, 1), end],
            vec![i(0xff, 0, 0, 0), end],
            vec![i(0x34, 0, 0, 0), end],
            vec![i(0x94, 0, 0, 0), end],
            vec![i(0x64, 0, 0, 32), end],
            vec![i(0x60, 0, 0, 16), end],
            vec![i(0x02, 0, 0, 16), end],
            vec![i(0x60, 0, 0, 3), end],
            vec![i(0x15, 1, 0, 7), i(0x02, 0, 0, 3), i(0x60, 0, 0, 3), end],
            vec![i(0x20, 0, 0, AD + 64), end],
            vec![i(0x0e, 0, 0, 0)],
            vec![i(0, 0, 0, 1); MAX_INSNS + 1],
        ];
        for p in bad {
            assert_eq!(Program::new(p.clone()), Err(BadProgram), "{p:?}");
        }
        let mut long = vec![i(0, 0, 0, 1); MAX_INSNS - 1];
        long.push(end);
        let good = [
            vec![i(0x64, 0, 0, 31), end],
            vec![i(0x30, 0, 0, AD + 36), end],
            vec![i(0, 7, 9, 1), end],
            vec![i(0xb1, 0, 0, 0), end],
            vec![
                i(0x15, 1, 0, 7),
                i(0x05, 0, 0, 1),
                i(0x05, 0, 0, 0),
                i(0x02, 0, 0, 3),
                i(0x60, 0, 0, 3),
                end,
            ],
            long,
        ];
        for p in good {
            assert!(Program::new(p.clone()).is_ok(), "{p:?}");
        }
    }
}
