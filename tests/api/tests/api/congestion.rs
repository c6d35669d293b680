//! net.ipv4.tcp_congestion_control and the two lists beside it; what sockets make of it (docs/linux/congestion.md).

use hearken_abi::Errno;
use hearken_abi::sock::*;
use hearken_twin::{Fd, Ip, Opt, Peer, Twin};

family_cases! {
    congestion_names_are_read_to_the_line_s_end,
    congestion_default_is_taken_when_a_socket_is_made_and_by_each_child,
    congestion_chosen_for_the_listener_is_the_child_s,
}

const DEFAULT: &str = "net.ipv4.tcp_congestion_control";
const AVAILABLE: &str = "net.ipv4.tcp_available_congestion_control";
const ALLOWED: &str = "net.ipv4.tcp_allowed_congestion_control";

fn of(t: &mut dyn Twin, fd: Fd) -> String {
    let name = t.getsockopt(fd, SOL_TCP, TCP_CONGESTION, 16).unwrap();
    String::from_utf8_lossy(&name)
        .trim_end_matches('\0')
        .to_owned()
}

/// The default is reno or another one that this namespace may have: which, is the machine's.
fn another(t: &mut dyn Twin) -> String {
    let allowed = t.sysctl_get(ALLOWED).unwrap();
    let other = allowed.split_whitespace().find(|name| *name != "reno");
    other.expect("a second congestion control").to_owned()
}

fn congestion_names_are_read_to_the_line_s_end(t: &mut dyn Twin, _: Ip) {
    let available = t.sysctl_get(AVAILABLE).unwrap();
    assert!(
        available.split_whitespace().any(|n| n == "reno"),
        "{available}"
    );
    for list in [AVAILABLE, ALLOWED] {
        assert_eq!(t.sysctl(list, "reno"), Err(Errno::EACCES), "{list}");
    }
    for good in ["reno", "reno\n", "reno\nnosuch"] {
        assert_eq!(t.sysctl(DEFAULT, good), Ok(()), "{good:?}");
        assert_eq!(t.sysctl_get(DEFAULT), Ok("reno".to_owned()));
    }
    for bad in [
        " reno",
        "reno cubic",
        "\nreno",
        " ",
        "\n",
        "Reno",
        "nosuch",
        "reno,cubic",
    ] {
        assert_eq!(t.sysctl(DEFAULT, bad), Err(Errno::ENOENT), "{bad:?}");
    }
    assert_eq!(t.sysctl_get(DEFAULT), Ok("reno".to_owned()));
}

fn congestion_default_is_taken_when_a_socket_is_made_and_by_each_child(t: &mut dyn Twin, ip: Ip) {
    let other = another(t);
    t.sysctl(DEFAULT, "reno").unwrap();
    let listener = t.listener(ip, 80, 50);
    t.sysctl(DEFAULT, &other).unwrap();
    assert_eq!(of(t, listener), "reno");
    let fresh = t.socket(ip.domain(), SOCK_STREAM, 0).unwrap();
    assert_eq!(of(t, fresh), other);
    let mut peer = Peer::new(ip, 4000, 80).offering(&[Opt::Mss(1460)]);
    peer.open(t);
    let child = t.accept(listener).unwrap();
    assert_eq!(of(t, child), other);
}

fn congestion_chosen_for_the_listener_is_the_child_s(t: &mut dyn Twin, ip: Ip) {
    let other = another(t);
    let listener = t.listener(ip, 80, 50);
    t.setsockopt(listener, SOL_TCP, TCP_CONGESTION, b"reno")
        .unwrap();
    t.sysctl(DEFAULT, &other).unwrap();
    let mut peer = Peer::new(ip, 4000, 80).offering(&[Opt::Mss(1460)]);
    peer.open(t);
    let child = t.accept(listener).unwrap();
    assert_eq!(of(t, child), "reno");
    let unknown = t.setsockopt(child, SOL_TCP, TCP_CONGESTION, b"nosuch");
    assert_eq!(unknown, Err(Errno::ENOENT));
    assert_eq!(of(t, child), "reno");
}
