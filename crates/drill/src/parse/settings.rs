//! `--name=value` lines.

use std::net::IpAddr;
use std::time::Duration;

use super::cursor::{Cursor, Parsed, unsigned};
use super::source::Define;
use crate::ast::{IpVersion, Settings};
use crate::error::nearest;
use crate::span::Span;

/// What packetdrill has and what changes nothing in a run here.
const WITHOUT_EFFECT: &[&str] = &[
    "speed",
    "verbose",
    "debug",
    "send_omit_free",
    "code_command",
    "code_format",
    "code_sockopt",
    "persistent_tun_dev",
    "no_cleanup",
    "dry_run",
    "is_anyip",
    "tun_dev",
    "hardware",
];

/// What cannot be done here, and why.
const REFUSED: &[(&str, &str)] = &[
    ("wire_client", WIRE),
    ("wire_server", WIRE),
    ("wire_server_ip", WIRE),
    ("wire_server_port", WIRE),
    ("wire_client_dev", WIRE),
    ("wire_server_dev", WIRE),
    (
        "so_filename",
        "the stack under test is Hearken or this machine's Linux (--linux)",
    ),
    (
        "so_flags",
        "the stack under test is Hearken or this machine's Linux (--linux)",
    ),
    ("udp_encaps", "TCP inside UDP is not supported"),
];

const WIRE: &str = "scripts are not run between two machines here";

/// Names with a value of their own.
const NAMES: &[&str] = &[
    "ip_version",
    "local_ip",
    "remote_ip",
    "netmask_ip",
    "gateway_ip",
    "bind_port",
    "local_port",
    "connect_port",
    "remote_port",
    "mtu",
    "mss",
    "tolerance_usecs",
    "tcp_ts_tick_usecs",
    "tcp_ts_ecr_scaled",
    "strict_segments",
    "non_fatal",
    "init_scripts",
    "define",
];

