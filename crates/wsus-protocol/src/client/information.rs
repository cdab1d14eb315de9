//! GetExtendedUpdateInfo and its successor, GetFileLocations, RefreshCache (MS-WUSP 2.2.2.2.5 to
//! 2.2.2.2.7 and 2.2.2.2.10): what a computer asks about updates it knows.

use crate::record::{list, records, words};
use crate::{Cookie, Escaped, UpdateIdentity};

records! {
    GetExtendedUpdateInfo: request of Client GetExtendedUpdateInfo {
        cookie: Option<Cookie> = "cookie",
        revisions: Vec<i32> = "revisionIDs",
        fragments: Vec<FragmentType> = "infoTypes",
        /// Most wanted first.
        locales: Vec<String> = "locales",
        device_attributes: Option<String> = "deviceAttributes",
        geo_id: Option<String> = "GeoId",
        caller_attributes: Option<String> = "callerAttributes",
    }
}

words! {
    FragmentType as "XmlUpdateFragmentType" {
        Published,
        Core,
        Extended,
        VerificationRule,
        LocalizedProperties,
        Eula,
        FileUrl,
        FileDecryption,
        _ => Other
    }
}

records! {
    #[derive(Default)]
    ExtendedUpdateInfo: result of Client GetExtendedUpdateInfo {
        /// All Extended fragments, then all localized properties.
        updates: Vec<UpdateFragment> = "Updates",
        /// One for each distinct file of the Extended fragments.
        file_locations: Vec<FileLocation> = "FileLocations",
        /// What was asked for and is not deployed to this computer.
        out_of_scope: Vec<i32> = "OutOfScopeRevisionIDs",
    }

    UpdateFragment as "Update" {
        id: i32 = "ID",
        xml: Escaped = "Xml",
    }

    FileLocation as "FileLocation" {
        sha1: [u8; 20] = "FileDigest",
        url: String = "Url",
        pieces_hash_url: Option<String> = "PiecesHashUrl",
        block_map_url: Option<String> = "BlockMapUrl",
    }

    GetExtendedUpdateInfo2: request of Client GetExtendedUpdateInfo2 {
        cookie: Option<Cookie> = "cookie",
        updates: Vec<UpdateIdentity> = "updateIDs",
        fragments: Vec<FragmentType> = "infoTypes",
        locales: Vec<String> = "locales",
        device_attributes: Option<String> = "deviceAttributes",
        caller_attributes: Option<String> = "callerAttributes",
    }

    #[derive(Default)]
    ExtendedUpdateInfo2: result of Client GetExtendedUpdateInfo2 {
        updates: Vec<UpdateFragment> = "Updates",
        file_locations: Vec<FileLocation> = "FileLocations",
        decryption: Vec<FileDecryption> = "FileDecryptionData",
    }

    FileDecryption as "FileDecryption" {
        digest: Vec<u8> = "FileDigest",
        key: Vec<u8> = "DecryptionKey",
        security_data: Vec<Vec<u8>> = "SecurityData",
    }

    GetFileLocations: request of Client GetFileLocations {
        cookie: Option<Cookie> = "cookie",
        sha1: Vec<[u8; 20]> = "fileDigests",
    }

    FileLocations: result of Client GetFileLocations {
        locations: Vec<FileLocation> = "FileLocations" or empty,
        new_cookie: Option<Cookie> = "NewCookie",
    }

    /// Asks for the numbers of revisions after the server has changed.
    RefreshCache: request of Client RefreshCache {
        cookie: Option<Cookie> = "cookie",
        updates: Vec<UpdateIdentity> = "globalIDs",
    }
}

list! {
    /// What was not asked for in vain: unknown revisions are left out.
    RefreshedUpdates: result of Client RefreshCache [RefreshedUpdate]
}

records! {
    RefreshedUpdate as "RefreshCacheResult" {
        id: i32 = "RevisionID",
        update: UpdateIdentity = "GlobalID",
        is_leaf: bool = "IsLeaf",
        deployment: Option<super::Deployment> = "Deployment",
    }
}
