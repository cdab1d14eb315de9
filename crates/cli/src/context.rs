//! Where this person is logged in: one directory with the server's address, the root, and the
//! administrator's certificate and key.
//!
//! Owns the files and their modes (0600 in a directory of 0700). The address is written last, so
//! that a login is whole or has not happened.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use ambient::Ambient;
use model::SiteCode;
use serde_json::json;
use transport::Credentials;
use trust::{Anchor, CertificateDer, KeyPair, certificates_from_pem, certificates_to_pem};

use crate::failure::Failure;

const REMEDY: &str = "log in again with `tierline login --token-file FILE`";

#[derive(Debug)]
pub(crate) struct Context {
    directory: PathBuf,
}

/// The site server logged in to.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) site: SiteCode,
}

impl Context {
    pub(crate) fn of_user() -> Result<Context, Failure> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = || set("HOME").map(|home| PathBuf::from(home).join(".config"));
        let parent = set("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home).ok_or_else(|| {
            Failure::new("there is no home directory", "$HOME", "set XDG_CONFIG_HOME")
        })?;
        Ok(Context::at(parent.join("tierline")))
    }

    pub(crate) fn at(directory: PathBuf) -> Context {
        Context { directory }
    }

    pub(crate) fn server(&self) -> Result<Server, Failure> {
        let text = self.read("context.json")?;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let site = value["site"].as_str().and_then(|site| site.parse().ok());
        match (value["server"].as_str(), site) {
            (Some(url), Some(site)) => Ok(Server { url: url.to_owned(), site }),
            _ => Err(Failure::new("the context is damaged", self.path("context.json"), REMEDY)),
        }
    }

    pub(crate) fn credentials(&self, ambient: &Ambient) -> Result<Credentials, Failure> {
        let damaged = |error: trust::Error| Failure::of(&error, self.path(""), REMEDY);
        let root = certificates_from_pem(&self.read("root.pem")?).map_err(damaged)?.swap_remove(0);
        let anchor = Anchor::new(root).map_err(damaged)?;
        let credentials = Credentials::new(ambient.clone(), anchor, &self.chain()?, &self.key()?);
        credentials.map_err(|error| Failure::of(&error, self.path("chain.pem"), REMEDY))
    }

    pub(crate) fn chain(&self) -> Result<Vec<CertificateDer<'static>>, Failure> {
        certificates_from_pem(&self.read("chain.pem")?)
            .map_err(|error| Failure::of(&error, self.path("chain.pem"), REMEDY))
    }

    pub(crate) fn key(&self) -> Result<KeyPair, Failure> {
        KeyPair::from_pem(&self.read("admin.key")?)
            .map_err(|error| Failure::of(&error, self.path("admin.key"), REMEDY))
    }

    /// The key for a login. It is kept until the login has succeeded, because the server repeats
    /// its answer for the same key only.
    pub(crate) fn login_key(&self) -> Result<KeyPair, Failure> {
        if self.directory.join("login.key").exists() {
            let text = self.read("login.key")?;
            return KeyPair::from_pem(&text)
                .map_err(|error| Failure::of(&error, self.path("login.key"), "remove the file"));
        }
        let key = KeyPair::generate().map_err(|error| Failure::of(&error, "this machine", ""))?;
        self.write("login.key", &key.to_pem())?;
        Ok(key)
    }

    /// Makes a login the current one.
    pub(crate) fn enter(
        &self,
        server: &Server,
        anchor: &Anchor,
        chain: &[CertificateDer<'_>],
        key: &KeyPair,
    ) -> Result<(), Failure> {
        let Server { url, site } = server;
        self.write("root.pem", &certificates_to_pem(std::slice::from_ref(anchor.root())))?;
        self.write("admin.key", &key.to_pem())?;
        self.write_chain(chain)?;
        let context = json!({ "server": url, "site": site.as_str() });
        self.write("context.json", &format!("{context:#}\n"))?;
        match fs::remove_file(self.directory.join("login.key")) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(self.files(&error, "login.key"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn write_chain(&self, chain: &[CertificateDer<'_>]) -> Result<(), Failure> {
        self.write("chain.pem", &certificates_to_pem(chain))
    }

    fn read(&self, name: &str) -> Result<String, Failure> {
        fs::read_to_string(self.directory.join(name)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::new("nobody is logged in", self.path(name), REMEDY),
            _ => self.files(&error, name),
        })
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let (path, aside) =
            (self.directory.join(name), self.directory.join(format!(".{name}.new")));
        let write = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&aside, &path)
        };
        write().map_err(|error| self.files(&error, name))
    }

    fn files(&self, error: &std::io::Error, name: &str) -> Failure {
        Failure::new(error.to_string(), self.path(name), "see who may write there, and free space")
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}
