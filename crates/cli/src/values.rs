//! Values of options: parsed once, here, with errors that say what would be right.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

/// `[HOST:]PORT:PORT`: a port of this machine, and the program's port that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) host: SocketAddr,
    pub(crate) port: u16,
}

impl FromStr for Publish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (front, port) = text
            .rsplit_once(':')
            .ok_or("two ports are needed, HOSTPORT:PORT, for instance 8080:8000")?;
        let (host, host_port) = match front.rsplit_once(':') {
            None => (IpAddr::V4(Ipv4Addr::LOCALHOST), front),
            Some((host, port)) => {
                let bare = host
                    .strip_prefix('[')
                    .and_then(|h| h.strip_suffix(']'))
                    .unwrap_or(host);
                if bare.contains(':') && bare == host {
                    return Err(format!(
                        "an IPv6 address stands in brackets: [{host}]:{port}:..."
                    ));
                }
                let ip = bare.parse().map_err(|_| {
                    format!("'{host}' is not an IP address (a name is not looked up here)")
                })?;
                (ip, port)
            }
        };
        Ok(Publish {
            host: SocketAddr::new(host, port_number(host_port)?),
            port: match port_number(port)? {
                0 => return Err("the program's port cannot be 0".into()),
                port => port,
            },
        })
    }
}

fn port_number(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is not a port (0 to 65535)"))
}

/// `KEY=VALUE` for a sysctl.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text
            .split_once('=')
            .ok_or("KEY=VALUE is needed, for instance net.core.somaxconn=16")?;
        // sysctl(8) takes both separators.
        Ok(Setting {
            name: name.trim().replace('/', "."),
            value: value.trim().to_owned(),
        })
    }
}

/// `loss=1%,delay=20ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Link {
    /// Probability that a packet is lost, 0 to 1, in each direction.
    pub(crate) loss: f64,
    /// Added to the way of each packet, in each direction.
    pub(crate) delay: Duration,
}

impl FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut link = Link::default();
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("loss", value)) => link.loss = probability(value)?,
                Some(("delay", value)) => link.delay = duration(value)?,
                _ => {
                    return Err(format!(
                        "'{part}' is unknown: loss=PERCENT% and delay=TIME are known, for instance loss=1%,delay=20ms"
                    ));
                }
            }
        }
        Ok(link)
    }
}

fn probability(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    number
        .parse::<f64>()
        .ok()
        .map(|n| n / scale)
        .filter(|p| (0.0..=1.0).contains(p))
        .ok_or_else(|| format!("'{text}' is not a loss: 1% or 0.01, up to 100%"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a time: 20ms, 500us, 1.5s");
    let digits = text
        .find(|c: char| c.is_ascii_alphabetic())
        .ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        _ => return Err(wrong()),
    };
    let value: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(value * seconds)
        .ok()
        .filter(|d| d.as_secs() <= 60)
        .ok_or_else(|| format!("'{text}' is out of bounds: 0 to 60s"))
}

/// Up to 64 hexadecimal digits, the last ones of a 32-byte seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) [u8; 32]);

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return Err(format!(
                "'{text}' is not a seed: 1 to 64 hexadecimal digits"
            ));
        }
        let full = format!("{digits:0>64}");
        let mut seed = [0; 32];
        for (byte, at) in seed.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&full[at..at + 2], 16).map_err(|e| e.to_string())?;
        }
        Ok(Seed(seed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publish_two_ports_binds_loopback() {
        let p: Publish = "8080:80".parse().unwrap();
        assert_eq!(p.host, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(p.port, 80);
    }

    #[test]
    fn publish_with_address_binds_it() {
        let p: Publish = "0.0.0.0:1:2".parse().unwrap();
        assert_eq!(p.host, "0.0.0.0:1".parse().unwrap());
        let p: Publish = "[::1]:0:2".parse().unwrap();
        assert_eq!(p.host, "[::1]:0".parse().unwrap());
    }

    #[test]
    fn publish_nonsense_is_refused() {
        for text in [
            "", "80", "a:b", "80:0", "80:65536", "host:1:2", "::1:1:2", "1:2:3:4",
        ] {
            assert!(text.parse::<Publish>().is_err(), "{text} was taken");
        }
    }

    #[test]
    fn link_takes_loss_and_delay() {
        let link: Link = "loss=1%,delay=20ms".parse().unwrap();
        assert_eq!(link.loss, 0.01);
        assert_eq!(link.delay, Duration::from_millis(20));
        assert_eq!("loss=0.5".parse::<Link>().unwrap().loss, 0.5);
        assert_eq!(
            "delay=1.5s".parse::<Link>().unwrap().delay,
            Duration::from_millis(1500)
        );
    }

    #[test]
    fn link_nonsense_is_refused() {
        for text in [
            "",
            "loss",
            "loss=101%",
            "loss=-1%",
            "loss=NaN",
            "delay=20",
            "delay=-1s",
            "delay=61s",
            "rate=1",
        ] {
            assert!(text.parse::<Link>().is_err(), "{text} was taken");
        }
    }

    #[test]
    fn seed_short_hex_fills_the_last_bytes() {
        let Seed(seed) = "2a".parse().unwrap();
        assert_eq!(seed[31], 0x2a);
        assert_eq!(seed[..31], [0; 31]);
        assert!("".parse::<Seed>().is_err());
        assert!("xyz".parse::<Seed>().is_err());
        assert!("0".repeat(65).parse::<Seed>().is_err());
    }

    #[test]
    fn setting_takes_slashes_as_sysctl_does() {
        let s: Setting = "net/core/somaxconn=16".parse().unwrap();
        assert_eq!(
            (s.name.as_str(), s.value.as_str()),
            ("net.core.somaxconn", "16")
        );
        assert!("somaxconn".parse::<Setting>().is_err());
    }
}
