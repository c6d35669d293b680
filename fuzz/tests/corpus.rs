//! Every target over its committed corpus, without a fuzzer: what was found once stays found.

use std::path::{Path, PathBuf};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn replay(name: &str) {
    let f = hearken_fuzz::target(name).expect("a target of this name");
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus().join(name))
        .expect("each target has a corpus")
        .map(|e| e.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "corpus/{name} is empty");
    // The empty input belongs to every corpus.
    f(&[]);
    for file in files {
        // Printed only when the target panics: the test's output names the input.
        println!("input: {}", file.display());
        f(&std::fs::read(&file).expect("a corpus file can be read"));
    }
}

macro_rules! targets {
    ($($name:ident $test:ident)*) => {
        $(#[test]
        fn $test() {
            replay(stringify!($name));
        })*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

targets!(
    ethernet ethernet_corpus_replays_without_a_panic
    ndp ndp_corpus_replays_without_a_panic
    ipv4 ipv4_corpus_replays_without_a_panic
    ipv6 ipv6_corpus_replays_without_a_panic
    icmp icmp_corpus_replays_without_a_panic
    icmpv6 icmpv6_corpus_replays_without_a_panic
    udp udp_corpus_replays_without_a_panic
    tcp tcp_corpus_replays_without_a_panic
    sockaddr sockaddr_corpus_replays_without_a_panic
    segment segment_corpus_replays_without_a_panic
    text text_corpus_replays_without_a_panic
    net net_corpus_replays_without_a_panic
    lan lan_corpus_replays_without_a_panic
    fragments fragments_corpus_replays_without_a_panic
);

#[test]
fn corpus_folders_targets_and_tests_are_the_same_names() {
    let mut targets: Vec<String> = hearken_fuzz::TARGETS
        .iter()
        .map(|t| t.0.to_owned())
        .collect();
    targets.sort();
    let mut tested: Vec<String> = TESTED.iter().map(|t| (*t).to_owned()).collect();
    tested.sort();
    let mut folders: Vec<String> = std::fs::read_dir(corpus())
        .expect("the corpus")
        .map(|e| {
            e.expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    folders.sort();
    assert_eq!(targets, tested);
    assert_eq!(targets, folders);
}
