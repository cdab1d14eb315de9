//! Reading update documents.
//!
//! Section by section, so that a fault is reported with line, column and path and the largest one,
//! what servicing brings for Windows, is passed over but for its identity. Elements go by local
//! name: prefixes differ between documents, and what is unknown is ignored.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Invalid, ItemFile, LocalizedText, Sha1, Sha256, Timestamp, UpdateId, UpdateRef};
use xml_guard::{Element, Event, Limits, Position, Tag, XmlGuard};

use super::{
    CATEGORY_TYPES, CommandLine, Document, Installer, KINDS, Outcome, Prerequisite, Properties,
    RESULTS, Relations, SEVERITIES, meaning,
};
use crate::namespaces::{COMMAND_LINE, SCHEMA_INSTANCE, UPDATE};
use crate::{Error, Rule, Rules};

/// The largest real documents, cumulative updates, are a few megabytes.
const DOCUMENT_BYTES_MAX: u64 = 32 << 20;

/// The sections read whole; rules are read one by one, and everything else is passed over.
const SECTIONS: [&str; 6] = [
    "UpdateIdentity",
    "Properties",
    "LocalizedPropertiesCollection",
    "Relationships",
    "Files",
    "HandlerSpecificData",
];

type Decoded<T> = Result<T, Problem>;

/// A fault, with the path grown on the way out.
struct Problem {
    path: String,
    reason: String,
}

impl Problem {
    fn new(reason: impl Display) -> Problem {
        Problem { path: String::new(), reason: reason.to_string() }
    }

    fn within(self, step: &str) -> Problem {
        let slash = if self.path.is_empty() { "" } else { "/" };
        Problem { path: format!("{step}{slash}{}", self.path), ..self }
    }

    fn at(self, position: Position) -> Error {
        let Position { line, column, .. } = position;
        let Problem { path, reason } = self.within("Update");
        Error::DecodeDocument { line, column, path, reason }
    }
}

impl Document {
    /// Reads a document in UTF-8 or UTF-16.
    pub fn parse(xml: &[u8]) -> Result<Document, Error> {
        read(xml, Draft::default())
    }

    /// The same without titles and descriptions, for whoever only keeps the bytes and what they
    /// lead to: they make up most of a document. Their form is checked all the same.
    pub fn parse_without_texts(xml: &[u8]) -> Result<Document, Error> {
        read(xml, Draft { is_without_texts: true, ..Draft::default() })
    }
}

fn read(xml: &[u8], mut draft: Draft) -> Result<Document, Error> {
    let limits = Limits { total_bytes: DOCUMENT_BYTES_MAX, ..Limits::default() };
    let mut guard = XmlGuard::new(xml, limits);
    let mut root = Position { offset: 0, line: 1, column: 1 };
    let mut is_inside = false;
    loop {
        match guard.next_event()? {
            Event::Start(tag) if is_inside => draft.section(&mut guard, tag)?,
            Event::Start(tag) => {
                root = guard.position();
                if !tag.is(UPDATE, "Update") {
                    let reason = format!("the root is {} instead of upd:Update", tag.local);
                    return Err(Problem::new(reason).at(root));
                }
                is_inside = true;
            }
            Event::Text(_) | Event::End => {}
            Event::Eof => return draft.finish().map_err(|problem| problem.at(root)),
        }
    }
}

/// The kind of file that holds differences only.
pub(super) const EXPRESS: &str = "Express";

#[derive(Default)]
struct Draft {
    is_without_texts: bool,
    update: Option<UpdateRef>,
    properties: Option<Properties>,
    texts: Vec<LocalizedText>,
    has_license: bool,
    relations: Relations,
    rules: Rules,
    files: Vec<ItemFile>,
    express: Vec<Sha1>,
    handler: Option<Element>,
}

