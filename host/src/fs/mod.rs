//! Files that survive a crash: durable atomic writes, private files, and locks.

mod atomic;
mod lock;
mod path_error;
mod private;

pub use atomic::{Staged, folder_of, sync_folder, write_atomic};
pub use lock::{Lock, LockError, Patience, Waiting, is_locked};
pub(crate) use path_error::describe;
pub use path_error::{PathContext, PathError};
pub use private::{create_private, create_private_dir, open_private, read_private};
