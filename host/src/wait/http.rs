//! The smallest request that HTTP servers answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A status line is short. Whatever is longer is no HTTP.
const LONGEST_LINE: u64 = 8 * 1024;

/// The status of the answer to `GET path` (RFC 9112); none when there is no answer in time, or it is no HTTP.
pub(super) fn get(mut stream: TcpStream, authority: &str, path: &str, timeout: Duration) -> Option<u16> {
    stream.set_read_timeout(Some(timeout)).ok()?;
    stream.set_write_timeout(Some(timeout)).ok()?;
    let agent = concat!("portkeeper/", env!("CARGO_PKG_VERSION"));
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST_LINE)).read_line(&mut line).ok()?;
    status(&line)
}

/// `HTTP/1.1 200 OK` (RFC 9112, section 4).
fn status(line: &str) -> Option<u16> {
    let (version, rest) = line.split_once(' ')?;
    let code = rest.split_ascii_whitespace().next().filter(|code| code.len() == 3)?;
    version.starts_with("HTTP/").then(|| code.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_is_told_from_other_greetings() {
        assert_eq!(status("HTTP/1.1 200 OK\r\n"), Some(200));
        assert_eq!(status("HTTP/1.0 503\r\n"), Some(503));
        for other in ["", "SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 2000 x", "HTTP/1.1", "+OK 200 x", "HTTP/1.1 abc x"] {
            assert_eq!(status(other), None, "{other}");
        }
    }
}
