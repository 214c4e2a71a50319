//! Real clients against the real binary: the official SDKs for Python and Node, Amazon's, the frameworks
//! above them, Claude Code, Codex, and a browser; in front of the simulated providers and of two
//! upstreams that nobody here wrote, a llama.cpp server and aimock. Each runs direct and through the
//! gateway; the results must be equal. And what the gateway wrote down of its calls is read by tools
//! that are not ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::claude_code::{Addresses, ClaudeCode};
use crate::codex::Codex;
use crate::process::Server;
use crate::steps::{self, command, need, root, target};

/// The environment of those who do not take the newest major version of OpenAI's SDK.
const OLDER: &str = "venv-older-openai";

/// The frameworks of Python: the environment that each runs in, and its name in its file's. Node's is
/// Vercel's AI SDK.
const FRAMEWORKS: &[(&str, &str)] = &[
    ("venv", "langchain"),
    ("venv", "litellm"),
    ("venv", "pydantic_ai"),
    ("venv", "openai_agents"),
    (OLDER, "instructor"),
    (OLDER, "llama_index"),
];

/// What the clients need, installed once under `target/`.
struct Clients {
    python: PathBuf,
    node: PathBuf,
    scrimp: PathBuf,
    folder: PathBuf,
}

/// An upstream, and the gateway in front of it.
struct Rig {
    name: &'static str,
    model: &'static str,
    upstream: Server,
    gateway: Server,
}

/// `cargo xtask test clients`
pub(crate) fn run() -> Result<()> {
    let clients = Clients::install()?;
    let mut failures = Vec::new();
    for start in [Clients::sim, Clients::llama, Clients::aimock] {
        let rig = start(&clients)?;
        failures.extend(clients.conformance(&rig));
    }
    failures.extend(clients.frameworks(&clients.aimock()?));
    for check in [
        Clients::bedrock,
        Clients::claude_code,
        Clients::codex,
        Clients::published_suite,
        Clients::segments,
    ] {
        failures.extend(check(&clients).err().map(|error| format!("{error:#}")));
    }
    match failures.is_empty() {
        true => Ok(()),
        false => bail!("{}", failures.join("; ")),
    }
}

/// `cargo xtask test browser`
pub(crate) fn browser() -> Result<()> {
    need("chromium", "chromium")?;
    steps::npm_ci("web")?;
    let web = |arguments: &[&str]| {
        let mut node = command("node", arguments);
        steps::run(node.current_dir(root().join("web")))
    };
    // Against canned answers it looks at what is built here, not at what a gateway has in it.
    web(&["build.mjs"])?;
    web(&["tests/browser.mjs"])?;
    let clients = Clients { python: PathBuf::new(), ..Clients::build()? };
    let rig = clients.sim()?;
    // A little traffic first, so that the screens have something to show.
    clients.play("support-chat", &rig)?;
    web(&["tests/browser.mjs", "--url", &format!("http://{}", rig.gateway.address)])
}

impl Clients {
    fn build() -> Result<Clients> {
        steps::run(&mut command("cargo", &["build", "--quiet", "-p", "scrimp"]))?;
        let folder = target().join("clients");
        std::fs::create_dir_all(&folder)?;
        let node = root().join("tests/clients/node");
        let scrimp = target().join("debug/scrimp");
        Ok(Clients { python: folder.join("venv/bin/python"), node, scrimp, folder })
    }

    fn install() -> Result<Clients> {
        let clients = Clients::build()?;
        clients.environment("venv", "requirements.txt")?;
        clients.environment(OLDER, "requirements-older-openai.txt")?;
        steps::npm_ci("tests/clients/node")?;
        Ok(clients)
    }

