//! Interfaces of a namespace: lo, and a TUN through which raw packets go in and out.

use core::ffi::c_int;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fs;
use std::time::{Duration, Instant};

use hearken_abi::Errno;

use super::sys;

/// `struct ifreq` with the union's bytes plain.
#[repr(C)]
struct IfReq {
    name: [u8; libc::IFNAMSIZ],
    data: [u8; 24],
}

/// `struct in6_ifreq`.
#[repr(C)]
struct In6IfReq {
    addr: [u8; 16],
    prefix: u32,
    index: c_int,
}

/// IFA_F_TENTATIVE.
const TENTATIVE: u8 = 0x40;
const TUNSETIFF: u64 = 0x4004_54ca;
const SIOCGIFINDEX: u64 = 0x8933;
const SIOCGIFFLAGS: u64 = 0x8913;
const SIOCSIFFLAGS: u64 = 0x8914;
const SIOCSIFADDR: u64 = 0x8916;
const SIOCSIFNETMASK: u64 = 0x891c;
const SIOCSIFMTU: u64 = 0x8922;

impl IfReq {
    fn new(name: &str) -> Self {
        let mut req = IfReq {
            name: [0; libc::IFNAMSIZ],
            data: [0; 24],
        };
        req.name[..name.len()].copy_from_slice(name.as_bytes());
        req
    }

    fn int(name: &str, value: i32) -> Self {
        let mut req = IfReq::new(name);
        req.data[..4].copy_from_slice(&value.to_ne_bytes());
        req
    }

    fn sockaddr(name: &str, address: Ipv4Addr) -> Self {
        let mut req = IfReq::new(name);
        req.data[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        req.data[4..8].copy_from_slice(&address.octets());
        req
    }
}

/// A datagram socket of a family, for ioctl only.
fn control(family: c_int) -> Result<c_int, Errno> {
    // SAFETY: no memory is passed.
    sys::check(unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })
}

fn with_control<T>(family: c_int, f: impl FnOnce(c_int) -> Result<T, Errno>) -> Result<T, Errno> {
    let fd = control(family)?;
    let result = f(fd);
    sys::close(fd)?;
    result
}

/// Sets an interface up.
pub(crate) fn up(name: &str) -> Result<(), Errno> {
    with_control(libc::AF_INET, |fd| {
        let mut req = IfReq::new(name);
        sys::ioctl(fd, SIOCGIFFLAGS, &mut req)?;
        req.data[0] |= libc::IFF_UP as u8;
        sys::ioctl(fd, SIOCSIFFLAGS, &mut req)
    })
}

/// Changes an interface's MTU.
pub(crate) fn set_mtu(name: &str, mtu: u32) -> Result<(), Errno> {
    with_control(libc::AF_INET, |fd| {
        sys::ioctl(fd, SIOCSIFMTU, &mut IfReq::int(name, mtu as i32))
    })
}

/// Opens a TUN (L3, no packet information) and sets it up, with IPv6's own chatter off.
pub(crate) fn open_tun(name: &str) -> Result<c_int, Errno> {
    let fd = sys::open("/dev/net/tun", libc::O_RDWR | libc::O_NONBLOCK)?;
    let flags = libc::IFF_TUN | libc::IFF_NO_PI;
    sys::ioctl(fd, TUNSETIFF, &mut IfReq::int(name, flags))?;
    for (key, value) in [
        ("accept_dad", "0"),
        ("router_solicitations", "0"),
        ("addr_gen_mode", "1"),
        ("accept_ra", "0"),
    ] {
        let path = format!("/proc/sys/net/ipv6/conf/{name}/{key}");
        fs::write(path, value).map_err(|error| Errno(error.raw_os_error().unwrap_or(0)))?;
    }
    up(name)?;
    Ok(fd)
}

