//! The main job in separate processes: upstream → central site → primary and secondary →
//! distribution point → agent → compliance at the top.

use std::path::{Path, PathBuf};

use testkit::sample::Sample;
use update_metadata::Document;
use zip::write::SimpleFileOptions;

use crate::at_the_computer;
use crate::harness::{Hierarchy, Process, field, rows};

/// A hierarchy with roles, a filled upstream server, and an agent that has joined.
pub(crate) struct Plant {
    pub(crate) hierarchy: Hierarchy,
    pub(crate) sample: Sample,
    pub(crate) processes: Vec<(&'static str, Process)>,
}

pub(crate) const MP: &str = "tierline-mp";
pub(crate) const DP: &str = "tierline-dp";
pub(crate) const AGENT: &str = "tierline-agent";
/// Site, name and plain port of each update point.
const UPDATE_POINTS: [(&str, &str, u16); 3] =
    [("CAS", "CAS-SUP", 8530), ("PR1", PR1_SUP, 8630), ("SE1", "SE1-SUP", 8730)];
pub(crate) const PR1_SUP: &str = "PR1-SUP";

impl Plant {
    /// Everything up to the joined roles; the agent is configured and joined, not started.
    pub(crate) fn new() -> Plant {
        let mut plant = Plant::of_update_points(&[]);
        plant.join_role(MP, "mp", &plant.mp_config());
        plant.join_role(DP, "dp", &plant.dp_config());
        plant.start(MP);
        plant.start(DP);
        plant.join_agent();
        plant
    }

    /// Three sites with their update points, and an upstream server with the sample and these
    /// catalogs.
    pub(crate) fn of_update_points(catalogs: &[PathBuf]) -> Plant {
        let hierarchy = Hierarchy::new();
        let installed = hierarchy.data("installed");
        std::fs::create_dir(&installed).expect("a directory can be made");
        let sample = testkit::sample::sample(&installed);
        let [cas, pr1, se1] = hierarchy.three_sites();
        let mut plant =
            Plant { hierarchy, sample, processes: vec![("CAS", cas), ("PR1", pr1), ("SE1", se1)] };
        plant.start_upstream(catalogs);
        for (site, name, port) in UPDATE_POINTS {
            let token = plant.role_token("sup", site);
            plant.hierarchy.join("tierline-sup", &plant.sup_config(name, port), &token);
            plant.start(name);
        }
        plant
    }

    fn start_upstream(&mut self, catalogs: &[PathBuf]) {
        let data = self.hierarchy.data("upstream");
        let content = data.join("inbox").join("content");
        std::fs::create_dir_all(&content).expect("a directory can be made");
        for (name, bytes) in &self.sample.files {
            std::fs::write(content.join(name), bytes).expect("a file can be written");
        }
        write_catalog(&data.join("inbox/sample.zip"), &self.sample.documents);
        let inbox = data.join("inbox");
        let name = |path: &PathBuf| path.file_name().expect("a name").to_owned();
        for path in catalogs {
            std::fs::copy(path, inbox.join(name(path))).expect("it can be copied");
        }
        let config = format!(
            "data = \"{}\"\nname = \"upstream\"\nhttps = \"\"\nhttp = \"{}\"\n\n\
             [sup]\nstand_alone = true\nplain_http = \"all\"\n",
            data.display(),
            self.hierarchy.at(8830)
        );
        let config = self.hierarchy.config("upstream", &config);
        let process = self.hierarchy.start("tierline-sup", &config);
        self.processes.push(("upstream", process));
        let names = catalogs.iter().map(name).chain(["sample.zip".into()]);
        let done: Vec<_> = names.map(|name| inbox.join("done").join(name)).collect();
        let is_done = || done.iter().all(|path| path.exists());
        self.hierarchy.wait_until("the upstream has its catalogs", is_done);
    }

    fn sup_config(&self, name: &str, port: u16) -> PathBuf {
        let config = format!(
            "data = \"{}\"\nname = \"{name}\"\nhttps = \"{}\"\nhttp = \"{}\"\n\
             url = \"{}\"\nhttp_url = \"http://{}\"\n",
            self.hierarchy.data(name).display(),
            self.hierarchy.at(port + 1),
            self.hierarchy.at(port),
            self.hierarchy.url(port + 1),
            self.hierarchy.at(port),
        );
        self.hierarchy.config(name, &config)
    }

