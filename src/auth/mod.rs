//! Who is calling: bearer tokens (JWT, RFC 7519) verified against the issuer's keys, and sessions of people who signed in with
//! a browser.
//!
//! Tenant, user, roles and permissions come from a verified token and from nowhere else; an `X-API-Key` header is
//! never looked at. A token is believed when its algorithm fits the type of the key that verifies it, and issuer,
//! audience, expiry and not-before hold. Verified tokens are remembered until they expire or the keys change.

mod caller;
mod fetch;
mod jwks;
mod oidc;
mod session;
mod sign;
mod source;
#[cfg(test)]
mod tests;
mod verify;

pub use caller::{Caller, Fingerprint};
pub(crate) use oidc::{CALLBACK, Callback, PATIENCE, Pending, SIGNED_OUT};
pub use oidc::{OidcError, Provider, Vouched};
pub use session::{
    Identity, Replaced, Resumed, Resumption, Session, SessionError, SessionKey, Sessions, Way,
};
pub use sign::{SignError, TokenRequest, sign};
pub use verify::{AuthError, Verifier};
