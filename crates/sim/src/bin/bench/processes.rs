//! Memory and start of each process, configured and joined as an operator would.
//!
//! Owns a stand-alone primary site with everything below it, in one directory on a loopback address
//! of its own. Refuses to know what the processes do; reads their log, their ports and /proc. Fails
//! with the log of a process that does not get ready.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr};
use tokio::time::{Instant, sleep, timeout};

use crate::machine::{Spread, memory};

/// What is built before anything is started; separately from this program, with no features of it.
const PACKAGES: [&str; 6] =
    ["site", "software-update-point", "management-point", "distribution-point", "agent", "cli"];
/// Starts after the first one.
const STARTS: usize = 7;
/// A process that did nothing for so long is idle.
const SETTLE: Duration = Duration::from_secs(3);
/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Plant {
    directory: TempDir,
    programs: PathBuf,
    address: Ipv4Addr,
}

/// A running process; killed when dropped.
pub(crate) struct Running {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    started: Instant,
}

pub(crate) async fn run() -> Result<()> {
    build()?;
    let plant = Plant::new()?;
    println!("\n## Processes\n");
    println!("| process | first start, ms | listens, ms | works, ms | RSS, MiB | PSS, MiB |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let cas = plant.site("CAS", 7440, "")?;
    plant.measure("tierline-central", &[cas], Some(7440)).await?;
    let upstream = format!("{}[sup]\nstand_alone = true\n", plant.update_point("", 8830));
    let upstream = plant.config("upstream", &upstream)?;
    plant.measure("tierline-sup, stand-alone", &[upstream], Some(8830)).await?;
    let primary = plant.site("PR1", 7540, "top_level = true\n")?;
    let _primary = plant.measure("tierline-primary, stand-alone", &[primary], Some(7540)).await?;
    let token = plant.directory.path().join("PR1/data/pki/admin.token");
    let token = token.to_str().context("the path is text")?;
    plant.output("tierline", &["login", "--server", &plant.url(7540), "--token-file", token])?;
    plant.measure_below().await
}

pub(crate) fn build() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--locked", "--bins"]);
    command.args((!cfg!(debug_assertions)).then_some("--release"));
    let status = command.args(PACKAGES.iter().flat_map(|name| ["-p", name])).status()?;
    ensure!(status.success(), "the programs were not built");
    Ok(())
}

impl Plant {
    pub(crate) fn new() -> Result<Plant> {
        let program = std::env::current_exe()?;
        let programs = program.parent().context("the program lies in a folder")?.to_owned();
        let [_, _, a, b] = std::process::id().to_be_bytes();
        let (directory, address) = (TempDir::new_in(&programs)?, Ipv4Addr::new(127, a | 128, b, 1));
        Ok(Plant { directory, programs, address })
    }

    pub(crate) fn at(&self, port: u16) -> String {
        format!("{}:{port}", self.address)
    }

    pub(crate) fn url(&self, port: u16) -> String {
        format!("https://{}", self.at(port))
    }

    /// Writes the configuration of a process, whose data lie beside it.
    pub(crate) fn config(&self, name: &str, text: &str) -> Result<PathBuf> {
        let folder = self.directory.path().join(name);
        std::fs::create_dir(&folder)?;
        let (path, data) = (folder.join("config.toml"), folder.join("data"));
        let key = if name.starts_with("agent") { "data_dir" } else { "data" };
        std::fs::write(&path, format!("{key} = \"{}\"\n{text}", data.display()))?;
        Ok(path)
    }

    pub(crate) fn site(&self, code: &str, port: u16, more: &str) -> Result<PathBuf> {
        let text = format!("listen = \"{}\"\n[site]\ncode = \"{code}\"\n", self.at(port));
        self.config(code, &(text + more))
    }

    fn update_point(&self, https: &str, http: u16) -> String {
        format!("name = \"sup\"\nhttps = \"{https}\"\nhttp = \"{}:{http}\"\n", self.address)
    }

    /// What joins the primary site; the agents join through the management point.
    async fn measure_below(&self) -> Result<()> {
        let address = self.address;
        let secondary = self.site("SE1", 7640, "")?;
        let token = ["site", "token", "SE1", "--kind", "secondary", "--parent", "PR1"];
        self.join("tierline-secondary", &secondary, &token)?;
        self.measure("tierline-secondary", &[secondary], Some(7640)).await?;
        let url = self.url(7541);
        let mp = format!("name = \"mp\"\nlisten = \"{address}:7541\"\nurl = \"{url}\"\n");
        let dp = format!("name = \"dp\"\nhttps = \"{address}:7542\"\nhttp = \"{address}:7543\"\n");
        let sup = self.update_point(&format!("{address}:8531"), 8530);
        let mut running = Vec::new();
        for (name, text, port) in [("sup", &sup, 8531), ("dp", &dp, 7542), ("mp", &mp, 7541)] {
            let (program, config) = (format!("tierline-{name}"), self.config(name, text)?);
            self.join(&program, &config, &["role", "token", name])?;
            running.push(self.measure(&program, &[config], Some(port)).await?);
        }
        let mut agents = Vec::new();
        for number in 0..=STARTS {
            let text = format!("mp_url = \"{url}\"\nname = \"host-{number}\"\n");
            let agent = self.config(&format!("agent-{number}"), &text)?;
            self.join("tierline-agent", &agent, &["client", "token", "--url", &url])?;
            agents.push(agent);
        }
        self.measure("tierline-agent", &agents, None).await.map(drop)
    }

