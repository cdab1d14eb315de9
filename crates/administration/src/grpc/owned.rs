//! What the nouns of one owner have in common: finding, changing at the owner only, new codes.

use model::{ObjectCode, Owner, SiteKind};
use rpc::object::ObjectBody;
use site_db::{Reader, Writer};

use crate::Error;

/// How people speak of a kind of object, and where they see them all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noun {
    pub(super) what: &'static str,
    pub(super) see: &'static str,
}

impl Noun {
    pub(super) fn found<T: ObjectBody>(
        self,
        r: &Reader<'_>,
        (id, name): (&[u8], &str),
    ) -> Result<(Owner, T), Error> {
        let Noun { what, see } = self;
        let unknown = || Error::Unknown { what, name: name.to_owned(), see };
        r.get_owned::<T>(id)?.ok_or_else(unknown)
    }

    /// To be changed, which only its owner may.
    pub(super) fn owned<T: ObjectBody>(
        self,
        w: &Writer<'_>,
        (id, name): (&[u8], &str),
    ) -> Result<T, Error> {
        let (owner, value) = self.found(w, (id, name))?;
        if owner != w.identity().owner {
            let what = format!("{} {name}", self.what);
            return Err(Error::ForeignOwner { what, owner: owner.code });
        }
        Ok(value)
    }

    /// Secondary sites own no such objects.
    pub(super) fn check_place(self, w: &Writer<'_>) -> Result<(), Error> {
        match w.identity().kind {
            kind @ SiteKind::Secondary => Err(Error::NoPlace { what: self.what, kind }),
            SiteKind::Central | SiteKind::Primary => Ok(()),
        }
    }

    /// A code of this site that was never given; after a restore the counter may lag behind.
    pub(super) fn new_code<T: ObjectBody>(self, w: &Writer<'_>) -> Result<ObjectCode, Error> {
        self.check_place(w)?;
        loop {
            let number = u32::try_from(w.next(self.what)?).unwrap_or(u32::MAX);
            let code = ObjectCode::numbered(w.identity().code(), number)?;
            if w.get::<T>(code.as_str().as_bytes())?.is_none() {
                return Ok(code);
            }
        }
    }
}
