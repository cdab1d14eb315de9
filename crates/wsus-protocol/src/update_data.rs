//! GetUpdateData (MS-WSUSSS 3.1.4.6): the documents of revisions and where their files are.

use std::io::BufRead;

use uuid::Uuid;
use xml_guard::{Element, Tag, XmlGuard, XmlWriter};

use crate::auth::{read_cookie, write_cookie};
use crate::fields::{
    base64, field, items, required, sha1, text_or_empty, value, write, write_base64, write_text,
};
use crate::{Blob, Cookie, Endpoint, Error, Message, Operation};

/// One revision of one update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpdateIdentity {
    pub update_id: Uuid,
    pub revision: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetUpdateData {
    pub cookie: Option<Cookie>,
    pub updates: Vec<UpdateIdentity>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateData {
    pub updates: Vec<UpdateRecord>,
    pub file_urls: Vec<FileUrl>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateRecord {
    pub identity: UpdateIdentity,
    pub document: Blob,
    /// SHA-1 of each file of the update.
    pub file_digests: Vec<[u8; 20]>,
}

/// Where a file can be fetched; no proof that it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUrl {
    pub sha1: [u8; 20],
    /// At the vendor's public site.
    pub public_url: String,
    /// At the answering server; when empty the file is under its content path.
    pub server_url: String,
}

impl UpdateIdentity {
    pub(crate) fn write(self, xml: &mut XmlWriter, name: &str) {
        xml.start(name);
        write(xml, "UpdateID", self.update_id);
        write(xml, "RevisionNumber", self.revision);
        xml.end();
    }

    pub(crate) fn from_element(element: &Element) -> Result<UpdateIdentity, Error> {
        Ok(UpdateIdentity {
            update_id: value(required(element, "UpdateID")?, "a GUID")?,
            revision: value(required(element, "RevisionNumber")?, "a revision number")?,
        })
    }
}

impl Message for GetUpdateData {
    const OPERATION: Endpoint = Operation::GetUpdateData.endpoint();
    const ELEMENTS: &'static [&'static str] = &["GetUpdateData"];

    fn write(&self, xml: &mut XmlWriter) {
        write_cookie(xml, "cookie", self.cookie.as_ref());
        xml.start("updateIds");
        for update in &self.updates {
            update.write(xml, "UpdateIdentity");
        }
        xml.end();
    }

    fn read<R: BufRead>(guard: &mut XmlGuard<R>, tag: Tag) -> Result<GetUpdateData, Error> {
        let element = guard.read_element(tag)?;
        let updates = required(&element, "updateIds")?.children_named("UpdateIdentity");
        Ok(GetUpdateData {
            cookie: read_cookie(&element, "cookie"),
            updates: updates.map(UpdateIdentity::from_element).collect::<Result<_, Error>>()?,
        })
    }
}

impl Message for UpdateData {
    const OPERATION: Endpoint = Operation::GetUpdateData.endpoint();
    const ELEMENTS: &'static [&'static str] = &["GetUpdateDataResponse", "GetUpdateDataResult"];

    fn write(&self, xml: &mut XmlWriter) {
        xml.start("updates");
        for update in &self.updates {
            update.write(xml);
        }
        xml.end().start("fileUrls");
        for file in &self.file_urls {
            xml.start("ServerSyncUrlData");
            write_base64(xml, "FileDigest", &file.sha1);
            xml.leaf("MUUrl", &file.public_url).leaf("UssUrl", &file.server_url).end();
        }
        xml.end();
    }

    fn read<R: BufRead>(guard: &mut XmlGuard<R>, tag: Tag) -> Result<UpdateData, Error> {
        let element = guard.read_element(tag)?;
        let updates = items(&element, "updates", "ServerSyncUpdateData");
        let file_urls = items(&element, "fileUrls", "ServerSyncUrlData").map(|file| {
            Ok(FileUrl {
                sha1: sha1(required(file, "FileDigest")?)?,
                public_url: text_or_empty(file, "MUUrl"),
                server_url: text_or_empty(file, "UssUrl"),
            })
        });
        Ok(UpdateData {
            updates: updates.map(UpdateRecord::from_element).collect::<Result<_, Error>>()?,
            file_urls: file_urls.collect::<Result<_, Error>>()?,
        })
    }
}

impl UpdateRecord {
    fn write(&self, xml: &mut XmlWriter) {
        xml.start("ServerSyncUpdateData");
        self.identity.write(xml, "Id");
        if let Blob::Plain(document) = &self.document {
            write_text(xml, "XmlUpdateBlob", document);
        }
        if !self.file_digests.is_empty() {
            xml.start("FileDigestList");
            for digest in &self.file_digests {
                write_base64(xml, "base64Binary", digest);
            }
            xml.end();
        }
        if let Blob::Compressed(cabinet) = &self.document {
            write_base64(xml, "XmlUpdateBlobCompressed", cabinet);
        }
        xml.end();
    }

    fn from_element(element: &Element) -> Result<UpdateRecord, Error> {
        let document = match field(element, "XmlUpdateBlobCompressed") {
            Some(compressed) => Blob::Compressed(base64(compressed)?),
            None => Blob::Plain(required(element, "XmlUpdateBlob")?.text.clone()),
        };
        let digests = items(element, "FileDigestList", "base64Binary").map(sha1);
        Ok(UpdateRecord {
            identity: UpdateIdentity::from_element(required(element, "Id")?)?,
            document,
            file_digests: digests.collect::<Result<_, Error>>()?,
        })
    }
}
