//! setsockopt of TCP_MD5SIG and TCP_MD5SIG_EXT (docs/linux/md5.md).

use core::net::IpAddr;
use hearken_abi::Errno;
use hearken_abi::sock::*;
use hearken_twin::{Fd, Ip, Twin, sockaddr};

cases! {
    md5_option_of_a_datagram_socket_enoprotoopt,
    md5_option_mapped_address_counts_as_ipv4,
}

family_cases! {
    md5_option_lengths_and_families,
    md5_option_key_length_zero_deletes,
    md5_option_prefix_and_scope_tell_keys_apart,
    md5_option_is_not_read_back,
    md5_option_is_taken_in_any_state,
    md5_option_keys_are_bounded_by_optmem_max,
}

/// The fields of `struct tcp_md5sig`.
#[derive(Clone, Debug)]
pub(crate) struct Md5Sig {
    pub(crate) addr: Vec<u8>,
    pub(crate) flags: i32,
    pub(crate) prefix: u8,
    pub(crate) ifindex: i32,
    pub(crate) len: u16,
    pub(crate) key: Vec<u8>,
}

/// A key for one address.
pub(crate) fn md5sig(addr: IpAddr, key: &str) -> Md5Sig {
    Md5Sig {
        addr: sockaddr((addr, 0).into()),
        flags: 0,
        prefix: 0,
        ifindex: 0,
        len: key.len() as u16,
        key: key.into(),
    }
}

impl Md5Sig {
    pub(crate) fn prefix(self, prefix: u8) -> Self {
        Md5Sig {
            flags: self.flags | TCP_MD5SIG_FLAG_PREFIX,
            prefix,
            ..self
        }
    }
    fn scoped(self, ifindex: i32) -> Self {
        Md5Sig {
            flags: self.flags | TCP_MD5SIG_FLAG_IFINDEX,
            ifindex,
            ..self
        }
    }
    fn bytes(&self) -> Vec<u8> {
        let mut b = self.addr.clone();
        b.resize(128, 0);
        b.extend([self.flags as u8, self.prefix]);
        b.extend(self.len.to_ne_bytes());
        b.extend(self.ifindex.to_ne_bytes());
        b.extend(&self.key);
        b.resize(216, 0);
        b
    }
    pub(crate) fn set(&self, t: &mut dyn Twin, fd: Fd) -> Result<(), Errno> {
        t.setsockopt(fd, SOL_TCP, TCP_MD5SIG, &self.bytes())
    }
    pub(crate) fn set_ext(&self, t: &mut dyn Twin, fd: Fd) -> Result<(), Errno> {
        t.setsockopt(fd, SOL_TCP, TCP_MD5SIG_EXT, &self.bytes())
    }
}

/// Sets, or with an empty key deletes.
pub(crate) fn set_key(t: &mut dyn Twin, fd: Fd, addr: IpAddr, key: &str) -> Result<(), Errno> {
    md5sig(addr, key).set(t, fd)
}

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const ENOENT: Result<(), Errno> = Err(Errno::ENOENT);
const EINVAL: Result<(), Errno> = Err(Errno::EINVAL);

fn md5_option_lengths_and_families(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    let mut long = md5sig(ip.peer(), "secret").bytes();
    long.resize(300, 0);
    for name in [TCP_MD5SIG, TCP_MD5SIG_EXT] {
        for len in [0, 3, 4, 215] {
            let got = t.setsockopt(fd, SOL_TCP, name, &long[..len]);
            assert_eq!(got, EINVAL, "{len}");
        }
        for len in [216, 217, 300] {
            assert_eq!(t.setsockopt(fd, SOL_TCP, name, &long[..len]), Ok(()));
        }
    }
    let own = ip.pick(AF_INET, AF_INET6);
    for family in [0, 1, AF_INET, AF_INET6, 99] {
        let mut sig = md5sig(ip.peer(), "secret");
        sig.addr[..2].copy_from_slice(&(family as u16).to_ne_bytes());
        let want = if family == own { Ok(()) } else { EINVAL };
        assert_eq!(sig.set(t, fd), want, "{family}");
    }
    for (len, want) in [(1, Ok(())), (80, Ok(())), (81, EINVAL), (65535, EINVAL)] {
        let sig = Md5Sig {
            len,
            ..md5sig(ip.peer(), &"x".repeat(80))
        };
        assert_eq!(sig.set(t, fd), want, "{len}");
    }
    // The port is not looked at.
    let mut sig = md5sig(ip.peer(), "secret");
    sig.addr[3] = 99;
    assert_eq!(sig.set(t, fd), Ok(()));
    assert_eq!(set_key(t, fd, ip.peer(), ""), Ok(()));
}

fn md5_option_key_length_zero_deletes(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    assert_eq!(set_key(t, fd, ip.peer(), ""), ENOENT);
    for key in ["one", "two"] {
        assert_eq!(set_key(t, fd, ip.peer(), key), Ok(()));
    }
    assert_eq!(set_key(t, fd, ip.listener(), ""), ENOENT, "another peer's");
    assert_eq!(set_key(t, fd, ip.peer(), ""), Ok(()), "there was one");
    assert_eq!(set_key(t, fd, ip.peer(), ""), ENOENT);
    // What is wrong besides is found first.
    let sig = md5sig(ip.peer(), "");
    assert_eq!(sig.clone().prefix(129).set_ext(t, fd), EINVAL);
    assert_eq!(sig.scoped(999).set_ext(t, fd), EINVAL);
}

