# which of several listeners at one address gets a SYN
from harness import *
def mk(v6, dev=None, reuse=True, addr=None):
    s=socket(AF_INET6 if v6 else AF_INET); 
    if reuse: s.setsockopt(SOL_SOCKET,SO_REUSEPORT,1)
    if dev: s.setsockopt(SOL_SOCKET,SO_BINDTODEVICE,dev)
    if addr: s.bind((addr,80))
    else: s.bind(("2001:db8::1" if v6 else "192.0.2.1",80))
    return s
def count(t, socks, v6):
    for i in range(8):
        t.send(100+i,80,S,1000,opts=MSS(1400),v6=v6)
    out=[]
    for s in socks:
        # half-open: finish the handshakes
        out.append(0)
    for p in t.recv(0.15):
        if p["icmp"] is None and p["fl"]=="SA": t.send(p["dport"],80,A,1001,p["seq"]+1,v6=v6)
    time.sleep(0.03)
    for k,s in enumerate(socks):
        s.setblocking(0)
        while True:
            try: a,_=s.accept(); a.setsockopt(SOL_SOCKET,SO_LINGER,struct.pack("ii",1,0)); a.close(); out[k]+=1
            except BlockingIOError: break
    t.drain()
    return out
def t_order():
    t=Tun()
    for v6 in (0,1):
        for spec in ((None,b"tun0"),(b"tun0",None),(None,None,b"tun0"),(None,b"tun0",None),(b"tun0",None,b"tun0"),(b"tun0",b"tun0",None)):
            ss=[mk(v6,d) for d in spec]
            for s in ss: s.listen(50)
            print("v6" if v6 else "v4", spec, count(t,ss,v6))
            for s in ss: s.close()
def t_cleared():
    t=Tun()
    for v6 in (0,1):
        for n in (2,3):
          for who in range(n):
            ss=[mk(v6) for d in range(n)]
            for s in ss: s.listen(50)
            a=count(t,ss,v6)
            ss[who].setsockopt(SOL_SOCKET,SO_REUSEPORT,0)
            b=count(t,ss,v6)
            for s in ss: s.setsockopt(SOL_SOCKET,SO_REUSEPORT,0)
            c=count(t,ss,v6)
            print("v6" if v6 else "v4", n, "cleared", who, a, b, "all cleared", c)
            for s in ss: s.close()
def t_dual():
    "AF_INET6 wildcard v4-mapped and order"
    t=Tun()
    for spec in ((None,b"tun0"),(b"tun0",None)):
        ss=[mk(1,d,addr="::") for d in spec]
        for s in ss: s.listen(50)
        print("dual over v4", spec, count(t,ss,0), "over v6", count(t,ss,1))
        for s in ss: s.close()
    for spec in ((None,b"tun0"),(b"tun0",None)):
        ss=[mk(1,d,addr="::ffff:192.0.2.1") for d in spec]
        for s in ss: s.listen(50)
        print("mapped", spec, count(t,ss,0))
        for s in ss: s.close()
    for order in (0,1):
        a=mk(1,None,addr="::ffff:192.0.2.1"); b=mk(0)
        for s in ((a,b),(b,a))[order]: s.listen(50)
        print("mapped and v4, first", "mapped v4".split()[order], count(t,[a,b],0)); a.close(); b.close()
if __name__=="__main__": main(globals())
