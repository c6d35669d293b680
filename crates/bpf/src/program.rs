//! A program as the hooks of a namespace.

use std::io::Write;
use std::sync::{Arc, Mutex};

use hearken_inet::{HookMask, Hooks, SockOps, SockReply};

use crate::{Machine, Object, Unusable};

/// A program that may be attached, and whose maps may be read meanwhile: clones are the same one.
#[derive(Debug, Clone)]
pub struct SockOpsProgram(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    machine: Machine,
    failed: bool,
}

impl SockOpsProgram {
    /// Loads an ELF object.
    ///
    /// # Errors
    /// A sentence that says why it cannot be.
    pub fn load(file: &[u8]) -> Result<Self, Unusable> {
        let machine = Machine::load(&Object::parse(file)?)?;
        let failed = false;
        Ok(SockOpsProgram(Arc::new(Mutex::new(State {
            machine,
            failed,
        }))))
    }

    /// What a map holds under a key.
    #[must_use]
    pub fn lookup(&self, map: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.0.lock().ok()?.machine.lookup(map, key)
    }
}

impl Hooks for SockOpsProgram {
    fn mask(&self) -> HookMask {
        HookMask::SOCK_OPS
    }

    fn sock_ops(&mut self, call: &SockOps) -> SockReply {
        let Ok(mut state) = self.0.lock() else {
            return SockReply::NONE;
        };
        if state.failed {
            return SockReply::NONE;
        }
        let reply = state.machine.run(call);
        // Nobody may listen; the program has run all the same.
        let mut err = std::io::stderr();
        for line in state.machine.printed() {
            let _ = writeln!(err, "hearken: bpf: {line}");
        }
        reply.unwrap_or_else(|why| {
            state.failed = true;
            let _ = writeln!(
                err,
                "hearken: bpf: the program is detached, for it failed: {why}"
            );
            SockReply::NONE
        })
    }
}
