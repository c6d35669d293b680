from harness import *
from syn_ack_and_queues import hs, DO
from half_open_and_close import ackof
from accept import cacc, pair
from fast_open import cookie, KEY, fo, TFOQ


def cbpf(s, insns, o=51):
    b = b"".join(struct.pack("HBBI", *i) for i in insns)
    buf = ctypes.create_string_buffer(b)
    pr = struct.pack("HxxxxxxP", len(insns), ctypes.addressof(buf))
    s.setsockopt(SOL_SOCKET, o, pr)


RP = lambda s: s.setsockopt(SOL_SOCKET, 15, 1)


def grp(n, port, bl=100, addr=""):
    return [lsock(port, bl, addr, pre=RP) for _ in range(n)]


def t_accept_err2():
    k = [socket(), socket(AF_INET, SOCK_DGRAM), socket(AF_UNIX, SOCK_DGRAM), socket(), socketpair()[0], socket(AF_INET, SOCK_RAW, 1), socket(AF_UNIX)]
    k[3].bind(("127.0.0.1", 0))
    print(
        "accept: unbound tcp",
        cacc(k[0].fileno()),
        "udp",
        cacc(k[1].fileno()),
        "unix dgram",
        cacc(k[2].fileno()),
        "bound",
        cacc(k[3].fileno()),
        "socketpair",
        cacc(k[4].fileno()),
        "raw",
        cacc(k[5].fileno()),
        "unix stream",
        cacc(k[6].fileno()),
    )
    print("accept4 bad flag on udp", cacc(k[1].fileno(), flags=1), "on devnull", cacc(os.open("/dev/null", 0), flags=1))
    L = socket()
    L.bind(("127.0.0.1", 0))
    L.listen(5)
    c = pair(L)
    time.sleep(0.05)
    print("EINTR pending signal but conn queued: accept ok", cacc(L.fileno()) > 0)
    sysw("core/somaxconn", 2**31 - 1)
    s = socket()
    clisten(s.fileno(), -1)
    print("ss Send-Q", sh("ss -Hltn sport = %d" % s.getsockname()[1]).split()[:3], open("/proc/net/tcp").read().split("\n")[-2][:100])
    # listening on fd via dup/fork; SCM? skip


