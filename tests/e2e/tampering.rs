//! Servers at the edge in the wrong hands: the agent refuses what they serve, says who served it,
//! and runs nothing. Once they serve what they should, everything goes on by itself.

use rusqlite::{Connection, params};
use serde_json::Value;
use sqlite_engine::{Durability, Executor, Options};
use tokio::runtime::Runtime;
use update_catalog::{Batch, Catalog};
use update_metadata::{Document, Installer};
use uuid::Uuid;

use crate::harness::rows;
use crate::main_job::{AGENT, DP, MP, PR1_SUP, Plant};

/// CRYPT_E_HASH_VALUE
const WRONG_DIGEST: i32 = 0x8009_1007_u32.cast_signed();

impl Plant {
    /// Everything is ready for the agent to install the real update.
    fn deployed() -> (Plant, String) {
        let plant = Plant::new();
        plant.synchronize();
        let group = plant.distribute();
        let deployment = plant.deploy(&group);
        (plant, deployment)
    }

    /// Waits until the agent refuses a server.
    fn refuses(&mut self, url: &str, reason: &str) {
        let line = self.process(AGENT).wait_for("a server was refused");
        assert!(line.contains(url) && line.contains(reason), "{line}");
    }

    /// Waits until its site says this of the one client.
    fn wait_for_client(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        let (url, run) = (self.hierarchy.url(7540), |a: &[&str]| self.hierarchy.tierline(a));
        self.hierarchy.wait_until(what, || {
            let clients = rows(&run(&["client", "list", "--server", &url, "-o", "json"]));
            let Some(id) = clients.first().and_then(|row| row["id"].as_str()) else { return false };
            let answer = run(&["compliance", "client", id, "--server", &url, "-o", "json"]);
            holds(&serde_json::from_str(&answer).expect("output is JSON"))
        });
    }

    /// Waits until a status message of the site names the refused server.
    fn wait_for_warning(&self, refused: &str) {
        let url = self.hierarchy.url(7540);
        let list = ["status-message", "list", "--server", &url, "-o", "json"];
        self.hierarchy.wait_until("the site warns of the server", || {
            let messages = rows(&self.hierarchy.tierline(&list));
            let names = |row: &Value| row["id"] == 60120 && row["strings"][0] == refused;
            messages.iter().any(names)
        });
    }

    /// Whatever installer runs leaves something in its directory.
    fn nothing_ran(&self) {
        let mut left = std::fs::read_dir(self.hierarchy.data("installed")).expect("it is there");
        assert!(left.next().is_none(), "an installer ran");
    }

    fn document(&self) -> Document {
        let documents = &self.sample.documents;
        let real = documents.iter().find(|document| document.update.id == self.sample.real);
        real.expect("it is in the sample").clone()
    }

    /// Puts a document into the catalog of the stopped update point, in place of the one it has of
    /// that revision; the update point cannot know.
    fn replace_document(&self, document: &Document) {
        let path = self.hierarchy.data(PR1_SUP).join("catalog.db");
        let options = Options { executor: Executor::Inline, durability: Durability::Full };
        let catalog = Catalog::open(&path, Uuid::nil(), options).expect("it opens");
        let batch = Batch { documents: vec![document.to_xml()], ..Batch::default() };
        let replace = async {
            let (version, _) = catalog.state().await?.version.expect("it is complete");
            catalog.remove(vec![document.update.id]).await?;
            catalog.import(batch).await?;
            let altered = catalog.complete_version(version.version).await?;
            catalog.close().await;
            assert_eq!(altered, version, "the same updates in the same revisions");
            Ok::<_, update_catalog::Error>(())
        };
        Runtime::new().expect("a runtime").block_on(replace).expect("it is replaced");
    }
}

