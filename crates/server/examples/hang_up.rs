//! How soon a provider sees that a client has left, on real sockets.
//!
//! `cargo run --release -p scrimp-server --example hang_up -- [HANG_UPS]` starts a gateway as the
//! program does and a provider that takes its time. Clients close their connections, first before the
//! answer's first byte, then in the middle of a stream. What is measured begins just before the
//! client closes and ends when the provider's own reading ends. That the call is settled besides is
//! what the tests look at.
#![expect(clippy::print_stdout, reason = "it is a program for people")]

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use scrimp_server::journal::Files;
use scrimp_server::{Gateway, Phase, Program, ServeError, serve};
use scrimp_store::{Options, Store};

/// As the program itself does.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const CALL: &str =
    r#"{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
const PIECE: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"some words \"}}]}\n\n";
/// What lies between two pieces of a stream.
const PACE: Duration = Duration::from_millis(10);
/// What does not come by then does not come.
const A_WHILE: Duration = Duration::from_secs(10);

/// When clients leave.
#[derive(Clone, Copy)]
enum Moment {
    BeforeTheFirstByte,
    InTheStream,
}

fn main() -> Result<(), Box<dyn Error>> {
    let hang_ups: u32 = std::env::args().nth(1).map_or(Ok(200), |number| number.parse())?;
    let folder = tempfile::tempdir()?;
    for (moment, name) in [
        (Moment::BeforeTheFirstByte, "before the first byte"),
        (Moment::InTheStream, "in the stream"),
    ] {
        let (address, seen) = provider(moment)?;
        let (gateway, running, ended) = gateway(folder.path(), address)?;
        let took = (0..hang_ups.max(1)).map(|n| hang_up(gateway, moment, &seen, n));
        let took = took.collect::<Result<Vec<_>, _>>()?;
        running.enter(Phase::Draining);
        ended.recv()??;
        println!("{}", told(took, name));
    }
    Ok(())
}

fn told(mut took: Vec<Duration>, moment: &str) -> String {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    let (middle, late, most) = (at(50), at(95), at(100));
    let times = took.len();
    format!(
        "{times} hang-ups {moment}: seen after {middle:.2} ms (median), {late:.2} ms (95 of 100), {most:.2} ms (most)"
    )
}

/// Sends a call, leaves, and returns how long the provider did not know.
fn hang_up(
    gateway: SocketAddr,
    moment: Moment,
    seen: &Seen,
    n: u32,
) -> Result<Duration, Box<dyn Error>> {
    let mut client = TcpStream::connect(gateway)?;
    client.set_read_timeout(Some(A_WHILE))?;
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {gateway}\r\n");
    let length = CALL.len();
    client.write_all(format!("{head}content-length: {length}\r\n\r\n{CALL}").as_bytes())?;
    seen.calls.recv_timeout(A_WHILE)?;
    if let Moment::InTheStream = moment {
        let mut answer = String::new();
        while !answer.contains("data: ") {
            let mut part = [0; 4096];
            match client.read(&mut part)? {
                0 => return Err(format!("the answer ended: {answer}").into()),
                read => answer += &String::from_utf8_lossy(&part[..read]),
            }
        }
    }
    // At all moments between two pieces.
    std::thread::sleep(PACE * (n % 10) / 10);
    let left = Instant::now();
    drop(client);
    Ok(seen.ends.recv_timeout(A_WHILE)?.duration_since(left))
}

/// What the provider sees: each call when it is whole, and when its client has left.
struct Seen {
    calls: Receiver<()>,
    ends: Receiver<Instant>,
}

fn provider(moment: Moment) -> io::Result<(SocketAddr, Seen)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let ((call, calls), (end, ends)) = (channel(), channel());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (call, end) = (call.clone(), end.clone());
            std::thread::spawn(move || answer(stream, moment, &call, &end));
        }
    });
    Ok((address, Seen { calls, ends }))
}

/// Takes one call and reads on until its client has left.
fn answer(
    mut stream: TcpStream,
    moment: Moment,
    call: &Sender<()>,
    end: &Sender<Instant>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    while !request.ends_with(CALL.as_bytes()) {
        match stream.read(&mut part)? {
            0 => return Ok(()),
            read => request.extend_from_slice(&part[..read]),
        }
    }
    if let Moment::InTheStream = moment {
        let writing = stream.try_clone()?;
        std::thread::spawn(move || keep_talking(writing));
    }
    // Nobody waits for it any more only where the benchmark is over.
    call.send(()).ok();
    // A connection that is reset has ended, too.
    while let Ok(1..) = stream.read(&mut part) {}
    end.send(Instant::now()).ok();
    Ok(())
}

fn keep_talking(mut stream: TcpStream) {
    let mut goes_on = stream.write_all(HEAD.as_bytes()).is_ok();
    while goes_on {
        goes_on = stream.write_all(PIECE.as_bytes()).is_ok();
        std::thread::sleep(PACE);
    }
}

/// Where it listens, the gateway itself, and how it ended, once it has.
type Started = (SocketAddr, Gateway, Receiver<Result<(), ServeError>>);

fn gateway(folder: &Path, provider: SocketAddr) -> Result<Started, Box<dyn Error>> {
    let config = folder.join("scrimp.toml");
    let text = format!("[providers.openai]\nbase_url = \"http://{provider}/v1\"\n");
    std::fs::write(&config, text)?;
    let data = folder.join("data");
    let store = Arc::new(Store::open(&data, Options::STANDARD)?);
    let ((open, opened), (end, ended)) = (channel(), channel());
    std::thread::spawn(move || {
        let served = serve(Program {
            files: Files { config: Some(config), data },
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            store,
            prices: scrimp_wire::prices::snapshot(),
            log: None,
            listening: Box::new(move |address, gateway| {
                open.send((address, gateway.clone())).ok();
            }),
        });
        end.send(served).ok();
    });
    let (address, running) = opened.recv_timeout(A_WHILE)?;
    Ok((address, running, ended))
}
