//! Update documents as one publisher's package.
//!
//! What a package says that documents do not keep is made up: ids of installable items follow from
//! the update's, and files are as old as the package. What no package can say refuses the export.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{CategoryKind, ItemFile, LocalizedText, UpdateId};
use xml_guard::Element;

use super::{Package, Rejected};
use crate::document::{encode_command, severity_word};
use crate::namespaces::{
    self, PACKAGE, PACKAGE_COMMAND_LINE, PACKAGE_MSI, PACKAGE_MSP, PACKAGE_PREFIXES, write_document,
};
use crate::{Document, Installer, Rule, Rules, UpdateKind, categories};

const SCHEMA_VERSION: &str = "1.0";

impl Package {
    /// The package as XML without a declaration. Read again it is the same package.
    pub fn to_sdp(&self) -> Result<String, Rejected> {
        let update = &self.update;
        let place = || format!("update {}", update.update.id);
        let reject = |reason: String| Rejected { place: place(), reason };
        let (own, items) = match &*self.members {
            [] => (None, vec![(item_id(update.update.id), update)]),
            members => (Some(&update.rules), members.iter().map(|m| (m.update.id, m)).collect()),
        };
        let items = items.into_iter().map(|(id, item)| self.item(id, item));
        let items = items.collect::<Result<Vec<Element>, String>>().map_err(reject)?;
        let mut children = vec![self.properties()];
        children.extend(update.texts.iter().map(text));
        children.push(self.kind());
        let mut own = own.and_then(applicability).map_or(Vec::new(), |rules| rules.children);
        // Where they are a package's own, they come the other way round.
        own.sort_by_key(|section| section.tag.local != "IsInstallable");
        children.extend(own);
        children.extend(self.relations());
        children.extend(items);
        let root =
            node("SoftwareDistributionPackage", &[("SchemaVersion", SCHEMA_VERSION)], children);
        Ok(write_document(&root, &PACKAGE_PREFIXES))
    }

    fn titles(&self, kind: CategoryKind) -> impl Iterator<Item = &str> {
        let of_kind =
            self.categories.iter().filter(move |category| category.category == Some(kind));
        of_kind.filter_map(|category| Some(category.texts.first()?.title.as_str()))
    }

    fn properties(&self) -> Element {
        let Document { update, properties, .. } = &self.update;
        let (id, created_at) = (update.id.to_string(), properties.created_at.to_string());
        let mut attributes = vec![("PackageID", &*id), ("CreationDate", &*created_at)];
        attributes.extend(self.titles(CategoryKind::Company).map(|name| ("VendorName", name)));
        if properties.is_expired {
            attributes.push(("PublicationState", "Expired"));
        }
        if properties.kind == UpdateKind::Driver {
            attributes.push(("UpdateType", "Driver"));
        }
        let urls =
            [("MoreInfoUrl", &properties.more_info_url), ("SupportUrl", &properties.support_url)];
        let urls = urls.into_iter().filter_map(|(name, url)| Some(leaf(name, url.as_deref()?)));
        let products = self.titles(CategoryKind::Product).map(|name| leaf("ProductName", name));
        node("Properties", &attributes, urls.chain(products))
    }

