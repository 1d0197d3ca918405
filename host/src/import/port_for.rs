//! `/etc/port-for.conf`: an INI file with `name = port` lines, as Python's configparser writes it.

use super::{Fault, Parsed, Place};
use crate::model::{Name, Port};

/// Where port-for keeps its names.
pub const PORT_FOR_FILE: &str = "/etc/port-for.conf";

/// The sections that hold names. port-for writes the first; what stands before any section is tolerated.
const SECTIONS: [&str; 2] = ["DEFAULT", "ports"];

/// Reads what port-for has written, and what people have made of it.
///
/// A line that is a comment to port-for although it looks like a name (port-for loses names that begin with `#`) is a remark.
#[must_use]
pub fn parse_port_for(bytes: &[u8]) -> Parsed<(Name, Port)> {
    let mut parsed = Parsed::default();
    let mut in_other_section = false;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let place = Place::Line(index + 1);
        let Ok(line) = std::str::from_utf8(line) else {
            parsed.faults.push(Fault::new(place, "this is not UTF-8 text"));
            continue;
        };
        match line.trim() {
            "" => {}
            text if text.starts_with(['#', ';']) => parsed.remarks.extend(lost_name(place, text)),
            text if text.starts_with('[') => {
                let section = text.trim_matches(['[', ']']);
                in_other_section = !SECTIONS.contains(&section);
                if in_other_section {
                    parsed.faults.push(Fault::new(
                        place,
                        format!("the section `{section}` is none of port-for's: it is skipped"),
                    ));
                }
            }
            _ if in_other_section => {}
            text => match entry(text) {
                Ok(entry) => parsed.entries.push((place, entry)),
                Err(why) => parsed.faults.push(Fault::new(place, why)),
            },
        }
    }
    parsed
}

/// `name = port` or `name: port`: the first of either sign ends the name.
fn entry(text: &str) -> Result<(Name, Port), String> {
    let (name, port) =
        text.split_once(['=', ':']).ok_or_else(|| format!("`{text}` is not of the form `name = port`"))?;
    let (name, port) = (name.trim(), port.trim());
    let name = name.parse().map_err(|error| format!("{error}"))?;
    let port = port.parse().map_err(|error| format!("`{name}`: {error}"))?;
    Ok((name, port))
}

fn lost_name(place: Place, comment: &str) -> Option<Fault> {
    let (name, port) = entry(comment).ok()?;
    let why = format!(
        "`{comment}` is a comment to port-for; if it was meant as a name: portkeeper reserve --global --port {port} '{name}'"
    );
    comment.starts_with('#').then(|| Fault::new(place, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8]) -> (Vec<(String, u16)>, Vec<String>) {
        let parsed = parse_port_for(text);
        let entries = parsed.entries.into_iter().map(|(_, (name, port))| (name.to_string(), port.get())).collect();
        (entries, parsed.faults.iter().map(ToString::to_string).collect())
    }

    fn entry(name: &str, port: u16) -> (String, u16) {
        (name.to_owned(), port)
    }

    #[test]
    fn what_port_for_writes_is_read() {
        let (entries, faults) = parsed(b"[DEFAULT]\nfoo = 37987\nexample.com/apache = 35456\n\n");
        assert_eq!(entries, [entry("foo", 37987), entry("example.com/apache", 35456)]);
        assert_eq!(faults, [""; 0]);
        assert_eq!(parsed(b""), (vec![], vec![]), "port-for makes an empty file first");
    }

    #[test]
    fn other_forms_of_the_same_are_read_too() {
        let text = "\u{feff}early=1\r\n[ports]\nfoo: 2\n ; note\n  # note\nodd/n\u{e4}me=3\r\n";
        let (entries, faults) = parsed(text.as_bytes());
        assert_eq!(entries, [entry("early", 1), entry("foo", 2), entry("odd/näme", 3)]);
        assert_eq!(faults, [""; 0]);
    }

    #[test]
    fn every_fault_is_named_with_its_line_and_stops_nothing() {
        let text = b"[DEFAULT]\nbad = abc\nhigh = 70000\nzero = 0\nempty =\nalone\n8080 = 1\na b = 2\n\xff = 3\n= 4\ngood = 5\n\
            [other]\nx = 6\n";
        let (entries, faults) = parsed(text);
        assert_eq!(entries, [entry("good", 5)]);
        let lines: Vec<_> = faults.iter().map(|fault| fault.split(':').next().unwrap()).collect();
        assert_eq!(
            lines,
            ["line 2", "line 3", "line 4", "line 5", "line 6", "line 7", "line 8", "line 9", "line 10", "line 12"]
        );
        assert!(faults[0].contains("`bad`: `abc` is not a port"), "{faults:?}");
        assert!(faults[5].contains("looks like a port"), "{faults:?}");
    }

    #[test]
    fn a_name_that_port_for_loses_is_remarked() {
        let parsed = parse_port_for(b"[DEFAULT]\n#ticket = 4711\n# just words\n;x = 1\n");
        assert!(parsed.entries.is_empty() && parsed.faults.is_empty());
        assert_eq!(parsed.remarks.len(), 1);
        assert!(parsed.remarks[0].to_string().contains("reserve --global --port 4711 '#ticket'"));
    }
}
