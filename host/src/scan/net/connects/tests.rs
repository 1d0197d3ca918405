//! The sockets of Linux, on loopback.

use std::net::{SocketAddr, TcpListener};

use futures_util::future::poll_fn;
use socket2::{Domain, Socket, Type};

use super::{Connects, Started};
use crate::scan::strategy::{Attempt, Verdict};

/// A port on which nothing listens, and which no other process can get.
pub(super) fn closed(address: &str) -> (Socket, SocketAddr) {
    let address: SocketAddr = address.parse().unwrap();
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.bind(&address.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

async fn verdict(connects: &mut Connects, to: SocketAddr, attempt: Attempt) -> Verdict {
    match connects.start(to, 0, attempt) {
        Started::Over(verdict) => return verdict,
        other => assert_eq!(other, Started::Yes),
    }
    let mut verdicts = Vec::new();
    poll_fn(|context| connects.poll(context, &mut verdicts)).await.unwrap();
    assert_eq!(verdicts.len(), 1);
    assert_eq!(verdicts[0].0, attempt);
    verdicts[0].1
}

/// The socket of a place is used again and again, whatever the last attempt came to, and in either family.
#[test]
fn one_place_tells_open_from_closed_a_hundred_times() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connects = Connects::new().unwrap();
        let mut number = 0;
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(server) = TcpListener::bind(address) else { continue };
            let (_kept, closed) = closed(address);
            for _ in 0..50 {
                for (to, expected) in [
                    (closed, Verdict::Closed),
                    (closed, Verdict::Closed),
                    (server.local_addr().unwrap(), Verdict::Open),
                ] {
                    number += 1;
                    assert_eq!(verdict(&mut connects, to, Attempt { place: 0, number }).await, expected);
                }
            }
        }
    });
}

/// What was abandoned has no verdict, and its place is free for another attempt.
#[test]
fn an_abandoned_attempt_has_no_verdict() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connects = Connects::new().unwrap();
        let (_kept, closed) = closed("127.0.0.1:0");
        let first = Attempt { place: 0, number: 1 };
        assert_eq!(connects.start(closed, 0, first), Started::Yes);
        connects.abandon(first);
        assert_eq!(verdict(&mut connects, closed, Attempt { place: 0, number: 2 }).await, Verdict::Closed);
    });
}
