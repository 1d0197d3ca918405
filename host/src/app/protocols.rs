//! `--protocol` on the command line.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::Error;
use clap::{Arg, Command};

use crate::model::Protocols;

/// Reads protocols, in any order and case. Shells complete the usual spellings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProtocolsParser;

impl TypedValueParser for ProtocolsParser {
    type Value = Protocols;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<Protocols, Error> {
        StringValueParser::new().try_map(|text| text.parse::<Protocols>()).parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(["tcp", "udp", "tcp,udp"].into_iter().map(PossibleValue::new)))
    }
}
