//! What the user asked of `hearken run`, and how each option is read.

use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Everything one `hearken run` needs to know.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Host ports whose connections reach the program.
    pub publish: Vec<Publish>,
    /// `net.*` values set in the program's network before it starts.
    pub sysctls: Vec<Sysctl>,
    /// What the link between the program's network and the gateway does to packets.
    pub link: LinkOpts,
    /// Where to write the packets of that link.
    pub pcap: Option<PathBuf>,
    /// Which calls of the program are refused: a file of rules.
    pub policy: Option<PathBuf>,
    /// A sock_ops program to run at the callbacks: an ELF object.
    #[cfg(feature = "bpf")]
    pub sock_ops: Option<PathBuf>,
    /// Print one tree per call to standard error.
    pub trace: bool,
    /// Print the stack's counters and the kernel's own TCP counters of the namespace at exit.
    pub stats: bool,
    /// Seed of the stack's randomness; drawn from the system when absent.
    pub seed: Option<[u8; 32]>,
    /// The program and its arguments.
    pub cmd: Vec<OsString>,
}

/// Why an option could not be read: one sentence for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError(String);

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseError {}

/// One `-p [HOST:]PORT:PORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish {
    /// The host address to listen on; without one, 127.0.0.1 and ::1.
    pub host: Option<IpAddr>,
    /// The host port; 0 lets the host choose.
    pub host_port: u16,
    /// The port inside, where the program listens.
    pub port: u16,
}

impl Publish {
    /// The addresses to listen on, each with whether the run may go on without it.
    pub fn listen_addrs(&self) -> Vec<(SocketAddr, Required)> {
        match self.host {
            Some(ip) => vec![(SocketAddr::new(ip, self.host_port), Required::Yes)],
            // A host without IPv6 still publishes on 127.0.0.1.
            None => vec![
                (
                    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.host_port),
                    Required::Yes,
                ),
                (
                    SocketAddr::new(Ipv6Addr::LOCALHOST.into(), self.host_port),
                    Required::No,
                ),
            ],
        }
    }
}

/// Whether a published address that cannot be had is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// The run fails without it.
    Yes,
    /// The run goes on without it.
    No,
}

impl FromStr for Publish {
    type Err = ParseError;

    fn from_str(s: &str) -> Result<Self, ParseError> {
        let bad = || {
            ParseError(format!(
                "`{s}` is no published port: write [HOST:]PORT:PORT, for example 8080:8000, \
                 0.0.0.0:8080:8000 or [::1]:8080:8000"
            ))
        };
        let (rest, inside) = s.rsplit_once(':').ok_or_else(bad)?;
        let port: u16 = inside.parse().map_err(|_| bad())?;
        if port == 0 {
            return Err(ParseError(format!("`{s}`: the port inside cannot be 0")));
        }
        let (host, outside) = match rest.rsplit_once(':') {
            Some((host, outside)) => {
                let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
                let ip = match bare {
                    Some(v6) => IpAddr::V6(v6.parse().map_err(|_| bad())?),
                    None => IpAddr::V4(host.parse().map_err(|_| bad())?),
                };
                (Some(ip), outside)
            }
            None => (None, rest),
        };
        Ok(Publish {
            host,
            host_port: outside.parse().map_err(|_| bad())?,
            port,
        })
    }
}

/// One `--sysctl K=V`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysctl {
    /// The dotted name, for example `net.ipv4.tcp_syncookies`.
    pub name: String,
    /// The value as it would be written to /proc/sys.
    pub value: String,
}

impl FromStr for Sysctl {
    type Err = ParseError;

    fn from_str(s: &str) -> Result<Self, ParseError> {
        match s.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => Ok(Sysctl {
                // sysctl(8) takes either separator.
                name: name.trim().replace('/', "."),
                value: value.trim().to_owned(),
            }),
            _ => Err(ParseError(format!(
                "`{s}` is no sysctl: write NAME=VALUE, for example net.core.somaxconn=128"
            ))),
        }
    }
}

/// `--link loss=1%,delay=20ms`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LinkOpts {
    /// The share of packets lost, 0 to 1.
    pub loss: f64,
    /// How long a packet travels one way.
    pub delay: Duration,
}

