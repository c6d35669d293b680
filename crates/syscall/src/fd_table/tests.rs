use super::*;
use alloc::collections::BTreeMap;

/// Counts references; starts each file with the one its maker holds.
#[derive(Default)]
struct Count(BTreeMap<FileId, i32>);

impl References for Count {
    fn retain(&mut self, file: FileId) {
        *self.0.entry(file).or_insert(1) += 1;
    }
    fn release(&mut self, file: FileId) {
        *self.0.entry(file).or_insert(1) -= 1;
    }
}

fn file(n: u32) -> FileId {
    FileId::from_token(1 << 63 | u64::from(n)).expect("a token of ours")
}

fn three() -> FdTable {
    let mut t = FdTable::new(8);
    for n in 0..3 {
        assert_eq!(t.open(file(n), false), Ok(n as i32));
    }
    t
}

#[test]
fn lookup_not_open_is_ebadf() {
    let mut t = three();
    for fd in [-1, i32::MIN, 3, 7, 8, i32::MAX] {
        assert_eq!(t.lookup(fd), Err(Errno::EBADF), "{fd}");
    }
    assert_eq!(t.lookup(2), Ok(file(2)));
    let r = t.reserve(0).expect("room");
    assert_eq!(t.lookup(3), Err(Errno::EBADF), "reserved is not open");
    t.unreserve(r);
}

#[test]
fn open_takes_the_lowest_free_number() {
    let mut refs = Count::default();
    let mut t = three();
    assert_eq!(t.close(&mut refs, 1), Ok(()));
    assert_eq!(refs.0[&file(1)], 0);
    assert_eq!(t.open(file(9), false), Ok(1));
    assert_eq!(t.open(file(9), false), Ok(3));
}

#[test]
fn open_at_the_limit_is_emfile_and_the_limit_itself_is_not_a_number() {
    let mut t = FdTable::new(2);
    assert_eq!(t.open(file(0), false), Ok(0));
    assert_eq!(t.open(file(1), false), Ok(1));
    assert_eq!(t.open(file(2), false), Err(Errno::EMFILE));
    t.set_limit(3);
    assert_eq!(t.open(file(2), false), Ok(2));
    t.set_limit(0);
    assert_eq!(t.lookup(2), Ok(file(2)), "open ones stay");
    assert_eq!(t.reserve(0), Err(Errno::EMFILE));
}

#[test]
fn reserved_number_is_skipped_and_given_back() {
    let mut t = three();
    let r = t.reserve(0).expect("room");
    assert_eq!(t.open(file(5), false), Ok(4));
    t.unreserve(r);
    assert_eq!(t.open(file(6), false), Ok(3));
}

#[test]
fn dup_adds_a_reference_and_drops_cloexec() {
    let mut refs = Count::default();
    let mut t = FdTable::new(8);
    assert_eq!(t.open(file(0), true), Ok(0));
    assert_eq!(t.dup(&mut refs, 0), Ok(1));
    assert_eq!(refs.0[&file(0)], 2);
    assert_eq!((t.cloexec(0), t.cloexec(1)), (Ok(true), Ok(false)));
    assert_eq!(t.dup(&mut refs, 5), Err(Errno::EBADF));
}

#[test]
fn dup_from_counts_from_its_argument() {
    let mut refs = Count::default();
    let mut t = three();
    assert_eq!(t.dup_from(&mut refs, 0, 5, true), Ok(5));
    assert_eq!(t.dup_from(&mut refs, 0, 5, true), Ok(6));
    assert_eq!(t.cloexec(5), Ok(true));
    assert_eq!(t.dup_from(&mut refs, 0, 8, true), Err(Errno::EINVAL));
    assert_eq!(t.dup_from(&mut refs, 0, 7, true), Ok(7));
    assert_eq!(t.dup_from(&mut refs, 0, 7, true), Err(Errno::EMFILE));
}

#[test]
fn dup2_closes_the_target_and_onto_itself_changes_nothing() {
    let mut refs = Count::default();
    let mut t = three();
    assert_eq!(t.dup2(&mut refs, 0, 2, false), Ok(2));
    assert_eq!((refs.0[&file(0)], refs.0[&file(2)]), (2, 0));
    assert_eq!(t.lookup(2), Ok(file(0)));
    assert_eq!(t.dup2(&mut refs, 0, 0, false), Ok(0));
    assert_eq!(refs.0[&file(0)], 2);
    assert_eq!(t.dup2(&mut refs, 5, 0, false), Err(Errno::EBADF));
    assert_eq!(t.dup2(&mut refs, 0, 8, false), Err(Errno::EBADF));
    assert_eq!(t.dup2(&mut refs, 0, -1, false), Err(Errno::EBADF));
    assert_eq!(t.dup2(&mut refs, 0, 7, false), Ok(7));
    assert_eq!(t.lookup(6), Err(Errno::EBADF));
}

#[test]
fn dup2_onto_a_reserved_number_is_ebusy() {
    let mut refs = Count::default();
    let mut t = three();
    let r = t.reserve(0).expect("room");
    assert_eq!(t.dup2(&mut refs, 0, 3, false), Err(Errno::EBUSY));
    assert_eq!(t.install(r, file(7), false), 3);
    assert_eq!(t.lookup(3), Ok(file(7)));
}

#[test]
fn fork_shares_the_files_and_exec_closes_the_marked() {
    let mut refs = Count::default();
    let mut t = three();
    assert_eq!(t.set_cloexec(1, true), Ok(()));
    let r = t.reserve(0).expect("room");
    let mut child = t.fork(&mut refs);
    t.unreserve(r);
    assert_eq!((refs.0[&file(0)], refs.0[&file(1)]), (2, 2));
    child.exec(&mut refs);
    assert_eq!((refs.0[&file(0)], refs.0[&file(1)]), (2, 1));
    assert_eq!(child.lookup(1), Err(Errno::EBADF));
    assert_eq!(t.lookup(1), Ok(file(1)));
    assert_eq!(child.open(file(8), false), Ok(1));
    assert_eq!(
        child.open(file(9), false),
        Ok(3),
        "a parent's reservation is no child's"
    );
    child.close_all(&mut refs);
    assert_eq!(refs.0[&file(0)], 1);
    assert_eq!(child.iter().count(), 0);
    assert_eq!(t.iter().count(), 3);
}
