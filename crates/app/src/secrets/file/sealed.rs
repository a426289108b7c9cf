//! What the encrypted file holds: secrets by account, each sealed by itself under a key that is made from the passphrase.
//! Key: Argon2id (RFC 9106). Seal: XChaCha20-Poly1305. Account names are not secret: they stand in `connections.json`, too.

use std::collections::BTreeMap;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use lotse_cloud::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The form of the file that this program writes.
const FORMAT: u32 = 1;

/// Bytes of salt, as RFC 9106, section 3.1 recommends.
const SALT: usize = 16;

/// Bytes of the nonce of XChaCha20: long enough to be drawn by chance for every seal.
const NONCE: usize = 24;

/// What it costs to make a key of a passphrase, and so what each guess costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WorkFactor {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl WorkFactor {
    /// The second recommended choice of RFC 9106, section 4: 64 MiB. A fraction of a second on a computer of today.
    pub(super) const RECOMMENDED: Self = Self {
        memory_kib: 64 << 10,
        passes: 3,
        lanes: 4,
    };

    /// As little as there is, for tests.
    #[cfg(test)]
    pub(super) const LEAST: Self = Self {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    /// More than four times what this program writes was not written by it, and would keep the computer busy.
    fn is_bearable(self) -> bool {
        self.memory_kib <= 256 << 10 && self.passes <= 12 && self.lanes <= 16
    }
}

/// Why the file does not give what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is not as it was written.
    Damaged,
    /// A newer program wrote it in a form of its own.
    Newer,
    /// The passphrase is another one.
    WrongPassphrase,
    /// The system has no randomness to give.
    NoRandomness,
}

/// The key of one file, made from its passphrase.
pub(super) struct Key {
    /// Which file's.
    salt: String,
    bytes: Zeroizing<[u8; 32]>,
}

/// The file as it is written: its content, and a checksum that tells damage from a wrong passphrase.
#[derive(Serialize, Deserialize)]
struct Whole {
    content: Content,
    /// SHA-256 of the content as compact JSON, in base64.
    sha256: String,
}

#[derive(Deserialize)]
struct OfAnyForm {
    content: Form,
}

#[derive(Deserialize)]
struct Form {
    format: u32,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Content {
    format: u32,
    argon2id: WorkFactor,
    /// In base64, drawn by chance for every file.
    salt: String,
    /// Nothing, sealed: tells whether a key is the right one.
    check: String,
    /// Nonce and sealed secret in base64, by account.
    secrets: BTreeMap<String, String>,
}

impl Content {
    /// That of a new file, and its key.
    pub(super) fn new(passphrase: &Secret, work: WorkFactor) -> Result<(Self, Key), Flaw> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|_| Flaw::NoRandomness)?;
        let mut content = Self {
            format: FORMAT,
            argon2id: work,
            salt: BASE64_STANDARD.encode(salt),
            check: String::new(),
            secrets: BTreeMap::new(),
        };
        let key = content.derive(passphrase)?;
        content.check = key.seal(Purpose::Check, "")?;
        Ok((content, key))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Flaw> {
        let form: OfAnyForm = serde_json::from_slice(bytes).map_err(|_| Flaw::Damaged)?;
        if form.content.format > FORMAT {
            return Err(Flaw::Newer);
        }
        let whole: Whole = serde_json::from_slice(bytes).map_err(|_| Flaw::Damaged)?;
        if whole.sha256 != whole.content.sha256()? || !whole.content.argon2id.is_bearable() {
            return Err(Flaw::Damaged);
        }
        Ok(whole.content)
    }

    pub(super) fn into_bytes(self) -> Result<Vec<u8>, Flaw> {
        let sha256 = self.sha256()?;
        serde_json::to_vec_pretty(&Whole { content: self, sha256 }).map_err(|_| Flaw::Damaged)
    }

    /// The key that this passphrase makes, if it is the file's.
    pub(super) fn key(&self, passphrase: &Secret) -> Result<Key, Flaw> {
        let key = self.derive(passphrase)?;
        match key.open(Purpose::Check, &self.check) {
            Some(_) => Ok(key),
            // The checksum has told that nothing is damaged.
            None => Err(Flaw::WrongPassphrase),
        }
    }

    /// Is this key one of this very file?
    pub(super) fn fits(&self, key: &Key) -> bool {
        self.salt == key.salt
    }

    pub(super) fn has(&self, account: &str) -> bool {
        self.secrets.contains_key(account)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    pub(super) fn read(&self, account: &str, key: &Key) -> Result<Option<Secret>, Flaw> {
        let Some(sealed) = self.secrets.get(account) else {
            return Ok(None);
        };
        let secret = key.open(Purpose::Secret(account), sealed).ok_or(Flaw::Damaged)?;
        Ok(Some(Secret::new(secret)))
    }

    pub(super) fn write(&mut self, account: &str, secret: &Secret, key: &Key) -> Result<(), Flaw> {
        let sealed = key.seal(Purpose::Secret(account), secret.expose())?;
        self.secrets.insert(account.to_owned(), sealed);
        Ok(())
    }

    pub(super) fn remove(&mut self, account: &str) {
        self.secrets.remove(account);
    }

    fn derive(&self, passphrase: &Secret) -> Result<Key, Flaw> {
        let work = self.argon2id;
        let params = Params::new(work.memory_kib, work.passes, work.lanes, None).map_err(|_| Flaw::Damaged)?;
        let salt = BASE64_STANDARD.decode(&self.salt).map_err(|_| Flaw::Damaged)?;
        let mut bytes = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), &salt, &mut *bytes)
            .map_err(|_| Flaw::Damaged)?;
        Ok(Key {
            salt: self.salt.clone(),
            bytes,
        })
    }

    pub(super) fn sha256(&self) -> Result<String, Flaw> {
        let json = serde_json::to_vec(self).map_err(|_| Flaw::Damaged)?;
        Ok(BASE64_STANDARD.encode(Sha256::digest(json)))
    }
}

/// What a seal is for, so that none can be put in the place of another.
#[derive(Clone, Copy)]
enum Purpose<'a> {
    Check,
    Secret(&'a str),
}

impl Purpose<'_> {
    fn words(self) -> String {
        match self {
            Self::Check => "imagelotse check".to_owned(),
            Self::Secret(account) => format!("imagelotse secret {account}"),
        }
    }
}

impl Key {
    fn seal(&self, purpose: Purpose<'_>, text: &str) -> Result<String, Flaw> {
        let mut sealed = vec![0; NONCE];
        getrandom::fill(&mut sealed).map_err(|_| Flaw::NoRandomness)?;
        let nonce = XNonce::try_from(sealed.as_slice()).map_err(|_| Flaw::NoRandomness)?;
        let words = purpose.words();
        let payload = Payload {
            msg: text.as_bytes(),
            aad: words.as_bytes(),
        };
        // Fails for texts of 256 GiB only.
        sealed.extend(self.cipher().encrypt(&nonce, payload).map_err(|_| Flaw::Damaged)?);
        Ok(BASE64_STANDARD.encode(sealed))
    }

    fn open(&self, purpose: Purpose<'_>, sealed: &str) -> Option<String> {
        let bytes = BASE64_STANDARD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let words = purpose.words();
        let payload = Payload {
            msg: sealed,
            aad: words.as_bytes(),
        };
        let text = self.cipher().decrypt(&XNonce::try_from(nonce).ok()?, payload).ok()?;
        String::from_utf8(text).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.bytes).into())
    }
}
