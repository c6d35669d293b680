//! The cases.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::{Duration, Instant};

use hearken_run::exit::Ended;
use hearken_run::launch::{self, Network};
use hearken_run::sys::notify::{Added, Notif, Sent};
use hearken_run::sys::remote::{self, MemError, Memory, Tasks};

use crate::supervisor::{continue_all, options, run, run_with};

/// One case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) needs_root: bool,
    pub(crate) run: fn(),
}

/// Makes `ALL` from the functions named.
macro_rules! cases {
    ($($name:ident $(($root:ident))?),* $(,)?) => {
        pub(crate) const ALL: &[$crate::cases::Case] = &[$($crate::cases::Case {
            name: stringify!($name),
            needs_root: false $(|| !stringify!($root).is_empty())?,
            run: $name,
        }),*];
    };
}

pub(crate) use cases;

cases! {
    network_fresh_holds_lo_and_the_pair,
    network_datagrams_find_our_address_and_fail_fast_elsewhere,
    network_resolv_conf_names_our_server_and_the_host_keeps_its_own,
    network_kernel_s_own_tcp_counts_can_be_read_after_the_end,
    network_refused_falls_back_to_the_filter (root),
    somaxconn_descriptor_and_file_are_the_same (root),
    somaxconn_descriptor_is_the_namespace_s_own,
    sysctl_given_is_written_in_the_namespace,
    socket_answered_with_a_pair_carries_bytes,
    socket_over_the_program_s_own_limit_is_emfile,
    entries_that_bypass_the_filter_are_enosys,
    memory_read_and_bad_pointer_give_bytes_and_efault,
    thread_that_is_not_the_first_is_reached,
    accept_cancelled_by_a_signal_is_gone,
    status_of_every_kind_is_a_shell_s,
    status_of_a_daemon_s_parent_is_kept_until_the_daemon_ends,
    state_of_the_program_is_as_without_us,
    launch_inside_a_run_says_so,
    doctor_on_this_machine_finds_what_run_needs,
    doctor_inside_a_run_finds_the_other_listener,
}

pub(crate) fn me() -> String {
    std::env::current_exe()
        .expect("own path")
        .to_str()
        .expect("text")
        .to_string()
}

pub(crate) fn program(name: &str) -> Vec<String> {
    vec![me(), "program".into(), name.into()]
}

pub(crate) fn words(v: &[String]) -> Vec<&str> {
    v.iter().map(String::as_str).collect()
}

/// `sh -c`.
pub(crate) fn sh(script: &str) -> [&str; 3] {
    ["sh", "-c", script]
}

fn network_fresh_holds_lo_and_the_pair() {
    let o = run(
        &["cat", "/proc/net/dev", "/proc/net/if_inet6"],
        &mut continue_all,
    );
    assert_eq!(o.ended, Some(Ended::Exited(0)));
    let names: Vec<&str> = o
        .out
        .lines()
        .filter_map(|l| l.split_once(':').map(|(n, _)| n.trim()))
        .filter(|n| !n.starts_with("Inter"))
        .collect();
    // A kernel may add its fallback tunnels, which are down.
    for name in ["lo", "eth0", "eth0-peer"] {
        assert!(names.contains(&name), "{}", o.out);
    }
    let six: Vec<&str> = o.out.lines().filter(|l| l.ends_with(" eth0")).collect();
    assert_eq!(six.len(), 1, "one address, no link-local: {}", o.out);
    assert!(
        six[0].starts_with("fd000002000000000000000000000015"),
        "{}",
        six[0]
    );
    let flags = six[0].split_whitespace().nth(4).expect("flags");
    let flags = u8::from_str_radix(flags, 16).expect("hex");
    assert_eq!(flags & 0x40, 0, "tentative: {}", six[0]);
}

fn network_datagrams_find_our_address_and_fail_fast_elsewhere() {
    let begun = Instant::now();
    let o = run(&words(&program("udp")), &mut continue_all);
    assert_eq!(o.ended, Some(Ended::Exited(0)));
    // EHOSTUNREACH is 113. The name server is inside.
    assert_eq!(
        o.out,
        "192.0.2.1:9 113\n10.0.2.3:53 0\n[2001:db8::1]:9 113\n127.0.0.1:9 0\n[::1]:9 0\n"
    );
    assert!(begun.elapsed() < Duration::from_secs(2));
}

