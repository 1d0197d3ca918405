//! The calls that look around the local network.

use super::{PortRegistry, Reserved, Selection};
use crate::model::{Host, PortRange, PortSet};
use crate::reserve::{PortSelector, reserve};
use crate::reserve_network::{Candidate, Prefer, ReserveNetworkError, first_with_a_free_port, is_taken};
use crate::scan::{Options, Report, ScanError, Wanted, collect_blocking};

impl PortRegistry {
    /// Looks which hosts are in the networks of this machine, and what these ports of theirs do. It takes a second or two, and
    /// must not be called from asynchronous code: there is [`crate::scan`] for that.
    ///
    /// # Errors
    /// [`ScanError`]: there is no network, or it cannot be looked at.
    pub fn scan_local_network(&self, ports: &PortSet) -> Result<Report, ScanError> {
        collect_blocking(Wanted::default().targets()?, &Options::new(ports.clone()))
    }

    /// Reserves a port on an address of this machine in the local network, or on another machine there that has one free: see
    /// [`crate::reserve_network`] for what that is worth. Without a network it is a port of 127.0.0.1; without a range one of
    /// 8000-9000. The selection's host is not asked. Not for asynchronous code.
    ///
    /// # Errors
    /// [`ReserveNetworkError`]; then nothing is reserved.
    pub fn reserve_network_port(
        &self,
        selection: &Selection,
        prefer: Prefer,
    ) -> Result<Reserved<'_>, ReserveNetworkError> {
        let targets = match Wanted::default().targets() {
            Err(ScanError::NoNetwork { .. }) => {
                Wanted { hosts: vec![Host::default()], ..Wanted::default() }.targets()?
            }
            targets => targets?,
        };
        let choice = selection.choice_within(PortRange::usual());
        for which in prefer.order() {
            let candidates = match which {
                Prefer::Own => Candidate::own(&targets),
                Prefer::Remote if targets.is_own() => Vec::new(),
                Prefer::Remote => {
                    let ports = choice.ports().unwrap_or_else(|| PortRange::usual().into());
                    Candidate::remote(&collect_blocking(targets.clone(), &Options::new(ports))?)
                }
            };
            if let Some(reserved) = self.on_first(selection, choice, &candidates)? {
                return Ok(reserved);
            }
        }
        Err(ReserveNetworkError::NoneFree { choice, addresses: targets.len() })
    }

    fn on_first(
        &self,
        selection: &Selection,
        choice: PortSelector,
        candidates: &[Candidate],
    ) -> Result<Option<Reserved<'_>>, ReserveNetworkError> {
        let (keeper, machine) = self.keeping_machine().map_err(crate::reserve::ReserveError::from)?;
        let attempt = |candidate: &Candidate| {
            let request = selection.request_on(candidate.host(), candidate.addresses(), choice)?;
            reserve(&self.store, &candidate.world(&machine), &[request])
        };
        let first = first_with_a_free_port(candidates, attempt, is_taken)?;
        Ok(first.and_then(|(outcome, _)| self.guards(outcome, &keeper).pop()))
    }
}
