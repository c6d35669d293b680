//! What the program does: one line for each thing it looks at.

use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, epoll};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType};
use rustix::process::{Resource, Rlimit};

/// Long enough for a segment to arrive, on both sides.
const SETTLE: Duration = Duration::from_millis(60);

fn settle() {
    std::thread::sleep(SETTLE);
}

fn say(label: &str, values: &[String]) {
    println!("{label}: {}", values.join(" "));
}

/// A result as its value or the errno's name.
fn show<T: Debug>(r: Result<T, Errno>) -> String {
    match r {
        Ok(v) => format!("{v:?}"),
        Err(e) => hearken_abi::Errno(e.raw_os_error()).name().to_owned(),
    }
}

fn poll(fd: impl AsFd) -> String {
    let mut p = [PollFd::from_borrowed_fd(
        fd.as_fd(),
        PollFlags::from_bits_retain(0xffdf),
    )];
    rustix::event::poll(
        &mut p,
        Some(&Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    )
    .unwrap();
    format!("{:#x}", p[0].revents().bits())
}

fn socket(flags: SocketFlags) -> OwnedFd {
    rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap()
}

fn tcp() -> OwnedFd {
    socket(SocketFlags::empty())
}

fn address(fd: &OwnedFd) -> SocketAddrV4 {
    rustix::net::getsockname(fd).unwrap().try_into().unwrap()
}

fn listener(backlog: i32) -> (OwnedFd, SocketAddrV4) {
    let l = tcp();
    rustix::net::bind(&l, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    rustix::net::listen(&l, backlog).unwrap();
    let at = address(&l);
    (l, at)
}

/// A port on which nobody listens.
fn closed() -> SocketAddrV4 {
    let (l, at) = listener(1);
    drop(l);
    at
}

fn pair() -> (OwnedFd, OwnedFd) {
    let (l, at) = listener(8);
    let t = tcp();
    rustix::net::connect(&t, &at).unwrap();
    let u = rustix::net::accept(&l).unwrap();
    (t, u)
}

fn reset(fd: OwnedFd) {
    sockopt::set_socket_linger(&fd, Some(Duration::ZERO)).unwrap();
}

fn recv(fd: &OwnedFd, n: usize, flags: RecvFlags) -> String {
    let mut buf = vec![0u8; n];
    show(rustix::net::recv(fd, &mut buf[..], flags).map(|(n, _)| n))
}

fn read(fd: &OwnedFd) -> String {
    recv(fd, 100, RecvFlags::empty())
}

fn send(fd: &OwnedFd, bytes: &[u8]) -> String {
    show(rustix::net::send(fd, bytes, SendFlags::NOSIGNAL))
}

fn so_error(fd: &OwnedFd) -> String {
    show(sockopt::socket_error(fd).and_then(|e| e))
}

fn connect(fd: &OwnedFd, to: &SocketAddrV4) -> String {
    show(rustix::net::connect(fd, to))
}

fn accept(fd: &OwnedFd) -> String {
    show(rustix::net::accept(fd).map(|_| "accepted"))
}

fn peer(fd: &OwnedFd) -> String {
    show(rustix::net::getpeername(fd).map(|_| "named"))
}

pub(crate) fn run() {
    orderly();
    resets();
    refused();
    edges();
    listeners();
    accepts();
    errors();
    flags();
    disconnect();
}

fn orderly() {
    let (t, u) = pair();
    say("idle", &[poll(&t)]);
    send(&t, b"hello");
    settle();
    say(
        "data",
        &[poll(&u), show(rustix::io::ioctl_fionread(&u)), read(&u)],
    );
    rustix::net::shutdown(&t, Shutdown::Write).unwrap();
    settle();
    say("fin", &[poll(&u), read(&u), read(&u)]);
    send(&u, b"back");
    settle();
    say("half closed", &[poll(&t), read(&t), send(&t, b"x")]);
    drop(u);
    settle();
    say(
        "both closed",
        &[poll(&t), read(&t), send(&t, b"x"), peer(&t)],
    );

    let (t, u) = pair();
    for _ in 0..3 {
        send(&t, &[7; 60_000]);
    }
    drop(t);
    let (mut got, mut buf) = (0, vec![0u8; 65536]);
    let end = loop {
        match rustix::net::recv(&u, &mut buf[..], RecvFlags::empty()) {
            Ok((n, _)) if n > 0 => got += n,
            other => break show(other.map(|(n, _)| n)),
        }
    };
    say("close sends what was written", &[got.to_string(), end]);

    let (t, u) = pair();
    let keep = rustix::io::dup(&t).unwrap();
    drop(t);
    settle();
    say(
        "dup keeps it open",
        &[poll(&u), send(&keep, b"x"), read(&u)],
    );

    let (t, u) = pair();
    send(&t, b"left");
    settle();
    rustix::net::shutdown(&t, Shutdown::Read).unwrap();
    say(
        "shut for reading",
        &[
            poll(&t),
            read(&t),
            send(&t, b"x"),
            show(rustix::net::shutdown(&t, Shutdown::Both)),
        ],
    );
    drop(u);
}

fn resets() {
    let (t, u) = pair();
    send(&u, b"abc");
    settle();
    reset(u);
    settle();
    say(
        "reset after data",
        &[poll(&t), read(&t), read(&t), read(&t), so_error(&t)],
    );

    let (t, u) = pair();
    reset(u);
    settle();
    say(
        "reset and SO_ERROR",
        &[so_error(&t), so_error(&t), read(&t)],
    );

    let (t, u) = pair();
    reset(u);
    settle();
    say("write after reset", &[send(&t, b"x"), send(&t, b"x")]);

    let (t, u) = pair();
    rustix::net::shutdown(&t, Shutdown::Write).unwrap();
    settle();
    reset(u);
    settle();
    say("reset after own FIN", &[read(&t), read(&t)]);

    let (t, u) = pair();
    send(&t, b"unread");
    settle();
    drop(u);
    settle();
    say(
        "peer closed with unread data",
        &[poll(&t), read(&t), read(&t)],
    );
}

fn refused() {
    let t = tcp();
    let (_l, at) = listener(5);
    say(
        "refused, then connected",
        &[
            connect(&t, &closed()),
            poll(&t),
            connect(&t, &at),
            connect(&t, &at),
        ],
    );

    let t = socket(SocketFlags::NONBLOCK);
    let begun = connect(&t, &closed());
    settle();
    say(
        "non-blocking refused",
        &[begun, poll(&t), so_error(&t), so_error(&t)],
    );
    let again = [connect(&t, &at), connect(&t, &at)];
    settle();
    say(
        "and again",
        &[
            again[0].clone(),
            again[1].clone(),
            so_error(&t),
            connect(&t, &at),
            connect(&t, &at),
        ],
    );
}

fn edges() {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let wait = || {
        let mut events = Vec::with_capacity(4);
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: 60_000_000,
        };
        epoll::wait(
            &epoll,
            rustix::buffer::spare_capacity(&mut events),
            Some(&timeout),
        )
        .unwrap();
        let flags: Vec<u32> = events
            .iter()
            .map(|e| {
                let f = e.flags;
                f.bits()
            })
            .collect();
        match flags[..] {
            [] => "nothing".to_owned(),
            [one] => format!("{one:#x}"),
            _ => format!("{flags:?}"),
        }
    };
    let all = epoll::EventFlags::IN
        | epoll::EventFlags::OUT
        | epoll::EventFlags::RDHUP
        | epoll::EventFlags::ET;
    let (l, at) = listener(5);
    let t = socket(SocketFlags::NONBLOCK);
    rustix::net::connect(&t, &at).unwrap_err();
    epoll::add(&epoll, &t, epoll::EventData::new_u64(1), all).unwrap();
    say("edge of a connect", &[wait(), wait()]);
    let u = rustix::net::accept(&l).unwrap();
    send(&u, b"x");
    say("edge of data", &[wait(), wait()]);
    rustix::net::shutdown(&u, Shutdown::Write).unwrap();
    say("edge of a FIN", &[wait(), wait()]);
    epoll::delete(&epoll, &t).unwrap();
    epoll::add(&epoll, &l, epoll::EventData::new_u64(2), all).unwrap();
    let mut said = vec![wait()];
    let mut clients = Vec::new();
    for _ in 0..3 {
        let c = tcp();
        rustix::net::connect(&c, &at).unwrap();
        clients.push(c);
        said.push(wait());
        said.push(wait());
    }
    say("edges of a listener", &said);
}

fn listeners() {
    let (l, at) = listener(5);
    let mut said = vec![poll(&l)];
    let t = tcp();
    rustix::net::connect(&t, &at).unwrap();
    said.push(poll(&l));
    let u = rustix::net::accept_with(&l, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC).unwrap();
    said.push(poll(&l));
    said.push(format!(
        "{:?}",
        rustix::fs::fcntl_getfl(&u)
            .unwrap()
            .contains(rustix::fs::OFlags::NONBLOCK)
    ));
    said.push(format!("{:?}", rustix::io::fcntl_getfd(&u).unwrap()));
    rustix::io::ioctl_fionbio(&l, true).unwrap();
    said.push(accept(&l));
    said.push(show(sockopt::socket_acceptconn(&l)));
    said.push(connect(&l, &at));
    said.push(peer(&l));
    say("listener", &said);

    let keep = rustix::io::dup(&l).unwrap();
    drop(l);
    let c = tcp();
    let mut said = vec![connect(&c, &at)];
    drop(keep);
    settle();
    said.push(read(&c));
    said.push(connect(&tcp(), &at));
    say("listener closed by its last descriptor", &said);

    let (l, at) = listener(5);
    let mut said = vec![show(rustix::net::shutdown(&l, Shutdown::Read))];
    said.push(connect(&tcp(), &at));
    said.push(accept(&l));
    said.push(show(rustix::net::listen(&l, 3)));
    // The ephemeral port was given back meanwhile.
    said.push(connect(&tcp(), &address(&l)));
    said.push(accept(&l));
    say("listener shut and listening again", &said);

    for _ in 0..200 {
        let again = tcp();
        rustix::net::bind(&again, &closed()).unwrap();
        rustix::net::listen(&again, 1).unwrap();
    }
    let (l, at) = listener(5);
    let t = tcp();
    rustix::net::connect(&t, &at).unwrap();
    let u = rustix::net::accept(&l).unwrap();
    drop(l);
    let again = tcp();
    let mut said = vec![show(rustix::net::bind(&again, &at))];
    sockopt::set_socket_reuseaddr(&again, true).unwrap();
    said.push(show(rustix::net::bind(&again, &at)));
    sockopt::set_socket_reuseaddr(&u, true).unwrap();
    said.push(show(rustix::net::bind(&again, &at)));
    say("bind beside a live child", &said);
}

fn accepts() {
    let (l, at) = listener(5);
    let t = tcp();
    rustix::net::connect(&t, &at).unwrap();
    let mut len: libc::socklen_t = 4;
    let mut room = MaybeUninit::<libc::sockaddr_in>::zeroed();
    // SAFETY: the kernel writes at most `len` bytes to `room`, and a socklen_t to `len`.
    let fd = unsafe { libc::accept(l.as_raw_fd(), room.as_mut_ptr().cast(), &mut len) };
    // SAFETY: zeroed is a valid sockaddr_in, whatever was written over it.
    let family = unsafe { room.assume_init() }.sin_family;
    say(
        "accept with little room",
        &[(fd >= 0).to_string(), len.to_string(), family.to_string()],
    );

    let t = tcp();
    rustix::net::connect(&t, &at).unwrap();
    let mut len: libc::socklen_t = 16;
    // SAFETY: a bad pointer is the question: the kernel answers EFAULT.
    let fd = unsafe { libc::accept(l.as_raw_fd(), std::ptr::without_provenance_mut(8), &mut len) };
    let error = std::io::Error::last_os_error().raw_os_error();
    settle();
    rustix::io::ioctl_fionbio(&l, true).unwrap();
    say(
        "accept into nowhere loses the connection",
        &[fd.to_string(), format!("{error:?}"), read(&t), accept(&l)],
    );

    let t = tcp();
    rustix::net::connect(&t, &at).unwrap();
    let old = rustix::process::getrlimit(Resource::Nofile);
    let tight = Rlimit {
        current: Some(t.as_raw_fd() as u64 + 1),
        maximum: old.maximum,
    };
    // Every lower number is taken.
    let mut fillers = Vec::new();
    rustix::process::setrlimit(Resource::Nofile, tight).unwrap();
    while let Ok(fd) = rustix::io::dup(&t) {
        fillers.push(fd);
    }
    let mut said = vec![accept(&l)];
    rustix::process::setrlimit(Resource::Nofile, old).unwrap();
    said.push(accept(&l));
    say("accept without a descriptor keeps the connection", &said);

    rustix::io::ioctl_fionbio(&l, false).unwrap();
    sockopt::set_socket_timeout(&l, Timeout::Recv, Some(Duration::from_millis(30))).unwrap();
    say("accept with a timeout", &[accept(&l)]);
}

fn errors() {
    let t = tcp();
    let at = closed();
    say(
        "fresh socket",
        &[
            accept(&t),
            show(rustix::net::shutdown(&t, Shutdown::Both)),
            peer(&t),
            show(rustix::net::sendto(&t, b"x", SendFlags::NOSIGNAL, &at)),
            show(sockopt::socket_domain(&t)),
            show(sockopt::socket_type(&t)),
            show(sockopt::socket_protocol(&t)),
        ],
    );
    let datagrams = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::empty(),
        None,
    );
    say(
        "a datagram socket is the kernel's",
        &[show(rustix::net::listen(datagrams.unwrap(), 1))],
    );
    say(
        "a pipe is no socket",
        &[show(rustix::net::listen(
            rustix::pipe::pipe().unwrap().0,
            1,
        ))],
    );
    let (t, u) = pair();
    sockopt::set_socket_timeout(&u, Timeout::Recv, Some(Duration::from_millis(30))).unwrap();
    say(
        "read with a timeout",
        &[read(&u), show(sockopt::socket_timeout(&u, Timeout::Recv))],
    );
    drop(t);
}

