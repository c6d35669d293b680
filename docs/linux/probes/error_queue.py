# the error queue of a connection: transmit timestamps and MSG_ZEROCOPY completions
from harness import *
from syn_ack_and_queues import hs

ERRQUEUE, ZEROCOPY = 0x2000, 0x4000000
TX, SOFTWARE, OPT_ID, SCHED, ACKED, TSONLY = 2, 16, 128, 256, 512, 2048


def est(t, sp):
    L = lsock(80, 50)
    p = hs(t, 80, sp)
    time.sleep(0.01)
    a, _ = L.accept()
    L.close()
    return a, p["seq"] + 1, opt(p, "TS")[1]


def told(s):
    out = []
    while True:
        try:
            d, anc, fl, _ = s.recvmsg(0, 1024, ERRQUEUE | MSG_DONTWAIT)
        except OSError as e:
            return out + [errno.errorcode[e.errno]]
        m = []
        for level, kind, b in anc:
            if kind == 37:
                m.append("stamp" if struct.unpack("q", b[:8])[0] else "no stamp")
            else:
                m.append((level, kind, len(b)) + struct.unpack("IBBBxII", b[:16]))
        out.append((hex(fl), m))


def polled(s):
    p = select.poll()
    p.register(s.fileno(), select.POLLIN | select.POLLOUT)
    return [hex(r) for _, r in p.poll(0)]


def t_stamps():
    t = Tun()
    a, n, e = est(t, 1)
    print("OPT_ID before connect:", E(lambda: socket(AF_INET, SOCK_STREAM).setsockopt(SOL_SOCKET, 37, OPT_ID)))
    a.setsockopt(SOL_SOCKET, 37, TX | SOFTWARE | OPT_ID | SCHED | ACKED)
    a.send(b"x" * 3000)
    t.recv(0.05, 1)
    print("3000 bytes sent:", polled(a), told(a), polled(a))
    t.send(1, 80, A, 1001, n + 1000, opts=TS(1002, e))
    time.sleep(0.01)
    print("1000 acknowledged:", told(a))
    t.send(1, 80, A, 1001, n + 3000, opts=TS(1002, e))
    time.sleep(0.01)
    print("all acknowledged:", told(a))
    a.setsockopt(SOL_SOCKET, 37, TX | SOFTWARE | OPT_ID | ACKED | TSONLY)
    a.send(b"x" * 500)
    t.recv(0.02, 1)
    print("only stamps:", told(a))
    t.recv(0.4, 1)
    print("sent again after a timeout:", told(a))
    t.send(1, 80, A, 1001, n + 3500, opts=TS(1003, e))
    time.sleep(0.01)
    print("acknowledged:", told(a))
    a.setsockopt(SOL_SOCKET, 37, TX)
    a.send(b"x" * 500)
    t.recv(0.02, 1)
    print("without SOFTWARE and OPT_ID:", told(a))


def t_zerocopy():
    t = Tun()
    a, n, e = est(t, 1)
    print("without SO_ZEROCOPY:", a.send(b"x" * 100, ZEROCOPY), told(a))
    t.recv(0.02, 1)
    t.send(1, 80, A, 1001, n + 100, opts=TS(1002, e))
    time.sleep(0.01)
    print("acknowledged:", told(a))
    a.setsockopt(SOL_SOCKET, 60, 1)
    for i in range(3):
        a.send(b"x" * 1000, ZEROCOPY)
    t.recv(0.02, 1)
    print("three sent:", told(a))
    t.send(1, 80, A, 1001, n + 1100, opts=TS(1002, e))
    time.sleep(0.01)
    print("one acknowledged:", polled(a), told(a))
    t.send(1, 80, A, 1001, n + 3100, opts=TS(1002, e))
    time.sleep(0.01)
    print("the other two:", told(a))


if __name__ == "__main__":
    main(globals())
