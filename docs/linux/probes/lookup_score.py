"Which of 0.0.0.0 and a dual :: gets an IPv4 SYN when the latter is bound to the device or has the processor."
from harness import *
from syn_ack_and_queues import hs

MSS1460 = b"\x02\x04\x05\xb4"
DEV = lambda s: s.setsockopt(SOL_SOCKET, 25, b"tun0\0")
CPU = lambda s: s.setsockopt(SOL_SOCKET, 49, 0)


def one(fam, port, opts, rp=True):
    s = socket(fam)
    if rp:
        s.setsockopt(SOL_SOCKET, 15, 1)
    for o in opts:
        o(s)
    s.bind(("::" if fam == AF_INET6 else "0.0.0.0", port))
    s.listen(100)
    s.setblocking(0)
    return s


def t_any():
    t = Tun()
    os.sched_setaffinity(0, {0})
    port = 500
    for name, o4, o6 in (
        ("plain", [], []),
        ("v6 device", [], [DEV]),
        ("v6 cpu", [], [CPU]),
        ("v6 device and cpu", [], [DEV, CPU]),
        ("v4 cpu, v6 device", [CPU], [DEV]),
        ("v4 device, v6 cpu", [DEV], [CPU]),
        ("v4 device, v6 device and cpu", [DEV], [DEV, CPU]),
        ("v4 cpu, v6 device and cpu", [CPU], [DEV, CPU]),
    ):
        r = []
        for order in (0, 1):
            port += 1
            try:
                if order == 0:
                    a = one(AF_INET, port, o4)
                    b = one(AF_INET6, port, o6)
                else:
                    b = one(AF_INET6, port, o6)
                    a = one(AF_INET, port, o4)
            except OSError as e:
                r.append(repr(e))
                continue
            t.drain()
            for i in range(6):
                hs(t, port, 8000 + 10 * (port - 500) + i, opts=MSS1460)
            time.sleep(0.03)
            r.append(("v4", q(a)[0], "v6", q(b)[0]))
            a.close()
            b.close()
        print(name, "v4 first:", r[0], "v6 first:", r[1])


if __name__ == "__main__":
    main(globals())
