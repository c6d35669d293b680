//! The namespaces in which CMD runs: fresh network and mount namespaces, and a user namespace where
//! the caller may not make those without it.
//!
//! What the network holds, and why: the kernel's `lo`; a veth pair, so that getaddrinfo's
//! AI_ADDRCONFIG finds a usable address of each family; `unreachable default`, so that what is still
//! the kernel's (UDP) fails at once. TCP never touches any of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsRawFd;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use crate::sys::netlink::Route;
use crate::sys::process;

/// The program's interface besides `lo`.
pub const INTERFACE: &str = "eth0";
/// The other end of the pair; it must be there and up for `eth0` to have a carrier.
pub const PEER: &str = "eth0-peer";
/// The program's IPv4 address, and its prefix length.
pub const ADDRESS_V4: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 0, 2, 15), 24);
/// The program's IPv6 address, and its prefix length.
pub const ADDRESS_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, 0x15), 64);
/// The name server that resolv.conf names; `use-vc` makes glibc and Go ask it over TCP, the others ask over UDP.
pub const NAMESERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);
/// Its port.
pub const DNS: u16 = 53;

/// What the new namespaces gave.
#[derive(Debug, Default)]
pub struct Entered {
    /// The namespace's own `net.core.somaxconn`.
    pub somaxconn: Option<File>,
    /// The namespace's `/proc/net/snmp`: what the kernel's own TCP counted there.
    pub kernel_snmp: Option<File>,
    /// What listens for DNS over UDP at [`NAMESERVER`].
    pub dns: Option<UdpSocket>,
    /// What did not work but does not stop CMD.
    pub notes: Vec<String>,
}

/// Enters the namespaces and sets them up. On `Err` the process may stand half-way inside: it must
/// not run CMD.
pub fn enter(sysctls: &[(String, String)]) -> io::Result<Entered> {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    match process::unshare(false) {
        Ok(()) => {}
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => {
            process::unshare(true).map_err(|e| explain("unshare", e))?;
            // The caller is mapped to itself, so the program sees the ids that it would see without us.
            // setgroups(2) must be given up first: otherwise an ordinary user may not map a group.
            write("/proc/self/setgroups", "deny")?;
            write("/proc/self/uid_map", &format!("{uid} {uid} 1"))?;
            write("/proc/self/gid_map", &format!("{gid} {gid} 1"))?;
        }
        Err(e) => return Err(explain("unshare", e)),
    }
    let mut entered = Entered::default();
    network(&mut entered.notes)?;
    match UdpSocket::bind((NAMESERVER, DNS)) {
        Ok(socket) => entered.dns = Some(socket),
        Err(e) => entered.notes.push(format!("no DNS over UDP: {e}")),
    }
    if let Err(e) = resolv_conf() {
        entered
            .notes
            .push(format!("resolv.conf stays the host's: {e}"));
    }
    // Opened here, because the lookup of /proc/sys/net goes by the opener's network namespace; the
    // descriptor then means this namespace wherever it is used.
    match File::options()
        .read(true)
        .write(true)
        .open("/proc/sys/net/core/somaxconn")
    {
        Ok(f) => entered.somaxconn = Some(f),
        Err(e) => entered.notes.push(format!("net.core.somaxconn: {e}")),
    }
    // Likewise /proc/self/net.
    entered.kernel_snmp = File::open("/proc/self/net/snmp").ok();
    write_sysctls(sysctls, &mut entered.notes);
    Ok(entered)
}

