//! What is said before PostgreSQL's own protocol begins: whether there is TLS.
//!
//! Until it is there anybody may answer. So of a refusal no word is repeated, only its code, and none of them is taken for the last word: it is
//! tried again.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::rustls;

use super::error::Trouble;
use super::gauged::Wire;
use super::tls::{Mode, Tls};

/// Asks the server whether it does TLS: the length, and a code that is no version of the protocol.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The longest refusal that is read.
const REFUSAL: u32 = 8 * 1024;

/// Puts TLS on a connection, as far as `mode` asks for it and the server has it. `direct`: it isn't asked.
pub(super) async fn encrypt(
    mut stream: TcpStream,
    name: &str,
    (tls, mode, direct): (&Tls, Mode, bool),
) -> Result<Box<dyn Wire>, Trouble> {
    if mode == Mode::Disable {
        return Ok(Box::new(stream));
    }
    if !direct {
        stream
            .write_all(&TLS_REQUEST)
            .await
            .map_err(Trouble::Hung)?;
        match stream.read_u8().await.map_err(Trouble::Hung)? {
            b'S' => {}
            b'N' if mode == Mode::Prefer => return Ok(Box::new(stream)),
            b'N' => return Err(Trouble::Tls("the server has no TLS".into())),
            b'E' => return Err(Trouble::Refused(code(&mut stream).await)),
            other => return Err(Trouble::Foreign(other)),
        }
    }
    match tls.connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(unencrypted(error, direct)),
    }
}

/// Why there is no TLS where there should be.
fn unencrypted(error: io::Error, direct: bool) -> Trouble {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        // It said that it speaks TLS, and then spoke something else.
        Some(rustls::Error::InvalidMessage(_)) => Trouble::Garbled,
        Some(cause) => Trouble::Tls(cause.to_string()),
        None if direct => Trouble::Tls(format!(
            "{error}; `sslnegotiation=direct` needs PostgreSQL 17 or later"
        )),
        None => Trouble::Hung(error),
    }
}

/// The SQLSTATE of a refusal, of which the first letter was read. A server that can't even begin a process for us has none.
async fn code(stream: &mut TcpStream) -> Option<String> {
    let length = stream.read_u32().await.ok()?;
    let length = length.checked_sub(4).filter(|length| *length <= REFUSAL)?;
    let mut body = vec![0; usize::try_from(length).ok()?];
    stream.read_exact(&mut body).await.ok()?;
    let mut fields = body.split(|byte| *byte == 0);
    let code = fields.find_map(|field| field.strip_prefix(b"C"))?;
    let is_code = code.len() == 5 && code.iter().all(u8::is_ascii_alphanumeric);
    is_code.then(|| String::from_utf8_lossy(code).into_owned())
}
