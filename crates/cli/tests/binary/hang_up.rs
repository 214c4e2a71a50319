//! Clients that leave, on real sockets: what the tests in virtual time cannot see is whether the
//! kernel's news arrive. How soon is `cargo xtask bench hangup`.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::support::{Place, Server};

const CALL: &str =
    r#"{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
const PIECE: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"some words\"}}]}\n\n";
/// For what does not come at all if it does not come soon.
const A_WHILE: Duration = Duration::from_secs(30);

#[test]
fn a_client_that_leaves_before_the_first_byte_ends_the_provider_s_request() {
    let (_place, gateway, provider) = between();
    let client = call(&gateway);
    let asked = take(&provider);
    drop(client);
    sees_the_end(asked);
}

#[test]
fn a_client_that_leaves_a_stream_ends_the_provider_s_request() {
    let (_place, gateway, provider) = between();
    let mut client = call(&gateway);
    let mut asked = take(&provider);
    write!(asked, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{PIECE}").unwrap();
    read_until(&mut client, PIECE);
    drop(client);
    sees_the_end(asked);
}

/// A gateway before a provider that this test plays.
fn between() -> (Place, Server, TcpListener) {
    let place = Place::new();
    let provider = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = provider.local_addr().unwrap();
    place.write("scrimp.toml", format!("[providers.openai]\nbase_url = \"http://{address}\"\n"));
    let gateway = place.start(&["serve", "--config", "scrimp.toml", "--listen", "127.0.0.1:0"]);
    (place, gateway, provider)
}

fn call(gateway: &Server) -> TcpStream {
    let mut client = TcpStream::connect(gateway.address()).unwrap();
    client.set_read_timeout(Some(A_WHILE)).unwrap();
    let (host, length) = (gateway.address(), CALL.len());
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\n");
    write!(client, "{head}content-length: {length}\r\n\r\n{CALL}").unwrap();
    client
}

/// The provider's side of the call, its request read.
fn take(provider: &TcpListener) -> TcpStream {
    let mut asked = provider.accept().unwrap().0;
    asked.set_read_timeout(Some(A_WHILE)).unwrap();
    read_until(&mut asked, CALL);
    asked
}

fn read_until(stream: &mut TcpStream, end: &str) {
    let (mut seen, mut part) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains(end) {
        let read = stream.read(&mut part).unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&part[..read]);
    }
}

fn sees_the_end(mut asked: TcpStream) {
    let seen = asked.read(&mut [0; 16]);
    let is_reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
    assert!(matches!(&seen, Ok(0)) || seen.as_ref().is_err_and(is_reset), "{seen:?}");
}