    fn role_token(&self, kind: &str, site: &str) -> String {
        let server = self.hierarchy.url(if site == "CAS" { 7440 } else { 7540 });
        let arguments = ["role", "token", kind, "--site", site, "--server", &server, "-o", "json"];
        field(&self.hierarchy.tierline(&arguments), "token")
    }

    pub(crate) fn join_role(&self, program: &str, kind: &str, config: &Path) {
        self.hierarchy.join(program, config, &self.role_token(kind, "PR1"));
    }

    pub(crate) fn mp_config(&self) -> PathBuf {
        let text = format!(
            "data = \"{}\"\nname = \"PR1-MP\"\nlisten = \"{}\"\nurl = \"{}\"\n",
            self.hierarchy.data("mp").display(),
            self.hierarchy.at(7541),
            self.hierarchy.url(7541)
        );
        self.hierarchy.config("mp", &text)
    }

    pub(crate) fn dp_config(&self) -> PathBuf {
        let text = format!(
            "data = \"{}\"\nname = \"PR1-DP\"\nhttps = \"{}\"\nhttp = \"{}\"\n\
             url = \"{}\"\nhttp_url = \"http://{}\"\n",
            self.hierarchy.data("dp").display(),
            self.hierarchy.at(7542),
            self.hierarchy.at(7543),
            self.hierarchy.url(7542),
            self.hierarchy.at(7543)
        );
        self.hierarchy.config("dp", &text)
    }

    pub(crate) fn agent_config(&self) -> PathBuf {
        let text = format!(
            "data_dir = \"{}\"\nmp_url = \"{}\"\nname = \"host-1\"\nscan_spread = \"0s\"\n",
            self.hierarchy.data("agent").display(),
            self.hierarchy.url(7541)
        );
        self.hierarchy.config("agent", &text)
    }

    fn join_agent(&self) {
        let server = self.hierarchy.url(7540);
        let mp = self.hierarchy.url(7541);
        let arguments = ["client", "token", "--url", &mp, "--server", &server, "-o", "json"];
        let token = field(&self.hierarchy.tierline(&arguments), "token");
        self.hierarchy.join(AGENT, &self.agent_config(), &token);
    }

    pub(crate) fn config_of(&self, program: &str) -> PathBuf {
        match program {
            MP => self.mp_config(),
            DP => self.dp_config(),
            _ => self.agent_config(),
        }
    }

    /// Starts a role by its program, an update point by its name.
    pub(crate) fn start(&mut self, name: &'static str) {
        let sup = UPDATE_POINTS.iter().find(|(_, sup, _)| *sup == name);
        let (program, config) = match sup {
            Some((_, _, port)) => ("tierline-sup", self.sup_config(name, *port)),
            None => (name, self.config_of(name)),
        };
        self.processes.push((name, self.hierarchy.start(program, &config)));
    }

    pub(crate) fn process(&mut self, name: &str) -> &mut Process {
        let found = self.processes.iter_mut().find(|(n, _)| *n == name);
        &mut found.expect("it was started").1
    }

    /// Starts a process that ends itself at a named place, and waits for its end.
    pub(crate) fn start_doomed(&self, program: &str, failpoint: &str) {
        let config = self.config_of(program);
        let environment = [("TIERLINE_FAILPOINT", failpoint)];
        let status = self.hierarchy.spawn(program, &config, &environment).wait_end();
        assert!(!status.success(), "{failpoint} was never passed");
    }

    pub(crate) fn stop(&mut self, name: &str) {
        let at = self.processes.iter().position(|(n, _)| *n == name).expect("it was started");
        self.processes.swap_remove(at).1.kill();
    }

