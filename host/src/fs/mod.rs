//! Files: durable atomic writes, private files, locks, directories by their descriptors, and what may be a stream. And where a worktree
//! begins.

mod atomic;
#[cfg(unix)]
mod directory;
#[cfg(not(unix))]
#[path = "directory_by_path.rs"]
mod directory;
mod directory_lock;
mod identity;
mod links;
mod lock;
mod network;
mod path_error;
mod private;
mod read;
mod regular;
mod stream;
mod worktree;
mod writable;
mod writeback;

pub use atomic::{Staged, beside, directory_of, sync_directory, write_atomic};
pub use directory::{Directory, Replaced};
pub use directory_lock::lock_directory;
pub use identity::{FileId, owner_of};
pub use links::{MOST_LINKS, is_link_error};
pub use lock::{Lock, LockError, LockOptions, Waiting, is_locked};
pub use network::is_on_network;
pub(crate) use path_error::describe;
pub use path_error::{PathContext, PathError};
pub use private::{create_private, create_private_dir, open_private, read_private};
pub use read::read_up_to;
pub use regular::{not_a_file, open_regular, refuse_others};
pub use stream::write_to;
pub use worktree::{is_there, is_worktree_root, worktree_root};
pub use writable::can_write_in;
pub use writeback::begin_writing;
