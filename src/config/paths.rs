//! Relative paths and path urls are made absolute against the configuration file's directory, once, at loading.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::Config;
use crate::export::source::postgres::is_postgres;

pub(super) fn make_absolute(config: &mut Config, base: &Path) {
    path(&mut config.keys.file, base);
    path(&mut config.projections.path, base);
    if let Some(file) = &mut config.auth.jwks_file {
        path(file, base);
    }
    url(&mut config.store.url, base);
    url(&mut config.artifacts.url, base);
    for source in &mut config.sources {
        url(&mut source.url, base);
    }
    for section in config.s3.values_mut() {
        let files = [&mut section.secret_access_key_file, &mut section.ca_file];
        files
            .into_iter()
            .flatten()
            .for_each(|file| path(file, base));
    }
    for tenant in config.tenants.values_mut() {
        if let Some(own) = &mut tenant.artifacts {
            url(own, base);
        }
    }
}

fn path(path: &mut PathBuf, base: &Path) {
    *path = base.join(&*path);
}

/// `sqlite:PATH` and `file:PATH`; a url of PostgreSQL names at most a file of certificates.
fn url(url: &mut String, base: &Path) {
    if is_postgres(url) {
        return certificates(url, base);
    }
    for scheme in ["sqlite:", "file:"] {
        let Some(rest) = url.strip_prefix(scheme) else {
            continue;
        };
        // `file:///a` and `file:/a` mean the same absolute path (RFC 8089).
        let rest = rest
            .strip_prefix("//")
            .filter(|rest| rest.starts_with('/'))
            .unwrap_or(rest);
        if !rest.is_empty() && !rest.starts_with("//") {
            *url = format!("{scheme}{}", base.join(rest).display());
        }
        return;
    }
}

/// The value of `sslrootcert`, percent-encoded as it stands in a url; `system` is no file.
fn certificates(url: &mut String, base: &Path) {
    const NAME: &str = "sslrootcert=";
    /// What a path may hold unencoded.
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'.')
        .remove(b'-')
        .remove(b'_');
    let Some((address, parameters)) = url.split_once('?') else {
        return;
    };
    let parameters: Vec<String> = parameters
        .split('&')
        .map(|parameter| match parameter.strip_prefix(NAME) {
            None | Some("" | "system") => parameter.to_owned(),
            Some(file) => {
                let file = percent_decode_str(file).decode_utf8_lossy();
                let file = base.join(file.as_ref()).display().to_string();
                format!("{NAME}{}", utf8_percent_encode(&file, ENCODED))
            }
        })
        .collect();
    *url = format!("{address}?{}", parameters.join("&"));
}
