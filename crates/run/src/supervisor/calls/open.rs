//! open(2) of the files under /proc that speak of TCP: the kernel's are empty, so the program gets a file of memory with our text.
//!
//! The text is that of the moment of the open: a descriptor that is kept and rewound shows the same again.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use hearken_inet::{Sysctls, proc};
use rustix::fs::{MemfdFlags, Mode, OFlags};

use super::Answer;
use crate::supervisor::stack::SocketId;
use crate::supervisor::table::Sock;
use crate::supervisor::{Supervisor, merge};
use crate::sys::notify::{Added, Notif};
use crate::sys::remote;

/// The longest path that could be one of ours, with room for dots and slashes.
const LONGEST_PATH: usize = 256;
/// `PROC_SUPER_MAGIC` of linux/magic.h.
const PROC_SUPER_MAGIC: i64 = 0x9fa0;

/// A file that is ours to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Under /proc/net, of the caller or of the process named.
    Net(Option<u32>, &'static str),
    /// Under /proc/sys/net.
    Sysctl(&'static str),
}

impl Supervisor {
    /// Answers an open at once if it is none of ours, as nearly all are: no other work of the loop is due before it.
    pub(crate) fn passes(&mut self, n: &Notif) -> bool {
        let Some((dirfd, path, flags)) = self.open_arguments(n) else {
            return false;
        };
        let wanted = read_path(n.pid, path)
            .filter(|_| flags & u64::from(crate::filter::NOT_TO_READ) == 0)
            .and_then(|path| wanted_of(n.pid, dirfd, &path));
        let Some(wanted) = wanted else {
            // The call reads the path anew: nothing was decided by what was read here but that it is let through.
            let _ = self.listener.reply_continue(n.id);
            return true;
        };
        // What the program did before shows in the text.
        let _ = self.drain_ends();
        self.settle();
        let answer = self.open_ours(n, wanted, flags);
        let _ = self.answer(n, answer);
        true
    }

    /// Directory, address of the path and flags, if the call is an open.
    fn open_arguments(&self, n: &Notif) -> Option<(i32, u64, u64)> {
        match i64::from(n.nr) {
            libc::SYS_open => Some((libc::AT_FDCWD, n.args[0], u64::from(n.args[1] as u32))),
            libc::SYS_openat => Some((n.args[0] as i32, n.args[1], u64::from(n.args[2] as u32))),
            libc::SYS_openat2 => {
                // struct open_how begins with the flags; a pointer that is bad is the kernel's to refuse.
                let mut how = [0; 8];
                let read = self.memory(n).read(n.args[2], &mut how);
                let flags = read.map_or(u64::MAX, |()| u64::from_ne_bytes(how));
                Some((n.args[0] as i32, n.args[1], flags))
            }
            _ => None,
        }
    }

    fn open_ours(&mut self, n: &Notif, wanted: Wanted, flags: u64) -> Answer {
        // The path was believed: it must have been this call's.
        if !self.listener.id_valid(n.id) {
            return Answer::Done;
        }
        let Some((name, text)) = self.text(n.pid, wanted) else {
            return Answer::Continue;
        };
        let file = match file_of(name, &text) {
            Ok(file) => file,
            Err(e) => return Answer::Errno(e.raw_os_error().unwrap_or(libc::ENFILE)),
        };
        let cloexec = flags & libc::O_CLOEXEC as u64 != 0;
        match self.listener.add_fd(n.id, file.as_fd(), cloexec) {
            Ok(Added::Fd(_) | Added::Gone) => Answer::Done,
            // EMFILE: the program's own limit.
            Err(e) => Answer::Errno(e.raw_os_error().unwrap_or(libc::EMFILE)),
        }
    }

    /// The inode that each socket has for the program.
    fn inodes(&self) -> HashMap<SocketId, u64> {
        let socks = self.table.iter().map(|(_, s)| s).filter(|s| !s.closed);
        let pair = |s: &Sock| Some((self.stack.socket_of(s.file)?, s.inode));
        socks.filter_map(pair).collect()
    }

    /// Name and text, or nothing where the kernel's file is as good.
    fn text(&self, tid: u32, wanted: Wanted) -> Option<(&'static str, String)> {
        match wanted {
            // This one the kernel keeps for us, and listen(2) asks it.
            Wanted::Sysctl("net.core.somaxconn") if self.somaxconn.is_some() => None,
            Wanted::Sysctl(name) => Some((name, format!("{}\n", self.stack.sysctl(name)?))),
            Wanted::Net(process, file) => {
                let of = process.unwrap_or(tid);
                if process.is_some() && namespace(of)? != namespace(tid)? {
                    return None;
                }
                let inodes = self.inodes();
                let inode = |socket| inodes.get(&socket).copied().unwrap_or(0);
                let ours = self.stack.proc_net(file, inode)?;
                if matches!(file, "tcp" | "tcp6") {
                    return Some((file, ours));
                }
                // UDP and the rest are the kernel's own.
                let kernels = std::fs::read_to_string(format!("/proc/{of}/net/{file}"));
                let text = merge::merge(file, &ours, &kernels.unwrap_or_default());
                Some((file, text))
            }
        }
    }
}

/// The path at an address of the program, if it could be one of ours.
fn read_path(tid: u32, at: u64) -> Option<String> {
    let mut buf = [0; LONGEST_PATH];
    let n = remote::read_some(tid, at, &mut buf).ok()?;
    let end = buf[..n].iter().position(|b| *b == 0)?;
    let path = std::str::from_utf8(&buf[..end]).ok()?;
    let last = path.rsplit('/').next()?;
    let named = |name: &&str| name.rsplit('.').next() == Some(last);
    let known = proc::FILES.contains(&last) || Sysctls::NAMES.iter().any(named);
    known.then(|| path.to_owned())
}

/// Which of our files a path of a thread means.
fn wanted_of(tid: u32, dirfd: i32, path: &str) -> Option<Wanted> {
    let base = if path.starts_with('/') {
        String::new()
    } else {
        let link = match dirfd {
            libc::AT_FDCWD => format!("/proc/{tid}/cwd"),
            fd => format!("/proc/{tid}/fd/{fd}"),
        };
        std::fs::read_link(link)
            .ok()?
            .into_os_string()
            .into_string()
            .ok()?
    };
    let wanted = wanted(&format!("{base}/{path}"))?;
    // A program may have put another /proc there, or none.
    let root = std::path::Path::new("/proc")
        .join(tid.to_string())
        .join("root");
    let fs = rustix::fs::statfs(root.join("proc")).ok()?;
    (fs.f_type as i64 == PROC_SUPER_MAGIC).then_some(wanted)
}

/// Which of our files an absolute path means.
fn wanted(path: &str) -> Option<Wanted> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let process = |part: &str| match part {
        "self" | "thread-self" => Some(None),
        number => number.parse().ok().map(Some),
    };
    let file = |name: &str| proc::FILES.iter().copied().find(|f| *f == name);
    match parts.as_slice() {
        ["proc", "net", name] => Some(Wanted::Net(None, file(name)?)),
        ["proc", of, "net", name] => Some(Wanted::Net(process(of)?, file(name)?)),
        ["proc", of, "task", thread, "net", name] => {
            process(of)?;
            Some(Wanted::Net(process(thread)?, file(name)?))
        }
        ["proc", "sys", "net", rest @ ..] => {
            let name = format!("net.{}", rest.join("."));
            let known = Sysctls::NAMES.iter().copied().find(|n| *n == name);
            known.map(Wanted::Sysctl)
        }
        _ => None,
    }
}

