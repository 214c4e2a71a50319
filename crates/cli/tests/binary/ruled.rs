//! A model that answers by a rule, on loopback.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

/// What is said to a body: a text, or a status.
pub(crate) type Rule = dyn Fn(usize, &Value) -> Result<String, u16> + Send + Sync;

/// Answers until the test ends.
pub(crate) struct Ruled {
    pub(crate) url: String,
    calls: Arc<AtomicUsize>,
}

impl Ruled {
    /// One that answers by `rule`, which gets the number of the call, from 1 on, and its body.
    pub(crate) fn by(
        rule: impl Fn(usize, &Value) -> Result<String, u16> + Send + Sync + 'static,
    ) -> Ruled {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                answer(&mut stream.unwrap(), number, &rule);
            }
        });
        Ruled { url, calls }
    }

    /// How often it was called.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn answer(stream: &mut TcpStream, number: usize, rule: &Rule) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_lowercase();
        if line.is_empty() {
            break;
        }
        length = line.strip_prefix("content-length: ").map_or(length, |n| n.parse().unwrap());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (status, said) = match rule(number, &serde_json::from_slice(&body).unwrap()) {
        Ok(text) if text.starts_with("[[") => (200, embeddings(&text)),
        Ok(text) => (
            200,
            json!({"object": "chat.completion", "model": "gpt-4o",
            "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}}),
        ),
        Err(status) => (status, json!({"error": {"message": "not now"}})),
    };
    let said = said.to_string();
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nretry-after: 0\r\n");
    let length = said.len();
    write!(stream, "{head}content-length: {length}\r\nconnection: close\r\n\r\n{said}").unwrap();
}

/// Where the rule says numbers, embeddings are meant.
fn embeddings(text: &str) -> Value {
    let vectors: Vec<Vec<f64>> = serde_json::from_str(text).unwrap();
    let data: Vec<Value> = vectors.iter().map(|vector| json!({ "embedding": vector })).collect();
    json!({"object": "list", "data": data, "usage": {"prompt_tokens": 4, "total_tokens": 4}})
}
