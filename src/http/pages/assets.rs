//! The files that pages share. They are in the program, and their addresses hold their digests, so a browser asks for
//! each once and never has a stale one.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::digest;

use crate::http::codes::Code;
use crate::http::problem::Problem;

/// The scripts of every page, in the order they run.
pub(super) const SCRIPTS: [&str; 3] = ["htmx.js", "htmx-sse.js", "app.js"];

/// Digits of the digest that stand in an address.
const DIGEST_DIGITS: usize = 16;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 5] = [
    Asset {
        name: "style.css",
        media_type: "text/css; charset=utf-8",
        content: concat!(
            include_str!("../../assets/style/base.css"),
            include_str!("../../assets/style/portal.css"),
            include_str!("../../assets/style/audit.css"),
            include_str!("../../assets/style/operator.css"),
        ),
    },
    script("htmx.js", include_str!("../../assets/vendor/htmx.min.js")),
    script(
        "htmx-sse.js",
        include_str!("../../assets/vendor/htmx-sse.min.js"),
    ),
    script("app.js", include_str!("../../assets/app.js")),
    Asset {
        name: "icon.svg",
        media_type: "image/svg+xml",
        content: include_str!("../../assets/icon.svg"),
    },
];

const fn script(name: &'static str, content: &'static str) -> Asset {
    Asset {
        name,
        media_type: "text/javascript; charset=utf-8",
        content,
    }
}

/// What is sent: the asset compressed once, and where it is.
struct Ready {
    asset: &'static Asset,
    digest: String,
    gzip: Vec<u8>,
}

static READY: LazyLock<Vec<Ready>> = LazyLock::new(|| ASSETS.iter().map(ready).collect());

fn ready(asset: &'static Asset) -> Ready {
    let digest = digest::digest(&digest::SHA256, asset.content.as_bytes());
    let mut digest = hex::encode(digest.as_ref());
    digest.truncate(DIGEST_DIGITS);
    Ready {
        asset,
        digest,
        gzip: gzip(asset.content.as_bytes()).unwrap_or_default(),
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    coder.write_all(bytes)?;
    coder.finish()
}

/// Where the asset called `name` is.
pub(super) fn address(name: &str) -> String {
    let digest = READY
        .iter()
        .find(|ready| ready.asset.name == name)
        .map_or("", |ready| &ready.digest);
    format!("/assets/{digest}/{name}")
}

pub(super) async fn get(
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (digest, name) = path.into_inner();
    let ready = READY
        .iter()
        .find(|ready| ready.asset.name == name && ready.digest == digest)
        .ok_or(Code::NotFound)?;
    let mut response = HttpResponse::Ok();
    response
        .content_type(ready.asset.media_type)
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((header::VARY, "Accept-Encoding"));
    let takes_gzip = request
        .headers()
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("gzip"));
    if takes_gzip && !ready.gzip.is_empty() {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
        return Ok(response.body(ready.gzip.clone()));
    }
    Ok(response.body(ready.asset.content))
}
