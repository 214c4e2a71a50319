//! A gateway between scripted clients and scripted providers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use scrimp_core::policy::hedge::Hedge;
use scrimp_core::{Policies, Record, Span, Time};
use scrimp_store::{Options, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, sleep, timeout};

use crate::journal::Files;
use crate::{Clock, Config, Connector, Gateway, Running, Setup};

/// What a provider does with one request after it has read it.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Wait(u64),
    Send(Vec<u8>),
    /// Closes the connection.
    Close,
}

/// What a provider saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Which connection it came over, counted from 0.
    pub(crate) connection: usize,
    pub(crate) request: Vec<u8>,
    /// When the gateway closed the connection under it, in milliseconds.
    pub(crate) closed_ms: Option<u128>,
}

pub(crate) struct Rig {
    pub(crate) gateway: Gateway,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    records: Receiver<Arc<Record>>,
    began: Instant,
    directory: tempfile::TempDir,
}

pub(crate) fn send(bytes: impl Into<Vec<u8>>) -> Act {
    Act::Send(bytes.into())
}

/// A whole answer, its length said.
pub(crate) fn answer(status: &str, body: &str) -> Act {
    let length = body.len();
    send(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}

/// The head of a stream and its pieces, each sent by itself.
pub(crate) fn stream(pieces: &[&str]) -> Vec<Act> {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = |piece: &&str| send(format!("{:x}\r\n{piece}\r\n", piece.len()));
    let mut acts = vec![send(head)];
    for piece in pieces {
        acts.extend([Act::Wait(10), chunk(piece)]);
    }
    acts
}

/// The end of a chunked body.
pub(crate) fn last_chunk() -> Act {
    send("0\r\n\r\n")
}

impl Rig {
    /// `config` is a file's text; the n-th request gets the n-th script.
    pub(crate) fn new(config: &str, scripts: Vec<Vec<Act>>) -> Rig {
        let began = Instant::now();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (scripts, log) = (Arc::new(scripts), seen.clone());
        let connections = Mutex::new(0);
        let connector = Connector::Memory(Arc::new(move |_| {
            let (near, far) = duplex(64 << 10);
            let mut connections = connections.lock().unwrap();
            tokio::spawn(provide(far, *connections, scripts.clone(), log.clone(), began));
            *connections += 1;
            Ok(near)
        }));
        Rig::with(config, connector, seen, began)
    }

    /// How many connections to providers are kept, after what is done once a second.
    pub(crate) fn kept_after_a_sweep(&self) -> usize {
        self.gateway.pool().sweep(&self.gateway.running().config);
        self.gateway.pool().idle_lines()
    }

    /// Changes the configuration's file.
    pub(crate) fn rewrite(&self, text: &str) {
        std::fs::write(self.directory.path().join("scrimp.toml"), text).unwrap();
    }

    /// Overwrites the store's database while it is open.
    pub(crate) fn damage_database(&self) {
        for file in ["scrimp.db", "scrimp.db-wal"] {
            let path = self.directory.path().join(file);
            let length = std::fs::metadata(&path).unwrap().len();
            std::fs::write(&path, vec![0xa5; usize::try_from(length).unwrap()]).unwrap();
        }
    }

    /// A gateway in front of anything.
    pub(crate) fn with(
        config: &str,
        connector: Connector,
        seen: Arc<Mutex<Vec<Seen>>>,
        began: Instant,
    ) -> Rig {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("scrimp.toml");
        std::fs::write(&file, config).unwrap();
        let config = Config::parse("scrimp.toml", config, None, &|_| None).unwrap();
        let store = Store::open(directory.path(), Options::STANDARD).unwrap();
        let gateway = Gateway::new(Setup {
            config,
            files: Some(Files { config: Some(file), data: directory.path().to_owned() }),
            prices: scrimp_wire::prices::snapshot(),
            store: Arc::new(store),
            clock: Clock::starting_at(Time::from_secs(1_790_000_000)),
            connector,
            log: None,
            seed: 1,
        });
        let records = gateway.shared().live.subscribe();
        Rig { gateway, seen, records, began, directory }
    }

    /// Sends a second request when the first is slow.
    pub(crate) fn hedge_after_ms(self, ms: i64) -> Rig {
        let running = self.gateway.running();
        let hedge = Some(Hedge { after: Span::from_millis(ms) });
        let policies = Arc::new(Policies { hedge, ..Policies::clone(&running.policies) });
        let (config, keys) = (running.config.clone(), running.keys.clone());
        let running = Running { config, policies, keys };
        self.gateway.shared().running.store(Arc::new(running));
        self
    }

    /// A client's connection.
    pub(crate) fn connect(&self) -> DuplexStream {
        let (near, far) = duplex(64 << 10);
        let gateway = self.gateway.clone();
        tokio::spawn(async move { gateway.serve(far).await });
        near
    }

    /// Sends `request`, reads to the end.
    pub(crate) async fn call(&self, request: &[u8]) -> Vec<u8> {
        let mut client = self.connect();
        client.write_all(request).await.unwrap();
        read_all(&mut client).await
    }

    /// Sends `request`, hangs up after so long.
    pub(crate) async fn call_for_ms(&self, request: &[u8], ms: u64) -> Vec<u8> {
        let mut client = self.connect();
        client.write_all(request).await.unwrap();
        let mut got = Vec::new();
        timeout(Duration::from_millis(ms), client.read_to_end(&mut got)).await.ok();
        got
    }

    /// Every record so far, after everything that is under way has ended.
    pub(crate) async fn records(&mut self) -> Vec<Record> {
        self.gateway.idle().await;
        let mut records = Vec::new();
        while let Ok(record) = self.records.try_recv() {
            records.push(Record::clone(&record));
        }
        records
    }

    /// The only record.
    pub(crate) async fn record(&mut self) -> Record {
        let mut records = self.records().await;
        assert_eq!(records.len(), 1, "{records:?}");
        records.remove(0)
    }

    pub(crate) fn now_ms(&self) -> u128 {
        self.began.elapsed().as_millis()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What the provider saw of the n-th request.
    pub(crate) fn request(&self, n: usize) -> String {
        String::from_utf8(self.seen()[n].request.clone()).unwrap()
    }
}

/// To the end, or to where the connection breaks.
pub(crate) async fn read_all(client: &mut DuplexStream) -> Vec<u8> {
    let mut got = Vec::new();
    client.read_to_end(&mut got).await.ok();
    got
}

/// A call of the `OpenAI` dialect on a connection that is closed after it.
pub(crate) fn chat(body: &str) -> Vec<u8> {
    post("/v1/chat/completions", body)
}

pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         authorization: Bearer sk-1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The body of an answer that says its length or is chunked.
pub(crate) fn body_of(answer: &[u8]) -> Vec<u8> {
    let at = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8_lossy(&answer[..at]).to_lowercase();
    let mut rest = &answer[at..];
    if !head.contains("transfer-encoding: chunked") {
        return rest.to_vec();
    }
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|w| w == b"\r\n") {
        let length =
            usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        body.extend_from_slice(&rest[line + 2..line + 2 + length]);
        rest = &rest[line + 4 + length..];
    }
    body
}

async fn provide(
    mut io: DuplexStream,
    connection: usize,
    scripts: Arc<Vec<Vec<Act>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    began: Instant,
) {
    while let Some(request) = read_request(&mut io).await {
        let n = {
            let mut seen = seen.lock().unwrap();
            seen.push(Seen { connection, request, closed_ms: None });
            seen.len() - 1
        };
        let acts = scripts.get(n).cloned().unwrap_or_else(|| vec![Act::Wait(u64::MAX >> 20)]);
        for act in acts {
            let mut byte = [0];
            match act {
                Act::Close => return,
                Act::Send(bytes) => {
                    if io.write_all(&bytes).await.is_err() {
                        break;
                    }
                }
                Act::Wait(ms) => {
                    // Nothing comes while a call is answered, so this ends only with the connection.
                    let read = timeout(Duration::from_millis(ms), io.read(&mut byte)).await;
                    if let Ok(Ok(0) | Err(_)) = read {
                        seen.lock().unwrap()[n].closed_ms = Some(began.elapsed().as_millis());
                        return;
                    }
                }
            }
        }
    }
}

async fn read_request(io: &mut DuplexStream) -> Option<Vec<u8>> {
    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(at) = request.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..at]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.trim().parse::<usize>().unwrap());
            let is_chunked = head.contains("transfer-encoding: chunked");
            let is_whole = match is_chunked {
                true => request.ends_with(b"0\r\n\r\n"),
                false => at + 4 + length <= request.len(),
            };
            if is_whole {
                return Some(request);
            }
        }
        match io.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => request.extend_from_slice(&piece[..read]),
        }
    }
}

/// Lets everything that can happen now happen.
pub(crate) async fn settle_down() {
    sleep(Duration::from_millis(1)).await;
}
