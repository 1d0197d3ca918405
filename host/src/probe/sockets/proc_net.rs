//! The kernel's tables as text (proc_pid_net(5)): everywhere, but without sockets that are bound and nothing else.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::platform::Row;
use crate::model::Protocol;

/// All sockets of the protocol, of both families.
///
/// # Errors
/// When the IPv4 table cannot be read. (A machine without IPv6 has no table of it.)
pub(super) fn read(protocol: Protocol) -> io::Result<Vec<Row>> {
    let mut text = fs::read_to_string(format!("/proc/self/net/{protocol}"))?;
    match fs::read_to_string(format!("/proc/self/net/{protocol}6")) {
        Ok(more) => text.push_str(&more),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(text.lines().filter_map(row).collect())
}

/// `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...`; none for the heading.
fn row(line: &str) -> Option<Row> {
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    let (_, peer_port) = fields.get(2)?.split_once(':')?;
    Some(Row {
        address: self::address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        peer_port: u16::from_str_radix(peer_port, 16).ok()?,
        state: u8::from_str_radix(fields.get(3)?, 16).ok()?,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// One or four groups of 32 bits, each as the machine's own number.
fn address(hex: &str) -> Option<IpAddr> {
    let group = |index: usize| {
        let digits = hex.get(index * 8..index * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match hex.len() {
        8 => Some(Ipv4Addr::from(group(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&group(index)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}
