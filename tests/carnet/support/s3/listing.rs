//! Stand-in for the call that `s3s-fs` lacks: `ListMultipartUploads`. All other calls go to the real server; this one is answered from what was begun
//! and not ended.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;

#[derive(Clone)]
pub(super) struct Listing {
    real: Arc<FileSystem>,
    begun: Arc<Mutex<BTreeMap<String, (String, SystemTime)>>>,
    lists: Arc<AtomicBool>,
}

impl Listing {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            real: Arc::new(FileSystem::new(root).unwrap()),
            begun: Arc::default(),
            lists: Arc::default(),
        }
    }

    pub(super) fn answer(&self, lists: bool) {
        self.lists.store(lists, Ordering::Relaxed);
    }
}

macro_rules! passed_on {
    ($($call:ident: $input:ident -> $output:ident),* $(,)?) => {
        #[async_trait::async_trait]
        impl S3 for Listing {
            $(async fn $call(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.real.$call(request).await
            })*

            async fn create_multipart_upload(
                &self,
                request: S3Request<CreateMultipartUploadInput>,
            ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
                let key = request.input.key.clone();
                let created = self.real.create_multipart_upload(request).await?;
                let upload = created.output.upload_id.clone().unwrap();
                self.begun.lock().unwrap().insert(upload, (key, SystemTime::now()));
                Ok(created)
            }

            async fn complete_multipart_upload(
                &self,
                request: S3Request<CompleteMultipartUploadInput>,
            ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
                let upload = request.input.upload_id.clone();
                let completed = self.real.complete_multipart_upload(request).await?;
                self.begun.lock().unwrap().remove(&upload);
                Ok(completed)
            }

            async fn abort_multipart_upload(
                &self,
                request: S3Request<AbortMultipartUploadInput>,
            ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
                let upload = request.input.upload_id.clone();
                let aborted = self.real.abort_multipart_upload(request).await?;
                self.begun.lock().unwrap().remove(&upload);
                Ok(aborted)
            }

            async fn list_multipart_uploads(
                &self,
                request: S3Request<ListMultipartUploadsInput>,
            ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
                if !self.lists.load(Ordering::Relaxed) {
                    return Err(s3_error!(NotImplemented));
                }
                let prefix = request.input.prefix.unwrap_or_default();
                let begun = self.begun.lock().unwrap();
                let below = begun.iter().filter(|(_, (key, _))| key.starts_with(&prefix));
                let uploads = below.map(|(upload, (key, at))| MultipartUpload {
                    key: Some(key.clone()),
                    upload_id: Some(upload.clone()),
                    initiated: Some((*at).into()),
                    ..MultipartUpload::default()
                });
                Ok(S3Response::new(ListMultipartUploadsOutput {
                    uploads: Some(uploads.collect()),
                    is_truncated: Some(false),
                    ..ListMultipartUploadsOutput::default()
                }))
            }
        }
    };
}

passed_on! {
    get_object: GetObjectInput -> GetObjectOutput,
    head_object: HeadObjectInput -> HeadObjectOutput,
    put_object: PutObjectInput -> PutObjectOutput,
    delete_object: DeleteObjectInput -> DeleteObjectOutput,
    list_objects_v2: ListObjectsV2Input -> ListObjectsV2Output,
    upload_part: UploadPartInput -> UploadPartOutput,
}
