//! Messages of the reporting service that computers send (MS-WUSP 2.2.2.3): events and inventory.
//!
//! Refuses to know what an event means for compliance.

use uuid::Uuid;

use crate::limits::EVENTS_MAX;
use crate::record::records;
use crate::{Cookie, UpdateIdentity, WireTime};

records! {
    ReportEventBatch: request of Reporting ReportEventBatch {
        cookie: Option<Cookie> = "cookie",
        client_time: WireTime = "clientTime",
        events: Vec<ReportingEvent> = "eventBatch",
    }

    ReportEventBatchResponse: answer of Reporting ReportEventBatch {
        is_accepted: bool = "ReportEventBatchResult",
    }

    ReportEventBatch2: request of Reporting ReportEventBatch2 {
        computer_id: String = "computerId",
        client_time: WireTime = "clientTime",
        events: Vec<ReportingEvent> = "eventBatch",
    }

    ReportEventBatch2Response: answer of Reporting ReportEventBatch2 {
        is_accepted: bool = "ReportEventBatch2Result",
    }

    ReportingEvent as "ReportingEvent" to EVENTS_MAX {
        basic: BasicData = "BasicData",
        extended: Option<ExtendedData> = "ExtendedData",
        private: Option<PrivateData> = "PrivateData",
    }

    BasicData {
        target: Option<TargetId> = "TargetID",
        sequence_number: i32 = "SequenceNumber",
        time: WireTime = "TimeAtTarget",
        /// Names this event, however often it is sent.
        instance: Uuid = "EventInstanceID",
        namespace: i32 = "NamespaceID",
        event: i32 = "EventID",
        source: i32 = "SourceID",
        /// A nil GUID where the event is of no update.
        update: Option<UpdateIdentity> = "UpdateID",
        hresult: i32 = "Win32HResult",
        app_name: Option<String> = "AppName",
    }

    TargetId {
        /// The `client_id` of the authorization.
        sid: String = "Sid",
    }

    ExtendedData {
        replacement_strings: Vec<String> = "ReplacementStrings",
        /// `key=value`; see [`ExtendedData::misc`].
        misc: Vec<String> = "MiscData",
        computer_brand: Option<String> = "ComputerBrand",
        computer_model: Option<String> = "ComputerModel",
        bios_revision: Option<String> = "BiosRevision",
        processor_architecture: String = "ProcessorArchitecture",
        os_version: Option<DetailedVersion> = "OSVersion",
        os_locale: i32 = "OSLocaleID",
        device_id: Option<String> = "DeviceID",
    }

    DetailedVersion {
        major: i32 = "Major",
        minor: i32 = "Minor",
        build: i32 = "Build",
        revision: i32 = "Revision",
        service_pack_major: i32 = "ServicePackMajor",
        service_pack_minor: i32 = "ServicePackMinor",
    }

    #[derive(Default)]
    PrivateData {
        computer_dns_name: Option<String> = "ComputerDnsName",
        user_account_name: Option<String> = "UserAccountName",
    }
}

impl ExtendedData {
    /// The value of a tag in `misc`; letter case matters (MS-WUSP 2.2.2.3.1).
    #[must_use]
    pub fn misc(&self, tag: &str) -> Option<&str> {
        let mut pairs = self.misc.iter().filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == tag).map(|(_, value)| value)
    }

    /// The updates a tag of a status event lists; what is no GUID is passed over.
    pub fn listed_updates(&self, tag: &str) -> impl Iterator<Item = Uuid> {
        let list = self.misc(tag).unwrap_or_default();
        list.split(';').filter_map(|id| id.trim().parse().ok())
    }
}

records! {
    GetRequiredInventoryType: request of Reporting GetRequiredInventoryType {
        cookie: Option<Cookie> = "cookie",
        rules_id: Uuid = "rulesId",
        rules_version: Option<String> = "rulesVersion",
    }

    GetRequiredInventoryTypeResponse: answer of Reporting GetRequiredInventoryType {
        /// 0: none.
        inventory_type: i32 = "GetRequiredInventoryTypeResult",
    }

    ReportInventory: request of Reporting ReportInventory {
        cookie: Option<Cookie> = "cookie",
        client_time: WireTime = "clientTime",
        inventory: Option<Inventory> = "inventory",
    }

    /// Not looked into.
    Inventory {
        is_compressed: bool = "IsCompressed",
        raw: Option<String> = "RawXml",
        compressed: Option<Vec<u8>> = "CompressedXml",
    }

    ReportInventoryResponse: answer of Reporting ReportInventory {
        is_accepted: bool = "ReportInventoryResult",
    }
}
