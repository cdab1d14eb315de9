//! Answers by the book (MS-WUSP 3.1.5), as text.

use std::collections::BTreeSet;

use uuid::Uuid;
use xml_guard::Element;

use super::requests::Call;
use super::{Event, Refused, Script, Told, ids};

/// The client of a later version than the server gives up on it (2.2.2.2.1).
const PROPERTIES: [(&str, &str); 4] = [
    ("MaxExtendedUpdatesPerRequest", "50"),
    ("ProtocolVersion", "3.2"),
    ("IsInventoryRequired", "0"),
    ("ClientReportingLevel", "2"),
];
const EXPIRATION: &str = "2099-01-01T00:00:00Z";

pub(super) fn authorization() -> String {
    "<GetAuthorizationCookieResult><PlugInId>SimpleTargeting</PlugInId><CookieData>AQID\
     </CookieData></GetAuthorizationCookieResult>"
        .to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Script {
    pub(super) fn config(&self) -> String {
        let property = |(name, value): (&str, &str)| {
            format!(
                "<ConfigurationProperty><Name>{name}</Name><Value>{value}</Value>\
                 </ConfigurationProperty>"
            )
        };
        let properties: String = PROPERTIES.map(property).concat();
        format!(
            "<GetConfigResult><LastChange>2026-01-01T00:00:{:02}Z</LastChange>\
             <IsRegistrationRequired>{}</IsRegistrationRequired><AuthInfo><AuthPlugInInfo>\
             <PlugInID>SimpleTargeting</PlugInID><ServiceUrl>SimpleAuthWebService/SimpleAuth.asmx\
             </ServiceUrl><Parameter /></AuthPlugInInfo></AuthInfo><Properties>{properties}\
             </Properties></GetConfigResult>",
            self.configuration, self.wants_registration
        )
    }

    pub(super) fn give_cookie(&self, call: &Call) -> Result<String, Refused> {
        let authorization = call.request.child("authCookies");
        let authorization = authorization.and_then(|list| list.child("AuthorizationCookie"));
        let data = authorization.and_then(|cookie| cookie.child("CookieData"));
        if data.is_none_or(|data| data.text != "AQID") {
            return Err(("InvalidAuthorizationCookie", ""));
        }
        let old = call.request.child("oldCookie").and_then(|old| old.child("EncryptedData"));
        let seen = old.and_then(|old| seen_by(&old.text, self.server)).unwrap_or_default();
        Ok(format!("<GetCookieResult>{}</GetCookieResult>", self.cookie(seen)))
    }

    /// Twenty-four digits, which are eighteen bytes in base64.
    fn cookie(&self, seen: u64) -> String {
        format!(
            "<Expiration>{EXPIRATION}</Expiration><EncryptedData>{:08}{:08}{seen:08}\
             </EncryptedData>",
            self.server, self.configuration
        )
    }

    /// Needed, cached, and what follows from both (3.1.5.7).
    pub(super) fn sync(&self, call: &Call, seen: u64) -> Result<String, Refused> {
        let parameters = call.request.child("parameters").ok_or(("InvalidParameters", ""))?;
        let installed = ids(parameters.child("InstalledNonLeafUpdateIDs"));
        let mut cached = ids(parameters.child("OtherCachedUpdateIDs"));
        cached.extend(&installed);
        let held = self.revisions.iter().filter(|told| installed.contains(&told.id));
        let held: BTreeSet<Uuid> = held.map(|told| told.update).collect();
        let is_needed = |told: &&Told| {
            let mut groups = told.prerequisites.iter();
            groups.all(|group| group.iter().any(|id| held.contains(id)))
        };
        let needed: Vec<&Told> = self.revisions.iter().filter(is_needed).collect();
        let (known, mut new): (Vec<&Told>, Vec<&Told>) =
            needed.iter().partition(|told| cached.contains(&told.id));
        new.sort_by_key(|told| (self.is_leaf(told), told.id));
        let is_truncated = new.len() > self.page;
        new.truncate(self.page);
        let gone = cached.iter().filter(|id| !needed.iter().any(|told| told.id == **id));
        let gone: String = gone.map(|id| format!("<int>{id}</int>")).collect();
        let changed = known.iter().filter(|told| self.changed[&told.id] > seen);
        let changed: String = changed.map(|told| self.info(told, false)).collect();
        let new: String = new.iter().map(|told| self.info(told, true)).collect();
        Ok(format!(
            "<SyncUpdatesResult><NewUpdates>{new}</NewUpdates><OutOfScopeRevisionIDs>{gone}\
             </OutOfScopeRevisionIDs><ChangedUpdates>{changed}</ChangedUpdates><Truncated>\
             {is_truncated}</Truncated><NewCookie>{}</NewCookie><DriverSyncNotNeeded>true\
             </DriverSyncNotNeeded></SyncUpdatesResult>",
            self.cookie(self.changes)
        ))
    }

    fn is_leaf(&self, told: &Told) -> bool {
        let mut groups = self.revisions.iter().flat_map(|other| &other.prerequisites);
        !groups.any(|group| group.contains(&told.update))
    }

    fn info(&self, told: &Told, is_new: bool) -> String {
        let xml =
            if is_new { format!("<Xml>{}</Xml>", escaped(&told.core())) } else { String::new() };
        format!(
            "<UpdateInfo><ID>{}</ID>{}<IsLeaf>{}</IsLeaf>{xml}</UpdateInfo>",
            told.id,
            self.deployment(told),
            self.is_leaf(told)
        )
    }

    fn deployment(&self, told: &Told) -> String {
        format!(
            "<Deployment><ID>{}</ID><Action>{}</Action><IsAssigned>true</IsAssigned>\
             <LastChangeTime>2026-10-04</LastChangeTime><AutoSelect>0</AutoSelect><AutoDownload>0\
             </AutoDownload><SupersedenceBehavior>0</SupersedenceBehavior></Deployment>",
            8_000 + told.id,
            told.action
        )
    }

    pub(super) fn refresh(&self, call: &Call) -> Result<String, Refused> {
        let asked = call.request.child("globalIDs").ok_or(("InvalidParameters", "globalIDs"))?;
        let mut results = String::new();
        for identity in asked.children_named("UpdateIdentity") {
            let is_asked = |told: &&Told| {
                text(identity, "UpdateID").parse() == Ok(told.update)
                    && text(identity, "RevisionNumber").parse() == Ok(told.revision)
            };
            let Some(told) = self.revisions.iter().find(is_asked) else { continue };
            results.push_str(&format!(
                "<RefreshCacheResult><RevisionID>{}</RevisionID><GlobalID><UpdateID>{}</UpdateID>\
                 <RevisionNumber>{}</RevisionNumber></GlobalID><IsLeaf>{}</IsLeaf>{}\
                 </RefreshCacheResult>",
                told.id,
                told.update,
                told.revision,
                self.is_leaf(told),
                self.deployment(told)
            ));
        }
        Ok(format!("<RefreshCacheResult>{results}</RefreshCacheResult>"))
    }

    /// All Extended fragments come before all texts.
    pub(super) fn details(&self, call: &Call) -> Result<String, Refused> {
        let asked = ids(call.request.child("revisionIDs"));
        if asked.is_empty() || asked.len() > 50 {
            return Err(("InvalidParameters", "revisionIDs"));
        }
        let told = self.revisions.iter().filter(|told| asked.contains(&told.id));
        let told: Vec<&Told> = told.collect();
        let entry = |id: i32, xml: &str| {
            format!("<Update><ID>{id}</ID><Xml>{}</Xml></Update>", escaped(xml))
        };
        let extended: String = told.iter().map(|told| entry(told.id, &told.extended)).collect();
        let texts: String = told.iter().map(|told| entry(told.id, &told.localized())).collect();
        let gone = asked.iter().filter(|id| !told.iter().any(|told| told.id == **id));
        let gone: String = gone.map(|id| format!("<int>{id}</int>")).collect();
        Ok(format!(
            "<GetExtendedUpdateInfoResult><Updates>{extended}{texts}</Updates>\
             <OutOfScopeRevisionIDs>{gone}</OutOfScopeRevisionIDs></GetExtendedUpdateInfoResult>"
        ))
    }

    pub(super) fn take_events(&mut self, call: &Call) -> Result<(), Refused> {
        let batch = call.request.child("eventBatch").ok_or(("InvalidParameters", "eventBatch"))?;
        for event in batch.children_named("ReportingEvent") {
            let basic = event.child("BasicData").ok_or(("InvalidParameters", "BasicData"))?;
            let number = |name: &str| text(basic, name).parse().ok();
            let (Some(event_id), Some(hresult), Some(1)) =
                (number("EventID"), number("Win32HResult"), number("NamespaceID"))
            else {
                return Err(("InvalidParameters", "BasicData"));
            };
            let update = basic.child("UpdateID").map(|update| text(update, "UpdateID"));
            let update = update.and_then(|id| id.parse().ok());
            let list = |name: &str| -> Vec<String> {
                let list = event.child("ExtendedData").and_then(|data| data.child(name));
                let items = list.iter().flat_map(|list| list.children_named("string"));
                items.map(|item| item.text.clone()).collect()
            };
            self.events.push(Event {
                number: event_id,
                update: update.ok_or(("InvalidParameters", "UpdateID"))?,
                hresult,
                computer: basic.child("TargetID").map(|id| text(id, "Sid")).unwrap_or_default(),
                instance: text(basic, "EventInstanceID"),
                strings: list("ReplacementStrings"),
                misc: list("MiscData"),
            });
        }
        Ok(())
    }
}

/// The changes that a cookie of this server says are known.
fn seen_by(data: &str, server: u32) -> Option<u64> {
    let is_ours = data.get(..8)?.parse() == Ok(server);
    if is_ours { data.get(16..24)?.parse().ok() } else { None }
}

fn text(parent: &Element, name: &str) -> String {
    parent.child(name).map_or_else(String::new, |child| child.text.trim().to_owned())
}