impl Draft {
    fn section(&mut self, guard: &mut XmlGuard<&[u8]>, tag: Tag) -> Result<(), Error> {
        let position = guard.position();
        let name = tag.local.clone();
        if name == "ApplicabilityRules" {
            return self.rules(guard);
        }
        let is_passed_over = self.is_without_texts && name == "LocalizedPropertiesCollection";
        if is_passed_over || !SECTIONS.contains(&name.as_str()) {
            return Ok(guard.skip_element()?);
        }
        let element = guard.read_element(tag)?;
        let outcome = match name.as_str() {
            "UpdateIdentity" => decode_ref(&element).map(|update| self.update = Some(update)),
            "Properties" => decode_properties(&element).map(|p| self.properties = Some(p)),
            "LocalizedPropertiesCollection" => {
                let texts = element.children_named("LocalizedProperties");
                self.texts = texts.map(decode_text).collect();
                self.has_license = element.child("EulaFile").is_some();
                Ok(())
            }
            "Relationships" => decode_relations(&element).map(|r| self.relations = r),
            "Files" => collect(element.children_named("File"), "File", decode_file).map(|files| {
                let kinds = element.children_named("File").map(is_express);
                let express = files.iter().zip(kinds).filter(|(_, is_express)| *is_express);
                self.express = express.map(|(file, _)| file.sha1).collect();
                self.files = files;
            }),
            _ => {
                self.handler = Some(element);
                Ok(())
            }
        };
        outcome.map_err(|problem| problem.within(&name).at(position))
    }

    fn rules(&mut self, guard: &mut XmlGuard<&[u8]>) -> Result<(), Error> {
        loop {
            match guard.next_event()? {
                Event::Start(tag) => {
                    let section = match tag.local.as_str() {
                        "IsInstalled" => &mut self.rules.is_installed,
                        "IsInstallable" => &mut self.rules.is_installable,
                        "IsSuperseded" => &mut self.rules.is_superseded,
                        "Metadata" => {
                            self.rules.metadata = super::metadata::read(guard)?;
                            continue;
                        }
                        _ => {
                            guard.skip_element()?;
                            continue;
                        }
                    };
                    *section = Rule::section(guard.read_element(tag)?.children);
                }
                Event::Text(_) => {}
                Event::End | Event::Eof => return Ok(()),
            }
        }
    }

    fn finish(self) -> Decoded<Document> {
        let missing = |name: &str| Problem::new("is missing").within(name);
        let category = self.handler.as_ref().and_then(|handler| {
            let kind = handler.child("CategoryInformation")?.tag.attribute("CategoryType")?;
            meaning(CATEGORY_TYPES, kind)
        });
        let installer = self.handler.filter(|_| category.is_none()).and_then(decode_installer);
        let properties = self.properties.ok_or_else(|| missing("Properties"))?;
        Ok(Document {
            update: self.update.ok_or_else(|| missing("UpdateIdentity"))?,
            properties: Properties { has_license: self.has_license, ..properties },
            texts: self.texts,
            relations: self.relations,
            rules: self.rules,
            files: self.files,
            express: self.express,
            category,
            installer,
        })
    }
}

fn decode_properties(element: &Element) -> Decoded<Properties> {
    let kind: String = required(element, "UpdateType")?;
    let kind = meaning(KINDS, &kind)
        .ok_or_else(|| Problem::new(format!("{kind:?} is no type")).within("@UpdateType"))?;
    let texts = |name: &str| -> Vec<String> {
        let found = element.children_named(name).map(|child| child.text.trim().to_owned());
        found.filter(|text| !text.is_empty()).collect()
    };
    let created_at = element.tag.attribute("CreationDate").map(parse_time).transpose();
    let created_at =
        created_at.map_err(|error| Problem::new(error.reason).within("@CreationDate"))?;
    let language = element.tag.attribute("DefaultPropertiesLanguage").unwrap_or("en");
    Ok(Properties {
        kind,
        default_language: language.to_ascii_lowercase(),
        is_expired: element.tag.attribute("PublicationState") == Some("Expired"),
        is_explicitly_deployable: flag(element, "ExplicitlyDeployable"),
        created_at: created_at.unwrap_or_default(),
        severity: element.tag.attribute("MsrcSeverity").and_then(|s| meaning(SEVERITIES, s)),
        kb_articles: texts("KBArticleID"),
        bulletins: texts("SecurityBulletinID"),
        cves: texts("CveID"),
        more_info_url: texts("MoreInfoUrl").into_iter().next(),
        support_url: texts("SupportUrl").into_iter().next(),
        languages: texts("Language").iter().map(|tag| tag.to_ascii_lowercase()).collect(),
        // Of another section.
        has_license: false,
        installation: element.child("InstallationBehavior").cloned(),
    })
}

