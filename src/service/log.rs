//! Opening the log that is configured.

use std::sync::Arc;

use carnet_events::copy;
use carnet_events::store::{self, Access, EventStore, StoreError};

/// Opens the log at `url`, unless it isn't one to work with: half a copy looks like a whole log, and one that was moved takes
/// no more events.
///
/// # Errors
/// As [`store::open`]; `Refused` names what to do.
pub async fn open_log(url: &str, access: Access) -> Result<Arc<dyn EventStore>, StoreError> {
    let refused = |reason: String| Err(StoreError::Refused { reason });
    let store = store::open(url, access).await?;
    if access == Access::ReadWrite
        && let Some(why) = store.sealed().await?
    {
        return refused(format!(
            "the log is sealed: {why}; set store.url to where it is now"
        ));
    }
    if copy::unfinished(store.as_ref()).await? {
        let remedy = "a copy into it was begun and not finished: run `carnet events copy` again until it says that both \
                      logs are equal";
        return refused(remedy.to_owned());
    }
    Ok(store)
}
