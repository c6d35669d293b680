//! curl and wget: inside to a server inside, to the host's loopback, and from outside.

use crate::common::{Dir, Run, alone, bytes, inside, inside_any, outside, sha256};
use crate::needs;

#[test]
fn curl_fetches_and_uploads_over_ipv4_and_ipv6() {
    needs!("curl", "python3");
    let dir = Dir::new("curl");
    let file = bytes(5_000_001, 3);
    dir.write("file", &file);
    let path = dir.path();
    for (bind, url) in [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "[::1]"),
        ("::", "localhost"),
    ] {
        let out = inside(
            &[],
            &format!(
                "cd {path}
                python3 -m http.server -b {bind} 8000 2>/dev/null & server=$!
                until_ok curl -s http://{url}:8000/
                curl -sS http://{url}:8000/file | sha256sum
                curl -sS -o /dev/null -w '%{{http_code}} %{{size_download}} %{{num_connects}}\\n' http://{url}:8000/file
                kill $server"
            ),
        );
        assert!(out.contains(&sha256(&file)), "{out}");
        assert!(out.contains("200 5000001 1"), "{out}");
    }
}

#[test]
fn curl_says_refused_and_timed_out() {
    needs!("curl");
    // 7: could not connect. 28: time is over; the listener never answers.
    let (status, _, err) = inside_any(&[], "curl -sS http://127.0.0.1:9/");
    assert_eq!(status.code(), Some(7), "{err}");
    let (status, _, err) = inside_any(&[], "curl -sS 'http://[::1]:9/'");
    assert_eq!(status.code(), Some(7), "{err}");
    let script = "nc -lk 127.0.0.1 8000 >/dev/null & server=$!
        until_ok nc -z 127.0.0.1 8000
        code=0; curl -sS -m 0.3 http://127.0.0.1:8000/ || code=$?
        kill $server; exit $code";
    let (status, _, err) = inside_any(&[], script);
    assert_eq!(status.code(), Some(28), "{err}");
}

#[test]
fn wget_fetches_in_one_piece_and_continues_a_part() {
    needs!("wget", "python3");
    let dir = Dir::new("wget");
    let file = bytes(3_000_001, 4);
    dir.write("file", &file);
    let path = dir.path();
    let out = inside(
        &[],
        &format!(
            "cd {path}
            python3 -m http.server -b 127.0.0.1 8000 2>/dev/null & server=$!
            until_ok wget -q -O /dev/null http://127.0.0.1:8000/
            wget -q -O - http://127.0.0.1:8000/file | sha256sum
            code=0; wget -q -O /dev/null http://127.0.0.1:8000/missing || code=$?
            echo missing $code
            code=0; wget -q -T 2 -t 1 -O /dev/null http://127.0.0.1:9/ || code=$?
            echo refused $code
            kill $server"
        ),
    );
    assert!(out.contains(&sha256(&file)), "{out}");
    assert!(out.contains("missing 8\nrefused 4"), "{out}");
}

#[test]
fn curl_in_64_processes_is_served_inside_and_through_a_published_port() {
    needs!("curl", "python3", "xargs");
    let _alone = alone();
    let dir = Dir::new("parallel");
    let file = bytes(300_001, 5);
    dir.write("file", &file);
    let path = dir.path();
    let cmd = ["python3", "-m", "http.server", "-d", &path, "8000"];
    let (mut run, port) = Run::server(8000, &[], &cmd);
    let script = |url: &str| {
        format!(
            "seq 64 | xargs -P 64 -I N sh -c 'curl -sS {url}/file?N | sha256sum' | sort | uniq -c"
        )
    };
    let outside = outside("sh", &["-c", &script(&format!("http://127.0.0.1:{port}"))]);
    assert_eq!(outside.trim(), format!("64 {}  -", sha256(&file)));
    run.terminate();
    let inside = inside(
        &[],
        &format!(
            "python3 -m http.server -d {path} 8000 >/dev/null 2>&1 & server=$!
            until_ok curl -s http://127.0.0.1:8000/
            {}
            kill $server",
            script("http://127.0.0.1:8000")
        ),
    );
    assert_eq!(inside.trim(), format!("64 {}  -", sha256(&file)));
}
