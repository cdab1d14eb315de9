//! Messages of the client service (MS-WUSP 2.2.2.1 and 2.2.2.2), with which computers scan, and of
//! the authorization service before it.
//!
//! Owns requests and answers; reads what the native client sends, which is more than the service
//! description knows, and writes what the original server was seen to answer. Refuses to know
//! which updates a computer needs.

mod information;
mod numbers;
mod scan;

pub use information::{
    ExtendedUpdateInfo, ExtendedUpdateInfo2, FileDecryption, FileLocation, FileLocations,
    FragmentType, GetExtendedUpdateInfo, GetExtendedUpdateInfo2, GetFileLocations, RefreshCache,
    RefreshedUpdate, RefreshedUpdates, UpdateFragment,
};
pub use scan::{
    CategoryId, ComputerSpec, Deployment, DeploymentAction, Device, ExtensionDriver,
    InstalledDriver, ProductsParameters, SyncInfo, SyncParameters, SyncPrinterCatalog,
    SyncPrinterCatalogResponse, SyncUpdates, UpdateInfo, write_new_updates,
};

use uuid::Uuid;

use crate::limits::SCAN_CATEGORIES_MAX;
use crate::record::records;
use crate::{AuthPlugIn, AuthorizationCookie, Cookie, WireTime};

records! {
    GetConfig: request of Client GetConfig {
        protocol_version: Option<String> = "protocolVersion",
    }

    /// What a computer must know before it asks for a cookie.
    Config: result of Client GetConfig {
        last_change: WireTime = "LastChange",
        is_registration_required: bool = "IsRegistrationRequired",
        plug_ins: Vec<AuthPlugIn> = "AuthInfo",
        allowed_event_ids: Vec<i32> = "AllowedEventIds",
        /// Current clients give up without `MaxExtendedUpdatesPerRequest`, `ProtocolVersion`,
        /// `IsInventoryRequired` and `ClientReportingLevel`.
        properties: Vec<ConfigProperty> = "Properties",
    }

    ConfigProperty as "ConfigurationProperty" {
        name: String = "Name",
        value: String = "Value",
    }

    GetConfig2: request of Client GetConfig2 {
        configuration: ClientConfiguration = "clientConfiguration",
    }

    ClientConfiguration {
        processor_architecture: String = "ProcessorArchitecture",
        is_always_on: bool = "AlwaysOnAlwaysConnected",
        client_version: String = "ClientVersion",
        os_version: Option<OsVersion> = "OSVersion",
        protocol_version: String = "ProtocolVersion",
    }

    OsVersion {
        major: i32 = "MajorVersion",
        minor: i32 = "MinorVersion",
        build: i32 = "BuildNumber",
        service_pack_major: i32 = "ServicePackMajorNumber",
        service_pack_minor: i32 = "ServicePackMinorNumber",
    }

    GetConfig2Response: answer of Client GetConfig2 {
        config: Config = "GetConfig2Result",
    }

    /// Asks the authorization service; anybody may.
    GetAuthorizationCookie: request of SimpleAuth GetAuthorizationCookie {
        /// A GUID the computer drew at its installation.
        client_id: String = "clientId",
        target_group: Option<String> = "targetGroupName",
        dns_name: String = "dnsName",
    }

    GetAuthorizationCookieResponse: answer of SimpleAuth GetAuthorizationCookie {
        cookie: AuthorizationCookie = "GetAuthorizationCookieResult",
    }

    GetCookie: request of Client GetCookie {
        authorization: Vec<AuthorizationCookie> = "authCookies" or empty,
        /// The first call of a computer brings one without data.
        old_cookie: Option<Cookie> = "oldCookie",
        /// As the last configuration said.
        last_change: WireTime = "lastChange",
        current_time: WireTime = "currentTime",
        protocol_version: String = "protocolVersion",
    }

    GetCookieResponse: answer of Client GetCookie {
        cookie: Option<Cookie> = "GetCookieResult",
    }

    RegisterComputer: request of Client RegisterComputer {
        cookie: Option<Cookie> = "cookie",
        computer: ComputerInfo = "computerInfo",
    }

    /// What a computer says of itself.
    #[derive(Default)]
    ComputerInfo {
        dns_name: String = "DnsName",
        os_major: i32 = "OSMajorVersion",
        os_minor: i32 = "OSMinorVersion",
        os_build: i32 = "OSBuildNumber",
        os_service_pack_major: i32 = "OSServicePackMajorNumber",
        os_service_pack_minor: i32 = "OSServicePackMinorNumber",
        os_locale: String = "OSLocale",
        manufacturer: String = "ComputerManufacturer",
        model: String = "ComputerModel",
        bios_version: String = "BiosVersion",
        bios_name: String = "BiosName",
        bios_release_date: Option<WireTime> = "BiosReleaseDate",
        /// Free text: the native client writes `AMD64` misspelled.
        processor_architecture: String = "ProcessorArchitecture",
        suite_mask: i32 = "SuiteMask",
        old_product_type: i32 = "OldProductType",
        new_product_type: i32 = "NewProductType",
        system_metrics: i32 = "SystemMetrics",
        client_major: i32 = "ClientVersionMajorNumber",
        client_minor: i32 = "ClientVersionMinorNumber",
        client_build: i32 = "ClientVersionBuildNumber",
        client_qfe: i32 = "ClientVersionQfeNumber",
        /// Says `Windows 10` on Windows 11; the build does not.
        os_description: String = "OSDescription",
        oem: String = "OEM",
        device_type: String = "DeviceType",
        firmware_version: String = "FirmwareVersion",
        mobile_operator: String = "MobileOperator",
    }

    RegisterComputerResponse: answer of Client RegisterComputer {}

    /// Announces a scan for some categories; carries no cookie.
    StartCategoryScan: request of Client StartCategoryScan {
        requested: Vec<CategoryRelationship> = "requestedCategories",
    }

    CategoryRelationship as "CategoryRelationship" to SCAN_CATEGORIES_MAX {
        and_group: i32 = "IndexOfAndGroup",
        category: Uuid = "CategoryId",
    }

    StartCategoryScanResponse: answer of Client StartCategoryScan {
        preferred: Vec<Uuid> = "preferredCategoryIds",
        in_error: Vec<Uuid> = "requestedCategoryIdsInError",
    }
}
