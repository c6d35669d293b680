//! How a case becomes tests: one on Linux and one on ours.
//!
//! A known difference is declared at the case, `name differs "reason"`, and fails once it no longer differs.

/// One test on ours, or one that must differ.
macro_rules! on_hearken {
    ($case:expr) => {
        hearken_twin::run_hearken($case)
    };
    ($case:expr, $reason:literal) => {
        hearken_twin::run_hearken_differs($reason, $case)
    };
}

/// Cases `fn(&mut dyn Twin)`.
macro_rules! cases {
    ($($name:ident $(differs $reason:literal)?),* $(,)?) => {
        mod linux {
            $(#[test]
            fn $name() {
                hearken_twin::run_linux(super::$name);
            })*
        }
        mod hearken {
            $(#[test]
            fn $name() {
                on_hearken!(super::$name $(, $reason)?);
            })*
        }
    };
}

/// Cases `fn(&mut dyn Twin, Ip)`, over IPv4 and over IPv6.
macro_rules! family_cases {
    ($($name:ident $(differs $reason:literal)?),* $(,)?) => {
        mod linux_v4 {
            $(#[test]
            fn $name() {
                hearken_twin::run_linux(|t| super::$name(t, hearken_twin::Ip::V4));
            })*
        }
        mod linux_v6 {
            $(#[test]
            fn $name() {
                hearken_twin::run_linux(|t| super::$name(t, hearken_twin::Ip::V6));
            })*
        }
        mod hearken_v4 {
            $(#[test]
            fn $name() {
                on_hearken!(|t| super::$name(t, hearken_twin::Ip::V4) $(, $reason)?);
            })*
        }
        mod hearken_v6 {
            $(#[test]
            fn $name() {
                on_hearken!(|t| super::$name(t, hearken_twin::Ip::V6) $(, $reason)?);
            })*
        }
    };
}