fn md5_option_prefix_and_scope_tell_keys_apart(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    let bits = ip.pick(32, 128);
    let (sig, none) = (md5sig(ip.peer(), "secret"), md5sig(ip.peer(), ""));
    for prefix in [0, 1, bits - 1] {
        assert_eq!(sig.clone().prefix(prefix).set_ext(t, fd), Ok(()));
        assert_eq!(none.set(t, fd), ENOENT);
        assert_eq!(none.clone().prefix(prefix).set_ext(t, fd), Ok(()));
    }
    for prefix in [bits + 1, 255] {
        assert_eq!(sig.clone().prefix(prefix).set_ext(t, fd), EINVAL);
        assert_eq!(
            sig.clone().prefix(prefix).set(t, fd),
            Ok(()),
            "the plain option has none"
        );
        assert_eq!(none.set(t, fd), Ok(()));
    }
    assert_eq!(sig.clone().prefix(bits).set_ext(t, fd), Ok(()));
    assert_eq!(none.set(t, fd), Ok(()), "all bits is one address");
    // Host bits tell keys apart, although they match alike.
    assert_eq!(sig.clone().prefix(8).set_ext(t, fd), Ok(()));
    assert_eq!(md5sig(ip.listener(), "").prefix(8).set_ext(t, fd), ENOENT);
    assert_eq!(none.clone().prefix(8).set_ext(t, fd), Ok(()));
    // No interface here belongs to a VRF.
    for ifindex in [1, 2, 999, -1] {
        assert_eq!(sig.clone().scoped(ifindex).set_ext(t, fd), EINVAL);
        assert_eq!(
            sig.clone().scoped(ifindex).set(t, fd),
            Ok(()),
            "the plain option does not look"
        );
        assert_eq!(none.set(t, fd), ENOENT);
        assert_eq!(none.clone().scoped(0).set_ext(t, fd), Ok(()));
    }
    for flags in [4, 8, 0x80] {
        let odd = Md5Sig {
            flags,
            ..sig.clone()
        };
        assert_eq!(odd.set_ext(t, fd), Ok(()));
        assert_eq!(none.set(t, fd), Ok(()), "flags that mean nothing");
    }
}

fn md5_option_mapped_address_counts_as_ipv4(t: &mut dyn Twin) {
    let fd = t.tcp(Ip::V6);
    let mapped = addr("::ffff:192.0.2.2");
    for (prefix, want) in [
        (0, Ok(())),
        (24, Ok(())),
        (32, Ok(())),
        (33, EINVAL),
        (120, EINVAL),
    ] {
        let sig = md5sig(mapped, "secret").prefix(prefix);
        assert_eq!(sig.set_ext(t, fd), want, "{prefix}");
    }
    assert_eq!(set_key(t, fd, mapped, ""), Ok(()), "the one of 32 bits");
}

fn md5_option_is_not_read_back(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    set_key(t, fd, ip.peer(), "secret").unwrap();
    for name in [TCP_MD5SIG, TCP_MD5SIG_EXT] {
        for cap in [0, 4, 216, 256] {
            assert_eq!(
                t.getsockopt(fd, SOL_TCP, name, cap),
                Err(Errno::ENOPROTOOPT)
            );
        }
    }
}

fn md5_option_is_taken_in_any_state(t: &mut dyn Twin, ip: Ip) {
    let listener = t.listener(ip, 80, 5);
    t.set_uid(65534);
    assert_eq!(set_key(t, listener, ip.peer(), "secret"), Ok(()));
    t.set_uid(0);
    let (client, server) = t.pair(listener, ip);
    for fd in [client, server] {
        assert_eq!(set_key(t, fd, ip.peer(), "secret"), Ok(()));
    }
    t.shutdown(client, SHUT_WR).unwrap();
    t.close(server).unwrap();
    t.advance(core::time::Duration::from_millis(5));
    assert_eq!(set_key(t, client, ip.peer(), ""), Ok(()));
    let connecting = t.tcp(ip);
    let to = sockaddr((ip.peer(), 99).into());
    assert_eq!(t.connect(connecting, &to), Err(Errno::EINPROGRESS));
    assert_eq!(set_key(t, connecting, ip.listener(), "secret"), Ok(()));
}

fn md5_option_keys_are_bounded_by_optmem_max(t: &mut dyn Twin, ip: Ip) {
    let peer = |n: u16| {
        ip.pick(
            IpAddr::from([10, 0, (n >> 8) as u8, n as u8]),
            IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]),
        )
    };
    for (most, want) in [
        ("136", 0),
        ("137", 1),
        ("272", 1),
        ("273", 2),
        ("20480", 150),
    ] {
        t.sysctl("net.core.optmem_max", most).unwrap();
        let fd = t.tcp(ip);
        let n = (0..).find(|n| set_key(t, fd, peer(*n), "x").is_err());
        assert_eq!(n, Some(want), "{most}");
        assert_eq!(set_key(t, fd, peer(want), "x"), Err(Errno::ENOMEM));
        if want > 0 {
            assert_eq!(set_key(t, fd, peer(0), "y"), Ok(()), "in the other's place");
            assert_eq!(set_key(t, fd, peer(0), ""), Ok(()));
            assert_eq!(set_key(t, fd, peer(want), "x"), Ok(()));
        }
    }
}

fn md5_option_of_a_datagram_socket_enoprotoopt(t: &mut dyn Twin) {
    let fd = t.socket(AF_INET, SOCK_DGRAM, 0).unwrap();
    let got = set_key(t, fd, addr("192.0.2.2"), "x");
    assert_eq!(got, Err(Errno::ENOPROTOOPT));
}
