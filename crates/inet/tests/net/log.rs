//! The log's word of a SYN flood (docs/linux 88).

use crate::common::peer::*;
use core::time::Duration;
use hearken_inet::*;

/// So many SYNs from ports of their own, from `first` on; what the log says then.
fn flood(p: &mut Peer, first: u16, count: u16) -> Vec<String> {
    for port in first..first + count {
        p.port = port;
        p.put(SYN, 1000, 0, &[]);
        p.out();
    }
    core::iter::from_fn(|| p.net.poll_log())
        .map(|m| m.to_string())
        .collect()
}

fn listener(cookies: &str) -> (Peer, SocketId) {
    let mut p = Peer::new();
    p.net
        .sysctl_set("net.ipv4.tcp_syncookies", cookies)
        .unwrap();
    let l = p.listen();
    p.net.listen(p.now, l, 1).unwrap();
    (p, l)
}

#[test]
fn log_tells_of_a_listeners_first_flood_only() {
    for (cookies, action) in [("0", "Dropping request."), ("1", "Sending cookies.")] {
        let (mut p, l) = listener(cookies);
        assert_eq!(flood(&mut p, 2000, 2), [""; 0], "both fit");
        let said = flood(&mut p, 2002, 3);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("TCP: request_sock_TCP: Possible SYN flooding on port "));
        assert!(said[0].ends_with(action), "{said:?}");
        assert_eq!(flood(&mut p, 2010, 3), [""; 0]);
        // Neither a new limit nor a new start makes it a new listener.
        p.net.listen(p.now, l, 0).unwrap();
        assert_eq!(flood(&mut p, 2020, 3), [""; 0]);
        p.net.shutdown(p.now, l, Shutdown::Both).unwrap();
        p.net.listen(p.now, l, 1).unwrap();
        assert_eq!(flood(&mut p, 2030, 3), [""; 0]);
    }
}

#[test]
fn log_is_silent_where_cookies_are_always_sent() {
    let (mut p, _) = listener("2");
    assert_eq!(flood(&mut p, 2000, 9), [""; 0]);
}

#[test]
fn log_keeps_the_newest_lines_of_many() {
    let (mut p, _) = listener("0");
    let mut last = 0;
    for port in 3000..3300 {
        let s = p.net.socket(Domain::Inet);
        let at = format!("10.0.0.2:{port}").parse().unwrap();
        p.net.bind(s, at, &Cred::ROOT).unwrap();
        p.net.listen(p.now, s, 0).unwrap();
        p.sport = port;
        p.port = 2000;
        for _ in 0..2 {
            p.put(SYN, 1000, 0, &[]);
            p.port += 1;
        }
        p.out();
        last = port;
    }
    p.wait(Duration::ZERO);
    let said: Vec<_> = core::iter::from_fn(|| p.net.poll_log()).collect();
    assert_eq!(said.len(), 256);
    let Message::SynFlood { local, .. } = said[255];
    assert_eq!(local.port(), last);
}