    /// A virtual environment with what a file names, made anew when the file has changed.
    fn environment(&self, name: &str, requirements: &str) -> Result<()> {
        let requirements = root().join("tests/clients/python").join(requirements);
        let wanted = std::fs::read_to_string(&requirements)?;
        let venv = self.folder.join(name);
        let stamp = venv.join("requirements.txt");
        if std::fs::read_to_string(&stamp).ok().as_ref() == Some(&wanted) {
            return Ok(());
        }
        steps::need_venv()?;
        steps::run(command("python3", &["-m", "venv", "--clear"]).arg(&venv))?;
        let python = venv.join("bin/python");
        let mut pip = command(python, &["-m", "pip", "install", "--quiet", "-r"]);
        steps::run(pip.arg(&requirements))?;
        Ok(std::fs::write(&stamp, &wanted)?)
    }

    fn sim(&self) -> Result<Rig> {
        self.rig("sim", "gpt-5.6-sol", self.simulated()?)
    }

    fn simulated(&self) -> Result<Server> {
        Server::start(command(&self.scrimp, &["sim", "--listen", "127.0.0.1:0", "--fast"]))
    }

    fn llama(&self) -> Result<Rig> {
        let mut llama = command(&self.python, &["tests/clients/python/llama.py"]);
        llama.arg(&self.folder);
        self.rig("llama", "tiny-random", Server::start(llama)?)
    }

    fn aimock(&self) -> Result<Rig> {
        self.rig("aimock", "gpt-4o", self.mocked()?)
    }

    fn mocked(&self) -> Result<Server> {
        let address = free_address()?;
        let (host, port) = address.split_once(':').expect("an address has a port");
        let mut aimock = command("node", &["node_modules/@copilotkit/aimock/dist/cli.js"]);
        aimock.args(["-h", host, "-p", port, "-f", "../aimock/fixtures.json"]);
        aimock.current_dir(&self.node);
        Server::start_at(aimock, &address)
    }

    fn rig(&self, name: &'static str, model: &'static str, upstream: Server) -> Result<Rig> {
        let data = self.folder.join(format!("store-{name}"));
        drop(std::fs::remove_dir_all(&data));
        let config = self.folder.join(format!("{name}.toml"));
        let base = &upstream.address;
        std::fs::write(
            &config,
            format!(
                "[providers.openai]\nbase_url = \"http://{base}\"\n\
                 [providers.anthropic]\nbase_url = \"http://{base}\"\n\
                 [providers.google]\nbase_url = \"http://{base}\"\n"
            ),
        )?;
        let mut serve = command(&self.scrimp, &["serve", "--listen", "127.0.0.1:0"]);
        serve.arg("--config").arg(&config).arg("--data").arg(&data);
        Ok(Rig { name, model, gateway: Server::start(serve)?, upstream })
    }

    /// Both SDKs over one upstream; what failed.
    fn conformance(&self, rig: &Rig) -> Vec<String> {
        let python = (self.python.as_path(), "tests/clients/python/conformance.py");
        let node = (Path::new("node"), "tests/clients/node/conformance.mjs");
        let run = |(program, script): (&Path, &str)| {
            let mut client = command(program, &[script, "--upstream", rig.name]);
            client.arg("--direct").arg(format!("http://{}", rig.upstream.address));
            client.arg("--through").arg(format!("http://{}", rig.gateway.address));
            steps::run(client.args(["--model", rig.model]))
        };
        [python, node]
            .into_iter()
            .filter_map(|client| run(client).err())
            .map(|e| e.to_string())
            .collect()
    }

    /// Amazon's SDK, which brings a gateway of its own: one provider passes, another is signed for.
    fn bedrock(&self) -> Result<()> {
        let upstream = self.mocked()?;
        let mut client = command(&self.python, &["tests/clients/python/bedrock.py"]);
        client.arg("--upstream").arg(format!("http://{}", upstream.address));
        client.arg("--scrimp").arg(&self.scrimp).arg("--folder").arg(&self.folder);
        steps::run(&mut client)
    }