impl FromStr for LinkOpts {
    type Err = ParseError;

    fn from_str(s: &str) -> Result<Self, ParseError> {
        let mut opts = LinkOpts::default();
        for part in s.split(',').filter(|p| !p.is_empty()) {
            match part.split_once('=') {
                Some(("loss", v)) => opts.loss = parse_share(v)?,
                Some(("delay", v)) => opts.delay = parse_duration(v)?,
                _ => {
                    return Err(ParseError(format!(
                        "`{part}` is no property of a link: write loss=1% or delay=20ms"
                    )));
                }
            }
        }
        Ok(opts)
    }
}

fn parse_share(v: &str) -> Result<f64, ParseError> {
    let (digits, scale) = match v.strip_suffix('%') {
        Some(d) => (d, 100.0),
        None => (v, 1.0),
    };
    let share = digits.parse::<f64>().ok().map(|x| x / scale);
    match share {
        Some(x) if (0.0..=1.0).contains(&x) => Ok(x),
        _ => Err(ParseError(format!(
            "`{v}` is no loss: write a share such as 1% or 0.01"
        ))),
    }
}

fn parse_duration(v: &str) -> Result<Duration, ParseError> {
    let bad = || {
        ParseError(format!(
            "`{v}` is no delay: write for example 20ms, 500us or 1s"
        ))
    };
    let split = v.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
    let n: f64 = v[..split].parse().map_err(|_| bad())?;
    let unit = match &v[split..] {
        "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        _ => return Err(bad()),
    };
    // An hour is more than any link on Earth needs and far from overflow.
    if !(0.0..=3600.0).contains(&(n * unit)) {
        return Err(bad());
    }
    Ok(Duration::from_secs_f64(n * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publish_two_ports_takes_both_loopbacks() {
        let p: Publish = "8080:8000".parse().unwrap();
        assert_eq!(
            p,
            Publish {
                host: None,
                host_port: 8080,
                port: 8000
            }
        );
        let addrs: Vec<String> = p
            .listen_addrs()
            .iter()
            .map(|(a, _)| a.to_string())
            .collect();
        assert_eq!(addrs, ["127.0.0.1:8080", "[::1]:8080"]);
    }

    #[test]
    fn publish_with_host_takes_that_address_only() {
        let p: Publish = "0.0.0.0:80:8000".parse().unwrap();
        assert_eq!(p.host, Some("0.0.0.0".parse().unwrap()));
        let p: Publish = "[fd00::1]:80:8000".parse().unwrap();
        assert_eq!(
            p.listen_addrs(),
            [("[fd00::1]:80".parse().unwrap(), Required::Yes)]
        );
    }

    #[test]
    fn publish_malformed_says_the_form() {
        for s in [
            "",
            "80",
            "a:b",
            "80:0",
            "1:2:3:4",
            "::1:80:80",
            "80:65536",
            "x:80:80",
        ] {
            let e = s.parse::<Publish>().unwrap_err().to_string();
            assert!(
                e.contains("PORT:PORT") || e.contains("cannot be 0"),
                "{s}: {e}"
            );
        }
    }

    #[test]
    fn link_options_parse_or_say_why() {
        let l: LinkOpts = "loss=1%,delay=20ms".parse().unwrap();
        assert_eq!(
            l,
            LinkOpts {
                loss: 0.01,
                delay: Duration::from_millis(20)
            }
        );
        assert_eq!("loss=0.5".parse::<LinkOpts>().unwrap().loss, 0.5);
        for s in [
            "loss=101%",
            "delay=20",
            "delay=-1ms",
            "speed=3",
            "loss",
            "loss=x",
            "delay=1e9s",
        ] {
            assert!(s.parse::<LinkOpts>().is_err(), "{s}");
        }
    }

    #[test]
    fn sysctl_keeps_value_and_dots_the_name() {
        let s: Sysctl = "net/ipv4/tcp_rmem=4096 87380 6291456".parse().unwrap();
        assert_eq!(s.name, "net.ipv4.tcp_rmem");
        assert_eq!(s.value, "4096 87380 6291456");
        assert!("=1".parse::<Sysctl>().is_err());
        assert!("net.core.somaxconn".parse::<Sysctl>().is_err());
    }
}
