# Socket options: what each answers to lengths and values. As root: unshare -n python3 sockopt.py
import ctypes, errno, struct, socket, os
libc=ctypes.CDLL(None,use_errno=True)
def go(s,l,o,n):
    b=ctypes.create_string_buffer(b'\xee'*max(n,0)+b'\xee'*8,max(n,0)+8);ln=ctypes.c_int(n);ctypes.set_errno(0)
    r=libc.getsockopt(s.fileno(),l,o,b,ctypes.byref(ln))
    if r<0:return errno.errorcode[ctypes.get_errno()]
    return b.raw[:max(ln.value,0)].hex()+'/%d'%ln.value
def so(s,l,o,v,n=None):
    b=ctypes.create_string_buffer(v,max(len(v),1)) ;ctypes.set_errno(0)
    r=libc.setsockopt(s.fileno(),l,o,b,len(v) if n is None else n)
    return 'ok' if r==0 else errno.errorcode[ctypes.get_errno()]
I=lambda x:struct.pack('i',x if x<2**31 else x-2**32)
SO={'DEBUG':1,'REUSEADDR':2,'TYPE':3,'ERROR':4,'DONTROUTE':5,'BROADCAST':6,'SNDBUF':7,'RCVBUF':8,'KEEPALIVE':9,'OOBINLINE':10,'NO_CHECK':11,'PRIORITY':12,'LINGER':13,'BSDCOMPAT':14,'REUSEPORT':15,'PASSCRED':16,'PEERCRED':17,'RCVLOWAT':18,'SNDLOWAT':19,'RCVTIMEO':20,'SNDTIMEO':21,'BINDTODEVICE':25,'ATTACH_FILTER':26,'DETACH_FILTER':27,'PEERNAME':28,'TIMESTAMP':29,'ACCEPTCONN':30,'PEERSEC':31,'SNDBUFFORCE':32,'RCVBUFFORCE':33,'MARK':36,'TIMESTAMPING':37,'PROTOCOL':38,'DOMAIN':39,'RXQ_OVFL':40,'PEEK_OFF':42,'NOFCS':43,'LOCK_FILTER':44,'SELECT_ERR_QUEUE':45,'BUSY_POLL':46,'MAX_PACING_RATE':47,'INCOMING_CPU':49,'MEMINFO':55,'INCOMING_NAPI':56,'COOKIE':57,'PEERGROUPS':59,'ZEROCOPY':60,'TXTIME':61,'BINDTOIFINDEX':62,'NETNS_COOKIE':71,'BUF_LOCK':72,'TXREHASH':74,'RCVMARK':75,'UNK':200}
TC={'NODELAY':1,'MAXSEG':2,'CORK':3,'KEEPIDLE':4,'KEEPINTVL':5,'KEEPCNT':6,'SYNCNT':7,'LINGER2':8,'DEFER_ACCEPT':9,'WINDOW_CLAMP':10,'INFO':11,'QUICKACK':12,'CONGESTION':13,'MD5SIG':14,'THIN_LINEAR':16,'THIN_DUPACK':17,'USER_TIMEOUT':18,'REPAIR':19,'FASTOPEN':23,'TIMESTAMP':24,'NOTSENT_LOWAT':25,'CC_INFO':26,'SAVE_SYN':27,'SAVED_SYN':28,'FASTOPEN_CONNECT':30,'ULP':31,'FASTOPEN_KEY':33,'FASTOPEN_NO_COOKIE':34,'ZEROCOPY_RECEIVE':35,'INQ':36,'TX_DELAY':37,'IS_MPTCP':43,'RTO_MAX_MS':44,'RTO_MIN_US':45,'DELACK_MAX_US':46,'UNK':99}
IP={'TOS':1,'TTL':2,'HDRINCL':3,'OPTIONS':4,'RECVOPTS':6,'PKTINFO':8,'MTU_DISCOVER':10,'RECVERR':11,'RECVTTL':12,'RECVTOS':13,'MTU':14,'FREEBIND':15,'TRANSPARENT':19,'MINTTL':21,'BIND_ADDRESS_NO_PORT':24,'MULTICAST_IF':32,'MULTICAST_TTL':33,'MULTICAST_LOOP':34,'ADD_MEMBERSHIP':35,'LOCAL_PORT_RANGE':51,'PROTOCOL':52,'UNK':99}
V6={'ADDRFORM':1,'RECVPKTINFO':49,'UNICAST_HOPS':16,'MULTICAST_IF':17,'MULTICAST_HOPS':18,'MULTICAST_LOOP':19,'MTU_DISCOVER':23,'MTU':24,'RECVERR':25,'V6ONLY':26,'JOIN':20,'FLOWINFO_SEND':33,'RECVHOPLIMIT':51,'DONTFRAG':62,'RECVTCLASS':66,'TCLASS':67,'AUTOFLOWLABEL':70,'ADDR_PREFERENCES':72,'MINHOPCOUNT':73,'TRANSPARENT':75,'FREEBIND':78,'UNK':99}


def squeeze(pairs):
    "drop what equals its predecessor"
    out, prev = [], None
    for k, v in pairs:
        if v != prev:
            out.append("%s:%s" % (k, v))
        prev = v
    return " ".join(out)


