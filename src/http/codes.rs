//! Every problem code: its status, what happened, and what to do. One table serves the responses, the pages under
//! `/problems/`, and the API description.

use actix_web::http::StatusCode;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal, $happened:literal, $remedy:literal;)+) => {
        /// Why a request wasn't answered as asked.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)+
        }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// What stands for this code on the wire and in `/problems/<code>`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The status it is answered with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// The same few words wherever it occurs.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// What happened.
            pub const fn happened(self) -> &'static str {
                match self { $(Self::$name => $happened,)+ }
            }

            /// What to do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)+ }
            }
        }
    };
}

codes! {
    /// A body or parameter that can't be read.
    MalformedRequest = "malformed_request", BAD_REQUEST, "The request can't be read",
        "The body is not the JSON that was expected, or a parameter has the wrong form. The detail names the place.",
        "Correct the request; the API description at /docs shows every field and parameter.";
    /// No credentials, or ones that aren't believed.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "Sign-in needed",
        "The request carried no bearer token, or one that is expired, not yet valid, for another audience, or not signed by the issuer this service trusts; and no session that is still good.",
        "Programs get a token from their identity provider and send it as `Authorization: Bearer …`. People sign in at /sign-in.";
    /// A form of another site, or of another session.
    CrossSite = "cross_site", FORBIDDEN, "The request didn't come from a page of this service",
        "What changes something must be sent by a page of this service, and carry the token of the session that the page was shown in. Nothing was done.",
        "Load the page again and repeat what you did. If you came from another site, be careful: it tried to act in your name.";
    /// What is known of a person doesn't fit into a cookie.
    SessionTooLarge = "session_too_large", FORBIDDEN, "You can't be signed in with this many roles and permissions",
        "A session is kept in a cookie of 4 KiB, and the roles, permissions and tokens your identity provider gives for you don't fit.",
        "Ask the administrators of your identity provider to send this service only the roles and permissions it uses.";
    /// The provider said no.
    SignInRefused = "sign_in_refused", FORBIDDEN, "You weren't signed in",
        "Your identity provider didn't sign you in here: you stopped, or you may not use this service.",
        "Try again. If it goes on, ask the administrators of your identity provider.";
    /// A sign-in that this browser didn't begin, or that is over.
    SignInFailed = "sign_in_failed", FORBIDDEN, "The sign-in couldn't be completed",
        "It took longer than ten minutes, was used before, was begun in another browser, or the identity provider's answer couldn't be believed. You were not signed in.",
        "Start again from the page you wanted. Your browser must accept cookies from this site.";
    /// Something changed since the export was made.
    AccessChanged = "access_changed", FORBIDDEN, "Access has changed since this export was made",
        "The permissions you hold, the redaction policy of a category in this export, or the state of the tenant is no longer what it was when the export was made.",
        "Request a new export. If access is given back, this one can be downloaded again while it lasts.";
    /// The tenant takes no exports.
    TenantClosed = "tenant_closed", FORBIDDEN, "The tenant is closed",
        "Exports of this tenant are closed.",
        "Ask the platform's operators; they can open it again.";
    /// The one not-found.
    NotFound = "not_found", NOT_FOUND, "Not found",
        "There is nothing here that you may see. It may never have existed, belong to someone else, or need a role you don't have; the answer is the same for all of these.",
        "Check the address, and whether you are signed in as the right person.";
    /// A method the resource doesn't have.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The resource doesn't have this method",
        "The address exists, but can't be used with this HTTP method. The `Allow` header names those it has.",
        "Use one of the allowed methods.";
    /// The body didn't come in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The request took too long to arrive",
        "The body was not received in time.",
        "Send the request again over a working connection.";
    /// One export is active.
    ExportInProgress = "export_in_progress", CONFLICT, "An export is in progress",
        "You or your tenant already have an export queued or running, and only one may be at a time. `active_export_id` names it where it is yours to see.",
        "Wait for it to finish, or cancel it.";
    /// The export is settled.
    NotCancellable = "not_cancellable", CONFLICT, "The export can't be cancelled any more",
        "Only a queued or running export can be cancelled; this one has completed, failed or expired.",
        "Nothing needs to be done.";
    /// The state doesn't allow an operator's act.
    NotPossible = "not_possible", CONFLICT, "Not possible as things stand",
        "The export, tenant or projection is in a state that doesn't allow this act. The detail names it.",
        "Look at how it stands now; nothing was changed.";
    /// There is no artifact.
    NotReady = "not_ready", CONFLICT, "There is no file to download",
        "The export hasn't completed: it is queued or running, or it failed or was cancelled.",
        "Follow the export's status and download once it is completed; after a failure, request a new export.";
    /// The artifact's time is over.
    Expired = "expired", GONE, "The export has expired",
        "The file could be downloaded for a limited time, which is over.",
        "Request a new export.";
    /// The body is too large.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large",
        "A request's body may have 16 KiB.",
        "Send a smaller body.";
    /// The body isn't JSON.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body's media type isn't supported",
        "The API reads bodies as JSON, pages read them as forms.",
        "Send JSON, with `Content-Type: application/json`.";
    /// The range lies outside the file.
    RangeNotSatisfiable = "range_not_satisfiable", RANGE_NOT_SATISFIABLE, "The range lies outside the file",
        "The `Range` header asks for bytes the file doesn't have. `Content-Range` tells its length.",
        "Ask for a range within the file, or leave the header out.";
    /// A category that isn't there for the caller.
    UnknownCategory = "unknown_category", UNPROCESSABLE_ENTITY, "There is no such category",
        "A requested category is not in the catalog, or not in yours.",
        "Choose categories from GET /api/account-exports/catalog.";
    /// A format, compression or scope that isn't offered.
    UnsupportedOption = "unsupported_option", UNPROCESSABLE_ENTITY, "This option isn't offered",
        "The requested format, compression or scope is not one this service offers.",
        "Choose from what GET /api/account-exports/catalog lists.";
    /// The key was used for another request.
    IdempotencyMismatch = "idempotency_mismatch", UNPROCESSABLE_ENTITY, "The idempotency key was used for another request",
        "An earlier request with the same `Idempotency-Key` asked for something else.",
        "Repeat the earlier request exactly, or choose a new key.";
    /// The user's window is full.
    LimitUser = "limit_user", TOO_MANY_REQUESTS, "You have used up your exports for now",
        "You have had as many exports accepted as one person may in the rolling window.",
        "Try again at `next_allowed_at`, or ask the platform's operators for an exemption.";
    /// The tenant's window is full.
    LimitTenant = "limit_tenant", TOO_MANY_REQUESTS, "Your tenant has used up its exports for now",
        "Your tenant has had as many exports accepted as it may in the rolling window.",
        "Try again at `next_allowed_at`, or ask the platform's operators for an exemption.";
    /// A fault of ours.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side",
        "The service failed in a way it shouldn't. The failure is in its log under the request id.",
        "Try again; if it persists, give the operators the request id.";
    /// Too much at once.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "The service is busy",
        "More requests are being handled than the service takes on at once, or it is stopping.",
        "Try again after the time in `Retry-After`.";
    /// An operator paused the intake.
    IntakePaused = "intake_paused", SERVICE_UNAVAILABLE, "No requests are taken at the moment",
        "The platform's operators have paused the intake of export requests. Exports already accepted go on.",
        "Try again after the time in `Retry-After`.";
    /// A read model is behind.
    CatchingUp = "catching_up", SERVICE_UNAVAILABLE, "Lists are catching up",
        "The read model behind this list doesn't have the newest events yet, or can't be read. It is brought up to date from the history.",
        "Try again after the time in `Retry-After`; operators look at `carnet projections status`.";
    /// The event store can't be reached or written.
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE, "The history can't be written now",
        "The event store doesn't answer or can't be written. Nothing was changed; a request whose fate is unknown can be repeated safely with the same `Idempotency-Key`.",
        "Try again after the time in `Retry-After`; operators look at /readyz.";
    /// A newer release wrote to the stream.
    NodeOutdated = "node_outdated", SERVICE_UNAVAILABLE, "This node must be upgraded",
        "The history holds something that a newer release of this service wrote and this node can't read. So it decides nothing about it; nothing was changed and nothing is lost.",
        "Try again after the time in `Retry-After`: another node may answer. Operators upgrade this node; it goes on by itself.";
    /// The storage isn't verified.
    StorageUnverified = "storage_unverified", SERVICE_UNAVAILABLE, "The storage isn't verified",
        "Exports run only when the storage for their files has been verified by writing, reading and deleting a test file.",
        "Operators look at their board and the log; requests are accepted once the storage works.";
    /// The storage can't be read.
    StorageUnavailable = "storage_unavailable", SERVICE_UNAVAILABLE, "The storage can't be read now",
        "The storage that holds the file doesn't answer, or isn't the one it was. The file itself may well be whole.",
        "Try again after the time in `Retry-After`; operators look at their board and the log.";
    /// The stored file is damaged.
    ArtifactDamaged = "artifact_damaged", SERVICE_UNAVAILABLE, "The stored file is damaged",
        "The stored file no longer has the digests it was published with, so it isn't served.",
        "Request a new export. The damage is recorded; operators can restore the file from a backup, and it is served again.";
    /// Nobody can sign in with a browser.
    SignInNotSetUp = "sign_in_not_set_up", NOT_IMPLEMENTED, "There is no sign-in for browsers here",
        "This service isn't connected to an identity provider that people could sign in with.",
        "Operators set `[auth.oidc]` in the configuration. Programs use bearer tokens, as described at /docs.";
    /// The issuer's keys can't be had.
    SignInUnavailable = "sign_in_unavailable", SERVICE_UNAVAILABLE, "Nobody can be signed in now",
        "The identity provider doesn't answer, so nobody can be signed in and no token verified.",
        "Try again after the time in `Retry-After`; operators look at /readyz.";
}

impl Code {
    /// The code written `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}
