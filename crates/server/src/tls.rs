//! TLS towards clients: the gateway's certificate, and how its own commands know it again.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, SignatureScheme,
    StreamOwned,
};

use crate::config::TlsFiles;
use crate::upstream::system_roots;

/// Reads a certificate and its key, and whether one is the other's.
pub(crate) fn load(files: &TlsFiles) -> io::Result<Arc<ServerConfig>> {
    let named = |path: &Path, why: &dyn std::fmt::Display| {
        io::Error::other(format!("{}: {why}", path.display()))
    };
    let chain = chain(&files.certificate).map_err(|why| named(&files.certificate, &why))?;
    if chain.is_empty() {
        return Err(named(&files.certificate, &"there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|why| named(&files.key, &why))?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.map_err(|why| named(&files.key, &why))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Speaks TLS to the gateway of this machine whose certificate lies in the file. Whose name is in it
/// does not matter: it is this very certificate, and who shows it has its key.
pub fn to_own_gateway(
    stream: TcpStream,
    certificate: &Path,
) -> io::Result<impl Read + Write + use<>> {
    let known = chain(certificate)?.into_iter().next();
    let known = known.ok_or_else(|| io::Error::other("the gateway's certificate is gone"))?;
    let only = Only { known, provider: Arc::new(ring::default_provider()) };
    let config =
        ClientConfig::builder().dangerous().with_custom_certificate_verifier(Arc::new(only));
    let config = Arc::new(config.with_no_client_auth());
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

/// Speaks TLS to a gateway elsewhere, which has to show a certificate for `host` by an authority that
/// this machine trusts.
pub fn to_gateway(stream: TcpStream, host: &str) -> io::Result<impl Read + Write + use<>> {
    let config = ClientConfig::builder().with_root_certificates(system_roots());
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let config = Arc::new(config.with_no_client_auth());
    let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

fn chain(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).map_err(io::Error::other)?;
    read.collect::<Result<_, _>>().map_err(io::Error::other)
}

/// Trusts one certificate and nobody's word for any other.
#[derive(Debug)]
struct Only {
    known: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Only {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match *shown == self.known {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Error::General("this is not the gateway's certificate".to_owned())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, shown, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, shown, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
