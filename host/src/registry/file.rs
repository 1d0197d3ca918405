//! The registry as one JSON file, with a lock file beside it.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::format::{self, Decoded, VERSION};
use super::snapshot::Step;
use super::source::Source;
use super::{Notice, RegistryError, Snapshot, Store, Transaction};
use crate::fs::{
    Lock, LockOptions, PathContext, PathError, Staged, beside, create_private_dir, directory_of, read_private,
    sync_directory,
};

/// No registry is that large: 65535 ports of two protocols on a few hosts are some 50 MB.
const LARGEST: u64 = 256 << 20;

/// A registry file.
///
/// Every write leaves the former state beside it as `NAME.prev`. Readers take no lock: a file in its place is always whole.
pub struct FileStore<'a> {
    path: PathBuf,
    lock: PathBuf,
    private_directory: Option<PathBuf>,
    patience: LockOptions<'a>,
}

impl std::fmt::Debug for FileStore<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStore").field("path", &self.path).field("lock", &self.lock).finish_non_exhaustive()
    }
}

impl<'a> FileStore<'a> {
    /// The registry at `path`, locked by `NAME.lock` beside it. Nothing is opened or made yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let lock = beside(&path, "lock");
        Self { path, lock, private_directory: None, patience: LockOptions::default() }
    }

    /// The registry in a directory that is the user's alone. A write makes the directory, and refuses one of another user.
    #[must_use]
    pub fn in_private_directory(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        Self { private_directory: Some(directory.clone()), ..Self::new(directory.join("registry.json")) }
    }

    /// The same registry with another lock file.
    #[must_use]
    pub fn with_lock(mut self, lock: impl Into<PathBuf>) -> Self {
        self.lock = lock.into();
        self
    }

    /// The same registry with another patience.
    #[must_use]
    pub fn with_patience(mut self, patience: LockOptions<'a>) -> Self {
        self.patience = patience;
        self
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its lock file.
    #[must_use]
    pub fn lock_path(&self) -> &Path {
        &self.lock
    }

    fn previous(&self) -> PathBuf {
        beside(&self.path, "prev")
    }

    /// Makes the directory, and returns it if the user who named the file may not expect that.
    fn make_directory(&self) -> Result<Option<&Path>, PathError> {
        match (&self.private_directory, self.path.parent()) {
            (Some(directory), _) => create_private_dir(directory).map(|()| None),
            // A directory that is there, such as /tmp, is as its owner wants it.
            (None, Some(directory)) if !directory.as_os_str().is_empty() && !directory.exists() => {
                create_private_dir(directory).map(|()| Some(directory))
            }
            _ => Ok(None),
        }
    }

    /// Reads the file. A damaged one is answered from its former state.
    fn read(&self) -> Result<(Snapshot, State), RegistryError> {
        let Some(bytes) = read_private(&self.path, LARGEST)? else {
            return self.read_missing();
        };
        match format::decode(&bytes) {
            Ok(Decoded::Whole { reservations, layout }) => {
                let source = layout.map(|layout| Source::new(bytes, layout));
                Ok((Snapshot { reservations, notices: Vec::new(), source }, State::Good))
            }
            Ok(Decoded::Newer { version, reservations, not_understood }) => {
                let notice = Notice::NotUnderstood { path: self.path.clone(), entries: not_understood };
                let notices = (not_understood > 0).then_some(notice).into_iter().collect();
                Ok((Snapshot { reservations, notices, source: None }, State::Newer(version)))
            }
            Err(_) if is_of_the_python_tool(&bytes) => Err(RegistryError::OfPythonTool { path: self.path.clone() }),
            Err(why) => Ok((self.recover(Some(why))?, State::Damaged)),
        }
    }

    /// There is no file. No write of ours leaves it so once there was one: with a former state beside it, it was removed.
    fn read_missing(&self) -> Result<(Snapshot, State), RegistryError> {
        match read_private(&self.previous(), LARGEST)? {
            None => Ok((Snapshot::default(), State::Missing)),
            Some(_) => {
                let mut snapshot = self.recover(None)?;
                snapshot.notices = vec![Notice::Missing { path: self.path.clone(), previous: self.previous() }];
                Ok((snapshot, State::Lost))
            }
        }
    }

    fn recover(&self, why: Option<String>) -> Result<Snapshot, RegistryError> {
        let previous = read_private(&self.previous(), LARGEST)?;
        match previous.as_deref().map(format::decode) {
            Some(Ok(Decoded::Whole { reservations, .. })) => {
                let notice = Notice::Recovered { path: self.path.clone(), kept: None };
                Ok(Snapshot { reservations, notices: vec![notice], source: None })
            }
            read => {
                let previous = read.map(|_| self.previous());
                Err(RegistryError::Corrupt { path: self.path.clone(), previous, why })
            }
        }
    }

    /// Where a damaged file is kept: a name that no earlier one has.
    fn name_for_damaged(&self) -> PathBuf {
        let name = |number: u32| beside(&self.path, &format!("damaged-{number}"));
        let is_new = |path: &PathBuf| path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
        (1..1_000).map(name).find(is_new).unwrap_or_else(|| name(0))
    }

    /// Keeps the former state, then puts the new one in its place: at every instant one of the two is there, whole. What it returns has
    /// still to be synced.
    fn write(&self, snapshot: &Snapshot, state: State) -> Result<Staged, RegistryError> {
        let pieces = format::encode(&snapshot.reservations, snapshot.source.as_ref());
        let mut staged = Staged::under_lock(&self.path, &pieces, 0o600)?;
        match state {
            State::Good => self.keep_as(&self.previous())?,
            State::Damaged => self.keep_as(&self.name_for_damaged())?,
            State::Missing | State::Lost | State::Newer(_) => {}
        }
        staged.put_in_place()?;
        Ok(staged)
    }

    /// Keeps the file under another name too. What had that name is there until this has it: a process that is killed in between must not
    /// leave the registry without a former state. A file system without hard links gets a copy.
    fn keep_as(&self, other: &Path) -> Result<(), PathError> {
        let link = beside(&self.path, "link");
        let linked = match std::fs::hard_link(&self.path, &link) {
            // Left by a process that was killed, or by a rename between two names of one file, which does nothing (rename(2)).
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                std::fs::remove_file(&link).at(&link)?;
                std::fs::hard_link(&self.path, &link)
            }
            linked => linked,
        };
        match linked {
            Err(error) if lacks_links(&error) => {
                // Gone since it was read: an empty copy must not take the place of the former state.
                let missing = || std::io::Error::from(ErrorKind::NotFound);
                let bytes = read_private(&self.path, LARGEST)?.ok_or_else(missing).at(&self.path)?;
                Staged::new(other, &bytes, Some(0o600))?.put_in_place()
            }
            linked => linked.at(&link).and_then(|()| std::fs::rename(&link, other).at(other)),
        }
    }

    /// The change is in the registry, but whether it would outlast a power cut is not known, so its maker is not to rely on it: it is taken
    /// back. What is then there was there before, and may be so after a power cut, too.
    fn take_back(&self, steps: Vec<Step>, error: PathError) -> RegistryError {
        let added = |step: &Step| match step {
            Step::Added(_, port) => Some(*port),
            Step::Had(_) => None,
        };
        let ports: Vec<_> = steps.iter().filter_map(added).collect();
        let undone = || {
            let _lock = Lock::acquire(&self.lock, &self.patience)?;
            let (snapshot, state) = self.read()?;
            let mut transaction = Transaction::new(snapshot);
            transaction.take_back(steps);
            if transaction.changed() {
                self.write(&transaction, state)?;
            }
            Ok(())
        };
        match undone() {
            Ok(()) => error.into(),
            Err(undo) => RegistryError::NotTakenBack { ports, error, undo: Box::new(undo) },
        }
    }
}

