//! PostgreSQL: a process for each session, started by an ordinary user, as it insists.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::common::{Dir, Run, alone, find};
use crate::needs;

/// Debian keeps the server's programs out of PATH.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let debian = versions.filter_map(|v| Some(v.ok()?.path().join("bin").join(name)));
    debian
        .filter(|p| p.is_file())
        .max()
        .unwrap_or_else(|| find(name))
}

#[test]
fn postgres_answers_sessions_inside_over_tcp() {
    needs!("psql", "setpriv");
    let _alone = alone();
    let dir = Dir::new("postgres");
    let data = format!("{}/data", dir.path());
    // As root it refuses to start.
    let as_user: Vec<String> = if rustix::process::getuid().is_root() {
        let words = [
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
        ];
        std::os::unix::fs::chown(dir.path(), Some(65534), Some(65534)).expect("own directory");
        words.map(str::to_owned).to_vec()
    } else {
        Vec::new()
    };
    let initdb = program("initdb").to_string_lossy().into_owned();
    let mut made: Vec<&str> = as_user.iter().map(String::as_str).collect();
    made.extend([&initdb, "-A", "trust", "-U", "test", "-N", "-D", &data].map(|s: &str| s));
    let status = Command::new(made[0])
        .args(&made[1..])
        .current_dir("/")
        .stdout(Stdio::null())
        .status()
        .expect("initdb starts");
    assert!(status.success(), "initdb: {status}");
    let script = format!(
        "{}
        cd {dir}
        {postgres} -D {data} -k {dir} -h '127.0.0.1,::1' -p 5433 -F >log 2>&1 & server=$!
        sql() {{ psql -h $1 -p 5433 -U test -At postgres -c \"$2\"; }}
        until_ok sql 127.0.0.1 'select 1' || {{ cat log; exit 1; }}
        sql ::1 'create table t as select generate_series(1, 100000) n'
        sql 127.0.0.1 'select count(*), sum(n) from t'
        sql ::1 'select n from t order by n' | tail -1
        sql 127.0.0.1 'select inet_client_addr(), inet_server_port()'
        (for i in 1 2 3 4 5 6 7 8 9 10; do sql 127.0.0.1 'select pg_backend_pid() from pg_sleep(0.1)' & done; wait) | sort -u | wc -l
        kill -INT $server; wait $server || true
        ",
        include_str!("../../carried/shell.sh"),
        dir = dir.path(),
        postgres = program("postgres").display(),
    );
    let path = dir.write("script.sh", script);
    let mut cmd: Vec<&str> = as_user.iter().map(String::as_str).collect();
    cmd.extend(["sh", "-eu", &path]);
    let mut run = Run::start(&[], &cmd);
    let status = run.end();
    assert!(status.success(), "{status}\n{}", run.said());
    let out = run.stdout.join("\n");
    assert_eq!(
        out,
        "SELECT 100000\n100000|5000050000\n100000\n127.0.0.1|5433\n10"
    );
}