    /// Synchronizes the top and waits until the sites below have the same catalog version.
    pub(crate) fn synchronize(&self) {
        let source = format!("http://{}", self.hierarchy.at(8830));
        self.hierarchy.tierline(&["sync", "source", "set", &source]);
        self.hierarchy.tierline(&["sync", "run", "--wait", "--timeout", "60s"]);
        for port in [7540, 7640] {
            self.hierarchy.wait_until("the children have synchronized", || {
                let url = self.hierarchy.url(port);
                let list = ["status-message", "list", "--server", &url, "-o", "json"];
                let ended = rows(&self.hierarchy.tierline(&list));
                ended.iter().any(|row| row["id"] == 6702)
            });
        }
    }

    /// Makes a package of the real update, on the distribution point; answers with the group.
    pub(crate) fn distribute(&self) -> String {
        let real = self.sample.real.to_string();
        let run = |arguments: &[&str]| self.hierarchy.tierline(arguments);
        let group = code(&run(&["group", "create", "May", "--update", &real, "-o", "json"]));
        let package = code(&run(&["package", "create", "May", "-o", "json"]));
        run(&["package", "download", &package, "--group", &group, "--wait", "--timeout", "60s"]);
        run(&["package", "distribute", &package, "--dp", "PR1-DP", "--wait", "--timeout", "60s"]);
        group
    }

    pub(crate) fn deploy(&self, group: &str) -> String {
        let create = ["deployment", "create", "May", "--group", group, "-o", "json"];
        let text = self.hierarchy.tierline(&create);
        let value: serde_json::Value = serde_json::from_str(&text).expect("output is JSON");
        let id = value["id"].as_str().or_else(|| value["row"]["id"].as_str());
        id.unwrap_or_else(|| panic!("no id in {text}")).to_owned()
    }

    /// Waits until the top says that the one client complies, and checks that it is true.
    pub(crate) fn compliant(&self, deployment: &str) {
        let status = ["deployment", "status", deployment, "--wait", "--timeout", "60s"];
        self.hierarchy.tierline(&status);
        self.complies(deployment);
    }

    /// The same after the top was told of a failure.
    pub(crate) fn complies(&self, deployment: &str) {
        self.hierarchy.wait_until("the top counts the client", || {
            let arguments = ["compliance", "deployment", deployment, "-o", "json"];
            let text = self.hierarchy.tierline(&arguments);
            let value: serde_json::Value = serde_json::from_str(&text).expect("output is JSON");
            let row = value.get("row").unwrap_or(&value);
            row["compliant"] == 1 && row["targeted"] == 1
        });
        assert_eq!(self.runs(), 1, "installed exactly once");
    }

    /// How often the real update's installer ran.
    pub(crate) fn runs(&self) -> usize {
        let (file, digest) = &self.sample.installed;
        let bytes = std::fs::read(file).expect("the update left its file");
        assert_eq!(testkit::sample::sha256(&bytes), *digest);
        std::fs::read_to_string(&self.sample.log).expect("the update left its log").lines().count()
    }
}

/// Writes documents as a catalog that update points take in.
pub(crate) fn write_catalog(path: &Path, documents: &[Document]) {
    let file = std::fs::File::create(path).expect("it can be made");
    let mut archive = zip::ZipWriter::new(file);
    for (number, document) in documents.iter().enumerate() {
        let name = format!("{number}.xml");
        archive.start_file(name, SimpleFileOptions::default()).expect("it can be written");
        std::io::Write::write_all(&mut archive, document.to_xml().as_bytes()).expect("written");
    }
    archive.finish().expect("it can be written");
}

fn code(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).expect("output is JSON");
    let code = value["code"].as_str().or_else(|| value["row"]["code"].as_str());
    code.unwrap_or_else(|| panic!("no code in {json}")).to_owned()
}

#[test]
fn separate_processes_do_the_main_job() {
    let mut plant = Plant::new();
    plant.synchronize();
    plant.start(AGENT);
    let group = plant.distribute();
    let deployment = plant.deploy(&group);
    plant.compliant(&deployment);
    at_the_computer::answers_after_an_installation(&plant);
    plant.stop(AGENT);
    at_the_computer::says_that_nobody_answers(&plant);
}

