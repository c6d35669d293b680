//! The random sequences.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::compare::{Verdict, compare, shrink};
use crate::generate::sequence;
use crate::op::Op;

fn number(name: &str, default: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text:?} is not a number")),
        Err(_) => default,
    }
}

/// The sequence of this number from this seed.
fn draw(seed: usize, number: usize) -> Vec<Op> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(seed as u64).to_le_bytes());
    bytes[8..16].copy_from_slice(&(number as u64).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let tree = sequence().new_tree(&mut runner);
    tree.expect("a sequence").current()
}

/// A disagreement as a case for found.rs.
fn as_case(ops: &[Op], seed: usize, number: usize, why: &str) -> String {
    let lines: String = ops.iter().map(|op| format!("        {op:?},\n")).collect();
    format!("sequence {number} of seed {seed}:\n{why}\n    assert_alike(&[\n{lines}    ]);\n")
}

#[test]
fn sequence_of_calls_and_segments_is_answered_alike() {
    let (count, seed) = (
        number("HEARKEN_SEQUENCES", 200),
        number("HEARKEN_SEQUENCE_SEED", 1),
    );
    let most = number("HEARKEN_SEQUENCE_FAILURES", 1);
    let (next, alike, unsteady) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let failures = std::sync::Mutex::new(Vec::new());
    let work = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count || failures.lock().expect("no panic").len() >= most {
            return;
        }
        let ops = draw(seed, number);
        match compare(&ops) {
            Verdict::Alike => alike.fetch_add(1, Ordering::Relaxed),
            Verdict::NotAsked => return,
            Verdict::Unsteady => unsteady.fetch_add(1, Ordering::Relaxed),
            Verdict::Differ(_) => {
                let (ops, why) = shrink(&ops);
                let case = as_case(&ops, seed, number, &why);
                failures.lock().expect("no panic").push(case);
                0
            }
        };
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let (alike, unsteady) = (alike.into_inner(), unsteady.into_inner());
    eprintln!("{alike} sequences alike, {unsteady} left out: Linux did not answer the same twice");
    let failures = failures.into_inner().expect("no panic");
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
