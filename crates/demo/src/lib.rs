//! A whole hierarchy in one process, and the way of an update through it.
//!
//! Owns what is built ([`Options`]), the order of the tour and the checks at its end. Everything
//! speaks as separate processes would: real TCP and TLS on loopback, the administrator through the
//! administration service, clients through their points. Refuses to reach into any database: what
//! the administration service has no answer to is asked of the role that was started.

mod building;
mod checks;
mod clients;
mod crowd;
mod deciding;
mod error;
mod host;
mod operator;
mod plan;
mod progress;
mod report;
mod survey;
mod tour;
mod upstream;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub use error::Error;
use host::Host;
pub use operator::Account;
pub use plan::Options;
pub use report::{Endpoints, Report};

/// A hierarchy that has been through the tour and still runs.
#[derive(Debug)]
pub struct Demo {
    pub report: Report,
    /// The one administrator.
    pub account: Account,
    host: Host,
    /// Goes away with everything in it.
    _temporary: Option<TempDir>,
}

impl Demo {
    /// Builds everything and takes the tour.
    pub async fn start(options: Options) -> Result<Demo, Error> {
        let (directory, temporary) = prepare(&options)?;
        let mut host = Host::open(directory, options.port_base)?;
        match tour::take(&mut host, &options).await {
            Ok((report, account)) => Ok(Demo { report, account, host, _temporary: temporary }),
            // What went wrong may be that a server is gone.
            Err(error) => Err(host.ended().unwrap_or(error)),
        }
    }

    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.host.endpoints
    }

    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.host.directory
    }

    /// The root certificate, for foreign clients.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.host.directory.join(plan::TOP).join("pki").join("root.crt")
    }

    /// Ends only if a server does.
    pub async fn watch(&mut self) -> Error {
        self.host.watch().await
    }

    /// Ends every server in order.
    pub async fn stop(self) -> Result<(), Error> {
        self.host.stop().await
    }
}

/// A directory that is ours alone.
fn prepare(options: &Options) -> Result<(PathBuf, Option<TempDir>), Error> {
    let Some(path) = &options.directory else {
        let made = TempDir::with_prefix("tierline-demo-");
        let made = made.map_err(Error::files("make", &std::env::temp_dir()))?;
        return Ok((made.path().to_owned(), Some(made)));
    };
    host::make_private(path)?;
    let path = path.canonicalize().map_err(Error::files("find", path))?;
    let mut entries = std::fs::read_dir(&path).map_err(Error::files("list", &path))?;
    match entries.next() {
        Some(_) => Err(Error::Occupied { path }),
        None => Ok((path, None)),
    }
}
