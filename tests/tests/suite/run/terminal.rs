//! Under a terminal: keys reach the command once, and a shell's job control works.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portkeeper_tests::{Ports, Run, program_or_skip};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::sandbox;

/// A program on a terminal of its own, and somebody who types and reads.
struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    fn start(run: &Run<'_>) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("a terminal");
        unlockpt(&master).expect("a terminal");
        let slave = ptsname(&master, Vec::new()).expect("its name").into_string().expect("its name");
        let slave: OwnedFd = File::options().read(true).write(true).open(slave).expect("a terminal").into();
        let mut command = run.command();
        command
            .stdin(Stdio::from(slave.try_clone().expect("a copy")))
            .stdout(Stdio::from(slave.try_clone().expect("a copy")));
        let child = command.stderr(Stdio::from(slave)).spawn().expect("a program");
        let keyboard = File::from(master);
        let screen = Arc::new(Mutex::new(String::new()));
        let mut output = keyboard.try_clone().expect("a copy");
        thread::spawn({
            let screen = Arc::clone(&screen);
            move || {
                let mut bytes = [0; 4096];
                // The terminal hangs up with its last program.
                while let Ok(length @ 1..) = output.read(&mut bytes) {
                    screen.lock().expect("the screen").push_str(&String::from_utf8_lossy(&bytes[..length]));
                }
            }
        });
        Self { child, keyboard, screen }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a keyboard");
    }

    #[track_caller]
    fn shows(&self, text: &str, times: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let screen = self.screen.lock().expect("the screen").clone();
            if screen.matches(text).count() >= times {
                return;
            }
            assert!(Instant::now() < deadline, "{text} is not there {times} times:\n{screen}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn count(&self, text: &str) -> usize {
        self.screen.lock().expect("the screen").matches(text).count()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says how often it was interrupted, and ends with the third time.
const COUNT: &str = "
import os, signal, sys, time
count = 0
def note(*_):
    global count
    count += 1
    os.write(1, b'interrupt %d\\n' % count)
    if count == 3:
        sys.exit(4)
signal.signal(signal.SIGINT, note)
signal.signal(signal.SIGCONT, lambda *_: os.write(1, b'goes on\\n'))
os.write(1, b'started\\n')
# Not pause(2): a signal just before it would be told only after the next.
while True:
    time.sleep(0.05)
";

#[test]
fn an_interrupt_key_reaches_the_command_once() {
    if program_or_skip("python3").is_none() || program_or_skip("setsid").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write("count.py", COUNT);
    let run = format!("exec setsid --ctty --wait portkeeper run --port {} -- python3 count.py", ports.first());
    let mut terminal = Terminal::start(&sandbox.shell(&run));
    terminal.shows("started", 1);
    for count in 1..=3 {
        terminal.types("\x03");
        terminal.shows(&format!("interrupt {count}"), 1);
    }
    assert_eq!(terminal.child.wait().unwrap().code(), Some(4));
    assert_eq!(terminal.count("interrupt"), 3);
}

#[test]
fn a_shell_can_stop_it_and_let_it_go_on() {
    if program_or_skip("python3").is_none() || program_or_skip("setsid").is_none() || program_or_skip("bash").is_none()
    {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write("count.py", COUNT);
    let mut terminal = Terminal::start(&sandbox.shell("exec setsid --ctty bash --norc --noprofile -i"));
    terminal.types(&format!("portkeeper run --port {} -- python3 count.py; echo ended with $?\n", ports.first()));
    terminal.shows("started", 1);
    terminal.types("\x1a");
    terminal.shows("Stopped", 1);
    terminal.types("fg\n");
    terminal.shows("goes on", 1);
    for count in 1..=3 {
        terminal.types("\x03");
        terminal.shows(&format!("interrupt {count}"), 1);
    }
    terminal.types("echo the shell $((6 * 7))\n");
    terminal.shows("the shell 42", 1);
}