fn network_resolv_conf_names_our_server_and_the_host_keeps_its_own() {
    let before = std::fs::read("/etc/resolv.conf").expect("this host has one");
    let o = run(&["cat", "/etc/resolv.conf"], &mut continue_all);
    assert!(
        o.out.contains("\nnameserver 10.0.2.3\noptions use-vc\n"),
        "{}",
        o.out
    );
    assert_eq!(std::fs::read("/etc/resolv.conf").expect("still"), before);
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    assert!(!mounts.contains("hearken"), "{mounts}");
    let o = run(&["cat", "/proc/self/mounts"], &mut continue_all);
    let ours: Vec<&str> = o
        .out
        .lines()
        .filter(|l| l.starts_with("hearken "))
        .collect();
    assert_eq!(ours.len(), 1, "the tmpfs itself is out of sight: {}", o.out);
    assert!(ours[0].contains("resolv.conf"), "{}", ours[0]);
}

fn network_refused_falls_back_to_the_filter() {
    // A user namespace of this test's own, in which no network namespace may be made.
    // SAFETY: this process has one thread, and CLONE_FILES is not among the flags.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWUSER) }
        .expect("unshare");
    for (file, text) in [
        ("setgroups", "deny"),
        ("uid_map", "0 0 1"),
        ("gid_map", "0 0 1"),
    ] {
        std::fs::write(format!("/proc/self/{file}"), text).expect(file);
    }
    std::fs::write("/proc/sys/user/max_net_namespaces", "0").expect("limit");
    let mut seen = None;
    let o = run_with(
        &options(&words(&program("ping"))),
        |child| seen = Some((child.network.clone(), child.notes.clone())),
        &mut echo_capitals(),
    );
    let (network, notes) = seen.expect("launched");
    assert!(
        matches!(network, Network::FilterAlone(ref why) if why.contains("unshare")),
        "{network:?}"
    );
    assert!(notes[0].contains("filter alone"), "{notes:?}");
    assert!(o.out.ends_with("PING\n"), "{}", o.out);
}

fn somaxconn_descriptor_and_file_are_the_same() {
    let file = "/proc/sys/net/core/somaxconn";
    let host = std::fs::read_to_string(file).expect("host's");
    let mut copy = None;
    let o = run_with(
        &options(&sh(&format!(
            "cat {file}; echo 77 > {file}; echo -1 > {file} || echo refused"
        ))),
        |child| {
            let f = child.somaxconn.as_ref().expect("somaxconn");
            f.write_at(b"99\n", 0).expect("write");
            copy = Some(f.try_clone().expect("dup"));
        },
        &mut continue_all,
    );
    assert_eq!(o.out, "99\nrefused\n");
    let mut b = [0; 16];
    let n = copy.expect("copy").read_at(&mut b, 0).expect("read");
    assert_eq!(&b[..n], b"77\n");
    assert_eq!(std::fs::read_to_string(file).expect("host's"), host);
}

fn somaxconn_descriptor_is_the_namespace_s_own() {
    let file = "/proc/sys/net/core/somaxconn";
    let host = std::fs::read_to_string(file).expect("host's");
    let o = run_with(
        &options(&["cat", file]),
        |child| {
            let f = child.somaxconn.as_ref().expect("somaxconn");
            f.write_at(b"123\n", 0).expect("write from outside");
            let mut b = [0; 16];
            let n = f.read_at(&mut b, 0).expect("read");
            assert_eq!(&b[..n], b"123\n");
        },
        &mut continue_all,
    );
    assert_eq!(o.out, "123\n");
    assert_eq!(std::fs::read_to_string(file).expect("host's"), host);
}

fn sysctl_given_is_written_in_the_namespace() {
    let mut o = options(&["cat", "/proc/sys/net/core/somaxconn"]);
    o.sysctls = vec![
        ("net.core.somaxconn".into(), "321".into()),
        ("net.hearken.ours_alone".into(), "1".into()),
        ("net.ipv4.tcp_fin_timeout".into(), "never".into()),
    ];
    let mut notes = Vec::new();
    let o = run_with(&o, |c| notes = c.notes.clone(), &mut continue_all);
    assert_eq!(o.out, "321\n");
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("tcp_fin_timeout"), "{notes:?}");
}

