# socket, bind, connect, shutdown, names, recv, send, poll, ioctl, epoll_ctl. As root: unshare -n python3 socket_calls.py
import ctypes,errno,struct,os,select,threading,time,fcntl,termios,array
from socket import *
libc=ctypes.CDLL(None,use_errno=True)
os.system('ip link set lo up')
def c(f,*a):
    ctypes.set_errno(0);r=getattr(libc,f)(*a);return r if r>=0 else errno.errorcode[ctypes.get_errno()]
def sk(d,t,p=0):
    r=c('socket',d,t,p)
    if isinstance(r,int):os.close(r);return 'ok'
    return r
print('== socket()')
for d in(0,1,2,10,16,17,3,11,45,46,47,-1,99,2**31-1):print('dom',d,[(t,p,sk(d,t,p)) for t in(1,2,3) for p in(0,6,17)])
for d in(2,10):
    print('dom',d,'types',[(t,sk(d,t)) for t in(0,1,2,3,4,5,6,10,11,15,16,-1,0x801,0x80001,0x1001,0x401,0x800,0x100001)])
    for t in(1,2,3,5,10):print(' proto type',t,[(p,sk(d,t,p)) for p in(-1,0,1,2,6,17,33,58,132,136,255,256,257,262,263,2**31-1)])
print('bad flags+bad family',sk(99,0x1001),'bad type+bad family',sk(99,77),'bad type 77',sk(2,77))
pid=os.fork()
if pid==0:
    os.setgid(65534);os.setuid(65534);print('unpriv raw',sk(2,3,1),'raw proto0',sk(2,3,0),'packet',sk(17,3),'dgram icmp',sk(2,2,1),'raw 6',sk(10,3,58));os._exit(0)
os.waitpid(pid,0)
KEEP=[]
def mk(d=AF_INET,t=SOCK_STREAM):
    s=socket(d,t);KEEP.append(s);return s