    /// The frameworks that people call the SDKs by; what failed.
    fn frameworks(&self, rig: &Rig) -> Vec<String> {
        let python = |(venv, name): &(&str, &str)| {
            let script = format!("tests/clients/python/with_{name}.py");
            command(self.folder.join(venv).join("bin/python"), &["-B", &script])
        };
        let node = command("node", &["tests/clients/node/ai-sdk.mjs"]);
        let run = |mut client: Command| {
            client.arg("--direct").arg(format!("http://{}", rig.upstream.address));
            client.arg("--through").arg(format!("http://{}", rig.gateway.address));
            steps::run(&mut client)
        };
        let clients = FRAMEWORKS.iter().map(python).chain([node]);
        clients.filter_map(|client| run(client).err()).map(|e| e.to_string()).collect()
    }

    /// Claude Code, which runs each time against providers that have seen nothing yet.
    fn claude_code(&self) -> Result<()> {
        let claude = ClaudeCode::install(&self.node.join("node_modules"), &self.folder)?;
        let passed = claude.compare(|| {
            let (direct, rig) = (self.simulated()?, self.sim()?);
            let at = Addresses {
                direct: direct.address.clone(),
                behind: rig.upstream.address.clone(),
                gateway: rig.gateway.address.clone(),
            };
            Ok(((direct, rig), at))
        })?;
        eprintln!("claude-code: {passed} passed, 0 failed");
        Ok(())
    }

    /// Codex, and whether its sessions are sessions here.
    fn codex(&self) -> Result<()> {
        let codex = Codex::install(&self.node.join("node_modules"), &self.folder)?;
        let rig = self.aimock()?;
        let passed = codex.compare(&rig.upstream.address, &rig.gateway.address)?;
        eprintln!("codex: {passed} passed, 0 failed");
        Ok(())
    }

    /// The tests that openai-python is published with, in front of a mock that is made of a schema.
    fn published_suite(&self) -> Result<()> {
        let folder = self.folder.join("openai-python");
        let script = ["-B", "tests/clients/python/published_suite.py"];
        steps::run(command(&self.python, &script).arg("prepare").arg(&folder))?;
        let address = free_address()?;
        let (host, port) = address.split_once(':').expect("an address has a port");
        let mut mock = command("node_modules/.bin/steady", &["--host", host, "--port", port, "-q"]);
        let lists = ["query-array", "form-array", "query-object", "form-object"];
        mock.args(lists.map(|list| format!("--validator-{list}-format=brackets")));
        mock.arg(folder.join("openapi.yml")).current_dir(&self.node);
        let rig = self.rig("published-suite", "", Server::start_at(mock, &address)?)?;
        let mut compare = command(&self.python, &script);
        compare.arg("compare").arg(&folder).arg("--direct").arg(format!("http://{address}"));
        steps::run(compare.arg("--through").arg(format!("http://{}", rig.gateway.address)))
    }

    /// A segment of what the binary wrote, read by pyarrow and DuckDB: they must count what
    /// `scrimp analyze` counted before the calls were sealed into it.
    fn segments(&self) -> Result<()> {
        let rig = self.rig("segments", "", self.simulated()?)?;
        for workload in ["support-chat", "rag", "coding-agent", "batch-extraction"] {
            self.play(workload, &rig)?;
        }
        drop(rig);
        let data = self.folder.join("store-segments");
        let analyzed = self.folder.join("segments.json");
        let analyze = ["analyze", "--json", "--data"];
        std::fs::write(&analyzed, steps::output(command(&self.scrimp, &analyze).arg(&data))?)?;
        let seal = ["run", "--quiet", "-p", "scrimp-store", "--example", "seal", "--"];
        steps::run(command("cargo", &seal).arg(&data))?;
        let mut read = command(&self.python, &["crates/store/checks/read_with_pyarrow.py"]);
        steps::run(read.arg(&data).arg(&analyzed))
    }

    fn play(&self, workload: &str, rig: &Rig) -> Result<()> {
        let mut play = command(&self.scrimp, &["sim", "--play", workload, "--calls", "40"]);
        steps::run(play.arg("--against").arg(format!("http://{}", rig.gateway.address)))
    }
}

/// An address for a server that cannot be told to take any port and say which.
fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