#[test]
fn an_altered_document_is_refused() {
    let (mut plant, deployment) = Plant::deployed();
    let real = plant.document();
    let mut evil = real.clone();
    let Some(Installer::CommandLine(command)) = &mut evil.installer else { panic!("{evil:?}") };
    command.arguments.push_str(" --altered");
    plant.stop(PR1_SUP);
    plant.replace_document(&evil);
    plant.start(PR1_SUP);
    plant.start(AGENT);
    let url = plant.hierarchy.url(8631);
    let reason = format!("its document of update {} revision", real.update.id);
    plant.refuses(&url, &reason);
    plant.wait_for_client("the site knows which update point was refused", |client| {
        let said = client["reason"].as_str().unwrap_or_default();
        said.contains(&format!("{url} is refused: {reason}"))
    });
    plant.wait_for_warning(&url);
    plant.nothing_ran();

    plant.stop(PR1_SUP);
    plant.replace_document(&real);
    plant.start(PR1_SUP);
    plant.compliant(&deployment);
}

/// The head that is served again names a deployment that was taken back meanwhile.
#[test]
fn an_older_head_is_refused() {
    let (mut plant, deployment) = Plant::deployed();
    // Nothing is fetched, so that the deployment stays to be done.
    plant.stop(DP);
    plant.start(AGENT);
    plant.process(AGENT).wait_for("deployments=1");
    let policy = plant.hierarchy.data("mp").join("policy.db");
    let open = || Connection::open(&policy).expect("it opens");
    let sql = "SELECT head, signature, key_statement FROM head";
    let blob = |row: &rusqlite::Row<'_>, index| row.get::<_, Vec<u8>>(index);
    let old = open().query_row(sql, [], |row| Ok([blob(row, 0)?, blob(row, 1)?, blob(row, 2)?]));
    let [head, signature, statement] = old.expect("there is one client");
    plant.hierarchy.tierline(&["deployment", "disable", &deployment]);
    plant.process(AGENT).wait_for("deployments=0");
    plant.stop(AGENT);
    plant.stop(MP);
    // A management point gives an older head only if it believes that it is newer.
    let sql =
        "UPDATE head SET version = version + 1, head = ?1, signature = ?2, key_statement = ?3";
    open().execute(sql, params![head, signature, statement]).expect("it is altered");
    plant.start(MP);
    plant.start(DP);
    plant.start(AGENT);
    let url = plant.hierarchy.url(7541);
    plant.refuses(&url, "is in effect already");
    // All that might have followed upon the first one is over at the second.
    plant.refuses(&url, "is in effect already");
    plant.wait_for_warning(&url);
    plant.nothing_ran();

    plant.hierarchy.tierline(&["deployment", "enable", &deployment]);
    plant.compliant(&deployment);
}

#[test]
fn altered_content_is_refused() {
    let (mut plant, deployment) = Plant::deployed();
    let (_, script) = plant.sample.files.last().expect("the real update has a file");
    let name = testkit::sample::sha256(script).to_string();
    let mut evil = script.clone();
    evil.reverse();
    plant.stop(DP);
    let runtime = Runtime::new().expect("a runtime");
    let address = plant.hierarchy.at(7543);
    let impostor = runtime.block_on(testkit::content::impostor(&address, evil.clone()));
    plant.start(AGENT);
    plant.refuses(&format!("http://{address}"), &name);
    plant.wait_for_client("the site knows that the content is altered", |client| {
        let states = client["states"].as_array().into_iter().flatten();
        states.into_iter().any(|state| state["code"] == WRONG_DIGEST)
    });
    plant.wait_for_warning(&format!("http://{address}"));
    plant.nothing_ran();
    drop((impostor, runtime));

    // The distribution point itself refuses what lies altered on its disk, and fetches it again.
    let content = plant.hierarchy.data("dp").join("content");
    let file = content.join("files").join(&name[..2]).join(&name);
    std::fs::write(content.join("evil"), &evil).expect("written");
    std::fs::rename(content.join("evil"), file).expect("renamed");
    plant.start(DP);
    plant.complies(&deployment);
    let found = std::fs::read(content.join("quarantine").join(&name)).expect("it was found");
    assert_eq!(found, evil);
}
