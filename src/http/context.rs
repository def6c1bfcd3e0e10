//! What a request is called: its id, and the trace it belongs to.

use actix_web::http::header::HeaderMap;
use actix_web::{HttpMessage as _, HttpRequest};
use uuid::Uuid;

/// Ids of one request, in logs, events and responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestContext {
    /// Ours, a UUID v7; answered as `X-Request-Id`.
    pub request_id: Uuid,
    /// The trace: the caller's (W3C Trace Context), or a new one.
    pub trace_id: TraceId,
}

/// 16 bytes, shown as 32 hex digits; never all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(u128);

impl std::fmt::Display for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl RequestContext {
    /// Ids for a request with these headers. An `X-Request-Id` sent by the client is not taken over: ids in our log
    /// are ours.
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let sent = headers
            .get("traceparent")
            .and_then(|value| value.to_str().ok())
            .and_then(trace_id);
        Self {
            request_id: Uuid::now_v7(),
            trace_id: sent.unwrap_or_else(|| TraceId(Uuid::new_v4().as_u128())),
        }
    }

    /// The ids of `request`; `observe` has given it some.
    pub fn of(request: &HttpRequest) -> Self {
        let given = request.extensions().get::<Self>().copied();
        given.unwrap_or_else(|| Self::new(request.headers()))
    }
}

/// `version-traceid-parentid-flags` of W3C Trace Context: lower-case hex, `ff` is no version, zeros are no id.
fn trace_id(traceparent: &str) -> Option<TraceId> {
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let known =
        hex(version, 2) && version != "ff" && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let exact = version != "00" || parts.next().is_none();
    let zero = |part: &str| part.bytes().all(|b| b == b'0');
    if !known || !exact || zero(trace) || zero(parent) {
        return None;
    }
    u128::from_str_radix(trace, 16).ok().map(TraceId)
}

#[cfg(test)]
mod tests {
    use super::trace_id;

    #[test]
    fn traceparent_is_read_as_the_standard_says() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(
            trace_id(good).map(|t| t.to_string()).as_deref(),
            Some("4bf92f3577b34da6a3ce929d0e0e4736")
        );
        assert!(trace_id(&good.replacen("00", "cc", 1).replace("-01", "-01-more")).is_some());
        for bad in [
            "",
            "00",
            &good.to_uppercase(),
            &good.replacen("00", "ff", 1),
            &format!("{good}-x"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert!(trace_id(bad).is_none(), "{bad}");
        }
    }
}
