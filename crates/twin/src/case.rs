//! How a case runs.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{ANY_V4, ANY_V6, LISTENER_V4, LISTENER_V6, PEER_V4, PEER_V6, Twin};

/// The family that a case runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ip {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Ip {
    /// AF_INET or AF_INET6.
    pub fn domain(self) -> i32 {
        self.pick(libc::AF_INET, libc::AF_INET6)
    }

    /// The system's address on `tun0`.
    pub fn listener(self) -> IpAddr {
        self.pick(LISTENER_V4, LISTENER_V6)
    }

    /// The remote peer's address.
    pub fn peer(self) -> IpAddr {
        self.pick(PEER_V4, PEER_V6)
    }

    /// The wildcard.
    pub fn any(self) -> IpAddr {
        self.pick(ANY_V4, ANY_V6)
    }

    /// 127.0.0.1 or ::1.
    pub fn loopback(self) -> IpAddr {
        self.pick(
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        )
    }

    /// The first for IPv4, the second for IPv6.
    pub fn pick<T>(self, v4: T, v6: T) -> T {
        match self {
            Ip::V4 => v4,
            Ip::V6 => v6,
        }
    }
}

/// Runs a case on the host's Linux, in a fresh namespace and a thread of its own.
///
/// It needs root and a TUN device. In CI (`CI=true` or `HEARKEN_CI=1`) a machine that has not got them fails the case; elsewhere the case
/// says that it did not run. `HEARKEN_SKIP_LINUX=1` leaves it out, but never in CI.
pub fn run_linux(case: impl FnOnce(&mut dyn Twin) + Send + 'static) {
    let var = |name| std::env::var(name).ok();
    if left_out(var("HEARKEN_SKIP_LINUX").as_deref(), var("CI").as_deref()) {
        eprintln!("NOT RUN: HEARKEN_SKIP_LINUX=1, so Linux was not asked");
        return;
    }
    #[cfg(target_os = "linux")]
    crate::linux::run(case);
    #[cfg(not(target_os = "linux"))]
    {
        drop(case);
        panic!("this is not Linux; HEARKEN_SKIP_LINUX=1 leaves these cases out");
    }
}

/// Whether everything must run: `CI=true` or `HEARKEN_CI=1`.
pub(crate) fn in_ci() -> bool {
    let is = |name, value: &str| std::env::var(name).is_ok_and(|v| v == value);
    is("CI", "true") || is("HEARKEN_CI", "1")
}

/// Whether Linux is not to be asked: never in CI.
fn left_out(skip: Option<&str>, ci: Option<&str>) -> bool {
    skip == Some("1") && ci != Some("true")
}

/// Runs a case on ours, in virtual time.
pub fn run_hearken(case: impl FnOnce(&mut dyn Twin)) {
    crate::ours::run(case);
}

/// Runs a case on ours that is known to differ from Linux, and why. It fails once it no longer differs.
pub fn run_hearken_differs(reason: &str, case: impl FnOnce(&mut dyn Twin)) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| crate::ours::run(case)));
    assert!(
        outcome.is_err(),
        "no longer differs from Linux; was: {reason}"
    );
    eprintln!("known difference: {reason}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_is_left_out_on_request_but_never_in_ci() {
        assert!(left_out(Some("1"), None));
        assert!(left_out(Some("1"), Some("false")));
        assert!(!left_out(Some("1"), Some("true")));
        assert!(!left_out(Some("0"), None));
        assert!(!left_out(None, None));
    }

    #[test]
    #[should_panic(expected = "no longer differs from Linux; was: a reason")]
    fn known_difference_that_no_longer_differs_fails() {
        run_hearken_differs("a reason", |_| {});
    }

    #[test]
    fn known_difference_that_differs_passes() {
        run_hearken_differs("a reason", |_| panic!("it differs"));
    }
}
