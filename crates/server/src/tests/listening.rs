//! TLS towards clients, on real sockets: what they are shown, and what happens when it changes.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::CertifiedKey;
use scrimp_core::Ending;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::rig::{Act, Rig, answer, body_of, chat};

const CALL: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}"#;

/// Writes a certificate for `localhost` and its key, and returns the certificate.
fn write_identity(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, key_pair } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key_pair.serialize_pem()).unwrap();
    cert.der().clone()
}

fn config(folder: &Path) -> String {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    format!("[listen.tls]\ncertificate = {certificate:?}\nkey = {key:?}\n")
}

/// Serves what comes in on a socket.
async fn listen(rig: &Rig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, gateway) = (listener.local_addr().unwrap(), rig.gateway.clone());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let gateway = gateway.clone();
            tokio::spawn(async move { gateway.serve_socket(socket).await });
        }
    });
    address
}

/// A connection over TLS of a client that trusts nobody but `trusted`.
async fn encrypted(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
) -> Result<TlsStream<TcpStream>, String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connected = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
    connected.map_err(|error| error.to_string())
}

/// The answer to a call over TLS by a client that trusts nobody but `trusted`.
async fn call(address: SocketAddr, trusted: &CertificateDer<'static>) -> Result<String, String> {
    let mut tls = encrypted(address, trusted).await?;
    tls.write_all(&chat(CALL)).await.unwrap();
    let mut got = Vec::new();
    // The gateway closes the connection without a farewell.
    tls.read_to_end(&mut got).await.ok();
    Ok(String::from_utf8(body_of(&got)).unwrap())
}

fn rig(config: &str) -> Rig {
    let answers: Vec<Vec<Act>> = vec![vec![answer("200 OK", "{}")]; 9];
    Rig::new(config, answers)
}

#[tokio::test]
async fn clients_are_shown_the_certificate_and_a_renewed_one_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = write_identity(folder.path());
    let rig = rig(&config(folder.path()));
    let address = listen(&rig).await;
    assert_eq!(call(address, &first).await.as_deref(), Ok("{}"));

    let second = write_identity(folder.path());
    assert_eq!(call(address, &first).await.as_deref(), Ok("{}"), "nobody has looked yet");
    let stamps = |rig: &Rig| rig.gateway.files().unwrap().stamps(&rig.gateway.running().config);
    let before = stamps(&rig);
    rig.gateway.reload().unwrap();
    assert_eq!(call(address, &second).await.as_deref(), Ok("{}"));
    assert!(call(address, &first).await.is_err());

    // Broken, or another certificate's key: what was there stays.
    std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
    assert_ne!(stamps(&rig), before, "a change of the files is seen");
    let wrong = rig.gateway.reload().unwrap_err().to_string();
    assert!(wrong.contains("[listen.tls]") && wrong.contains("key.pem"), "{wrong}");
    assert_eq!(call(address, &second).await.as_deref(), Ok("{}"));
    let whole = std::fs::read(folder.path().join("cert.pem")).unwrap();
    write_identity(folder.path());
    std::fs::write(folder.path().join("cert.pem"), whole).unwrap();
    rig.gateway.reload().unwrap_err();
    assert_eq!(call(address, &second).await.as_deref(), Ok("{}"));
}

/// Sends a call and much more behind it, and leaves when the call has reached the provider.
async fn leave_much_behind(mut client: impl AsyncWrite + Unpin, rig: &Rig) {
    let much = [chat(CALL), vec![b'x'; 150_000]].concat();
    client.write_all(&much).await.unwrap();
    while rig.seen().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_behind_more_than_is_read_ahead_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = write_identity(folder.path());
    for config in [String::new(), config(folder.path())] {
        // The provider never answers.
        let mut rig = Rig::new(&config, vec![]);
        let address = listen(&rig).await;
        match config.is_empty() {
            true => leave_much_behind(TcpStream::connect(address).await.unwrap(), &rig).await,
            false => leave_much_behind(encrypted(address, &trusted).await.unwrap(), &rig).await,
        }
        let record = timeout(Duration::from_secs(20), rig.record()).await.expect("it is noticed");
        assert_eq!(record.ending, Ending::Abandoned);
    }
}

#[tokio::test]
async fn plain_text_is_not_answered_where_tls_is_spoken() {
    let folder = tempfile::tempdir().unwrap();
    write_identity(folder.path());
    let rig = rig(&config(folder.path()));
    let mut plain = TcpStream::connect(listen(&rig).await).await.unwrap();
    plain.write_all(&chat(CALL)).await.unwrap();
    let mut got = Vec::new();
    plain.read_to_end(&mut got).await.ok();
    assert!(!got.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&got));
    assert!(rig.seen().is_empty());
}

#[tokio::test]
async fn a_certificate_that_is_gone_when_the_gateway_is_made_opens_no_plain_text() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(&config(folder.path()));
    let mut plain = TcpStream::connect(listen(&rig).await).await.unwrap();
    plain.write_all(&chat(CALL)).await.unwrap();
    let mut got = Vec::new();
    plain.read_to_end(&mut got).await.ok();
    assert_eq!(got, b"");
    let certificate = write_identity(folder.path());
    rig.gateway.reload().unwrap();
    assert_eq!(call(listen(&rig).await, &certificate).await.as_deref(), Ok("{}"));
}
