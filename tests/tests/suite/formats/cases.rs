//! Files as projects have them. `PORT!` in what is expected stands for the port.

/// An output, the files before it, and its file after.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) output: &'static str,
    pub(super) files: &'static [(&'static str, &'static str)],
    pub(super) path: &'static str,
    pub(super) expected: &'static str,
}

pub(super) const CASES: &[Case] = &[
    Case {
        name: "a pyproject.toml with a tool's settings",
        output: r#"{"type": "toml", "path": "pyproject.toml", "map": {"tool.shop": {"port": "${SERVICE_PORT}", "url": "http://localhost:${SERVICE_PORT}"}}}"#,
        files: &[(
            "pyproject.toml",
            "[project]\nname = \"shop\"\ndependencies = [\n    \"django>=5\", # LTS\n]\n\n[tool.shop]\nport = 8000     # development\n\n[tool.ruff]\nline-length = 120\n",
        )],
        path: "pyproject.toml",
        expected: "[project]\nname = \"shop\"\ndependencies = [\n    \"django>=5\", # LTS\n]\n\n[tool.shop]\nport = PORT!     # development\nurl = \"http://localhost:PORT!\"\n\n[tool.ruff]\nline-length = 120\n",
    },
    Case {
        name: "cargo's config, for tests that read the environment",
        output: r#"{"type": "toml", "path": ".cargo/config.toml", "map": {"env": {"API_PORT": "${SERVICE_PORT}", "API_URL.value": "http://127.0.0.1:${SERVICE_PORT}"}}}"#,
        files: &[(
            ".cargo/config.toml",
            "[alias]\nxtask = \"run -p xtask --\"\n\n[env]\nAPI_PORT = '1'\nAPI_URL = { value = \"\", force = true }\n\n[[patch.x]]\n",
        )],
        path: ".cargo/config.toml",
        expected: "[alias]\nxtask = \"run -p xtask --\"\n\n[env]\nAPI_PORT = 'PORT!'\nAPI_URL = { value = \"http://127.0.0.1:PORT!\", force = true }\n\n[[patch.x]]\n",
    },
    Case {
        name: "a chart's values",
        output: r#"{"type": "yaml", "path": "chart/values.yaml", "map": {"service.nodePort": "${SERVICE_PORT}", "ingress.url": "http://localhost:${SERVICE_PORT}"}}"#,
        files: &[(
            "chart/values.yaml",
            "# Default values.\nservice:\n  type: NodePort\n  nodePort: 30000  # of the node\n\n# outside\ningress: {}\n\nresources: &small\n  cpu: 100m\nworker: *small\n",
        )],
        path: "chart/values.yaml",
        expected: "# Default values.\nservice:\n  type: NodePort\n  nodePort: PORT!  # of the node\n\n# outside\ningress: { url: http://localhost:PORT! }\n\nresources: &small\n  cpu: 100m\nworker: *small\n",
    },
    Case {
        name: "a workflow's environment",
        output: r#"{"type": "yaml", "path": ".github/workflows/test.yml", "map": {"jobs": {"e2e": {"env": {"BASE_URL": "http://localhost:${SERVICE_PORT}", "PORT": "${SERVICE_PORT}"}}}}}"#,
        files: &[(
            ".github/workflows/test.yml",
            "on: [push]\njobs:\n  e2e:\n    runs-on: ubuntu-24.04\n    env:\n      BASE_URL: 'http://localhost:3000'\n    steps:\n      - run: |\n          npm start\n",
        )],
        path: ".github/workflows/test.yml",
        expected: "on: [push]\njobs:\n  e2e:\n    runs-on: ubuntu-24.04\n    env:\n      BASE_URL: 'http://localhost:PORT!'\n      PORT: \"PORT!\"\n    steps:\n      - run: |\n          npm start\n",
    },
    Case {
        name: "a Spring service's application.yml, from Windows",
        output: r#"{"type": "yml", "path": "src/main/resources/application.yml", "map": {"server.port": "${SERVICE_PORT}"}, "numbers": true}"#,
        files: &[(
            "src/main/resources/application.yml",
            "---\r\nspring:\r\n    application:\r\n        name: shop\r\nserver:\r\n    ssl:\r\n        enabled: false",
        )],
        path: "src/main/resources/application.yml",
        expected: "---\r\nspring:\r\n    application:\r\n        name: shop\r\nserver:\r\n    ssl:\r\n        enabled: false\r\n    port: PORT!",
    },
    Case {
        name: "an API's servers, by index",
        output: r#"{"type": "yaml", "path": "openapi.yaml", "map": {"servers.0.url": "http://localhost:${SERVICE_PORT}", "servers[1].variables.port.default": "${SERVICE_PORT}"}}"#,
        files: &[(
            "openapi.yaml",
            "openapi: 3.1.0\nservers:\n  - url: http://localhost:1 # mine\n    description: dev\n  - url: 'http://{host}:{port}'\n    variables:\n      port: {default: '80'}\npaths: {}\n",
        )],
        path: "openapi.yaml",
        expected: "openapi: 3.1.0\nservers:\n  - url: http://localhost:PORT! # mine\n    description: dev\n  - url: 'http://{host}:{port}'\n    variables:\n      port: {default: 'PORT!'}\npaths: {}\n",
    },
    Case {
        name: "an API's servers, as a list of which one key is known",
        output: r#"{"type": "yaml", "path": "t.yaml", "map": {"servers": [{"url": "http://localhost:${SERVICE_PORT}", "description": "dev"}]}}"#,
        files: &[("t.yaml", "servers:\n  - url: http://localhost:1\n    description: dev\n    x-mine: 1 # stays\n")],
        path: "t.yaml",
        expected: "servers:\n  - url: http://localhost:PORT!\n    description: dev\n    x-mine: 1 # stays\n",
    },
    Case {
        name: "Kubernetes' manifests in one file",
        output: r#"{"type": "yaml", "path": "k8s.yaml", "map": {"[kind=Service,metadata.name=web].spec.ports[0].port": "${SERVICE_PORT}", "[kind=Service,metadata.name=web].spec.ports[name=extra].port": "${SERVICE_PORT}", "[2].data.URL": "http://web:${SERVICE_PORT}"}}"#,
        files: &[(
            "k8s.yaml",
            "kind: Deployment\nmetadata: {name: web}\n---\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n  - port: 80 # http\n  - name: extra\n    port: 81\n---\n# of both\nkind: ConfigMap\ndata:\n  MODE: dev\n---\n",
        )],
        path: "k8s.yaml",
        expected: "kind: Deployment\nmetadata: {name: web}\n---\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n  - port: PORT! # http\n  - name: extra\n    port: PORT!\n---\n# of both\nkind: ConfigMap\ndata:\n  MODE: dev\n  URL: http://web:PORT!\n---\n",
    },
    Case {
        name: "Prometheus' targets, and new lists of numbers",
        output: r#"{"type": "yaml", "path": "prometheus.yml", "numbers": true, "map": {"scrape_configs[job_name=web].static_configs[0].targets": ["localhost:${SERVICE_PORT}", "localhost:9100"], "ports": ["${SERVICE_PORT}", "x"]}}"#,
        files: &[(
            "prometheus.yml",
            "scrape_configs:\n- job_name: node\n- job_name: web\n  static_configs:\n  - targets:\n    - 'localhost:1' # web\n",
        )],
        path: "prometheus.yml",
        expected: "scrape_configs:\n- job_name: node\n- job_name: web\n  static_configs:\n  - targets:\n    - 'localhost:PORT!' # web\n    - 'localhost:9100'\nports: [PORT!, x]\n",
    },
    Case {
        name: "YAML as Prettier and other tools write it",
        output: r#"{"type": "yaml", "path": "t.yaml", "map": {"a.port": "${SERVICE_PORT}", "services.web.build.args.PORT": "${SERVICE_PORT}", "port": "${SERVICE_PORT}"}}"#,
        files: &[(
            "t.yaml",
            "a:\n  command: [\n    \"x\",\n    \"y\"\n  ]\n  port:\t1\nservices:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM nginx\n    init: true\nd: 'a\n\n'\nport: 2\n",
        )],
        path: "t.yaml",
        expected: "a:\n  command: [\n    \"x\",\n    \"y\"\n  ]\n  port:\tPORT!\nservices:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM nginx\n      args:\n        PORT: \"PORT!\"\n    init: true\nd: 'a\n\n'\nport: PORT!\n",
    },
    Case {
        name: "direnv's .envrc",
        output: r#"{"type": "shell", "map": {"PORT": "${SERVICE_PORT}", "BASE_URL": "http://localhost:${SERVICE_PORT}/?a=1&b=$$2"}}"#,
        files: &[(".envrc", "use flake\nPATH_add bin\nsource_env_if_exists .envrc.local\n")],
        path: ".envrc",
        expected: "use flake\nPATH_add bin\nsource_env_if_exists .envrc.local\n# portkeeper:begin written by portkeeper; what you change in here is lost\nexport PORT=PORT!\nexport BASE_URL='http://localhost:PORT!/?a=1&b=$2'\n# portkeeper:end\n",
    },
    Case {
        name: "a PowerShell profile",
        output: r#"{"type": "shell", "path": "dev.ps1", "map": {"PORT": "${SERVICE_PORT}"}}"#,
        files: &[("dev.ps1", "param([string]$Mode)\r\n# portkeeper:begin\r\n# portkeeper:end\r\nnpm run $Mode\r\n")],
        path: "dev.ps1",
        expected: "param([string]$Mode)\r\n# portkeeper:begin written by portkeeper; what you change in here is lost\r\n$env:PORT = 'PORT!'\r\n# portkeeper:end\r\nnpm run $Mode\r\n",
    },
    Case {
        name: "nginx by a template",
        output: r#"{"type": "template", "path": "nginx.conf", "inputs": ["nginx.conf.j2"], "map": {"port": "${SERVICE_PORT}", "paths": ["api", "auth"], "tls": false}}"#,
        files: &[(
            "nginx.conf.j2",
            "# portkeeper:generated from nginx.conf.j2\nserver {\n{% for path in paths %}\n  location /{{ path }}/ { proxy_pass http://127.0.0.1:{{ port }}/{{ path }}/; }\n{% endfor %}\n  {% if tls %}\n  listen 443 ssl;\n  {% else %}\n  listen {{ listen | default(8080) }};\n  {% endif %}\n}\n",
        )],
        path: "nginx.conf",
        expected: "# portkeeper:generated from nginx.conf.j2\nserver {\n  location /api/ { proxy_pass http://127.0.0.1:PORT!/api/; }\n  location /auth/ { proxy_pass http://127.0.0.1:PORT!/auth/; }\n  listen 8080;\n}\n",
    },
    Case {
        name: "a settings file of Vite by a template",
        output: r#"{"type": "template", "path": "ports.ts", "inputs": ["ports.ts.j2"], "overwrite": true}"#,
        files: &[
            (
                "ports.ts.j2",
                "export const ports = {\n{% for r in reservations %}\n  {{ r.name | lower }}: {{ r.port }},\n{% endfor %}\n} as const;\n",
            ),
            ("ports.ts", "export const ports = {} as const;\n"),
        ],
        path: "ports.ts",
        expected: "export const ports = {\n  service_port: PORT!,\n} as const;\n",
    },
    Case {
        name: "a Spring service's application.properties",
        output: r#"{"type": "properties", "path": "src/main/resources/application.properties", "map": {"server": {"port": "${SERVICE_PORT}"}, "shop.url": "http://localhost:${SERVICE_PORT}/ü"}}"#,
        files: &[(
            "src/main/resources/application.properties",
            "# the server\nserver.port = 8080\n\nspring.application.name: shop\nbanner = one \\\n    two\n",
        )],
        path: "src/main/resources/application.properties",
        expected: "# the server\nserver.port = PORT!\n\nspring.application.name: shop\nbanner = one \\\n    two\nshop.url = http://localhost:PORT!/\\u00FC\n",
    },
    Case {
        name: "a drop-in of a systemd unit",
        output: r#"{"type": "ini", "path": "shop.service.d/ports.conf", "map": {"Service.Environment": ["PORT=${SERVICE_PORT}", "HOST=127.0.0.1"]}}"#,
        files: &[(
            "shop.service.d/ports.conf",
            "[Unit]\nAfter=network.target\n\n[Service]\n# begin anew\nEnvironment=\nEnvironment=PORT=8080\n",
        )],
        path: "shop.service.d/ports.conf",
        expected: "[Unit]\nAfter=network.target\n\n[Service]\n# begin anew\nEnvironment=\nEnvironment=PORT=PORT!\nEnvironment=HOST=127.0.0.1\n",
    },
    Case {
        name: "a php.ini",
        output: r#"{"type": "ini", "path": "php.ini", "map": {"Session": {"session.save_path": "tcp://127.0.0.1:${SERVICE_PORT}"}, "xdebug": {"xdebug.client_port": "${SERVICE_PORT}"}}}"#,
        files: &[(
            "php.ini",
            "[PHP]\nengine = On\n; where\n[Session]\nsession.save_path = \"tcp://127.0.0.1:6379\" ; redis\n",
        )],
        path: "php.ini",
        expected: "[PHP]\nengine = On\n; where\n[Session]\nsession.save_path = \"tcp://127.0.0.1:PORT!\" ; redis\n\n[xdebug]\nxdebug.client_port = PORT!\n",
    },
    Case {
        name: "VS Code's settings, with comments",
        output: r#"{"type": "json", "path": ".vscode/settings.json", "map": {"liveServer\\.settings\\.port": "${SERVICE_PORT}"}}"#,
        files: &[(
            ".vscode/settings.json",
            "{\n\t// the team's\n\t\"editor.formatOnSave\": true,\n\t\"liveServer.settings.port\": 5500, // mine\n}\n",
        )],
        path: ".vscode/settings.json",
        expected: "{\n\t// the team's\n\t\"editor.formatOnSave\": true,\n\t\"liveServer.settings.port\": PORT!, // mine\n}\n",
    },
    Case {
        name: "lists of JSON, item by item",
        output: r#"{"type": "json", "path": "t.json", "numbers": true, "map": {"ports": ["${SERVICE_PORT}", "2"], "mixed": ["${SERVICE_PORT}", "true", {"a": "1"}], "new": ["${SERVICE_PORT}"]}}"#,
        files: &[(
            "t.json",
            "{\n  \"ports\": [\n    1, // one\n    2 // two\n  ],\n  \"mixed\": [1, true, {\"a\": 1}]\n}\n",
        )],
        path: "t.json",
        expected: "{\n  \"ports\": [\n    PORT!, // one\n    2 // two\n  ],\n  \"mixed\": [PORT!, true, {\"a\": 1}],\n  \"new\": [\n    PORT!\n  ]\n}\n",
    },
    Case {
        name: "lists of TOML, item by item",
        output: r#"{"type": "toml", "path": "t.toml", "numbers": true, "map": {"ports": ["${SERVICE_PORT}", "2"], "flags": ["true", "true"], "new": ["${SERVICE_PORT}"]}}"#,
        files: &[("t.toml", "ports = [\n  1, # one\n  2, # two\n]\nflags = [true, false]\n")],
        path: "t.toml",
        expected: "ports = [\n  PORT!, # one\n  2, # two\n]\nflags = [true, true]\nnew = [PORT!]\n",
    },
    Case {
        name: "VS Code's launch configurations, by name",
        output: r#"{"type": "json", "path": ".vscode/launch.json", "map": {"configurations[name=Launch].port": "${SERVICE_PORT}"}}"#,
        files: &[(
            ".vscode/launch.json",
            "{\n  // see the docs\n  \"configurations\": [\n    { \"name\": \"Attach\", \"port\": 1 },\n    { \"name\": \"Launch\", \"port\": 9229 }, // mine\n  ]\n}\n",
        )],
        path: ".vscode/launch.json",
        expected: "{\n  // see the docs\n  \"configurations\": [\n    { \"name\": \"Attach\", \"port\": 1 },\n    { \"name\": \"Launch\", \"port\": PORT! }, // mine\n  ]\n}\n",
    },
    Case {
        name: "a server of several tables, by index and by name",
        output: r#"{"type": "toml", "path": "proxy.toml", "map": {"servers.0.url": "http://localhost:${SERVICE_PORT}", "servers[name=api].port": "${SERVICE_PORT}", "servers[name=api].tls.port": "1"}}"#,
        files: &[(
            "proxy.toml",
            "[[servers]]\nname = \"web\"\nurl = \"http://localhost:1\" # dev\n\n[[servers]]\nname = \"api\"\nport = 2\n\n[log]\n",
        )],
        path: "proxy.toml",
        expected: "[[servers]]\nname = \"web\"\nurl = \"http://localhost:PORT!\" # dev\n\n[[servers]]\nname = \"api\"\nport = PORT!\ntls.port = \"1\"\n\n[log]\n",
    },
    Case {
        name: "a list of mappings of YAML",
        output: r#"{"type": "yaml", "path": "t.yaml", "map": {"servers": [{"url": "http://localhost:${SERVICE_PORT}", "description": "dev"}]}}"#,
        files: &[("t.yaml", "servers:\n  - url: http://localhost:1\n    description: dev\n")],
        path: "t.yaml",
        expected: "servers:\n  - url: http://localhost:PORT!\n    description: dev\n",
    },
    Case {
        name: "a variable with a tab before its comment",
        output: r#"{"type": "env", "map": {"PORT": "${SERVICE_PORT}", "OTHER": "${SERVICE_PORT}"}}"#,
        files: &[(".env", "PORT=1\t# the port\nOTHER=\t# none yet\n")],
        path: ".env",
        expected: "PORT=\"PORT!\"\t# the port\nOTHER=\"PORT!\"\t# none yet\n",
    },
];
