import os, sys, socket, struct, fcntl, time, select, errno, subprocess, ctypes, threading, signal
from socket import *

libc = ctypes.CDLL(None, use_errno=True)


def E(f, *a):
    "call f, return 'OK' or errno name"
    try:
        r = f(*a)
        return "OK" if r is None else r
    except OSError as e:
        return errno.errorcode.get(e.errno, e.errno)


def clisten(fd, b):
    ctypes.set_errno(0)
    r = libc.listen(ctypes.c_int(fd), ctypes.c_int(b))
    return "OK" if r == 0 else errno.errorcode[ctypes.get_errno()]


def sysw(p, v):
    f = os.open("/proc/sys/net/" + p, os.O_WRONLY)
    try:
        os.write(f, str(v).encode())
    finally:
        os.close(f)


def sysr(p):
    return open("/proc/sys/net/" + p).read().strip()


def sh(c):
    return subprocess.run(c, shell=True, capture_output=True, text=True).stdout


def nstat():
    d = {}
    for fn in ("/proc/net/snmp", "/proc/net/netstat"):
        L = open(fn).read().splitlines()
        for i in range(0, len(L), 2):
            p = L[i].split(":")[0]
            for k, v in zip(L[i].split()[1:], L[i + 1].split()[1:]):
                d[p + "." + k] = int(v)
    return d


def ndiff(a, b, only=("Tcp.", "TcpExt.")):
    return {
        k: b[k] - a.get(k, 0)
        for k in b
        if b[k] != a.get(k, 0) and k.startswith(only) and not k.startswith(("IpExt", "Tcp.InSegs", "Tcp.OutSegs")) and "Rto" not in k
    }


def enter():
    CLONE_NEWNET = 0x40000000
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError("unshare")
    # A fresh namespace inherits some of the machine's own settings: back to what Linux comes with.
    for k, v in (("tcp_rmem", "4096 131072 6291456"), ("tcp_wmem", "4096 16384 4194304"), ("tcp_congestion_control", "reno")):
        sysw("ipv4/" + k, v)
    sh("ip link set lo up")


# ---------- raw packets through a TUN
def csum(b):
    if len(b) % 2:
        b += b"\0"
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


F, S, R, P, A, U, EE, C = 1, 2, 4, 8, 16, 32, 64, 128
AE = 256


class Tun:
    def __init__(s, name="tun0", addr="192.0.2.1/24", addr6="2001:db8::1/64", mtu=1500):
        s.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(s.fd, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1001))
        s.name = name
        sh(
            f"sysctl -wq net.ipv6.conf.{name}.accept_dad=0 net.ipv6.conf.{name}.router_solicitations=0; ip link set {name} mtu {mtu} up; ip addr add {addr} dev {name}; ip -6 addr add {addr6} dev {name} nodad"
        )
        s.me = addr.split("/")[0]
        s.me6 = addr6.split("/")[0]
        time.sleep(0.05)
        s.drain()

    def drain(s):
        while True:
            try:
                os.read(s.fd, 65536)
            except BlockingIOError:
                return

    def raw(s, b):
        os.write(s.fd, b)

    def send(s, sport, dport, fl, seq=0, ack=0, win=65535, opts=b"", data=b"", src=None, dst=None, v6=False, ttl=64, tos=0, badsum=False):
        if v6:
            src = src or "2001:db8::2"
            dst = dst or s.me6
        else:
            src = src or "192.0.2.2"
            dst = dst or s.me
        while len(opts) % 4:
            opts += b"\1"
        off = 5 + len(opts) // 4
        h = struct.pack("!HHIIHHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (off << 12) | (fl & 0x1FF), win, 0, 0) + opts + data
        if v6:
            a = inet_pton(AF_INET6, src)
            b = inet_pton(AF_INET6, dst)
            ps = a + b + struct.pack("!IHBB", len(h), 0, 0, 6)
        else:
            a = inet_aton(src)
            b = inet_aton(dst)
            ps = a + b + struct.pack("!BBH", 0, 6, len(h))
        c = csum(ps + h)
        if badsum:
            c ^= 0x1234
        h = h[:16] + struct.pack("!H", c) + h[18:]
        if v6:
            ip = struct.pack("!IHBB", 0x60000000 | (tos << 20), len(h), 6, ttl) + a + b
        else:
            ip = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(h), 1, 0x4000, ttl, 6, 0) + a + b
            ip = ip[:10] + struct.pack("!H", csum(ip)) + ip[12:]
        s.raw(ip + h)
        s.last = ip + h

    def icmp(s, typ, code, inner, extra=0, src="192.0.2.2", dst=None):
        dst = dst or s.me
        b = struct.pack("!BBHI", typ, code, 0, extra) + inner[:28]
        b = b[:2] + struct.pack("!H", csum(b)) + b[4:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(b), 1, 0, 64, 1, 0) + inet_aton(src) + inet_aton(dst)
        ip = ip[:10] + struct.pack("!H", csum(ip)) + ip[12:]
        s.raw(ip + b)

    def recv(s, timeout=0.15, dport=None, n=1000):
        "collect parsed TCP packets until timeout of silence"
        out = []
        t = time.time() + timeout
        while len(out) < n:
            r = select.select([s.fd], [], [], max(0, t - time.time()))
            if not r[0]:
                break
            try:
                b = os.read(s.fd, 65536)
            except BlockingIOError:
                continue
            p = parse(b)
            if p is None:
                continue
            if dport and p["dport"] != dport:
                continue
            p["t"] = time.time()
            out.append(p)
        return out

    def one(s, timeout=0.3, dport=None):
        r = s.recv(timeout, dport, 1)
        return r[0] if r else None


