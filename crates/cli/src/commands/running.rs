//! Talking to a gateway that runs. One on the same data directory holds it, so changes go through its
//! own interface.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use scrimp_server::tls;
use serde_json::Value;

use crate::ui::Hint;

/// A gateway that runs.
pub(crate) struct Running {
    /// Host and port.
    address: String,
    trust: Trust,
}

/// Whether TLS is spoken, and who may answer.
enum Trust {
    Plain,
    /// Who has this very certificate.
    Own(PathBuf),
    /// Who has a certificate for the host's name.
    Named(String),
}

/// A connection.
trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

/// A live stream says something every 15 seconds.
const QUIET: Duration = Duration::from_secs(40);

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
        let address = lines.next()?.trim().to_owned();
        let own = |certificate: &str| Trust::Own(PathBuf::from(certificate));
        let running = Running { address, trust: lines.next().map_or(Trust::Plain, own) };
        // Without a token: whoever has none is told so by what is asked next.
        running.ask("GET /healthz HTTP/1.1\r\n", "").ok().map(|_| running)
    }

    /// The gateway at an address such as `https://gate.internal:4100`.
    pub(crate) fn at(url: &str) -> Result<Running> {
        let is_tls = match url.split_once("://") {
            Some(("http", _)) => false,
            Some(("https", _)) => true,
            _ => bail!("`{url}` is no address of a gateway, such as http://127.0.0.1:4100"),
        };
        let authority = url.split("://").nth(1).unwrap_or_default().trim_end_matches('/');
        if authority.is_empty() || authority.contains(['/', '@', '?', '#', ' ']) {
            bail!("`{url}` is no address of a gateway: a host and a port are asked for, no path");
        }
        let is_port = |port: &str| port.parse::<u16>().is_ok();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if is_port(port) => (host, port),
            _ => (authority, if is_tls { "443" } else { "80" }),
        };
        let named = || Trust::Named(host.trim_matches(['[', ']']).to_owned());
        let trust = if is_tls { named() } else { Trust::Plain };
        Ok(Running { address: format!("{host}:{port}"), trust })
    }

    /// Where it is, as people write it.
    pub(crate) fn url(&self) -> String {
        let scheme = if matches!(self.trust, Trust::Plain) { "http" } else { "https" };
        format!("{scheme}://{}", self.address)
    }

    /// What it says of itself, if it takes calls.
    pub(crate) fn ready(&self) -> Result<String> {
        let (head, body) = self.exchange("GET /readyz HTTP/1.1\r\n", "")?;
        match head.starts_with("HTTP/1.1 200") {
            true => Ok(body),
            false => bail!("the gateway at {} takes no calls: {}", self.address, body.trim()),
        }
    }

    /// Calls as they end: the lines of server-sent events.
    pub(crate) fn live(&self) -> Result<impl BufRead + use<>> {
        let mut wire = self.connect(QUIET)?;
        // By HTTP/1.0 a body without a length comes as it is, without chunks.
        let head =
            format!("GET /api/v1/live HTTP/1.0\r\nhost: {}\r\n{}\r\n", self.address, credentials());
        wire.write_all(head.as_bytes())?;
        let mut answer = BufReader::new(wire);
        let mut status = String::new();
        answer.read_line(&mut status)?;
        if !status.contains(" 200 ") {
            return Err(self.refused(&status, status.trim()));
        }
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if answer.read_line(&mut line)? == 0 {
                bail!("the gateway broke off");
            }
        }
        Ok(answer)
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
        let head =
            format!("{line} HTTP/1.1\r\ncontent-type: application/json\r\n{}", credentials());
        self.ask(&head, body)
    }

    fn ask(&self, head: &str, body: &str) -> Result<Value> {
        let (head, body) = self.exchange(head, body)?;
        let value: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        match head.starts_with("HTTP/1.1 200") {
            true => Ok(value),
            false => Err(self.refused(&head, &said(&value, &head))),
        }
    }

    /// A connection that waits no longer than `patience` for what is to come.
    fn connect(&self, patience: Duration) -> Result<Box<dyn Wire>> {
        let unreached = || format!("{} cannot be reached", self.url());
        let mut addresses = self.address.to_socket_addrs().with_context(unreached)?;
        let address = addresses.next().with_context(unreached)?;
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(2));
        let stream = stream.with_context(unreached)?;
        stream.set_read_timeout(Some(patience))?;
        Ok(match &self.trust {
            Trust::Plain => Box::new(stream),
            Trust::Own(certificate) => Box::new(tls::to_own_gateway(stream, certificate)?),
            Trust::Named(host) => Box::new(tls::to_gateway(stream, host)?),
        })
    }

    /// An answer's head and body.
    fn exchange(&self, head: &str, body: &str) -> Result<(String, String)> {
        let mut wire = self.connect(Duration::from_mins(1))?;
        let length = body.len();
        let head = format!(
            "{head}host: {}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n",
            self.address
        );
        wire.write_all(head.as_bytes())?;
        wire.write_all(body.as_bytes())?;
        let mut answer = Vec::new();
        match wire.read_to_end(&mut answer) {
            // The gateway closes a TLS connection as it closes any other.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
            read => drop(read?),
        }
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").context("the gateway broke off")?;
        Ok((head.to_owned(), body.to_owned()))
    }

    fn refused(&self, head: &str, why: &str) -> anyhow::Error {
        let refused = anyhow::anyhow!("the gateway at {} refused: {why}", self.address);
        match head.split(' ').nth(1) {
            Some("401") => refused.context(Hint(format!("{TOKEN} holds the control token"))),
            _ => refused,
        }
    }
}

/// The headers by which the gateway knows who asks.
fn credentials() -> String {
    let token = std::env::var(TOKEN).ok();
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    format!("x-scrimp-control: 1\r\n{}", token.unwrap_or_default())
}

fn said(value: &Value, head: &str) -> String {
    let message = value["error"]["message"].as_str().or(value["error"].as_str());
    message.map_or_else(|| head.lines().next().unwrap_or_default().to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_perhaps_a_port() {
        let at = |url| Running::at(url).map(|running| running.url()).map_err(|e| e.to_string());
        for (url, expected) in [
            ("http://127.0.0.1:4100", "http://127.0.0.1:4100"),
            ("http://127.0.0.1:4100/", "http://127.0.0.1:4100"),
            ("https://gate.internal", "https://gate.internal:443"),
            ("http://[::1]", "http://[::1]:80"),
            ("http://[::1]:4100", "http://[::1]:4100"),
        ] {
            assert_eq!(at(url), Ok(expected.to_owned()));
        }
        for wrong in ["127.0.0.1:4100", "ftp://a", "http://", "http://a/v1", "http://u@a"] {
            assert!(at(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }
}