/// Answers socket() with one end of a pair and echoes in capitals what comes on the other.
fn echo_capitals() -> impl FnMut(&launch::Child, &Notif) {
    |child, n| {
        if n.nr as i64 != libc::SYS_socket {
            return continue_all(child, n);
        }
        assert_eq!(n.args[0] as i32, libc::AF_INET);
        let (a, b) = pair();
        let cloexec = n.args[1] as i32 & libc::SOCK_CLOEXEC != 0;
        let Added::Fd(_) = child
            .listener
            .add_fd(n.id, a.as_fd(), cloexec)
            .expect("add_fd")
        else {
            panic!("gone");
        };
        drop(a);
        std::thread::spawn(move || {
            use std::io::{Read, Write};
            let mut s = std::os::unix::net::UnixStream::from(b);
            let mut bytes = [0; 64];
            while let Ok(len @ 1..) = s.read(&mut bytes) {
                bytes.make_ascii_uppercase();
                if s.write_all(&bytes[..len]).is_err() {
                    break;
                }
            }
        });
    }
}

fn pair() -> (OwnedFd, OwnedFd) {
    let (a, b) = std::os::unix::net::UnixStream::pair().expect("pair");
    (a.into(), b.into())
}

fn socket_answered_with_a_pair_carries_bytes() {
    let o = run(&words(&program("ping")), &mut echo_capitals());
    assert_eq!(o.ended, Some(Ended::Exited(0)));
    assert_eq!(o.out, "3 PING\n");
}

fn socket_over_the_program_s_own_limit_is_emfile() {
    let script = format!("ulimit -n 8; exec {} program nine-sockets", me());
    let mut refused = 0;
    let o = run(&sh(&script), &mut |child, n| {
        if n.nr as i64 != libc::SYS_socket {
            return continue_all(child, n);
        }
        let (a, _b) = pair();
        match child.listener.add_fd(n.id, a.as_fd(), true) {
            Ok(Added::Fd(fd)) => assert!(fd < 8),
            Err(e) => {
                refused += 1;
                let errno = e.raw_os_error().expect("errno");
                assert_eq!(
                    child.listener.reply_errno(n.id, errno).expect("reply"),
                    Sent::Delivered
                );
            }
            Ok(Added::Gone) => panic!("gone"),
        }
    });
    assert_eq!(o.out, format!("{}\n", libc::EMFILE));
    assert_eq!(refused, 1);
}

fn entries_that_bypass_the_filter_are_enosys() {
    let o = run(&words(&program("refused-entries")), &mut continue_all);
    assert_eq!(o.out, "x32 -1 38\nio_uring_setup -1 38\ni386 -38\n");
}

fn memory_read_and_bad_pointer_give_bytes_and_efault() {
    let mut tasks = Tasks::new();
    let mut inode = None;
    let mut calls = 0;
    let mut command = program("connect");
    command.push("10.9.8.7:4321".into());
    let o = run(&words(&command), &mut |child, n| match n.nr as i64 {
        libc::SYS_socket => {
            let (a, b) = pair();
            inode = remote::inode(&a);
            assert!(inode.is_some());
            let _: Added = child
                .listener
                .add_fd(n.id, a.as_fd(), true)
                .expect("add_fd");
            std::mem::forget(b);
        }
        libc::SYS_connect => {
            calls += 1;
            let fd = tasks.getfd(n.pid, n.args[0] as i32).expect("getfd");
            assert_eq!(remote::inode(&fd), inode, "a duplicate is the same socket");
            assert_eq!(
                tasks
                    .getfd(n.pid, 999)
                    .expect_err("not open")
                    .raw_os_error(),
                Some(libc::EBADF)
            );
            assert_eq!(tasks.len(), 1);
            let memory = Memory {
                listener: &child.listener,
                id: n.id,
                tid: n.pid,
            };
            let mut b = [0; 16];
            let got = memory.read(n.args[1], &mut b);
            let errno = if calls == 1 {
                assert_eq!(got, Ok(()));
                assert_eq!(&b[..8], [2, 0, 0x10, 0xe1, 10, 9, 8, 7]);
                0
            } else {
                assert_eq!(got, Err(MemError::Errno(libc::EFAULT)));
                assert_eq!(
                    memory.write(n.args[1], &b),
                    Err(MemError::Errno(libc::EFAULT))
                );
                libc::EFAULT
            };
            let sent = match errno {
                0 => child.listener.reply_value(n.id, 0),
                e => child.listener.reply_errno(n.id, e),
            };
            assert_eq!(sent.expect("reply"), Sent::Delivered);
            assert_eq!(memory.read(n.args[1], &mut b), Err(MemError::Gone));
        }
        _ => continue_all(child, n),
    });
    assert_eq!(o.out, format!("good 0 0\nbad -1 {}\n", libc::EFAULT));
    tasks.sweep();
    assert!(tasks.is_empty(), "the thread has gone, its pidfd too");
}

