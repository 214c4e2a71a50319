//! Talking to a gateway that runs on the same data directory: it holds the directory, so changes
//! go through its own interface.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use scrimp_server::tls;
use serde_json::Value;

use crate::ui::OrHint;

/// A gateway that runs.
pub(crate) struct Running {
    address: SocketAddr,
    /// Where its certificate lies, if it speaks TLS.
    certificate: Option<PathBuf>,
}

/// The variable of the environment that holds the control token.
const TOKEN: &str = "SCRIMP_CONTROL_TOKEN";

/// Who does what is done without a gateway, for the audit log.
pub(crate) fn user() -> String {
    let named = |name| std::env::var(name).ok().filter(|name: &String| !name.is_empty());
    format!("cli:{}", named("USER").or_else(|| named("LOGNAME")).unwrap_or_else(|| "?".to_owned()))
}

/// Where a gateway leaves its address for others on the machine.
pub(crate) fn address_file(data: &Path) -> PathBuf {
    data.join("gateway.address")
}

impl Running {
    /// The gateway on this data directory, if one answers.
    pub(crate) fn on(data: &Path) -> Option<Running> {
        let noted = std::fs::read_to_string(address_file(data)).ok()?;
        let mut lines = noted.lines();
        let address = lines.next()?.trim().parse().ok()?;
        let running = Running { address, certificate: lines.next().map(PathBuf::from) };
        // Without a token: whoever has none is told so by what is asked next.
        running.ask("GET /healthz HTTP/1.1\r\n", "").ok().map(|_| running)
    }

    /// What it found; waits for a study that is under way.
    pub(crate) fn findings(&self) -> Result<Vec<Value>> {
        const LOOKS: usize = 200;
        for _ in 0..LOOKS {
            let answer = self.get("findings")?;
            if answer["running"] != true {
                return Ok(answer["findings"].as_array().cloned().unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        bail!("the gateway's study takes longer than a minute; try again later")
    }

    /// Asks a question.
    pub(crate) fn get(&self, question: &str) -> Result<Value> {
        self.control(&format!("GET /api/v1/{question}"), "")
    }

    /// Asks for a change.
    pub(crate) fn post(&self, change: &str, body: &Value) -> Result<Value> {
        self.control(&format!("POST /api/v1/{change}"), &body.to_string())
    }

    /// Asks that something be taken away.
    pub(crate) fn delete(&self, what: &str) -> Result<Value> {
        self.control(&format!("DELETE /api/v1/{what}"), "")
    }

    fn control(&self, line: &str, body: &str) -> Result<Value> {
        let token = std::env::var(TOKEN).ok();
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
        let head = format!(
            "{line} HTTP/1.1\r\nx-scrimp-control: 1\r\ncontent-type: application/json\r\n{}",
            token.unwrap_or_default()
        );
        self.ask(&head, body)
    }

    fn ask(&self, head: &str, body: &str) -> Result<Value> {
        let stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        match &self.certificate {
            None => self.converse(stream, head, body),
            Some(certificate) => {
                self.converse(tls::to_own_gateway(stream, certificate)?, head, body)
            }
        }
    }

    fn converse(&self, mut stream: impl Read + Write, head: &str, body: &str) -> Result<Value> {
        let length = body.len();
        let head = format!(
            "{head}host: {}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            // The gateway closes a TLS connection as it closes any other.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
            read => drop(read?),
        }
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").context("the gateway broke off")?;
        let value: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        if head.starts_with("HTTP/1.1 200") {
            return Ok(value);
        }
        let why = said(&value, head);
        let refused = anyhow::anyhow!("the gateway at {} refused: {why}", self.address);
        match head.starts_with("HTTP/1.1 401") {
            true => Err(refused).or_hint(format!("{TOKEN} holds the control token")),
            false => Err(refused),
        }
    }
}

fn said(value: &Value, head: &str) -> String {
    let message = value["error"]["message"].as_str().or(value["error"].as_str());
    message.map_or_else(|| head.lines().next().unwrap_or_default().to_owned(), str::to_owned)
}