/// Reads one option; `--` stands here. The value ends with the line.
pub(crate) fn option(cursor: &mut Cursor<'_>, settings: &mut Settings) -> Parsed<()> {
    let from = cursor.place();
    cursor.eat("--");
    let name = cursor.run_of(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let name_span = cursor.span(from);
    let value = if cursor.eat("=") {
        let from = cursor.place();
        let mut text = cursor.run_of(|c| c != '\n');
        // `--mss=1000 --mtu=1200`: the next option stands on the same line.
        if let Some((this, _)) = text.split_once(" --") {
            let here = from + this.chars().count();
            text = this.to_owned();
            cursor.back_to(here);
        }
        Some((text.trim().to_owned(), cursor.span(from)))
    } else {
        None
    };
    cursor.skip_space();
    set(settings, &name, name_span, value)
}

/// Sets one option, of a script or of the command line.
pub(crate) fn set(
    settings: &mut Settings,
    name: &str,
    name_span: Span,
    value: Option<(String, Span)>,
) -> Parsed<()> {
    let text = |what: &str| match &value {
        Some((text, span)) if !text.is_empty() => Ok((text.trim_matches('"').to_owned(), *span)),
        _ => Err((name_span, format!("--{name} needs {what}: --{name}=..."))),
    };
    let number = |what: &str, most: u64| {
        let (text, span) = text(what)?;
        match unsigned(&text) {
            Some(n) if n <= most => Ok(n),
            _ => Err((
                span,
                format!("expected {what} up to {most}, found `{text}`"),
            )),
        }
    };
    let address = || {
        let (text, span) = text("an address")?;
        text.parse::<IpAddr>().map_err(|_| {
            (
                span,
                format!("expected an IPv4 or IPv6 address, found `{text}`"),
            )
        })
    };
    let port = || number("a port", 0xffff).map(|n| u16::try_from(n).ok());
    let micros = || number("microseconds", 1 << 40).map(|n| Some(Duration::from_micros(n)));
    let yes = || match &value {
        None => Ok(true),
        Some((text, span)) => match text.as_str() {
            "" | "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err((*span, format!("expected 1 or 0, found `{text}`"))),
        },
    };
    match name.replace('-', "_").as_str() {
        "ip_version" => {
            let (text, span) = text("ipv4, ipv4-mapped-ipv6 or ipv6")?;
            let named = |name: &str| {
                IpVersion::named(name.trim()).ok_or_else(|| {
                    (
                        span,
                        format!("expected ipv4, ipv4-mapped-ipv6 or ipv6, found `{name}`"),
                    )
                })
            };
            let versions: Parsed<Vec<IpVersion>> = text.split(',').map(named).collect();
            // Of several, `parse_each` makes as many scripts.
            settings.ip_version = versions?.first().copied();
        }
        "local_ip" => settings.local_ip = Some(address()?),
        "remote_ip" => settings.remote_ip = Some(address()?),
        "gateway_ip" => settings.gateway_ip = Some(address()?),
        "netmask_ip" => settings.netmask_ip = Some(address()?),
        "bind_port" | "local_port" => settings.bind_port = port()?,
        "connect_port" | "remote_port" => settings.connect_port = port()?,
        "mtu" => settings.mtu = u32::try_from(number("an MTU", 65535)?).ok(),
        "mss" => settings.mss = u16::try_from(number("an MSS", 65535)?).ok(),
        "tolerance_usecs" => settings.tolerance = micros()?,
        "tcp_ts_tick_usecs" => settings.timestamp_tick = micros()?,
        "tcp_ts_ecr_scaled" => settings.timestamp_ecr_scaled = yes()?,
        "strict_segments" => settings.strict_segments = yes()?,
        "init_scripts" => {
            let (text, _) = text("files with commas between")?;
            settings.init_scripts = text.split(',').map(|f| f.trim().to_owned()).collect();
        }
        "non_fatal" => {
            let (text, span) = text("packet, syscall or both with a comma")?;
            for part in text.split(',') {
                match part.trim() {
                    "packet" => settings.non_fatal_packet = true,
                    "syscall" => settings.non_fatal_syscall = true,
                    _ => return Err((span, format!("expected packet or syscall, found `{part}`"))),
                }
            }
        }
        // Read before everything else: see `defines`.
        "define" => {}
        plain if WITHOUT_EFFECT.contains(&plain) => settings.without_effect.push(name.to_owned()),
        plain => return Err((name_span, refusal(plain))),
    }
    Ok(())
}

fn refusal(name: &str) -> String {
    if let Some((_, why)) = REFUSED.iter().find(|(n, _)| *n == name) {
        return format!("--{name} is not supported: {why}");
    }
    match nearest(name, NAMES.iter().chain(WITHOUT_EFFECT).copied()) {
        Some(near) => format!("unknown option --{name}; did you mean --{near}?"),
        None => format!("unknown option --{name} (known: {})", NAMES.join(", ")),
    }
}

/// The `--define=NAME=value` lines of a script.
pub(crate) fn defines(text: &str) -> Vec<Define> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("--define"))
        .filter_map(|rest| {
            let (name, value) = rest.trim_start_matches(['=', ' ']).split_once('=')?;
            let value = value.trim();
            let value = value
                .strip_prefix('"')
                .and_then(|v| v.strip_suffix('"'))
                .unwrap_or(value);
            Some((name.trim().to_owned(), value.to_owned()))
        })
        .collect()
}

/// The versions of a script's last `--ip_version` line; none if a name in it is wrong, which `set` says.
pub(crate) fn versions(text: &str) -> Vec<IpVersion> {
    let value = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--ip_version="))
        .next_back()
        .unwrap_or_default();
    let names = value.trim().trim_matches('"').split(',');
    let all: Option<Vec<IpVersion>> = names.map(|n| IpVersion::named(n.trim())).collect();
    all.unwrap_or_default()
}