/// An interface's number.
pub(crate) fn index(name: &str) -> Result<c_int, Errno> {
    with_control(libc::AF_INET, |fd| {
        let mut req = IfReq::new(name);
        sys::ioctl(fd, SIOCGIFINDEX, &mut req)?;
        Ok(i32::from_ne_bytes(
            req.data[..4].try_into().expect("four bytes"),
        ))
    })
}

/// `struct in6_rtmsg`.
#[repr(C)]
struct In6RtMsg {
    dst: [u8; 16],
    src: [u8; 16],
    gateway: [u8; 16],
    kind: u32,
    dst_len: u16,
    src_len: u16,
    metric: u32,
    info: libc::c_ulong,
    flags: u32,
    index: c_int,
}

/// Sends everything that no other route takes out of this interface.
pub(crate) fn default_route(name: &str, v4: bool) -> Result<(), Errno> {
    const RTF_UP: u32 = 1;
    if v4 {
        let mut device = [0 as libc::c_char; libc::IFNAMSIZ];
        for (to, from) in device.iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        // SAFETY: rtentry is plain data for which zero is a valid value.
        let mut route: libc::rtentry = unsafe { core::mem::zeroed() };
        route.rt_dst.sa_family = libc::AF_INET as u16;
        route.rt_genmask.sa_family = libc::AF_INET as u16;
        route.rt_flags = RTF_UP as u16;
        route.rt_dev = device.as_mut_ptr();
        return with_control(libc::AF_INET, |fd| {
            sys::ioctl(fd, libc::SIOCADDRT, &mut route)
        });
    }
    let mut route = In6RtMsg {
        dst: [0; 16],
        src: [0; 16],
        gateway: [0; 16],
        kind: 0,
        dst_len: 0,
        src_len: 0,
        metric: 1024,
        info: 0,
        flags: RTF_UP,
        index: index(name)?,
    };
    with_control(libc::AF_INET6, |fd| {
        sys::ioctl(fd, libc::SIOCADDRT, &mut route)
    })
}

/// Gives an interface an address, and waits until it can be used.
pub(crate) fn add_address(name: &str, address: IpAddr, prefix: u8) -> Result<(), Errno> {
    match address {
        IpAddr::V4(address) => with_control(libc::AF_INET, |fd| {
            sys::ioctl(fd, SIOCSIFADDR, &mut IfReq::sockaddr(name, address))?;
            let mask = Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0));
            sys::ioctl(fd, SIOCSIFNETMASK, &mut IfReq::sockaddr(name, mask))
        }),
        IpAddr::V6(address) => {
            with_control(libc::AF_INET6, |fd| {
                let mut req = IfReq::new(name);
                sys::ioctl(fd, SIOCGIFINDEX, &mut req)?;
                let index = i32::from_ne_bytes(req.data[..4].try_into().expect("four bytes"));
                let mut req = In6IfReq {
                    addr: address.octets(),
                    prefix: u32::from(prefix),
                    index,
                };
                sys::ioctl(fd, SIOCSIFADDR, &mut req)
            })?;
            wait_for_v6(address);
            Ok(())
        }
    }
}

/// Waits until packets to an IPv6 address are taken as local: its route is the last thing that the kernel's work item for a
/// new address sets up (it runs even without DAD).
pub(crate) fn wait_for_v6(address: Ipv6Addr) {
    let hex: String = address
        .octets()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let route = format!("{hex} 80 ");
    let read = |file| {
        fs::read_to_string(format!("/proc/thread-self/net/{file}")).expect("a table of IPv6")
    };
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let (addresses, routes) = (read("if_inet6"), read("ipv6_route"));
        let line = addresses.lines().find(|line| line.starts_with(&hex));
        let flags =
            line.and_then(|line| u8::from_str_radix(line.split_whitespace().nth(4)?, 16).ok());
        if flags.is_some_and(|flags| flags & TENTATIVE == 0)
            && routes.lines().any(|line| line.starts_with(&route))
        {
            return;
        }
        assert!(
            Instant::now() < end,
            "{address} does not come up:\n{addresses}\n{routes}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}
