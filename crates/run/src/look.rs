//! The hooks of a run's namespace: its policy, its sock_ops program, and whoever watches.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hearken_inet::{HookMask, Hooks, Retransmit, SecurityCall, SeenFrame, StateChange, Step};

use crate::options::Options;
use crate::policy::Policy;
use crate::watch::Watch;

/// A policy, and the file that a refusal names.
#[derive(Debug)]
pub(crate) struct Guard {
    policy: Policy,
    file: PathBuf,
}

impl Guard {
    /// Reads the file of `--policy`.
    pub(crate) fn read(file: &Path) -> Result<Arc<Self>, String> {
        let text = std::fs::read_to_string(file)
            .map_err(|e| format!("--policy {}: {e}", file.display()))?;
        let policy =
            Policy::parse(&text).map_err(|e| format!("--policy {}, {e}", file.display()))?;
        let file = file.to_owned();
        Ok(Arc::new(Guard { policy, file }))
    }
}

/// What a run has from its beginning to its end.
#[derive(Clone, Default)]
pub(crate) struct Standing {
    guard: Option<Arc<Guard>>,
    /// `--sock-ops`
    #[cfg(feature = "bpf")]
    program: Option<hearken_bpf::SockOpsProgram>,
}

impl Standing {
    /// Reads the files that the options name.
    pub(crate) fn read(options: &Options) -> Result<Self, String> {
        Ok(Standing {
            guard: options.policy.as_deref().map(Guard::read).transpose()?,
            #[cfg(feature = "bpf")]
            program: options.sock_ops.as_deref().map(program).transpose()?,
        })
    }

    fn mask(&self) -> HookMask {
        let mut mask = HookMask::default();
        if self.guard.is_some() {
            mask = mask.with(HookMask::SECURITY);
        }
        #[cfg(feature = "bpf")]
        if self.program.is_some() {
            mask = mask.with(HookMask::SOCK_OPS);
        }
        mask
    }
}

#[cfg(feature = "bpf")]
fn program(file: &Path) -> Result<hearken_bpf::SockOpsProgram, String> {
    let fail = |e: &dyn std::fmt::Display| format!("--sock-ops {}: {e}", file.display());
    let bytes = std::fs::read(file).map_err(|e| fail(&e))?;
    hearken_bpf::SockOpsProgram::load(&bytes).map_err(|e| fail(&e))
}

/// What the stack calls; any of it may be absent.
pub(crate) struct Look {
    pub(crate) standing: Standing,
    pub(crate) watch: Option<Watch>,
}

impl Look {
    /// As hooks, if there is anything at all.
    pub(crate) fn hooks(self) -> Option<Box<dyn Hooks + Send>> {
        let any = self.standing.mask() != HookMask::default() || self.watch.is_some();
        any.then(|| Box::new(self) as Box<dyn Hooks + Send>)
    }
}

impl Hooks for Look {
    fn mask(&self) -> HookMask {
        let watch = self.watch.as_ref().map(Hooks::mask).unwrap_or_default();
        watch.with(self.standing.mask())
    }

    #[cfg(feature = "bpf")]
    fn sock_ops(&mut self, call: &hearken_inet::SockOps) -> hearken_inet::SockReply {
        let program = self.standing.program.as_mut();
        program.map_or(hearken_inet::SockReply::NONE, |p| p.sock_ops(call))
    }

    fn security(&mut self, call: &SecurityCall) -> Result<(), i32> {
        let Some(guard) = &self.standing.guard else {
            return Ok(());
        };
        guard.policy.judge(call).map_err(|refusal| {
            // Nobody may listen any more; the call is refused all the same.
            let file = guard.file.display();
            let _ = writeln!(std::io::stderr(), "hearken: {file}: {refusal}");
            refusal.errno.0
        })
    }

    fn trace(&mut self, step: &Step) {
        if let Some(watch) = &mut self.watch {
            watch.trace(step);
        }
    }

    fn state(&mut self, change: &StateChange) {
        if let Some(watch) = &mut self.watch {
            watch.state(change);
        }
    }

    fn retransmit(&mut self, again: &Retransmit) {
        if let Some(watch) = &mut self.watch {
            watch.retransmit(again);
        }
    }

    fn frame(&mut self, seen: &SeenFrame<'_>) {
        if let Some(watch) = &mut self.watch {
            watch.frame(seen);
        }
    }
}