def t_rp():
    t = Tun()
    G = grp(4, 80, 1000)
    cnt = [0] * 4
    where = {}
    for i in range(400):
        hs(t, 80, 1000 + i, opts=MSS(1460))
    time.sleep(0.05)
    print("400 conns over 4 listeners", [q(g) for g in G])
    pat = []

    def who(before):
        a = [q(g)[0] for g in G]
        return [i for i in range(len(G)) if a[i] != before[i]]

    r = []
    for rep in range(4):
        b = [q(g)[0] for g in G]
        p = hs(t, 80, 5000, opts=MSS(1460))
        time.sleep(0.01)
        r.append(who(b))
        t.send(5000, 80, R, 1001)
        w = r[-1][0]
        G[w].setblocking(0)
        while 1:
            try:
                G[w].accept()
            except OSError:
                break
    print("same 4-tuple 4 times ->", r)
    for g in G:
        try:
            while 1:
                g.accept()
        except OSError:
            pass
    cbpf(G[0], [(6, 0, 0, 2)])
    [hs(t, 80, 6000 + i, opts=MSS(1460)) for i in range(20)]
    time.sleep(0.02)
    print("CBPF ret 2", [q(g)[0] for g in G])
    cbpf(G[1], [(6, 0, 0, 9)])
    [hs(t, 80, 6100 + i, opts=MSS(1460)) for i in range(40)]
    time.sleep(0.02)
    print("CBPF ret 9 (out of range): falls back to hash", [q(g)[0] for g in G])
    cbpf(G[1], [(6, 0, 0, 3)])
    G[0].close()
    [hs(t, 80, 6200 + i, opts=MSS(1460)) for i in range(10)]
    time.sleep(0.02)
    print("after closing [0], idx 3 invalid of 3:", [q(g)[0] for g in G[1:]])
    cbpf(G[1], [(6, 0, 0, 0)])
    [hs(t, 80, 6300 + i, opts=MSS(1460)) for i in range(10)]
    time.sleep(0.02)
    print("ret 0 now is which (last moved into slot 0?)", [q(g)[0] for g in G[1:]])
    print(
        "DETACH_REUSEPORT_BPF",
        E(G[1].setsockopt, SOL_SOCKET, 68, 0),
        "again",
        E(G[1].setsockopt, SOL_SOCKET, 68, 0),
        "attach without REUSEPORT",
        E(cbpf, socket(), [(6, 0, 0, 0)]),
    )
    # CBPF skb data: payload-relative? return first byte of sport
    G2 = grp(2, 81)
    cbpf(G2[0], [(0x28, 0, 0, 0), (0x54, 0, 0, 1), (6 + 0x10, 0, 0, 0)]) if 0 else None
    # drain then new listener joins after
    G3 = grp(1, 82)
    [hs(t, 82, 7000 + i, opts=MSS(1460)) for i in range(20)]
    G3 += grp(1, 82)
    [hs(t, 82, 7100 + i, opts=MSS(1460)) for i in range(40)]
    time.sleep(0.02)
    print("joined later", [q(g)[0] for g in G3])
    # half-open stays with original listener though group grows
    G4 = grp(1, 83)
    ps = [hs(t, 83, 8000 + i, ack=False, opts=MSS(1460)) for i in range(10)]
    G4 += grp(3, 83)
    [t.send(8000 + i, 83, A, 1001, p["seq"] + 1) for i, p in enumerate(ps)]
    time.sleep(0.05)
    print("half-open then group grows: ACKs complete on", [q(g)[0] for g in G4])
    # one not-yet-listening member
    A_ = lsock(84, 5, pre=RP)
    b = socket()
    b.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    RP(b)
    b.bind(("", 84))
    [hs(t, 84, 9000 + i, opts=MSS(1460)) for i in range(5)]
    time.sleep(0.02)
    print("bound-only member gets none", q(A_))
    # a full member: others not tried
    G5 = grp(2, 85, bl=0)
    cbpf(G5[0], [(6, 0, 0, 0)])
    r = [bool(hs(t, 85, 9100 + i, opts=MSS(1460))) for i in range(4)]
    print("full member: SYN dropped rather than handed on", r, [q(g) for g in G5])
    # incoming cpu
    os.sched_setaffinity(0, {0})
    G6 = grp(2, 86)
    G6[0].setsockopt(SOL_SOCKET, 49, 1)
    G6[1].setsockopt(SOL_SOCKET, 49, 0)
    [hs(t, 86, 9200 + i, opts=MSS(1460)) for i in range(20)]
    time.sleep(0.02)
    print("SO_INCOMING_CPU 1/0, packets injected on cpu 0", [q(g)[0] for g in G6])


def t_migrate():
    t = Tun()
    for how in ("close", "shutdown"):
        for m in (0, 1):
            port = 90 + m + (2 if how == "shutdown" else 0)
            sysw("ipv4/tcp_migrate_req", m)
            G = grp(2, port)
            cbpf(G[0], [(6, 0, 0, 0)])
            K = port * 100
            for i in range(3):
                hs(t, port, K + i, opts=MSS(1460))
            h = hs(t, port, K + 50, ack=False, opts=MSS(1460))
            t2 = hs(t, port, K + 51, ack=False, opts=MSS(1460))
            time.sleep(0.02)
            t.drain()
            n0 = nstat()
            b = [q(g) for g in G]
            G[0].close() if how == "close" else G[0].shutdown(SHUT_RD)
            r = [(p["dport"], p["fl"]) for p in t.recv(0.05)]
            t.send(K + 50, port, A, 1001, h["seq"] + 1)
            r2 = show(t.recv(0.05, K + 50))
            time.sleep(0.02)
            print(how, "migrate_req", m, "before", b, "RSTs", r, "q of survivor", q(G[1]), "late ACK of half-open ->", r2, ndiff(n0, nstat()))
            if m:
                r = t.recv(1.3, K + 51)
                print("   half-open SYN-ACK rexmit continues", [p["fl"] for p in r], ndiff(n0, nstat(), ("TcpExt.TCPMig",)))
    # survivor full
    sysw("ipv4/tcp_migrate_req", 1)
    G = grp(2, 95, bl=2)
    cbpf(G[0], [(6, 0, 0, 0)])
    [hs(t, 95, 300 + i, opts=MSS(1460)) for i in range(3)]
    clisten(G[1].fileno(), 0)
    time.sleep(0.02)
    n0 = nstat()
    b = [q(g) for g in G]
    G[0].close()
    time.sleep(0.02)
    print("survivor backlog 0, 3 migrating:", b, "->", q(G[1]), [(p["dport"], p["fl"]) for p in t.recv(0.05)], ndiff(n0, nstat()))
    # reuse slot: re-listen after shutdown joins group
    G = grp(2, 96)
    G[0].shutdown(SHUT_RD)
    print("re-listen in group", clisten(G[0].fileno(), 5), E(lambda: grp(1, 96)) and "ok")


