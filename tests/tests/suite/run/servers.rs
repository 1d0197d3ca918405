//! Programs as they are, each restarted under load: none of them knows portkeeper.

use std::io::{Read, Write};
use std::net::TcpStream;

use portkeeper_tests::{Loop, Ports, Sandbox, Server, ipv6_or_skip, program_or_skip};
use rustix::process::Signal;

use super::{EVERYWHERE, address, assert_never_won, assert_no_client_refused, restarting, rival};
use crate::sandbox;

const RESTARTS: usize = 3;

const HTTP: &str = "GET / HTTP/1.0\r\n\r\n";

const NODE: &str =
    "require('http').createServer((request, answer) => answer.end('hello')).listen(+process.env.PORT, ADDRESS)";

/// Starts the command again and again.
fn again(command: &str) -> String {
    format!("while :; do {command}; done")
}

/// Asks the server something.
#[track_caller]
fn answer(ports: &Ports, question: &str) -> String {
    let mut client = TcpStream::connect(address("127.0.0.1", ports)).expect("a server");
    client.write_all(question.as_bytes()).expect("a question");
    let mut answer = [0; 64];
    let length = client.read(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// A server that binds the very address that it is given: clients that may queue early wait while it starts, and starts again.
#[track_caller]
fn is_adopted(name: &str, sandbox: &Sandbox, script: &str, question: &str, expected: &str) {
    let ports = Ports::take(1);
    let server = Server::prepare(sandbox, &format!("--queue-early --port {}", ports.first()), script);
    let clients = Loop::of_clients(address("127.0.0.1", &ports));
    let rival = rival(&ports, &EVERYWHERE);
    server.go();
    server.restart(RESTARTS, Signal::TERM);
    assert_no_client_refused(name, clients);
    assert_never_won(name, rival);
    assert_eq!((&server.report()["method"], &server.report()["guarantee"]), (&"adopt".into(), &"exclusive".into()));
    let answer = answer(&ports, question);
    assert!(answer.starts_with(expected), "{name}: {answer}");
}

/// A server that binds more than the reservation has: it gets in, and no other process does.
#[track_caller]
fn gets_through_the_gate(name: &str, sandbox: &Sandbox, script: &str, question: &str, expected: &str) {
    let ports = Ports::take(1);
    let server = Server::prepare(sandbox, &format!("--port {}", ports.first()), script);
    let clients = Loop::of_clients(address("127.0.0.1", &ports));
    let rival = rival(&ports, &EVERYWHERE);
    server.go();
    server.restart(RESTARTS, Signal::TERM);
    assert!(clients.stop().successes > 0);
    assert_never_won(name, rival);
    assert_eq!((&server.report()["method"], &server.report()["guarantee"]), (&"gated".into(), &"gated".into()));
    let answer = answer(&ports, question);
    assert!(answer.starts_with(expected), "{name}: {answer}");
}

#[test]
fn python() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let sandbox = sandbox();
    let told = again("python3 -m http.server --bind 127.0.0.1 $PORT");
    is_adopted("python http.server", &sandbox, &told, HTTP, "HTTP/1.0 200 OK");
    let all = again("python3 -m http.server $PORT");
    gets_through_the_gate("python http.server on all addresses", &sandbox, &all, HTTP, "HTTP/1.0 200 OK");
}

#[test]
fn python_asyncio() {
    if !ipv6_or_skip() {
        return;
    }
    if program_or_skip("python3").is_none() {
        return;
    }
    let sandbox = sandbox();
    let program = "
import asyncio, os
async def answer(reader, writer):
    writer.write(b'hello')
    writer.close()
async def main():
    # Both loopback addresses, one after the other.
    server = await asyncio.start_server(answer, ['127.0.0.1', '::1'], int(os.environ['PORT']))
    await server.serve_forever()
asyncio.run(main())
";
    sandbox.write("server.py", program);
    is_adopted("python asyncio", &sandbox, &again("python3 server.py"), "", "hello");
}

#[test]
fn node() {
    if program_or_skip("node").is_none() {
        return;
    }
    let sandbox = sandbox();
    sandbox.write("told.js", NODE.replace("ADDRESS", "process.env.HOST"));
    is_adopted("node", &sandbox, &again("node told.js"), HTTP, "HTTP/1.1 200 OK");
    // Its default is both families on one socket.
    sandbox.write("all.js", NODE.replace(", ADDRESS", ""));
    gets_through_the_gate("node on all addresses", &sandbox, &again("node all.js"), HTTP, "HTTP/1.1 200 OK");
}

#[test]
fn node_cluster() {
    if program_or_skip("node").is_none() {
        return;
    }
    let sandbox = sandbox();
    let program = NODE.replace("ADDRESS", "'127.0.0.1'");
    let cluster = "const cluster = require('cluster'); if (cluster.isPrimary) { cluster.fork(); cluster.fork(); \
                   process.on('SIGTERM', () => { for (const id in cluster.workers) cluster.workers[id].kill(); process.exit(0); }); } else";
    sandbox.write("cluster.js", format!("{cluster} {program}"));
    is_adopted("node cluster", &sandbox, &again("node cluster.js"), HTTP, "HTTP/1.1 200 OK");
}

#[test]
fn rust() {
    let sandbox = sandbox();
    is_adopted("rust", &sandbox, &restarting(&sandbox, "127.0.0.1"), "", "");
}

#[test]
fn java() {
    if !ipv6_or_skip() {
        return;
    }
    if program_or_skip("java").is_none() || program_or_skip("javac").is_none() {
        return;
    }
    let sandbox = sandbox();
    let program = "
import java.io.*; import java.net.*;
public class Serve {
    public static void main(String[] arguments) throws IOException {
        var server = new ServerSocket(Integer.parseInt(System.getenv(\"PORT\")), 50, InetAddress.getByName(\"127.0.0.1\"));
        while (true) try (var client = server.accept()) { client.getOutputStream().write(\"hello\".getBytes()); }
    }
}
";
    sandbox.write("Serve.java", program);
    let _ = sandbox.program("javac").words("Serve.java").ok();
    // Its IPv4 addresses are those of IPv6 sockets.
    gets_through_the_gate("java", &sandbox, &again("java -cp . Serve"), "", "hello");
}

#[test]
fn nginx() {
    if program_or_skip("nginx").is_none() {
        return;
    }
    let sandbox = sandbox();
    let config = |address: &str| {
        format!(
            "daemon off; worker_processes 2; pid nginx.pid; error_log stderr;\n\
             events {{}}\n\
             http {{\n access_log off;\n client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n \
             uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n server {{ listen {address}; return 200 hello; }}\n}}\n"
        )
    };
    let script = |address: &str| {
        let template = sandbox.write("nginx.template", config(address));
        let fill = format!("sed s/THE_PORT/$PORT/g {} >nginx.conf", template.display());
        format!("{fill}; {}", again("nginx -p . -c nginx.conf"))
    };
    is_adopted("nginx", &sandbox, &script("127.0.0.1:THE_PORT"), HTTP, "HTTP/1.1 200 OK");
    let every_address = script("THE_PORT; listen [::]:THE_PORT");
    gets_through_the_gate("nginx on all addresses", &sandbox, &every_address, HTTP, "HTTP/1.1 200 OK");
}

#[test]
fn redis() {
    if program_or_skip("redis-server").is_none() {
        return;
    }
    let sandbox = sandbox();
    let command = "redis-server --port $PORT --save ''";
    is_adopted("redis", &sandbox, &again(&format!("{command} --bind 127.0.0.1")), "PING\r\n", "+PONG");
    gets_through_the_gate(
        "redis on all addresses",
        &sandbox,
        &again(&format!("{command} --protected-mode no")),
        "PING\r\n",
        "+PONG",
    );
}
