//! A static server, without any library of the system: reads somaxconn from /proc as Go's runtime does, and listens with it.

use std::ffi::c_int;

#[repr(C)]
struct SockaddrIn {
    family: u16,
    port: u16,
    address: u32,
    zero: [u8; 8],
}

unsafe extern "C" {
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn bind(fd: c_int, address: *const SockaddrIn, length: u32) -> c_int;
    fn listen(fd: c_int, backlog: c_int) -> c_int;
    fn pause() -> c_int;
}

fn main() {
    let text = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("somaxconn can be read");
    let somaxconn: c_int = text.trim().parse().expect("a number");
    let port: u16 = std::env::args().nth(1).expect("PORT").parse().expect("a port");
    let address = SockaddrIn {
        family: 2,
        port: port.to_be(),
        address: 0,
        zero: [0; 8],
    };
    // SAFETY: plain system calls; `address` lives across bind and is as long as it says.
    unsafe {
        let fd = socket(2, 1, 0);
        assert!(fd >= 0);
        assert_eq!(bind(fd, &address, 16), 0);
        assert_eq!(listen(fd, somaxconn), 0);
        println!("listening with {somaxconn}");
        pause();
    }
}
