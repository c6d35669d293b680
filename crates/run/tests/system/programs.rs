//! The programs that the cases run as CMD.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;

/// Runs one by its name.
pub(crate) fn run(name: &str, args: &[String]) -> ExitCode {
    match name {
        "ping" => ping(),
        "udp" => udp(),
        "refused-entries" => refused_entries(),
        "interrupted-accept" => interrupted_accept(),
        "nine-sockets" => sockets(9),
        "connect" => connect(args),
        "threads" => threads(),
        "doctor" => doctor(),
        "count-interrupts" => count_interrupts(),
        other => panic!("no program {other}"),
    }
    ExitCode::SUCCESS
}

fn raw_socket() -> std::io::Result<OwnedFd> {
    // SAFETY: integers only.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: just made, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Its TCP socket is a pair whose other end echoes in capitals.
fn ping() {
    let fd = raw_socket().expect("socket");
    let number = fd.as_raw_fd();
    let mut s = TcpStream::from(fd);
    s.write_all(b"ping").expect("write");
    let mut b = [0; 4];
    s.read_exact(&mut b).expect("read");
    println!("{number} {}", String::from_utf8_lossy(&b));
}

/// Datagrams stay the kernel's: our address is there, and elsewhere fails at once.
fn udp() {
    for (own, far) in [
        ("10.0.2.15:0", "192.0.2.1:9"),
        ("10.0.2.15:0", "10.0.2.3:53"),
        ("[fd00:2::15]:0", "[2001:db8::1]:9"),
        ("127.0.0.1:0", "127.0.0.1:9"),
        ("[::1]:0", "[::1]:9"),
    ] {
        let s = UdpSocket::bind(own).expect(own);
        let result = s.connect(far);
        println!(
            "{far} {}",
            result.err().map_or(0, |e| e.raw_os_error().unwrap())
        );
    }
}

fn refused_entries() {
    for (name, nr) in [
        ("x32", 0x4000_0000 | libc::SYS_getpid),
        ("io_uring_setup", libc::SYS_io_uring_setup),
    ] {
        // SAFETY: getpid takes nothing; io_uring_setup is given a null pointer and must fail anyway.
        let r = unsafe { libc::syscall(nr, 1, 0) };
        let e = std::io::Error::last_os_error().raw_os_error();
        println!("{name} {r} {}", e.unwrap_or(0));
    }
    let r: i64;
    // SAFETY: the i386 entry with getpid's number there, 20; it touches no memory. rbx is not used as
    // an operand; r8-r11 are clobbered by the entry.
    unsafe {
        std::arch::asm!("int 0x80", inlateout("rax") 20i64 => r,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    println!("i386 {}", r as i32);
}

extern "C" fn nothing(_: i32) {}

/// A timer interrupts accept; the second time it is let through.
fn interrupted_accept() {
    // SAFETY: the handler does nothing; sigaction without SA_RESTART; all structs are zeroed plain data.
    unsafe {
        let mut a: libc::sigaction = std::mem::zeroed();
        a.sa_sigaction = nothing as extern "C" fn(i32) as usize;
        libc::sigaction(libc::SIGALRM, &a, std::ptr::null_mut());
        let mut t: libc::itimerval = std::mem::zeroed();
        t.it_value.tv_usec = 50_000;
        libc::setitimer(libc::ITIMER_REAL, &t, std::ptr::null_mut());
    }
    let fd = raw_socket().expect("socket");
    for _ in 0..2 {
        // SAFETY: null address and length are allowed.
        let r = unsafe { libc::accept(fd.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut()) };
        let e = std::io::Error::last_os_error().raw_os_error();
        println!("{}", if r < 0 { -e.unwrap() } else { r });
    }
}

fn sockets(n: usize) {
    let mut kept = Vec::new();
    for _ in 0..n {
        match raw_socket() {
            Ok(fd) => kept.push(fd),
            Err(e) => {
                println!("{}", e.raw_os_error().unwrap());
                return;
            }
        }
    }
    println!("all");
}

/// Connects a duplicate of its socket to the address given.
fn connect(args: &[String]) {
    let fd = raw_socket().expect("socket");
    let copy = fd.try_clone().expect("dup");
    let address: std::net::SocketAddrV4 = args[0].parse().expect("address");
    let raw = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(address.ip().octets()),
        },
        sin_zero: [0; 8],
    };
    for (pointer, name) in [(&raw const raw as usize, "good"), (8, "bad")] {
        // SAFETY: the kernel (or whoever answers for it) checks the pointer; a bad one is EFAULT.
        let r = unsafe { libc::connect(copy.as_raw_fd(), pointer as *const libc::sockaddr, 16) };
        let e = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        println!("{name} {r} {}", if r < 0 { e } else { 0 });
    }
}

/// The call comes from a thread that is not the process's first.
fn threads() {
    std::thread::spawn(|| {
        let fd = raw_socket().expect("socket");
        // SAFETY: integers only.
        let r = unsafe { libc::listen(fd.as_raw_fd(), 77) };
        println!("{r}");
    })
    .join()
    .expect("thread");
}

/// What the doctor finds lacking where the repair is known, but for devices.
fn doctor() {
    for c in hearken_run::doctor::checks() {
        if let Some(repair) = c.repair_command
            && !c.ok
            && !c.name.starts_with("/dev")
        {
            println!("{}: {repair}", c.name);
        }
    }
}

static INTERRUPTS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

extern "C" fn count(_: i32) {
    INTERRUPTS.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
}

/// Counts SIGINT twice; a second one that comes with the first would show in the first count.
fn count_interrupts() {
    // SAFETY: the handler touches one atomic only.
    unsafe { libc::signal(libc::SIGINT, count as extern "C" fn(i32) as usize) };
    println!("ready");
    for n in 1.. {
        let now = || INTERRUPTS.load(std::sync::atomic::Ordering::SeqCst);
        while now() < n {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        // Long enough for a double to arrive.
        std::thread::sleep(std::time::Duration::from_millis(100));
        println!("{}", now());
        if n == 2 {
            return;
        }
    }
}
