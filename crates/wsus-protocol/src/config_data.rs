//! GetConfigData (MS-WSUSSS 3.1.4.4): what the server offers and how much it takes at once.

use std::io::BufRead;

use xml_guard::{Tag, XmlGuard, XmlWriter};

use crate::auth::{read_cookie, write_cookie};
use crate::fields::{
    boolean, items, number, refused, required, text, text_or_empty, value, write, write_text,
};
use crate::{Cookie, Endpoint, Error, Message, Operation};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetConfigData {
    pub cookie: Option<Cookie>,
    pub anchor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigData {
    /// The server holds no content; files come from the address each update names.
    pub catalog_only_sync: bool,
    pub lazy_sync: bool,
    pub server_hosts_psf_files: bool,
    pub computer_ids_max: u32,
    pub driver_sets_max: u32,
    pub hardware_ids_max: u32,
    /// Updates of one GetUpdateData request; never 0.
    pub updates_max: u32,
    pub anchor: String,
    pub protocol_version: String,
    pub languages: Vec<Language>,
    pub decryption_updates_max: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language {
    /// The Windows locale identifier; 0 stands for all languages.
    pub id: u32,
    pub short: String,
    pub long: String,
    pub enabled: bool,
}

impl Message for GetConfigData {
    const OPERATION: Endpoint = Operation::GetConfigData.endpoint();
    const ELEMENTS: &'static [&'static str] = &["GetConfigData"];

    fn write(&self, xml: &mut XmlWriter) {
        write_cookie(xml, "cookie", self.cookie.as_ref());
        if let Some(anchor) = &self.anchor {
            xml.leaf("configAnchor", anchor);
        }
    }

    fn read<R: BufRead>(guard: &mut XmlGuard<R>, tag: Tag) -> Result<GetConfigData, Error> {
        let element = guard.read_element(tag)?;
        let cookie = read_cookie(&element, "cookie");
        Ok(GetConfigData { cookie, anchor: text(&element, "configAnchor") })
    }
}

impl Message for ConfigData {
    const OPERATION: Endpoint = Operation::GetConfigData.endpoint();
    const ELEMENTS: &'static [&'static str] = &["GetConfigDataResponse", "GetConfigDataResult"];

    /// In the order of the WSDL, which is not that of the prose: strict clients depend on it.
    fn write(&self, xml: &mut XmlWriter) {
        write(xml, "CatalogOnlySync", self.catalog_only_sync);
        write(xml, "LazySync", self.lazy_sync);
        write(xml, "ServerHostsPsfFiles", self.server_hosts_psf_files);
        write(xml, "MaxNumberOfComputerIdsInRequest", self.computer_ids_max);
        write(xml, "MaxNumberOfDriverSetsPerRequest", self.driver_sets_max);
        write(xml, "MaxNumberOfPnpHardwareIdsInRequest", self.hardware_ids_max);
        write(xml, "MaxNumberOfUpdatesPerRequest", self.updates_max);
        write_text(xml, "NewConfigAnchor", &self.anchor);
        write_text(xml, "ProtocolVersion", &self.protocol_version);
        if !self.languages.is_empty() {
            xml.start("LanguageUpdateList");
            for language in &self.languages {
                xml.start("ServerSyncLanguageData");
                write(xml, "LanguageID", language.id);
                xml.leaf("ShortLanguage", &language.short).leaf("LongLanguage", &language.long);
                write(xml, "Enabled", language.enabled);
                xml.end();
            }
            xml.end();
        }
        write(xml, "MaxUpdatesPerRequestInGetUpdateDecryptionData", self.decryption_updates_max);
    }

    fn read<R: BufRead>(guard: &mut XmlGuard<R>, tag: Tag) -> Result<ConfigData, Error> {
        let data = &guard.read_element(tag)?;
        let languages = items(data, "LanguageUpdateList", "ServerSyncLanguageData").map(|item| {
            Ok(Language {
                id: number(item, "LanguageID")?,
                short: text_or_empty(item, "ShortLanguage"),
                long: text_or_empty(item, "LongLanguage"),
                enabled: boolean(item, "Enabled")?,
            })
        });
        let updates_max = required(data, "MaxNumberOfUpdatesPerRequest")?;
        Ok(ConfigData {
            catalog_only_sync: boolean(data, "CatalogOnlySync")?,
            lazy_sync: boolean(data, "LazySync")?,
            server_hosts_psf_files: boolean(data, "ServerHostsPsfFiles")?,
            computer_ids_max: number(data, "MaxNumberOfComputerIdsInRequest")?,
            driver_sets_max: number(data, "MaxNumberOfDriverSetsPerRequest")?,
            hardware_ids_max: number(data, "MaxNumberOfPnpHardwareIdsInRequest")?,
            updates_max: match value(updates_max, "a number")? {
                0 => return Err(refused(updates_max, "at least 1")),
                max => max,
            },
            anchor: text_or_empty(data, "NewConfigAnchor"),
            protocol_version: text_or_empty(data, "ProtocolVersion"),
            languages: languages.collect::<Result<_, Error>>()?,
            decryption_updates_max: number(data, "MaxUpdatesPerRequestInGetUpdateDecryptionData")?,
        })
    }
}