    fn kind(&self) -> Element {
        let properties = &self.update.properties;
        let listed = |name: &'static str, texts: &[String]| -> Vec<Element> {
            texts.iter().map(|text| leaf(name, text)).collect()
        };
        let children = [
            listed("SecurityBulletinID", &properties.bulletins),
            listed("CveID", &properties.cves),
            listed("KBArticleID", &properties.kb_articles),
        ];
        let children: Vec<Element> = children.into_iter().flatten().collect();
        let classification = self.titles(CategoryKind::Classification).next().unwrap_or("Updates");
        if classification == "Applications" && children.is_empty() && properties.severity.is_none()
        {
            return node("ApplicationSpecificData", &[], []);
        }
        let mut attributes = vec![("UpdateClassification", classification)];
        attributes.extend(properties.severity.map(|s| ("MsrcSeverity", severity_word(s))));
        node("UpdateSpecificData", &attributes, children)
    }

    fn relations(&self) -> impl Iterator<Item = Element> {
        let relations = &self.update.relations;
        let clauses = relations.prerequisites.iter().filter(|clause| !clause.is_category);
        let clauses = clauses.map(|clause| node("AtLeastOne", &[], clause.any_of.iter().map(id)));
        let is_ours = |wanted: &UpdateId| self.members.iter().any(|m| m.update.id == *wanted);
        let bundled = relations.bundled.iter().flatten().map(|update| update.id);
        let bundled = bundled.filter(|update| !is_ours(update)).map(|update| id(&update));
        let sections = [
            node("SupersededPackages", &[], relations.superseded.iter().map(id)),
            node("Prerequisites", &[], clauses),
            node("BundledPackages", &[], bundled),
        ];
        sections.into_iter().filter(|section| !section.children.is_empty())
    }

    fn item(&self, id: UpdateId, item: &Document) -> Result<Element, String> {
        let mut children: Vec<Element> = applicability(&item.rules).into_iter().collect();
        children.extend(item.properties.installation.as_ref().map(|behavior| {
            let mut tag = behavior.tag.clone();
            (tag.ns, tag.local) = (PACKAGE.into(), "InstallProperties".to_owned());
            Element { tag, children: Vec::new(), text: String::new() }
        }));
        children.extend(item.installer.as_ref().map(installer).transpose()?);
        children.extend(item.files.iter().map(|file| self.file(file)));
        Ok(node("InstallableItem", &[("ID", &*id.to_string())], children))
    }

    fn file(&self, file: &ItemFile) -> Element {
        let (digest, size) = (STANDARD.encode(file.sha1.0), file.size.to_string());
        let modified = self.update.properties.created_at.to_string();
        let mut attributes = vec![
            ("Digest", &*digest),
            ("FileName", &*file.name),
            ("Size", &*size),
            ("Modified", &*modified),
        ];
        let source = self.sources.iter().find(|source| source.sha1 == file.sha1);
        attributes.extend(source.map(|source| ("OriginUri", &*source.url)));
        let sha256 = file.sha256.map(|digest| Element {
            text: STANDARD.encode(digest.0),
            ..node("AdditionalDigest", &[("Algorithm", "SHA256")], [])
        });
        node("OriginFile", &attributes, sha256)
    }
}

/// Where the update is its own item, which needs an id of its own.
fn item_id(update: UpdateId) -> UpdateId {
    categories::named("item", &[&update.to_string()])
}

fn text(text: &LocalizedText) -> Element {
    // A package has to describe itself.
    let description = if text.description.is_empty() { &text.title } else { &text.description };
    let leaves = [
        leaf("Language", &text.language),
        leaf("Title", &text.title),
        leaf("Description", description),
    ];
    node("LocalizedProperties", &[], leaves)
}

fn applicability(rules: &Rules) -> Option<Element> {
    let metadata = rules.metadata.iter().map(published);
    let metadata = node("Metadata", &[], metadata);
    let sections = [
        rule("IsInstalled", &rules.is_installed),
        rule("IsSuperseded", &rules.is_superseded),
        rule("IsInstallable", &rules.is_installable),
        Some(metadata).filter(|metadata| !metadata.children.is_empty()),
    ];
    let rules = node("ApplicabilityRules", &[], sections.into_iter().flatten());
    Some(rules).filter(|rules| !rules.children.is_empty())
}

fn rule(name: &str, rule: &Option<Rule>) -> Option<Element> {
    Some(node(name, &[], [published(&rule.as_ref()?.encode())]))
}

fn published(element: &Element) -> Element {
    namespaces::renamed(element, namespaces::to_publishing)
}

fn installer(installer: &Installer) -> Result<Element, String> {
    let as_element = |data: &Element, ns: &str, local: &str| {
        let mut data = published(data);
        (data.tag.ns, data.tag.local) = (ns.into(), local.to_owned());
        data
    };
    match installer {
        Installer::CommandLine(command) => {
            let mut command = as_element(
                &encode_command(command),
                PACKAGE_COMMAND_LINE,
                "CommandLineInstallerData",
            );
            command.children.iter_mut().for_each(|code| code.tag.ns = PACKAGE_COMMAND_LINE.into());
            Ok(command)
        }
        Installer::Windows { data, .. } if data.tag.local == "MsiData" => {
            Ok(as_element(data, PACKAGE_MSI, "MsiInstallerData"))
        }
        Installer::Windows { data, .. } if data.tag.local == "MspData" => {
            Ok(as_element(data, PACKAGE_MSP, "MspInstallerData"))
        }
        Installer::Windows { type_name, .. } => {
            Err(format!("a package has no installer of type {type_name:?}"))
        }
    }
}

fn id(id: &UpdateId) -> Element {
    leaf("PackageID", &id.to_string())
}

fn node(
    local: &str,
    attributes: &[(&str, &str)],
    children: impl IntoIterator<Item = Element>,
) -> Element {
    let children = children.into_iter().collect();
    Element { children, ..namespaces::element(PACKAGE, local, attributes) }
}

fn leaf(local: &str, text: &str) -> Element {
    Element { text: text.to_owned(), ..node(local, &[], []) }
}
