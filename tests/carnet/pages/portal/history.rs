//! The list: filters and pages in the address, quick however long it is.

use super::{PAGE, head_is_alike, page};
use crate::support::{Server, Site};

#[tokio::test]
async fn filters_and_pages_stand_in_the_address() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    for _ in 0..27 {
        ada.export(&["tickets"]).await;
    }
    let count = |page: &str| page.matches(r#"class="status completed""#).count();
    let first = page(&ada).await;
    assert_eq!(count(&first), 25);
    assert!(
        first.contains("Page 1 of 2") && first.contains("27 exports"),
        "{first}"
    );
    assert!(first.len() < 150 * 1024, "{}", first.len());
    let second = ada.get(&format!("{PAGE}&page=2")).await.expect(200).text();
    assert_eq!(count(&second), 2);
    let failed = ada
        .get(&format!("{PAGE}&status=failed"))
        .await
        .expect(200)
        .text();
    assert!(failed.contains("No export with this status."), "{failed}");
    let beyond = ada.get(&format!("{PAGE}&page=9")).await.expect(200).text();
    assert!(beyond.contains("nothing on this page any more"), "{beyond}");
    for wrong in ["&status=nonsense", "&page=0", "&page=x", "&other=1"] {
        let answer = ada.get(&format!("{PAGE}{wrong}")).await.expect(400);
        assert_eq!(answer.code(), "malformed_request", "{wrong}");
    }
    ada.get("/settings?section=other").await.expect(404);
    head_is_alike(&ada, PAGE).await;
}
