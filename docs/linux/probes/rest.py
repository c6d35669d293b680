"""What is left of the statements: ULP, Landlock, a failed listen, SYN flood's word, MPTCP listeners, devices that differ."""
from harness import *


def t_ulp():
    for fam in (AF_INET, AF_INET6):
        s = socket(fam)
        print(fam.name, "TCP_ULP on a fresh socket", {u: E(s.setsockopt, IPPROTO_TCP, 31, u.encode()) for u in ("tls", "smc", "espintcp", "nosuch", "mptcp")}, "get", E(s.getsockopt, IPPROTO_TCP, 31, 16))
        print(fam.name, "  listen", clisten(s.fileno(), 1))
        L = lsock(0, fam=fam, addr="127.0.0.1" if fam == AF_INET else "::1")
        c = socket(fam)
        c.connect(L.getsockname())
        print(fam.name, "TCP_ULP on a connection", {u: E(c.setsockopt, IPPROTO_TCP, 31, u.encode()) for u in ("tls", "smc", "espintcp", "nosuch")}, "on the listener", {u: E(L.setsockopt, IPPROTO_TCP, 31, u.encode()) for u in ("tls", "nosuch")})


def t_failed_listen():
    for fam in (AF_INET, AF_INET6):
        a, b = socket(fam), socket(fam)
        lo = "127.0.0.1" if fam == AF_INET else "::1"
        for s in (a, b):
            s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
            s.bind((lo, 7000))
        print(fam.name, "first", clisten(a.fileno(), 3), "second", clisten(b.fileno(), 5), "limit that the second shows", q(b), "state", info(b)["state"])
        a.close()
        print(fam.name, "  then", clisten(b.fileno(), 7), q(b))
        b.close()


def t_flood():
    for fam, v6 in ((AF_INET, False), (AF_INET6, True)):
        for cookies, port in ((0, 7000), (1, 7001), (2, 7002)):
            sysw("ipv4/tcp_syncookies", cookies)
            t = Tun("tun%d%d" % (v6, cookies), "192.0.2.1/24", "2001:db8::1/64")
            L = lsock(port, 1, "0.0.0.0" if not v6 else "::", fam)
            for sp in range(5):
                t.send(5000 + sp, port, S, 1, v6=v6)
            os.close(t.fd)
            print(fam.name, "cookies", cookies, [x.split("] ")[-1] for x in sh("dmesg | tail -20").splitlines() if "flooding" in x and ":%d." % port in x][-1:])


def floods(port, since):
    return [x.split("] ")[-1] for x in sh("dmesg").splitlines() if "flooding" in x and ":%d." % port in x][since:]


def t_flood_again():
    """A dual listener with IPv4 clients; an address; then a second flood: as it is, after a relisten, after shutdown and listen."""
    sysw("ipv4/tcp_syncookies", 1)
    t = Tun("tunf", "192.0.2.1/24", "2001:db8::1/64")
    for port, addr, fam, v6 in ((7003, "::", AF_INET6, False), (7004, "192.0.2.1", AF_INET, False), (7005, "2001:db8::1", AF_INET6, True)):
        L = lsock(port, 1, addr, fam)
        before = len(floods(port, 0))
        for turn, (what, do) in enumerate((("first", lambda: 0), ("again", lambda: 0), ("relisten", lambda: L.listen(0)), ("shutdown and listen", lambda: (L.shutdown(SHUT_RDWR), L.listen(1))))):
            do()
            for sp in range(5):
                t.send(5000 + 10 * turn + sp, port, S, 1, v6=v6)
            full = [x for x in open("/proc/net/netstat").read().split("\n") if x.startswith("TcpExt")]
            full = dict(zip(*(x.split() for x in full)))["TCPReqQFullDoCookies"]
            said = floods(port, before)
            before += len(said)
            print(fam.name, addr, what, "cookies so far", full, said)


def t_mptcp():
    try:
        L = socket(AF_INET, SOCK_STREAM, 262)
    except OSError as e:
        return print("MPTCP", e)
    L.bind(("127.0.0.1", 7000))
    L.listen(5)
    c = socket()
    c.connect(L.getsockname())
    s = L.accept()[0]
    print("listener's protocol", L.getsockopt(SOL_SOCKET, SO_PROTOCOL), "child of a plain client", s.getsockopt(SOL_SOCKET, SO_PROTOCOL))


main(globals())
