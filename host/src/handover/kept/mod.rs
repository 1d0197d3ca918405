//! The sockets of a port while a server comes, goes and comes again.
//!
//! They are bound from the beginning, and never all closed. What the kernel makes of two sockets on one port
//! (inet_csk_get_port and inet_bind_conflict, net/ipv4/inet_connection_sock.c), which all of this rests on:
//!
//! - A socket that listens keeps every other one out. So does a bound one with `SO_REUSEADDR` and `SO_REUSEPORT` off.
//! - Both options may be switched after bind(2), and count at the moment in which another socket binds or listens.
//! - listen(2) asks for the port again.

mod port;
mod reach;
mod self_test;
mod server;
mod socket;

pub(crate) use port::GuardedPort;
pub(crate) use reach::Reach;
pub(crate) use self_test::self_test;
pub(crate) use server::Server;
pub(crate) use socket::GuardSocket;

#[cfg(test)]
mod tests;