fn flags() {
    let (t, u) = pair();
    sockopt::set_tcp_nodelay(&t, true).unwrap();
    send(&t, b"0123456789");
    settle();
    say(
        "receive flags",
        &[
            recv(&u, 4, RecvFlags::PEEK),
            recv(&u, 3, RecvFlags::TRUNC),
            recv(&u, 2, RecvFlags::empty()),
            recv(&u, 1, RecvFlags::OOB),
            recv(&u, 1, RecvFlags::ERRQUEUE),
        ],
    );
    let at = closed();
    let sent = show(rustix::net::sendto(&t, b"AB", SendFlags::NOSIGNAL, &at));
    settle();
    let mut out: libc::c_int = -1;
    // SAFETY: SIOCOUTQ writes one int.
    unsafe { libc::ioctl(t.as_raw_fd(), libc::TIOCOUTQ, &mut out) };
    say(
        "send with an address",
        &[
            sent,
            read(&u),
            out.to_string(),
            recv(&u, 1, RecvFlags::DONTWAIT),
        ],
    );
    let later = rustix::io::dup(&t).unwrap();
    let sender = std::thread::spawn(move || {
        settle();
        send(&later, b"late")
    });
    say(
        "a blocking MSG_TRUNC waits",
        &[recv(&u, 100, RecvFlags::TRUNC), sender.join().unwrap()],
    );
}

fn disconnect() {
    let (t, u) = pair();
    let unspec = rustix::net::connect_unspec(&t);
    let (_l, at) = listener(2);
    settle();
    say(
        "disconnect",
        &[show(unspec), read(&u), connect(&t, &at), send(&t, b"x")],
    );
}