/// The network namespace of a process.
fn namespace(pid: u32) -> Option<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

/// A file of memory with this text, open for reading only.
fn file_of(name: &str, text: &str) -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?;
    let mut memory = File::from(memory);
    memory.write_all(text.as_bytes())?;
    rustix::fs::fchmod(&memory, Mode::from_raw_mode(0o444))?;
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    Ok(rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_of_each_spelling_means_the_file() {
        for (path, want) in [
            ("/proc/net/tcp", Wanted::Net(None, "tcp")),
            ("//proc/./net//tcp6", Wanted::Net(None, "tcp6")),
            ("/proc/self/net/snmp", Wanted::Net(None, "snmp")),
            (
                "/proc/thread-self/net/sockstat",
                Wanted::Net(None, "sockstat"),
            ),
            ("/proc/17/net/netstat", Wanted::Net(Some(17), "netstat")),
            ("/proc/17/task/18/net/tcp", Wanted::Net(Some(18), "tcp")),
            ("/proc/self/task/18/net/tcp", Wanted::Net(Some(18), "tcp")),
            ("/proc/net/../net/tcp", Wanted::Net(None, "tcp")),
            (
                "/proc/sys/net/ipv4/tcp_rmem",
                Wanted::Sysctl("net.ipv4.tcp_rmem"),
            ),
            (
                "/proc/sys/net/core/somaxconn",
                Wanted::Sysctl("net.core.somaxconn"),
            ),
        ] {
            assert_eq!(wanted(path), Some(want), "{path}");
        }
    }

    #[test]
    fn path_of_anything_else_means_none() {
        for path in [
            "/proc/net/udp",
            "/proc/net/tcp/x",
            "/proc/net",
            "/net/tcp",
            "/srv/proc/net/tcp",
            "/proc/sys/net/ipv4/conf/all/forwarding",
            "/proc/sys/net/ipv4/tcp_fastopen_key",
            "/proc/x/net/tcp",
            "/proc/sys/net",
            "/",
            "",
        ] {
            assert_eq!(wanted(path), None, "{path}");
        }
    }

    #[test]
    fn file_of_memory_is_read_only_and_at_its_start() {
        let fd = file_of("tcp", "text\n").expect("a file");
        let mut file = File::from(fd);
        assert!(file.write(b"x").is_err());
        assert_eq!(io::read_to_string(&mut file).expect("read"), "text\n");
    }
}
