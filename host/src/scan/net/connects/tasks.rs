//! Elsewhere: what the runtime has.
//!
//! These systems do not distinguish an RST from an ICMP error that means the same to a program, so a host whose firewall rejects looks
//! closed here; the scan notes it. Windows, moreover, repeats a refused connection for two seconds by itself, so most of its closed ports
//! look filtered.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{AbortHandle, Abortable, FuturesUnordered};
use tokio::net::TcpSocket;

use super::Started;
use crate::scan::strategy::{Attempt, Verdict};

type Ending = Pin<Box<dyn Future<Output = (Attempt, Verdict)> + Send>>;

/// Connection attempts under way.
pub(in crate::scan) struct Connects {
    tasks: FuturesUnordered<Abortable<Ending>>,
    handles: HashMap<u32, (Attempt, AbortHandle)>,
}

impl Connects {
    /// # Errors
    /// None, here.
    pub(in crate::scan) fn new() -> io::Result<Self> {
        Ok(Self { tasks: FuturesUnordered::new(), handles: HashMap::new() })
    }

    /// Starts to connect. The routes choose the interface.
    pub(in crate::scan) fn start(&mut self, to: SocketAddr, _interface: u32, attempt: Attempt) -> Started {
        let socket = if to.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() };
        let Ok(socket) = socket else { return Started::NotNow };
        // Whatever opens is ended with RST immediately, and leaves nothing behind here.
        let _ = socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        let ending: Ending = Box::pin(async move { (attempt, verdict(socket.connect(to).await)) });
        let (task, handle) = futures_util::future::abortable(ending);
        self.tasks.push(task);
        self.handles.insert(attempt.place, (attempt, handle));
        Started::Yes
    }

    /// Ends an attempt.
    pub(in crate::scan) fn abandon(&mut self, attempt: Attempt) {
        if let Some((_, handle)) = self.handles.remove(&attempt.place) {
            handle.abort();
        }
    }

    /// Waits for verdicts.
    ///
    /// # Errors
    /// None, here.
    pub(in crate::scan) fn poll(
        &mut self,
        context: &mut Context<'_>,
        verdicts: &mut Vec<(Attempt, Verdict)>,
    ) -> Poll<io::Result<()>> {
        while let Poll::Ready(Some(ended)) = self.tasks.poll_next_unpin(context) {
            if let Ok((attempt, verdict)) = ended {
                self.handles.remove(&attempt.place);
                verdicts.push((attempt, verdict));
            }
        }
        if verdicts.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

fn verdict(result: io::Result<tokio::net::TcpStream>) -> Verdict {
    match result {
        Ok(_) => Verdict::Open,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Verdict::Closed,
        Err(_) => Verdict::Unreachable,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use futures_util::future::poll_fn;

    use super::*;

    /// The verdicts on a server, on a port where one was, and on an attempt that was abandoned: none.
    #[test]
    fn what_answers_is_told_and_what_is_abandoned_is_not() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let (_kept, closed) = super::super::tests::closed("127.0.0.1:0");
        let attempt = |place| Attempt { place, number: 0 };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut verdicts = runtime.block_on(async {
            let mut connects = Connects::new().unwrap();
            for (place, to) in [server.local_addr().unwrap(), closed, closed].into_iter().enumerate() {
                let attempt = attempt(u32::try_from(place).unwrap());
                assert_eq!(connects.start(to, 0, attempt), Started::Yes);
            }
            connects.abandon(attempt(2));
            let mut verdicts = Vec::new();
            while verdicts.len() < 2 {
                let mut some = Vec::new();
                poll_fn(|context| connects.poll(context, &mut some)).await.unwrap();
                verdicts.append(&mut some);
            }
            verdicts
        });
        verdicts.sort_by_key(|(attempt, _)| attempt.place);
        assert_eq!(verdicts, [(attempt(0), Verdict::Open), (attempt(1), Verdict::Closed)]);
    }
}
