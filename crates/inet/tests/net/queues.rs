//! What a listener counts of what came to it (`Net::listener_queues`).

use crate::common::peer::*;

/// A SYN from another port, and its ACK if there is an answer.
fn open(p: &mut Peer) {
    p.port += 1;
    p.options = Peer::syn_options();
    let out = p.say(SYN, &[]);
    p.options = hearken_wire::Options::NONE;
    if let Some(syn_ack) = out.first() {
        p.ack = syn_ack.h.seq.wrapping_add(1);
        p.say(ACK, &[]);
    }
}

#[test]
fn listener_counts_syns_connections_and_overflows() {
    let mut p = Peer::new();
    let l = p.listen();
    p.net.listen(p.now, l, 2).unwrap();
    for _ in 0..5 {
        open(&mut p);
    }
    let q = p.net.listener_queues(l).unwrap();
    assert_eq!((q.syns, q.connections, q.overflows), (5, 3, 2));
    assert_eq!((q.syn_queue, q.accept_queue, q.limit), (0, 3, 2));
    p.net.accept(p.now, l).unwrap();
    open(&mut p);
    let q = p.net.listener_queues(l).unwrap();
    assert_eq!((q.syns, q.connections, q.overflows), (6, 4, 2));
}
