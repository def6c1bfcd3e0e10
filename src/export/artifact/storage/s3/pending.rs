//! Uploads in parts that were begun and never ended: what a killed process leaves in a bucket, invisible, and paid for all the same.

use std::time::{Duration, SystemTime};

use object_store::path::Path;
use object_store::signer::{Method, SignedUrlOptions, Signer};
use serde::Deserialize;

use super::{Bucket, meaning};
use crate::export::artifact::StorageError;

/// Pages of a thousand that one sweep looks at; the next takes the rest.
const MAX_PAGES: usize = 10;

/// How large a page may be: a thousand keys with all that belongs to them.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// How long the address of a listing is good for.
const SIGNED_FOR: Duration = Duration::from_secs(60);

/// An upload that was begun.
#[derive(Debug)]
pub(in crate::export::artifact::storage) struct Pending {
    /// The key below the prefix.
    pub(in crate::export::artifact::storage) key: String,
    pub(in crate::export::artifact::storage) begun: SystemTime,
    path: Path,
    upload: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Page {
    is_truncated: bool,
    next_key_marker: String,
    next_upload_id_marker: String,
    #[serde(rename = "Upload")]
    uploads: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    key: String,
    upload_id: String,
    initiated: jiff::Timestamp,
}

impl Bucket {
    /// Uploads in parts below the prefix that haven't ended; `None`: the bucket doesn't say, or not to these credentials.
    pub(in crate::export::artifact::storage) async fn pending(
        &self,
    ) -> Result<Option<Vec<Pending>>, StorageError> {
        let prefix = match self.prefix.as_ref() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let (mut found, mut from) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let Some(page) = self.page(&prefix, from.take()).await? else {
                return Ok(None);
            };
            found.extend(page.uploads.into_iter().filter_map(|listed| {
                let key = listed.key.strip_prefix(&prefix)?.to_owned();
                let path = Path::parse(&key).ok()?;
                let begun = listed.initiated.into();
                let upload = listed.upload_id;
                Some(Pending {
                    key,
                    begun,
                    path,
                    upload,
                })
            }));
            if !page.is_truncated || page.next_key_marker.is_empty() {
                break;
            }
            from = Some((page.next_key_marker, page.next_upload_id_marker));
        }
        Ok(Some(found))
    }

    /// Forgets such an upload.
    pub(in crate::export::artifact::storage) async fn forget(
        &self,
        pending: &Pending,
    ) -> Result<(), StorageError> {
        self.abort(&pending.path, &pending.upload).await
    }

    async fn page(
        &self,
        prefix: &str,
        from: Option<(String, String)>,
    ) -> Result<Option<Page>, StorageError> {
        self.credentials().await?;
        let mut query = vec![("uploads", String::new()), ("prefix", prefix.to_owned())];
        if let Some((key, upload)) = from {
            query.extend([("key-marker", key), ("upload-id-marker", upload)]);
        }
        let options = SignedUrlOptions::default().with_query(query);
        let root = Path::default();
        let url = self
            .s3
            .signed_url_opts(Method::GET, &root, SIGNED_FOR, &options);
        let url = url.await?;
        // The address is as good as the credentials for what it names, so it isn't shown.
        let unreachable = |error: reqwest::Error| StorageError::Unreachable {
            reason: error.without_url().to_string(),
        };
        let mut answer = self.http.get(url).send().await.map_err(unreachable)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + piece.len() > MAX_PAGE_BYTES {
                return Err(StorageError::Failed {
                    reason: "a list of unfinished uploads was too long".to_owned(),
                });
            }
            body.extend_from_slice(&piece);
        }
        let text = String::from_utf8_lossy(&body);
        if status.is_success() {
            let page = quick_xml::de::from_str(&text).map_err(|error| StorageError::Failed {
                reason: format!("a list of unfinished uploads can't be read: {error}"),
            })?;
            return Ok(Some(page));
        }
        match meaning(&text) {
            Some(StorageError::Denied { .. }) => Ok(None),
            Some(error) => Err(error),
            // Servers that lack the call answer 501, 405, 404 or 400, with one code or another.
            None if status.is_client_error() || status.as_u16() == 501 => Ok(None),
            None => Err(StorageError::Unreachable {
                reason: format!("it answered {status}"),
            }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_unfinished_uploads_is_read() {
        let page: Page = quick_xml::de::from_str(
            "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>b</Bucket>\
             <KeyMarker></KeyMarker><NextKeyMarker>k2</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker><IsTruncated>true</IsTruncated>\
             <Upload><Key>k1</Key><UploadId>u1</UploadId><Initiator><ID>x</ID></Initiator><StorageClass>STANDARD</StorageClass>\
             <Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>\
             <Upload><Key>k2</Key><UploadId>u2</UploadId><Initiated>2010-11-10T20:49:33.000Z</Initiated></Upload></ListMultipartUploadsResult>",
        )
        .unwrap();
        assert!(
            page.is_truncated && page.next_key_marker == "k2" && page.next_upload_id_marker == "u2"
        );
        assert_eq!(page.uploads.len(), 2);
        assert_eq!(
            page.uploads[0].initiated.to_string(),
            "2010-11-10T20:48:33Z"
        );
        let empty: Page = quick_xml::de::from_str(
            "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>",
        )
        .unwrap();
        assert!(!empty.is_truncated && empty.uploads.is_empty());
    }
}
