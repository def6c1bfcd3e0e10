//! Which words say that a secret or a phone number comes next, and which say that none does.

use super::Kind;

/// Whether the name is that of a short code of digits that one person knows.
pub(super) fn is_code(name: &str) -> bool {
    const CODES: &[&str] = &["pin", "otp", "cvv", "cvc"];
    let name = name
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end_matches('_');
    CODES.contains(&name.rsplit('_').next().unwrap_or(name))
}

/// The kind of credential that a name ends with: `db_password`, `x-api-key`, `clientSecret`.
/// `name` is lower case, with `-`, `.` and spaces as `_`.
pub(super) fn credential(name: &str) -> Option<Kind> {
    const API_KEYS: &[&str] = &[
        "api_key",
        "apikey",
        "access_key",
        "accesskey",
        "access_key_id",
        "secret_key",
        "secretkey",
        "api_token",
        "apitoken",
    ];
    const TOKENS: &[&str] = &["token", "jwt", "authorization", "bearer"];
    const SECRETS: &[&str] = &[
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "passcode",
        "secret",
        "private_key",
        "privatekey",
        "encryption_key",
        "signing_key",
        "credential",
        "credentials",
        "client_secret",
        "connection_string",
        "connectionstring",
        "passwort",
        "kennwort",
        "contraseña",
        "mot_de_passe",
    ];
    let name = name
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end_matches('_');
    let ends = |words: &[&str]| words.iter().any(|word| name.ends_with(word));
    if is_code(name) {
        Some(Kind::Secret)
    } else if ends(API_KEYS) {
        Some(Kind::ApiKey)
    } else if ends(TOKENS) {
        Some(Kind::BearerToken)
    } else if ends(SECRETS) {
        Some(Kind::Secret)
    } else {
        None
    }
}

/// Whether the name is that of something only people choose, so that any value may be one.
pub(super) fn is_password(name: &str) -> bool {
    [
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "passcode",
        "passwort",
        "kennwort",
        "contraseña",
        "mot_de_passe",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// Whether a name is that of a phone number.
pub(super) fn is_phone(name: &str) -> bool {
    let exact = matches!(
        name,
        "tel"
            | "fax"
            | "cell"
            | "mob"
            | "call"
            | "sms"
            | "handy"
            | "dial"
            | "ring"
            | "text"
            | "tlf"
            | "gsm"
            | "msisdn"
            | "ph"
            | "móvil"
    );
    exact
        || [
            "phone",
            "mobile",
            "telefon",
            "whatsapp",
            "teléfono",
            "téléphone",
            "handynummer",
            "rufnummer",
            "telefax",
        ]
        .iter()
        .any(|word| name.contains(word))
}

/// Whether a word says that the number after it is another kind of number.
pub(super) fn names_another_number(word: &str) -> bool {
    matches!(
        word,
        "order"
            | "orders"
            | "invoice"
            | "ref"
            | "reference"
            | "id"
            | "ids"
            | "sku"
            | "isbn"
            | "issn"
            | "iban"
            | "account"
            | "acct"
            | "ticket"
            | "case"
            | "serial"
            | "version"
            | "batch"
            | "customer"
            | "tracking"
            | "ean"
            | "upc"
            | "asin"
            | "part"
            | "article"
            | "item"
            | "po"
            | "rma"
            | "vat"
            | "build"
            | "imei"
            | "bestellung"
            | "rechnung"
            | "konto"
            | "artikel"
            | "kunde"
            | "auftrag"
    )
}

/// Whether a value after `password:` and the like is plainly none.
pub(super) fn is_placeholder(value: &str) -> bool {
    let value = value
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    value.is_empty()
        || matches!(
            value.as_str(),
            "null"
                | "none"
                | "nil"
                | "undefined"
                | "true"
                | "false"
                | "yes"
                | "no"
                | "empty"
                | "unset"
                | "missing"
                | "required"
                | "optional"
                | "invalid"
                | "incorrect"
                | "wrong"
                | "expired"
                | "changed"
                | "reset"
                | "forgotten"
                | "forgot"
                | "lost"
                | "updated"
                | "protected"
                | "protection"
                | "hidden"
                | "redacted"
                | "masked"
                | "removed"
                | "enabled"
                | "disabled"
                | "set"
                | "ok"
                | "string"
                | "text"
                | "example"
                | "placeholder"
                | "bearer"
                | "basic"
                | "please"
                | "must"
                | "should"
                | "cannot"
                | "cant"
                | "can"
                | "the"
                | "your"
                | "is"
                | "was"
                | "not"
                | "and"
                | "policy"
                | "manager"
                | "unknown"
                | "x"
                | "xxx"
                | "xxxx"
        )
        || value.starts_with("redacted:")
        || value.chars().all(|c| c == 'x')
}