/// Whether the file system has no hard links (link(2), `EPERM`).
fn lacks_links(error: &std::io::Error) -> bool {
    cfg!(not(unix)) || matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported)
}

impl Store for FileStore<'_> {
    fn snapshot(&self) -> Result<Snapshot, RegistryError> {
        Ok(self.read()?.0)
    }

    fn transaction<T, E: From<RegistryError>>(
        &self,
        change: impl FnOnce(&mut Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let made = self.make_directory().map_err(RegistryError::from)?;
        // A lock file is made beside a registry, and not beside a file of another program, which may lock itself by that name.
        if self.lock.symlink_metadata().is_err() {
            self.read()?;
        }
        let lock = Lock::acquire(&self.lock, &self.patience).map_err(RegistryError::from)?;
        let (mut snapshot, state) = self.read()?;
        if let State::Newer(version) = state {
            return Err(RegistryError::Newer { path: self.path.clone(), version, supported: VERSION }.into());
        }
        if state == State::Damaged {
            let kept = Some(self.name_for_damaged());
            snapshot.notices = vec![Notice::Recovered { path: self.path.clone(), kept }];
        }
        snapshot.notices.extend(made.map(|directory| Notice::MadeDirectory { directory: directory.to_owned() }));
        let mut transaction = Transaction::new(snapshot);
        let answer = change(&mut transaction)?;
        let written = match transaction.changed() || matches!(state, State::Damaged | State::Lost) {
            true => Some(self.write(&transaction, state)?),
            false => None,
        };
        // A process that waits for the lock need not wait for the directory: it syncs it as well. So does one that changes nothing, for
        // what it answers may rest on a change that its maker has not synced yet.
        drop(lock);
        if transaction.is_followed {
            return Ok(answer);
        }
        let synced = match &written {
            Some(written) => written.sync(),
            None => sync_directory(directory_of(&self.path)),
        };
        match synced {
            Ok(()) => Ok(answer),
            Err(error) if transaction.changed() => Err(self.take_back(transaction.steps, error).into()),
            Err(error) => Err(RegistryError::from(error).into()),
        }
    }
}

