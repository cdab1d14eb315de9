//! SyncUpdates and SyncPrinterCatalog (MS-WUSP 2.2.2.2.4, 2.2.2.2.9): one step of a scan.

use std::io::BufRead;

use uuid::Uuid;
use xml_guard::{Tag, XmlGuard, XmlWriter};

use super::numbers::{Lists, each_child, keep, opened, read_list};
use crate::limits::{
    CLIENT_ANSWER_BYTES_MAX, CLIENT_ANSWER_NODES_MAX, CLIENT_REQUEST_BYTES_MAX, DEVICES_MAX,
    SCAN_CATEGORIES_MAX,
};
use crate::record::{Record, Value, records, words};
use crate::{Cookie, Endpoint, Error, Escaped, Message, Service, WireTime, encode};

records! {
    SyncUpdates {
        cookie: Option<Cookie> = "cookie",
        parameters: SyncParameters = "parameters",
    }

    /// What the computer has, by the numbers this server gave to revisions.
    #[derive(Default)]
    SyncParameters {
        is_express: bool = "ExpressQuery",
        installed_non_leaf: Vec<i32> = "InstalledNonLeafUpdateIDs",
        other_cached: Vec<i32> = "OtherCachedUpdateIDs",
        /// Only with a driver synchronization.
        devices: Option<Vec<Device>> = "SystemSpec",
        cached_drivers: Vec<i32> = "CachedDriverIDs",
        /// The pass for drivers.
        skip_software: bool = "SkipSoftwareSync",
        /// A category scan, unless empty.
        filter_categories: Vec<CategoryId> = "FilterCategoryIds",
        need_two_groups: bool = "NeedTwoGroupOutOfScopeUpdates",
        filter_app_categories: Vec<CategoryId> = "FilterAppCategoryIds",
        treat_app_categories_as_installed: Option<bool> = "TreatAppCategoryIdsAsInstalled",
        also_regular: bool = "AlsoPerformRegularSync",
        computer: Option<ComputerSpec> = "ComputerSpec",
        /// Such as `AMD64.10.0`.
        feature_score_key: Option<String> = "FeatureScoreMatchingKey",
        products: Option<ProductsParameters> = "ProductsParameters",
    }

    CategoryId as "CategoryIdentifier" to SCAN_CATEGORIES_MAX {
        id: Uuid = "Id",
    }

    #[derive(Default)]
    ComputerSpec {
        hardware_ids: Vec<Uuid> = "HardwareIDs",
    }

    /// Attributes in the form `name=value;`.
    #[derive(Default)]
    ProductsParameters {
        current_version_only: bool = "SyncCurrentVersionOnly",
        device_attributes: Option<String> = "DeviceAttributes",
        caller_attributes: Option<String> = "CallerAttributes",
        products: Option<String> = "Products",
    }

    Device as "Device" to DEVICES_MAX {
        hardware_ids: Vec<String> = "HardwareIDs",
        compatible_ids: Vec<String> = "CompatibleIDs",
        driver: Option<InstalledDriver> = "installedDriver",
        extensions: Vec<ExtensionDriver> = "extensionDriver",
        flags: Option<i32> = "DeviceFlags",
    }

    InstalledDriver {
        matching_id: String = "MatchingID",
        date: WireTime = "DriverVerDate",
        version: i64 = "DriverVerVersion",
        class: String = "Class",
        manufacturer: String = "Manufacturer",
        provider: String = "Provider",
        model: String = "Model",
        matching_computer: Option<Uuid> = "MatchingComputerHWID",
        rank: i64 = "DriverRank",
    }

    ExtensionDriver as "extensionDriver" to DEVICES_MAX {
        extension_id: String = "ExtensionId",
        date: WireTime = "DriverVerDate",
        version: i64 = "DriverVerVersion",
        class: String = "Class",
        rank: i64 = "DriverRank",
        matching_computer: Option<Uuid> = "MatchingComputerHWID",
    }

    /// What the computer shall add, drop and change. Empty lists are left out, as observed.
    #[derive(Default)]
    SyncInfo {
        new: Vec<UpdateInfo> = "NewUpdates",
        out_of_scope: Vec<i32> = "OutOfScopeRevisionIDs",
        changed: Vec<UpdateInfo> = "ChangedUpdates",
        /// There is more to fetch.
        is_truncated: bool = "Truncated",
        new_cookie: Option<Cookie> = "NewCookie",
        deployed_out_of_scope: Vec<i32> = "DeployedOutOfScopeRevisionIds",
        driver_sync_not_needed: Option<bool> = "DriverSyncNotNeeded",
    }

    UpdateInfo as "UpdateInfo" {
        id: i32 = "ID",
        /// The native client fails without one.
        deployment: Option<Deployment> = "Deployment",
        /// No other update has it as a prerequisite; a wrong answer breaks detection.
        is_leaf: bool = "IsLeaf",
        /// The Core fragment; not needed where only the deployment changed.
        xml: Option<Escaped> = "Xml",
    }

    Deployment {
        id: i32 = "ID",
        action: DeploymentAction = "Action",
        deadline: Option<WireTime> = "Deadline",
        /// The computer installs by itself.
        is_assigned: bool = "IsAssigned",
        /// A date alone: see [`WireTime::date`].
        last_change: String = "LastChangeTime",
        download_priority: Option<String> = "DownloadPriority",
        hardware_ids: Vec<String> = "HardwareIds",
        /// This and the next three are 0 for clients of protocol 1.8 and later, absent for others.
        auto_select: Option<i32> = "AutoSelect",
        auto_download: Option<i32> = "AutoDownload",
        supersedence_behavior: Option<i32> = "SupersedenceBehavior",
        flag_bitmask: Option<i32> = "FlagBitmask",
    }
}

