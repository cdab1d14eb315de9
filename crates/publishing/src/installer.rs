//! What an installer says of itself.

use std::io::{Read, Seek};

use crate::{Architecture, Error, Kind, deb, msi, rpm};

/// Empty texts: it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installer {
    pub title: String,
    pub description: String,
    pub vendor: String,
    pub product: String,
    pub version: String,
    pub url: String,
    /// In lower case, such as `en` or `pt-br`.
    pub language: String,
    pub architecture: Option<Architecture>,
    pub identity: Identity,
}

/// By what a computer knows that the very thing is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    #[default]
    Unknown,
    /// A product of Windows Installer.
    Product { code: String },
    /// A patch, and the products it is for.
    Patch { code: String, products: Vec<String> },
    /// A package of Linux, in a version as its package manager writes it.
    Package { name: String, version: String },
}

/// Reads what `file`, an installer of this kind, says of itself.
pub fn read<F: Read + Seek>(kind: Kind, name: &str, file: F) -> Result<Installer, Error> {
    match kind {
        Kind::Msi | Kind::Msp => msi::read(kind, name, file),
        Kind::Deb => deb::read(name, file),
        Kind::Rpm => rpm::read(name, file),
        Kind::Exe | Kind::Script => Ok(Installer::default()),
    }
}