fn thread_that_is_not_the_first_is_reached() {
    let mut tasks = Tasks::new();
    let o = run(
        &words(&program("threads")),
        &mut |child, n| match n.nr as i64 {
            libc::SYS_socket => {
                let (a, b) = pair();
                let _: Added = child
                    .listener
                    .add_fd(n.id, a.as_fd(), true)
                    .expect("add_fd");
                std::mem::forget(b);
            }
            libc::SYS_listen => {
                assert_ne!(n.pid as i32, child.pid, "a thread id");
                assert_eq!(
                    remote::process_of(n.pid).expect("process") as i32,
                    child.pid
                );
                let fd = tasks
                    .getfd(n.pid, n.args[0] as i32)
                    .expect("getfd by thread");
                assert!(remote::inode(&fd).is_some());
                let _: Sent = child.listener.reply_value(n.id, 5).expect("reply");
            }
            _ => continue_all(child, n),
        },
    );
    assert_eq!(o.out, "5\n");
}

fn accept_cancelled_by_a_signal_is_gone() {
    let mut accepts = 0;
    let mut kept = Vec::new();
    let o = run(
        &words(&program("interrupted-accept")),
        &mut |child, n| match n.nr as i64 {
            libc::SYS_socket => {
                let (a, b) = pair();
                kept.push(b);
                let _: Added = child
                    .listener
                    .add_fd(n.id, a.as_fd(), true)
                    .expect("add_fd");
            }
            libc::SYS_accept if accepts == 0 => {
                accepts += 1;
                assert!(child.listener.id_valid(n.id));
                // The timer of the program ends this wait.
                let deadline = Instant::now() + Duration::from_secs(10);
                while child.listener.id_valid(n.id) && Instant::now() < deadline {
                    std::thread::yield_now();
                }
                let (a, _b) = pair();
                let added = child
                    .listener
                    .add_fd(n.id, a.as_fd(), true)
                    .expect("add_fd");
                assert_eq!(added, Added::Gone);
                assert_eq!(
                    child.listener.reply_value(n.id, 3).expect("reply"),
                    Sent::Gone
                );
                assert_eq!(
                    child.listener.reply_continue(n.id).expect("reply"),
                    Sent::Gone
                );
            }
            libc::SYS_accept => {
                let (a, b) = pair();
                kept.push(b);
                let added = child
                    .listener
                    .add_fd(n.id, a.as_fd(), true)
                    .expect("add_fd");
                assert_eq!(added, Added::Fd(4));
            }
            _ => continue_all(child, n),
        },
    );
    assert_eq!(o.out, format!("{}\n4\n", -libc::EINTR));
}

fn status_of_every_kind_is_a_shell_s() {
    let file = format!("/tmp/hearken-not-executable-{}", std::process::id());
    std::fs::write(&file, "x").expect("file");
    for (command, want) in [
        (&sh("exit 0")[..], 0),
        (&sh("exit 3")[..], 3),
        (&sh("kill -9 $$")[..], 137),
        (&sh("kill -TERM $$")[..], 143),
        (&["/no/such/program"][..], 127),
        (&["no-such-program-anywhere"][..], 127),
        (&[&*file][..], 126),
        (&["/tmp"][..], 126),
    ] {
        let o = run(command, &mut continue_all);
        assert_eq!(o.ended.expect("known").code(), want, "{command:?}");
        assert_eq!(o.asked, None);
    }
    std::fs::remove_file(&file).expect("remove");
}

