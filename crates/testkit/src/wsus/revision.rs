//! A revision of an update as a computer is told of it (MS-WUSP 3.1.1.1, 3.1.5.7).

use uuid::Uuid;

/// What the fake tells of one revision.
#[derive(Clone, Debug)]
pub struct Told {
    /// The number that the server gave to it.
    pub id: i32,
    pub update: Uuid,
    pub revision: u32,
    /// `Software`, `Category` or `Detectoid`.
    pub kind: &'static str,
    /// Offered by itself, rather than as a part of another.
    pub is_deployable: bool,
    /// One of each group has to be installed.
    pub prerequisites: Vec<Vec<Uuid>>,
    pub bundled: Vec<(Uuid, u32)>,
    /// What stands between the tags of the applicability rules, without namespaces.
    pub rules: String,
    /// The Extended fragment.
    pub extended: String,
    pub title: String,
    pub action: &'static str,
}

impl Told {
    /// An update that is deployed; `rules` decide what it is.
    #[must_use]
    pub fn update(id: i32, title: &str, rules: &str) -> Told {
        Told {
            id,
            update: Told::id_of(title),
            revision: 200,
            kind: "Software",
            is_deployable: true,
            prerequisites: Vec::new(),
            bundled: Vec::new(),
            rules: rules.to_owned(),
            extended: "<ExtendedProperties DefaultPropertiesLanguage=\"en\" \
                       Handler=\"http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/\
                       CommandLineInstallation\" MaxDownloadSize=\"1000\"><InstallationBehavior \
                       RebootBehavior=\"CanRequestReboot\" /><KBArticleID>4711</KBArticleID>\
                       </ExtendedProperties><Files><File Digest=\"h/W9BGlYUAaqXTp30cZi/SiV3c0=\" \
                       DigestAlgorithm=\"SHA1\" FileName=\"a.exe\" Size=\"1000\" \
                       Modified=\"2026-10-04T09:39:26Z\" /></Files><HandlerSpecificData \
                       type=\"cmd:CommandLineInstallation\"><InstallCommand Program=\"a.exe\" \
                       Arguments=\"/q\"><ReturnCode Code=\"0\" Result=\"Succeeded\" />\
                       </InstallCommand></HandlerSpecificData>"
                .to_owned(),
            title: title.to_owned(),
            action: "Install",
        }
    }

    /// What others have as a prerequisite; `rules` as in [`update`](Told::update).
    #[must_use]
    pub fn base(id: i32, kind: &'static str, title: &str, rules: &str) -> Told {
        let (is_deployable, extended) = (false, String::new());
        Told { kind, is_deployable, extended, action: "Evaluate", ..Told::update(id, title, rules) }
    }

    #[must_use]
    pub fn needing(mut self, titles: &[&str]) -> Told {
        self.prerequisites.push(titles.iter().map(|title| Told::id_of(title)).collect());
        self
    }

    /// The update of a title; the same every time.
    #[must_use]
    pub fn id_of(title: &str) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, title.as_bytes())
    }

    pub(super) fn core(&self) -> String {
        let Told { update, revision, kind, rules, .. } = self;
        // Servers write identities in capitals and references as they come.
        let update = update.to_string().to_uppercase();
        let deployable = if self.is_deployable { " ExplicitlyDeployable=\"true\"" } else { "" };
        let mut core = format!(
            "<UpdateIdentity UpdateID=\"{update}\" RevisionNumber=\"{revision}\" />\
             <Properties UpdateType=\"{kind}\"{deployable} />"
        );
        if !self.prerequisites.is_empty() || !self.bundled.is_empty() {
            core.push_str("<Relationships>");
            self.write_prerequisites(&mut core);
            self.write_bundled(&mut core);
            core.push_str("</Relationships>");
        }
        if !rules.is_empty() {
            core.push_str(&format!("<ApplicabilityRules>{rules}</ApplicabilityRules>"));
        }
        core
    }

    fn write_prerequisites(&self, core: &mut String) {
        if self.prerequisites.is_empty() {
            return;
        }
        core.push_str("<Prerequisites>");
        for group in &self.prerequisites {
            let ids = group.iter().map(|id| format!("<UpdateIdentity UpdateID=\"{id}\" />"));
            let ids: String = ids.collect();
            match group.len() {
                1 => core.push_str(&ids),
                _ => core.push_str(&format!("<AtLeastOne>{ids}</AtLeastOne>")),
            }
        }
        core.push_str("</Prerequisites>");
    }

    fn write_bundled(&self, core: &mut String) {
        if self.bundled.is_empty() {
            return;
        }
        core.push_str("<BundledUpdates>");
        for (id, revision) in &self.bundled {
            core.push_str(&format!(
                "<UpdateIdentity UpdateID=\"{id}\" RevisionNumber=\"{revision}\" />"
            ));
        }
        core.push_str("</BundledUpdates>");
    }

    pub(super) fn localized(&self) -> String {
        let title = &self.title;
        format!(
            "<LocalizedProperties><Language>en</Language><Title>{title}</Title>\
             <Description>About {title}.</Description></LocalizedProperties>"
        )
    }
}
