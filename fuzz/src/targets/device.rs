//! What the device side reads of a packet: super-frames to be cut, packets to be captured.

use crate::input::Input;
use hearken_device::{pcap, segment};

pub(crate) fn segment(b: &[u8]) {
    let mut i = Input::new(b);
    let gso = usize::from(i.word());
    let packet = i.bytes(usize::MAX).to_vec();
    let (mut pieces, mut bytes) = (0usize, 0usize);
    segment::split(&mut packet.clone(), gso, &mut |head, body| {
        pieces += 1;
        bytes += body.len();
        assert!(body.len() <= gso.max(packet.len()) && head.len() <= packet.len());
    });
    assert!(bytes <= packet.len() && pieces <= packet.len().max(1));
    let mut done = packet.clone();
    segment::complete(&mut done);
    assert_eq!(done.len(), packet.len());
    let again = done.clone();
    segment::complete(&mut done);
    assert_eq!(done, again, "completing twice changes nothing");
    for split in [false, true] {
        let mut w = pcap::Writer::new(Vec::new(), split).expect("a Vec takes all");
        w.write(1, &packet, gso as u16).expect("a Vec takes all");
        assert!(w.into_inner().len() >= 24);
    }
}
