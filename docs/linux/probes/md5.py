"TCP_MD5SIG and TCP_MD5SIG_EXT (RFC 2385)."
import hashlib
from harness import *

MD5SIG, MD5SIG_EXT = 14, 32
PREFIX, IFINDEX = 1, 2
KEY = b"secret"
PEER, PEER6 = "192.0.2.2", "2001:db8::2"


def md5sig(addr, key, fam=None, flags=0, prefix=0, ifindex=0, keylen=None, port=0):
    fam = fam if fam is not None else (AF_INET6 if ":" in addr else AF_INET)
    if ":" in addr:
        sa = struct.pack("=H2sI16sI", fam, struct.pack("!H", port), 0, inet_pton(AF_INET6, addr), 0)
    else:
        sa = struct.pack("=H2s4s", fam, struct.pack("!H", port), inet_aton(addr))
    n = len(key) if keylen is None else keylen
    return struct.pack("=128sBBHi80s", sa, flags, prefix, n, ifindex, key)


def key(s, addr, k=KEY, name=MD5SIG, **kw):
    return E(s.setsockopt, IPPROTO_TCP, name, md5sig(addr, k, **kw))


def digest(ip4or6, k):
    "RFC 2385 2.0 over a raw IP packet"
    b = ip4or6
    if b[0] >> 4 == 4:
        h = (b[0] & 15) * 4
        t = b[h : struct.unpack("!H", b[2:4])[0]]
        ps = b[12:20] + struct.pack("!BBH", 0, 6, len(t))
    else:
        t = b[40 : 40 + struct.unpack("!H", b[4:6])[0]]
        ps = b[8:40] + struct.pack("!IBBBB", len(t), 0, 0, 0, 6)
    off = (t[12] >> 4) * 4
    return hashlib.md5(ps + t[:16] + b"\0\0" + t[18:20] + t[off:] + k).digest()


class Signed(Tun):
    "A TUN whose send() can sign, and which tells how what it read is signed."

    def raw(s, b):
        os.write(s.fd, b)

    def sign(s, sport, dport, fl, k=KEY, opts=b"", wrong=False, **kw):
        # A first packet, never written, gives the digest.
        kept, s.raw = s.raw, lambda b: None
        o = opts + b"\1\1\x13\x12" + bytes(16)
        s.send(sport, dport, fl, opts=o, **kw)
        d = digest(s.last, k)
        if wrong:
            d = bytes(16)
        s.raw = kept
        s.send(sport, dport, fl, opts=opts + b"\1\1\x13\x12" + d, **kw)

    def got(s, timeout=0.15, keys=(KEY,), port=None):
        out = []
        end = time.time() + timeout
        while True:
            r = select.select([s.fd], [], [], max(0, end - time.time()))
            if not r[0]:
                break
            b = os.read(s.fd, 65536)
            p = parse(b)
            if p is None or p["icmp"] or port and p["dport"] != port:
                continue
            sig = opt(p, 19)
            how = "unsigned"
            if sig:
                how = "signed by another key"
                for k in keys:
                    if bytes.fromhex(sig[1]) == digest(b, k):
                        how = "signed by %s" % k.decode()
            p["opts"] = [("MD5",) if o[0] == 19 else o for o in p["opts"]]
            p["how"] = how
            out.append(p)
        return out


def tell(ps):
    return " | ".join(show(p) + " " + p["how"] for p in ps) or "NONE"


def rel(ps, me=0, peer=0):
    "flags, options and signature only"
    return " | ".join("%s %s len=%d %s" % (p["fl"], [o[0] if o[0] == "TS" else o for o in p["opts"]], len(p["data"]), p["how"]) for p in ps) or "NONE"


def delta(a):
    return ndiff(a, nstat())


def t_setsockopt_values():
    "what setsockopt says"
    s = socket()
    for n in (0, 4, 215, 216, 217, 300):
        print("length", n, E(s.setsockopt, IPPROTO_TCP, MD5SIG, (md5sig(PEER, KEY) + bytes(200))[:n]), E(s.setsockopt, IPPROTO_TCP, MD5SIG_EXT, (md5sig(PEER, KEY) + bytes(200))[:n]))
    for n in (0, 4, 216, 256):
        print("getsockopt", n, E(s.getsockopt, IPPROTO_TCP, MD5SIG, n), E(s.getsockopt, IPPROTO_TCP, MD5SIG_EXT, n))
    s = socket()
    s6 = socket(AF_INET6)
    for name, x in (("AF_INET", s), ("AF_INET6", s6)):
        for a in (PEER, PEER6, "::ffff:192.0.2.2"):
            for fam in (AF_INET, AF_INET6, 0, 1):
                print(name, "socket, address", a, "family", fam, "set", key(x, a, fam=fam), "delete", key(x, a, b"", fam=fam))
    s = socket()
    print("delete what is not there", key(s, PEER, b""), "EXT", key(s, PEER, b"", name=MD5SIG_EXT))
    for n in (0, 1, 80, 81, 65535):
        print("key length", n, key(s, PEER, b"x" * min(n, 80), keylen=n))
    print("set again", key(s, PEER), key(s, PEER, b"other"), "delete", key(s, PEER, b""), "again", key(s, PEER, b""))
    print("port in address", key(s, PEER, port=99), "delete without", key(s, PEER, b""))


