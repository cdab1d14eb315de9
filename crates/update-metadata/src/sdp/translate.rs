//! One package as update documents.
//!
//! Lenient where the publisher is: what is optional and unreadable is left out and reported, and
//! rules are carried over as they are, in the namespaces of update documents.

use model::{ItemFile, LocalizedText, MsrcSeverity, Sha1, Sha256, UpdateId, UpdateRef};
use xml_guard::Element;

use super::{FileSource, Package, Rejected};
use crate::document::{decode_command, decode_digest, decode_text, parse_size, parse_time};
use crate::namespaces::{self, UPDATE, WINDOWS_INSTALLER};
use crate::{Document, Installer, Prerequisite, Relations, Rule, Rules, UpdateKind, categories};

const NO_VENDOR: &str = "Unknown Vendor";
const NO_PRODUCT: &str = "Unknown Product";

pub(super) fn package(element: &Element, place: &str) -> Result<Package, Rejected> {
    let properties = element.child("Properties");
    let id = properties.and_then(|p| p.tag.attribute("PackageID")).map_or("", str::trim);
    let place = if id.is_empty() { place.to_owned() } else { format!("{place}, package {id}") };
    let reject = |reason: String| Rejected { place: place.clone(), reason };
    let (Some(properties), false) = (properties, id.is_empty()) else {
        return Err(reject("it has no PackageID".to_owned()));
    };
    let id: UpdateId = id.parse().map_err(|error| reject(format!("PackageID: {error}")))?;
    let texts = texts(element);
    if texts.is_empty() {
        return Err(reject("it has no title".to_owned()));
    }
    let items: Vec<&Element> = element.children_named("InstallableItem").collect();
    if items.is_empty() {
        return Err(reject("it has no InstallableItem".to_owned()));
    }
    let mut translation = Translation { id, place, sources: Vec::new(), rejected: Vec::new() };
    let (memberships, categories) = memberships(element, properties);
    let mut update = blank(id, texts);
    fill_properties(&mut update, element, properties);
    update.relations = relations(element, memberships);
    let members = if let [item] = items[..] {
        translation.fill_item(&mut update, Some(element), item);
        Vec::new()
    } else {
        let members = translation.members(&update, &items);
        update.relations.bundled.push(members.iter().map(|member| member.update).collect());
        update.rules = rules(&[element]);
        members
    };
    let Translation { sources, rejected, .. } = translation;
    Ok(Package { update, members, categories, sources, rejected })
}

/// What comes up beside the documents.
struct Translation {
    id: UpdateId,
    place: String,
    sources: Vec<FileSource>,
    rejected: Vec<Rejected>,
}

impl Translation {
    fn members(&mut self, update: &Document, items: &[&Element]) -> Vec<Document> {
        let member = |(number, item): (usize, &&Element)| {
            // Publishers use the same item ID in several packages.
            let id = categories::named("item", &[&self.id.to_string(), &number.to_string()]);
            let mut member = blank(id, update.texts.clone());
            member.properties = update.properties.clone();
            member.properties.is_explicitly_deployable = false;
            self.fill_item(&mut member, None, item);
            member
        };
        items.iter().enumerate().map(member).collect()
    }

    /// The rules of a package and of its only item apply together.
    fn fill_item(&mut self, document: &mut Document, package: Option<&Element>, item: &Element) {
        let own = item.child("ApplicabilityRules");
        let holders: Vec<&Element> = package.into_iter().chain(own).collect();
        document.rules = rules(&holders);
        document.properties.installation = item.child("InstallProperties").map(|properties| {
            let mut tag = properties.tag.clone();
            (tag.ns, tag.local) = (UPDATE.into(), "InstallationBehavior".to_owned());
            Element { tag, children: Vec::new(), text: String::new() }
        });
        document.installer = installer(item);
        for origin in item.children_named("OriginFile") {
            match file(origin) {
                Ok(file) => {
                    let url = origin.tag.attribute("OriginUri").map_or("", str::trim).to_owned();
                    if !url.is_empty() {
                        self.sources.push(FileSource { sha1: file.sha1, url });
                    }
                    document.files.push(file);
                }
                Err(reason) => {
                    let place = format!("{}, OriginFile", self.place);
                    self.rejected.push(Rejected { place, reason });
                }
            }
        }
    }
}

fn blank(id: UpdateId, texts: Vec<LocalizedText>) -> Document {
    let mut document = Document::new(UpdateRef { id, revision: 1 }, UpdateKind::Software, "");
    document.texts = texts;
    document
}

fn texts(package: &Element) -> Vec<LocalizedText> {
    let texts = package.children_named("LocalizedProperties").map(decode_text);
    let mut texts: Vec<LocalizedText> = texts.filter(|text| !text.title.is_empty()).collect();
    for text in texts.iter_mut().filter(|text| text.language.is_empty()) {
        text.language.push_str("en");
    }
    texts
}

fn fill_properties(update: &mut Document, package: &Element, properties: &Element) {
    let attribute = |name| properties.tag.attribute(name);
    let into = &mut update.properties;
    if attribute("UpdateType") == Some("Driver") {
        into.kind = UpdateKind::Driver;
    }
    into.default_language.clone_from(&update.texts[0].language);
    into.is_expired = attribute("PublicationState") == Some("Expired");
    into.is_explicitly_deployable = true;
    let created_at = attribute("CreationDate").map(parse_time);
    into.created_at = created_at.and_then(Result::ok).unwrap_or_default();
    into.more_info_url = listed(properties, "MoreInfoUrl").into_iter().next();
    into.support_url = listed(properties, "SupportUrl").into_iter().next();
    if let Some(data) = package.child("UpdateSpecificData") {
        into.severity = data.tag.attribute("MsrcSeverity").and_then(MsrcSeverity::from_name);
        into.kb_articles = listed(data, "KBArticleID");
        into.bulletins = listed(data, "SecurityBulletinID");
        into.cves = listed(data, "CveID");
    }
}

