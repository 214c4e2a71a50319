//! Connections to providers: TCP, TLS over it, or a pipe in memory.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use scrimp_core::Fault;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::config::{Origin, Provider, Proxy};

/// A proxy's answer is short.
const LONGEST_HEAD: usize = 16 << 10;

/// Makes a pipe to a provider that lives in this process.
pub type Dial = dyn Fn(&Origin) -> io::Result<DuplexStream> + Send + Sync;

/// How providers are reached.
#[derive(Clone)]
pub enum Connector {
    /// Over the network.
    Network,
    /// Through pipes in memory; TLS is not spoken.
    Memory(Arc<Dial>),
}

/// A connection.
pub(super) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Memory(DuplexStream),
}

/// Whom a provider's certificate must be signed by.
pub(super) type Trust = Arc<ClientConfig>;

impl Connector {
    /// Whom to trust about `provider`; `None` where TLS is not spoken.
    pub(super) fn trust(&self, provider: &Provider) -> Option<Trust> {
        match self {
            Connector::Network if provider.origin.is_tls => Some(trust_for(provider)),
            Connector::Network | Connector::Memory(_) => None,
        }
    }

    pub(super) async fn connect(
        &self,
        provider: &Provider,
        trust: Option<Trust>,
    ) -> Result<Stream, Fault> {
        let Provider { origin, proxy, .. } = provider;
        match self {
            Connector::Memory(dial) => dial(origin).map(Stream::Memory).map_err(|_| Fault::Connect),
            Connector::Network => {
                let unreached = if proxy.is_none() { Fault::Connect } else { Fault::Proxy };
                let tcp = reach(provider).await.map_err(|_| unreached)?;
                match trust {
                    None => Ok(Stream::Tcp(tcp)),
                    Some(trust) => encrypt(tcp, origin, trust).await.map_err(|_| Fault::Tls),
                }
            }
        }
    }
}

/// A connection to a provider, or the tunnel that takes its place.
async fn reach(provider: &Provider) -> io::Result<TcpStream> {
    let Provider { origin, proxy, .. } = provider;
    match proxy {
        None => dial_tcp(&origin.host, origin.port).await,
        Some(proxy) => tunnel(origin, proxy).await,
    }
}

/// Tries each address of the host in turn.
async fn dial_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in tokio::net::lookup_host((host, port)).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A way through a proxy, which looks the host up by itself. Also where TLS is not spoken: what goes
/// through is then the same as without the proxy.
async fn tunnel(origin: &Origin, proxy: &Proxy) -> io::Result<TcpStream> {
    let mut tcp = dial_tcp(&proxy.host, proxy.port).await?;
    let port = origin.port;
    let to = match origin.host.contains(':') {
        true => format!("[{}]:{port}", origin.host),
        false => format!("{}:{port}", origin.host),
    };
    let authorization = proxy.authorization.as_ref();
    let authorization = authorization
        .map(|secret| format!("proxy-authorization: {}\r\n", secret.reveal()))
        .unwrap_or_default();
    let asked = format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n{authorization}\r\n");
    tcp.write_all(asked.as_bytes()).await?;
    let mut answer = Vec::with_capacity(256);
    while !answer.ends_with(b"\r\n\r\n") {
        // Nobody speaks through the tunnel before we do, so nothing but the head is taken here.
        if tcp.read_buf(&mut answer).await? == 0 || LONGEST_HEAD < answer.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Response::new(&mut headers);
    let is_whole = head.parse(&answer).map_err(io::Error::other)?.is_complete();
    match head.code {
        Some(200..300) if is_whole => Ok(tcp),
        _ => Err(io::ErrorKind::ConnectionRefused.into()),
    }
}

async fn encrypt(tcp: TcpStream, origin: &Origin, trust: Trust) -> io::Result<Stream> {
    let name = ServerName::try_from(origin.host.to_string()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(trust).connect(name, tcp).await?;
    Ok(Stream::Tls(Box::new(stream)))
}

/// How far the way to a provider was gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its name is looked up.
    Name,
    /// It is connected to.
    Connect,
    /// TLS is agreed on.
    Tls,
}

/// Goes the way to a provider as a call does, and ends before the request. `stage` is how far it came.
pub(crate) async fn probe(provider: &Provider, stage: &mut Stage) -> io::Result<()> {
    let Provider { origin, proxy, .. } = provider;
    // A proxy looks the provider's name up by itself.
    let (host, port) = match proxy {
        None => (&origin.host, origin.port),
        Some(proxy) => (&proxy.host, proxy.port),
    };
    let mut addresses = tokio::net::lookup_host((&**host, port)).await?;
    addresses.next().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    *stage = Stage::Connect;
    let tcp = reach(provider).await?;
    if !origin.is_tls {
        return Ok(());
    }
    *stage = Stage::Tls;
    encrypt(tcp, origin, trust_for(provider)).await.map(drop)
}

/// Begins to read the authorities that this machine trusts, on a thread of its own. A call over TLS
/// that comes before they are there waits for them.
pub(crate) fn read_authorities() -> io::Result<()> {
    let thread = std::thread::Builder::new().name("authorities".to_owned());
    thread.spawn(|| drop(SYSTEM.clone())).map(drop)
}

/// The authorities that this machine trusts. They are read once: at the start, or where none of the
/// providers spoke TLS then, at the first call over it.
static SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    // What the system has and cannot be read is passed over, as its own programs do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        // A bare container has none. The public authorities are compiled in.
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Arc::new(roots)
});

/// Whom this machine trusts.
pub(crate) fn system_roots() -> Arc<RootCertStore> {
    SYSTEM.clone()
}

/// Whether a file has certificates in it, all of which can be read.
pub(crate) fn check_certificates(path: &Path) -> io::Result<()> {
    let mut found = RootCertStore::empty();
    add_file(&mut found, path)?;
    match found.is_empty() {
        false => Ok(()),
        true => Err(io::Error::other("there is no certificate in it")),
    }
}

/// What `provider` is trusted by: the system's authorities, and those in its `ca_file`. A file that
/// cannot be read leaves the former, and the connection then fails rather than being made to
/// somebody else.
fn trust_for(provider: &Provider) -> Trust {
    let roots = provider.ca_file.as_deref().and_then(|path| {
        let mut roots = RootCertStore::clone(&SYSTEM);
        add_file(&mut roots, path).ok().map(|()| Arc::new(roots))
    });
    let roots = roots.unwrap_or_else(|| SYSTEM.clone());
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> io::Result<()> {
    for certificate in CertificateDer::pem_file_iter(path).map_err(io::Error::other)? {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    Ok(())
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Memory(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Memory(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Memory(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Tcp(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
            Stream::Memory(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Memory(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
