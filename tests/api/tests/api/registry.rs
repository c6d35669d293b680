//! How a case becomes tests.

/// Cases `fn(&mut dyn Twin)`: a test on Linux each.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        mod linux {
            $(#[test]
            fn $name() {
                hearken_twin::run_linux(super::$name);
            })*
        }
    };
}

/// Cases `fn(&mut dyn Twin, Ip)`: a test on Linux for each family.
macro_rules! family_cases {
    ($($name:ident),* $(,)?) => {
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
    };
}
