//! A SOAP client that nobody here wrote, made of the original service descriptions, against the
//! built server: a whole synchronization, a whole scan, and every operation there is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testkit::facts::Computer;
use testkit::reference::{reference, skip};
use testkit::sample::{sample, sha256};
use update_metadata::{Applicability, Document, UpdateKind, evaluate};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::harness::{Hierarchy, Process};

const PRODUCT: &str = "Sample Desktop";
const CLASSIFICATION: &str = "Security Updates";

/// What the server is given: documents as they are written, and the files that are there.
struct Given {
    documents: Vec<(Document, String)>,
    files: Vec<(String, Vec<u8>)>,
}

impl Given {
    fn new(installed: &Path, captured: &Path) -> Given {
        let sample = sample(installed);
        let written = |document: Document| {
            let text = document.to_xml();
            (document, text)
        };
        let mut documents: Vec<_> = sample.documents.into_iter().map(written).collect();
        for entry in std::fs::read_dir(captured).expect("a folder") {
            let text = std::fs::read_to_string(entry.expect("a file").path()).expect("text");
            documents.push((Document::parse(text.as_bytes()).expect("a document"), text));
        }
        Given { documents, files: sample.files }
    }

    fn serve(&self, hierarchy: &Hierarchy) -> Process {
        let data = hierarchy.data("server");
        let (inbox, content) = (data.join("inbox"), data.join("inbox/content"));
        std::fs::create_dir_all(&content).expect("a directory can be made");
        for (name, bytes) in &self.files {
            std::fs::write(content.join(name), bytes).expect("a file can be written");
        }
        let file = std::fs::File::create(inbox.join("given.zip")).expect("it can be made");
        let mut archive = ZipWriter::new(file);
        for (number, (_, text)) in self.documents.iter().enumerate() {
            let options = SimpleFileOptions::default();
            archive.start_file(format!("{number}.xml"), options).expect("it can be written");
            archive.write_all(text.as_bytes()).expect("it can be written");
        }
        archive.finish().expect("it can be written");
        let config = format!(
            "data = \"{}\"\nname = \"server\"\nhttps = \"\"\nhttp = \"{}\"\n\n\
             [sup]\nstand_alone = true\nplain_http = \"all\"\n",
            data.display(),
            hierarchy.at(8930)
        );
        let process = hierarchy.start("tierline-sup", &hierarchy.config("server", &config));
        let done = inbox.join("done/given.zip");
        hierarchy.wait_until("the server has its catalog", || done.exists());
        process
    }

    fn is_here(&self, name: &str) -> bool {
        self.files.iter().any(|(file, _)| file == name)
    }

    fn category(&self, title: &str) -> Value {
        let mut found = self.documents.iter().map(|(document, _)| document);
        let found = found.find(|document| document.texts[0].title == title);
        json!(found.expect("is in the sample").update.id.to_string())
    }

    /// The catalog in the words of the client's checks.
    fn expected(&self) -> Value {
        let filter = [self.category(PRODUCT), self.category(CLASSIFICATION)];
        let files = self.documents.iter().flat_map(|(document, _)| &document.files);
        let files: BTreeMap<String, Value> =
            files.map(|file| (hex(&file.sha1.0), self.file(file))).collect();
        let offered = |(document, _): &&(Document, String)| {
            let properties = &document.properties;
            let is_alive = !document.uses_linux_rules() && !properties.is_expired;
            document.is_item() && properties.is_explicitly_deployable && is_alive
        };
        let offered: Vec<&Document> =
            self.documents.iter().filter(offered).map(|(document, _)| document).collect();
        let members = offered.iter().flat_map(|document| document.relations.bundled.iter());
        let members: BTreeSet<_> = members.flatten().map(|member| member.id.to_string()).collect();
        let visible: BTreeSet<_> = offered.iter().map(|d| d.update.id.to_string()).collect();
        let belongs = |document: &Document| {
            let categories: Vec<_> =
                document.categories().map(|id| json!(id.to_string())).collect();
            document.is_item() && filter.iter().all(|id| categories.contains(id))
        };
        let filtered = self.documents.iter().filter(|(document, _)| belongs(document));
        let filtered: Vec<_> = filtered.map(|(d, _)| d.update.id.to_string()).collect();
        json!({
            "documents": self.documents.iter().map(|d| self.document(d)).collect::<Vec<_>>(),
            "files": files.into_values().collect::<Vec<_>>(),
            "actions": { "PreDeploymentCheck": visible, "Bundle": members },
            "filter": filter,
            "filtered": filtered,
        })
    }

    fn file(&self, file: &model::ItemFile) -> Value {
        json!({
            "name": file.name,
            "size": file.size,
            "sha1": hex(&file.sha1.0),
            "sha256": file.sha256.map(|digest| digest.to_string()),
            "is_here": self.is_here(&file.name),
        })
    }

    fn document(&self, (document, text): &(Document, String)) -> Value {
        let title = |language: &str| document.texts.iter().find(|text| text.language == language);
        let title = title("de").or_else(|| title("en")).expect("a title");
        let clauses = document.relations.prerequisites.iter();
        let asked: Vec<_> =
            clauses.flat_map(|clause| &clause.any_of).map(|id| id.to_string()).collect();
        let is_installed = evaluate(document, Computer::new(0).facts()) == Applicability::Installed;
        json!({
            "id": document.update.id.to_string(),
            "revision": document.update.revision,
            "kind": match document.properties.kind {
                UpdateKind::Software => "Software",
                UpdateKind::Driver => "Driver",
                UpdateKind::Category => "Category",
                UpdateKind::Detectoid => "Detectoid",
            },
            "sha256": sha256(text.as_bytes()).to_string(),
            "title_de": title.title,
            "installed": is_installed,
            "prerequisites": asked,
            "files": document.files.iter().map(|file| self.file(file)).collect::<Vec<_>>(),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_independent_client_runs_every_operation() {
    let name = "an_independent_client_runs_every_operation";
    let Some(descriptions) = reference(name, "wsdl") else { return };
    let Some(captured) = reference(name, "captures/documents") else { return };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = workspace.join("target/python/bin/python");
    let zeep = Command::new(&python).args(["-c", "import zeep"]).status();
    if !zeep.is_ok_and(|status| status.success()) {
        return skip(name, &format!("no zeep at {}", python.display()));
    }
    let hierarchy = Hierarchy::new();
    let given = Given::new(&hierarchy.data("installed"), &captured);
    let _server = given.serve(&hierarchy);
    let expected = hierarchy.data("expected.json");
    std::fs::write(&expected, given.expected().to_string()).expect("a file can be written");
    let output = Command::new(&python)
        .arg(workspace.join("tests/e2e/soap_client/main.py"))
        .args([&descriptions, Path::new(&format!("http://{}", hierarchy.at(8930)))])
        .arg(&expected)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python starts");
    let said = String::from_utf8(output.stdout).expect("text");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{error}");
    let told = include_str!("soap_client/expected.txt");
    assert_eq!(said, told);
}
