//! A program with its maps, and how it is run.

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use hearken_inet::{SockOps, SockReply};

use crate::helpers::{self, RUNNING, Running};
use crate::map::Map;
use crate::{Object, Unusable, context};

/// `r6 = r1; r1 = r10; call ENTER; r1 = r6`: rbpf tells its helpers nothing, so the program itself says where its stack
/// is. Jumps are relative, so nothing else moves.
const PROLOGUE: [[u8; 8]; 4] = {
    let [a, b, c, d] = helpers::ENTER.to_le_bytes();
    [
        [0xbf, 0x16, 0, 0, 0, 0, 0, 0],
        [0xbf, 0xa1, 0, 0, 0, 0, 0, 0],
        [0x85, 0, 0, 0, a, b, c, d],
        [0xbf, 0x61, 0, 0, 0, 0, 0, 0],
    ]
};

/// What stands before the program allows it: `BPF_PROG_TYPE_SOCK_OPS` that returns this has spoken.
const OK: u64 = 1;

/// A loaded program.
#[derive(Debug)]
pub struct Machine {
    code: Vec<u8>,
    /// `None` only while the program runs, or after it panicked.
    running: Option<Running>,
}

impl Machine {
    /// Makes the maps and gives their addresses to the program.
    ///
    /// # Errors
    /// A function that it calls does not exist here.
    pub fn load(object: &Object) -> Result<Self, Unusable> {
        let mut code = object.code.clone();
        for (insn, map) in &object.uses {
            let addr = (helpers::MAP_TAG | *map as u64).to_le_bytes();
            code[insn * 8 + 4..insn * 8 + 8].copy_from_slice(&addr[..4]);
            code[insn * 8 + 12..insn * 8 + 16].copy_from_slice(&addr[4..]);
        }
        let known = helpers::all();
        for (at, insn) in code.as_chunks::<8>().0.iter().enumerate() {
            let id = u32::from_le_bytes([insn[4], insn[5], insn[6], insn[7]]);
            if insn[0] == 0x85 && (id == helpers::ENTER || !known.contains_key(&id)) {
                return Err(Unusable(format!(
                    "instruction {at} calls the kernel's function {id} (bpf-helpers(7)), which does not exist here"
                )));
            }
        }
        code.splice(..0, PROLOGUE.as_flattened().iter().copied());
        Ok(Machine {
            code,
            running: Some(Running {
                maps: object.maps.iter().cloned().map(Map::new).collect(),
                began: Instant::now(),
                random: RandomState::new().hash_one(0),
                context: 0..0,
                stack: 0..0,
                full: false,
                cb_flags: None,
                printed: Vec::new(),
            }),
        })
    }

    /// Runs the program for one callback.
    ///
    /// # Errors
    /// It did what the kernel's verifier would not have let through.
    pub fn run(&mut self, call: &SockOps) -> Result<SockReply, Unusable> {
        let mut running = self
            .running
            .take()
            .ok_or_else(|| Unusable("the program has failed before".to_owned()))?;
        let mut bytes = context::write(call);
        let start = bytes.as_mut_ptr().expose_provenance() as u64;
        running.context = start..start + bytes.len() as u64;
        (running.stack, running.full, running.cb_flags) = (0..0, call.sock.is_some(), None);
        let result = execute(&self.code, &mut bytes, running);
        let running = RUNNING.take();
        let reply = context::reply(&bytes);
        let cb_flags = running.as_ref().and_then(|r| r.cb_flags);
        self.running = running;
        // tcp_call_bpf (6.18): a program that does not return 1 has said nothing.
        Ok(SockReply {
            reply: if result? == OK { reply } else { -1 },
            cb_flags,
        })
    }

    /// A copy of what a map holds under a key.
    #[must_use]
    pub fn lookup(&self, map: &str, key: &[u8]) -> Option<Vec<u8>> {
        let maps = &self.running.as_ref()?.maps;
        maps.iter().find(|m| m.spec.name == map)?.get(key)
    }

    /// What the program printed since the last time.
    pub fn printed(&mut self) -> Vec<String> {
        let printed = self
            .running
            .as_mut()
            .map(|r| std::mem::take(&mut r.printed));
        printed.unwrap_or_default()
    }
}

fn execute(code: &[u8], context: &mut [u8], running: Running) -> Result<u64, Unusable> {
    let fail = |e: std::io::Error| {
        let text = e.to_string();
        Unusable(text.lines().next().unwrap_or_default().to_owned())
    };
    let mut vm = rbpf::EbpfVmRaw::new(Some(code)).map_err(fail)?;
    for (id, helper) in helpers::all() {
        vm.register_helper(id, helper).map_err(fail)?;
    }
    for map in &running.maps {
        vm.register_allowed_memory(map.range());
    }
    RUNNING.set(Some(running));
    vm.execute_program(context).map_err(fail)
}
