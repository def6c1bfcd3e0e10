//! `carnet token`: signs a development token with `auth.hs256_secret`.

use serde_json::json;

use super::output::Output;
use super::{ConfigFile, Failure, now};
use crate::auth::{TokenRequest, sign};
use crate::config::Span;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// The tenant; left out for operators
    #[arg(long)]
    tenant: Option<String>,
    /// The user
    #[arg(long)]
    user: String,
    /// A role; may be repeated
    #[arg(long = "role", value_name = "ROLE", required = true)]
    roles: Vec<String>,
    /// A permission; may be repeated
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// How long the token holds
    #[arg(long, default_value = "1h")]
    ttl: Span,
    /// Print a JSON document instead of the token alone
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    let config = args.config.load()?;
    let now = now();
    let request = TokenRequest {
        tenant: args.tenant.clone(),
        user: args.user.clone(),
        roles: args.roles.clone(),
        permissions: args.permissions.clone(),
        ttl: args.ttl.get(),
    };
    let token = sign(&config.auth, &request, now)?;
    if args.json {
        let expires_at = now.plus(args.ttl.get()).to_string();
        output.json(&json!({"token": token, "expires_at": expires_at}))
    } else {
        output.line(&token)
    }
}
