//! sshd with a child for each session, ssh, and rsync over it.

use crate::common::{Dir, alone, bytes, find, inside, sha256};
use crate::needs;

#[test]
fn ssh_and_rsync_carry_files_to_an_sshd_in_the_same_run() {
    needs!("ssh", "sshd", "ssh-keygen", "rsync");
    let _alone = alone();
    let dir = Dir::new("ssh");
    let file = bytes(10_000_001, 12);
    dir.write("file", &file);
    let path = dir.path();
    dir.write(
        "sshd_config",
        format!(
            "Port 2222\nListenAddress 127.0.0.1\nListenAddress ::1\nHostKey {path}/host\nPidFile {path}/pid\n\
             AuthorizedKeysFile {path}/user.pub\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             PermitRootLogin yes\nSubsystem sftp internal-sftp\n"
        ),
    );
    let sshd = find("sshd");
    let script = format!(
        "cd {path}
        ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f user
        if [ $(id -u) = 0 ]; then mkdir -p /run/sshd; fi
        {} -D -e -f sshd_config 2>log & server=$!
        ssh='ssh -q -p 2222 -i user -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o BatchMode=yes'
        until_ok $ssh 127.0.0.1 true || {{ cat log; exit 1; }}
        $ssh ::1 echo from $(id -un)
        $ssh 127.0.0.1 'sha256sum' <file
        $ssh ::1 cat {path}/file | sha256sum
        $ssh 127.0.0.1 'exit 7' || echo status $?
        rsync -e \"$ssh\" file 127.0.0.1:{path}/copy
        sha256sum <copy
        kill $server; wait $server || true",
        sshd.display()
    );
    let out = inside(&[], &script);
    assert!(out.contains("from "), "{out}");
    assert!(out.contains("status 7"), "{out}");
    assert_eq!(out.matches(&sha256(&file)).count(), 3, "{out}");
}

#[test]
fn rsync_daemon_serves_a_directory() {
    needs!("rsync");
    let dir = Dir::new("rsync");
    let file = bytes(5_000_001, 14);
    dir.write("file", &file);
    let path = dir.path();
    dir.write(
        "rsyncd.conf",
        format!("use chroot = no\nport = 8730\n[all]\npath = {path}\n"),
    );
    let script = format!(
        "cd {path}
        rsync --daemon --no-detach --config=rsyncd.conf --address=127.0.0.1 & server=$!
        until_ok rsync rsync://127.0.0.1:8730/all/
        rsync rsync://127.0.0.1:8730/all/file copy
        sha256sum <copy
        kill $server; wait $server || true"
    );
    let out = inside(&[], &script);
    assert_eq!(out.trim(), format!("{}  -", sha256(&file)));
}
