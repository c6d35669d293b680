//! What is refused before a program runs. The kernel proves more; here it has to be enough that a program ends and that
//! the interpreter knows every instruction.

use crate::{Unusable, unusable};

/// Classes of instructions: the low three bits.
const LD: u8 = 0;
const JMP: u8 = 5;
const JMP32: u8 = 6;
/// `BPF_LD | BPF_IMM | BPF_DW`: two instructions long.
const LD_DW: u8 = 0x18;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
/// As the kernel has it for those without CAP_BPF; the interpreter counts in 16 bits.
const MOST: usize = 4096;

/// Checks a program; `uses` are the loads of maps' addresses.
pub(crate) fn check(code: &[u8], uses: &[(usize, usize)]) -> Result<(), Unusable> {
    let (insns, rest) = code.as_chunks::<8>();
    if insns.is_empty() || !rest.is_empty() || insns.len() > MOST {
        return unusable(format!("a program has 1 to {MOST} instructions"));
    }
    let mut at = 0;
    while let Some(insn) = insns.get(at) {
        let (op, src) = (insn[0], insn[1] >> 4);
        let offset = i16::from_le_bytes([insn[2], insn[3]]);
        let jumps = matches!(op & 7, JMP | JMP32) && op != CALL && op != EXIT;
        if jumps && offset < 0 {
            return unusable(format!(
                "instruction {at} jumps backwards: loops are not supported, unroll them (#pragma unroll)"
            ));
        }
        if op == CALL && src != 0 {
            return unusable(format!(
                "instruction {at} calls a function of the object: declare it static __always_inline"
            ));
        }
        if op & 7 == LD && op != LD_DW {
            return unusable(format!(
                "instruction {at} loads from a packet, which sock_ops has not"
            ));
        }
        let wide = op == LD_DW;
        if wide && (insns.get(at + 1).is_none_or(|next| next[0] != 0) || src != 0) {
            return unusable(format!("instruction {at} is half a 16-byte load"));
        }
        at += 1 + usize::from(wide);
    }
    for (insn, _) in uses {
        if insns.get(*insn).is_none_or(|i| i[0] != LD_DW) {
            return unusable(format!(
                "instruction {insn} is said to load a map and does not"
            ));
        }
    }
    rbpf::EbpfVmRaw::new(Some(code))
        .map(|_| ())
        .map_err(|e| Unusable(format!("the program cannot be run: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIT_INSN: [u8; 8] = [EXIT, 0, 0, 0, 0, 0, 0, 0];

    fn refused(insns: &[[u8; 8]]) -> String {
        check(insns.as_flattened(), &[]).unwrap_err().to_string()
    }

    #[test]
    fn program_that_may_not_end_or_cannot_run_is_refused() {
        let ja = |off: i16| {
            let [a, b] = off.to_le_bytes();
            [0x05, 0, a, b, 0, 0, 0, 0]
        };
        assert_eq!(check(&EXIT_INSN, &[]), Ok(()));
        assert!(refused(&[ja(0), ja(-2), EXIT_INSN]).contains("instruction 1 jumps backwards"));
        assert!(refused(&[ja(9), EXIT_INSN]).contains("cannot be run"));
        assert!(refused(&[[CALL, 0x10, 0, 0, 0, 0, 0, 0], EXIT_INSN]).contains("__always_inline"));
        assert!(refused(&[[0x20, 0, 0, 0, 0, 0, 0, 0], EXIT_INSN]).contains("packet"));
        assert!(refused(&[[LD_DW, 0, 0, 0, 0, 0, 0, 0], EXIT_INSN]).contains("half"));
        // An atomic addition.
        assert!(refused(&[[0xdb, 0, 0, 0, 0, 0, 0, 0], EXIT_INSN]).contains("XADD"));
        assert!(refused(&[]).contains("1 to 4096"));
        assert!(check(&EXIT_INSN, &[(0, 0)]).is_err());
    }
}