/// New updates as they stand in an answer; nothing if there are none.
#[must_use]
pub fn write_new_updates(new: &Vec<UpdateInfo>) -> String {
    let mut xml = XmlWriter::compact();
    Value::write(new, &mut xml, "NewUpdates");
    xml.finish()
}

impl SyncInfo {
    /// The answer before and after its new updates, of which it has none itself: they are the
    /// same for many computers, and written once.
    #[must_use]
    pub fn encode_around(&self) -> (String, String) {
        let mut before = encode(self);
        // The first thing in the result.
        let result = format!("<{}>", SyncInfo::ELEMENTS[1]);
        let at = before.find(&result).map_or(before.len(), |at| at + result.len());
        let after = before.split_off(at);
        (before, after)
    }
}

impl Message for SyncUpdates {
    const OPERATION: Endpoint = Endpoint { service: Service::Client, name: "SyncUpdates" };
    const ELEMENTS: &'static [&'static str] = &["SyncUpdates"];
    const BYTES_MAX: u64 = CLIENT_REQUEST_BYTES_MAX;

    fn write(&self, xml: &mut XmlWriter) {
        self.write_elements(xml);
    }

    /// As records are read, but for the lists of numbers.
    fn read<R: BufRead>(guard: &mut XmlGuard<R>, tag: Tag) -> Result<SyncUpdates, Error> {
        let mut request = opened(tag);
        let names = ["InstalledNonLeafUpdateIDs", "OtherCachedUpdateIDs", "CachedDriverIDs"];
        let mut lists = Lists::named(names);
        each_child(guard, |guard, tag| {
            if tag.local != "parameters" {
                return keep(&mut request, guard, tag);
            }
            let mut parameters = opened(tag);
            each_child(guard, |guard, tag| {
                let is_list = lists.take(guard, &tag)?;
                if is_list { Ok(()) } else { keep(&mut parameters, guard, tag) }
            })?;
            request.children.push(parameters);
            Ok(())
        })?;
        let mut read = <SyncUpdates as Record>::read(&request)?;
        let [installed, others, drivers] = lists.finish();
        read.parameters.installed_non_leaf = installed;
        read.parameters.other_cached = others;
        read.parameters.cached_drivers = drivers;
        Ok(read)
    }
}

impl Message for SyncInfo {
    const OPERATION: Endpoint = SyncUpdates::OPERATION;
    const ELEMENTS: &'static [&'static str] = &["SyncUpdatesResponse", "SyncUpdatesResult"];
    const BYTES_MAX: u64 = CLIENT_ANSWER_BYTES_MAX;
    const NODES_MAX: usize = CLIENT_ANSWER_NODES_MAX;

    fn write(&self, xml: &mut XmlWriter) {
        self.write_elements(xml);
    }

    /// As records are read, but for the lists, which make up nearly all of an answer.
    fn read<R: BufRead>(guard: &mut XmlGuard<R>, tag: Tag) -> Result<SyncInfo, Error> {
        let mut rest = opened(tag);
        let mut lists = Lists::named(["OutOfScopeRevisionIDs", "DeployedOutOfScopeRevisionIds"]);
        let (mut new, mut changed) = (None, None);
        each_child(guard, |guard, tag| {
            if lists.take(guard, &tag)? {
                return Ok(());
            }
            let updates = match tag.local.as_str() {
                "NewUpdates" => &mut new,
                "ChangedUpdates" => &mut changed,
                _ => return keep(&mut rest, guard, tag),
            };
            let read = read_list(guard, &tag)?;
            updates.get_or_insert(read);
            Ok(())
        })?;
        let read = <SyncInfo as Record>::read(&rest)?;
        let [out_of_scope, deployed_out_of_scope] = lists.finish();
        let (new, changed) = (new.unwrap_or_default(), changed.unwrap_or_default());
        Ok(SyncInfo { new, changed, out_of_scope, deployed_out_of_scope, ..read })
    }
}

words! {
    DeploymentAction {
        /// Offered, never installed without being asked for.
        OptionalInstall,
        Install,
        Uninstall,
        /// Reported on, not offered.
        PreDeploymentCheck,
        Block,
        /// Neither offered nor reported on.
        Evaluate,
        /// Installed only as a part of another.
        Bundle,
    }
}

records! {
    SyncPrinterCatalog: request of Client SyncPrinterCatalog {
        cookie: Option<Cookie> = "cookie",
        installed_non_leaf: Vec<i32> = "installedNonLeafUpdateIDs",
        printers: Vec<i32> = "printerUpdateIDs",
    }

    SyncPrinterCatalogResponse: answer of Client SyncPrinterCatalog {
        info: SyncInfo = "SyncPrinterCatalogResult",
    }
}
