//! Packages of this site: made, filled, emptied, sent and deleted.
//!
//! Owns a package's content version, and that its manifest says the same. Refuses to know who needs
//! the files that are taken out. A package belongs to the site that made it; another site is
//! refused with the owner's code.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    ContentFile, ContentManifest, ItemFile, Kind, ObjectCode, Package, PackageFile, RoleId, Sha1,
    Sha256,
};
use sqlite_engine::params;

use crate::content::demand;
use crate::{Error, Found, Own, Reader, Writer};

/// The files of a package version: each content once, each name once.
fn manifest_files(files: &[PackageFile]) -> Vec<ContentFile> {
    let mut names = BTreeSet::new();
    let contents: BTreeMap<Sha256, &PackageFile> = files.iter().map(|f| (f.sha256, f)).collect();
    let unique = |(sha256, file): (Sha256, &PackageFile)| {
        let taken = !names.insert(file.name.clone());
        let name = if taken { format!("{sha256}-{}", file.name) } else { file.name.clone() };
        ContentFile { sha256, size: file.size, name }
    };
    contents.into_iter().map(unique).collect()
}

impl Reader<'_> {
    /// A package of this site.
    pub fn own_package(&self, code: &ObjectCode) -> Result<Package, Error> {
        let package: Package = self.require(code.as_str().as_bytes())?;
        let (here, owner) = (self.identity().code(), package.site);
        if owner != here {
            let what = format!("package {code} belongs to site {owner}; change it there");
            return Err(Error::Conflict { what });
        }
        Ok(package)
    }
}

impl Writer<'_> {
    /// A new package: content version 1, nothing in it (PKG-07).
    pub fn create_package(&self, name: &str, description: &str) -> Result<Package, Error> {
        let package = Package {
            code: self.new_package_code()?,
            name: name.to_owned(),
            description: description.to_owned(),
            site: self.identity().code(),
            version: 1,
            files: Vec::new(),
        };
        self.put_own(&package)?;
        self.put_own(&ContentManifest {
            package: package.code.clone(),
            version: 1,
            files: Vec::new(),
            targets: Vec::new(),
        })?;
        Ok(package)
    }

    /// One that was never given; after a restore the counter may lag behind.
    fn new_package_code(&self) -> Result<ObjectCode, Error> {
        loop {
            let number = u32::try_from(self.next("package")?).unwrap_or(u32::MAX);
            let code = ObjectCode::numbered(self.identity().code(), number)?;
            if self.get::<Package>(code.as_str().as_bytes())?.is_none() {
                return Ok(code);
            }
        }
    }

    /// The next content version of a package of which every wanted file is stored (PKG-08).
    pub fn finish_download(&self, code: &ObjectCode) -> Result<Package, Error> {
        let mut package = self.own_package(code)?;
        let sql = "SELECT * FROM content_demand WHERE package = ?1";
        for demand in self.tx.query_all(sql, [code.as_str()], demand)? {
            let Found::Stored { sha256, is_weak } = demand.found else {
                let what = format!("package {code} still waits for {}", demand.file.name);
                return Err(Error::Conflict { what });
            };
            let ItemFile { name, size, sha1, .. } = demand.file;
            let update = demand.update;
            package.files.push(PackageFile { update, name, size, sha1, sha256, weak: is_weak });
        }
        self.drop_demands(code)?;
        self.publish(package)
    }

    /// Takes files out of a package, which it may hold or still wait for; with what it holds its
    /// content version changes, too.
    pub fn remove_files(
        &self,
        code: &ObjectCode,
        gone: &BTreeSet<(Sha1, u64)>,
    ) -> Result<Package, Error> {
        let mut package = self.own_package(code)?;
        let sql = "DELETE FROM content_demand WHERE package = ?1 AND sha1 = ?2 AND size = ?3";
        for (sha1, size) in gone {
            self.write.execute(sql, params![code.as_str(), sha1.0, size])?;
        }
        let held = package.files.len();
        package.files.retain(|file| !gone.contains(&(file.sha1, file.size)));
        if package.files.len() == held {
            self.wake(None);
            return Ok(package);
        }
        self.publish(package)
    }

    /// A content version with the same files: every distribution point computes their digests again
    /// and fetches what it lacks.
    pub fn redistribute(&self, code: &ObjectCode) -> Result<Package, Error> {
        self.publish(self.own_package(code)?)
    }

    /// The next content version, with the manifest that tells of it.
    fn publish(&self, mut package: Package) -> Result<Package, Error> {
        package.version += 1;
        let mut manifest: ContentManifest = self.require(package.code.as_str().as_bytes())?;
        manifest.version = package.version;
        manifest.files = manifest_files(&package.files);
        self.put_own(&package)?;
        self.put_own(&manifest)?;
        self.wake(None);
        Ok(package)
    }

    /// Deletes a package and what it waits for. Its files stay wherever another package needs them.
    pub fn delete_package(&self, code: &ObjectCode) -> Result<(), Error> {
        self.own_package(code)?;
        let id = code.as_str().as_bytes().to_vec();
        self.drop_demands(code)?;
        self.write.execute("DELETE FROM content_state WHERE package = ?1", [code.as_str()])?;
        let manifest = Own::delete(Kind::ContentManifest, id.clone());
        self.write_own(Kind::ContentManifest.group(), vec![manifest])?;
        self.write_own(Kind::Package.group(), vec![Own::delete(Kind::Package, id)])?;
        self.wake(None);
        Ok(())
    }

    fn drop_demands(&self, code: &ObjectCode) -> Result<(), Error> {
        self.write.execute("DELETE FROM content_demand WHERE package = ?1", [code.as_str()])?;
        Ok(())
    }

    /// Sends a package to more distribution points, all at or below this site.
    pub fn add_targets(&self, code: &ObjectCode, points: &[RoleId]) -> Result<(), Error> {
        self.own_package(code)?;
        let reachable = self.points_below(self.identity().code())?;
        if let Some(stranger) = points.iter().find(|point| !reachable.contains(point)) {
            let what = "distribution point at or below this site";
            return Err(Error::NotFound { what, id: stranger.to_string() });
        }
        let mut manifest: ContentManifest = self.require(code.as_str().as_bytes())?;
        manifest.targets.extend(points);
        manifest.targets.sort_unstable();
        manifest.targets.dedup();
        self.put_own(&manifest)
    }
}
