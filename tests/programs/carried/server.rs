//! A server of Rust's library: a thread for each connection. `server PORT`, or `server PORT CLIENTS` for clients of its own.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

fn main() {
    let mut args = std::env::args().skip(1);
    let port: u16 = args.next().expect("PORT").parse().expect("a port");
    let clients: usize = args.next().map_or(0, |n| n.parse().expect("a number"));
    let listener = TcpListener::bind(("::", port)).expect("bound");
    println!("listening");
    if clients > 0 {
        let asked: Vec<_> = (0..clients)
            .map(|i| {
                thread::spawn(move || {
                    let host = if i % 2 == 0 { "::1" } else { "127.0.0.1" };
                    let mut stream = TcpStream::connect((host, port)).expect("connected");
                    stream.set_nodelay(true).expect("an option");
                    assert!(stream.nodelay().expect("an option"));
                    let word = vec![i as u8; 10_000 + i];
                    stream.write_all(&word).expect("written");
                    stream.shutdown(Shutdown::Write).expect("shut");
                    let mut got = Vec::new();
                    stream.read_to_end(&mut got).expect("read");
                    assert_eq!(got, word);
                })
            })
            .collect();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("accepted");
                thread::spawn(move || echo(stream));
            }
        });
        for client in asked {
            client.join().expect("a client");
        }
        println!("served {clients}");
    } else {
        for stream in listener.incoming() {
            let stream = stream.expect("accepted");
            thread::spawn(move || echo(stream));
        }
    }
}

fn echo(stream: TcpStream) {
    // std::io::copy between sockets is splice(2) where that works.
    let mut reader = stream.try_clone().expect("a duplicate");
    let mut writer = stream;
    std::io::copy(&mut reader, &mut writer).expect("echoed");
    writer.shutdown(Shutdown::Write).expect("shut");
}
