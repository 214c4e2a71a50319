//! The gateway against nginx as a plain reverse proxy, in front of the same upstream, in turns.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use super::client;
use crate::process::Server;
use crate::steps::{self, command, need, target};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

const ROUNDS: usize = 5;
const SECONDS: u64 = 4;
/// Loads, one after the other, after which memory is looked at.
const LOADS: usize = 8;
/// Streams that are open at once.
const STREAMS: usize = 1000;

/// The upstream, and the two servers in front of it.
struct Rig {
    upstream: Server,
    nginx: Server,
    scrimp: Server,
    folder: PathBuf,
}

/// The release binary, built now if needed.
pub(super) fn binary() -> Result<PathBuf> {
    steps::run(&mut command("cargo", &["build", "--release", "-q", "-p", "scrimp"]))?;
    Ok(target().join("release/scrimp"))
}

impl Rig {
    fn start() -> Result<Rig> {
        need("nginx", "nginx-light")?;
        need("wrk", "wrk")?;
        let folder = target().join("bench");
        std::fs::create_dir_all(&folder)?;
        let binary = binary()?;
        let upstream =
            Server::start(command(&binary, &["sim", "--bench", "--listen", "127.0.0.1:0"]))?;
        let nginx = start_nginx(&folder, &upstream.address)?;
        let scrimp = start_scrimp(&binary, &folder, &upstream.address)?;
        Ok(Rig { upstream, nginx, scrimp, folder })
    }
}

/// A gateway with an empty store.
fn start_scrimp(binary: &Path, folder: &Path, upstream: &str) -> Result<Server> {
    let (config, store) = (folder.join("scrimp.toml"), folder.join("store"));
    drop(std::fs::remove_dir_all(&store));
    std::fs::write(&config, scrimp_config(upstream))?;
    let mut serve = command(binary, &["serve", "--listen", "127.0.0.1:0"]);
    serve.arg("--config").arg(&config).arg("--data").arg(store);
    Server::start(serve)
}

fn scrimp_config(upstream: &str) -> String {
    format!(
        "[providers.openai]\nbase_url = \"http://{upstream}\"\n\
         [providers.anthropic]\nbase_url = \"http://{upstream}\"\n\
         [prompt_cache]\nstate = \"on\"\nstrategy = \"tail\"\nttl = \"short\"\n"
    )
}

