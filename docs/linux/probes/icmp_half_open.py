from harness import *


def ic6(t, typ, code, inner, extra=0):
    src = "2001:db8::2"
    dst = t.me6
    b = struct.pack("!BBHI", typ, code, 0, extra) + inner
    a = inet_pton(AF_INET6, src) + inet_pton(AF_INET6, dst)
    c = csum(a + struct.pack("!IHBB", len(b), 0, 0, 58) + b)
    b = b[:2] + struct.pack("!H", c) + b[4:]
    t.raw(struct.pack("!IHBB", 0x60000000, len(b), 58, 64) + a + b)


def main():
    enter()
    t = Tun()
    sysw("ipv4/tcp_synack_retries", 2)
    L = socket()
    L.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    L.bind(("192.0.2.1", 140))
    L.listen(50)
    L6 = socket(AF_INET6)
    L6.bind(("2001:db8::1", 140))
    L6.listen(50)
    for nm, ty, co in (
        ("param problem", 12, 0),
        ("source quench", 4, 0),
        ("redirect", 5, 1),
        ("proto-unreach", 3, 2),
        ("source-route-failed", 3, 5),
        ("host-unknown", 3, 7),
        ("TE reass", 11, 1),
    ):
        sp = 1000 + ty * 10 + co
        t.drain()
        t.send(sp, 140, S, 100, opts=MSS(1460))
        p = t.one()
        ih = (
            struct.pack("!BBHHHBBH", 0x45, 0, 60, 0, 0, 64, 6, 0)
            + inet_aton("192.0.2.1")
            + inet_aton("192.0.2.2")
            + struct.pack("!HHI", 140, sp, p["seq"])
        )
        n0 = nstat()
        t.icmp(ty, co, ih)
        time.sleep(0.03)
        print("v4", nm, "syn-recv", sh(f"ss -Htan state syn-recv dport = {sp}").count("\n"), ndiff(n0, nstat(), ("Tcp", "Icmp.InE")))
    for nm, ty, co in (
        ("no route", 1, 0),
        ("admin", 1, 1),
        ("beyond scope", 1, 2),
        ("addr unreach", 1, 3),
        ("port unreach", 1, 4),
        ("policy fail", 1, 5),
        ("reject route", 1, 6),
        ("too big 1280", 2, 0),
        ("hop limit", 3, 0),
        ("param hdr", 4, 0),
        ("param nexthdr", 4, 1),
    ):
        sp = 2000 + ty * 10 + co
        t.drain()
        t.send(sp, 140, S, 100, opts=MSS(1440), v6=True)
        p = t.one()
        ih = (
            struct.pack("!IHBB", 0x60000000, 24, 6, 64)
            + inet_pton(AF_INET6, "2001:db8::1")
            + inet_pton(AF_INET6, "2001:db8::2")
            + struct.pack("!HHIIHHHH", 140, sp, p["seq"], 101, 0x6012, 65535, 0, 0)
        )
        n0 = nstat()
        ic6(t, ty, co, ih, 1280 if ty == 2 else 0)
        time.sleep(0.03)
        print("v6", nm, "syn-recv", sh(f"ss -Htan6 state syn-recv dport = {sp}").count("\n"), ndiff(n0, nstat(), ("Tcp", "Icmp6.")))


main()
