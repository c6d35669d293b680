//! The hooks of a run's namespace: its policy, and whoever watches.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hearken_inet::{HookMask, Hooks, Retransmit, SecurityCall, SeenFrame, StateChange, Step};

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

/// What the stack calls; any of it may be absent.
pub(crate) struct Look {
    pub(crate) guard: Option<Arc<Guard>>,
    pub(crate) watch: Option<Watch>,
}

impl Look {
    /// As hooks, if there is anything at all.
    pub(crate) fn hooks(self) -> Option<Box<dyn Hooks + Send>> {
        let any = self.guard.is_some() || self.watch.is_some();
        any.then(|| Box::new(self) as Box<dyn Hooks + Send>)
    }
}

impl Hooks for Look {
    fn mask(&self) -> HookMask {
        let watch = self.watch.as_ref().map(Hooks::mask).unwrap_or_default();
        match self.guard {
            Some(_) => watch.with(HookMask::SECURITY),
            None => watch,
        }
    }

    fn security(&mut self, call: &SecurityCall) -> Result<(), i32> {
        let Some(guard) = &self.guard else {
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
