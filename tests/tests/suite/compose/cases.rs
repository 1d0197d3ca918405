//! Base files as people write them.

use portkeeper_tests::{Ports, Sandbox};
use serde_json::{Value, json};

use crate::sandbox;

/// A base file, what the config says about it, and what Compose is to publish in the end.
pub(super) struct Case {
    pub(super) name: &'static str,
    base: &'static str,
    /// The config's `ports` without their ranges; the first gets the first port, and so on.
    ports: Value,
    /// Further fields of the output.
    options: Value,
    /// For each service its `ports`; `{0}` is the first reserved port.
    effective: Value,
}

pub(super) fn cases() -> Vec<Case> {
    let tcp = |keys: &[&str]| keys.iter().map(|key| json!({ "key": key })).collect::<Value>();
    vec![
        Case {
            name: "the short syntax",
            base: "services:\n  web:\n    image: nginx\n    ports:\n      - \"8080:80\"\n",
            ports: tcp(&["WEB"]),
            options: json!({ "services": { "web": { "WEB": 80 } } }),
            effective: json!({ "web": ["127.0.0.1:{0}:80"] }),
        },
        Case {
            name: "a number and an address",
            base: "services:\n  web:\n    image: nginx\n    ports: [80, \"127.0.0.1:8443:443\"]\n",
            ports: tcp(&["PLAIN", "TLS"]),
            options: json!({ "services": { "web": { "PLAIN": 80, "TLS": 443 } } }),
            effective: json!({ "web": ["127.0.0.1:{0}:80", "127.0.0.1:{1}:443"] }),
        },
        Case {
            name: "the long syntax",
            base: "services:\n  web:\n    image: nginx\n    ports:\n      - target: 80\n        published: \"8080\"\n        host_ip: 0.0.0.0\n        mode: host\n",
            ports: tcp(&["WEB"]),
            options: json!({ "services": { "web": { "WEB": 80 } } }),
            effective: json!({ "web": ["127.0.0.1:{0}:80"] }),
        },
        Case {
            name: "a range",
            base: "services:\n  web:\n    image: nginx\n    ports: [\"9090-9091:8080-8081\"]\n",
            ports: tcp(&["A", "B"]),
            options: json!({ "services": { "web": { "A": 8080, "B": 8081 } } }),
            effective: json!({ "web": ["127.0.0.1:{0}:8080", "127.0.0.1:{1}:8081"] }),
        },
        Case {
            name: "UDP beside TCP",
            base: "services:\n  dns:\n    image: coredns\n    ports: [\"53:53/udp\", \"53:53/tcp\"]\n",
            ports: json!([{ "key": "A", "protocol": "udp" }, { "key": "B" }]),
            options: json!({ "services": { "dns": { "A": 53, "B": 53 } } }),
            effective: json!({ "dns": ["127.0.0.1:{0}:53/udp", "127.0.0.1:{1}:53"] }),
        },
        Case {
            name: "other addresses",
            base: "services:\n  web:\n    image: nginx\n    ports: [\"[::1]:8080:80\", \"0.0.0.0:8443:443\"]\n",
            ports: json!([{ "key": "A", "host": "::1" }, { "key": "B", "host": "0.0.0.0" }]),
            options: json!({ "services": { "web": { "A": 80, "B": 443 } } }),
            effective: json!({ "web": ["[::1]:{0}:80", "0.0.0.0:{1}:443"] }),
        },
        Case {
            name: "several services, and one that is left alone",
            base: "services:\n  web:\n    image: nginx\n    ports: [\"80:80\"]\n  api:\n    image: app\n    ports: [\"${API:-81}:80\"]\n  db:\n    image: pg\n    ports: [\"5432:5432\"]\n",
            ports: tcp(&["WEB", "API"]),
            options: json!({ "services": { "web": { "WEB": 80 }, "api": { "API": 80 } } }),
            effective: json!({ "web": ["127.0.0.1:{0}:80"], "api": ["127.0.0.1:{1}:80"], "db": ["5432:5432"] }),
        },
        Case {
            name: "a service that publishes nothing yet",
            base: "services:\n  web:\n    image: nginx\n",
            ports: tcp(&["WEB"]),
            options: json!({ "services": { "web": { "WEB": 80 } } }),
            effective: json!({ "web": ["127.0.0.1:{0}:80"] }),
        },
        Case {
            name: "a port that may be lost",
            base: "services:\n  web:\n    image: nginx\n    ports: [\"80:80\", \"9000:9000\"]\n",
            ports: tcp(&["WEB"]),
            options: json!({ "services": { "web": { "WEB": 80 } }, "drop_unmapped": true }),
            effective: json!({ "web": ["127.0.0.1:{0}:80"] }),
        },
    ]
}

impl Case {
    /// A project with the base file, prepared.
    pub(super) fn prepare(&self, ports: &Ports) -> Sandbox {
        let sandbox = sandbox();
        sandbox.write("compose.yaml", self.base);
        let mut entries = self.ports.clone();
        for (entry, port) in entries.as_array_mut().unwrap().iter_mut().zip(ports.all()) {
            entry["range"] = json!([port, port]);
        }
        let mut output = self.options.clone();
        output["type"] = "docker-compose".into();
        sandbox.write("pk.config.json", json!({ "ports": entries, "outputs": [output] }).to_string());
        let outcome = sandbox.portkeeper("prepare").ok();
        assert_eq!(outcome.json()["outputs"][0]["path"], "compose.override.yaml", "{}", self.name);
        sandbox
    }

    /// The case's ports with numbers.
    pub(super) fn effective(&self, ports: &Ports) -> Value {
        let text = self.effective.to_string();
        let text = text.replace("{0}", &ports.at(0).to_string()).replace("{1}", &ports.at(1).to_string());
        serde_json::from_str(&text).unwrap()
    }
}