pub(crate) fn decode_text(element: &Element) -> LocalizedText {
    let text = |name| element.child(name).map_or("", |child| child.text.trim());
    LocalizedText {
        language: text("Language").to_ascii_lowercase(),
        title: text("Title").to_owned(),
        description: text("Description").to_owned(),
    }
}

fn decode_relations(element: &Element) -> Decoded<Relations> {
    let section = |name| element.child(name).map_or(&[][..], |section| &section.children);
    let superseded = collect(section("SupersededUpdates").iter(), "SupersededUpdates", decode_id)?;
    let clause = |clause: &Element| {
        let is_category = flag(clause, "IsCategory");
        Ok(Prerequisite { any_of: decode_group(clause, decode_id)?, is_category })
    };
    let prerequisites = collect(section("Prerequisites").iter(), "Prerequisites", clause)?;
    let bundled = collect(section("BundledUpdates").iter(), "BundledUpdates", |group| {
        decode_group(group, decode_ref)
    })?;
    Ok(Relations { superseded, prerequisites, bundled })
}

/// A clause: one update, or `AtLeastOne` of several.
fn decode_group<T>(clause: &Element, decode: fn(&Element) -> Decoded<T>) -> Decoded<Vec<T>> {
    match clause.tag.local.as_str() {
        "AtLeastOne" => collect(clause.children_named("UpdateIdentity"), "UpdateIdentity", decode),
        _ => Ok(vec![decode(clause)?]),
    }
}

fn decode_id(element: &Element) -> Decoded<UpdateId> {
    required(element, "UpdateID")
}

fn decode_ref(element: &Element) -> Decoded<UpdateRef> {
    Ok(UpdateRef { id: decode_id(element)?, revision: required(element, "RevisionNumber")? })
}

/// License texts that a document names beside its files. What cannot be read as one is left out: a
/// license is shown, never installed.
pub fn license_files(xml: &[u8]) -> Result<Vec<ItemFile>, Error> {
    let limits = Limits { total_bytes: DOCUMENT_BYTES_MAX, ..Limits::default() };
    let (mut guard, mut found) = (XmlGuard::new(xml, limits), Vec::new());
    let mut is_inside = false;
    loop {
        match guard.next_event()? {
            Event::Start(_) if !is_inside => is_inside = true,
            Event::Start(tag) if tag.local == "LocalizedPropertiesCollection" => {
                let element = guard.read_element(tag)?;
                let files = element.children_named("EulaFile").map(decode_file);
                found.extend(files.filter_map(Result::ok));
            }
            Event::Start(_) => guard.skip_element()?,
            Event::Text(_) | Event::End => {}
            Event::Eof => return Ok(found),
        }
    }
}

fn is_express(file: &Element) -> bool {
    file.tag.attribute("PatchingType") == Some(EXPRESS)
}

fn decode_file(element: &Element) -> Decoded<ItemFile> {
    let algorithm = element.tag.attribute("DigestAlgorithm").unwrap_or("SHA1");
    if algorithm != "SHA1" {
        return Err(Problem::new(format!("{algorithm} instead of SHA1")).within("@DigestAlgorithm"));
    }
    let digest: String = required(element, "Digest")?;
    let sha1 = decode_digest(&digest, Sha1::from_slice);
    let size = parse_size(&required::<String>(element, "Size")?);
    let additional = element.children_named("AdditionalDigest");
    let sha256 = additional
        .filter(|child| child.tag.attribute("Algorithm") == Some("SHA256"))
        .map(|child| decode_digest(&child.text, Sha256::from_slice))
        .next()
        .transpose();
    Ok(ItemFile {
        name: required(element, "FileName")?,
        size: size.map_err(|error| Problem::new(error.reason).within("@Size"))?,
        sha1: sha1.map_err(|error| Problem::new(error.reason).within("@Digest"))?,
        sha256: sha256.map_err(|error| Problem::new(error.reason).within("AdditionalDigest"))?,
    })
}