/// What was found in the registry's place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    /// Missing, with its former state beside it.
    Lost,
    Good,
    Damaged,
    Newer(u32),
}

/// Whether it is the file of the Python tool of the same name: `{"HOST:PORT": {"host", "port", "owner", "timestamp"}}`.
fn is_of_the_python_tool(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Entry {
        #[serde(rename = "host")]
        _host: String,
        #[serde(rename = "port")]
        _port: u16,
    }
    serde_json::from_slice::<HashMap<String, Entry>>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::model::{
        Host, Lease, LeaseName, NetworkNamespace, Place, Port, Project, Protocol, Reservation, ReservationId,
    };

    fn reservation(port: u16) -> Reservation {
        let place = Place {
            machine: "m".into(),
            boot: "b".into(),
            network: NetworkNamespace::Inode(7),
            processes: 1,
            time: None,
        };
        let project = Project { path: "/srv/shop".into(), device: 1, inode: 2, born: None, parent: (1, 1) };
        Reservation {
            id: ReservationId::new(port.into()),
            host: Host::default(),
            port: Port::new(port).unwrap(),
            protocol: Protocol::Tcp,
            addresses: Host::default().literal_addresses().unwrap(),
            owner: Some("me \"quoted\"".into()),
            lease: Lease::Named(LeaseName {
                name: "SERVICE_PORT".into(),
                project: Some(Arc::new(project)),
                config: Some("pk.config.json".into()),
                provisional: false,
            }),
            hold: None,
            place: Arc::new(place),
            created: Timestamp::from_second(1_700_000_000).unwrap(),
            created_since_boot: Duration::from_millis(1_500),
            caller: None,
        }
    }

    fn insert(store: &FileStore<'_>, port: u16) -> Result<(), RegistryError> {
        store.transaction(|transaction| {
            transaction.insert(reservation(port));
            Ok(())
        })
    }

    fn ports(store: &FileStore<'_>) -> Vec<u16> {
        store.snapshot().unwrap().reservations().iter().map(|each| each.port.get()).collect()
    }

    struct Fixture {
        _directory: tempfile::TempDir,
        store: FileStore<'static>,
    }

    fn fixture() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let store = FileStore::in_private_directory(directory.path().join("portkeeper"));
        Fixture { _directory: directory, store }
    }

    #[test]
    fn what_is_committed_is_read_back() {
        let Fixture { store, .. } = &fixture();
        assert!(ports(store).is_empty());
        insert(store, 8000).unwrap();
        insert(store, 8001).unwrap();
        assert_eq!(store.snapshot().unwrap().reservations(), [reservation(8000), reservation(8001)]);
    }

    #[test]
    fn a_change_that_fails_or_changes_nothing_writes_nothing() {
        let Fixture { store, .. } = &fixture();
        let failed = store.transaction(|transaction| {
            transaction.insert(reservation(8000));
            Err::<(), _>(RegistryError::Newer { path: "x".into(), version: 2, supported: 1 })
        });
        assert!(failed.is_err());
        store.transaction(|_| Ok::<_, RegistryError>(())).unwrap();
        assert!(!store.path().exists());
    }

    #[test]
    fn concurrent_writers_lose_nothing() {
        let Fixture { store, .. } = &fixture();
        std::thread::scope(|scope| {
            for port in 8000..8032 {
                scope.spawn(move || insert(store, port).unwrap());
            }
        });
        let mut found = ports(store);
        found.sort_unstable();
        assert_eq!(found, (8000..8032).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_file_is_kept_and_its_former_state_used() {
        let Fixture { store, .. } = &fixture();
        insert(store, 8000).unwrap();
        insert(store, 8001).unwrap();
        let whole = std::fs::read(store.path()).unwrap();
        std::fs::write(store.path(), &whole[..whole.len() / 2]).unwrap();
        assert_eq!(ports(store), [8000], "a reader is answered from the former state");
        insert(store, 8002).unwrap();
        assert_eq!(ports(store), [8000, 8002]);
        let kept = beside(store.path(), "damaged-1");
        assert_eq!(std::fs::read(kept).unwrap(), whole[..whole.len() / 2]);
    }

    #[test]
    fn nothing_is_chosen_when_no_former_state_helps() {
        let Fixture { store, .. } = &fixture();
        insert(store, 8000).unwrap();
        for damage in ["", "null", "{\"version\":1,\"reservations\":[{}]}", "\u{0}\u{0}"] {
            std::fs::write(store.path(), damage).unwrap();
            let error = insert(store, 8001).unwrap_err();
            assert!(matches!(error, RegistryError::Corrupt { .. }), "{damage:?}: {error}");
            assert_eq!(std::fs::read_to_string(store.path()).unwrap(), damage);
        }
    }

    #[test]
    fn a_newer_format_is_read_and_never_written() {
        let Fixture { store, .. } = &fixture();
        insert(store, 8000).unwrap();
        let text = std::fs::read_to_string(store.path()).unwrap();
        let newer = text
            .replace("\"version\":4", "\"version\":5,\"colour\":\"red\"")
            .replace("}],\n\"crc32\"", "},\n{\"port\":\"of a new kind\"}],\n\"sum\"");
        assert_ne!(text, newer);
        std::fs::write(store.path(), &newer).unwrap();
        let snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.reservations(), [reservation(8000)]);
        assert!(matches!(snapshot.notices(), [Notice::NotUnderstood { entries: 1, .. }]));
        assert!(matches!(insert(store, 8001), Err(RegistryError::Newer { version: 5, .. })));
        assert_eq!(std::fs::read_to_string(store.path()).unwrap(), newer);
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let Fixture { store, .. } = &fixture();
        insert(store, 8000).unwrap();
        insert(store, 8001).unwrap();
        let whole = std::fs::read(store.path()).unwrap();
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[place] ^= 1 << bit;
                std::fs::write(store.path(), &damaged).unwrap();
                let unnoticed = store.snapshot().is_ok_and(|read| read.notices().is_empty());
                assert!(!unnoticed, "bit {bit} of byte {place}");
            }
        }
    }

    #[test]
    fn a_file_that_was_removed_is_recovered_and_said_so() {
        let Fixture { store, .. } = &fixture();
        insert(store, 8000).unwrap();
        insert(store, 8001).unwrap();
        std::fs::remove_file(store.path()).unwrap();
        assert!(matches!(store.snapshot().unwrap().notices(), [Notice::Missing { .. }]));
        insert(store, 8002).unwrap();
        assert_eq!(ports(store), [8000, 8002]);
        assert!(store.snapshot().unwrap().notices().is_empty());
        std::fs::remove_file(store.path()).unwrap();
        std::fs::write(store.previous(), "x").unwrap();
        assert!(matches!(insert(store, 8003), Err(RegistryError::Corrupt { .. })));
    }

    #[test]
    fn a_file_of_the_python_tool_is_named_and_left_alone() {
        let Fixture { store, .. } = &fixture();
        insert(store, 8000).unwrap();
        let theirs = r#"{"127.0.0.1:8000": {"host": "127.0.0.1", "port": 8000, "owner": null, "timestamp": 1.5}}"#;
        for text in [theirs, "{}", "{ }\n"] {
            std::fs::write(store.path(), text).unwrap();
            let error = insert(store, 8001).unwrap_err();
            assert!(matches!(error, RegistryError::OfPythonTool { .. }), "{error}");
            assert!(store.snapshot().is_err());
            assert_eq!(std::fs::read_to_string(store.path()).unwrap(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_files_are_the_users_alone_and_no_link_is_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let Fixture { store, .. } = &fixture();
        insert(store, 8000).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(store.path()), mode(&store.lock)), (0o600, 0o600));
        assert_eq!(mode(store.path().parent().unwrap()), 0o700);
        let elsewhere = beside(store.path(), "elsewhere");
        std::fs::rename(store.path(), &elsewhere).unwrap();
        symlink(&elsewhere, store.path()).unwrap();
        assert!(insert(store, 8001).unwrap_err().to_string().contains("symbolic link"));
    }
}
