//! Whom the gateway trusts over TLS: a company's own authority, where the system names it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::support::{Place, Server};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, Stream};

const CALL: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}"#;
const ANSWER: &str = r#"{"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":3,"total_tokens":11}}"#;
/// For what does not come at all if it does not come soon.
const A_WHILE: Duration = Duration::from_secs(30);

#[test]
fn a_provider_of_an_authority_that_the_system_trusts_is_called() {
    let place = Place::new();
    let authority = provider(&place);
    place.write("authorities.pem", authority.pem());
    is_answered(&call(&place, "authorities.pem"));
}

#[test]
fn a_provider_of_another_authority_is_refused() {
    let place = Place::new();
    provider(&place);
    let (other, _) = authority();
    place.write("authorities.pem", other.pem());
    is_refused(&call(&place, "authorities.pem"));
}

#[test]
fn a_system_without_authorities_trusts_the_public_ones_only() {
    let place = Place::new();
    provider(&place);
    place.write("empty.pem", "");
    is_refused(&call(&place, "empty.pem"));
    is_refused(&call(&place, "missing.pem"));
}

/// They are in a pipe, so that reading them waits for their being written.
#[test]
fn the_system_s_authorities_are_read_before_anybody_calls_and_a_call_waits_for_them() {
    let place = Place::new();
    let authority = provider(&place);
    let pipe = place.path("authorities.pem");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // It listens though the authorities are not read yet, and nobody calls it so far.
    let gateway = start(&place, "authorities.pem");
    let (opened, is_opened) = channel();
    std::thread::spawn(move || opened.send(File::create(pipe).unwrap()));
    let mut writing = is_opened.recv_timeout(A_WHILE).expect("they are being read");
    let mut call = send(&gateway);
    writing.write_all(authority.pem().as_bytes()).unwrap();
    drop(writing);
    is_answered(&answer_to(&mut call));
}

fn is_answered(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with(ANSWER), "{answer}");
}

fn is_refused(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("provider_tls"), "{answer}");
}

/// Sends one call through a gateway for which the system's authorities are those in `file`.
fn call(place: &Place, file: &str) -> String {
    answer_to(&mut send(&start(place, file)))
}

fn start(place: &Place, file: &str) -> Server {
    let arguments = ["serve", "--config", "scrimp.toml", "--listen", "127.0.0.1:0"];
    let mut command = place.command(&arguments);
    Place::started(command.env("SSL_CERT_FILE", place.path(file)))
}

fn send(gateway: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    let (host, length) = (gateway.address(), CALL.len());
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\n");
    write!(stream, "{head}connection: close\r\ncontent-length: {length}\r\n\r\n{CALL}").unwrap();
    stream
}

fn answer_to(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A provider whose certificate is of an authority of its own, which is returned; `scrimp.toml`
/// leads to it.
pub(crate) fn provider(place: &Place) -> Certificate {
    let (authority, authority_key) = authority();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority, &authority_key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    place.write(
        "scrimp.toml",
        format!("[providers.openai]\nbase_url = \"https://localhost:{port}/v1\"\n"),
    );
    let config = Arc::new(config);
    std::thread::spawn(move || answer_each(&listener, &config));
    authority
}

fn authority() -> (Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params.self_signed(&key).unwrap(), key)
}

/// Answers one call on each connection. A client that does not trust us goes away in the middle of
/// the handshake.
fn answer_each(listener: &TcpListener, config: &Arc<ServerConfig>) {
    for tcp in listener.incoming() {
        let mut tcp = tcp.unwrap();
        tcp.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut connection = ServerConnection::new(config.clone()).unwrap();
        let mut tls = Stream::new(&mut connection, &mut tcp);
        let mut request = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(1..) = tls.read(&mut piece).inspect(|n| request.extend(&piece[..*n])) {
            if request.ends_with(CALL.as_bytes()) {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
                write!(tls, "{head}content-length: {}\r\n\r\n{ANSWER}", ANSWER.len()).unwrap();
            }
        }
    }
}
