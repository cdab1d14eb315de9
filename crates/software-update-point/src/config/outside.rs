//! The sections about servers outside of the hierarchy: the proxy, and the service that a
//! stand-alone update point follows.

use std::fs;
use std::path::{Path, PathBuf};

use daemon::Problems;
use daemon::config::units::duration;
use model::{Sha256, error_chain};
use serde::{Deserialize, Serialize};
use transport::Belief;

use crate::{Following, Mode, Outside, Proxy};

/// The way to servers outside of the hierarchy (SUP-09 … SUP-13).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxySection {
    pub url: String,
    pub credentials: String,
    pub synchronize: bool,
    pub download: bool,
}

/// Whom a stand-alone update point synchronizes with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamSection {
    pub url: String,
    pub every: String,
    pub mode: String,
    pub roots: String,
    pub pin: String,
}

impl Default for ProxySection {
    fn default() -> ProxySection {
        let (url, credentials) = Default::default();
        ProxySection { url, credentials, synchronize: true, download: true }
    }
}

impl Default for UpstreamSection {
    fn default() -> UpstreamSection {
        let (url, roots, pin) = Default::default();
        let (every, mode) = ("1d".to_owned(), "autonomous".to_owned());
        UpstreamSection { url, every, mode, roots, pin }
    }
}

pub(super) fn outside(
    roots: &str,
    section: &ProxySection,
    problems: &mut Problems,
) -> Option<Outside> {
    let proxy = problems.check("proxy", proxy(section))?;
    Some(Outside { roots: PathBuf::from(roots), proxy })
}

/// None without an address.
fn proxy(section: &ProxySection) -> Result<Option<Proxy>, String> {
    let ProxySection { url, credentials, synchronize, download } = section;
    if url.is_empty() {
        return Ok(None);
    }
    let credentials = (!credentials.is_empty()).then(|| Path::new(credentials));
    let mut proxy = Proxy::read(url, credentials).map_err(|error| error_chain(&error))?;
    (proxy.synchronizes, proxy.downloads) = (*synchronize, *download);
    Ok(Some(proxy))
}

pub(super) fn following(
    section: &UpstreamSection,
    is_stand_alone: bool,
    problems: &mut Problems,
) -> Option<Following> {
    let UpstreamSection { url, every, mode, roots, pin } = section;
    let is_url = url.is_empty() || url.starts_with("http://") || url.starts_with("https://");
    if !is_url {
        problems.note("upstream.url", format!("\"{url}\" is not of the form http://host:8530"));
    }
    if !url.is_empty() && !is_stand_alone {
        let remedy =
            "a site gives its update points their source; set it by `tierline sync source`";
        problems.note("upstream.url", remedy);
    }
    let every = problems.check("upstream.every", duration(every));
    let mode = problems.check("upstream.mode", self::mode(mode));
    let belief = problems.check("upstream", belief(roots, pin));
    if !url.starts_with("https://") && matches!(belief, Some(Some(_))) {
        let remedy = "roots and pin are for an https:// address; nobody is believed by them here";
        problems.note("upstream.url", remedy);
    }
    Some(Following { url: url.clone(), belief: belief?, every: every?, mode: mode? })
}

fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "autonomous" => Ok(Mode::Autonomous),
        "replica" => Ok(Mode::Replica),
        other => Err(format!("\"{other}\" is not autonomous or replica")),
    }
}

fn belief(roots: &str, pin: &str) -> Result<Option<Belief>, String> {
    match (roots, pin) {
        ("", "") => Ok(None),
        (path, "") => {
            let pem = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
            Ok(Some(Belief::Roots(pem.into())))
        }
        ("", pin) => {
            let digest: Sha256 = pin.parse().map_err(|_| format!("\"{pin}\" is no SHA-256"))?;
            Ok(Some(Belief::Pin(digest)))
        }
        _ => Err("name roots or a pin, not both".to_owned()),
    }
}
