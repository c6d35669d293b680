//! The binary that libFuzzer drives: `HEARKEN_FUZZ=NAME hearken-fuzz corpus/NAME`. See fuzz/run.
#![no_main]
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "libFuzzer's entry points, by macro"
)]

use std::sync::OnceLock;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: {
        let name = std::env::var("HEARKEN_FUZZ").unwrap_or_default();
        let Some(f) = hearken_fuzz::target(&name) else {
            eprintln!("HEARKEN_FUZZ names no target: {name:?}");
            std::process::exit(1);
        };
        TARGET.set(f).expect("set once");
    },
    |data: &[u8]| {
        if let Some(f) = TARGET.get() {
            f(data);
        }
    }
);
