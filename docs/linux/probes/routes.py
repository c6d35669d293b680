"What a route's MTU and metric do to a SYN-ACK and to data."
from harness import *

MSS1460 = b"\x02\x04\x05\xb4"


def t_mtu():
    t = Tun()
    sh("ip route change 192.0.2.0/24 dev tun0 mtu 1300; ip -6 route change 2001:db8::/64 dev tun0 mtu 1400")
    print(sh("ip route; ip -6 route").replace("\n", " | "))
    L = lsock(80, 5)
    t.send(1000, 80, 2, 1000, opts=MSS1460)
    p = t.one(0.2, 1000)
    print("route mtu 1300: SYN-ACK", show([p]))
    t.send(1000, 80, 16, 1001, p["seq"] + 1)
    time.sleep(0.02)
    a, _ = L.accept()
    print("TCP_MAXSEG", a.getsockopt(IPPROTO_TCP, TCP_MAXSEG))
    b = a.getsockopt(IPPROTO_TCP, TCP_INFO, 256)
    print("snd_mss", struct.unpack_from("I", b, 16)[0], "advmss", struct.unpack_from("I", b, 64)[0], "pmtu", struct.unpack_from("I", b, 60)[0])
    a.send(b"x" * 3000)
    print("data lengths", [len(p["data"]) for p in t.recv(0.05, 1000)])


def t_metric():
    t = Tun()
    sh("ip route del 192.0.2.0/24 dev tun0; ip route add 192.0.2.0/24 dev tun0 metric 20 mtu 1200; ip route add 192.0.2.0/24 dev tun0 metric 10 mtu 1300; ip route add 192.0.2.0/25 dev tun0 metric 90 mtu 1250")
    L = lsock(81, 5)
    t.send(1001, 81, 2, 1000, opts=MSS1460)
    print("narrower of metric 90 mtu 1250, else metric 10 mtu 1300:", show([t.one(0.2, 1001)]))
    sh("ip route del 192.0.2.0/25 dev tun0")
    t.send(1002, 81, 2, 1000, opts=MSS1460)
    print("without it", show([t.one(0.2, 1002)]))
    sh("ip route del 192.0.2.0/24 dev tun0 metric 10")
    t.send(1003, 81, 2, 1000, opts=MSS1460)
    print("without metric 10", show([t.one(0.2, 1003)]))


def t_half_open():
    t = Tun()
    L = lsock(82, 5)
    t.send(1004, 82, 2, 1000, opts=MSS1460)
    p = t.one(0.2, 1004)
    sh("ip route change 192.0.2.0/24 dev tun0 mtu 1300")
    print("route changed while half-open", show([p]), "->", show(t.recv(1.2, 1004)))


if __name__ == "__main__":
    main(globals())