def t_setsockopt_flags():
    "prefix and ifindex"
    s, s6 = socket(), socket(AF_INET6)
    for f in (0, 1, 2, 3, 4, 8, 0x80, 0xFF):
        print("MD5SIG flags", f, "prefix 40", key(s, PEER, flags=f, prefix=40, ifindex=99), "delete", key(s, PEER, b""))
    for f in (0, 4, 8, 0x80):
        print("EXT flags", f, "prefix 40", key(s, PEER, name=MD5SIG_EXT, flags=f, prefix=40), "delete", key(s, PEER, b""))
    for p in (0, 1, 24, 31, 32, 33, 128, 255):
        print("EXT prefix", p, key(s, PEER, name=MD5SIG_EXT, flags=PREFIX, prefix=p), "plain delete", key(s, PEER, b""), "same delete", key(s, PEER, b"", name=MD5SIG_EXT, flags=PREFIX, prefix=p))
    for p in (0, 1, 64, 127, 128, 129, 255):
        print("EXT v6 prefix", p, key(s6, PEER6, name=MD5SIG_EXT, flags=PREFIX, prefix=p), "plain delete", key(s6, PEER6, b""), "same delete", key(s6, PEER6, b"", name=MD5SIG_EXT, flags=PREFIX, prefix=p))
    m = "::ffff:192.0.2.2"
    for p in (0, 24, 32, 33, 96, 120, 128, 129):
        print("EXT mapped prefix", p, key(s6, m, name=MD5SIG_EXT, flags=PREFIX, prefix=p), "plain delete", key(s6, m, b""), "same delete", key(s6, m, b"", name=MD5SIG_EXT, flags=PREFIX, prefix=p))
    print("delete 192.0.2.2/24 as 192.0.2.9/24", key(s, PEER, name=MD5SIG_EXT, flags=PREFIX, prefix=24), key(s, "192.0.2.9", b"", name=MD5SIG_EXT, flags=PREFIX, prefix=24), key(s, PEER, b"", name=MD5SIG_EXT, flags=PREFIX, prefix=24))
    t = Tun()
    sh("ip link add red type vrf table 10")
    sh("ip link set red up")
    red = if_nametoindex("red") if "red" in sh("ip link") else 0
    for i in (0, 1, if_nametoindex("tun0"), red, 999, -1):
        print("EXT ifindex", "vrf" if i and i == red else i, key(s, PEER, name=MD5SIG_EXT, flags=IFINDEX, ifindex=i), "plain delete", key(s, PEER, b""), "same delete", key(s, PEER, b"", name=MD5SIG_EXT, flags=IFINDEX, ifindex=i))
    print("order: bad family and prefix 33", key(s, PEER, name=MD5SIG_EXT, fam=9, flags=PREFIX, prefix=33))
    print("order: delete missing with prefix 33", key(s, PEER, b"", name=MD5SIG_EXT, flags=PREFIX, prefix=33))
    print("order: delete missing with length 81", key(s, PEER, b"", keylen=81))
    print("order: bad ifindex, delete", key(s, PEER, b"", name=MD5SIG_EXT, flags=IFINDEX, ifindex=999))