FN = "FSRPAUEC"


def parse(b):
    v = b[0] >> 4
    if v == 4:
        ihl = (b[0] & 15) * 4
        pr = b[9]
        src = inet_ntoa(b[12:16])
        dst = inet_ntoa(b[16:20])
        tot = struct.unpack("!H", b[2:4])[0]
        t = b[ihl:tot]
        tos = b[1]
        ttl = b[8]
        extra = {"id": struct.unpack("!H", b[4:6])[0], "df": b[6] >> 6 & 1}
    else:
        pr = b[6]
        src = inet_ntop(AF_INET6, b[8:24])
        dst = inet_ntop(AF_INET6, b[24:40])
        t = b[40 : 40 + struct.unpack("!H", b[4:6])[0]]
        tos = (struct.unpack("!I", b[:4])[0] >> 20) & 255
        ttl = b[7]
        extra = {"flow": struct.unpack("!I", b[:4])[0] & 0xFFFFF}
    if pr == 1:
        return {"icmp": (t[0], t[1]), "dport": None, "src": src, "dst": dst, "fl": "ICMP%d.%d" % (t[0], t[1])}
    if pr != 6:
        return None
    sp, dp, seq, ack, of, win, _, urg = struct.unpack("!HHIIHHHH", t[:20])
    off = (of >> 12) * 4
    fl = "".join(FN[i] for i in range(8) if of >> i & 1) + ("N" if of & 256 else "")
    o = []
    ob = t[20:off]
    i = 0
    while i < len(ob):
        k = ob[i]
        if k == 0:
            o.append(("EOL",))
            break
        if k == 1:
            o.append(("N",))
            i += 1
            continue
        l = ob[i + 1]
        x = ob[i + 2 : i + l]
        if k == 2:
            o.append(("MSS", struct.unpack("!H", x)[0]))
        elif k == 3:
            o.append(("WS", x[0]))
        elif k == 4:
            o.append(("SACKOK",))
        elif k == 5:
            o.append(("SACK", x.hex()))
        elif k == 8:
            o.append(("TS",) + struct.unpack("!II", x))
        elif k == 34:
            o.append(("TFO", x.hex()))
        else:
            o.append((k, x.hex()))
        i += l
    d = dict(src=src, dst=dst, sport=sp, dport=dp, seq=seq, ack=ack, fl=fl, win=win, opts=o, data=t[off:], tos=tos, ttl=ttl, icmp=None)
    d.update(extra)
    return d


def show(ps):
    if ps is None:
        return "NONE"
    if isinstance(ps, dict):
        ps = [ps]
    return (
        " | ".join((p["fl"] if p["icmp"] else f"{p['fl']} seq={p['seq']} ack={p['ack']} win={p['win']} {p['opts']} len={len(p['data'])}") for p in ps)
        or "NONE"
    )


MSS = lambda m: struct.pack("!BBH", 2, 4, m)
WS = lambda w: struct.pack("!BBBB", 3, 3, w, 1)
SACKOK = b"\x04\x02\1\1"
TS = lambda v, e=0: struct.pack("!BBBBII", 1, 1, 8, 10, v, e)
TFO = lambda c=b"": struct.pack("!BB", 34, 2 + len(c)) + c
TFOX = lambda c=b"": struct.pack("!BBH", 254, 4 + len(c), 0xF989) + c


def opt(p, name):
    for o in p["opts"]:
        if o[0] == name:
            return o


def lsock(port=0, backlog=5, addr="", fam=AF_INET, pre=None, nb=True, **kw):
    s = socket(fam, SOCK_STREAM)
    s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    if pre:
        pre(s)
    s.bind((addr, port))
    clisten(s.fileno(), backlog)
    if nb:
        s.setblocking(False)
    return s


def info(s):
    b = s.getsockopt(IPPROTO_TCP, TCP_INFO, 256)
    return {"state": b[0], "unacked": struct.unpack_from("I", b, 24)[0], "sacked": struct.unpack_from("I", b, 28)[0]}


def q(s):
    i = info(s)
    return (i["unacked"], i["sacked"])


def run(fs):
    for f in fs:
        pid = os.fork()
        if pid == 0:
            try:
                enter()
                print("=== %s" % f.__name__, flush=True)
                if f.__doc__:
                    print("    #", f.__doc__)
                f()
            except BaseException as e:
                import traceback

                traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(pid, 0)


def main(g):
    fs = [v for k, v in list(g.items()) if k.startswith("t_")]
    if len(sys.argv) > 1:
        fs = [f for f in fs if any(f.__name__.startswith(a) for a in sys.argv[1:])]
    run(fs)
