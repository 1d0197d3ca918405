//! Programs on a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::Run;

/// How long a program may take to show something on a machine that is busy with many other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program on a terminal of its own, and a user who types and reads. It is killed on drop.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Screen>,
    reader: Option<JoinHandle<()>>,
}

/// All that the terminal was sent so far, control sequences and all. What one read returns may end within a character.
#[derive(Debug, Default)]
struct Screen {
    bytes: Mutex<Vec<u8>>,
    changed: Condvar,
}

impl Terminal {
    /// How many characters a line has.
    pub const WIDTH: u16 = 80;

    /// Starts the program, with all of its input and output on the terminal.
    ///
    /// # Panics
    /// When there is no terminal, or it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start(run: &Run<'_>) -> Self {
        let (keyboard, slave) = pair();
        let mut command = run.command();
        let end = || Stdio::from(slave.try_clone().expect("a copy"));
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{run}: {error}"));
        let screen = Arc::new(Screen::default());
        let mut output = keyboard.try_clone().expect("a copy");
        let reader = thread::spawn({
            let screen = Arc::clone(&screen);
            move || {
                let mut bytes = [0; 4096];
                // The terminal hangs up with its last program.
                while let Ok(length @ 1..) = output.read(&mut bytes) {
                    screen.bytes().extend(&bytes[..length]);
                    screen.changed.notify_all();
                }
            }
        });
        Self { child, keyboard, screen, reader: Some(reader) }
    }

    /// Types the keys.
    ///
    /// # Panics
    /// When the terminal takes none.
    pub fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a keyboard");
    }

    /// Waits until the text has been shown so many times.
    ///
    /// # Panics
    /// When that takes too long.
    #[track_caller]
    pub fn shows(&self, text: &str, times: usize) {
        let is_missing = |bytes: &mut Vec<u8>| String::from_utf8_lossy(bytes).matches(text).count() < times;
        let waited = self.screen.changed.wait_timeout_while(self.screen.bytes(), PATIENCE, is_missing);
        let (bytes, outcome) = waited.expect("the screen");
        let screen = String::from_utf8_lossy(&bytes);
        assert!(!outcome.timed_out(), "{text} is not there {times} times:\n{screen}");
    }

    /// Waits for the end: how the program ended, and all that it has shown.
    ///
    /// # Panics
    /// When it cannot be waited for.
    #[must_use]
    pub fn ends(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("wait");
        self.reader.take().into_iter().for_each(|reader| reader.join().expect("a reader"));
        let shown = String::from_utf8_lossy(&self.screen.bytes()).into_owned();
        (status, shown)
    }
}

impl Screen {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().expect("the screen")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that are left on the screen after all of the text, which moves the cursor and clears lines, and scrolls nothing away.
///
/// # Panics
/// When it has a control sequence that is none of these.
#[must_use]
pub fn left_on_screen(text: &str) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\r' => column = 0,
            '\n' => row += 1,
            '\x1b' => match (characters.next(), characters.next(), characters.next()) {
                (Some('['), Some('1'), Some('A')) => row = row.saturating_sub(1),
                (Some('['), Some('1'), Some('B')) => row += 1,
                (Some('['), Some('2'), Some('K')) => lines.get_mut(row).into_iter().for_each(Vec::clear),
                other => panic!("{other:?} is not known here:\n{text:?}"),
            },
            character => {
                // The cursor stays on a line that is full until something follows.
                if column == usize::from(Terminal::WIDTH) {
                    (row, column) = (row + 1, 0);
                }
                lines.resize(lines.len().max(row + 1), Vec::new());
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = character;
                column += 1;
            }
        }
    }
    lines.into_iter().map(|line| String::from_iter(line).trim_end().to_owned()).collect()
}

/// Both ends of a terminal: the user's, and the programs'.
fn pair() -> (File, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).expect("a terminal");
    unlockpt(&master).expect("a terminal");
    let size = Winsize { ws_row: 24, ws_col: Terminal::WIDTH, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).expect("a terminal");
    let slave = ptsname(&master, Vec::new()).expect("its name").into_string().expect("its name");
    let slave = File::options().read(true).write(true).open(slave).expect("a terminal");
    (File::from(master), slave.into())
}
