//! socket(2): `__sys_socket`, `__sock_create` and `inet_create` (6.18), as their order of errors shows them.

use crate::file::{FileId, Kind, OpenFile, OtherSocket, TcpFile};
use crate::machine::{Machine, NetId};
use crate::options::Options;
use hearken_abi::sock::{
    AF_INET, AF_INET6, AF_MAX, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_MAX, IPPROTO_MPTCP,
    IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK,
    SOCK_PACKET, SOCK_RAW, SOCK_STREAM, SOCK_TYPE_MASK,
};
use hearken_abi::{Domain, Errno};
use hearken_inet::{Congestion, Cred, Instant, Ready};

/// What the arguments ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    /// Asked for as MPTCP, or as TCP.
    Tcp(Domain, bool),
    Other {
        domain: Domain,
        kind: i32,
        protocol: i32,
    },
}

fn wanted(cred: &Cred, domain: i32, ty: i32, protocol: i32) -> Result<Wanted, Errno> {
    if ty & !SOCK_TYPE_MASK & !(SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let kind = ty & SOCK_TYPE_MASK;
    if !(0..AF_MAX).contains(&domain) {
        return Err(Errno::EAFNOSUPPORT);
    }
    if kind > SOCK_PACKET {
        return Err(Errno::EINVAL);
    }
    let domain = match domain {
        AF_INET => Domain::Inet,
        AF_INET6 => Domain::Inet6,
        // Linux has more families; in our own table they do not exist.
        _ => return Err(Errno::EAFNOSUPPORT),
    };
    if !(0..IPPROTO_MAX).contains(&protocol) {
        return Err(Errno::EINVAL);
    }
    let icmp = match domain {
        Domain::Inet => IPPROTO_ICMP,
        Domain::Inet6 => IPPROTO_ICMPV6,
    };
    match (kind, protocol) {
        (SOCK_STREAM, 0 | IPPROTO_TCP) => Ok(Wanted::Tcp(domain, false)),
        (SOCK_STREAM, IPPROTO_MPTCP) => Ok(Wanted::Tcp(domain, true)),
        (SOCK_DGRAM, 0 | IPPROTO_UDP) => Ok(Wanted::Other {
            domain,
            kind,
            protocol: IPPROTO_UDP,
        }),
        (SOCK_DGRAM, IPPROTO_UDPLITE) => Ok(Wanted::Other {
            domain,
            kind,
            protocol,
        }),
        // ping_init_sock (6.18): ping_group_range is empty by default, for root too.
        (SOCK_DGRAM, p) if p == icmp => Err(Errno::EACCES),
        (SOCK_RAW, 0) => Err(Errno::EPROTONOSUPPORT),
        (SOCK_RAW, _) if cred.uid != 0 => Err(Errno::EPERM),
        (SOCK_RAW, _) => Ok(Wanted::Other {
            domain,
            kind,
            protocol,
        }),
        (SOCK_STREAM | SOCK_DGRAM, _) => Err(Errno::EPROTONOSUPPORT),
        (_, _) => Err(Errno::ESOCKTNOSUPPORT),
    }
}

impl Machine {
    /// What a socket of this namespace gets that chooses no congestion control.
    pub(crate) fn congestion_default(&self, net: NetId) -> Congestion {
        let name = self.net(net).sysctl_get("net.ipv4.tcp_congestion_control");
        let name = name.unwrap_or_default();
        Congestion::find(name.as_bytes()).unwrap_or_default()
    }

    /// socket(2). `SOCK_NONBLOCK` in `ty` is obeyed; `SOCK_CLOEXEC` is for the descriptor table.
    ///
    /// # Errors
    /// Linux's: `EINVAL`, `EAFNOSUPPORT`, `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`, `EPERM`, `EACCES`; `ENOPROTOOPT` for MPTCP
    /// that net.mptcp.enabled has switched off.
    pub fn socket(
        &mut self,
        _now: Instant,
        net: NetId,
        cred: &Cred,
        domain: i32,
        ty: i32,
        protocol: i32,
    ) -> Result<FileId, Errno> {
        let file = match wanted(cred, domain, ty, protocol)? {
            Wanted::Tcp(domain, mptcp) => {
                let enabled = self.net(net).sysctl_get("net.mptcp.enabled");
                if mptcp && enabled.is_ok_and(|v| v == "0") {
                    return Err(Errno::ENOPROTOOPT);
                }
                let socket = self.net_mut(net).socket(domain);
                // Resolved when the socket is made (docs/linux 126).
                let txrehash = self.net(net).sysctl_get("net.core.txrehash");
                let options = Options {
                    mptcp,
                    txrehash: txrehash.is_ok_and(|v| v == "1"),
                    congestion_default: self.congestion_default(net),
                    ..Options::new(domain)
                };
                let file = self.files.insert(OpenFile::new(
                    Kind::Tcp(TcpFile {
                        net,
                        socket,
                        domain,
                        options,
                        errors: None,
                        stamp_next: None,
                    }),
                    *cred,
                ));
                self.net_mut(net)
                    .set_interest(socket, Ready::ALL, file.token());
                file
            }
            Wanted::Other {
                domain,
                kind,
                protocol,
            } => self.files.insert(OpenFile::new(
                Kind::Other(OtherSocket {
                    domain,
                    kind,
                    protocol,
                    options: Options::new(domain),
                }),
                *cred,
            )),
        };
        self.open_mut(file)?.nonblocking = ty & SOCK_NONBLOCK != 0;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Cred = Cred::ROOT;
    const USER: Cred = Cred {
        uid: 1000,
        net_bind_service: false,
    };

    fn errno(domain: i32, ty: i32, protocol: i32) -> Option<Errno> {
        wanted(&ROOT, domain, ty, protocol).err()
    }

    #[test]
    fn socket_errors_come_in_linux_order() {
        use Errno as E;
        let cases = [
            (99, 0x1001, 0, E::EINVAL),
            (-1, 1, 0, E::EAFNOSUPPORT),
            (46, 1, 0, E::EAFNOSUPPORT),
            (i32::MAX, 11, 0, E::EAFNOSUPPORT),
            (2, 11, 0, E::EINVAL),
            (2, 15, 0, E::EINVAL),
            (2, 16, 0, E::EINVAL),
            (2, -1, 0, E::EINVAL),
            (2, 0x401, 0, E::EINVAL),
            (1, 1, 0, E::EAFNOSUPPORT),
            (16, 3, 0, E::EAFNOSUPPORT),
            (0, 1, 0, E::EAFNOSUPPORT),
            (2, 5, -1, E::EINVAL),
            (2, 1, 263, E::EINVAL),
            (2, 5, 0, E::ESOCKTNOSUPPORT),
            (10, 5, 132, E::ESOCKTNOSUPPORT),
            (2, 0, 0, E::ESOCKTNOSUPPORT),
            (2, 0x800, 0, E::ESOCKTNOSUPPORT),
            (2, 4, 0, E::ESOCKTNOSUPPORT),
            (2, 6, 0, E::ESOCKTNOSUPPORT),
            (2, 1, 17, E::EPROTONOSUPPORT),
            (2, 2, 6, E::EPROTONOSUPPORT),
            (2, 2, 58, E::EPROTONOSUPPORT),
            (2, 2, 1, E::EACCES),
            (10, 2, 58, E::EACCES),
            (10, 2, 1, E::EPROTONOSUPPORT),
            (2, 3, 0, E::EPROTONOSUPPORT),
        ];
        for (domain, ty, protocol, want) in cases {
            assert_eq!(
                errno(domain, ty, protocol),
                Some(want),
                "socket({domain}, {ty:#x}, {protocol})"
            );
        }
    }

    #[test]
    fn socket_stream_is_tcp_with_or_without_its_number_and_flags() {
        for (domain, want) in [(2, Domain::Inet), (10, Domain::Inet6)] {
            for ty in [1, 0x801, 0x80001, 0x80801] {
                for protocol in [0, 6] {
                    assert_eq!(
                        wanted(&USER, domain, ty, protocol),
                        Ok(Wanted::Tcp(want, false))
                    );
                }
            }
        }
    }

    #[test]
    fn socket_raw_is_for_root_and_its_protocol_is_checked_first() {
        assert_eq!(wanted(&USER, 2, 3, 1), Err(Errno::EPERM));
        assert_eq!(wanted(&USER, 2, 3, 0), Err(Errno::EPROTONOSUPPORT));
        assert!(wanted(&ROOT, 2, 3, 262).is_ok());
        assert_eq!(
            wanted(&USER, 2, 2, 0),
            Ok(Wanted::Other {
                domain: Domain::Inet,
                kind: 2,
                protocol: 17
            })
        );
    }
}
