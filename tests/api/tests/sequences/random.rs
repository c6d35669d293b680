//! The random sequences.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

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

/// How often a run says how far it is (seen with `--nocapture`).
const PROGRESS: Duration = Duration::from_secs(10);

/// A disagreement as a case for found.rs.
fn as_case(ops: &[Op], seed: usize, number: usize, why: &str) -> String {
    let lines: String = ops.iter().map(|op| format!("        {op:?},\n")).collect();
    format!("sequence {number} of seed {seed}:\n{why}\n    assert_alike(&[\n{lines}    ]);\n")
}

/// What a disagreement is about: the lines that differ, without numbers and families.
fn kind(why: &str) -> String {
    let differ = |line: &&str| line.starts_with("    Linux ") || line.starts_with("    ours ");
    let lines: Vec<&str> = why.lines().filter(differ).collect();
    let text = lines.join("\n");
    let text = text
        .replace("::ffff:", "")
        .replace("2001:db8::", "192.0.2.");
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// How far a run is, and what it found.
#[derive(Default)]
struct Run {
    next: AtomicUsize,
    alike: AtomicUsize,
    unsteady: AtomicUsize,
    /// By kind: how many, and the first as a case.
    failures: Mutex<BTreeMap<String, (usize, String)>>,
}

impl Run {
    fn play(&self, seed: usize, count: usize, most: usize) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= count || self.kinds() >= most {
                return;
            }
            let ops = draw(seed, number);
            match compare(&ops) {
                Verdict::Alike => _ = self.alike.fetch_add(1, Ordering::Relaxed),
                Verdict::NotAsked => return,
                Verdict::Unsteady => _ = self.unsteady.fetch_add(1, Ordering::Relaxed),
                Verdict::Differ(_) => self.found(seed, number, &ops),
            }
        }
    }

    fn kinds(&self) -> usize {
        self.failures.lock().expect("no panic").len()
    }

    fn found(&self, seed: usize, number: usize, ops: &[Op]) {
        let (ops, why) = shrink(ops);
        let mut failures = self.failures.lock().expect("no panic");
        let first = || (0, as_case(&ops, seed, number, &why));
        let entry = failures.entry(kind(&why)).or_insert_with(first);
        entry.0 += 1;
        if entry.0 == 1 {
            eprintln!("{}", entry.1);
        }
    }

    fn progress(&self) -> String {
        format!(
            "{} sequences alike, {} left out (Linux did not answer the same twice in time), {} kinds of disagreement",
            self.alike.load(Ordering::Relaxed),
            self.unsteady.load(Ordering::Relaxed),
            self.kinds()
        )
    }
}

#[test]
fn sequence_of_calls_and_segments_is_answered_alike() {
    let (count, seed) = (
        number("HEARKEN_SEQUENCES", 200),
        number("HEARKEN_SEQUENCE_SEED", 1),
    );
    let most = number("HEARKEN_SEQUENCE_FAILURES", 20);
    let (run, began) = (Run::default(), Instant::now());
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..workers)
            .map(|_| scope.spawn(|| run.play(seed, count, most)))
            .collect();
        let mut said = Instant::now();
        while !workers.iter().all(|worker| worker.is_finished()) {
            thread::sleep(Duration::from_millis(20));
            if said.elapsed() >= PROGRESS {
                said = Instant::now();
                eprintln!("{:>4} s: {}", began.elapsed().as_secs(), run.progress());
            }
        }
    });
    eprintln!("seed {seed}, {:.1?}: {}", began.elapsed(), run.progress());
    let failures = run.failures.into_inner().expect("no panic");
    let cases = failures.into_values();
    let cases: Vec<String> = cases.map(|(n, case)| format!("{n} like {case}")).collect();
    assert!(cases.is_empty(), "\n{}", cases.join("\n"));
}
