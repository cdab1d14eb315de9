//! Writing update documents: the same document gives the same bytes.
//!
//! A document is put together as a tree, in the order of real ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{ItemFile, LocalizedText, UpdateId, UpdateRef};
use xml_guard::{Attribute, Element};

use super::decode::EXPRESS;
use super::{
    CATEGORY_TYPES, CommandLine, Document, Installer, KINDS, Outcome, RESULTS, Relations,
    SEVERITIES, word,
};
use crate::Rule;
use crate::namespaces::{
    CATEGORY, COMMAND_LINE, PREFIXES, SCHEMA_INSTANCE, UPDATE, element, prefix, write_document,
};

impl Document {
    /// The document as XML without a declaration, as update services send it.
    #[must_use]
    pub fn to_xml(&self) -> String {
        write_document(&node("Update", &[], self.encode()), &PREFIXES)
    }

    fn encode(&self) -> Vec<Element> {
        let rule = |name, rule: &Option<Rule>| section(name, rule.iter().map(Rule::encode));
        let rules = [
            rule("IsInstalled", &self.rules.is_installed),
            rule("IsInstallable", &self.rules.is_installable),
            rule("IsSuperseded", &self.rules.is_superseded),
            section("Metadata", self.rules.metadata.iter().cloned()),
        ];
        let sections = [
            Some(encode_ref(&self.update)),
            Some(self.encode_properties()),
            section("LocalizedPropertiesCollection", self.texts.iter().map(encode_text)),
            section("Relationships", encode_relations(&self.relations)),
            section("ApplicabilityRules", rules.into_iter().flatten()),
            section("Files", self.files.iter().map(|file| self.encode_file(file))),
            self.encode_handler(),
        ];
        sections.into_iter().flatten().collect()
    }

    fn encode_properties(&self) -> Element {
        let properties = &self.properties;
        let handler = self.encode_handler().and_then(|mut handler| handler.children.pop());
        let size = self.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
        let severity = properties.severity.map(|severity| word(SEVERITIES, severity));
        let attributes = [
            ("UpdateType", Some(word(KINDS, properties.kind))),
            ("DefaultPropertiesLanguage", Some(&*properties.default_language)),
            ("Handler", handler.as_ref().map(|handler| &*handler.tag.ns)),
            ("MaxDownloadSize", Some(&*size.to_string())),
            ("MinDownloadSize", Some("0")),
            ("PublicationState", Some(if properties.is_expired { "Expired" } else { "Published" })),
            ("CreationDate", Some(&*properties.created_at.to_string())),
            ("ExplicitlyDeployable", properties.is_explicitly_deployable.then_some("true")),
            ("MsrcSeverity", severity),
        ];
        let leaves = |name, texts: &[String]| -> Vec<Element> {
            texts.iter().map(|text| leaf(name, text)).collect()
        };
        let children = [
            leaves("MoreInfoUrl", properties.more_info_url.as_slice()),
            leaves("SupportUrl", properties.support_url.as_slice()),
            properties.installation.iter().cloned().collect(),
            leaves("Language", &properties.languages),
            leaves("SecurityBulletinID", &properties.bulletins),
            leaves("CveID", &properties.cves),
            leaves("KBArticleID", &properties.kb_articles),
        ];
        node("Properties", &attributes, children.into_iter().flatten())
    }

    fn encode_file(&self, file: &ItemFile) -> Element {
        let is_express = self.express.contains(&file.sha1);
        let attributes = [
            ("Digest", Some(&*STANDARD.encode(file.sha1.0))),
            ("DigestAlgorithm", Some("SHA1")),
            ("FileName", Some(&*file.name)),
            ("Size", Some(&*file.size.to_string())),
            ("PatchingType", is_express.then_some(EXPRESS)),
        ];
        let sha256 = file.sha256.map(|digest| Element {
            text: STANDARD.encode(digest.0),
            ..element(UPDATE, "AdditionalDigest", &[("Algorithm", "SHA256")])
        });
        node("File", &attributes, sha256)
    }