/// Writes those values that the kernel's namespace knows too, so that a program that reads
/// /proc/sys finds them. A name that exists only in our stack is not an error here.
fn write_sysctls(sysctls: &[(String, String)], notes: &mut Vec<String>) {
    for (name, value) in sysctls {
        if !name.starts_with("net.") || name.contains('/') || name.contains("..") {
            continue;
        }
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        match fs::OpenOptions::new().write(true).open(&path) {
            Ok(mut f) => {
                if let Err(e) = f.write_all(value.as_bytes()) {
                    notes.push(format!("{path}: {e}"));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => notes.push(format!("{path}: {e}")),
        }
    }
}

fn network(notes: &mut Vec<String>) -> io::Result<()> {
    let mut route = Route::open().map_err(|e| explain("netlink", e))?;
    let lo = route.index("lo").map_err(|e| explain("lo", e))?;
    // Refused with user namespaces that carry no rights (AppArmor): then there is no use in them.
    route.set_up(lo).map_err(|e| explain("lo up", e))?;
    // The kernel's own UDP is to find the name server here, though no interface shows its address.
    if let Err(e) = route.add_local(NAMESERVER, lo) {
        notes.push(format!("{NAMESERVER}: {e}"));
    }
    if let Err(e) = interface(&mut route, notes) {
        notes.push(format!("no {INTERFACE}: {e}"));
    }
    Ok(())
}

fn interface(route: &mut Route, notes: &mut Vec<String>) -> io::Result<()> {
    route
        .add_veth(INTERFACE, PEER)
        .map_err(|e| explain("veth", e))?;
    let index = route.index(INTERFACE)?;
    let peer = route.index(PEER)?;
    let v4 = IpAddr::V4(ADDRESS_V4.0);
    let v6 = IpAddr::V6(ADDRESS_V6.0);
    route.add_address(index, v4, ADDRESS_V4.1)?;
    // The kernel may have no IPv6, or have it disabled.
    let six = route
        .no_link_local(index)
        .and_then(|()| route.no_link_local(peer))
        .and_then(|()| route.add_address(index, v6, ADDRESS_V6.1));
    route.set_up(index)?;
    route.set_up(peer)?;
    route.add_unreachable_default(v4)?;
    if let Err(e) = six.and_then(|()| route.add_unreachable_default(v6)) {
        notes.push(format!("{INTERFACE} has no IPv6: {e}"));
    }
    Ok(())
}

/// Covers resolv.conf with ours, in this mount namespace only.
fn resolv_conf() -> io::Result<()> {
    // Nothing mounted here may reach the host.
    rustix::mount::mount_change(
        "/",
        MountPropagationFlags::REC | MountPropagationFlags::PRIVATE,
    )?;
    // Follows a symbolic link to the file that libc will read.
    let target = rustix::fs::open(
        "/etc/resolv.conf",
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|e| explain("/etc/resolv.conf", e.into()))?;
    let old = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let directory = ["/tmp", "/run", "/mnt", "/dev/shm"]
        .into_iter()
        .find(|d| fs::metadata(d).is_ok_and(|m| m.is_dir()))
        .ok_or_else(|| io::Error::other("no directory for a moment's tmpfs"))?;
    // A file to bind must lie on a mount of this namespace; a tmpfs that is there for a moment leaves
    // nothing behind on any disk.
    rustix::mount::mount(
        "hearken",
        directory,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        c"size=64k,mode=0755",
    )?;
    let file = format!("{directory}/resolv.conf");
    let bound = fs::write(&file, resolv_conf_text(&old)).and_then(|()| {
        let over = format!("/proc/self/fd/{}", target.as_raw_fd());
        Ok(rustix::mount::mount_bind(file.as_str(), over.as_str())?)
    });
    rustix::mount::unmount(directory, UnmountFlags::DETACH)?;
    bound
}

/// Our resolv.conf; the search list stays the host's.
fn resolv_conf_text(old: &str) -> String {
    let mut text = String::from("# hearken run: DNS goes over TCP to the virtual network\n");
    for line in old.lines() {
        if matches!(
            line.split_whitespace().next(),
            Some("search" | "domain" | "sortlist")
        ) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.push_str(&format!("nameserver {NAMESERVER}\noptions use-vc\n"));
    text
}

fn write(path: &str, text: &str) -> io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut f| f.write_all(text.as_bytes()))
        .map_err(|e| explain(path, e))
}

fn explain(what: &str, e: io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{what}: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_text_keeps_the_search_list_and_drops_servers() {
        let t = resolv_conf_text(
            "nameserver 192.0.2.1\nsearch a.example b.example\noptions edns0\n# x\n",
        );
        assert!(t.contains("\nsearch a.example b.example\n"));
        assert!(t.contains("\nnameserver 10.0.2.3\noptions use-vc\n"));
        assert!(!t.contains("192.0.2.1") && !t.contains("edns0"));
    }

    #[test]
    fn write_sysctls_foreign_names_are_never_opened() {
        let mut notes = Vec::new();
        let s = |n: &str| (n.to_string(), "1".to_string());
        write_sysctls(
            &[
                s("kernel.panic"),
                s("net...kernel.panic"),
                s("net/../kernel/panic"),
                s("net.hearken.only_ours"),
            ],
            &mut notes,
        );
        assert_eq!(notes, Vec::<String>::new());
    }
}