/// Data that cannot be read as a command line is left to those who know more.
fn decode_installer(mut handler: Element) -> Option<Installer> {
    let type_name = handler.tag.attribute_ns(SCHEMA_INSTANCE, "type").unwrap_or_default();
    let type_name = type_name.rsplit(':').next().unwrap_or_default().to_owned();
    if handler.children.is_empty() {
        return None;
    }
    let data = handler.children.remove(0);
    let command = data.tag.is(COMMAND_LINE, "InstallCommand").then(|| decode_command(&data));
    match command.flatten() {
        Some(command) => Some(Installer::CommandLine(command)),
        None => Some(Installer::Windows { type_name, data }),
    }
}

/// Both an update's `InstallCommand` and a package's `CommandLineInstallerData`.
pub(crate) fn decode_command(element: &Element) -> Option<CommandLine> {
    let outcome = |element: &Element, result: &str, restart: &str| {
        let result = meaning(RESULTS, element.tag.attribute(result)?)?;
        Some(Outcome { result, needs_restart: flag(element, restart) })
    };
    let return_code = |element: &Element| {
        let code = element.tag.attribute("Code")?.trim();
        // Negative codes are also written as the unsigned numbers of the same bits.
        let code =
            code.parse::<i32>().ok().or_else(|| Some(code.parse::<u32>().ok()?.cast_signed()));
        Some((code?, outcome(element, "Result", "Reboot")?))
    };
    let return_codes: Option<BTreeMap<i32, Outcome>> =
        element.children_named("ReturnCode").map(return_code).collect();
    Some(CommandLine {
        program: element.tag.attribute("Program")?.to_owned(),
        arguments: element.tag.attribute("Arguments").unwrap_or_default().to_owned(),
        return_codes: return_codes?,
        default_outcome: outcome(element, "DefaultResult", "RebootByDefault").unwrap_or(Outcome {
            needs_restart: flag(element, "RebootByDefault"),
            ..Outcome::FAILED
        }),
    })
}

/// Accepts what servers really write: any number of decimals, with or without a zone.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, Invalid> {
    let text = text.trim();
    let with_zone = |zone: &str| format!("{text}{zone}").parse::<Timestamp>();
    with_zone("")
        .or_else(|error| with_zone("Z").or_else(|_| with_zone("T00:00:00Z")).map_err(|_| error))
}

/// Sizes are 63 bits wide, here and in every database they go to.
pub(crate) fn parse_size(text: &str) -> Result<u64, Invalid> {
    let size = text.parse::<i64>().ok().and_then(|size| u64::try_from(size).ok());
    size.ok_or_else(|| Invalid::new("size", format!("\"{text}\" is not a number of bytes")))
}

pub(crate) fn decode_digest<T>(
    text: &str,
    make: fn(&[u8]) -> Result<T, Invalid>,
) -> Result<T, Invalid> {
    let bytes = STANDARD.decode(text.trim());
    make(&bytes.map_err(|error| Invalid::new("digest", format!("not base64: {error}")))?)
}

fn flag(element: &Element, attribute: &str) -> bool {
    matches!(element.tag.attribute(attribute), Some("true" | "1"))
}

fn required<T: FromStr<Err: Display>>(element: &Element, attribute: &str) -> Decoded<T> {
    let text = element.tag.attribute(attribute);
    let parsed = match text {
        Some(text) => text.parse().map_err(|error: T::Err| Problem::new(error)),
        None => Err(Problem::new("is missing")),
    };
    parsed.map_err(|problem| problem.within(&format!("@{attribute}")))
}

fn collect<'a, T>(
    elements: impl Iterator<Item = &'a Element>,
    name: &str,
    decode: impl Fn(&'a Element) -> Decoded<T>,
) -> Decoded<Vec<T>> {
    let numbered = elements.zip(1..);
    let decoded = numbered.map(|(element, n): (_, usize)| {
        decode(element).map_err(|problem| problem.within(&format!("{name}[{n}]")))
    });
    decoded.collect()
}