/// Kills of the processes on the way back: nothing is lost, nothing is doubled, nothing runs twice.
#[test]
fn kills_on_the_way_back_lose_and_double_nothing() {
    let mut plant = Plant::new();
    plant.synchronize();
    let group = plant.distribute();
    let deployment = plant.deploy(&group);
    plant.stop(MP);
    let config = plant.mp_config();
    let environment = [("TIERLINE_FAILPOINT", "mp.state_spooled")];
    let mut doomed = plant.hierarchy.spawn(MP, &config, &environment);
    doomed.wait_for("listens");
    plant.start(AGENT);
    doomed.wait_end();
    plant.start(MP);
    plant.compliant(&deployment);
    plant.hierarchy.wait_until("the states of the client are whole", || {
        let list = ["client", "list", "--server", &plant.hierarchy.url(7540), "-o", "json"];
        rows(&plant.hierarchy.tierline(&list)).len() == 1
    });
}

#[test]
fn an_agent_killed_between_install_and_report_installs_once() {
    let mut plant = Plant::new();
    plant.synchronize();
    let group = plant.distribute();
    let deployment = plant.deploy(&group);
    plant.start_doomed(AGENT, "agent.installed");
    plant.start(AGENT);
    plant.compliant(&deployment);
}

#[test]
fn a_primary_killed_while_it_folds_folds_again() {
    let mut plant = Plant::new();
    plant.synchronize();
    let group = plant.distribute();
    let deployment = plant.deploy(&group);
    plant.hierarchy.wait_in_sync(7540);
    plant.stop("PR1");
    let config = plant.hierarchy.site_config("PR1", 7540);
    let environment = [("TIERLINE_FAILPOINT", "client_manager.folded")];
    let mut doomed = plant.hierarchy.spawn("tierline-primary", &config, &environment);
    doomed.wait_for("listens");
    plant.start(AGENT);
    let status = doomed.wait_end();
    assert!(!status.success(), "the primary never folded");
    let back = plant.hierarchy.start("tierline-primary", &config);
    plant.processes.push(("PR1", back));
    plant.compliant(&deployment);
}

#[test]
fn a_distribution_point_killed_in_mid_transfer_resumes() {
    let mut plant = Plant::new();
    plant.synchronize();
    plant.stop(DP);
    let config = plant.dp_config();
    let environment = [("TIERLINE_FAILPOINT", "dp.file_partial")];
    let mut doomed = plant.hierarchy.spawn(DP, &config, &environment);
    doomed.wait_for("listens");
    let real = plant.sample.real.to_string();
    let run = |arguments: &[&str]| plant.hierarchy.tierline(arguments);
    let group = code(&run(&["group", "create", "May", "--update", &real, "-o", "json"]));
    let package = code(&run(&["package", "create", "May", "-o", "json"]));
    run(&["package", "download", &package, "--group", &group, "--wait", "--timeout", "60s"]);
    run(&["package", "distribute", &package, "--dp", "PR1-DP"]);
    let status = doomed.wait_end();
    assert!(!status.success(), "nothing was transferred");
    plant.start(DP);
    plant.hierarchy.wait_until("the package is installed", || {
        let text = plant.hierarchy.tierline(&["content", "status", &package, "-o", "json"]);
        text.contains("installed")
    });
}

#[test]
fn a_central_site_killed_in_mid_synchronization_completes_it() {
    let mut plant = Plant::new();
    let source = format!("http://{}", plant.hierarchy.at(8830));
    plant.hierarchy.tierline(&["sync", "source", "set", &source]);
    plant.stop("CAS");
    let config = plant.hierarchy.site_config("CAS", 7440);
    let environment = [("TIERLINE_FAILPOINT", "sync.page")];
    let mut doomed = plant.hierarchy.spawn("tierline-central", &config, &environment);
    doomed.wait_for("listens");
    plant.hierarchy.tierline(&["sync", "run"]);
    let status = doomed.wait_end();
    assert!(!status.success(), "the synchronization wrote no items");
    let back = plant.hierarchy.start("tierline-central", &config);
    plant.processes.push(("CAS", back));
    for port in [7440, 7540, 7640] {
        plant.hierarchy.wait_until("every site has synchronized", || {
            let url = plant.hierarchy.url(port);
            let list = ["status-message", "list", "--server", &url, "-o", "json"];
            rows(&plant.hierarchy.tierline(&list)).iter().any(|row| row["id"] == 6702)
        });
    }
}
