//! A call as strace writes it, for those who look on.

use hearken_abi::{Errno, sockaddr};
use hearken_inet::HookMask;

use super::Answer;
use crate::supervisor::Supervisor;
use crate::sys::notify::Notif;

impl Supervisor {
    /// Tells of a call that is about to be answered; its memory can still be read.
    pub(super) fn tell_call(&self, n: &Notif, answer: Answer) {
        let result = match answer {
            Answer::Value(v) => v.to_string(),
            Answer::Errno(e) => failed(e),
            // Not a call of ours, not answered yet, or told of when its descriptor was made.
            Answer::Continue | Answer::Held | Answer::Again | Answer::Done => return,
        };
        self.tell_result(n, &result);
    }

    /// Tells of a call that has returned a descriptor.
    pub(super) fn tell_descriptor(&self, n: &Notif, fd: i32) {
        self.tell_result(n, &fd.to_string());
    }

    fn tell_result(&self, n: &Notif, result: &str) {
        if !self.watch.wants(HookMask::TRACE) {
            return;
        }
        let fd = n.args[0] as i32;
        let address = || {
            let bytes = self.read_sockaddr(n, n.args[1], n.args[2]).ok();
            let decoded = bytes.and_then(|b| sockaddr::decode(&b).ok());
            match decoded {
                Some(sockaddr::Decoded::Addr(addr)) => addr.to_string(),
                Some(sockaddr::Decoded::Unspec) => "AF_UNSPEC".to_owned(),
                _ => "?".to_owned(),
            }
        };
        let option = || format!("{fd}, {}", option_name(n.args[1] as i32, n.args[2] as i32));
        let data = |len: u64| format!("{fd}, {len}");
        let (name, args) = match i64::from(n.nr) {
            libc::SYS_socket => ("socket", socket_args(n)),
            libc::SYS_bind => ("bind", format!("{fd}, {}", address())),
            // Its tree says more.
            libc::SYS_listen => return,
            libc::SYS_accept => ("accept", fd.to_string()),
            libc::SYS_accept4 => ("accept4", format!("{fd}, {:#x}", n.args[3] as i32)),
            libc::SYS_connect => ("connect", format!("{fd}, {}", address())),
            libc::SYS_getsockname => ("getsockname", fd.to_string()),
            libc::SYS_getpeername => ("getpeername", fd.to_string()),
            libc::SYS_getsockopt => ("getsockopt", option()),
            libc::SYS_setsockopt => ("setsockopt", option()),
            libc::SYS_shutdown => ("shutdown", format!("{fd}, {}", how(n.args[1] as i32))),
            libc::SYS_ioctl => ("ioctl", format!("{fd}, {:#x}", n.args[1])),
            libc::SYS_sendto => ("sendto", data(n.args[2])),
            libc::SYS_recvfrom => ("recvfrom", data(n.args[2])),
            libc::SYS_sendmsg => ("sendmsg", fd.to_string()),
            libc::SYS_recvmsg => ("recvmsg", fd.to_string()),
            _ => return,
        };
        self.watch.call(format!("{name}({args}) = {result}"));
    }
}

fn failed(errno: i32) -> String {
    format!("-1 {}", Errno(errno))
}

fn socket_args(n: &Notif) -> String {
    let domain = match n.args[0] as i32 {
        libc::AF_INET => "AF_INET".to_owned(),
        libc::AF_INET6 => "AF_INET6".to_owned(),
        other => other.to_string(),
    };
    let ty = n.args[1] as i32;
    let mut kind = match ty & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) {
        libc::SOCK_STREAM => "SOCK_STREAM".to_owned(),
        other => other.to_string(),
    };
    for (flag, name) in [
        (libc::SOCK_NONBLOCK, "|SOCK_NONBLOCK"),
        (libc::SOCK_CLOEXEC, "|SOCK_CLOEXEC"),
    ] {
        if ty & flag != 0 {
            kind.push_str(name);
        }
    }
    format!("{domain}, {kind}, {}", n.args[2] as i32)
}

fn how(how: i32) -> String {
    match how {
        libc::SHUT_RD => "SHUT_RD".to_owned(),
        libc::SHUT_WR => "SHUT_WR".to_owned(),
        libc::SHUT_RDWR => "SHUT_RDWR".to_owned(),
        other => other.to_string(),
    }
}

/// The options that programs set most; others by their numbers.
fn option_name(level: i32, name: i32) -> String {
    macro_rules! names {
        ($($level:ident: $($name:ident)*;)*) => {
            match (level, name) {
                $($((libc::$level, libc::$name) => {
                    concat!(stringify!($level), ", ", stringify!($name)).to_owned()
                })*)*
                _ => format!("{level}, {name}"),
            }
        };
    }
    names! {
        SOL_SOCKET: SO_REUSEADDR SO_TYPE SO_ERROR SO_BROADCAST SO_SNDBUF SO_RCVBUF SO_KEEPALIVE SO_LINGER SO_REUSEPORT
            SO_RCVLOWAT SO_RCVTIMEO SO_SNDTIMEO SO_ACCEPTCONN SO_PROTOCOL SO_DOMAIN SO_INCOMING_CPU SO_COOKIE
            SO_BINDTODEVICE SO_MARK SO_PRIORITY;
        IPPROTO_TCP: TCP_NODELAY TCP_MAXSEG TCP_CORK TCP_KEEPIDLE TCP_KEEPINTVL TCP_KEEPCNT TCP_SYNCNT TCP_LINGER2
            TCP_DEFER_ACCEPT TCP_WINDOW_CLAMP TCP_INFO TCP_QUICKACK TCP_CONGESTION TCP_USER_TIMEOUT TCP_FASTOPEN
            TCP_FASTOPEN_CONNECT TCP_NOTSENT_LOWAT;
        IPPROTO_IP: IP_TOS IP_TTL IP_RECVERR IP_FREEBIND IP_TRANSPARENT IP_BIND_ADDRESS_NO_PORT;
        IPPROTO_IPV6: IPV6_V6ONLY IPV6_TCLASS IPV6_UNICAST_HOPS IPV6_RECVERR;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_known_is_named_and_another_numbered() {
        assert_eq!(option_name(6, 1), "IPPROTO_TCP, TCP_NODELAY");
        assert_eq!(option_name(1, 2), "SOL_SOCKET, SO_REUSEADDR");
        assert_eq!(option_name(270, 9), "270, 9");
    }

    #[test]
    fn socket_flags_are_named() {
        let n = Notif {
            id: 0,
            pid: 0,
            flags: 0,
            nr: 41,
            arch: 0,
            args: [10, 1 | 0o4000 | 0o2000000, 6, 0, 0, 0],
        };
        assert_eq!(
            socket_args(&n),
            "AF_INET6, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 6"
        );
    }
}
