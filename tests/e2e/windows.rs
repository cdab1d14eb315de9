//! A Windows computer without an agent of ours: from its first scan at a primary site's update
//! point to what the top says of it.

use ambient::Ambient;
use model::UpdateId;
use testkit::facts::Computer;
use testkit::windows::{Agent, Documents, Fate, Setup};
use tokio::runtime::Runtime;
use update_metadata::Applicability;

use crate::harness::{field, rows};
use crate::main_job::{DP, PR1_SUP, Plant};

/// Part 3 is old, and the setting that the bundle's member makes is not made.
const FACTS: &str = r#"{
  "architecture": "amd64",
  "files": { "C:\\Program Files\\Sample\\part3.dll": { "version": "1.0.0.0" } },
  "absent_files": [],
  "system": { "windows": {
    "major": 10, "build": 26200, "product_type": 1,
    "registry": { "SOFTWARE\\Tierline\\Sample": { "Level6": 1 } }
  } }
}"#;

/// A client of PR1's update point, and the runtime it needs.
struct Pc {
    agent: Agent,
    runtime: Runtime,
}

impl Pc {
    fn new(plant: &Plant, name: &str) -> Pc {
        let facts = plant.hierarchy.data(&format!("{name}.json"));
        std::fs::write(&facts, FACTS).expect("a file can be written");
        let ambient = Ambient::system();
        let agent = Agent::new(Setup {
            url: format!("http://{}", plant.hierarchy.at(8630)),
            client: ambient.random_id(),
            dns_name: format!("{name}.example.com"),
            computer: Computer::read(&facts),
            ambient,
            documents: Documents::default(),
        });
        Pc { agent, runtime: Runtime::new().expect("a runtime") }
    }

    fn scan(&mut self) {
        self.runtime.block_on(self.agent.scan()).expect("scans");
    }

    fn report(&mut self) {
        self.runtime.block_on(self.agent.report()).expect("reports");
    }

    /// Scans again and again until there is so much to install.
    fn scan_for(&mut self, plant: &Plant, offers: usize) {
        plant.hierarchy.wait_until("the computer is told to install", || {
            self.scan();
            self.agent.offers().len() == offers
        });
    }

    fn state(&self, update: UpdateId) -> Option<Applicability> {
        self.agent.states().remove(&update)
    }
}

/// Sites, update points and a distribution point; what Windows computers ask is open on the plain
/// port of PR1's update point.
fn plant() -> Plant {
    let mut plant = Plant::of_update_points(&[]);
    plant.join_role(DP, "dp", &plant.dp_config());
    plant.start(DP);
    plant.stop(PR1_SUP);
    let path = plant.hierarchy.data(PR1_SUP).with_extension("toml");
    let text = std::fs::read_to_string(&path).expect("it was written");
    let open = plant.hierarchy.config(PR1_SUP, &format!("{text}\n[sup]\nplain_http = \"all\"\n"));
    plant.processes.push((PR1_SUP, plant.hierarchy.start("tierline-sup", &open)));
    plant.synchronize();
    plant
}

/// A group of these updates on the distribution point, deployed to everybody with a deadline.
fn deploy(plant: &Plant, updates: &[UpdateId]) -> String {
    let run = |arguments: &[&str]| plant.hierarchy.tierline(arguments);
    let ids: Vec<String> = updates.iter().map(ToString::to_string).collect();
    let mut create = vec!["group", "create", "May", "-o", "json"];
    ids.iter().for_each(|id| create.extend(["--update", id]));
    let group = field(&run(&create), "code");
    let package = field(&run(&["package", "create", "May", "-o", "json"]), "code");
    let download = ["package", "download", &package, "--group", &group];
    run(&[&download[..], &["--wait", "--timeout", "60s"]].concat());
    let distribute = ["package", "distribute", &package, "--dp", "PR1-DP"];
    run(&[&distribute[..], &["--wait", "--timeout", "60s"]].concat());
    let deploy = ["deployment", "create", "May", "--group", &group, "--deadline", "7d"];
    field(&run(&[&deploy[..], &["-o", "json"]].concat()), "id")
}

/// What the top says of a deployment's targets.
fn counts(plant: &Plant, deployment: &str) -> [i64; 4] {
    let text = plant.hierarchy.tierline(&["compliance", "deployment", deployment, "-o", "json"]);
    let value: serde_json::Value = serde_json::from_str(&text).expect("output is JSON");
    let row = value.get("row").unwrap_or(&value);
    ["targeted", "compliant", "in_progress", "failed"].map(|name| row[name].as_i64().unwrap_or(0))
}

fn updates(plant: &Plant) -> [UpdateId; 2] {
    let documents = &plant.sample.documents;
    let bundle = documents.iter().find(|document| !document.relations.bundled.is_empty());
    let part = documents.iter().find(|d| d.texts[0].title == "Update for Sample Part 3");
    [bundle, part].map(|document| document.expect("the sample has it").update.id)
}

#[test]
fn a_windows_computer_installs_what_is_deployed_and_the_top_knows() {
    let plant = plant();
    let mut pc = Pc::new(&plant, "pc1");
    pc.scan();
    pc.report();
    assert_eq!(pc.agent.offers(), []);
    let url = plant.hierarchy.url(7540);
    plant.hierarchy.wait_until("the site knows the computer", || {
        let list = plant.hierarchy.tierline(&["client", "list", "--server", &url, "-o", "json"]);
        rows(&list).iter().any(|row| row["name"] == "pc1.example.com")
    });
    let [bundle, part] = updates(&plant);
    let deployment = deploy(&plant, &[bundle, part]);
    pc.scan_for(&plant, 2);
    assert!(pc.agent.offers().iter().all(|offer| offer.deadline.is_some() && offer.is_assigned));
    let done = pc.runtime.block_on(pc.agent.carry_out_all(|_| Fate::Succeeds));
    assert_eq!(done.expect("installs"), 2);
    let from_dp = format!("http://{}/", plant.hierarchy.at(7543));
    let fetched = pc.agent.fetched();
    assert!(
        fetched.len() == 2 && fetched.iter().all(|url| url.starts_with(&from_dp)),
        "{fetched:?}"
    );
    pc.scan();
    assert_eq!(pc.state(bundle), Some(Applicability::Installed));
    assert_eq!(pc.state(part), Some(Applicability::Installed));
    pc.report();
    plant
        .hierarchy
        .wait_until("the top counts the computer", || counts(&plant, &deployment) == [1, 1, 0, 0]);
}

#[test]
fn a_failure_and_a_restart_that_is_due_are_seen_at_the_top() {
    const FAILURE: i32 = 0x8007_0643_u32.cast_signed();
    let plant = plant();
    let (mut failing, mut waiting) = (Pc::new(&plant, "pc1"), Pc::new(&plant, "pc2"));
    for pc in [&mut failing, &mut waiting] {
        pc.scan();
        pc.report();
    }
    let [_, part] = updates(&plant);
    let deployment = deploy(&plant, &[part]);
    for (pc, fate) in [(&mut failing, Fate::Fails(FAILURE)), (&mut waiting, Fate::NeedsRestart)] {
        pc.scan_for(&plant, 1);
        pc.runtime.block_on(pc.agent.carry_out_all(|_| fate)).expect("it is as it is");
        pc.report();
    }
    plant
        .hierarchy
        .wait_until("the top counts a failure", || counts(&plant, &deployment) == [2, 0, 1, 1]);
    waiting.agent.restart();
    waiting.scan();
    waiting.report();
    plant.hierarchy.wait_until("the top counts the restarted computer", || {
        counts(&plant, &deployment) == [2, 1, 0, 1]
    });
}
