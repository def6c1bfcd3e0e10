//! A set of keys that tokens are verified with, read from a JWKS document (RFC 7517).

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// No issuer publishes more; the rest of a longer set is not looked at.
const MAX_KEYS: usize = 100;
/// RSA keys below 2048 bits are refused (NIST SP 800-131A).
const MIN_RSA_MODULUS_BYTES: usize = 256;

/// The keys in use, and which set they are: a new set has a new number.
pub(super) struct KeySet {
    pub(super) generation: u64,
    keys: Vec<TokenKey>,
}

/// One key with the algorithms it may be used with. The binding is what defeats algorithm confusion: a public RSA key
/// is never an HMAC secret, whatever the token's header says.
pub(super) struct TokenKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

impl KeySet {
    pub(super) fn empty() -> Self {
        Self {
            generation: 0,
            keys: Vec::new(),
        }
    }

    /// The one key of HS256, for development.
    pub(super) fn shared_secret(secret: &[u8]) -> Self {
        let key = TokenKey {
            id: None,
            algorithms: vec![Algorithm::HS256],
            key: DecodingKey::from_secret(secret),
        };
        Self {
            generation: 1,
            keys: vec![key],
        }
    }

    /// Reads a JWKS document. Keys of kinds we don't use are skipped, symmetric ones among them: a secret has no
    /// business in a published set.
    ///
    /// # Errors
    /// When it isn't a key set, or has no usable key.
    pub(super) fn parse(json: &[u8], generation: u64) -> Result<Self, String> {
        let document: Value = serde_json::from_slice(json).map_err(|e| format!("not JSON: {e}"))?;
        let listed = document
            .get("keys")
            .and_then(Value::as_array)
            .ok_or("no array `keys` in it")?;
        let keys: Vec<TokenKey> = listed
            .iter()
            .take(MAX_KEYS)
            .filter_map(TokenKey::parse)
            .collect();
        if keys.is_empty() {
            return Err(format!(
                "none of its {} keys can verify signatures",
                listed.len()
            ));
        }
        Ok(Self { generation, keys })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key for a token's header. Without a key id, only if no other key fits the algorithm.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&TokenKey> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm));
        match id {
            Some(id) => fitting.find(|key| key.id.as_deref().is_none_or(|own| own == id)),
            None => {
                let first = fitting.next();
                if fitting.next().is_some() {
                    None
                } else {
                    first
                }
            }
        }
    }
}

impl TokenKey {
    fn parse(value: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        if jwk
            .common
            .public_key_use
            .as_ref()
            .is_some_and(|u| *u != PublicKeyUse::Signature)
        {
            return None;
        }
        let fitting: &[Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => &[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ],
            AlgorithmParameters::EllipticCurve(key) => match key.curve {
                EllipticCurve::P256 => &[Algorithm::ES256],
                EllipticCurve::P384 => &[Algorithm::ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                &[Algorithm::EdDSA]
            }
            _ => return None,
        };
        let algorithms: Vec<Algorithm> = match jwk.common.key_algorithm {
            None => fitting.to_vec(),
            Some(named) => fitting.iter().copied().filter(|a| is(*a, named)).collect(),
        };
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        if let jsonwebtoken::DecodingKeyKind::RsaModulusExponent { n, .. } = key.kind()
            && n.len() < MIN_RSA_MODULUS_BYTES
        {
            return None;
        }
        (!algorithms.is_empty()).then_some(Self {
            id: jwk.common.key_id,
            algorithms,
            key,
        })
    }
}

fn is(algorithm: Algorithm, named: KeyAlgorithm) -> bool {
    matches!(
        (algorithm, named),
        (Algorithm::RS256, KeyAlgorithm::RS256)
            | (Algorithm::RS384, KeyAlgorithm::RS384)
            | (Algorithm::RS512, KeyAlgorithm::RS512)
            | (Algorithm::PS256, KeyAlgorithm::PS256)
            | (Algorithm::PS384, KeyAlgorithm::PS384)
            | (Algorithm::PS512, KeyAlgorithm::PS512)
            | (Algorithm::ES256, KeyAlgorithm::ES256)
            | (Algorithm::ES384, KeyAlgorithm::ES384)
            | (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
    )
}