fn status_of_a_daemon_s_parent_is_kept_until_the_daemon_ends() {
    let begun = Instant::now();
    let o = run(&sh("(sleep 0.4; echo daemon) & exit 4"), &mut continue_all);
    assert_eq!(o.ended, Some(Ended::Exited(4)));
    assert_eq!(o.out, "daemon\n");
    assert!(begun.elapsed() >= Duration::from_millis(400));
}

fn state_of_the_program_is_as_without_us() {
    let limit = |text: &str| {
        let line = text.lines().find(|l| l.starts_with("Max open files"));
        line.expect("limits")
            .split_whitespace()
            .nth(3)
            .expect("soft")
            .to_string()
    };
    let own = limit(&std::fs::read_to_string("/proc/self/limits").expect("limits"));
    let script = "cat /proc/self/limits /proc/self/status; id -u; id -g";
    let o = run(&sh(script), &mut continue_all);
    assert_eq!(
        limit(&o.out),
        own,
        "CMD has the limit from before the launch"
    );
    for line in ["SigBlk:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(o.out.contains(line), "{line}: {}", o.out);
    }
    let ignored = o.out.lines().find_map(|l| l.strip_prefix("SigIgn:\t"));
    let ignored = u64::from_str_radix(ignored.expect("SigIgn"), 16).expect("hex");
    assert_eq!(
        ignored & 1 << (libc::SIGPIPE - 1),
        0,
        "SIGPIPE is not ignored"
    );
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    assert!(o.out.ends_with(&format!("\n{uid}\n{gid}\n")), "{}", o.out);
    // Only what this process was started with, and the directory that ls reads.
    let plain = Command::new("ls")
        .arg("/proc/self/fd")
        .output()
        .expect("ls");
    let o = run(&["ls", "/proc/self/fd"], &mut continue_all);
    assert_eq!(o.out, String::from_utf8_lossy(&plain.stdout));
}

fn launch_inside_a_run_says_so() {
    let inner = [&*me(), "supervise", "true"].join(" ");
    let o = run(&sh(&format!("{inner} 2>&1")), &mut continue_all);
    assert_eq!(o.ended, Some(Ended::Exited(hearken_run::exit::FAILED)));
    assert!(
        o.out.contains("no `hearken run` inside `hearken run`"),
        "{}",
        o.out
    );
}

fn doctor_on_this_machine_finds_what_run_needs() {
    let checks = hearken_run::doctor::checks();
    for c in &checks {
        assert!(c.ok || !c.required, "{c:?}");
        // TUN is root's here, and `run` needs none.
        assert!(c.ok || c.name == "/dev/net/tun", "{c:?}");
        assert_eq!(c.ok, c.repair_command.is_none(), "{c:?}");
    }
}

fn doctor_inside_a_run_finds_the_other_listener() {
    let o = run(&words(&program("doctor")), &mut continue_all);
    assert_eq!(o.ended, Some(Ended::Exited(0)));
    assert_eq!(o.out, "another seccomp listener: exit\n");
}

fn network_kernel_s_own_tcp_counts_can_be_read_after_the_end() {
    let mut snmp = None;
    run_with(
        &options(&["true"]),
        |c| snmp = c.kernel_snmp.take(),
        &mut continue_all,
    );
    let mut b = [0; 8192];
    let n = snmp.expect("opened").read_at(&mut b, 0).expect("read");
    let text = String::from_utf8_lossy(&b[..n]);
    let mut tcp = text.lines().filter(|l| l.starts_with("Tcp:"));
    let names = tcp.next().expect("names").split(' ');
    let values = tcp.next().expect("values").split(' ');
    let pairs: Vec<_> = names.zip(values).collect();
    assert!(pairs.contains(&("ActiveOpens", "0")), "{text}");
    assert!(pairs.contains(&("PassiveOpens", "0")), "{text}");
}
