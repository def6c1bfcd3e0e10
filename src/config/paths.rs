//! Relative paths and path urls are made absolute against the configuration file's directory, once, at loading.

use std::path::{Path, PathBuf};

use super::Config;

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

/// `sqlite:PATH` and `file:PATH`; urls with an authority (`postgres://host/…`) name no path here.
fn url(url: &mut String, base: &Path) {
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
