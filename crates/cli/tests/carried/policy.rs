//! `hearken run --policy`: what a file of rules refuses to a program, and how that is said.

use std::net::TcpListener;
use std::path::PathBuf;

use crate::common::{Run, hearken};

/// A file of rules, gone with the test.
struct Rules(PathBuf);

impl Rules {
    fn new(name: &str, text: &str) -> Self {
        let file = format!("hearken-policy-{}-{name}.toml", std::process::id());
        let path = std::env::temp_dir().join(file);
        std::fs::write(&path, text).expect("a file of ours");
        Rules(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn policy_refused_calls_get_the_errno_and_a_line_and_others_work() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port of the host");
    let open = listener.local_addr().expect("bound").port();
    // Refused by its port, though somebody listens there.
    let shut = TcpListener::bind(("127.0.0.1", 0)).expect("a port of the host");
    let shut = shut.local_addr().expect("bound").port();
    let rules = Rules::new(
        "calls",
        &format!(
            r#"
[[rule]]
name = "no low ports"
action = "deny"
call = "bind"
port = "1-1023"

[[rule]]
action = "deny"
call = ["listen", "accept"]
address = "127.0.0.0/8"
port = [9001]
errno = "EPERM"

[[rule]]
name = "that port only"
action = "allow"
call = "connect"
address = "10.0.2.2"
port = {open}

[[rule]]
name = "else nothing of the host"
action = "deny"
call = "connect"
address = "10.0.0.0/8"
errno = "EHOSTUNREACH"

[[rule]]
name = "nobody gets in"
action = "deny"
call = "accept"
errno = "ECONNABORTED"
"#
        ),
    );
    let (shut, open) = (shut.to_string(), open.to_string());
    let mut run = Run::python(&["--policy", rules.path()], &["policy", &shut, &open]);
    assert_eq!(run.end().code(), Some(0), "{}", run.said());
    assert_eq!(
        run.stdout,
        [
            "bind-low EACCES",
            "bind-high 0",
            "listen 0",
            "bind-low EACCES",
            "bind-high 0",
            "listen 0",
            "listen-denied EPERM",
            "connect EHOSTUNREACH",
            "connect 0",
            "accept ECONNABORTED",
        ],
        "{}",
        run.said()
    );
    let said = |text: &str| format!("hearken: {}: {text}", rules.path());
    let (denied, low) = ("(Permission denied)", "line 2, rule \"no low ports\"");
    let expected = [
        said(&format!(
            "bind to 0.0.0.0:80 refused with EACCES {denied}: {low}"
        )),
        said(&format!(
            "bind to [::]:80 refused with EACCES {denied}: {low}"
        )),
        said(
            "listen on 127.0.0.1:9001 refused with EPERM (Operation not permitted): line 8, rule \"number 2\"",
        ),
        said(&format!(
            "connect to 10.0.2.2:{shut} refused with EHOSTUNREACH (No route to host): line 22, rule \"else nothing of the host\""
        )),
        said(
            "accept on 127.0.0.1:9002 refused with ECONNABORTED (Software caused connection abort): line 29, rule \"nobody gets in\"",
        ),
    ];
    assert_eq!(run.stderr, expected, "{}", run.said());
}

#[test]
fn policy_file_with_a_mistake_is_a_sentence_with_its_line_and_nothing_starts() {
    let rules = Rules::new("mistake", "[[rule]]\naction = \"deny\"\nport = \"http\"\n");
    for (path, says) in [
        (rules.path(), "line 3: expected a port such as 80"),
        ("/no/such/policy.toml", "No such file"),
    ] {
        let out = hearken(&["run", "--policy", path, "--", "echo", "started"]);
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(125), "{err}");
        assert!(err.contains(path) && err.contains(says), "{err}");
        assert!(out.stdout.is_empty(), "{err}");
    }
}
