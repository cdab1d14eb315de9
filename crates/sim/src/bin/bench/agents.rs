//! The agent on this machine, with a catalog of real size: what it holds and costs while nothing
//! happens, and what a scan takes.
//!
//! Owns a primary site with its points, as an operator would set them up, and an agent that has
//! joined it and looks at the real computer; nothing it is offered is ever installed. Refuses to
//! know how the agent works: it reads the log, what the agent says of itself, and /proc.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use update_metadata::Document;

use crate::documents::Corpus;
use crate::processes::{self, Plant, Running};
use crate::scans::fill;

pub(crate) mod floor;
mod idle;
mod scanning;

const AGENT: &str = "tierline-agent";
const SCANNED: &str = "the computer was scanned";

/// Enough to show that everything works, where nothing is measured.
const UPDATES: usize = if cfg!(debug_assertions) { 300 } else { 25_000 };
/// Of these, in the one deployment, which is offered and required of nobody.
const DEPLOYED: usize = 50;

pub(crate) async fn run() -> Result<()> {
    processes::build()?;
    let computer = Computer::new().await?;
    println!("\n## Agent\n");
    // Its first life fetches all documents; the second one finds them here.
    let (first, whole) = computer.first_scan().await?;
    println!("| the first scan of {UPDATES} updates, which are fetched for it | |");
    println!("| --- | ---: |\n{whole}");
    idle::print_head();
    idle::measure("the agent, after its first scan", &first).await?;
    first.stop().await?;
    let again = computer.start().await?;
    idle::measure_with_peers("the agent, after a restart", &again).await?;
    again.stop().await?;
    scanning::run(&computer).await
}

/// A computer with an agent, and the servers it belongs to.
struct Computer {
    plant: Plant,
    config: PathBuf,
    _servers: Vec<Running>,
}

impl Computer {
    async fn new() -> Result<Computer> {
        let plant = Plant::new()?;
        let above = format!(
            "name = \"above\"\nhttps = \"\"\nhttp = \"{}\"\n\
             [sup]\nstand_alone = true\nplain_http = \"all\"\n",
            plant.at(8830)
        );
        let above = plant.config("above", &above)?;
        let deployed = fill_upstream(&above).await?;
        let mut servers = vec![plant.serve("tierline-sup", &above, 8830).await?];
        let site = plant.site("PR1", 7540, "top_level = true\n")?;
        servers.push(plant.serve("tierline-primary", &site, 7540).await?);
        let token = site.with_file_name("data").join("pki/admin.token");
        let token = token.to_str().context("the path is text")?;
        plant
            .output("tierline", &["login", "--server", &plant.url(7540), "--token-file", token])?;
        let url = plant.url(7541);
        let point = format!("name = \"mp\"\nlisten = \"{}\"\nurl = \"{url}\"\n", plant.at(7541));
        let sup = format!(
            "name = \"sup\"\nhttps = \"{}\"\nhttp = \"{}\"\nurl = \"{}\"\n\
             http_url = \"http://{}\"\n",
            plant.at(8531),
            plant.at(8530),
            plant.url(8531),
            plant.at(8530)
        );
        for (name, text, port) in [("mp", point, 7541), ("sup", sup, 8531)] {
            let (program, config) = (format!("tierline-{name}"), plant.config(name, &text)?);
            plant.join(&program, &config, &["role", "token", name])?;
            servers.push(plant.serve(&program, &config, port).await?);
        }
        let source = format!("http://{}", plant.at(8830));
        plant.output("tierline", &["sync", "source", "set", &source])?;
        plant.output("tierline", &["sync", "run", "--wait", "--timeout", "10m"])?;
        let mut group = vec!["group", "create", "bench", "--superseded"];
        deployed.iter().for_each(|update| group.extend(["--update", update]));
        let group = plant.asked("tierline", &group)?;
        let group = group["code"].as_str().context("a group has a code")?;
        let create = ["deployment", "create", "bench", "--group", group];
        let create = [&create[..], &["--intent", "available", "--no-package"]].concat();
        plant.output("tierline", &create)?;
        let config = format!("mp_url = \"{url}\"\nname = \"bench\"\nscan_spread = \"0s\"\n");
        let config = plant.config("agent", &config)?;
        plant.join(AGENT, &config, &["client", "token", "--url", &url])?;
        Ok(Computer { plant, config, _servers: servers })
    }