def t_setsockopt_files():
    "states, kinds of sockets, no capability, how many"
    t = Signed()
    d = socket(AF_INET, SOCK_DGRAM)
    print("datagram", key(d, PEER))
    L = lsock(80)
    print("listener", key(L, PEER))
    c = socket()
    c.setblocking(False)
    print("connect", E(c.connect, (PEER, 99)), "SYN_SENT", key(c, PEER), key(c, "192.0.2.7"))
    a = socket()
    a.connect(("127.0.0.1", 80))
    b, _ = L.accept()
    print("established", key(a, PEER), key(b, "127.0.0.1"))
    a.shutdown(SHUT_WR)
    b.close()
    time.sleep(0.05)
    print("state", info(a)["state"], key(a, "192.0.2.9"), key(a, PEER, b""))
    pid = os.fork()
    if pid == 0:
        os.setgid(65534)
        os.setuid(65534)
        s = socket()
        print("as nobody", key(s, PEER), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
    for fam, name in ((AF_INET, "optmem_max"),):
        print(name, sysr("core/" + name))
    for most in (None, 20480, 1000, 200, 100, 0):
        if most is not None:
            print("optmem_max", most, E(sysw, "core/optmem_max", most), sysr("core/optmem_max"))
        for fam in (AF_INET, AF_INET6):
            s = socket(fam)
            n = 0
            r = "OK"
            while n < 3000 and r == "OK":
                r = key(s, "10.0.%d.%d" % (n >> 8, n & 255) if fam == AF_INET else "2001:db8::%x" % n)
                n += r == "OK"
            print("  keys of one socket", n, r, "replacing one", key(s, "10.0.0.0" if fam == AF_INET else "2001:db8::0", b"z"))


SYN_ALL = MSS(1460) + SACKOK + TS(100) + WS(7)


def t_syn_ack_layout():
    "options of a signed SYN-ACK; of data, ACK, SACK"
    t = Signed()
    for v6 in (False, True):
        # A backlog that keeps SYN cookies, which are another matter, away.
        L = lsock(80, 50, fam=AF_INET6 if v6 else AF_INET, addr="::" if v6 else "")
        key(L, PEER6 if v6 else PEER)
        port = 1000
        sack2 = b"\x04\x02"
        ts = lambda v, e=0: struct.pack("!BBII", 8, 10, v, e)
        ws = b"\x03\x03\x07"
        for what, o in (
            ("nothing", b""),
            ("mss", MSS(1460)),
            ("mss ws", MSS(1460) + WS(7)),
            ("mss sackok", MSS(1460) + SACKOK),
            ("mss ts", MSS(1000)[:4] + ts(100) + b"\1\1"),
            ("mss sackok ws", MSS(1460) + sack2 + ws + b"\1\1\1"),
            ("sackok ts", sack2 + ts(100)),
            ("sackok ts ws", sack2 + ts(100) + ws + b"\1"),
            ("ts ws", ts(100) + ws + b"\1\1\1"),
        ):
            port += 1
            t.sign(port, 80, S, seq=1, opts=o, v6=v6)
            r = t.got(0.08, port=port)
            print("v6" if v6 else "v4", what, "->", tell(r))
        L.close()


def t_verify_listener():
    "missing, wrong, unexpected at listener and half-open"
    t = Signed()
    for v6 in (False, True):
        L = lsock(80, fam=AF_INET6 if v6 else AF_INET, addr="::" if v6 else "")
        key(L, PEER6 if v6 else PEER)
        other = "2001:db8::3" if v6 else "192.0.2.3"
        for name, f in (
            ("missing", lambda: t.send(2000, 80, S, 1, v6=v6)),
            ("wrong", lambda: t.sign(2001, 80, S, wrong=True, seq=1, v6=v6)),
            ("wrong key", lambda: t.sign(2001, 80, S, k=b"x", seq=1, v6=v6)),
            ("unexpected", lambda: t.sign(2002, 80, S, seq=1, src=other, v6=v6)),
            ("unsigned from other", lambda: t.send(2003, 80, S, 1, src=other, v6=v6)),
            ("stray ACK missing", lambda: t.send(2004, 80, A, 1, 5, v6=v6)),
            ("stray ACK wrong", lambda: t.sign(2004, 80, A, wrong=True, seq=1, ack=5, v6=v6)),
            ("stray ACK signed", lambda: t.sign(2004, 80, A, seq=1, ack=5, v6=v6)),
            ("stray ACK signed, TS", lambda: t.sign(2004, 80, A, seq=1, ack=5, v6=v6, opts=TS(1, 2))),
            ("stray ACK of other, signed", lambda: t.sign(2004, 80, A, seq=1, ack=5, src=other, v6=v6)),
            ("RST missing", lambda: t.send(2005, 80, R, 1, v6=v6)),
            ("SYN|ACK signed", lambda: t.sign(2006, 80, S | A, seq=1, ack=7, v6=v6)),
            ("closed port unsigned", lambda: t.send(2007, 999, S, 1, v6=v6)),
            ("closed port signed", lambda: t.sign(2008, 999, S, seq=1, v6=v6)),
            ("closed port, source port that listens with the key", lambda: t.sign(80, 999, S, seq=1, v6=v6)),
            ("closed port, source port that listens, ACK", lambda: t.sign(80, 999, A, seq=1, ack=9, v6=v6)),
            ("closed port, source port that listens, wrong", lambda: t.sign(80, 999, S, seq=1, v6=v6, wrong=True)),
            ("closed port, source port that listens, other peer", lambda: t.sign(80, 999, S, seq=1, v6=v6, src=other)),
            ("closed port, source port that listens, unsigned", lambda: t.send(80, 999, S, 1, v6=v6)),
        ):
            a = nstat()
            f()
            r = t.got()
            print("v6" if v6 else "v4", name, "->", tell(r), delta(a))
        # half-open
        t.sign(2100, 80, S, seq=1, opts=MSS(1460), v6=v6)
        sa = t.got()[0]
        isn = sa["seq"]
        for name, f in (
            ("half-open: ACK missing", lambda: t.send(2100, 80, A, 2, isn + 1, v6=v6)),
            ("half-open: ACK wrong", lambda: t.sign(2100, 80, A, seq=2, ack=isn + 1, wrong=True, v6=v6)),
            ("half-open: RST missing", lambda: t.send(2100, 80, R, 2, v6=v6)),
            ("half-open: bad ack number, signed", lambda: t.sign(2100, 80, A, seq=2, ack=isn + 9, v6=v6)),
            ("half-open: out of window, signed", lambda: t.sign(2100, 80, A, seq=2 + 100000, ack=isn + 1, v6=v6)),
            ("half-open: SYN again", lambda: t.sign(2100, 80, S, seq=1, opts=MSS(1460), v6=v6)),
            ("half-open: ACK", lambda: t.sign(2100, 80, A, seq=2, ack=isn + 1, v6=v6)),
        ):
            a = nstat()
            f()
            r = t.got()
            print("v6" if v6 else "v4", name, "->", tell(r), delta(a))
        c, _ = L.accept()
        print("child's key: exact delete", key(c, PEER6 if v6 else PEER, b""), "again", key(c, PEER6 if v6 else PEER, b""))
        print("listener's key is still there", key(L, PEER6 if v6 else PEER, b""))
        L.close()


def opened(t, L, port, opts=MSS(1460), k=KEY, src=None, v6=False, dport=80):
    t.sign(port, dport, S, k=k, seq=1, opts=opts, src=src, v6=v6)
    sa = t.got(keys=(KEY, b"new", b"other", b"wide"), port=port)[0]
    o = b""
    if opt(sa, "TS"):
        o = TS(101, opt(sa, "TS")[1])
    t.sign(port, dport, A, k=k, seq=2, ack=sa["seq"] + 1, opts=o, src=src, v6=v6)
    time.sleep(0.01)
    c, who = L.accept()
    return c, sa


def t_half_open_key_changes():
    "listener's keys change while the request waits"
    t = Signed()
    keys = (KEY, b"new")
    port = 3000
    for what, ch, signed in (
        ("replaced", lambda L: key(L, PEER, b"new"), b"new"),
        ("replaced, ACK by the old", lambda L: key(L, PEER, b"new"), KEY),
        ("deleted, ACK unsigned", lambda L: key(L, PEER, b""), None),
        ("deleted, ACK signed", lambda L: key(L, PEER, b""), KEY),
    ):
        port += 1
        L = lsock(80)
        key(L, PEER)
        t.sign(port, 80, S, seq=1, opts=MSS(1460))
        sa = t.got(port=port)[0]
        print(what, ch(L))
        a = nstat()
        r = t.got(1.3, keys, port)
        print("  again:", rel(r), delta(a))
        a = nstat()
        if signed:
            t.sign(port, 80, A, k=signed, seq=2, ack=sa["seq"] + 1)
        else:
            t.send(port, 80, A, 2, sa["seq"] + 1)
        r = t.got(0.1, keys, port)
        print("  ACK:", tell(r), delta(a), "queue", q(L))
        try:
            c, _ = L.accept()
            c.send(b"x")
            print("  data:", rel(t.got(0.1, keys, port)), "child's exact key", key(c, PEER, b""))
        except BlockingIOError:
            pass
        L.close()
        t.send(port, 80, R, 2)
        t.drain()
    # a key appears
    L = lsock(81)
    t.send(3101, 81, S, 1, opts=MSS(1460))
    sa = t.got(port=3101)[0]
    print("added", key(L, PEER))
    r = t.got(1.3, port=3101)
    print("  again:", rel(r))
    a = nstat()
    t.send(3101, 81, A, 2, sa["seq"] + 1)
    print("  unsigned ACK:", tell(t.got(port=3101)), delta(a))
    a = nstat()
    t.sign(3101, 81, A, seq=2, ack=sa["seq"] + 1)
    print("  signed ACK:", tell(t.got(port=3101)), delta(a), q(L))


def t_established():
    "segments of a connection, and keys that change on it"
    t = Signed()
    port = 4000
    for v6 in (False, True):
        peer = PEER6 if v6 else PEER
        L = lsock(80, fam=AF_INET6 if v6 else AF_INET, addr="::" if v6 else "")
        key(L, peer)
        for opts in (MSS(1460), MSS(1460) + SACKOK + WS(7), MSS(1460) + TS(100)):
            port += 1
            c, sa = opened(t, L, port, opts, v6=v6)
            i = sa["seq"] + 1
            has_ts = opt(sa, "TS")
            o = TS(200, has_ts[1]) if has_ts else b""
            print("--", "v6" if v6 else "v4", [x[0] for x in sa["opts"]], "TCP_MAXSEG", c.getsockopt(IPPROTO_TCP, TCP_MAXSEG))
            inf = c.getsockopt(IPPROTO_TCP, TCP_INFO, 256)
            print("snd_mss", struct.unpack_from("I", inf, 16)[0], "options", inf[5])
            c.setblocking(False)
            n = c.send(b"x" * 5000)
            r = t.got(port=port)
            print("5000 bytes:", rel(r))
            i += 5000
            t.sign(port, 80, A, seq=2, ack=i, opts=o, v6=v6)
            t.got(0.05, port=port)
            for name, f in (
                ("data missing", lambda: t.send(port, 80, A | P, 2, i, data=b"abc", opts=o, v6=v6)),
                ("data wrong", lambda: t.sign(port, 80, A | P, seq=2, ack=i, data=b"abc", wrong=True, opts=o, v6=v6)),
                ("RST missing", lambda: t.send(port, 80, R, 2, v6=v6)),
                ("SYN missing", lambda: t.send(port, 80, S, 2, v6=v6)),
                ("data", lambda: t.sign(port, 80, A | P, seq=2, ack=i, data=b"abc", opts=o, v6=v6)),
                ("out of order", lambda: t.sign(port, 80, A | P, seq=10, ack=i, data=b"abc", opts=o, v6=v6)),
                ("two holes", lambda: t.sign(port, 80, A | P, seq=20, ack=i, data=b"abc", opts=o, v6=v6)),
                ("three holes", lambda: t.sign(port, 80, A | P, seq=30, ack=i, data=b"abc", opts=o, v6=v6)),
                ("four holes", lambda: t.sign(port, 80, A | P, seq=40, ack=i, data=b"abc", opts=o, v6=v6)),
                ("SYN signed", lambda: t.sign(port, 80, S, seq=2, v6=v6)),
            ):
                a = nstat()
                f()
                print(name, "->", tell(t.got(0.08, port=port)), delta(a))
            n = c.send(b"y" * 3000)
            r = t.got(port=port)
            print("3000 bytes beside SACK:", rel(r))
            i += 3000
            t.sign(port, 80, A, seq=2, ack=i, opts=o, v6=v6)
            t.got(0.05, port=port)
            c.close()
            print("close with unread data:", rel(t.got(port=port)))
            t.sign(port, 80, R, seq=5, v6=v6)
            t.got(0.05, port=port)
        # keys of a live connection
        port += 1
        c, sa = opened(t, L, port, v6=v6)
        i = sa["seq"] + 1
        keys = (KEY, b"new")
        print("replace", key(c, peer, b"new"))
        c.send(b"x")
        print("  data:", rel(t.got(0.1, keys, port)))
        a = nstat()
        t.sign(port, 80, A, seq=2, ack=i + 1, v6=v6)
        print("  old key comes:", tell(t.got(0.05, port=port)), delta(a))
        t.sign(port, 80, A, k=b"new", seq=2, ack=i + 1, v6=v6)
        t.got(0.05, port=port)
        print("delete", key(c, peer, b""), "snd_mss", struct.unpack_from("I", c.getsockopt(IPPROTO_TCP, TCP_INFO, 256), 16)[0])
        c.send(b"x" * 1460)
        print("  data:", rel(t.got(0.1, keys, port)), "snd_mss", struct.unpack_from("I", c.getsockopt(IPPROTO_TCP, TCP_INFO, 256), 16)[0])
        a = nstat()
        t.sign(port, 80, A, k=b"new", seq=2, ack=i + 1461, v6=v6)
        print("  signed comes:", tell(t.got(0.05, port=port)), delta(a))
        t.send(port, 80, A, 2, i + 1461, v6=v6)
        print("add", key(c, peer))
        c.send(b"x" * 3000)
        print("  data:", rel(t.got(0.1, keys, port)), "snd_mss", struct.unpack_from("I", c.getsockopt(IPPROTO_TCP, TCP_INFO, 256), 16)[0])
        L.close()
        c.close()


def t_add_live():
    "a key for a connection that began without"
    t = Signed()
    L = lsock(80)
    port = 5000
    for opts in (MSS(1460), SYN_ALL):
        port += 1
        t.send(port, 80, S, 1, opts=opts)
        sa = t.got(port=port)[0]
        ts = opt(sa, "TS")
        o = TS(101, ts[1]) if ts else b""
        t.send(port, 80, A, 2, sa["seq"] + 1, opts=o)
        c, _ = L.accept()
        c.setblocking(False)
        i = sa["seq"] + 1
        print("add", key(c, PEER), "snd_mss", struct.unpack_from("I", c.getsockopt(IPPROTO_TCP, TCP_INFO, 256), 16)[0])
        a = nstat()
        t.send(port, 80, A | P, 2, i, data=b"abc", opts=o)
        print("unsigned data:", tell(t.got(0.05, port=port)), delta(a))
        c.send(b"x" * 3000)
        print("data:", rel(t.got(port=port)), "snd_mss", struct.unpack_from("I", c.getsockopt(IPPROTO_TCP, TCP_INFO, 256), 16)[0])
        i += 3000
        t.sign(port, 80, A, seq=2, ack=i, opts=o)
        t.got(0.05, port=port)
        for k in range(1, 5):
            a = nstat()
            t.sign(port, 80, A | P, seq=2 + k * 10, ack=i, data=b"abc", opts=o)
            print(k, "holes:", rel(t.got(0.05, port=port)))
        c.send(b"x" * 3000)
        print("data beside SACK:", rel(t.got(port=port)))
        t.sign(port, 80, R, seq=2)
        c.close()


def t_lookup():
    "which key: longest prefix, exact, families"
    t = Signed(addr="192.0.2.1/16")
    keys = (KEY, b"new", b"wide", b"other")
    sh("sysctl -wq net.ipv4.conf.all.rp_filter=0")

    def who(L, port, src=None, v6=False):
        for k in keys:
            t.sign(port, L.getsockname()[1], S, k=k, seq=1, opts=MSS(1400), src=src, v6=v6)
            r = t.got(0.08, keys, port)
            if r:
                t.send(port, L.getsockname()[1], R, 2, src=src, v6=v6)
                return "by %s: %s" % (k.decode(), rel(r))
        t.send(port, L.getsockname()[1], S, 1, opts=MSS(1400), src=src, v6=v6)
        return "none; unsigned: " + rel(t.got(0.08, keys, port))

    L = lsock(80)
    print("192.0.2.0/24 wide, 192.0.2.2 secret, 0/0 other")
    print(key(L, "192.0.2.0", b"wide", name=MD5SIG_EXT, flags=PREFIX, prefix=24), key(L, PEER), key(L, "0.0.0.0", b"other", name=MD5SIG_EXT, flags=PREFIX, prefix=0))
    print("192.0.2.2", who(L, 6000), "| 192.0.2.3", who(L, 6001, "192.0.2.3"), "| 192.0.9.9", who(L, 6002, "192.0.9.9"))
    print("delete exact", key(L, PEER, b""))
    print("192.0.2.2", who(L, 6003))
    print("prefix of 32 and exact are one:", key(L, PEER, b"new", name=MD5SIG_EXT, flags=PREFIX, prefix=32), key(L, PEER, b""))
    print("0.0.0.0 without prefix", key(L, "0.0.0.0", b"new"), "192.0.2.9:", who(L, 6004, "192.0.2.9"))
    L.close()
    L = lsock(81)
    print("address with host bits 192.0.2.77/24", key(L, "192.0.2.77", b"wide", name=MD5SIG_EXT, flags=PREFIX, prefix=24), who(L, 6005))
    c, sa = opened(t, L, 6006, k=b"wide", dport=81)
    print("child of a prefix: delete exact", key(c, PEER, b""), "delete prefix", key(c, "192.0.2.77", b"", name=MD5SIG_EXT, flags=PREFIX, prefix=24))
    key(L, PEER)
    key(L, "192.0.2.3", b"new")
    c, sa = opened(t, L, 6007, dport=81)
    print("child of three: exact", key(c, PEER, b""), "other peer's", key(c, "192.0.2.3", b""), "prefix", key(c, "192.0.2.77", b"", name=MD5SIG_EXT, flags=PREFIX, prefix=24))
    L.close()
    print("two of one length, 192.0.2.0/24 then 192.0.2.128/24: which")
    L = lsock(82)
    print(key(L, "192.0.2.0", b"wide", name=MD5SIG_EXT, flags=PREFIX, prefix=24), key(L, "192.0.2.128", b"new", name=MD5SIG_EXT, flags=PREFIX, prefix=24), who(L, 6010), key(L, "192.0.2.128", b"", name=MD5SIG_EXT, flags=PREFIX, prefix=24), key(L, "192.0.2.0", b"", name=MD5SIG_EXT, flags=PREFIX, prefix=24))
    L.close()
    L = lsock(83, fam=AF_INET6, addr="::")
    print("dual listener: mapped exact", key(L, "::ffff:192.0.2.2"), who(L, 6011), "| other v4", who(L, 6012, "192.0.2.3"))
    print("v6 ::/0 added", key(L, "::", b"wide", name=MD5SIG_EXT, flags=PREFIX, prefix=0), "v4 other:", who(L, 6013, "192.0.2.3"), "| v6:", who(L, 6014, v6=True))
    print("v6 exact", key(L, PEER6, b"new"), who(L, 6015, v6=True))
    print("mapped prefix 24", key(L, "::ffff:192.0.2.0", b"other", name=MD5SIG_EXT, flags=PREFIX, prefix=24), who(L, 6016, "192.0.2.3"))
    c, sa = opened(t, L, 6017, dport=83)
    c.send(b"x")
    print("child over v4 of dual:", rel(t.got(port=6017)), "delete mapped", key(c, "::ffff:192.0.2.2", b""), "v6", key(c, PEER6, b""))
    L.close()
    L = lsock(84, fam=AF_INET6, addr="::")
    print("dual listener, v4 0/0 as mapped", key(L, "::ffff:0.0.0.0", b"wide", name=MD5SIG_EXT, flags=PREFIX, prefix=0), who(L, 6018, "192.0.2.3"), "| v6", who(L, 6019, v6=True))
    print("two v6 prefixes 2001:db8::/32, 2001:db8::/64", key(L, "2001:db8::", b"new", name=MD5SIG_EXT, flags=PREFIX, prefix=64), key(L, "2001:db8::", b"other", name=MD5SIG_EXT, flags=PREFIX, prefix=32), who(L, 6020, v6=True))


def t_connect():
    "an active open"
    t = Signed()
    for v6 in (False, True):
        peer = PEER6 if v6 else PEER
        c = socket(AF_INET6 if v6 else AF_INET)
        key(c, peer)
        c.setblocking(False)
        c.bind(("", 7000))
        print(E(c.connect, (peer, 179)))
        syn = t.got()[0]
        print("SYN", tell([syn]))
        for name, f in (
            ("SYN-ACK missing", lambda: t.send(179, 7000, S | A, 1, syn["seq"] + 1, v6=v6)),
            ("SYN-ACK wrong", lambda: t.sign(179, 7000, S | A, seq=1, ack=syn["seq"] + 1, wrong=True, v6=v6)),
            ("RST missing", lambda: t.send(179, 7000, R | A, 1, syn["seq"] + 1, v6=v6)),
            ("SYN-ACK of bad ack", lambda: t.sign(179, 7000, S | A, seq=1, ack=syn["seq"] + 9, v6=v6)),
            ("SYN-ACK", lambda: t.sign(179, 7000, S | A, seq=1, ack=syn["seq"] + 1, opts=MSS(1460) + WS(7), v6=v6)),
        ):
            a = nstat()
            f()
            print(name, "->", tell(t.got(0.08)), delta(a), info(c)["state"])
        print("TCP_MAXSEG", c.getsockopt(IPPROTO_TCP, TCP_MAXSEG))
        c.send(b"x" * 3000)
        print("data", rel(t.got()))
        t.sign(179, 7000, A, seq=2, ack=syn["seq"] + 3001, v6=v6)
        c.close()
        fin = t.got()
        print("FIN", rel(fin))
        t.sign(179, 7000, F | A, seq=2, ack=syn["seq"] + 3002, v6=v6)
        print("TIME_WAIT begins", tell(t.got()))
        for name, f in (
            ("FIN again, unsigned", lambda: t.send(179, 7000, F | A, 2, syn["seq"] + 3002, v6=v6)),
            ("old data, wrong", lambda: (time.sleep(0.6), t.sign(179, 7000, A, seq=2, ack=syn["seq"] + 3002, data=b"abc", wrong=True, v6=v6))),
            ("old data, signed", lambda: (time.sleep(0.6), t.sign(179, 7000, A, seq=1, ack=syn["seq"] + 3002, data=b"abc", v6=v6))),
            ("SYN below, signed", lambda: (time.sleep(0.6), t.sign(179, 7000, S, seq=1, v6=v6))),
            ("SYN above, unsigned, nobody listens", lambda: t.send(179, 7000, S, 100000, v6=v6)),
            ("SYN above, signed, nobody listens", lambda: t.sign(179, 7000, S, seq=100000, v6=v6)),
            ("RST unsigned", lambda: t.send(179, 7000, R, 3, v6=v6)),
            ("after it, ACK unsigned", lambda: t.send(179, 7000, A, 3, 9, v6=v6)),
        ):
            a = nstat()
            f()
            print(name, "->", tell(t.got(0.08)), delta(a))
    c = socket()
    key(c, "192.0.2.9")
    c.setblocking(False)
    E(c.connect, (PEER, 180))
    r = t.got()
    print("key for somebody else", tell(r))
    c.close()
    c = socket()
    c.setblocking(False)
    c.bind(("", 7100))
    E(c.connect, (PEER, 181))
    t.got()
    print("key after the SYN", key(c, PEER))
    r = t.got(1.2)
    print("SYN again", tell(r))
    a = nstat()
    t.sign(181, 7100, S | A, seq=1, ack=r[0]["seq"] + 1, opts=MSS(1460) + SACKOK + b"\1\1" + WS(7))
    print("SYN-ACK signed", tell(t.got()), delta(a))
    c.close()
    c = socket()
    key(c, PEER)
    c.setblocking(False)
    c.bind(("", 7200))
    E(c.connect, (PEER, 182))
    syn = t.got()[0]
    t.sign(182, 7200, S | A, seq=1, ack=syn["seq"] + 1, opts=MSS(1460))
    t.got()
    print("disconnect", libc.connect(c.fileno(), struct.pack("=H14x", 0), 16), rel(t.got()), "key is still there", key(c, PEER, b""))


def t_fin_wait2():
    "an orphan in FIN_WAIT2 and CLOSING; RSTs of the stack"
    t = Signed()
    L = lsock(80)
    key(L, PEER)
    c, sa = opened(t, L, 8000)
    i = sa["seq"] + 1
    c.close()
    print("FIN", rel(t.got(port=8000)))
    t.sign(8000, 80, A, seq=2, ack=i + 1)
    t.got(0.05, port=8000)
    a = nstat()
    t.send(8000, 80, A, 2, i + 1, data=b"abc")
    print("data unsigned to an orphan:", tell(t.got(port=8000)), delta(a))
    a = nstat()
    t.sign(8000, 80, A, seq=2, ack=i + 1, data=b"abc")
    print("data signed to an orphan:", tell(t.got(port=8000)), delta(a))
    sysw("ipv4/tcp_fin_timeout", 60)
    c, sa = opened(t, L, 8001)
    i = sa["seq"] + 1
    c.setsockopt(IPPROTO_TCP, 8, 30)
    c.close()
    t.got(port=8001)
    t.sign(8001, 80, A, seq=2, ack=i + 1)
    t.got(0.05, port=8001)
    a = nstat()
    t.sign(8001, 80, A, seq=2, ack=i + 1, data=b"abc", wrong=True)
    print("data wrong to tw FIN_WAIT2:", tell(t.got(port=8001)), delta(a))
    c, sa = opened(t, L, 8002)
    i = sa["seq"] + 1
    c.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    print("linger 0:", tell(t.got(port=8002)))
    # a listener that goes away
    t.sign(8003, 80, S, seq=1, opts=MSS(1460))
    sa = t.got(port=8003)[0]
    t.sign(8003, 80, A, seq=2, ack=sa["seq"] + 1)
    t.sign(8004, 80, S, seq=1, opts=MSS(1460))
    sb = t.got(port=8004)[-1]
    L.close()
    print("listener closes, a child waits:", rel(t.got()))
    a = nstat()
    t.sign(8004, 80, A, seq=2, ack=sb["seq"] + 1)
    print("ACK of a half-open one, nobody listens:", tell(t.got(port=8004)), delta(a))
    # RST to data for a closed program end
    L = lsock(80)
    key(L, PEER)
    c, sa = opened(t, L, 8005)
    i = sa["seq"] + 1
    c.shutdown(SHUT_RDWR)
    t.got(port=8005)
    a = nstat()
    t.sign(8005, 80, A, seq=2, ack=i + 1, data=b"abc")
    print("data after shutdown:", tell(t.got(port=8005)), delta(a))
    c.close()
    print("then close:", tell(t.got(port=8005)))
    # TIME_WAIT reused by a SYN
    c, sa = opened(t, L, 8006)
    i = sa["seq"] + 1
    c.close()
    t.got(port=8006)
    t.sign(8006, 80, F | A, seq=2, ack=i + 1)
    t.got(port=8006)
    for name, f in (
        ("SYN above, unsigned", lambda: t.send(8006, 80, S, 100000, opts=MSS(1460))),
        ("SYN above, signed", lambda: t.sign(8006, 80, S, seq=100000, opts=MSS(1460))),
    ):
        a = nstat()
        f()
        print("TIME_WAIT,", name, tell(t.got(port=8006)), delta(a))
    # key deleted before TIME_WAIT
    c, sa = opened(t, L, 8007)
    i = sa["seq"] + 1
    key(c, PEER, b"")
    c.close()
    print("FIN without key", rel(t.got(port=8007)))
    t.send(8007, 80, F | A, 2, i + 1)
    print("TIME_WAIT without key", rel(t.got(port=8007)))


def t_cookies():
    "SYN cookies"
    t = Signed()
    sysw("ipv4/tcp_syncookies", 2)
    for v6 in (False, True):
        L = lsock(80, fam=AF_INET6 if v6 else AF_INET, addr="::" if v6 else "")
        key(L, PEER6 if v6 else PEER)
        ts = lambda v, e=0: struct.pack("!BBII", 8, 10, v, e)
        port = 9000
        for what, o in (("mss", MSS(1460)), ("mss sackok ws", MSS(1460) + b"\x04\x02\x03\x03\x07\1\1\1"), ("sackok ts ws", b"\x04\x02" + ts(100) + b"\x03\x03\x07\1"), ("ts ws", ts(100) + b"\x03\x03\x07\1\1\1")):
            port += 1
            a = nstat()
            t.sign(port, 80, S, seq=1, opts=o, v6=v6)
            sa = t.got(port=port)
            print(what, "SYN-ACK", tell(sa), delta(a))
            sa = sa[0]
            x = TS(101, opt(sa, "TS")[1]) if opt(sa, "TS") else b""
            a = nstat()
            t.send(port, 80, A, 2, sa["seq"] + 1, opts=x, v6=v6)
            print("ACK unsigned", tell(t.got(0.05, port=port)), delta(a))
            a = nstat()
            t.sign(port, 80, A, seq=2, ack=sa["seq"] + 1, opts=x, v6=v6)
            print("ACK signed", tell(t.got(0.05, port=port)), delta(a))
            time.sleep(0.01)
            c, _ = L.accept()
            c.send(b"x" * 3000)
            print("data", rel(t.got(port=port)), "TCP_MAXSEG", c.getsockopt(IPPROTO_TCP, TCP_MAXSEG))
            c.close()
            t.sign(port, 80, R, seq=2, v6=v6)
        L.close()


def t_fast_open():
    "Fast Open, both sides"
    t = Signed()
    sysw("ipv4/tcp_fastopen", 3)
    L = lsock(80, pre=lambda s: s.setsockopt(IPPROTO_TCP, TCP_FASTOPEN, 5))
    key(L, PEER)
    t.sign(9100, 80, S, seq=1, opts=MSS(1460) + b"\x22\x02\1\1")
    r = t.got()
    print("asks", tell(r))
    ck = opt(r[0], "TFO") if r else None
    if ck:
        a = nstat()
        o = MSS(1460) + bytes([34, 2 + len(ck[1]) // 2]) + bytes.fromhex(ck[1]) + b"\1\1"
        t.sign(9101, 80, S, seq=1, opts=o, data=b"hello")
        r = t.got()
        print("brings", tell(r), delta(a), q(L))
        try:
            c, _ = L.accept()
            print("child", c.recv(10), info(c)["state"])
            c.send(b"x" * 3000)
            print("data before ACK", rel(t.got()), "TCP_MAXSEG", c.getsockopt(IPPROTO_TCP, TCP_MAXSEG))
            a = nstat()
            t.send(9101, 80, A, 7, r[0]["seq"] + 1)
            print("ACK unsigned", tell(t.got()), delta(a))
        except BlockingIOError:
            pass
    t.sign(9102, 80, S, seq=1, opts=b"\x04\x02\x03\x03\x07\1\x22\x02")
    print("asks with all but mss and ts", tell(t.got()))
    # the client
    c = socket()
    c.setblocking(False)
    key(c, PEER)
    c.bind(("", 9200))
    print("sendto", E(c.sendto, b"hello", 0x20000000, (PEER, 179)))
    syn = t.got()[0]
    print("SYN", tell([syn]))
    t.sign(179, 9200, S | A, seq=1, ack=syn["seq"] + 1, opts=MSS(1460) + b"\x22\x0a12345678\1\1")
    print("then", tell(t.got()))
    c.close()
    t.got()
    c = socket()
    c.setblocking(False)
    key(c, PEER)
    c.bind(("", 9201))
    print("sendto", E(c.sendto, b"hello" * 400, 0x20000000, (PEER, 179)))
    print("SYN with cookie", tell(t.got()))


def t_options_of_syn():
    "SYN of a client with other sysctls"
    t = Signed()
    for what, w in (("no window scaling", ("ipv4/tcp_window_scaling", 0)), ("no sack", ("ipv4/tcp_sack", 0)), ("no timestamps", ("ipv4/tcp_timestamps", 0))):
        sysw(*w)
        c = socket()
        c.setblocking(False)
        key(c, PEER)
        E(c.connect, (PEER, 179))
        print(what, tell(t.got()))
        c.close()
        t.got(0.05)


def t_reuseport():
    "a group whose members have different keys"
    t = Signed()

    def pre(s):
        s.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)

    A1, B1 = lsock(80, pre=pre), lsock(80, pre=pre)
    key(A1, PEER)
    n = {"secret": 0, "unsigned": 0}
    for p in range(40):
        t.sign(10000 + p, 80, S, seq=1, opts=MSS(1460))
        n["secret"] += len(t.got(0.02))
    for p in range(40):
        t.send(10000 + p, 80, S, 1, opts=MSS(1460))
        n["unsigned"] += len(t.got(0.02))
    print("answered at first try:", "sum", n["secret"] + n["unsigned"], "both > 5", min(n.values()) > 5)


def t_bad_lists():
    "a key is set: lists that are dropped uncounted, signature places"
    t = Signed()
    L = lsock(80, 50)
    port = 11000
    key(L, PEER)
    for what, o in (("two signatures", b"\x13\x12" + bytes(16) + b"\x13\x12" + bytes(16) + b"\1\1\1\1"), ("length 17", b"\x13\x11" + bytes(15) + b"\1\1\1"), ("TCP-AO", b"\x1d\x10" + bytes(14) + b"\1" * 4), ("length 0 with 18 left", b"\5\0" + b"\1" * 18)):
        a = nstat()
        port += 1
        t.send(port, 80, S, 1, opts=o)
        print(what, rel(t.got(0.05, port=port)), delta(a))
    # the signature before the rest, without NOPs
    port += 1
    kept, t.raw = t.raw, lambda b: None
    t.send(port, 80, S, 1, opts=b"\x13\x12" + bytes(16) + b"\2\4\5\xb4" + b"\1\1")
    d = digest(t.last, KEY)
    t.raw = kept
    t.send(port, 80, S, 1, opts=b"\x13\x12" + d + b"\2\4\5\xb4" + b"\1\1")
    print("signature first", rel(t.got(0.05, port=port)))


def t_room():
    "how many bytes of optmem_max one key takes"
    for most in (135, 136, 137, 271, 272, 273):
        sysw("core/optmem_max", most)
        s = socket()
        print(most, [key(s, "10.0.0.%d" % i) for i in range(3)])


def t_scoped():
    "a key with TCP_MD5SIG_FLAG_IFINDEX"
    t = Signed()
    keys = (KEY, b"new")
    for what, ks in (
        ("scoped only", [(KEY, dict(name=MD5SIG_EXT, flags=IFINDEX))]),
        ("scoped by the plain option", [(KEY, dict(flags=IFINDEX, ifindex=77))]),
        ("scoped, then plain", [(KEY, dict(name=MD5SIG_EXT, flags=IFINDEX)), (b"new", {})]),
        ("plain, then scoped", [(b"new", {}), (KEY, dict(name=MD5SIG_EXT, flags=IFINDEX))]),
        ("scoped /24, then plain /24", [(KEY, dict(name=MD5SIG_EXT, flags=IFINDEX | PREFIX, prefix=24)), (b"new", dict(name=MD5SIG_EXT, flags=PREFIX, prefix=24))]),
        ("plain /24, then scoped /24", [(b"new", dict(name=MD5SIG_EXT, flags=PREFIX, prefix=24)), (KEY, dict(name=MD5SIG_EXT, flags=IFINDEX | PREFIX, prefix=24))]),
    ):
        L = lsock(80)
        r = [key(L, PEER, k, **kw) for k, kw in ks]
        for i, k in enumerate(keys):
            t.sign(12000 + i, 80, S, k=k, seq=1, opts=MSS(1460))
            print(what, r, "SYN signed by", k.decode(), "->", rel(t.got(0.05, keys, 12000 + i)))
        L.close()


def t_ao():
    "TCP-AO where the kernel has none, and a key is set"
    t = Signed()
    L = lsock(80)
    key(L, PEER)
    ao = b"\x1d\x10" + bytes(14) + b"\1" * 4
    c, sa = opened(t, L, 13000)
    i = sa["seq"] + 1
    for what, f in (
        ("data", lambda: t.send(13000, 80, A | P, 2, i, data=b"abc", opts=ao)),
        ("RST", lambda: t.send(13000, 80, R, 5, opts=ao)),
    ):
        a = nstat()
        f()
        print(what, "unsigned, with TCP-AO:", rel(t.got(0.05, port=13000)), delta(a), "state", info(c)["state"])


def t_gone_listener():
    "requests whose listener has been closed"
    t = Signed()
    port = 14000
    for what, k, f in (
        ("key, ACK unsigned", KEY, lambda a: t.send(port, 80, A, 2, a)),
        ("key, ACK signed", KEY, lambda a: t.sign(port, 80, A, seq=2, ack=a)),
        ("key, ACK wrong", KEY, lambda a: t.sign(port, 80, A, seq=2, ack=a, wrong=True)),
        ("no key, ACK unsigned", None, lambda a: t.send(port, 80, A, 2, a)),
        ("no key, ACK signed", None, lambda a: t.sign(port, 80, A, seq=2, ack=a)),
    ):
        port += 1
        L = lsock(80)
        if k:
            key(L, PEER)
            t.sign(port, 80, S, seq=1, opts=MSS(1460))
        else:
            t.send(port, 80, S, 1, opts=MSS(1460))
        sa = t.got(0.05, port=port)[0]
        L.close()
        a = nstat()
        f(sa["seq"] + 1)
        print(what, "->", rel(t.got(0.05, port=port)), delta(a))


def t_tw_fin_wait2():
    "data for an orphan that is a TIME_WAIT sock in FIN_WAIT2"
    t = Signed()
    port = 15000
    for what, listens, signed in (("unsigned", False, False), ("signed", False, True), ("signed, and the source port listens with the key", True, True)):
        L = lsock(80)
        key(L, PEER)
        port += 1
        L2 = None
        if listens:
            L2 = lsock(port)
            key(L2, PEER)
        c, sa = opened(t, L, port)
        i = sa["seq"] + 1
        c.close()
        t.got(0.05)
        t.sign(port, 80, A, seq=2, ack=i + 1)
        t.got(0.05)
        a = nstat()
        if signed:
            t.sign(port, 80, A, seq=2, ack=i + 1, data=b"abc")
        else:
            t.send(port, 80, A, 2, i + 1, data=b"abc")
        print(what, "->", rel(t.got(0.05, port=port)), delta(a))
        L.close()
        if L2:
            L2.close()


def t_client_more():
    "SYN-ACKs with timestamps, Fast Open, disconnect, simultaneous open, resets beside SACK"
    t = Signed()
    c = socket()
    c.setblocking(False)
    key(c, PEER)
    c.bind(("", 16000))
    E(c.connect, (PEER, 179))
    syn = t.got(port=179)[0]
    a = nstat()
    t.sign(179, 16000, S | A, seq=1, ack=syn["seq"] + 1, opts=b"\x04\x02" + struct.pack("!BBII", 8, 10, 500, 0) + b"\x03\x03\x07\1" + MSS(1460))
    print("SYN-ACK with timestamps ->", rel(t.got(port=179)), delta(a), "options", c.getsockopt(IPPROTO_TCP, TCP_INFO, 8)[5])
    c.send(b"x" * 3000)
    print("data", rel(t.got(port=179)))
    print("disconnect", libc.connect(c.fileno(), struct.pack("=H14x", 0), 16), rel(t.got(port=179)), "key is still there", key(c, PEER, b""))
    c = socket()
    c.setblocking(False)
    key(c, PEER)
    c.bind(("", 16001))
    E(c.connect, (PEER, 180))
    syn = t.got(port=180)[0]
    a = nstat()
    t.sign(180, 16001, S, seq=1, opts=MSS(1460) + SACKOK + WS(7))
    r = t.got(port=180)
    print("simultaneous SYN ->", rel(r), delta(a))
    c.close()
    sysw("ipv4/tcp_fastopen", 3)
    c = socket()
    c.setblocking(False)
    key(c, PEER)
    c.bind(("", 16002))
    print("sendto", E(c.sendto, b"hello", 0x20000000, (PEER, 181)))
    syn = t.got(port=181)[0]
    print("SYN", rel([syn]))
    t.sign(181, 16002, S | A, seq=1, ack=syn["seq"] + 1, opts=MSS(1460) + b"\x22\x0a12345678\1\1")
    print("then", rel(t.got(port=181)))
    c.close()
    t.got()
    for size in (5, 2000):
        c = socket()
        c.setblocking(False)
        key(c, PEER)
        c.bind(("", 16003 + size))
        a = nstat()
        print("sendto", E(c.sendto, b"h" * size, 0x20000000, (PEER, 181)))
        print("SYN with a cookie", rel(t.got(port=181)), delta(a))
        c.close()
        t.got()
    # without a key: what stands in a reset
    L = lsock(80)
    t.send(16010, 80, S, 1, opts=MSS(1460) + SACKOK + WS(7))
    sa = t.got(port=16010)[0]
    t.send(16010, 80, A, 2, sa["seq"] + 1)
    time.sleep(0.01)
    c, _ = L.accept()
    t.send(16010, 80, A, 2, sa["seq"] + 1, data=b"abc")
    t.send(16010, 80, A, 10, sa["seq"] + 1, data=b"abc")
    t.got()
    c.close()
    print("no key: reset beside a hole", rel(t.got(port=16010)))


def t_fast_open_child():
    "the child of a Fast Open SYN with SACK and timestamps"
    t = Signed()
    sysw("ipv4/tcp_fastopen", 0x203)
    L = lsock(80, pre=lambda s: s.setsockopt(IPPROTO_TCP, TCP_FASTOPEN, 5))
    key(L, PEER)
    t.sign(17000, 80, S, seq=1, opts=b"\x04\x02" + struct.pack("!BBII", 8, 10, 100, 0), data=b"hello")
    print("SYN-ACK", rel(t.got(port=17000)))
    c, _ = L.accept()
    c.send(b"x" * 900)
    print("data", rel(t.got(port=17000)))


if __name__ == "__main__":
    main(globals())
