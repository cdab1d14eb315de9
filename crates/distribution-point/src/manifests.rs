//! What this point shall hold, kept so that it serves without its site server.

use std::path::Path;

use model::{ContentFile, ContentManifest, ObjectCode, Sha256};
use sqlite_engine::{
    Database, Durability, Error, Executor, Options, ReadTx, Row, RowResult, Schema, WriteTx,
    params, parse_column,
};

const SCHEMA: Schema = Schema {
    name: "manifests",
    application_id: 0x544c_4450, // "TLDP"
    migrations: &[include_str!("../schema/0001_create_manifests.sql")],
};

#[derive(Clone, Debug)]
pub(crate) struct Manifests(Database);

/// A package as this point shall hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) package: ObjectCode,
    pub(crate) version: u32,
    /// Every file was there and verified once.
    pub(crate) is_installed: bool,
    pub(crate) files: Vec<ContentFile>,
}

fn file(row: &Row<'_>) -> RowResult<ContentFile> {
    Ok(ContentFile {
        sha256: parse_column(row, 0, |bytes: Vec<u8>| Sha256::from_slice(&bytes))?,
        size: row.get(1)?,
        name: row.get(2)?,
    })
}

fn held(tx: &ReadTx) -> Result<Vec<Held>, Error> {
    let sql = "SELECT package, version, is_installed FROM manifest ORDER BY package";
    let mut all = tx.query_all(sql, [], |row| {
        let package = parse_column(row, 0, |code: String| ObjectCode::new(&code))?;
        let (version, is_installed) = (row.get(1)?, row.get(2)?);
        Ok(Held { package, version, is_installed, files: Vec::new() })
    })?;
    for held in &mut all {
        let sql = "SELECT sha256, size, name FROM manifest_file WHERE package = ?1 ORDER BY name";
        held.files = tx.query_all(sql, [held.package.as_str()], file)?;
    }
    Ok(all)
}

impl Manifests {
    pub(crate) fn open(path: &Path, executor: Executor) -> Result<Manifests, Error> {
        let options = Options { executor, durability: Durability::Full };
        Ok(Manifests(Database::open(path, SCHEMA, options)?))
    }

    pub(crate) async fn all(&self) -> Result<Vec<Held>, Error> {
        self.0.read(held).await
    }

    /// Takes over a whole intended state; says which package versions are not part of it any more.
    pub(crate) async fn replace(
        &self,
        wanted: Vec<ContentManifest>,
    ) -> Result<Vec<(ObjectCode, u32)>, Error> {
        self.0.write(move |tx| replace(tx, &wanted)).await
    }

    pub(crate) async fn mark_installed(
        &self,
        package: ObjectCode,
        version: u32,
    ) -> Result<(), Error> {
        let sql = "UPDATE manifest SET is_installed = 1 WHERE package = ?1 AND version = ?2";
        let mark = move |tx: &WriteTx| tx.execute(sql, params![package.as_str(), version]);
        self.0.write(mark).await.map(drop)
    }

    /// The digest of a file of a package version.
    pub(crate) async fn find(
        &self,
        package: String,
        version: u32,
        name: String,
    ) -> Result<Option<Sha256>, Error> {
        let sql = "SELECT f.sha256, f.size, f.name FROM manifest m
                   JOIN manifest_file f ON f.package = m.package
                   WHERE m.package = ?1 AND m.version = ?2 AND f.name = ?3";
        let find = move |tx: &ReadTx| tx.query_optional(sql, params![package, version, name], file);
        Ok(self.0.read(find).await?.map(|file| file.sha256))
    }

    pub(crate) async fn check(&self) -> Result<Vec<String>, Error> {
        self.0.check().await
    }
}

fn replace(tx: &WriteTx, wanted: &[ContentManifest]) -> Result<Vec<(ObjectCode, u32)>, Error> {
    let mut gone = Vec::new();
    for Held { package, version, .. } in held(tx)? {
        if !wanted.iter().any(|m| (&m.package, m.version) == (&package, version)) {
            tx.execute("DELETE FROM manifest WHERE package = ?1", [package.as_str()])?;
            tx.execute("DELETE FROM manifest_file WHERE package = ?1", [package.as_str()])?;
            gone.push((package, version));
        }
    }
    for manifest in wanted {
        let (package, insert) =
            (manifest.package.as_str(), "INSERT OR IGNORE INTO manifest VALUES (?1, ?2, 0)");
        tx.execute(insert, params![package, manifest.version])?;
        for file in &manifest.files {
            let sql = "INSERT OR IGNORE INTO manifest_file VALUES (?1, ?2, ?3, ?4)";
            tx.execute(sql, params![package, file.name, file.sha256.0, file.size])?;
        }
    }
    Ok(gone)
}
