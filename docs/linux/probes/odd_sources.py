from harness import *
import socket as S_


def main():
    enter()
    t = Tun()
    L = socket()
    L.bind(("0.0.0.0", 140))
    L.listen(50)
    L6 = socket(AF_INET6)
    L6.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
    L6.bind(("::", 140))
    L6.listen(50)

    def d(nm, **k):
        t.drain()
        n0 = nstat()
        n6 = open("/proc/net/snmp6").read()
        t.send(**k)
        r = t.recv(0.15)
        n = ndiff(n0, nstat(), ("Tcp", "Ip.", "IpExt."))

        def p6(x):
            return {l.split()[0]: int(l.split()[1]) for l in x.splitlines()}

        a, b = p6(n6), p6(open("/proc/net/snmp6").read())
        n.update(
            {
                k: b[k] - a[k]
                for k in b
                if b[k] != a[k]
                and "Octets" not in k
                and "Pkts" not in k
                and k not in ("Ip6InReceives", "Ip6InDelivers", "Ip6OutRequests", "Ip6OutTransmits")
            }
        )
        print(nm, "->", show(r), n, "tos/flow", [(hex(p["tos"]), hex(p.get("flow", 0)), p["ttl"]) for p in r if not p["icmp"]])

    d("v4 syn ttl/tos", sport=1, dport=140, fl=S, seq=1, opts=MSS(1460))
    d("v4 syn to mcast 224.0.0.1", sport=2, dport=140, fl=S, seq=1, dst="224.0.0.1")
    d("v4 syn to bcast", sport=2, dport=140, fl=S, seq=1, dst="255.255.255.255")
    d("v4 syn to subnet bcast", sport=2, dport=140, fl=S, seq=1, dst="192.0.2.255")
    d("v4 syn from self", sport=2, dport=140, fl=S, seq=1, src="192.0.2.1")
    d("v4 syn from mcast src", sport=2, dport=140, fl=S, seq=1, src="224.0.0.5")
    d("v4 syn sport 0", sport=0, dport=140, fl=S, seq=1)
    d("v6 syn", sport=1, dport=140, fl=S, seq=1, opts=MSS(1440), v6=True)
    d("v6 syn ff02::1", sport=2, dport=140, fl=S, seq=1, v6=True, dst="ff02::1")
    d("v6 syn from self", sport=2, dport=140, fl=S, seq=1, v6=True, src="2001:db8::1")
    d("v6 syn from mapped", sport=2, dport=140, fl=S, seq=1, v6=True, src="::ffff:192.0.2.2")
    d("v6 syn from ::", sport=2, dport=140, fl=S, seq=1, v6=True, src="::")
    d("v6 syn from ::1", sport=2, dport=140, fl=S, seq=1, v6=True, src="::1")
    d("v6 syn from mcast", sport=2, dport=140, fl=S, seq=1, v6=True, src="ff02::5")
    d("v6 syn badsum", sport=2, dport=140, fl=S, seq=1, v6=True, badsum=True)
    d("v6 closed port", sport=2, dport=141, fl=S, seq=1, v6=True)
    d("v6 bare ack", sport=3, dport=140, fl=A, seq=1, ack=77, v6=True)
    d("v6 syn tos", sport=4, dport=140, fl=S, seq=1, v6=True, tos=0x28)
    d("v6 closed port tos", sport=5, dport=141, fl=S, seq=1, v6=True, tos=0x28)
    d("v4 closed port tos", sport=5, dport=141, fl=S, seq=1, tos=0x28)


main()
