//! What a bucket's refusals mean to whoever must set them right.

use crate::export::artifact::StorageError;

/// What the code in an answer's XML means; `None`: nothing that this service knows a remedy for.
pub(in crate::export::artifact) fn meaning(text: &str) -> Option<StorageError> {
    let code = code(text)?;
    Some(match code {
        "NoSuchBucket" => StorageError::NoBucket,
        "ExpiredToken" | "TokenRefreshRequired" | "InvalidToken" | "RequestExpired" => {
            StorageError::Expired
        }
        "RequestTimeTooSkewed" => StorageError::ClockSkew,
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "NotSignedUp"
        | "InvalidSecurity"
        | "MissingSecurityHeader" => StorageError::WrongCredentials {
            code: code.to_owned(),
        },
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "UnauthorizedAccess" => {
            StorageError::Denied {
                code: code.to_owned(),
            }
        }
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => StorageError::WrongRegion,
        "QuotaExceeded"
        | "XMinioStorageFull"
        | "XMinioAdminBucketQuotaExceeded"
        | "InsufficientStorage" => StorageError::Full,
        "SlowDown" | "ServiceUnavailable" | "InternalError" | "RequestTimeout" => {
            StorageError::Unreachable {
                reason: format!("it goes on answering {code}"),
            }
        }
        _ => return None,
    })
}

/// The text of the first `<Code>` element.
fn code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_refusal_names_a_remedy() {
        for (code, failure) in [
            ("NoSuchBucket", "storage_missing"),
            ("ExpiredToken", "storage_denied"),
            ("SignatureDoesNotMatch", "storage_denied"),
            ("AccessDenied", "storage_denied"),
            ("RequestTimeTooSkewed", "storage_clock"),
            ("QuotaExceeded", "storage_full"),
            ("SlowDown", "storage_unreachable"),
            ("AuthorizationHeaderMalformed", "storage_failed"),
        ] {
            let answer = format!(
                "status 400: <?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>No.</Message></Error>"
            );
            let meant = meaning(&answer).map(|error| (error.code(), error.to_string()));
            assert!(
                matches!(&meant, Some((found, text)) if *found == failure && (text.contains(": ") || failure == "storage_full")),
                "{code}: {meant:?}"
            );
        }
    }

    #[test]
    fn what_is_no_known_refusal_is_left_as_it_is() {
        for text in [
            "",
            "<Code></Code>",
            "<Code>NoSuchKey</Code>",
            "<Code>Access",
            "AccessDenied",
        ] {
            assert_eq!(meaning(text), None, "{text}");
        }
    }
}