def sa(f,p,a,extra=b''):return struct.pack('=H',f)+struct.pack('>H',p)+inet_aton(a)+b'\0'*8+extra
def sa6(f,p,a,flow=0,scope=0):return struct.pack('=H',f)+struct.pack('>HI',p,flow)+inet_pton(AF_INET6,a)+struct.pack('I',scope)
def B(s,b,n=None):return c('bind',s.fileno(),b,len(b) if n is None else n)
def C(s,b,n=None):return c('connect',s.fileno(),b,len(b) if n is None else n)
print('== bind')
for n in(-1,0,1,2,3,4,8,15,16,17,28,128,129):print('v4 len',n,B(mk(),sa(2,0,'127.0.0.1',b'\0'*200),n),end=' ')
print()
for f in(0,1,2,3,10,99):print('v4 fam',f,'127.0.0.1',B(mk(),sa(f,0,'127.0.0.1')),'0.0.0.0',B(mk(),sa(f,0,'0.0.0.0')),end=' | ')
print()
for n in(-1,0,1,2,15,16,20,23,24,25,27,28,29,128,129):print('v6 len',n,B(mk(AF_INET6),sa6(10,0,'::1')+b'\0'*200,n),end=' ')
print()
for f in(0,1,2,3,10,99):print('v6 fam',f,'::1',B(mk(AF_INET6),sa6(f,0,'::1')),'::',B(mk(AF_INET6),sa6(f,0,'::')),end=' | ')
print()
print('v6 sock with AF_INET sockaddr len16',B(mk(AF_INET6),sa(2,0,'127.0.0.1')),'padded',B(mk(AF_INET6),sa(2,0,'127.0.0.1',b'\0'*12)))
print('v6 linklocal no scope',B(mk(AF_INET6),sa6(10,0,'fe80::1')),'scope 1',B(mk(AF_INET6),sa6(10,0,'fe80::1',0,1)),'nonlocal',B(mk(AF_INET6),sa6(10,0,'2001:db8::1')),'mcast',B(mk(AF_INET6),sa6(10,0,'ff02::1',0,1)), B(mk(AF_INET6),sa6(10,0,'ff0e::1')))
s=mk();B(s,sa(2,0,'127.0.0.1'));print('rebind',B(s,sa(2,0,'127.0.0.1')),'rebind bad len',B(s,sa(2,0,'127.0.0.1'),4),'rebind nonlocal',B(s,sa(2,0,'9.9.9.9')),'rebind fam',B(s,sa(3,0,'127.0.0.1')))
print('bind bad fd',c('bind',-1,sa(2,0,'0.0.0.0'),16),'notsock',c('bind',os.open('/dev/null',0),sa(2,0,'0.0.0.0'),16),'badfd badlen',c('bind',-1,sa(2,0,'0.0.0.0'),-1),'nullptr',c('bind',mk().fileno(),None,16))
print('== connect')
for n in(-1,0,1,2,3,8,15,16,17,128,129):print('v4 len',n,C(mk(),sa(2,1,'127.0.0.1',b'\0'*200),n),end=' ')
print()
for f in(0,1,2,3,10,99):print('v4 fam',f,C(mk(),sa(f,1,'127.0.0.1')),end=' | ')
print('unspec len2',C(mk(),sa(0,1,'127.0.0.1'),2),'unspec len1',C(mk(),sa(0,1,'127.0.0.1'),1))
for n in(-1,0,1,2,15,16,23,24,27,28,29):print('v6 len',n,C(mk(AF_INET6),sa6(10,1,'::1')+b'\0'*200,n),end=' ')
print()
for f in(0,1,2,3,10,99):print('v6 fam',f,C(mk(AF_INET6),sa6(f,1,'::1')),end=' | ')
print()
print('any',C(mk(),sa(2,1,'0.0.0.0')),'bcast',C(mk(),sa(2,1,'255.255.255.255')),'mcast',C(mk(),sa(2,1,'224.0.0.1')),'noroute',C(mk(),sa(2,1,'9.9.9.9')),'port0',C(mk(),sa(2,0,'127.0.0.1')),'v6 any',C(mk(AF_INET6),sa6(10,1,'::')),'v6 mcast',C(mk(AF_INET6),sa6(10,1,'ff02::1',0,1)),'v6 noroute',C(mk(AF_INET6),sa6(10,1,'2001:db8::1')),'ll noscope',C(mk(AF_INET6),sa6(10,1,'fe80::1')))
s=mk(AF_INET6);s.setsockopt(41,26,1);print('v6only mapped',C(s,sa6(10,1,'::ffff:127.0.0.1')),'v6 mapped',C(mk(AF_INET6),sa6(10,1,'::ffff:127.0.0.1')))
L=mk();L.bind(('127.0.0.1',0));L.listen(500);P=L.getsockname()[1]
print('listener connect',C(L,sa(2,P,'127.0.0.1')),'badlen',C(L,sa(2,P,'127.0.0.1'),8),'badfam',C(L,sa(3,P,'127.0.0.1')))
s=mk();print('connect',C(s,sa(2,P,'127.0.0.1')),'again',C(s,sa(2,P,'127.0.0.1')),'badlen again',C(s,sa(2,P,'127.0.0.1'),8),'bad fam',C(s,sa(3,P,'127.0.0.1')),'unspec',C(s,sa(0,0,'0.0.0.0')),'again after unspec',C(s,sa(2,P,'127.0.0.1')))
s=mk();s.setblocking(0);print('nb refused',C(s,sa(2,1,'127.0.0.1')));time.sleep(.05);p=select.poll();p.register(s,0xffff);print('poll',hex(p.poll(0)[0][1]),'connect again',C(s,sa(2,1,'127.0.0.1')),'third',C(s,sa(2,1,'127.0.0.1')));time.sleep(.05);print('SO_ERROR',s.getsockopt(1,4),s.getsockopt(1,4))
s=mk();s.setblocking(0);C(s,sa(2,1,'127.0.0.1'));time.sleep(.05);print('SO_ERROR first',s.getsockopt(1,4),'then poll',hex(p.poll(0)[0][1]) ,'connect',C(s,sa(2,1,'127.0.0.1')),'connect2',C(s,sa(2,1,'127.0.0.1')))
s=mk();s.setblocking(0);print('nb ok',C(s,sa(2,P,'127.0.0.1')));time.sleep(.05);print('again',C(s,sa(2,P,'127.0.0.1')),'and',C(s,sa(2,P,'127.0.0.1')))
s=mk();print('blocking refused',C(s,sa(2,1,'127.0.0.1')),'sockname after',s.getsockname(),'so_error',s.getsockopt(1,4),'again',C(s,sa(2,P,'127.0.0.1')))
s=mk();s.bind(('127.0.0.1',0));b=s.getsockname();C(s,sa(2,1,'127.0.0.1'));print('bound before refused: sockname kept',b==s.getsockname())
print('== shutdown');
for h in(-1,0,1,2,3):print(h,c('shutdown',mk().fileno(),h),end=' ')
s=mk();s.connect(('127.0.0.1',P));print('conn',[c('shutdown',s.fileno(),h) for h in(-1,3,0,0,1,1,2,2)])
print('badfd badhow',c('shutdown',-1,9),'udp',c('shutdown',mk(t=SOCK_DGRAM).fileno(),2),'udp bad how',c('shutdown',mk(t=SOCK_DGRAM).fileno(),9))
print('== names');
def gn(f,s):
    b=ctypes.create_string_buffer(64);l=ctypes.c_int(64);r=c(f,s.fileno(),b,ctypes.byref(l));return r if r!=0 else (b.raw[:l.value].hex(),l.value)