    fn encode_handler(&self) -> Option<Element> {
        let (type_name, data) = match (self.category, &self.installer) {
            (Some(kind), _) => {
                let kind = [("CategoryType", word(CATEGORY_TYPES, kind))];
                ("Category", element(CATEGORY, "CategoryInformation", &kind))
            }
            (None, Some(Installer::CommandLine(command))) => {
                ("CommandLineInstallation", encode_command(command))
            }
            (None, Some(Installer::Windows { type_name, data })) => {
                (type_name.as_str(), data.clone())
            }
            (None, None) => return None,
        };
        let value = match prefix(&PREFIXES, &data.tag.ns) {
            Some(prefix) => format!("{prefix}:{type_name}"),
            None => type_name.to_owned(),
        };
        let mut handler = node("HandlerSpecificData", &[], [data]);
        let (ns, local) = (SCHEMA_INSTANCE.into(), "type".to_owned());
        handler.tag.attributes.push(Attribute { ns, local, value });
        Some(handler)
    }
}

fn encode_text(text: &LocalizedText) -> Element {
    let description = Some(&text.description).filter(|description| !description.is_empty());
    let parts = [
        Some(leaf("Language", &text.language)),
        Some(leaf("Title", &text.title)),
        description.map(|description| leaf("Description", description)),
    ];
    node("LocalizedProperties", &[], parts.into_iter().flatten())
}

fn encode_relations(relations: &Relations) -> impl Iterator<Item = Element> {
    let Relations { superseded, prerequisites, bundled } = relations;
    let clauses = prerequisites.iter().map(|clause| {
        let mark = clause.is_category.then_some("true");
        group(clause.any_of.iter().map(encode_id).collect(), mark)
    });
    let groups =
        bundled.iter().map(|group_of| group(group_of.iter().map(encode_ref).collect(), None));
    let sections = [
        section("SupersededUpdates", superseded.iter().map(encode_id)),
        section("Prerequisites", clauses),
        section("BundledUpdates", groups),
    ];
    sections.into_iter().flatten()
}

fn group(mut members: Vec<Element>, is_category: Option<&str>) -> Element {
    match (members.len(), is_category) {
        (1, None) => members.remove(0),
        _ => node("AtLeastOne", &[("IsCategory", is_category)], members),
    }
}

fn encode_id(id: &UpdateId) -> Element {
    element(UPDATE, "UpdateIdentity", &[("UpdateID", &id.to_string())])
}

fn encode_ref(update: &UpdateRef) -> Element {
    let names =
        [("UpdateID", &*update.id.to_string()), ("RevisionNumber", &update.revision.to_string())];
    element(UPDATE, "UpdateIdentity", &names)
}

pub(crate) fn encode_command(command: &CommandLine) -> Element {
    let result = |outcome: &Outcome| word(RESULTS, outcome.result);
    let restart = |outcome: &Outcome| if outcome.needs_restart { "true" } else { "false" };
    let return_code = |(code, outcome): (&i32, &Outcome)| {
        let code = code.to_string();
        let outcome = [("Code", &*code), ("Result", result(outcome)), ("Reboot", restart(outcome))];
        element(COMMAND_LINE, "ReturnCode", &outcome)
    };
    let CommandLine { program, arguments, return_codes, default_outcome } = command;
    let attributes = [
        ("Program", program.as_str()),
        ("Arguments", arguments),
        ("DefaultResult", result(default_outcome)),
        ("RebootByDefault", restart(default_outcome)),
    ];
    let children = return_codes.iter().map(return_code).collect();
    Element { children, ..element(COMMAND_LINE, "InstallCommand", &attributes) }
}

/// An element of the update namespace; attributes without a value are left out.
fn node(
    local: &str,
    attributes: &[(&str, Option<&str>)],
    children: impl IntoIterator<Item = Element>,
) -> Element {
    let given = attributes.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
    let given: Vec<_> = given.collect();
    Element { children: children.into_iter().collect(), ..element(UPDATE, local, &given) }
}

/// An element that is left out if it would be empty.
fn section(local: &str, children: impl IntoIterator<Item = Element>) -> Option<Element> {
    Some(node(local, &[], children)).filter(|section| !section.children.is_empty())
}

fn leaf(local: &str, text: &str) -> Element {
    Element { text: text.to_owned(), ..element(UPDATE, local, &[]) }
}
