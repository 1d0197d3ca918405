//! What may be done about a process that has a port. `explain` prints it, `kill` obeys it, and `release` says it when it cannot help: no
//! advice contradicts another, because all of it comes from [`decide`].

use crate::who::Ownership;

/// What matters about a process that has a port, and about who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// What the process is.
    pub occupant: Occupant,
    /// Whether it belongs to the user who asks.
    pub same_user: bool,
    /// Whether root asks.
    pub root: bool,
    /// Whether it works in the directory, or the project, of who asks.
    pub here: bool,
    /// Whose the reservation of the port is.
    pub claim: ClaimOf,
    /// Whether it is the process that the reservation was made for.
    pub ownership: Ownership,
}

/// What has a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupant {
    /// A server, or another program that has bound the port.
    Server,
    /// A process that this user may not see.
    Invisible,
    /// Only portkeeper, for a hold that this registry knows.
    RecordedHold,
    /// Only portkeeper, for a running command that has no server on the port, or for a registry that is not this one.
    OtherHold,
    /// What runs in a container, or speaks for one.
    Container,
    /// Only a service manager.
    ServiceManager,
    /// Only processes that another user has sent the socket to.
    Bystander,
    /// What the command that asks runs in.
    Asker,
}

/// Whose the reservation of a port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimOf {
    /// There is no reservation.
    None,
    /// This project's.
    Project,
    /// The user's, and no project's.
    User,
    /// Another project's.
    Other,
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// `portkeeper kill` ends it.
    Kill,
    /// `portkeeper kill --force` ends it.
    KillWithForce(Doubt),
    /// Root can do that.
    AskRoot,
    /// `portkeeper release` ends the hold.
    Release,
    /// The container's engine stops it.
    StopContainer,
    /// The service manager stops it.
    StopService,
    /// Only the user who runs it knows how.
    StopByHand,
    /// Nothing from here: it is in another pid namespace.
    LookFromOutside,
    /// The command that asks would end itself.
    EndYourself,
}

/// Why a process is not known to be the asker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It is another user's.
    OtherUser,
    /// The port is not reserved, and the process works elsewhere.
    NotReserved,
    /// The port is reserved for another project.
    OtherProject,
    /// It works elsewhere, though the port is reserved for the asker.
    WorksElsewhere,
    /// The reservation is for no project, so the place where it works proves nothing.
    NoProject,
    /// It keeps the port for another command or registry.
    Hold,
}

/// What may be done in the situation.
#[must_use]
pub fn decide(situation: Situation) -> Decision {
    let Situation { occupant, same_user, root, here, claim, ownership } = situation;
    match occupant {
        Occupant::Asker => Decision::EndYourself,
        Occupant::Container => Decision::StopContainer,
        Occupant::ServiceManager => Decision::StopService,
        Occupant::Bystander => Decision::StopByHand,
        Occupant::Invisible if root => Decision::LookFromOutside,
        Occupant::Invisible => Decision::AskRoot,
        Occupant::RecordedHold => Decision::Release,
        Occupant::OtherHold | Occupant::Server if !same_user && !root => Decision::AskRoot,
        Occupant::OtherHold => Decision::KillWithForce(Doubt::Hold),
        Occupant::Server if here && same_user => Decision::Kill,
        Occupant::Server => match (claim, ownership) {
            (ClaimOf::Other, _) => Decision::KillWithForce(Doubt::OtherProject),
            (ClaimOf::None, _) if !same_user => Decision::KillWithForce(Doubt::OtherUser),
            (ClaimOf::None, _) => Decision::KillWithForce(Doubt::NotReserved),
            (_, Ownership::Own) => Decision::Kill,
            _ if !same_user => Decision::KillWithForce(Doubt::OtherUser),
            (_, Ownership::Stranger) => Decision::KillWithForce(Doubt::WorksElsewhere),
            (ClaimOf::Project, Ownership::Unknown) => Decision::Kill,
            (ClaimOf::User, Ownership::Unknown) => Decision::KillWithForce(Doubt::NoProject),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = Situation> {
        use Occupant::*;
        let occupants =
            [Server, Invisible, RecordedHold, OtherHold, Container, ServiceManager, Bystander, Asker].into_iter();
        let claims = [ClaimOf::None, ClaimOf::Project, ClaimOf::User, ClaimOf::Other];
        let ownerships = [Ownership::Own, Ownership::Stranger, Ownership::Unknown];
        let flags = (0..8_u8).map(|bits| (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0));
        occupants.flat_map(move |occupant| {
            let flags = flags.clone();
            claims.into_iter().flat_map(move |claim| {
                let flags = flags.clone();
                ownerships.into_iter().flat_map(move |ownership| {
                    flags.clone().map(move |(same_user, root, here)| Situation {
                        occupant,
                        same_user,
                        root,
                        here,
                        claim,
                        ownership,
                    })
                })
            })
        })
    }

    #[test]
    fn only_servers_and_forgotten_holds_are_ever_killed() {
        for situation in all() {
            let killed = matches!(decide(situation), Decision::Kill | Decision::KillWithForce(_));
            let may_be = matches!(situation.occupant, Occupant::Server | Occupant::OtherHold);
            assert!(may_be || !killed, "{situation:?}");
        }
    }

    #[test]
    fn what_the_kernel_would_refuse_is_not_advised() {
        for situation in all().filter(|situation| !situation.root && !situation.same_user) {
            let killed = matches!(decide(situation), Decision::Kill | Decision::KillWithForce(_));
            assert!(!killed, "{situation:?}");
        }
    }

    #[test]
    fn root_is_never_sent_to_root() {
        assert!(all().filter(|situation| situation.root).all(|situation| decide(situation) != Decision::AskRoot));
    }

    #[test]
    fn without_force_only_what_is_ones_own_ends() {
        for situation in all().filter(|&situation| decide(situation) == Decision::Kill) {
            let Situation { same_user, here, claim, ownership, .. } = situation;
            let reserved = matches!(claim, ClaimOf::Project | ClaimOf::User) && ownership != Ownership::Stranger;
            assert!((same_user && here) || reserved, "{situation:?}");
        }
    }
}