/// The clauses that say what a package belongs to, and the documents of what they name.
fn memberships(package: &Element, properties: &Element) -> (Vec<Prerequisite>, Vec<Document>) {
    let vendor = names(properties, "VendorName").into_iter().next();
    let vendor = vendor.unwrap_or_else(|| NO_VENDOR.to_owned());
    let mut products = names(properties, "ProductName");
    if products.is_empty() {
        products.push(NO_PRODUCT.to_owned());
    }
    let classification = match package.child("UpdateSpecificData") {
        Some(data) => data.tag.attribute("UpdateClassification").unwrap_or("Updates").trim(),
        None if package.child("ApplicationSpecificData").is_some() => "Applications",
        None => "Updates",
    };
    let products: Vec<Document> =
        products.iter().map(|name| categories::product(&vendor, name)).collect();
    let classification = categories::classification(classification);
    let clause = |of: &[Document]| Prerequisite {
        any_of: of.iter().map(|category| category.update.id).collect(),
        is_category: true,
    };
    let clauses = vec![clause(&products), clause(std::slice::from_ref(&classification))];
    let mut documents = vec![categories::company(&vendor)];
    documents.extend(products);
    documents.push(classification);
    (clauses, documents)
}

/// A package names other packages by id alone; revision 1 stands for the bundled one.
fn relations(package: &Element, memberships: Vec<Prerequisite>) -> Relations {
    let ids = |section: &Element| -> Vec<UpdateId> {
        let ids = section.children_named("PackageID");
        ids.filter_map(|id| id.text.trim().parse().ok()).collect()
    };
    let section = |name| package.child(name).map(ids).unwrap_or_default();
    let clauses = package.children_named("Prerequisites").flat_map(|section| &section.children);
    let clauses = clauses.map(|clause| Prerequisite { any_of: ids(clause), is_category: false });
    let mut prerequisites: Vec<Prerequisite> =
        clauses.filter(|clause| !clause.any_of.is_empty()).collect();
    prerequisites.extend(memberships);
    let bundled = section("BundledPackages").into_iter();
    Relations {
        superseded: section("SupersededPackages"),
        prerequisites,
        bundled: bundled.map(|id| vec![UpdateRef { id, revision: 1 }]).collect(),
    }
}

/// The rules of several holders joined: installed and installable if all say so, superseded if any.
fn rules(holders: &[&Element]) -> Rules {
    let sections = |name: &str| -> Vec<Rule> {
        let sections = holders.iter().filter_map(|holder| holder.child(name));
        sections.filter_map(|s| Rule::section(s.children.iter().map(carried).collect())).collect()
    };
    let metadata = holders.iter().filter_map(|holder| holder.child("Metadata"));
    let mut superseded = sections("IsSuperseded");
    Rules {
        is_installed: Rule::all(sections("IsInstalled")),
        // Publishers leave it out where the package may be installed anywhere.
        is_installable: Rule::all(sections("IsInstallable")).or(Some(Rule::True)),
        is_superseded: match superseded.len() {
            0 | 1 => superseded.pop(),
            _ => Some(Rule::Or(superseded)),
        },
        metadata: metadata.flat_map(|section| section.children.iter().map(carried)).collect(),
    }
}

/// The same element in the namespaces of update documents.
fn carried(element: &Element) -> Element {
    namespaces::renamed(element, namespaces::of_publishing)
}

fn installer(item: &Element) -> Option<Installer> {
    if let Some(command) = item.child("CommandLineInstallerData").and_then(decode_command) {
        return Some(Installer::CommandLine(command));
    }
    let of_windows = |data: &Element, local: &str, type_name: &str| {
        let mut data = carried(data);
        data.tag.ns = WINDOWS_INSTALLER.into();
        local.clone_into(&mut data.tag.local);
        Installer::Windows { type_name: type_name.to_owned(), data }
    };
    let msi =
        item.child("MsiInstallerData").map(|d| of_windows(d, "MsiData", "WindowsInstallerApp"));
    msi.or_else(|| {
        item.child("MspInstallerData").map(|d| of_windows(d, "MspData", "WindowsInstaller"))
    })
}

fn file(origin: &Element) -> Result<ItemFile, String> {
    let attribute = |name: &str| {
        origin.tag.attribute(name).map(str::trim).ok_or_else(|| format!("{name} is missing"))
    };
    let sha256 = origin.children_named("AdditionalDigest");
    let sha256 = sha256.filter(|digest| digest.tag.attribute("Algorithm") == Some("SHA256"));
    let sha256 = sha256.map(|digest| decode_digest(&digest.text, Sha256::from_slice)).next();
    let sha1 = decode_digest(attribute("Digest")?, Sha1::from_slice);
    Ok(ItemFile {
        name: attribute("FileName")?.to_owned(),
        size: parse_size(attribute("Size")?).map_err(|error| error.to_string())?,
        sha1: sha1.map_err(|error| format!("Digest: {error}"))?,
        sha256: sha256.transpose().map_err(|error| format!("AdditionalDigest: {error}"))?,
    })
}

/// A name given as an attribute or as elements, whichever the publisher chose.
fn names(properties: &Element, name: &str) -> Vec<String> {
    let mut names = listed(properties, name);
    let attribute = properties.tag.attribute(name).map(str::trim);
    names.extend(attribute.filter(|name| !name.is_empty()).map(str::to_owned));
    names
}

fn listed(element: &Element, name: &str) -> Vec<String> {
    let texts = element.children_named(name).map(|child| child.text.trim().to_owned());
    texts.filter(|text| !text.is_empty()).collect()
}