print(gn('getsockname',mk()),gn('getpeername',mk()),gn('getsockname',mk(AF_INET6)))
s=mk();s.setblocking(0)
os.system('ip link add d0 type veth peer name d1; ip addr add 10.9.9.1/24 dev d0; ip link set d0 up; ip link set d1 up; ip neigh add 10.9.9.2 lladdr 02:00:00:00:00:99 dev d0')
print('syn_sent connect',C(s,sa(2,P,'10.9.9.2')),'peername',gn('getpeername',s),'sockname',gn('getsockname',s)[0:1] )
p=select.poll();p.register(s,0xffff);print('poll syn_sent',p.poll(0),'connect again',C(s,sa(2,P,'10.9.9.2')),'other dst',C(s,sa(2,1,'127.0.0.1')))
def io(s):
    o=[]
    for f in('recv','send'):
        b=ctypes.create_string_buffer(8);o.append((f,c(f,s.fileno(),b,4,0x4040)))
    return o
print('io nb on syn_sent',io(s),'recv0',c('recv',s.fileno(),ctypes.create_string_buffer(8),0,0x40),'send0',c('send',s.fileno(),b'',0,0x4040))
s2=mk();print('io fresh',io(s2),'recv0',c('recv',s2.fileno(),ctypes.create_string_buffer(8),0,0x40),'send0',c('send',s2.fileno(),b'',0,0x4040))
print('io listener',io(L),'recv0',c('recv',L.fileno(),ctypes.create_string_buffer(8),0,0x40),'send0',c('send',L.fileno(),b'',0,0x4040))
L=mk();L.bind(('127.0.0.1',0));L.listen(500);P=L.getsockname()[1]
a=mk();a.connect(('127.0.0.1',P));x,_=L.accept()
print('io est empty', c('recv',a.fileno(),ctypes.create_string_buffer(8),4,0x40),'recv0',c('recv',a.fileno(),ctypes.create_string_buffer(8),0,0x40),'send0',c('send',a.fileno(),b'',0,0x4000))
def pl(s):
    p=select.poll();p.register(s,0xffff);r=p.poll(0);return hex(r[0][1]) if r else '0'
print('poll est',pl(a),end=' ');x.send(b'hello');time.sleep(.02);print('data',pl(a),'oob',end=' ');x.send(b'!',MSG_OOB);time.sleep(.02);print(pl(a),end=' ')
print('recv',a.recv(100,MSG_PEEK|MSG_DONTWAIT),a.recv(3,MSG_TRUNC|MSG_DONTWAIT),'oob',a.recv(1,MSG_OOB),a.recv(100), pl(a))
print('recv OOB none',c('recv',a.fileno(),ctypes.create_string_buffer(8),1,1),'ERRQUEUE',c('recv',a.fileno(),ctypes.create_string_buffer(8),1,0x2040))
a.shutdown(1);time.sleep(.02);print('FINWAIT poll',pl(a),'peer',pl(x),'send',io(a));x.shutdown(1);time.sleep(.02);print('tw poll',pl(a),'peer',pl(x),io(a),io(x))
a=mk();a.connect(('127.0.0.1',P));x,_=L.accept();a.shutdown(0);print('SHUT_RD poll',pl(a),io(a));x.send(b'zz');time.sleep(.02);print('after data',pl(a),io(a),pl(x))
a=mk();a.connect(('127.0.0.1',P));x,_=L.accept();a.setsockopt(1,13,struct.pack('ii',1,0));a.close();time.sleep(.02);print('RST poll',pl(x),io(x),pl(x),io(x),gn('getpeername',x),c('shutdown',x.fileno(),2),'connect',C(x,sa(2,P,'127.0.0.1')))
a=mk();a.connect(('127.0.0.1',P));x,_=L.accept();a.setsockopt(1,13,struct.pack('ii',1,0));a.close();time.sleep(.02);print('RST send first',c('send',x.fileno(),b'a',1,0x4000),c('send',x.fileno(),b'a',1,0x4000),io(x))
print('== ioctl')
def ioc(s,r):
    b=array.array('i',[-7])
    try: fcntl.ioctl(s,r,b);return b[0]
    except OSError as e:return errno.errorcode[e.errno]
