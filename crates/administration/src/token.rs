//! Join tokens: making them and judging them.
//!
//! Owns the rules: a token is good once, for one hour unless told otherwise, for one kind and one
//! site; used again with the same key it gives the same answer.

use ambient::Ambient;
use model::{Invalid, PeerKind, Sha256, SiteCode, SiteKind, Timestamp};
use site_db::{Reader, StoredToken, TokenUse, Writer};
use trust::{Anchor, JoinToken, TokenSecret};

use crate::Error;
use crate::audit::{Deed, audit};

const VALID_SECONDS: u64 = 60 * 60;

/// A token is typed in on the same day or sent by mail; a longer life only helps who finds it.
const VALID_SECONDS_MAX: u64 = 7 * 24 * 60 * 60;

/// What a token shall be good for.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) kind: PeerKind,
    pub(crate) site: SiteCode,
    /// Of a site: its type and its parent.
    pub(crate) joins: Option<(SiteKind, SiteCode)>,
    /// Where to join.
    pub(crate) url: String,
    /// 0: the default.
    pub(crate) valid_seconds: u64,
}

/// Makes a token by order of `account`, which is also whom an administrator's token is for.
pub(crate) fn mint(
    w: &Writer<'_>,
    (ambient, anchor): (&Ambient, &Anchor),
    account: &str,
    order: Order,
) -> Result<(String, Timestamp), Error> {
    let Order { kind, site, joins, url, valid_seconds } = order;
    let seconds = if valid_seconds == 0 { VALID_SECONDS } else { valid_seconds };
    if seconds > VALID_SECONDS_MAX {
        let reason = format!("a token is good for at most {VALID_SECONDS_MAX} seconds");
        return Err(Invalid::new("valid_seconds", reason).into());
    }
    let expires_at = w.now().plus_ms(i64::try_from(seconds * 1000).unwrap_or(i64::MAX));
    let secret = TokenSecret::generate(ambient);
    let (hash, created_by) = (secret.hash(), account.to_owned());
    w.save_token(&StoredToken { hash, kind, site, joins, created_by, expires_at, used: None })?;
    let what = joins.map_or(kind.as_str(), |(kind, _)| kind.as_str());
    audit(w, account, Deed::Created, format!("join token of {what} for {site}"))?;
    let (hierarchy, pin) = (anchor.hierarchy(), anchor.pin());
    Ok((JoinToken { url, hierarchy, pin, kind, site, secret }.encode(), expires_at))
}

/// What somebody who presents a token wants.
#[derive(Clone, Debug)]
pub(crate) struct Presented {
    /// Of the token's secret.
    pub(crate) hash: Sha256,
    pub(crate) kind: PeerKind,
    pub(crate) site: SiteCode,
    pub(crate) joins: Option<(SiteKind, SiteCode)>,
    /// Digest of the joining process's public key.
    pub(crate) key: Sha256,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fresh(StoredToken),
    /// The same key was here before and gets the same answer.
    Again(TokenUse),
}

/// Decides about a token presented at this site.
pub(crate) fn judge(r: &Reader<'_>, presented: &Presented) -> Result<Verdict, Error> {
    let here = r.identity().code();
    let mut token = r.token(&presented.hash)?.ok_or(Error::UnknownToken { here })?;
    let kind_of = |joins: Option<(SiteKind, SiteCode)>| joins.map(|(kind, _)| kind);
    let given = (token.kind, kind_of(token.joins));
    let asked = (presented.kind, kind_of(presented.joins));
    if given != asked {
        return Err(Error::wrong_kind(given, asked));
    }
    if token.site != presented.site {
        return Err(Error::WrongSite { given: token.site, asked: presented.site });
    }
    if let (Some((_, given)), Some((_, asked))) = (token.joins, presented.joins)
        && given != asked
    {
        return Err(Error::WrongParent { site: token.site, given, asked });
    }
    match token.used.take() {
        Some(used) if used.key == presented.key => Ok(Verdict::Again(used)),
        Some(used) => Err(Error::UsedByOther { at: used.at }),
        None if r.now() > token.expires_at => Err(Error::Expired { at: token.expires_at }),
        None => Ok(Verdict::Fresh(token)),
    }
}

/// Keeps what a token was used for, to be answered again.
pub(crate) fn burn(w: &Writer<'_>, token: StoredToken, used: TokenUse) -> Result<TokenUse, Error> {
    w.save_token(&StoredToken { used: Some(used.clone()), ..token })?;
    Ok(used)
}
