//! Join tokens and site codes: what the site that gives them remembers.
//!
//! Owns the two tables. Refuses to know whether a token is good: administration decides. A site
//! code that was ever given is a conflict that names it.

use model::{Owner, PeerIdentity, PeerKind, Sha256, SiteCode, SiteKind, Timestamp};
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{Error, Reader, Writer};

/// Tokens are forgotten this long after they expired; until then a repeated request is answered.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// A join token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    pub hash: Sha256,
    pub kind: PeerKind,
    /// The site its certificate will name.
    pub site: SiteCode,
    /// Of a joining site: its type and its parent.
    pub joins: Option<(SiteKind, SiteCode)>,
    /// The account that made it; an administrator's own token is made in the account's name.
    pub created_by: String,
    pub expires_at: Timestamp,
    pub used: Option<TokenUse>,
}

/// What a token was used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUse {
    pub at: Timestamp,
    /// Digest of the public key that used it.
    pub key: Sha256,
    pub identity: PeerIdentity,
    /// The leaf, if this site issued one.
    pub certificate: Option<Vec<u8>>,
    /// The intermediate, if this site issued one.
    pub authority: Option<Vec<u8>>,
    /// Of a joining site: its code and uuid.
    pub owner: Option<Owner>,
}

impl Reader<'_> {
    pub fn token(&self, hash: &Sha256) -> Result<Option<StoredToken>, Error> {
        let sql = "SELECT hash, kind, site, site_kind, parent, created_by, expires_at, used_at,
                     used_key, identity, certificate, authority, owner
                   FROM token WHERE hash = ?1";
        Ok(self.tx.query_optional(sql, [hash.0], token_row)?)
    }

    /// Whether a token of this kind was ever used; so an administrator exists, say.
    pub fn has_joined(&self, kind: PeerKind) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM token WHERE kind = ?1 AND used_at IS NOT NULL)";
        Ok(self.tx.query_row(sql, [kind.as_str()], |row| row.get(0))?)
    }

    /// Whom a site code was given to, ever.
    pub fn site_code(&self, code: SiteCode) -> Result<Option<Owner>, Error> {
        let sql = "SELECT owner FROM site_code WHERE code = ?1";
        let map = |row: &Row<'_>| parse_column(row, 0, |b: Vec<u8>| Owner::from_slice(&b));
        Ok(self.tx.query_optional(sql, [code.as_str()], map)?)
    }
}

impl Writer<'_> {
    /// Keeps a token, new or used now. Those of an administrator are kept for ever once used.
    pub fn save_token(&self, token: &StoredToken) -> Result<(), Error> {
        let old = self.now().plus_ms(-KEPT_MS).0;
        let sql = "DELETE FROM token
                   WHERE expires_at < ?1 AND NOT (kind = 'admin' AND used_at IS NOT NULL)";
        self.write.execute(sql, [old])?;
        let used = token.used.as_ref();
        self.write.execute(
            "INSERT OR REPLACE INTO token VALUES
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                token.hash.0,
                token.kind.as_str(),
                token.site.as_str(),
                token.joins.map(|(kind, _)| kind.as_str()),
                token.joins.map(|(_, parent)| parent.to_string()),
                token.created_by,
                token.expires_at.0,
                used.map(|u| u.at.0),
                used.map(|u| u.key.0),
                used.map(|u| u.identity.to_string()),
                used.and_then(|u| u.certificate.as_deref()),
                used.and_then(|u| u.authority.as_deref()),
                used.and_then(|u| u.owner).map(Owner::to_bytes)
            ],
        )?;
        Ok(())
    }

    /// Whether a site code is still free.
    pub fn check_site_code(&self, code: SiteCode) -> Result<(), Error> {
        if self.site_code(code)?.is_some() {
            let what = format!(
                "site code {code} was already given to a site of this hierarchy; codes are never \
                 given twice, choose another"
            );
            return Err(Error::Conflict { what });
        }
        Ok(())
    }

    /// Gives a site code to a site, once.
    pub fn give_site_code(&self, owner: Owner) -> Result<(), Error> {
        let code = owner.code;
        self.check_site_code(code)?;
        let sql = "INSERT INTO site_code VALUES (?1, ?2, ?3)";
        self.write.execute(sql, params![code.as_str(), owner.to_bytes(), self.now().0])?;
        Ok(())
    }
}

fn token_row(row: &Row<'_>) -> RowResult<StoredToken> {
    let used_at: Option<i64> = row.get(7)?;
    let site_kind: Option<String> = row.get(3)?;
    let joins = match site_kind {
        Some(_) => Some((
            parse_column(row, 3, |text: String| text.parse())?,
            parse_column(row, 4, |text: String| text.parse())?,
        )),
        None => None,
    };
    Ok(StoredToken {
        hash: parse_column(row, 0, |b: Vec<u8>| Sha256::from_slice(&b))?,
        kind: parse_column(row, 1, |text: String| text.parse())?,
        site: parse_column(row, 2, |text: String| text.parse())?,
        joins,
        created_by: row.get(5)?,
        expires_at: Timestamp(row.get(6)?),
        used: used_at.map(|at| token_use(row, Timestamp(at))).transpose()?,
    })
}

fn token_use(row: &Row<'_>, at: Timestamp) -> RowResult<TokenUse> {
    let owner = |bytes: Option<Vec<u8>>| bytes.map(|b| Owner::from_slice(&b)).transpose();
    Ok(TokenUse {
        at,
        key: parse_column(row, 8, |b: Vec<u8>| Sha256::from_slice(&b))?,
        identity: parse_column(row, 9, |text: String| text.parse())?,
        certificate: row.get(10)?,
        authority: row.get(11)?,
        owner: parse_column(row, 12, owner)?,
    })
}
