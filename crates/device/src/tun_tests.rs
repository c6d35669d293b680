use super::*;

/// The interface lives in a namespace of the test's own thread.
#[test]
fn tun_open_in_a_fresh_namespace_reads_what_the_kernel_sends() {
    let outcome = std::thread::spawn(|| {
        // SAFETY: unshare of the network namespace changes only this thread's view.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let tun = Tun::open("hk%d", false)?;
        assert_eq!(tun.name(), "hk0");
        let mut buf = [0u8; 100];
        let empty = tun.read(&mut buf).expect_err("down: nothing to read");
        assert_eq!(empty.raw_os_error(), Some(libc::EAGAIN));
        let down = tun.write(&[0x45; 20]).expect_err("down");
        assert_eq!(down.raw_os_error(), Some(libc::EIO));
        let second = Tun::open("hk0", false).expect_err("in use");
        assert_eq!(second.raw_os_error(), Some(libc::EBUSY));
        Ok(())
    })
    .join()
    .expect("thread");
    match outcome {
        Ok(()) => {}
        // Not root, or no driver: the two-system suite says so loudly, this test has nothing to look at.
        Err(e) if matches!(e.raw_os_error(), Some(libc::EPERM | libc::ENOENT)) => {
            eprintln!("no TUN here: {e}");
        }
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn tun_name_too_long_is_refused() {
    let Err(e) = Tun::open("a-name-of-16-byt", false) else {
        panic!("took the name");
    };
    let code = e.raw_os_error();
    assert!(
        matches!(code, Some(libc::EINVAL | libc::ENOENT | libc::EACCES)),
        "{e}"
    );
}