def run(nm, lvl, tab, mk):
    values = (-2**31, -1, 0, 1, 2, 3, 47, 48, 87, 88, 126, 127, 128, 255, 256, 257, 4095, 32767, 32768, 65535, 65536, 2**31 - 1)
    for k, o in tab.items():
        print("%s_%s(%d)" % (nm, k, o))
        s = mk()
        print("   get, room:", squeeze([(n, go(s, lvl, o, n)[:40]) for n in (-1, 0, 1, 2, 3, 4, 5, 8, 16, 400)]))
        if k == "REPAIR":
            continue
        print("   set, length:", squeeze([(n, so(mk(), lvl, o, struct.pack("iiii", 1, 0, 0, 0), n)) for n in (-1, 0, 1, 2, 3, 4, 5, 8, 16)]))
        r = []
        for v in values:
            s = mk()
            e = so(s, lvl, o, I(v))
            r.append((v, e if e != "ok" else ">" + go(s, lvl, o, 16)[:18]))
        print("   set, value:", squeeze(r))


def tcp4():
    return socket.socket()


def tcp6():
    return socket.socket(socket.AF_INET6)


for name, value in (("tcp_rmem", "4096 131072 6291456"), ("tcp_wmem", "4096 16384 4194304")):
    open("/proc/sys/net/ipv4/" + name, "w").write(value)
os.system("ip link set lo up")
run("SO", 1, SO, tcp4)
run("TCP", 6, TC, tcp4)
run("IP", 0, IP, tcp4)
run("IPV6", 41, V6, tcp6)
run("IPV6 on AF_INET", 41, {"V6ONLY": 26, "TCLASS": 67}, tcp4)
run("IP on AF_INET6", 0, {"TOS": 1, "TTL": 2, "FREEBIND": 15}, tcp6)
for t, p in ((socket.SOCK_DGRAM, 0), (socket.SOCK_RAW, 1)):
    s = socket.socket(socket.AF_INET, t, p)
    print("type", t, [(k, go(s, 1, SO[k], 4)) for k in ("TYPE", "DOMAIN", "PROTOCOL", "ERROR", "ACCEPTCONN", "RCVBUF", "SNDBUF", "REUSEADDR")], "tcp level", go(s, 6, 1, 4), so(s, 6, 1, I(1)))
print("other levels", [(l, go(tcp4(), l, 1, 4), so(tcp4(), l, 1, I(1))) for l in (2, 3, 17, 58, 255, 41, 132, 282, -1, 262, 284)])
# timeouts, linger, an ordinary user, states, names
print('ip60',go(tcp4(),0,60,4),so(tcp4(),0,60,I(1)),'ip7',go(tcp4(),0,7,4))
for t in((0,1),(0,3999),(0,4000),(0,4001),(1,500000),(0,999999),(0,1000000),(0,-1),(-1,0),(-1,5),(2**62,0),(10**9,0)):
    s=tcp4();print(t,so(s,1,20,struct.pack('qq',*t)),go(s,1,20,16))
for t in((1,7),(0,9),(1,-1),(1,2**31-1),(5,100000)):
    s=tcp4();so(s,1,13,struct.pack('ii',1,3));print('linger',t,so(s,1,13,struct.pack('ii',*t)),go(s,1,13,8))
pid=os.fork()
if pid==0:
    os.setgid(65534);os.setuid(65534)
    for k in('DEBUG','PRIORITY','SNDBUFFORCE','RCVBUFFORCE','MARK','BUSY_POLL','MAX_PACING_RATE','LOCK_FILTER','INCOMING_CPU','NO_CHECK','RCVMARK','TXREHASH','BINDTOIFINDEX'):print(k,so(tcp4(),1,SO[k],I(1)),so(tcp4(),1,SO[k],I(7)),so(tcp4(),1,SO[k],I(0)))
    print('TRANSPARENT',so(tcp4(),0,19,I(1)),so(tcp4(),0,19,I(0)),'BTD',so(tcp4(),1,25,b'lo\0'),so(tcp4(),1,25,b'nope\0'),'CONG',so(tcp4(),6,13,b'cubic'),so(tcp4(),6,13,b'bbr'),'REPAIR',so(tcp4(),6,19,I(1)))
    os._exit(0)
os.waitpid(pid,0)
L=tcp4();L.bind(('127.0.0.1',0));L.listen(9)
c=socket.create_connection(L.getsockname());a,_=L.accept()
for n,o,v in(('MAXSEG',2,1000),('WCLAMP0',10,0),('WCLAMP',10,5000),('FASTOPEN',23,1),('FOCONN',30,1),('NOCOOKIE',34,1),('DEFER',9,1),('SAVESYN',27,1),('CORK',3,1),('QA',12,0)):print(n,'conn',so(c,6,o,I(v)),go(c,6,o,4),'listen',so(L,6,o,I(v)),go(L,6,o,4))
s=tcp4();so(s,1,7,I(5000));print('buflock',go(s,1,72,4));so(s,1,8,I(5000));print(go(s,1,72,4))
s=tcp4();print('btd',so(s,1,25,b'lo\0'),go(s,1,25,16),go(s,1,25,4),go(s,1,25,0),go(s,1,25,3),go(s,1,62,4),so(s,1,25,b'lo'),so(s,1,25,b'x'*40))
for v in(b'cubic',b'reno\0junk',b'',b'nope',b'cubicxxxxxxxxxxxxxxxxxxxx'):s=tcp4();print('cong',v,so(s,6,13,v),go(s,6,13,16))
print('v6only bound',(lambda s:(s.bind(('::1',0)),so(s,41,26,I(1)),so(s,41,26,I(0))))(tcp6()))
u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);print('udp shut',u.fileno()>0)
print('ULP',so(tcp4(),6,31,b'tls'),so(c,6,31,b'tls'),so(c,6,31,b''))
print('cork get',go(c,6,3,4),'lowat',so(c,1,18,I(0)),go(c,1,18,4), 'PEERNAME',go(c,1,28,16),go(c,1,28,4),go(c,1,28,400),'IP_MTU',go(c,0,14,4),'acceptconn',go(L,1,30,4))
print('peername L',go(L,1,28,16))
