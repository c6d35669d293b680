//! An interpreter for the BPF that the filter uses proves every branch.

use super::*;
use std::collections::BTreeSet;

const I386: u32 = 0x4000_0003;

struct Machine {
    program: Vec<Instruction>,
    seen: BTreeSet<usize>,
    /// (instruction, whether its test held), to prove both ways of each jump.
    ways: BTreeSet<(usize, bool)>,
}

impl Machine {
    fn new() -> Self {
        Self {
            program: program(),
            seen: BTreeSet::new(),
            ways: BTreeSet::new(),
        }
    }

    fn run(&mut self, arch: u32, nr: u32, args: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend(nr.to_le_bytes());
        data.extend(arch.to_le_bytes());
        data.extend([0xff; 8]);
        for a in args {
            data.extend(a.to_le_bytes());
        }
        let (mut pc, mut acc) = (0usize, 0u32);
        loop {
            let i = self.program[pc];
            self.seen.insert(pc);
            let here = pc;
            pc += 1;
            let test = match i.code {
                LD_W_ABS => {
                    let at = i.k as usize;
                    assert_eq!(at % 4, 0, "seccomp loads aligned words only");
                    acc = u32::from_le_bytes(data[at..at + 4].try_into().unwrap());
                    continue;
                }
                RET => return i.k,
                JEQ => acc == i.k,
                JGE => acc >= i.k,
                JSET => acc & i.k != 0,
                other => panic!("instruction {other:#x}"),
            };
            self.ways.insert((here, test));
            pc += usize::from(if test { i.jt } else { i.jf });
        }
    }

    fn call(&mut self, nr: i64, args: [u64; 6]) -> u32 {
        self.run(AUDIT_ARCH_X86_64, nr as u32, args)
    }
}

const ALLOW: u32 = 0x7fff_0000;
const NOTIFY: u32 = 0x7fc0_0000;
const ENOSYS: u32 = 0x0005_0000 | 38;

/// What the filter is to answer, written independently of its layout.
fn expected(arch: u32, nr: u32, a: [u64; 6]) -> u32 {
    if arch != AUDIT_ARCH_X86_64 || nr >= X32_SYSCALL_BIT {
        return ENOSYS;
    }
    // OOB 1, TRUNC 0x20, ERRQUEUE 0x2000, ZEROCOPY 0x4000000, FASTOPEN 0x20000000
    let flagged = |f: u64| f & 0x2400_2021 != 0;
    // WRONLY 1, RDWR 2, CREAT 0x40, TRUNC 0x200, DIRECTORY 0x10000, PATH 0x200000
    let to_read = |f: u64| f & 0x21_0243 == 0;
    let trapped = match nr {
        425..=427 => return ENOSYS,
        41 => matches!(a[0] as u32, 2 | 10),
        42 | 43 | 48..=52 | 54 | 55 | 288 | 437 => true,
        2 => to_read(a[1]),
        257 => to_read(a[2]),
        44 | 45 => a[4] != 0 || flagged(a[3]),
        46 | 47 => flagged(a[2]),
        299 | 307 => flagged(a[3]),
        16 => matches!(a[1] as u32, 0x5411 | 0x894b),
        _ => false,
    };
    if trapped { NOTIFY } else { ALLOW }
}

#[test]
fn filter_every_number_and_argument_matches_the_table() {
    let mut m = Machine::new();
    let values: Vec<u64> = [
        0u64,
        1,
        2,
        10,
        16,
        0x20,
        0x40,
        0x200,
        0x8_0000,
        0x1_0000,
        0x20_0000,
        0x2000,
        0x4000,
        0x4000_0000,
        0x400_0000,
        0x2000_0000,
        0x5411,
        0x541b,
        0x5421,
        0x894b,
        0x894c,
        1 << 32,
        (1 << 32) | 2,
        (1 << 32) | 0x20,
        (7 << 32) | 0x5411,
        u64::MAX,
    ]
    .to_vec();
    for arch in [AUDIT_ARCH_X86_64, I386, 0] {
        for nr in (0..600u32).chain([
            X32_SYSCALL_BIT - 1,
            X32_SYSCALL_BIT,
            X32_SYSCALL_BIT | 41,
            u32::MAX,
        ]) {
            for slot in 0..6 {
                for v in &values {
                    let mut args = [0; 6];
                    args[slot] = *v;
                    assert_eq!(
                        m.run(arch, nr, args),
                        expected(arch, nr, args),
                        "arch {arch:#x} nr {nr} arg {slot} = {v:#x}"
                    );
                }
            }
        }
    }
    let all: BTreeSet<usize> = (0..m.program.len()).collect();
    assert_eq!(m.seen, all, "an instruction that nothing reaches");
    for (at, i) in m.program.iter().enumerate() {
        if matches!(i.code, JEQ | JGE | JSET) {
            for way in [true, false] {
                assert!(m.ways.contains(&(at, way)), "jump {at} never went {way}");
            }
        }
    }
}

#[test]
fn filter_other_entry_points_are_enosys() {
    let mut m = Machine::new();
    assert_eq!(m.run(I386, 102, [0; 6]), ENOSYS);
    assert_eq!(m.run(I386, 1, [0; 6]), ENOSYS);
    assert_eq!(
        m.run(AUDIT_ARCH_X86_64, X32_SYSCALL_BIT | 1, [0; 6]),
        ENOSYS
    );
}

#[test]
fn filter_socket_of_another_family_is_native() {
    let mut m = Machine::new();
    for (family, want) in [(1, ALLOW), (2, NOTIFY), (10, NOTIFY), (16, ALLOW)] {
        assert_eq!(m.call(41, [family, 1, 0, 0, 0, 0]), want, "family {family}");
    }
    assert_eq!(m.call(41, [(9 << 32) | 2, 1, 0, 0, 0, 0]), NOTIFY);
}

#[test]
fn filter_address_in_the_upper_half_alone_is_notified() {
    let mut m = Machine::new();
    for nr in [44, 45] {
        assert_eq!(m.call(nr, [3, 0, 0, 0, 0, 0]), ALLOW);
        assert_eq!(m.call(nr, [3, 0, 0, 0, 1 << 32, 0]), NOTIFY);
        assert_eq!(m.call(nr, [3, 0, 0, 0, 8, 0]), NOTIFY);
    }
}

#[test]
fn filter_size_fits_the_kernel() {
    // BPF_MAXINSNS
    assert!(program().len() <= 4096);
}
