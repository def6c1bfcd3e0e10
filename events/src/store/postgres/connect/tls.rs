//! TLS as libpq's `sslmode` words it, done by rustls.

use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::error::ConnectError;
use super::url::invalid;

/// What is asked of the server, from little to much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Makes TLS connections.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// # Errors
    /// `roots` can't be read, or there are no roots to verify with.
    pub(super) fn new(mode: Mode, roots: Option<&Path>) -> Result<Self, ConnectError> {
        // Named here and installed nowhere: other parts of the program may bring their own.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let check = match (mode, roots) {
            (Mode::Disable, _) | (Mode::Prefer | Mode::Require, None) => None,
            (Mode::Prefer | Mode::Require | Mode::VerifyCa, roots) => {
                Some(Check::new(roots, false, &provider)?)
            }
            (Mode::VerifyFull, roots) => Some(Check::new(roots, true, &provider)?),
        };
        let verifier = Verifier {
            check,
            provider: provider.clone(),
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Speaks TLS on `stream` with the server of that name.
    pub(super) async fn connect(
        &self,
        name: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).map_err(|_| {
            io::Error::other(Error::General("no certificate is for such a host".into()))
        })?;
        self.0.connect(name, stream).await
    }
}

/// How a certificate is checked, where it is.
#[derive(Debug)]
struct Check {
    webpki: Arc<WebPkiServerVerifier>,
    /// Given by the user: one of them may be the server's own, self-signed.
    given: Vec<CertificateDer<'static>>,
    name: bool,
}

impl Check {
    fn new(
        file: Option<&Path>,
        name: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, ConnectError> {
        let given = file.map(read).transpose()?.unwrap_or_default();
        let mut store = RootCertStore::empty();
        match file {
            Some(_) => store.add_parsable_certificates(given.iter().cloned()),
            None => store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
        };
        let webpki = WebPkiServerVerifier::builder_with_provider(store.into(), provider.clone())
            .build()
            .map_err(|error| {
                invalid(format!(
                    "there is no root certificate to verify the server with ({error}); name a file with `sslrootcert`"
                ))
            })?;
        Ok(Self {
            webpki,
            given,
            name,
        })
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<(), Error> {
        // A self-signed one is not issued by any authority; holding the very same one is what trusts it.
        if self.given.iter().any(|given| given == end_entity) {
            if self.name {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(());
        }
        let verified =
            self.webpki
                .verify_server_cert(end_entity, intermediates, server_name, ocsp, now);
        match verified {
            // The name is looked at last, when all the rest was in order.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(()),
            verified => verified.map(drop),
        }
    }
}

fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let unreadable = |why: String| {
        invalid(format!(
            "`sslrootcert` {} can't be used: {why}",
            file.display()
        ))
    };
    let pem = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates.map_err(|error| unreadable(error.to_string()))? {
        none if none.is_empty() => Err(unreadable("it holds no certificate".into())),
        certificates => Ok(certificates),
    }
}

struct Verifier {
    check: Option<Check>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verifier").field(&self.check).finish()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(check) = &self.check {
            check.verify(end_entity, intermediates, server_name, ocsp, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
