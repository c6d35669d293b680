use super::*;
use hearken_inet::{Config, Domain, Net, SocketId};

const FILE: &str = r#"default = "deny"

[[rule]]
name = "loopback"
action = "allow"
address = ["127.0.0.0/8", "::1"]

[[rule]]
name = "no low ports"
action = "deny"
call = ["bind", "listen"]
port = "1-1023"
errno = "EPERM"

[[rule]]
action = "allow"
call = "bind"

[[rule]]
name = "web"
action = "allow"
call = "connect"
port = [80, 443, "8000-8099"]
"#;

fn socket() -> SocketId {
    Net::new(Config::new([0; 32])).socket(Domain::Inet)
}

fn judge<'a>(policy: &'a Policy, call: Call, addr: &str) -> Result<(), Refusal<'a>> {
    let (socket, local) = (socket(), addr.parse().expect("an address"));
    let addr = Some(local);
    let backlog = 1;
    let listener = socket;
    policy.judge(&match call {
        Call::Bind => SecurityCall::Bind { socket, addr },
        Call::Listen => SecurityCall::Listen {
            socket,
            local,
            backlog,
        },
        Call::Accept => SecurityCall::Accept { listener, local },
        Call::Connect => SecurityCall::Connect { socket, addr },
    })
}

#[test]
fn rules_first_match_decides_and_the_default_decides_the_rest() {
    let policy = Policy::parse(FILE).expect("a good file");
    for (call, addr, refused) in [
        (Call::Bind, "127.0.0.1:80", None),
        (Call::Listen, "[::1]:80", None),
        (Call::Bind, "[::ffff:127.1.2.3]:80", None),
        (Call::Bind, "0.0.0.0:1023", Some((8, "EPERM"))),
        (Call::Listen, "[::]:1", Some((8, "EPERM"))),
        (Call::Bind, "0.0.0.0:1024", None),
        (Call::Bind, "0.0.0.0:0", None),
        (Call::Listen, "0.0.0.0:1024", Some((1, "EACCES"))),
        (Call::Connect, "192.0.2.1:443", None),
        (Call::Connect, "[2001:db8::1]:8099", None),
        (Call::Connect, "192.0.2.1:8100", Some((1, "EACCES"))),
        (Call::Accept, "192.0.2.1:80", Some((1, "EACCES"))),
    ] {
        let got = judge(&policy, call, addr).err();
        let got = got.map(|r| (r.line, r.errno.name()));
        assert_eq!(got, refused, "{call:?} {addr}");
    }
}

#[test]
fn refusal_names_line_and_rule() {
    let policy = Policy::parse(FILE).expect("a good file");
    let said = |call, addr| judge(&policy, call, addr).unwrap_err().to_string();
    assert_eq!(
        said(Call::Bind, "0.0.0.0:80"),
        "bind to 0.0.0.0:80 refused with EPERM (Operation not permitted): line 8, rule \"no low ports\""
    );
    assert_eq!(
        said(Call::Connect, "[2001:db8::1]:22"),
        "connect to [2001:db8::1]:22 refused with EACCES (Permission denied): line 1, the default"
    );
}

#[test]
fn call_without_an_address_is_left_to_the_protocol() {
    let policy = Policy::parse("default = \"deny\"").expect("a good file");
    let (socket, addr) = (socket(), None);
    assert_eq!(
        policy.judge(&SecurityCall::Connect { socket, addr }),
        Ok(())
    );
    assert!(judge(&policy, Call::Connect, "192.0.2.1:1").is_err());
}

#[test]
fn empty_file_allows_everything() {
    let policy = Policy::parse("").expect("a good file");
    assert_eq!(judge(&policy, Call::Bind, "0.0.0.0:80"), Ok(()));
}

#[test]
fn cidr_holds_by_its_first_bits_and_its_family() {
    let holds = |cidr: &str, ip: &str| {
        let (addr, prefix) = cidr.split_once('/').expect("a prefix");
        Cidr {
            addr: addr.parse().expect("an address"),
            prefix: prefix.parse().expect("a number"),
        }
        .holds(ip.parse().expect("an address"))
    };
    assert!(holds("10.0.0.0/8", "10.255.0.1"));
    assert!(!holds("10.0.0.0/8", "11.0.0.0"));
    assert!(holds("10.1.2.3/32", "10.1.2.3"));
    assert!(!holds("10.1.2.3/32", "10.1.2.2"));
    assert!(holds("0.0.0.0/0", "203.0.113.9"));
    assert!(!holds("0.0.0.0/0", "::1"));
    assert!(holds("::/0", "fd00::1"));
    assert!(!holds("::/0", "10.0.0.1"));
    assert!(holds("fd00::/8", "fdff::1"));
    assert!(!holds("fd00::/128", "fd00::1"));
    assert!(holds("192.0.2.128/25", "::ffff:192.0.2.200"));
}

#[test]
fn mistake_in_the_file_says_line_and_what_was_expected() {
    for (text, line, says) in [
        (
            "default = \"maybe\"",
            1,
            "expected \"allow\" or \"deny\", found \"maybe\"",
        ),
        ("\n[[rule]]\naction = \"forbid\"", 3, "found \"forbid\""),
        ("[[rule]]\nname = \"x\"", 1, "missing field `action`"),
        (
            "[[rule]]\naction = \"deny\"\ncall = \"blind\"",
            3,
            "expected a call: \"bind\"",
        ),
        (
            "[[rule]]\naction = \"deny\"\ncall = [\"bind\",\n\"x\"]",
            4,
            "found \"x\"",
        ),
        (
            "[[rule]]\naction = \"deny\"\nport = 65536",
            3,
            "a port such as 80, or a range",
        ),
        (
            "[[rule]]\naction = \"deny\"\nport = \"9-8\"",
            3,
            "found \"9-8\"",
        ),
        (
            "[[rule]]\naction = \"deny\"\nport = []",
            3,
            "found an empty list",
        ),
        (
            "[[rule]]\naction = \"deny\"\nport = true",
            3,
            "a port such as 80",
        ),
        (
            "[[rule]]\naction = \"deny\"\naddress = \"10.0.0.0/33\"",
            3,
            "such as \"127.0.0.1\"",
        ),
        (
            "[[rule]]\naction = \"deny\"\naddress = \"localhost\"",
            3,
            "found \"localhost\"",
        ),
        (
            "[[rule]]\naction = \"deny\"\nerrno = \"EOOPS\"",
            3,
            "the name of an errno",
        ),
        (
            "[[rule]]\naction = \"allow\"\nerrno = \"EPERM\"",
            3,
            "this rule allows",
        ),
        ("[[rule]]\naction = [\"deny\"]", 2, "found a list"),
        (
            "[[rule]]\naction = \"deny\"\nprot = 1",
            3,
            "unknown field `prot`",
        ),
        ("[[rules]]\naction = \"deny\"", 1, "unknown field `rules`"),
        ("a\nb = ", 1, ""),
    ] {
        let mistake = Policy::parse(text).unwrap_err();
        assert_eq!(mistake.line, line, "{text}: {mistake}");
        assert!(mistake.what.contains(says), "{text}: {mistake}");
        assert!(!mistake.to_string().contains('\n'), "{mistake}");
    }
}
