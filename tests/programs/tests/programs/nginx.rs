//! nginx with several workers, one listener for all and one for each, and its proxy.

use crate::common::{Dir, Run, alone, bytes, get, outside, sha256};
use crate::needs;

fn config(dir: &Dir, listen: &str) -> String {
    let root = dir.path();
    let user = if rustix::process::getuid().is_root() {
        "user root;"
    } else {
        ""
    };
    dir.write(
        "nginx.conf",
        format!(
            "worker_processes 4; daemon off; error_log stderr error; pid {root}/nginx.pid; {user}
            events {{ worker_connections 512; }}
            http {{
              access_log off; sendfile on; tcp_nopush on; default_type text/plain;
              client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
              uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
              server {{ {listen} root {root}; location /pid {{ return 200 $pid; }} location /from {{ return 200 $remote_addr; }} }}
              server {{ listen 8081; location / {{ proxy_pass http://127.0.0.1:8080; }} }}
              server {{ listen 8082; location / {{ proxy_pass http://[::1]:8080; proxy_buffering off; }} }}
            }}"
        ),
    )
}

fn serves(name: &str, listen: &str) {
    let _alone = alone();
    let dir = Dir::new(name);
    let file = bytes(20_000_003, 8);
    dir.write("file", &file);
    dir.write("small", "small\n");
    let config = config(&dir, listen);
    let ports: Vec<u16> = (0..2).map(|_| crate::common::free_port()).collect();
    let publish: Vec<String> = vec![format!("{}:8081", ports[0]), format!("{}:8082", ports[1])];
    let options = ["-p", publish[0].as_str(), "-p", publish[1].as_str()];
    let nginx = crate::common::find("nginx");
    let cmd = [
        nginx.to_str().expect("UTF-8"),
        "-e",
        "stderr",
        "-c",
        &config,
    ];
    let (mut run, port) = Run::server(8080, &options, &cmd);
    run.listens(8082);
    for port in [port, ports[0], ports[1]] {
        let (status, body) = get(port, "/file").expect("an answer");
        assert!(status.ends_with("200 OK"), "{status}");
        assert_eq!(sha256(&body), sha256(&file));
    }
    assert_eq!(get(port, "/from").expect("an answer").1, b"10.0.2.2");
    // More than one worker takes part.
    let mut pids: Vec<Vec<u8>> = (0..200)
        .map(|_| get(port, "/pid").expect("an answer").1)
        .collect();
    pids.sort();
    pids.dedup();
    assert!(pids.len() <= 4 && !pids.is_empty());
    if listen.contains("reuseport") {
        assert_eq!(pids.len(), 4, "each worker has a listener of its own");
    }
    let out = outside(
        "wrk",
        &[
            "-t1",
            "-c32",
            "-d2",
            &format!("http://127.0.0.1:{port}/small"),
        ],
    );
    assert!(
        !out.contains("Socket errors") && !out.contains("Non-2xx"),
        "{out}"
    );
    let out = outside(
        "ab",
        &[
            "-q",
            "-n",
            "1000",
            "-c",
            "20",
            &format!("http://127.0.0.1:{port}/small"),
        ],
    );
    assert!(out.contains("Failed requests:        0"), "{out}");
    assert!(run.terminate().success(), "{}", run.said());
}

#[test]
fn nginx_workers_share_one_listener() {
    needs!("nginx", "wrk", "ab");
    serves("nginx-shared", "listen 8080; listen [::]:8080;");
}

#[test]
fn nginx_workers_have_a_listener_each_by_reuseport() {
    needs!("nginx", "wrk", "ab");
    serves(
        "nginx-reuseport",
        "listen 8080 reuseport so_keepalive=on; listen [::]:8080 reuseport deferred;",
    );
}
