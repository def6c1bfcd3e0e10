//! Two ways to send one file, each with its own headers.

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponseBuilder};
use base64::Engine as _;
use carnet_events::ids::{Digest, ExportId};
use serde::Deserialize;

use crate::export::artifact::Compression;
use crate::export::artifact::read::Published as Stored;
use crate::http::conditional::accepts;

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    Json,
    Stored,
}

/// One way to send a file.
pub(in crate::http::account_exports) struct Representation {
    pub(super) form: Form,
    /// The document is sent with the stored coding.
    coded: bool,
    compression: Compression,
    pub(super) bytes: u64,
    digest: Digest,
    pub(super) etag: String,
}

impl Representation {
    pub(super) fn choose(request: &HttpRequest, form: Option<Form>, stored: &Stored) -> Self {
        let compression = stored.compression();
        let form = form.unwrap_or(Form::Json);
        let coded = form == Form::Json
            && compression
                .content_coding()
                .is_none_or(|coding| accepts(request.headers(), coding));
        let whole = form == Form::Stored || coded;
        let (bytes, digest) = if whole {
            (stored.stored_bytes, stored.stored_sha256)
        } else {
            (stored.json_bytes, stored.json_sha256)
        };
        let kind = match (form, coded) {
            (Form::Stored, _) => "stored",
            (Form::Json, true) => "coded",
            (Form::Json, false) => "json",
        };
        let etag = format!(
            "\"{}-{kind}\"",
            hex::encode(digest.as_bytes().get(..16).unwrap_or_default())
        );
        Self {
            form,
            coded,
            compression,
            bytes,
            digest,
            etag,
        }
    }

    /// What the access record calls it.
    pub(in crate::http::account_exports) fn name(&self) -> &'static str {
        match self.form {
            Form::Json => "json",
            Form::Stored => "stored",
        }
    }

    /// Whether it is sent as it is stored, byte for byte.
    pub(in crate::http::account_exports) fn is_as_stored(&self) -> bool {
        self.form == Form::Stored || self.coded
    }

    fn media_type(&self) -> &'static str {
        match self.form {
            Form::Json => "application/json",
            Form::Stored => self.compression.media_type(),
        }
    }

    fn disposition(&self, id: ExportId) -> String {
        let extension = match self.form {
            Form::Json => "json",
            Form::Stored => self.compression.extension(),
        };
        format!("attachment; filename=\"carnet-{id}.{extension}\"")
    }

    /// The coding that a client undoes by itself, if it is sent with one.
    fn content_coding(&self) -> Option<&'static str> {
        match (self.form, self.coded) {
            (Form::Json, true) => self.compression.content_coding(),
            _ => None,
        }
    }

    /// The headers that a bucket is to answer with.
    pub(in crate::http::account_exports) fn answered_with(
        &self,
        id: ExportId,
    ) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("response-content-type", self.media_type().to_owned()),
            ("response-content-disposition", self.disposition(id)),
            ("response-cache-control", "no-store".to_owned()),
        ];
        if let Some(coding) = self.content_coding() {
            headers.push(("response-content-encoding", coding.to_owned()));
        }
        headers
    }

    pub(super) fn headers(&self, response: &mut HttpResponseBuilder, id: ExportId) {
        let digest = base64::engine::general_purpose::STANDARD.encode(self.digest.as_bytes());
        response
            .content_type(self.media_type())
            .insert_header((header::ETAG, self.etag.as_str()))
            .insert_header((REPR_DIGEST, format!("sha-256=:{digest}:")))
            .insert_header((header::CONTENT_DISPOSITION, self.disposition(id)))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::VARY, "Accept-Encoding"))
            .insert_header((
                header::ACCEPT_RANGES,
                if self.form == Form::Stored {
                    "bytes"
                } else {
                    "none"
                },
            ));
        if let Some(coding) = self.content_coding() {
            response.insert_header((header::CONTENT_ENCODING, coding));
        }
    }
}
