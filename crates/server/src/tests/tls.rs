//! Providers over TLS, on real sockets: whom the gateway trusts, and what a caller hears otherwise.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::CertifiedKey;
use scrimp_core::{Ending, Fault, Usd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::rig::{Rig, body_of, chat};
use crate::Connector;

pub(super) const CALL: &str =
    r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}"#;
pub(super) const ANSWER: &str = r#"{"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":3,"total_tokens":11}}"#;

/// A provider with a certificate of its own making, for `name`. Answers each connection once.
pub(super) async fn provider(name: &str) -> (SocketAddr, String) {
    let CertifiedKey { cert, key_pair } =
        rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(key_pair.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            // A client that does not trust us goes away in the middle of the handshake.
            let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(CALL.as_bytes()) {
                tls.read_buf(&mut request).await.unwrap();
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                ANSWER.len()
            );
            tls.write_all((head + ANSWER).as_bytes()).await.unwrap();
        }
    });
    (address, cert.pem())
}

/// A gateway that calls `host` at the port of `address`, trusting the certificates in `trusted`.
fn rig(host: &str, address: SocketAddr, trusted: Option<&str>) -> (Rig, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorities.pem");
    std::fs::write(&file, trusted.unwrap_or_default()).unwrap();
    let ca_file = trusted.map(|_| format!("ca_file = {file:?}")).unwrap_or_default();
    let config = format!(
        "[providers.openai]\nbase_url = \"https://{host}:{}/v1\"\n{ca_file}",
        address.port()
    );
    let rig = Rig::with(&config, Connector::Network, Arc::default(), Instant::now());
    (rig, folder)
}

async fn is_refused((mut rig, _folder): (Rig, tempfile::TempDir)) {
    let got = rig.call(&chat(CALL)).await;
    assert!(got.starts_with(b"HTTP/1.1 502 "), "{}", String::from_utf8_lossy(&got));
    let error: serde_json::Value = serde_json::from_slice(&body_of(&got)).unwrap();
    assert_eq!(error["error"]["code"], "provider_tls");
    let record = rig.record().await;
    assert_eq!(record.ending, Ending::Failed { fault: Fault::Tls });
    assert_eq!(record.cost, Some(Usd::ZERO), "nothing was sent, and that is known");
}

#[tokio::test]
async fn a_provider_whose_certificate_is_in_ca_file_is_called() {
    let (address, certificate) = provider("localhost").await;
    let (mut rig, _folder) = rig("localhost", address, Some(&certificate));
    let got = rig.call(&chat(CALL)).await;
    assert!(got.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&got));
    assert_eq!(String::from_utf8(body_of(&got)).unwrap(), ANSWER);
    let record = rig.record().await;
    assert_eq!(record.ending, Ending::Answered { status: 200, finish: None });
    assert_eq!((record.metering.usage.uncached, record.metering.usage.output), (8, 3));
    assert!(record.cost.is_some_and(|cost| Usd::ZERO < cost));
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_502_and_costs_nothing() {
    let (address, _) = provider("localhost").await;
    is_refused(rig("localhost", address, None)).await;
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_a_502_though_it_is_trusted() {
    let (address, certificate) = provider("elsewhere.example").await;
    is_refused(rig("localhost", address, Some(&certificate))).await;
}