def t_tfo_rst60():
    t = Tun()
    sysw("ipv4/tcp_fastopen", 3)
    sysw("ipv4/tcp_fastopen_key", KEY)
    c = cookie(KEY)
    L2 = lsock(81, 5, pre=fo(1))
    t.send(30, 81, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
    p = t.one(0.2, 30)
    a, _ = L2.accept()
    t.send(30, 81, R, 1006)
    time.sleep(0.02)
    print("state", info(a)["state"])
    t.send(31, 81, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
    p = t.one(0.2, 31)
    print("accepted TFO child RST before ACK: next TFO SYN acked", p["ack"] - 1001, ndiff({}, nstat(), ("TcpExt.TCPFastOpen",)))
    time.sleep(60.5)
    t.send(32, 81, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
    p = t.one(0.2, 32)
    print(" after 60 s acked", p["ack"] - 1001)


def t_synack_default():
    t = Tun()
    L = lsock(97, 5)
    p = hs(t, 97, 1, ack=False)
    t0 = p["t"]
    r = t.recv(63.5, 1)
    print(
        "default retries 5: rexmit times",
        [round(x["t"] - t0, 2) for x in r],
        "syn-recv at",
        round(time.time() - t0, 1),
        sh("ss -Htan state syn-recv").count("\n"),
        ndiff({}, nstat(), ("TcpExt.TCPTime", "TcpExt.TCPSynR", "TcpExt.ListenD", "Tcp.Att", "Tcp.Retr", "TcpExt.Emb")),
    )


def t_landlock():
    # landlock ABI 4: deny bind_tcp except 7070
    v = libc.syscall(444, 0, 0, 1)
    print("landlock abi", v)
    a = struct.pack("QQ", 0, 1)
    b = ctypes.create_string_buffer(a)
    fd = libc.syscall(444, b, 16, 0)
    rule = ctypes.create_string_buffer(struct.pack("QQ", 1, 7070))
    print("rule", libc.syscall(445, fd, 2, rule, 0))
    libc.prctl(38, 1, 0, 0, 0)
    print("restrict", libc.syscall(446, fd, 0))
    print("bind other", E(socket().bind, ("", 7071)), "bind 0", E(socket().bind, ("", 0)), "bind allowed", E(socket().bind, ("", 7070)))
    s = socket()
    print("listen autobind", clisten(s.fileno(), 1), s.getsockname())


def t_md5():
    t = Tun()
    k = lambda addr, key: struct.pack("H6s120xBBHi80s", AF_INET, b"\0\0" + inet_aton(addr), 0, 0, len(key), 0, key)
    L = lsock(80, 5, pre=lambda s: s.setsockopt(6, 14, k("192.0.2.2", b"secret")))
    n0 = nstat()
    p = hs(t, 80, 1, ack=False)
    print("MD5 key for peer, SYN w/o MD5", show(p), ndiff(n0, nstat()))
    p = hs(t, 80, 2, ack=False, src="192.0.2.3")
    print("other peer, no key", show(p))
    n0 = nstat()
    t.send(3, 80, S, 1000, opts=MSS(1460) + b"\1\1\x13\x12" + b"x" * 16, src="192.0.2.3")
    print("unexpected MD5", show(t.recv(0.05, 3)), ndiff(n0, nstat()))
    n0 = nstat()
    t.send(4, 80, S, 1000, opts=MSS(1460) + b"\1\1\x13\x12" + b"x" * 16)
    print("bad MD5", show(t.recv(0.05, 4)), ndiff(n0, nstat()))


def t_uid():
    pass


def t_sysctls():
    L = sh("sysctl -a 2>/dev/null").splitlines()
    L = [
        l
        for l in L
        if l.startswith(
            (
                "net.ipv4.tcp",
                "net.core",
                "net.ipv4.ip_local",
                "net.ipv4.ip_",
                "net.ipv6.bind",
                "net.ipv6.auto_flow",
                "net.ipv6.flow",
                "net.mptcp",
                "net.ipv4.udp_l3",
                "net.ipv4.fwm",
                "net.ipv4.icmp",
            )
        )
    ]
    print("\n".join(L))


if __name__ == "__main__":
    main(globals())