    /// Starts a process again and again, with one configuration or with another each time; the
    /// last one goes on. One with a port works when that answers, an agent when it has policy.
    async fn measure(
        &self,
        label: &str,
        configs: &[PathBuf],
        port: Option<u16>,
    ) -> Result<Running> {
        let program = label.split(',').next().unwrap_or(label);
        let mut values: [Vec<f64>; 4] = Default::default();
        let mut last: Option<Running> = None;
        for config in configs.iter().cycle().take(STARTS + 1) {
            if let Some(process) = last.take() {
                process.stop().await?;
            }
            let process = last.insert(self.spawn(program, config)?);
            let listens = process.says(port.map_or("started", |_| "listens")).await?;
            let works = match port {
                Some(port) => process.answers((self.address, port)).await?,
                None => process.says("policy was accepted").await?,
            };
            sleep(SETTLE).await;
            let (resident, share) = memory(process.id()?)?;
            let news = [listens, works, resident, share];
            values.iter_mut().zip(news).for_each(|(values, new)| values.push(new));
        }
        let first = values[1][0];
        let [listens, works, resident, share] =
            values.map(|values| values.into_iter().skip(1).collect::<Spread>());
        println!(
            "| {label} | {first:.0} | {listens:.0} | {works:.0} | {resident:.1} | {share:.1} |"
        );
        last.context("it was started")
    }

    pub(crate) fn spawn(&self, program: &str, config: &Path) -> Result<Running> {
        let mut command = tokio::process::Command::new(self.programs.join(program));
        command.arg("--config").arg(config).env("RUST_LOG", "info").kill_on_drop(true);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let log = child.stderr.take().context("stderr is piped")?;
        Ok(Running { child, log: BufReader::new(log).lines(), started })
    }

    /// Starts a server and waits until it answers.
    pub(crate) async fn serve(&self, program: &str, config: &Path, port: u16) -> Result<Running> {
        let mut process = self.spawn(program, config)?;
        process.says("listens").await?;
        process.answers((self.address, port)).await?;
        Ok(process)
    }

    /// Lets a process join with a token that an operator asks for.
    pub(crate) fn join(&self, program: &str, config: &Path, token: &[&str]) -> Result<()> {
        let said = self.asked("tierline", token)?;
        let token = said["token"].as_str().context("a token is given")?;
        let config = config.to_str().context("the path is text")?;
        self.output(program, &["--config", config, "join", token]).map(drop)
    }

    /// What a program answers programs.
    pub(crate) fn asked(&self, program: &str, arguments: &[&str]) -> Result<serde_json::Value> {
        let said = self.output(program, &[arguments, &["-o", "json"]].concat())?;
        Ok(serde_json::from_str(&said)?)
    }

    pub(crate) fn output(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).env("XDG_CONFIG_HOME", self.directory.path());
        let output = command.output().with_context(|| format!("cannot start {program}"))?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} {arguments:?}: {error}");
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Running {
    pub(crate) fn id(&self) -> Result<u32> {
        self.child.id().context("it ended by itself")
    }

    /// Below `/proc`.
    pub(crate) fn name(&self) -> Result<String> {
        self.id().map(|id| id.to_string())
    }

    /// Waits for a line of the log; when it came, in milliseconds.
    pub(crate) async fn says(&mut self, text: &str) -> Result<f64> {
        let mut seen = Vec::new();
        loop {
            let line = timeout(PATIENCE, self.log.next_line()).await.ok().transpose()?.flatten();
            let line =
                line.with_context(|| format!("never said {text:?}:\n{}", seen.join("\n")))?;
            if line.contains(text) {
                return Ok(self.milliseconds());
            }
            seen.push(line);
        }
    }

    /// A port that is bound takes connections at once, but only who serves it answers.
    pub(crate) async fn answers(&self, address: (Ipv4Addr, u16)) -> Result<f64> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n").await?;
        // An alert, a line or the end: each is an answer.
        let answer = timeout(PATIENCE, stream.read(&mut [0; 16])).await;
        drop(answer.context("the port did not answer")?);
        Ok(self.milliseconds())
    }

    fn milliseconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * 1_000.0
    }

    /// Ends it in order, so that the next start finds nothing to repair.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let process = self.id()?;
        let asked = Command::new("sh").args(["-c", &format!("kill -TERM {process}")]).status()?;
        ensure!(asked.success(), "the process could not be asked to end");
        self.child.wait().await?;
        Ok(())
    }
}