R={'INQ':0x541b,'OUTQ':0x5411,'OUTQNSD':0x894b,'ATMARK':0x8905,'FIONBIO':0x5421,'FIOASYNC':0x5452,'TCGETS':0x5401,'GPGRP':0x8904,'unk':0x1234}
for n,s in(('fresh',mk()),('listen',L),('est',(lambda a:(a.connect(('127.0.0.1',P)),a)[1])(mk())),('synsent',(lambda a:(a.setblocking(0),a.connect_ex(('10.9.9.2',9)),a)[2])(mk())),('udp',mk(t=SOCK_DGRAM))):print(n,{k:ioc(s,v) for k,v in R.items()})
L.setblocking(1)
print('== accept');print('udp',c('accept4',mk(t=SOCK_DGRAM).fileno(),None,None,0),'raw',c('accept',mk(t=SOCK_RAW).fileno() if 0 else socket(AF_INET,SOCK_RAW,1).fileno(),None,None))
u=socket(AF_INET,SOCK_RAW,1);print('raw: listen',c('listen',u.fileno(),1),'poll',pl(u),'udp poll',pl(mk(t=SOCK_DGRAM)),'recv nb',io(u),io(mk(t=SOCK_DGRAM)),'getpeer',gn('getpeername',u),'getsockname',gn('getsockname',u))
print('== epoll')
e=select.epoll();
def ec(ep,op,fd,ev,data=0):
    class EV(ctypes.Structure):_pack_=1;_fields_=[('e',ctypes.c_uint32),('d',ctypes.c_uint64)]
    x=EV(ev,data);return c('epoll_ctl',ep,op,fd,ctypes.byref(x))
s=mk();f=e.fileno()
print('add',ec(f,1,s.fileno(),1),'dup add',ec(f,1,s.fileno(),1),'mod',ec(f,3,s.fileno(),4),'del',ec(f,2,s.fileno(),0),'del again',ec(f,2,s.fileno(),0),'mod none',ec(f,3,s.fileno(),1),'badfd',ec(f,1,999,1),'self',ec(f,1,f,1),'bad op',ec(f,9,s.fileno(),1),'not epoll',ec(s.fileno(),1,f,1),'regular file',ec(f,1,os.open('/etc/passwd',0),1),'devnull',ec(f,1,os.open('/dev/null',0),1),'pipe',ec(f,1,os.pipe()[0],1))
print('excl add',ec(f,1,s.fileno(),1|1<<28),'excl mod',ec(f,3,s.fileno(),1),'mod with excl',ec(f,3,s.fileno(),1|1<<28),'excl+oneshot',ec(f,1,L.fileno(),1|1<<28|1<<30),'excl+et',ec(f,1,L.fileno(),1|1<<28|1<<31),'excl|rdhup',ec(f,1,mk().fileno(),0x2001|1<<28))
class EV(ctypes.Structure):_pack_=1;_fields_=[('e',ctypes.c_uint32),('d',ctypes.c_uint64)]
def w(ep,n,to=0):
    b=(EV*max(n,1))();r=c('epoll_wait',ep,b,n,to);return r if isinstance(r,str) else [(hex(b[i].e),b[i].d) for i in range(r)]
print('wait 0',w(f,0),'wait -1',w(f,-1),'not ep',w(s.fileno(),1),'badfd',w(-1,1),'badfd n0',w(-1,0),'create1 bad',c('epoll_create1',1),'create 0',c('epoll_create',0))
e=select.epoll();f=e.fileno();s=mk();ec(f,1,s.fileno(),0,5);print('no interest, HUP still',w(f,8));ec(f,3,s.fileno(),4|1<<30,6);print('oneshot',w(f,8),w(f,8),'rearm',ec(f,3,s.fileno(),4|1<<30,7),w(f,8),w(f,8));ec(f,3,s.fileno(),4|1<<31,8);print('ET',w(f,8),w(f,8),'mod again',ec(f,3,s.fileno(),4|1<<31,8),w(f,8),w(f,8));
e=select.epoll();f=e.fileno();ss=[mk() for _ in range(3)];[ec(f,1,q.fileno(),4,i) for i,q in enumerate(ss)];print('LT rotation maxevents 2',[w(f,2) for _ in range(4)])
d=os.dup(ss[0].fileno());ss[0].close();print('closed fd kept by dup',w(f,8),'del by number',ec(f,2,ss[0].fileno() if ss[0].fileno()>=0 else 999,0));os.close(d);print('after last close',w(f,8))
