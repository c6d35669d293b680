//! CPU time of this thread, of the part that counts.

use std::hint::black_box;
use std::time::Duration;

/// Runs the part of a case that counts. A function of its own so that callgrind can count inside it and nowhere else
/// (`--toggle-collect=*measured*`).
#[inline(never)]
pub fn measured<R>(f: impl FnOnce() -> R) -> R {
    black_box(f())
}

/// Sums up what the parts that count took.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    spent: Duration,
}

#[allow(
    unsafe_code,
    reason = "rustix reads the vDSO itself, which valgrind hides"
)]
fn cpu() -> Duration {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `t` is a timespec to write to; the clock exists since Linux 2.6.12.
    let r = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut t) };
    assert_eq!(r, 0, "this thread has a clock");
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

impl Meter {
    pub(crate) fn time<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let begun = cpu();
        let r = measured(f);
        self.spent += cpu() - begun;
        r
    }
    /// Nanoseconds for one of `n`.
    pub(crate) fn each(&self, n: u64) -> f64 {
        self.spent.as_nanos() as f64 / n as f64
    }
    /// Gbit/s when `bytes` were carried.
    pub(crate) fn gbits(&self, bytes: u64) -> f64 {
        bytes as f64 * 8.0 / self.spent.as_nanos().max(1) as f64
    }
}
