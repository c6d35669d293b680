//! Programs of any kind: the checker decides, and what it lets through ends without a panic.

use hearken_inet::cbpf::{Insn, Program, View};
use proptest::prelude::*;

/// Mostly codes that exist, mostly small constants, or else the checker lets nothing through.
fn insn() -> impl Strategy<Value = Insn> {
    const CODES: [u16; 44] = [
        0x00, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x80, 0x01, 0x61, 0x81, 0xb1, 0x02, 0x03,
        0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74,
        0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac, 0x05, 0x15, 0x1d, 0x25, 0x35, 0x45, 0x07, 0x87,
    ];
    let code = prop_oneof![20 => proptest::sample::select(&CODES[..]), 1 => any::<u16>()];
    let k = prop_oneof![6 => 0u32..20, 1 => any::<u32>(), 1 => 0xffff_f000u32..0xffff_f040];
    (code, 0u8..3, 0u8..3, k).prop_map(|(code, jt, jf, k)| Insn { code, jt, jf, k })
}

proptest! {
    #[test]
    fn program_that_passes_the_checker_runs_to_an_end(
        mut insns in proptest::collection::vec(insn(), 0..12),
        data in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        // Three returns, so that short jumps land.
        insns.extend([Insn { code: 0x16, jt: 0, jf: 0, k: 0 }; 3]);
        if let Ok(program) = Program::new(insns) {
            let view = View { data: &data, network: [&data, &data], protocol: 0x800, ifindex: 1, cpu: 0, random: 1 };
            // The same packet, the same answer.
            prop_assert_eq!(program.run(&view), program.run(&view));
        }
    }
}
