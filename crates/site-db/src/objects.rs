//! Reading live objects as model values.

use model::{Kind, Owner};
use rpc::object::ObjectBody;
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{Error, Reader};

fn owned_body(row: &Row<'_>) -> RowResult<(Owner, Vec<u8>)> {
    Ok((parse_column(row, 0, |b: Vec<u8>| Owner::from_slice(&b))?, row.get(1)?))
}

impl Reader<'_> {
    /// The live object of this kind and id.
    pub fn get<T: ObjectBody>(&self, id: &[u8]) -> Result<Option<T>, Error> {
        Ok(self.get_owned(id)?.map(|(_, value)| value))
    }

    /// The live object with the site that owns it.
    pub fn get_owned<T: ObjectBody>(&self, id: &[u8]) -> Result<Option<(Owner, T)>, Error> {
        let Some((owner, body)) = self.body(T::KIND, id)? else { return Ok(None) };
        Ok(Some((owner, T::decode(&body).map_err(Error::stored(T::KIND.as_str()))?)))
    }

    /// The live object, or an error that names it.
    pub fn require<T: ObjectBody>(&self, id: &[u8]) -> Result<T, Error> {
        let text = || match std::str::from_utf8(id) {
            Ok(text) if id.len() != 16 => text.to_owned(),
            _ => model::UpdateId::from_slice(id)
                .map_or_else(|_| format!("{id:?}"), |u| u.to_string()),
        };
        self.get(id)?.ok_or_else(|| Error::NotFound { what: T::KIND.as_str(), id: text() })
    }

    /// The bytes of a live object.
    pub fn body(&self, kind: Kind, id: &[u8]) -> Result<Option<(Owner, Vec<u8>)>, Error> {
        let sql = "SELECT e.owner, e.body FROM live l JOIN entry e ON e.lsn = l.lsn
                   WHERE l.kind = ?1 AND l.id = ?2";
        Ok(self.tx.query_optional(sql, params![kind as u32, id], owned_body)?)
    }

    /// Every live object of a kind, in order of id. For kinds of which a site has few; items and
    /// vectors have their own readers.
    pub fn list<T: ObjectBody>(&self) -> Result<Vec<(Owner, T)>, Error> {
        let mut all = Vec::new();
        self.visit(T::KIND, |owner, body| {
            all.push((owner, T::decode(&body).map_err(Error::stored(T::KIND.as_str()))?));
            Ok(())
        })?;
        Ok(all)
    }

    /// Visits the bytes of every live object of a kind, in order of id.
    pub fn visit(
        &self,
        kind: Kind,
        mut visit: impl FnMut(Owner, Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let sql = "SELECT e.owner, e.body FROM live l JOIN entry e ON e.lsn = l.lsn
                   WHERE l.kind = ?1 ORDER BY l.id";
        self.tx.for_each(sql, [kind as u32], owned_body, |(owner, body)| visit(owner, body))
    }

    /// How many live objects of a kind there are.
    pub fn count(&self, kind: Kind) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM live WHERE kind = ?1";
        Ok(self.tx.query_row(sql, [kind as u32], |row| row.get(0))?)
    }
}