    fn data(&self) -> PathBuf {
        self.config.with_file_name("data")
    }

    /// Until it has judged what is here.
    async fn start(&self) -> Result<Running> {
        let mut agent = self.plant.spawn(AGENT, &self.config)?;
        agent.says(SCANNED).await?;
        Ok(agent)
    }

    /// The life that fetches everything, and what that took, as rows.
    async fn first_scan(&self) -> Result<(Running, String)> {
        let agent = self.start().await?;
        let scan = self.last_scan()?;
        let status = self.says(&["status"])?;
        let listed = status["last_scan"]["updates"].as_u64();
        let deployments = status["deployments"].as_array().map_or(0, Vec::len);
        ensure!(listed.is_some() && deployments == 1, "{status:#}");
        let megabytes = scan["size_bytes"].as_f64().context("documents were fetched")? / 1e6;
        let rows = [
            ("until it is scanned, ms", scan["duration_ms"].to_string()),
            ("documents, MB", format!("{megabytes:.0}")),
            ("most memory, MiB", format!("{:.1}", crate::machine::peak_memory(&agent.name()?)?)),
            ("updates that count here", status["last_scan"]["updates"].to_string()),
            ("of them required", status["last_scan"]["required"].to_string()),
            ("of them installed", status["last_scan"]["installed"].to_string()),
            ("machine", crate::machine::load()?),
        ];
        let rows = rows.map(|(name, value)| format!("| {name} | {value} |"));
        Ok((agent, rows.join("\n")))
    }

    /// The newest scan of the agent's history.
    fn last_scan(&self) -> Result<Value> {
        let history = self.says(&["history"])?;
        let rows = history.as_array().context("rows")?;
        let scan = rows.iter().find(|row| row["kind"] == "scan");
        scan.cloned().with_context(|| format!("no scan in {history:#}"))
    }

    fn says(&self, verb: &[&str]) -> Result<Value> {
        let config = self.config.to_str().context("the path is text")?;
        self.plant.asked(AGENT, &[&["--config", config], verb].concat())
    }
}

/// Gives the update point at the top its catalog; answers with updates for a deployment.
async fn fill_upstream(config: &Path) -> Result<Vec<String>> {
    let Corpus { documents, .. } = Corpus::generate(UPDATES);
    let last = documents.iter().rev().filter(|(_, xml)| can_be_deployed(xml)).take(DEPLOYED);
    let deployed = last.map(|(update, _)| update.id.to_string()).collect();
    let packages = installed_packages()?;
    let packages = packages.iter().map(String::as_str).cycle();
    let documents = documents.into_iter().zip(packages);
    let documents = documents.map(|((_, xml), package)| of_this_machine(xml, package));
    fill(&config.with_file_name("data"), documents).await?;
    Ok(deployed)
}

fn can_be_deployed(xml: &str) -> bool {
    Document::parse(xml.as_bytes()).is_ok_and(|document| {
        let properties = &document.properties;
        let is_offered = properties.is_explicitly_deployable && !properties.is_expired;
        document.is_item() && is_offered && !document.files.is_empty()
    })
}

/// An update of a package becomes one of a package that is installed here, so that its version is
/// what decides, and not what other updates it needs.
fn of_this_machine(xml: String, package: &str) -> String {
    let Ok(mut document) = Document::parse(xml.as_bytes()) else { return xml };
    if !document.uses_linux_rules() {
        return xml;
    }
    document.relations.prerequisites.retain(|prerequisite| prerequisite.is_category);
    let sample = |number: u32| format!("Name=\"tierline-sample-{number}\"");
    let named = format!("Name=\"{package}\"");
    (0..8).fold(document.to_xml(), |xml, number| xml.replace(&sample(number), &named))
}

/// Their names.
fn installed_packages() -> Result<Vec<String>> {
    let mut command = std::process::Command::new("dpkg-query");
    let output = command.args(["--show", "--showformat", "${Package}\n"]).output()?;
    let names: Vec<_> = String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect();
    ensure!(!names.is_empty(), "dpkg knows of no package");
    Ok(names)
}
