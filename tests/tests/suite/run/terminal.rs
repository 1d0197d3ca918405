//! Under a terminal: keys reach the command once, and a shell's job control works.

use portkeeper_tests::{Ports, Terminal, program_or_skip};

use crate::sandbox;

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
    let (status, screen) = terminal.ends();
    assert_eq!(status.code(), Some(4), "{screen}");
    assert_eq!(screen.matches("interrupt").count(), 3, "{screen}");
}

/// It is not in the group that the terminal sends its signals to.
#[test]
fn an_interrupt_key_reaches_a_command_with_a_session_of_its_own() {
    if program_or_skip("python3").is_none() || program_or_skip("setsid").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write("count.py", COUNT);
    let run = format!("exec setsid --ctty --wait portkeeper run --port {} -- setsid python3 count.py", ports.first());
    let mut terminal = Terminal::start(&sandbox.shell(&run));
    terminal.shows("started", 1);
    for count in 1..=3 {
        terminal.types("\x03");
        terminal.shows(&format!("interrupt {count}"), 1);
    }
    let (status, screen) = terminal.ends();
    assert_eq!(status.code(), Some(4), "{screen}");
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
