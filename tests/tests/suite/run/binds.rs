//! Everything that a program may do with bind(2).

use portkeeper_tests::{Outcome, Ports, ipv6_or_skip, program_or_skip, skipped};

use crate::sandbox;

/// Runs a program in Python that prints what it sees; none without Python.
#[track_caller]
fn python(options: &str, ports: &Ports, program: &str) -> Option<Outcome> {
    program_or_skip("python3")?;
    let sandbox = sandbox();
    let prelude = "
import errno, fcntl, os, select, socket, sys, threading, time
port = int(os.environ['PORT'])
def tcp(family=socket.AF_INET, **options):
    made = socket.socket(family)
    for name, value in options.items():
        made.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    return made
def listening(address='127.0.0.1', family=socket.AF_INET, **options):
    made = tcp(family, **options)
    made.bind((address, port))
    made.listen()
    return made
def reaches(server, address='127.0.0.1'):
    with socket.create_connection((address, port)):
        client, _ = server.accept()
        client.close()
    return True
";
    sandbox.write("program.py", format!("{prelude}{program}"));
    Some(sandbox.portkeeper(format!("run {options} --port {} -- python3 -u program.py", ports.first())).ok())
}

#[track_caller]
fn prints(options: &str, program: &str, expected: &str) {
    let ports = Ports::take(1);
    if let Some(outcome) = python(options, &ports, program) {
        assert_eq!(outcome.stdout.trim_end(), expected, "{outcome}");
    }
}

