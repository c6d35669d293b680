//! `hearken drill`: what it finds, prints, writes, and how it ends.

use std::path::PathBuf;
use std::process::{Command, Output};

const GOOD: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss MSS>
";

/// A directory of its own, gone at the end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let path =
            std::env::temp_dir().join(format!("hearken-drill-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("deep")).expect("a directory");
        Dir(path)
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("a file");
    }

    fn drill(&self, args: &[&str]) -> (i32, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new(env!("CARGO_BIN_EXE_hearken"))
            .arg("drill")
            .args(args)
            .current_dir(&self.0)
            .output()
            .expect("hearken starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (status.code().expect("it ends"), text(stdout), text(stderr))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One script that passes, one that fails, one with a mistake.
fn three(name: &str) -> Dir {
    let dir = Dir::new(name);
    dir.file("good.pkt", &GOOD.replace("MSS", "1460"));
    dir.file("deep/bad.pkt", &GOOD.replace("MSS", "1440"));
    dir.file("mistake.pkt", "0 sokcet(..., SOCK_STREAM, 0) = 3\n");
    dir.file("notes.txt", "no script");
    dir
}

#[test]
fn drill_of_a_directory_runs_every_script_and_says_what_failed() {
    let dir = three("all");
    let (code, out, _) = dir.drill(&["."]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("FAIL ./deep/bad.pkt"), "{out}");
    assert!(out.contains("./deep/bad.pkt:5:"), "{out}");
    assert!(out.contains("5 | +0 > S. 0:0(0) ack 1 <mss 1440>"), "{out}");
    assert!(out.contains("expected  "), "{out}");
    assert!(out.contains("mss 1460"), "{out}");
    assert!(
        out.contains("./mistake.pkt:1:3: `sokcet` is no call"),
        "{out}"
    );
    assert!(!out.contains("good.pkt"), "{out}");
    let last = out.lines().last().expect("a summary");
    assert!(
        last.starts_with("3 scripts: 1 passed, 2 failed, 0 skipped in "),
        "{last}"
    );
}

#[test]
fn drill_of_scripts_that_pass_is_zero_and_short() {
    let dir = three("good");
    let (code, out, _) = dir.drill(&["good.pkt"]);
    assert_eq!(code, 0, "{out}");
    assert_eq!(out.lines().count(), 1, "{out}");
    dir.file("word.pkt", GOOD);
    let (code, out, _) = dir.drill(&["-D", "MSS=1460", "-v", "word.pkt"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.starts_with("ok   word.pkt ("), "{out}");
    let (code, out, _) = dir.drill(&["--list", "."]);
    assert_eq!(
        (code, out.as_str()),
        (0, "./deep/bad.pkt\n./good.pkt\n./mistake.pkt\n./word.pkt\n")
    );
    let (code, out, _) = dir.drill(&["--pcap", "caps", "good.pkt"]);
    assert_eq!(code, 0, "{out}");
    let pcap = std::fs::read(dir.0.join("caps/good.hearken.pcap")).expect("a capture");
    assert!(pcap.len() > 24 + 2 * 16, "two packets and the header");
}

#[test]
fn drill_of_several_ip_versions_runs_each() {
    let dir = Dir::new("versions");
    let head = "--ip_version=ipv4,ipv6\n";
    dir.file("both.pkt", &format!("{head}{GOOD}"));
    let (code, out, _) = dir.drill(&["-v", "both.pkt"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("ok   both.pkt (ipv4) ("), "{out}");
    assert!(out.contains("ok   both.pkt (ipv6) ("), "{out}");
    assert!(out.contains("1 scripts: 2 passed"), "{out}");
    let (code, out, _) = dir.drill(&["-v", "-o", "ip_version=ipv6", "both.pkt"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("1 scripts: 1 passed"), "{out}");
    dir.file("wrong.pkt", &format!("--ip_version=ipv4,ipv5\n{GOOD}"));
    let (code, out, _) = dir.drill(&["wrong.pkt"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("or ipv6, found `ipv5`"), "{out}");
    // One that fails says where its packets are.
    dir.file(
        "fails.pkt",
        &format!("{head}{}", GOOD.replace("MSS", "1460")),
    );
    let (code, out, _) = dir.drill(&["fails.pkt"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("FAIL fails.pkt (ipv6)"), "{out}");
    let said = "     note: packets written to ";
    let path = out.lines().find_map(|l| l.strip_prefix(said));
    let pcap = std::fs::read(path.expect("a path")).expect("a capture");
    assert!(pcap.len() > 24 + 2 * 16, "two packets and the header");
}

#[test]
fn drill_reports_as_tap_and_as_junit() {
    let dir = three("reports");
    let (code, out, _) = dir.drill(&["--tap", "-", "--jobs", "3", "."]);
    assert_eq!(code, 1);
    let results: Vec<&str> = out.lines().filter(|l| !l.starts_with(' ')).collect();
    assert_eq!(
        results,
        [
            "TAP version 14",
            "1..3",
            "not ok 1 - ./deep/bad.pkt",
            "ok 2 - ./good.pkt",
            "not ok 3 - ./mistake.pkt",
        ]
    );
    assert!(out.contains("  message: |\n    ./deep/bad.pkt:5:"), "{out}");
    let (code, out, _) = dir.drill(&["--junit", "out.xml", "."]);
    assert_eq!(code, 1);
    assert!(out.contains("3 scripts: "), "{out}");
    let xml = std::fs::read_to_string(dir.0.join("out.xml")).expect("a report");
    assert!(
        xml.contains("tests=\"3\" failures=\"2\" errors=\"0\" skipped=\"0\""),
        "{xml}"
    );
    assert!(
        xml.contains("<testcase classname=\"./deep\" name=\"bad.pkt\""),
        "{xml}"
    );
    assert!(xml.contains("&lt;mss 1440&gt;"), "{xml}");
    assert_eq!(xml.matches("<testcase").count(), 3);
    assert_eq!(xml.matches("</failure>").count(), 2);
    assert!(xml.ends_with("</testsuites>\n"), "{xml}");
}

#[test]
fn drill_fail_fast_begins_no_more() {
    let dir = three("fast");
    let (code, out, _) = dir.drill(&["--fail-fast", "--jobs", "1", "."]);
    assert_eq!(code, 1);
    assert!(
        out.contains("0 passed, 1 failed, 0 skipped, 2 not begun"),
        "{out}"
    );
}

#[test]
fn drill_dry_run_reads_and_runs_nothing() {
    let dir = three("dry");
    let (code, out, _) = dir.drill(&["--dry-run", "."]);
    assert_eq!(code, 1, "{out}");
    assert!(out.ends_with("3 scripts read, 1 with a mistake\n"), "{out}");
    assert!(!out.contains("bad.pkt"), "{out}");
}

#[test]
fn drill_of_wrong_usage_ends_with_two() {
    let dir = three("usage");
    for (args, said) in [
        (&["gone.pkt"][..], "gone.pkt cannot be read"),
        (&["-o", "mut=5", "good.pkt"], "unknown option --mut"),
        (&["-D", "MSS", "good.pkt"], "expected NAME=VALUE"),
        (&[], "required"),
    ] {
        let (code, _, err) = dir.drill(args);
        assert_eq!(code, 2, "{args:?} {err}");
        assert!(err.contains(said), "{args:?} {err}");
    }
    std::fs::create_dir(dir.0.join("empty")).expect("a directory");
    let (code, _, err) = dir.drill(&["empty"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("empty has no *.pkt file in it or below"),
        "{err}"
    );
}
