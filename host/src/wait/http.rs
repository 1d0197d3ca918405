//! The smallest request that HTTP servers answer.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A status line is short. Whatever is longer is no HTTP.
const LONGEST_LINE: u64 = 1024;

/// So much is read of one answer, whatever the server sends.
const LARGEST_ANSWER: u64 = 64 * 1024;

/// How long a server that has refused a request may take to say why.
const REASON: Duration = Duration::from_millis(250);

/// How servers that want TLS call it when they are asked without.
const NOT_TLS: [&str; 2] = ["https server", "https port"];

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// An answer with this status.
    Status(u16),
    /// The server speaks TLS.
    Tls,
    /// Nothing in time, or no HTTP.
    Nothing,
}

/// The answer to `GET path` (RFC 9112). Sending, waiting and reading together end at the deadline.
pub(super) fn get(stream: TcpStream, authority: &str, path: &str, deadline: Instant) -> Answer {
    ask(&mut Timed { stream, deadline }, authority, path).unwrap_or(Answer::Nothing)
}

fn ask(stream: &mut Timed, authority: &str, path: &str) -> io::Result<Answer> {
    let agent = concat!("portkeeper/", env!("CARGO_PKG_VERSION"));
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    // A server that has answered already may not read any further.
    let sent = stream.write_all(request.as_bytes());
    let mut answer = BufReader::new(stream.take(LARGEST_ANSWER));
    let answered = final_status(&mut answer);
    match sent.and(answered)? {
        Answer::Status(400) if is_about_tls(answer) => Ok(Answer::Tls),
        other => Ok(other),
    }
}

/// The status after those that only say that there is more to come (RFC 9110, 15.2).
fn final_status(answer: &mut impl BufRead) -> io::Result<Answer> {
    loop {
        let line = line(answer)?;
        if is_tls(&line) {
            return Ok(Answer::Tls);
        }
        match status(&String::from_utf8_lossy(&line)) {
            Some(100..200) => while !line_is_blank(&self::line(answer)?) {},
            Some(status) => return Ok(Answer::Status(status)),
            None => return Ok(Answer::Nothing),
        }
    }
}

/// A line, as far as it is not too long. The end of the answer is an error.
fn line(answer: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    answer.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(line) }
}

fn line_is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

/// The head of a TLS record: an alert, version 3 (RFC 8446, 5.1).
fn is_tls(bytes: &[u8]) -> bool {
    bytes.starts_with(&[21, 3])
}

/// Whether the rest of a refusal says that TLS is wanted.
fn is_about_tls(mut answer: BufReader<io::Take<&mut Timed>>) -> bool {
    let timed = answer.get_mut().get_mut();
    timed.deadline = timed.deadline.min(Instant::now() + REASON);
    let mut text = Vec::new();
    // What has come by then will do.
    let _ = answer.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    NOT_TLS.iter().any(|words| text.contains(words))
}

/// `HTTP/1.1 200 OK` (RFC 9112, section 4).
fn status(line: &str) -> Option<u16> {
    let (version, rest) = line.split_once(' ')?;
    let code = rest.split_ascii_whitespace().next().filter(|code| code.len() == 3)?;
    version.starts_with("HTTP/").then(|| code.parse().ok()).flatten()
}

/// A connection on which nothing takes longer than until the deadline, however much or little comes at a time.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
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

    #[test]
    fn what_only_announces_the_answer_is_passed_over() {
        let answer = |text: &str| final_status(&mut text.as_bytes()).unwrap_or(Answer::Nothing);
        assert_eq!(answer("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"), Answer::Status(200));
        assert_eq!(answer("\u{15}\u{3}\u{1}\0\u{2}\u{2}F"), Answer::Tls);
        assert_eq!(answer("HTTP/1.1 103 Early Hints\r\n"), Answer::Nothing);
        assert_eq!(answer(&"HTTP/1.1 ".repeat(1000)), Answer::Nothing);
    }
}
