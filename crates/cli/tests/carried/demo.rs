//! `hearken demo`, as README's first command runs it.

use std::process::Command;

#[test]
fn demo_shows_walk_ss_and_counters_and_exits_0() {
    let text = crate::common::hearken_ok(&["demo", "--mib", "8"]);
    for part in [
        "is right",
        "listen(",
        "LISTEN",
        "0.0.0.0:8000",
        "TcpPassiveOpens",
        "10.0.2.2",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

/// The binary copied to where a user without any right can read it, and an environment with nothing in it.
#[test]
fn demo_works_without_any_right() {
    if !rustix::process::geteuid().is_root() {
        // The test above was that case already.
        return;
    }
    let dir = std::env::temp_dir().join(format!("hearken-nobody-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let binary = dir.join("hearken");
    std::fs::copy(crate::common::HEARKEN, &binary).unwrap();
    let out = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&binary)
        .args(["demo", "--mib", "8"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/")
        .output()
        .unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(
        out.status.success(),
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
}