#[test]
fn a_socket_is_what_it_was_before() {
    let program = "
server = tcp(SO_KEEPALIVE=1, SO_REUSEADDR=1)
server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
server.setblocking(False)
fd = server.fileno()
before = fcntl.fcntl(fd, fcntl.F_GETFD), fcntl.fcntl(fd, fcntl.F_GETFL)
server.bind(('127.0.0.1', port))
server.listen(7)
print(before == (fcntl.fcntl(fd, fcntl.F_GETFD), fcntl.fcntl(fd, fcntl.F_GETFL)), server.fileno() == fd)
print(server.getsockname() == ('127.0.0.1', port), server.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
print(server.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
open_on_exec = tcp()
os.set_inheritable(open_on_exec.fileno(), True)
server.close()
open_on_exec.bind(('127.0.0.1', port))
print(os.get_inheritable(open_on_exec.fileno()), open_on_exec.getblocking())
";
    prints("", program, "True True\nTrue 1\n1\nTrue True");
}

#[test]
fn other_ports_and_other_sockets_are_left_alone() {
    let program = "
other = tcp(); other.bind(('127.0.0.1', 0)); other.listen()
print(other.getsockname()[1] not in (0, port))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(('127.0.0.1', port))
print(udp.getsockname()[1] == port)
unix = socket.socket(socket.AF_UNIX); unix.bind('here.sock'); print(os.path.exists('here.sock'))
elsewhere = tcp(); elsewhere.bind(('127.0.0.77', port)); print(elsewhere.getsockname()[0])
try:
    tcp().bind(('203.0.113.1', port))
except OSError as error:
    print(errno.errorcode[error.errno])
";
    prints("", program, "True\nTrue\nTrue\n127.0.0.77\nEADDRNOTAVAIL");
}

#[test]
fn threads_forks_and_later_binds_are_served_too() {
    let program = "
server = listening(); print(reaches(server)); server.close()
def work():
    server = listening(); print(reaches(server)); server.close()
thread = threading.Thread(target=work); thread.start(); thread.join()
if os.fork() == 0:
    work(); sys.stdout.flush(); os._exit(0)
os.wait()
# A grandchild whose parent has ended.
reader, writer = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        time.sleep(0.1); work(); sys.stdout.flush(); os.write(writer, b'x'); os._exit(0)
    os._exit(0)
os.wait(); os.read(reader, 1)
";
    prints("", program, "True\nTrue\nTrue\nTrue");
}

#[test]
fn every_address_that_means_the_host_is_served() {
    if !ipv6_or_skip() {
        return;
    }
    let program = "
six = socket.AF_INET6
for address, family in [('127.0.0.1', socket.AF_INET), ('::1', six), ('0.0.0.0', socket.AF_INET), ('::', six), ('::ffff:127.0.0.1', six), ('127.0.0.1', socket.AF_INET)]:
    server = tcp(family)
    if address == '::':
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind((address, port)); server.listen()
    print(address, reaches(server, '::1' if address in ('::1',) else '127.0.0.1'), server.getsockname()[0] == address)
    server.close()
both = listening('127.0.0.1'), listening('::1', six)
print(reaches(both[0]), reaches(both[1], '::1'))
";
    let expected = "127.0.0.1 True True\n::1 True True\n0.0.0.0 True True\n:: True True\n::ffff:127.0.0.1 True True\n\
                    127.0.0.1 True True\nTrue True";
    for handover in ["adopt", "gated"] {
        prints(&format!("--handover {handover}"), program, expected);
    }
}

#[test]
fn a_socket_that_is_watched_or_has_a_twin_stays_itself() {
    let program = "
server = tcp(); epoll = select.epoll(); epoll.register(server.fileno(), select.EPOLLIN)
server.bind(('127.0.0.1', port)); server.listen()
client = socket.create_connection(('127.0.0.1', port))
print(epoll.poll(10) == [(server.fileno(), select.EPOLLIN)]); client.close(); server.accept()[0].close(); server.close()
server = tcp(); twin = server.dup()
server.bind(('127.0.0.1', port)); server.listen()
print(twin.getsockname()[1] == port, reaches(twin))
";
    prints("", program, "True\nTrue True");
}

#[test]
fn a_second_server_is_told_that_the_port_is_in_use() {
    let program = "
def attempt(address='127.0.0.1', **options):
    try:
        listening(address, **options).close(); return 'bound'
    except OSError as error:
        return errno.errorcode[error.errno]
server = listening(SO_REUSEADDR=1)
print(attempt(SO_REUSEADDR=1), attempt('0.0.0.0', SO_REUSEADDR=1), attempt(SO_REUSEPORT=1))
try:
    server.bind(('127.0.0.1', port))
except OSError as error:
    print(errno.errorcode[error.errno])
server.close()
first, second = listening(SO_REUSEPORT=1), listening(SO_REUSEPORT=1)
print(first.getsockname() == second.getsockname(), attempt(SO_REUSEADDR=1))
";
    prints("", program, "EADDRINUSE EADDRINUSE EADDRINUSE\nEINVAL\nTrue EADDRINUSE");
}

/// Those that look for a free port bind several addresses one after the other, and close them again.
#[test]
fn programs_that_try_the_port_first_find_it_free() {
    if !ipv6_or_skip() {
        return;
    }
    let program = "
for address, family in [('0.0.0.0', socket.AF_INET), ('::1', socket.AF_INET6), ('127.0.0.1', socket.AF_INET)]:
    listening(address, family).close()
server = listening(); print(reaches(server))
";
    prints("", program, "True");
}

#[test]
fn a_server_that_goes_away_leaves_clients_refused_but_the_port_kept() {
    let program = "
server = listening(); print(reaches(server)); server.close()
deadline = time.monotonic() + 30
while time.monotonic() < deadline:
    try:
        socket.create_connection(('127.0.0.1', port)).close()
    except ConnectionRefusedError:
        print('refused'); break
server = listening(); print(reaches(server))
";
    prints("--ready-timeout 100ms", program, "True\nrefused\nTrue");
}

#[test]
fn udp_servers_get_their_port_too() {
    let program = "
def receives(address, family=socket.AF_INET):
    server = socket.socket(family, socket.SOCK_DGRAM); server.bind((address, port)); server.settimeout(10)
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', port))
    return server.recv(1) == b'x'
print(receives('127.0.0.1'), receives('0.0.0.0'), receives('127.0.0.1'))
";
    prints("--protocol udp", program, "True True True");
}

#[test]
fn the_same_port_of_another_network_is_another_port() {
    let sandbox = sandbox();
    if !sandbox.program("unshare").words("--net true").run().status.success() {
        skipped("NETNS", "`unshare --net` does not work here");
        return;
    }
    let ports = Ports::take(1);
    let inside = format!("ip link set lo up && exec {} serve 127.0.0.1:$PORT", sandbox.stand_in_path());
    let run = sandbox.portkeeper(format!("run --port {} -- unshare --net sh -c", ports.first())).arg(inside);
    let outcome = run.ok();
    assert_eq!(outcome.stdout, "ready 1\n");
    outcome.is_silent();
}
