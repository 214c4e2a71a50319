//! Providers behind a proxy, on real sockets: what the proxy is asked, and what a caller hears if it
//! lets nobody through.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use scrimp_core::{Ending, Fault, Usd};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::rig::{Rig, body_of, chat};
use super::tls::{ANSWER, CALL, provider};
use crate::Connector;

/// What a proxy was asked, tunnel by tunnel.
type Asked = Arc<Mutex<Vec<String>>>;

/// A proxy that says `answer` and then, whoever was asked for, leads to `to`.
async fn proxy(to: SocketAddr, answer: &'static str) -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Asked::default());
    let asked_here = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let asked = asked_here.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    assert_ne!(client.read_buf(&mut head).await.unwrap(), 0, "it broke off");
                }
                asked.lock().unwrap().push(String::from_utf8(head).unwrap());
                client.write_all(answer.as_bytes()).await.unwrap();
                let mut provider = TcpStream::connect(to).await.unwrap();
                copy_bidirectional(&mut client, &mut provider).await.ok();
            });
        }
    });
    (address, asked)
}

const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n";

/// A gateway whose provider is `base_url`.
fn rig(base_url: &str, more: &str) -> Rig {
    let config = format!("[providers.openai]\nbase_url = \"{base_url}\"\n{more}");
    Rig::with(&config, Connector::Network, Arc::default(), Instant::now())
}

async fn is_answered(rig: &mut Rig) {
    let got = rig.call(&chat(CALL)).await;
    assert!(got.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&got));
    assert_eq!(String::from_utf8(body_of(&got)).unwrap(), ANSWER);
    rig.record().await;
}

async fn is_refused(mut rig: Rig) {
    let got = rig.call(&chat(CALL)).await;
    assert!(got.starts_with(b"HTTP/1.1 502 "), "{}", String::from_utf8_lossy(&got));
    let error: serde_json::Value = serde_json::from_slice(&body_of(&got)).unwrap();
    assert_eq!(error["error"]["code"], "proxy");
    let record = rig.record().await;
    assert_eq!(record.ending, Ending::Failed { fault: Fault::Proxy });
    assert_eq!(record.cost, Some(Usd::ZERO), "nothing was sent, and that is known");
}

#[tokio::test]
async fn a_tunnel_is_asked_for_and_the_provider_s_certificate_checked_through_it() {
    let (at, certificate) = provider("provider.example").await;
    let (proxy, asked) = proxy(at, ESTABLISHED).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorities.pem");
    std::fs::write(&file, certificate).unwrap();
    let more = format!("ca_file = {file:?}\nproxy = \"http://ada:p%40ss@{proxy}\"");
    let mut rig = rig("https://provider.example:8443/v1", &more);
    is_answered(&mut rig).await;
    // Base64 of `ada:p@ss`.
    let expected = "CONNECT provider.example:8443 HTTP/1.1\r\nhost: provider.example:8443\r\n\
                    proxy-authorization: Basic YWRhOnBAc3M=\r\n\r\n";
    assert_eq!(asked.lock().unwrap()[..], [expected]);
}

#[tokio::test]
async fn whoever_the_proxy_leads_to_must_be_the_provider() {
    let (at, certificate) = provider("elsewhere.example").await;
    let (proxy, _) = proxy(at, ESTABLISHED).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorities.pem");
    std::fs::write(&file, certificate).unwrap();
    let more = format!("ca_file = {file:?}\nproxy = \"http://{proxy}\"");
    let mut rig = rig("https://provider.example/v1", &more);
    let got = rig.call(&chat(CALL)).await;
    assert!(got.starts_with(b"HTTP/1.1 502 "), "{}", String::from_utf8_lossy(&got));
    assert_eq!(rig.record().await.ending, Ending::Failed { fault: Fault::Tls });
}

/// A provider that speaks no TLS.
async fn plain_provider() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(CALL.as_bytes()) {
                assert_ne!(tcp.read_buf(&mut request).await.unwrap(), 0, "it broke off");
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
            let answer = format!("{head}{}\r\n\r\n{ANSWER}", ANSWER.len());
            tcp.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_provider_without_tls_is_called_through_a_tunnel_too() {
    let (proxy, asked) = proxy(plain_provider().await, ESTABLISHED).await;
    let more = format!("proxy = \"{proxy}\"");
    is_answered(&mut rig("http://[2001:db8::1]/v1", &more)).await;
    let expected = "CONNECT [2001:db8::1]:80 HTTP/1.1\r\nhost: [2001:db8::1]:80\r\n\r\n";
    assert_eq!(asked.lock().unwrap()[..], [expected]);
}

#[tokio::test]
async fn a_proxy_that_lets_nobody_through_is_a_502_and_costs_nothing() {
    let at = plain_provider().await;
    for answer in [
        "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: http://elsewhere.example/\r\n\r\n",
        "no HTTP at all\r\n\r\n",
    ] {
        let (proxy, _) = proxy(at, answer).await;
        is_refused(rig("https://provider.example/v1", &format!("proxy = \"{proxy}\""))).await;
    }
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    is_refused(rig("https://provider.example/v1", &format!("proxy = \"{gone}\""))).await;
}
