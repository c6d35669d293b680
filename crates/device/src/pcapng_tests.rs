use super::*;

/// A reader of its own: blocks as (type, body), options as (code, value).
fn blocks(mut file: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut all = Vec::new();
    while !file.is_empty() {
        let n = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("4"));
        let len = n(4) as usize;
        assert_eq!(n(len - 4) as usize, len);
        all.push((n(0), file[8..len - 4].to_vec()));
        file = &file[len..];
    }
    all
}

fn options(mut b: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        let n = |at: usize| u16::from_le_bytes([b[at], b[at + 1]]);
        let (code, len) = (n(0), usize::from(n(2)));
        if code == 0 {
            assert_eq!((len, b.len()), (0, 4), "the end of the options is the end");
            return all;
        }
        all.push((code, b[4..4 + len].to_vec()));
        b = &b[4 + len.next_multiple_of(4)..];
    }
}

fn packet<'a>(head: &'a [u8], body: &'a [u8], comment: Option<&'a str>) -> Packet<'a> {
    Packet {
        iface: 1,
        time_ns: 0x1122_3344_5566_7788,
        direction: Direction::Inbound,
        head,
        body,
        comment,
    }
}

#[test]
fn capture_read_back_has_its_interfaces_packets_and_comments() {
    let mut w = Writer::new(Vec::new(), &["lo", "eth0"], 0).expect("memory");
    w.packet(&packet(b"head", b"body!", Some("dropped: NO_SOCKET")))
        .expect("memory");
    w.packet(&packet(b"x", b"", None)).expect("memory");
    w.dropped(1, 5, 1 << 33).expect("memory");
    w.flush().expect("memory");
    let file = w.get_mut().clone();
    let all = blocks(&file);
    let kinds: Vec<u32> = all.iter().map(|b| b.0).collect();
    assert_eq!(kinds, [0x0a0d_0d0a, 1, 1, 6, 6, 5]);
    assert_eq!(all[0].1[..4], [0x4d, 0x3c, 0x2b, 0x1a]);
    assert_eq!(all[0].1[4..8], [1, 0, 0, 0]);
    for (block, name) in [(1, &b"lo"[..]), (2, b"eth0")] {
        assert_eq!(all[block].1[..4], [101, 0, 0, 0]);
        assert_eq!(
            options(&all[block].1[8..]),
            [(2, name.to_vec()), (9, vec![9])]
        );
    }
    let p = &all[3].1;
    assert_eq!(p[..4], [1, 0, 0, 0]);
    assert_eq!(p[4..8], 0x1122_3344u32.to_le_bytes());
    assert_eq!(p[8..12], 0x5566_7788u32.to_le_bytes());
    assert_eq!(p[12..20], [9, 0, 0, 0, 9, 0, 0, 0]);
    assert_eq!(&p[20..29], b"headbody!");
    assert_eq!(
        options(&p[32..]),
        [(2, vec![1, 0, 0, 0]), (1, b"dropped: NO_SOCKET".to_vec())]
    );
    assert_eq!(options(&all[4].1[24..]), [(2, vec![1, 0, 0, 0])]);
}

#[test]
fn packet_longer_than_the_snaplen_is_cut_and_says_how_long_it_was() {
    for snaplen in 1..12 {
        let mut w = Writer::new(Vec::new(), &["eth0"], snaplen).expect("memory");
        w.packet(&packet(b"head", b"body!", None)).expect("memory");
        let p = blocks(w.get_mut()).pop().expect("a packet").1;
        let kept = (snaplen as usize).min(9);
        assert_eq!(p[12..16], (kept as u32).to_le_bytes());
        assert_eq!(p[16..20], 9u32.to_le_bytes());
        assert_eq!(p[20..20 + kept], b"headbody!"[..kept]);
    }
}

#[test]
fn first_block_of_a_growing_stream_is_found_when_it_is_whole() {
    let mut w = Writer::new(Vec::new(), &["eth0"], 0).expect("memory");
    w.packet(&packet(b"head", b"", None)).expect("memory");
    w.dropped(0, 5, 1 << 33 | 7).expect("memory");
    let mut file = w.get_mut().clone();
    let mut kinds = Vec::new();
    while !file.is_empty() {
        let (len, kind) = first_block(&file).expect("ours").expect("whole");
        for cut in 0..len {
            assert_eq!(first_block(&file[..cut]), Ok(None));
        }
        kinds.push(kind);
        file.drain(..len);
    }
    let packets = 1 << 33 | 7;
    let dropped = Kind::Dropped { iface: 0, packets };
    assert_eq!(kinds, [Kind::Other, Kind::Other, Kind::Packet, dropped]);
    assert!(first_block(&[0xff; 64]).is_err());
    let mut broken = w.get_mut().clone();
    broken[4] += 4;
    assert!(first_block(&broken).is_err());
}