fn start_nginx(folder: &Path, upstream: &str) -> Result<Server> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = format!("127.0.0.1:{port}");
    let text = format!(
        "worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; client_max_body_size 50m; client_body_buffer_size 1m;\n\
         client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n\
         fastcgi_temp_path {folder}/fcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
         keepalive_requests 1000000; tcp_nodelay on;\n\
         upstream u {{ server {upstream}; keepalive 128; keepalive_requests 1000000; }}\n\
         server {{ listen {address}; location / {{ proxy_pass http://u; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; proxy_buffering off; }} }} }}\n",
        folder = folder.display()
    );
    let config = folder.join("nginx.conf");
    std::fs::write(&config, text)?;
    let mut nginx = command("nginx", &["-p"]);
    nginx.arg(folder).arg("-c").arg(&config);
    Server::start_at(nginx, &address)
}

/// A chat request of about `bytes` bytes.
fn body(bytes: usize, stream: bool) -> String {
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(bytes / 45 + 1);
    let stream = if stream { ",\"stream\":true" } else { "" };
    format!(
        "{{\"model\":\"gpt-4o\"{stream},\"messages\":[{{\"role\":\"system\",\"content\":\"Be brief.\"}},\
         {{\"role\":\"user\",\"content\":\"{}\"}}]}}",
        &text[..bytes]
    )
}

/// Calls a second and processor microseconds for each, measured with wrk.
struct Load {
    per_second: f64,
    cpu_us: f64,
}

fn load(rig: &Rig, server: &Server, connections: usize) -> Result<Load> {
    let script = rig.folder.join("post.lua");
    let lua = format!(
        "wrk.method = \"POST\"\nwrk.path = \"/v1/chat/completions\"\nwrk.body = [==[{}]==]\n\
         wrk.headers[\"Content-Type\"] = \"application/json\"\n\
         wrk.headers[\"Authorization\"] = \"Bearer sk-bench\"\n",
        body(1000, false)
    );
    std::fs::write(&script, lua)?;
    let cpu = server.cpu_seconds();
    let mut wrk =
        command("wrk", &["-t1", &format!("-c{connections}"), &format!("-d{SECONDS}s"), "-s"]);
    let printed = steps::output(wrk.arg(&script).arg(format!("http://{}/", server.address)))?;
    let cpu = server.cpu_seconds() - cpu;
    if printed.contains("Non-2xx") || printed.contains("Socket errors") {
        bail!("errors under load:\n{printed}");
    }
    let number = |label: &str| -> Option<f64> {
        printed.lines().find(|l| l.contains(label))?.split_whitespace().find_map(|w| w.parse().ok())
    };
    let per_second = number("Requests/sec").context("wrk says how many requests a second")?;
    let calls = number("requests in").context("wrk says how many requests")?;
    Ok(Load { per_second, cpu_us: cpu * 1e6 / calls })
}

/// `cargo xtask bench gateway`
pub(super) fn calls(_: &[String]) -> Result<()> {
    let rig = Rig::start()?;
    println!("1 kB body, everything on; {ROUNDS} rounds of {SECONDS} s in turns; scrimp ÷ nginx");
    for connections in [16, 64] {
        let (mut throughput, mut cpu) = (Vec::new(), Vec::new());
        let (mut absolute, mut reference) = (Vec::new(), Vec::new());
        load(&rig, &rig.scrimp, connections)?;
        for _ in 0..ROUNDS {
            let nginx = load(&rig, &rig.nginx, connections)?;
            let scrimp = load(&rig, &rig.scrimp, connections)?;
            throughput.push(scrimp.per_second / nginx.per_second);
            cpu.push(scrimp.cpu_us / nginx.cpu_us);
            absolute.push(scrimp.cpu_us);
            reference.push(nginx.cpu_us);
        }
        println!("{connections:3} connections: throughput {}", spread(&mut throughput));
        println!("{connections:3} connections: processor time {}", spread(&mut cpu));
        println!("{connections:3} connections: µs a call, scrimp {}", spread(&mut absolute));
        println!("{connections:3} connections: µs a call, nginx  {}", spread(&mut reference));
    }
    Ok(())
}

/// `cargo xtask bench stream`
pub(super) fn streams(_: &[String]) -> Result<()> {
    let rig = Rig::start()?;
    let body = body(1000, true);
    println!("first byte of a stream; {ROUNDS} rounds in turns");
    println!("a model that takes 20 ms to begin; 100 streams a round");
    compare(&rig, CHAT, &["x-sim-wait-ms: 20"], &body, 100)?;
    println!("a model that takes no time at all; 400 streams a round");
    compare(&rig, CHAT, &[], &body, 400)
}

/// `cargo xtask bench prompt`
pub(super) fn long_prompts(_: &[String]) -> Result<()> {
    let rig = Rig::start()?;
    println!("400 kB prompts; {ROUNDS} rounds of 100 in turns; first byte");
    println!("to {CHAT}, which needs no mark:");
    compare(&rig, CHAT, &[], &body(400_000, false), 100)?;
    let marked =
        body(400_000, false).replace("\"gpt-4o\"", "\"claude-opus-4-5\",\"max_tokens\":64");
    let marked = marked.replace("\"system\"", "\"assistant\"");
    println!("to {MESSAGES}, where the rule sets a mark:");
    compare(&rig, MESSAGES, &[], &marked, 100)
}

fn compare(rig: &Rig, path: &str, headers: &[&str], body: &str, calls: usize) -> Result<()> {
    let (mut ratios, mut added) = (Vec::new(), Vec::new());
    let (mut nginx_ms, mut scrimp_ms) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        let direct = first_byte_ms(&rig.upstream, path, headers, body, calls)?;
        let nginx = first_byte_ms(&rig.nginx, path, headers, body, calls)?;
        let scrimp = first_byte_ms(&rig.scrimp, path, headers, body, calls)?;
        ratios.push(scrimp / nginx);
        added.push(scrimp - direct);
        nginx_ms.push(nginx);
        scrimp_ms.push(scrimp);
    }
    println!("p50 ms, nginx   {}", spread(&mut nginx_ms));
    println!("p50 ms, scrimp  {}", spread(&mut scrimp_ms));
    println!("scrimp ÷ nginx  {}", spread(&mut ratios));
    println!("scrimp − direct {} ms", spread(&mut added));
    Ok(())
}

/// The median time to the first byte over one connection.
fn first_byte_ms(
    server: &Server,
    path: &str,
    headers: &[&str],
    body: &str,
    calls: usize,
) -> Result<f64> {
    let request = client::request(&server.address, path, headers, body);
    let mut stream = client::connect(&server.address)?;
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        times.push(client::ask(&mut stream, &request)?.as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[calls / 2])
}

/// `cargo xtask bench memory`
pub(super) fn memory(_: &[String]) -> Result<()> {
    let rig = Rig::start()?;
    println!("idle: {:.1} MB resident", megabytes(&rig.scrimp));
    for round in 1..=LOADS {
        load(&rig, &rig.scrimp, 64)?;
        println!("after load {round}: {:.1} MB", megabytes(&rig.scrimp));
    }
    drop(rig);
    open_streams()
}

/// Streams of a simulated provider that falls silent in the middle.
fn open_streams() -> Result<()> {
    let (binary, folder) = (binary()?, target().join("bench"));
    let upstream = Server::start(command(&binary, &["sim", "--fast", "--listen", "127.0.0.1:0"]))?;
    let scrimp = start_scrimp(&binary, &folder, &upstream.address)?;
    let request =
        client::request(&scrimp.address, CHAT, &["x-sim-fault: stall"], &body(100_000, true));
    let before = scrimp.resident_kb();
    let mut open = Vec::with_capacity(STREAMS);
    for _ in 0..STREAMS {
        let mut stream = client::connect(&scrimp.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(&request)?;
        let mut part = [0; 4096];
        let read = stream.read(&mut part)?;
        if !part[..read].starts_with(b"HTTP/1.1 200") {
            bail!("no stream was opened: {}", String::from_utf8_lossy(&part[..read]));
        }
        open.push(stream);
    }
    for stream in &mut open {
        stream.set_nonblocking(true)?;
        // What has come until now is read; a stream that is over says so.
        while let Ok(read) = stream.read(&mut [0; 4096]) {
            if read == 0 {
                bail!("a stream ended that was to stay open");
            }
        }
    }
    let per_stream = scrimp.resident_kb().saturating_sub(before) as f64 / STREAMS as f64;
    println!("{STREAMS} open streams, each after a 100 kB prompt: {per_stream:.1} KiB each");
    Ok(())
}

/// How long each answer that the dashboard's screens are made of takes over a store that is there.
pub(super) fn screens(store: &Path) -> Result<()> {
    let mut serve = command(&binary()?, &["serve", "--listen", "127.0.0.1:0", "--data"]);
    serve.arg(store);
    let scrimp = Server::start(serve)?;
    let older = format!("{:x}{:016x}", fifteen_days_ago().as_nanos(), 0);
    let older = format!("/api/v1/calls?limit=100&before={older:0>32}");
    let id = newest_id(&client::get(&scrimp.address, &older)?.body)?;
    // These names are the example's, which filled the store.
    let rare = [
        "operation=draft-contract",
        "model=gemini-5-flash",
        "only=errors&model=deepseek-6-chat",
        "model=ernie-7",
    ];
    let latest = rare.map(|filter| format!("/api/v1/calls?limit=100&{filter}"));
    let pages = rare.map(|filter| format!("{older}&{filter}"));
    let single = format!("/api/v1/calls/{id}");
    let plain = [
        "/api/v1/summary?window=1h",
        "/api/v1/summary?window=24h",
        "/api/v1/summary?window=7d",
        "/api/v1/summary?window=30d",
        "/api/v1/operations?window=7d",
        "/api/v1/operations?window=30d",
        "/api/v1/errors?window=1h",
        "/api/v1/errors?window=7d",
        "/api/v1/errors?window=30d&model=deepseek-6-chat",
        "/api/v1/models?window=7d",
        "/api/v1/spend?by=model&days=366",
        "/api/v1/spend?by=key",
        "/api/v1/spend?by=team",
        "/api/v1/spend?by=session",
        "/api/v1/spend?by=session&days=366&limit=1000",
        "/api/v1/prices?search=opus",
        "/api/v1/calls?limit=100",
        "/api/v1/calls?limit=100&only=errors",
        "/api/v1/findings",
        "/api/v1/policies",
        "/api/v1/proofs",
        "/metrics",
    ];
    let paths = plain.map(str::to_owned).into_iter().chain(latest).chain([older]).chain(pages);
    for path in paths.chain([single]) {
        let times = (0..9).map(|_| Ok(client::get(&scrimp.address, &path)?.ms));
        let mut ms = times.collect::<Result<Vec<_>>>()?;
        println!("screen {path}: {} ms", spread(&mut ms));
    }
    Ok(())
}

/// Since 1970. Ids begin with the nanosecond of arrival.
fn fifteen_days_ago() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now.saturating_sub(Duration::from_hours(15 * 24))
}

/// The id of the first call of a list.
fn newest_id(list: &str) -> Result<String> {
    let list: serde_json::Value = serde_json::from_str(list)?;
    let id = list["calls"][0]["id"].as_str().context("there is no call of 15 days ago")?;
    Ok(id.to_owned())
}

fn megabytes(server: &Server) -> f64 {
    server.resident_kb() as f64 / 1024.0
}

/// Median and range.
fn spread(values: &mut [f64]) -> String {
    values.sort_by(f64::total_cmp);
    let mut text = String::new();
    let (low, high) = (values[0], values[values.len() - 1]);
    write!(text, "{:.3} ({low:.3}–{high:.3})", values[values.len() / 2])
        .expect("strings take text");
    text
}
