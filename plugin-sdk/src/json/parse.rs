//! From text to values (RFC 8259).

use std::fmt;

use super::{Map, Number, Value};

/// How deep values may be nested: as deep as serde_json lets them, which is what the host reads the config with.
const DEEPEST: usize = 128;

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// A few words for people.
    pub message: &'static str,
    /// The byte that it is about, counted from 0.
    pub at: usize,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.at)
    }
}

impl std::error::Error for ParseError {}

/// Reads a JSON text.
///
/// # Errors
/// [`ParseError`] for what is no JSON, and for values that are nested deeper than 128 levels.
pub fn parse(text: &str) -> Result<Value, ParseError> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.blanks();
    if parser.at == text.len() { Ok(value) } else { Err(parser.wrong("something follows the value")) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, ParseError> {
        self.blanks();
        match self.peek() {
            _ if depth >= DEEPEST => Err(self.wrong("too many levels")),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, ParseError> {
        let mut map = Map::new();
        self.at += 1;
        while !self.closes(b'}', map.is_empty())? {
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key in double quotes is missing"));
            }
            let key = self.string()?;
            self.blanks();
            if !self.take(b':') {
                return Err(self.wrong("a colon is missing"));
            }
            let value = self.value(depth + 1)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }

    fn array(&mut self, depth: usize) -> Result<Value, ParseError> {
        let mut items = Vec::new();
        self.at += 1;
        while !self.closes(b']', items.is_empty())? {
            items.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    /// Whether the bracket ends here; if not, stands after the comma that all items but the first need.
    fn closes(&mut self, bracket: u8, is_first: bool) -> Result<bool, ParseError> {
        self.blanks();
        if self.take(bracket) {
            return Ok(true);
        }
        if !is_first && !self.take(b',') {
            return Err(self.wrong("a comma or the closing bracket is missing"));
        }
        self.blanks();
        Ok(false)
    }

    fn string(&mut self) -> Result<String, ParseError> {
        let mut text = String::new();
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let end = rest.find(|c: char| c < ' ' || c == '"' || c == '\\').unwrap_or(rest.len());
            text.push_str(&rest[..end]);
            self.at += end;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.wrong("a control character in a text")),
                None => return Err(self.wrong("a text is never closed")),
            }
        }
        self.at += 1;
        Ok(text)
    }

    /// The character that an escape stands for.
    fn escape(&mut self) -> Result<char, ParseError> {
        let c = self.text.as_bytes().get(self.at + 1).copied();
        self.at += 2;
        Ok(match c {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'u') => return self.unicode(),
            _ => {
                self.at -= 2;
                return Err(self.wrong("an escape that does not exist"));
            }
        })
    }

    /// `XXXX`, or the two halves of a character beyond that: `XXXX\uXXXX`.
    fn unicode(&mut self) -> Result<char, ParseError> {
        let first = self.hex()?;
        let is_half = (0xd800..0xdc00).contains(&first);
        if !is_half || !self.text[self.at..].starts_with("\\u") {
            return char::from_u32(first).ok_or_else(|| self.wrong("half a character"));
        }
        self.at += 2;
        let second = self.hex()?;
        let code = (0xdc00..0xe000).contains(&second).then(|| 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
        code.and_then(char::from_u32).ok_or_else(|| self.wrong("half a character"))
    }

    fn hex(&mut self) -> Result<u32, ParseError> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| !digits.starts_with('+'));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        code.ok_or_else(|| ParseError {
            message: "four hexadecimal digits are missing",
            at: self.at.min(self.text.len()),
        })
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-')).unwrap_or(rest.len());
        let number = Number::parse(&rest[..length]).ok_or_else(|| self.wrong("this is no number"))?;
        self.at += length;
        Ok(Value::Number(number))
    }

    fn word(&mut self) -> Result<Value, ParseError> {
        for (word, value) in [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.wrong("a value is missing"))
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, message: &'static str) -> ParseError {
        ParseError { message, at: self.at }
    }
}
