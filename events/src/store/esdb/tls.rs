//! Trust in the server's certificate, and a client crate that panics over who brings the cryptography.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::sync::Mutex;

use super::url::Settings;
use crate::store::StoreError;

/// How long the client crate may take to install its provider.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lets the client crate install its rustls provider, once in the process.
///
/// It does so when its first connection begins, and panics if there is one already. So this is done before anything
/// else is, and refused when it is too late; afterwards every other library finds the provider and is content.
pub(super) async fn prepare() -> Result<(), StoreError> {
    static PREPARED: Mutex<bool> = Mutex::const_new(false);
    let mut prepared = PREPARED.lock().await;
    if *prepared {
        return Ok(());
    }
    if CryptoProvider::get_default().is_some() {
        return Err(StoreError::unavailable(
            "another part of the process installed its TLS provider before the event store was opened; open the store first",
        ));
    }
    // Nothing is connected to: the provider is installed while the client is made.
    let settings = "esdb://127.0.0.1:1?tls=false".parse::<eventstore::ClientSettings>();
    let settings = settings.map_err(|error| StoreError::unavailable(error.to_string()))?;
    let client = eventstore::Client::new(settings)
        .map_err(|error| StoreError::unavailable(error.to_string()))?;
    let installed = tokio::time::timeout(PATIENCE, async {
        while CryptoProvider::get_default().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let installed = installed.await;
    drop(client);
    installed.map_err(|_| StoreError::unavailable("the event store's client did not start"))?;
    *prepared = true;
    Ok(())
}

/// How our own connections trust a server: by `tlsCaFile`, by the system's certificates, or blindly where told so.
pub(super) fn config(settings: &Settings) -> Result<ClientConfig, StoreError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::unavailable(error.to_string()))?;
    if settings.tls && !settings.verify_certificates {
        let blind = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider)));
        return Ok(blind.with_no_client_auth());
    }
    let roots = match &settings.ca_file {
        Some(path) => from_file(path)?,
        None if settings.tls => from_system()?,
        None => RootCertStore::empty(),
    };
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn from_file(path: &Path) -> Result<RootCertStore, StoreError> {
    let wrong = |reason: String| {
        StoreError::invalid(format!(
            "the store's URL: `tlsCaFile` {} {reason}; it is the PEM file of the authority that signed the server's certificates",
            path.display()
        ))
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(|error| wrong(format!("can't be read: {error}")))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(format!("is no PEM file: {error}")))?;
        let added = roots.add(certificate);
        added.map_err(|error| wrong(format!("holds what is no certificate: {error}")))?;
    }
    if roots.is_empty() {
        return Err(wrong("holds no certificate".to_owned()));
    }
    Ok(roots)
}

fn from_system() -> Result<RootCertStore, StoreError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() || !found.errors.is_empty() {
        let reason = found.errors.first().map(ToString::to_string);
        return Err(StoreError::unavailable(format!(
            "the system's certificates can't be used ({}); name the server's authority with `tlsCaFile=` in the store's URL",
            reason.unwrap_or_else(|| "there are none".to_owned())
        )));
    }
    Ok(roots)
}

/// `tlsVerifyCert=false`: the certificate is taken as it is; that whoever shows it holds its key is still checked.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
