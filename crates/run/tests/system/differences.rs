//! The cases behind rows of docs/run-differences.md, and the filter without namespaces.

use std::process::Command;

use hearken_run::launch::Network;
use hearken_run::sys::notify::Sent;
use hearken_run::sys::remote::{self, Tasks};

use crate::cases::{cases, program, sh, words};
use crate::supervisor::{continue_all, options, run, run_with};

cases! {
    parent_of_an_orphan_is_the_guardian,
    owner_of_a_foreign_file_is_nobody,
    mount_in_a_run_stays_there (root),
    sys_class_net_is_the_host_s,
    filter_alone_program_is_reached_all_the_same,
}

fn parent_of_an_orphan_is_the_guardian() {
    // A grandchild whose parent ends at once, and which says when the guardian is its parent.
    let script = "(sh -c 'until grep -q \"^PPid:.$0\\$\" /proc/$$/status; do sleep 0.01; done; \
        echo adopted' $PPID &)";
    let o = run(&sh(script), &mut continue_all);
    assert_eq!(o.out, "adopted\n");
}

fn owner_of_a_foreign_file_is_nobody() {
    let o = run(&["stat", "-c", "%u", "/"], &mut continue_all);
    let want = match rustix::process::geteuid().is_root() {
        true => "0\n",
        false => "65534\n",
    };
    assert_eq!(o.out, want);
}

fn mount_in_a_run_stays_there() {
    let dir = std::env::temp_dir().join(format!("hearken-mount-{}", std::process::id()));
    std::fs::create_dir(&dir).expect("directory");
    let dir = dir.to_str().expect("text");
    let script = format!("mount -t tmpfs none {dir} && touch {dir}/inside && ls {dir}");
    let o = run(&sh(&script), &mut continue_all);
    assert_eq!(o.out, "inside\n");
    // It would fail if anything were mounted or lay there.
    std::fs::remove_dir(dir).expect("empty outside");
}

fn sys_class_net_is_the_host_s() {
    let host = Command::new("ls")
        .arg("/sys/class/net")
        .output()
        .expect("ls");
    let o = run(&["ls", "/sys/class/net"], &mut continue_all);
    assert_eq!(o.out, String::from_utf8_lossy(&host.stdout));
    assert!(!o.out.contains("eth0-peer"), "{}", o.out);
}

fn filter_alone_program_is_reached_all_the_same() {
    let mut command = program("connect");
    command.push("10.9.8.7:4321".into());
    let mut o = options(&words(&command));
    o.filter_alone = true;
    let mut tasks = Tasks::new();
    let mut read = 0;
    let o = run_with(
        &o,
        |c| {
            assert_eq!(c.network, Network::FilterAlone("asked for".into()));
            assert!(c.somaxconn.is_none(), "the host's is not ours to write");
        },
        &mut |child, n| match n.nr as i64 {
            libc::SYS_connect => {
                assert!(tasks.getfd(n.pid, n.args[0] as i32).is_ok());
                let mut b = [0; 16];
                if remote::read_mem(n.pid, n.args[1], &mut b).is_ok() {
                    read += 1;
                    assert_eq!(&b[..8], [2, 0, 0x10, 0xe1, 10, 9, 8, 7]);
                }
                let sent = child.listener.reply_errno(n.id, libc::ECONNREFUSED);
                assert_eq!(sent.expect("reply"), Sent::Delivered);
            }
            _ => continue_all(child, n),
        },
    );
    assert_eq!(o.out, "good -1 111\nbad -1 111\n");
    assert_eq!(read, 1);
}
