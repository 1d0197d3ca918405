//! Starts a web server on a reserved port, asks it for a page, and releases the port.
//!
//! `cargo run --example run_server`

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use portkeeper::{PortRegistry, Selection};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = PortRegistry::open()?;
    let reserved = registry.reserve(&Selection::new().owner("run_server"))?;
    let address = (reserved.host().to_string(), reserved.port().get());

    // Nobody else who asks portkeeper gets the port before the server is up, however long that takes: it is reserved until
    // `reserved` is dropped, or this process ends.
    let listener = TcpListener::bind(&address)?;
    let server = thread::spawn(move || answer_once(&listener));

    let mut answer = String::new();
    let mut client = TcpStream::connect(&address)?;
    client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    client.read_to_string(&mut answer)?;
    println!("http://{}:{}/ says: {}", address.0, address.1, answer.lines().last().unwrap_or_default());
    server.join().expect("the server does not panic")?;
    Ok(())
}

fn answer_once(listener: &TcpListener) -> std::io::Result<()> {
    let (mut client, _) = listener.accept()?;
    let mut request = [0; 1024];
    let _ = client.read(&mut request)?;
    client.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nserved on a reserved port\n")
}
