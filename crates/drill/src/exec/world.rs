//! Where a script happens: its addresses and ports, from the options that it sets.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use hearken_twin::Lan;

use crate::ast::{IpVersion, Settings};
use crate::outcome::RunOptions;

/// The settings of one run.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) version: IpVersion,
    pub(crate) local: IpAddr,
    prefix: u8,
    pub(crate) remote: IpAddr,
    pub(crate) bind_port: u16,
    pub(crate) connect_port: u16,
    mtu: u32,
    /// What a SYN without one offers.
    pub(crate) mss: Option<u16>,
    /// Beside one eighth of the distance.
    pub(crate) tolerance: Duration,
    pub(crate) stamp_tick_usecs: Option<u64>,
    pub(crate) strict: bool,
    /// Outbound segments are compared one by one.
    pub(crate) strict_segments: bool,
    pub(crate) non_fatal_packet: bool,
    pub(crate) non_fatal_syscall: bool,
}

const LOCAL_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 1));
const LOCAL_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd3d, 0xa0b, 0x17d6, 0, 0, 0, 0, 1));
const REMOTE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const REMOTE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
const PORT: u16 = 8080;
const MTU: u32 = 1500;
const TOLERANCE: Duration = Duration::from_millis(4);

/// The length of a netmask's prefix.
fn prefix_of(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().leading_ones(),
        IpAddr::V6(mask) => mask.to_bits().leading_ones(),
    };
    ones as u8
}

impl World {
    /// From a script's options and those of the command line, which win.
    pub(crate) fn new(script: &Settings, options: &RunOptions) -> Result<World, String> {
        let line = &options.settings;
        let version = options.ip_version.or(line.ip_version);
        // Addresses of a family that the command line did not ask for are not the script's any more.
        let forced = version.is_some_and(|v| Some(v) != script.ip_version);
        let version = version.or(script.ip_version).unwrap_or_default();
        let v6 = version == IpVersion::Ipv6;
        let own = |address: Option<IpAddr>| address.filter(|a| !forced || a.is_ipv6() == v6);
        let pick = |line: Option<IpAddr>, script: Option<IpAddr>, v4: IpAddr, of_v6: IpAddr| {
            let default = if v6 { of_v6 } else { v4 };
            line.or(own(script)).unwrap_or(default)
        };
        let local = pick(line.local_ip, script.local_ip, LOCAL_V4, LOCAL_V6);
        let remote = pick(line.remote_ip, script.remote_ip, REMOTE_V4, REMOTE_V6);
        for (name, address) in [("local_ip", local), ("remote_ip", remote)] {
            if address.is_ipv6() != v6 {
                let family = if v6 { "IPv6" } else { "IPv4" };
                return Err(format!(
                    "--{name}={address}: the packets of this script are {family}; give an address of that family, or another --ip_version"
                ));
            }
        }
        let mask = line.netmask_ip.or(own(script.netmask_ip));
        let tick = line.timestamp_tick.or(script.timestamp_tick);
        let tick = tick.filter(|tick| !tick.is_zero());
        Ok(World {
            version,
            local,
            prefix: mask.map_or(if v6 { 64 } else { 16 }, prefix_of),
            remote,
            bind_port: line.bind_port.or(script.bind_port).unwrap_or(PORT),
            connect_port: line.connect_port.or(script.connect_port).unwrap_or(PORT),
            mtu: line.mtu.or(script.mtu).unwrap_or(MTU),
            mss: line.mss.or(script.mss),
            tolerance: line.tolerance.or(script.tolerance).unwrap_or(TOLERANCE),
            stamp_tick_usecs: tick.and_then(|tick| u64::try_from(tick.as_micros()).ok()),
            strict: options.strict,
            strict_segments: options.strict || line.strict_segments || script.strict_segments,
            non_fatal_packet: line.non_fatal_packet || script.non_fatal_packet,
            non_fatal_syscall: line.non_fatal_syscall || script.non_fatal_syscall,
        })
    }

    pub(crate) fn lan(&self) -> Lan {
        Lan {
            addresses: vec![(self.local, self.prefix)],
            mtu: self.mtu,
        }
    }

    pub(crate) fn v4(&self) -> bool {
        self.local.is_ipv4()
    }

    /// The family of `socket(..., SOCK_STREAM, 0)`.
    pub(crate) fn domain(&self) -> i32 {
        match self.version {
            IpVersion::Ipv4 => libc::AF_INET,
            IpVersion::Mapped | IpVersion::Ipv6 => libc::AF_INET6,
        }
    }

    /// The raw sockaddr of an address for a socket of this family.
    pub(crate) fn sockaddr(&self, domain: i32, ip: IpAddr, port: u16) -> Vec<u8> {
        let ip = match ip {
            IpAddr::V4(ip) if domain == libc::AF_INET6 => IpAddr::V6(ip.to_ipv6_mapped()),
            ip => ip,
        };
        hearken_twin::sockaddr(SocketAddr::new(ip, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn world_of_a_script_without_options_is_packetdrills() {
        let world = World::new(&Settings::default(), &RunOptions::default()).expect("a world");
        assert_eq!((world.local, world.remote), (LOCAL_V4, REMOTE_V4));
        assert_eq!((world.bind_port, world.connect_port), (8080, 8080));
        assert_eq!(world.lan().addresses, [(LOCAL_V4, 16)]);
        assert_eq!(world.domain(), libc::AF_INET);
    }

    #[test]
    fn world_of_another_version_leaves_the_scripts_addresses() {
        let script = Settings {
            local_ip: Some("10.0.0.1".parse().expect("an address")),
            netmask_ip: Some("255.255.255.0".parse().expect("a mask")),
            ..Settings::default()
        };
        let world = World::new(&script, &RunOptions::default()).expect("a world");
        assert_eq!(world.lan().addresses, [(script.local_ip.expect("set"), 24)]);
        let options = RunOptions {
            ip_version: Some(IpVersion::Ipv6),
            ..RunOptions::default()
        };
        let world = World::new(&script, &options).expect("a world");
        assert_eq!(world.lan().addresses, [(LOCAL_V6, 64)]);
    }

    #[test]
    fn world_refuses_an_address_of_the_other_family() {
        let script = Settings {
            remote_ip: Some(REMOTE_V6),
            ..Settings::default()
        };
        let error = World::new(&script, &RunOptions::default()).expect_err("no world");
        assert!(error.contains("--remote_ip=2001:db8::1"), "{error}");
    }

    #[test]
    fn sockaddr_of_a_mapped_script_is_ipv6() {
        let script = Settings {
            ip_version: Some(IpVersion::Mapped),
            ..Settings::default()
        };
        let world = World::new(&script, &RunOptions::default()).expect("a world");
        let raw = world.sockaddr(world.domain(), world.local, 80);
        assert_eq!(
            hearken_twin::socket_addr(&raw).to_string(),
            "[::ffff:192.168.0.1]:80"
        );
    }
}
