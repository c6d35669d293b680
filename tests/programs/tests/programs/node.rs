//! node's http server: keep-alive clients of its own, and load from outside.

use crate::common::{Run, alone, carried, get, inside, outside};
use crate::needs;

#[test]
fn node_answers_its_own_keep_alive_clients_over_both_families() {
    needs!("node");
    let out = inside(
        &[],
        &format!("exec node {} 3000 2000", carried("server.js")),
    );
    assert_eq!(out, "listening 3000\nanswered 2000 over 20\nclosed");
}

#[test]
fn node_serves_load_through_a_published_port() {
    needs!("node", "ab");
    let _alone = alone();
    let (mut run, port) = Run::server(3000, &[], &["node", &carried("server.js"), "3000"]);
    let (status, body) = get(port, "/here").expect("an answer");
    assert_eq!(status, "HTTP/1.1 200 OK");
    let body = String::from_utf8_lossy(&body).into_owned();
    assert!(body.contains("\"from\":\"::ffff:10.0.2.2\""), "{body}");
    for flags in [["-k", "-n2000"], ["-r", "-n1000"]] {
        let out = outside(
            "ab",
            &[
                "-q",
                "-c",
                "20",
                flags[0],
                flags[1],
                &format!("http://127.0.0.1:{port}/x"),
            ],
        );
        assert!(out.contains("Failed requests:        0"), "{out}");
    }
    run.terminate();
}
