use axum::body::Body;
use axum::http::Request;
use model::PeerKind;
use serde::Deserialize;
use tower::ServiceExt as _;

use super::*;
use crate::{LogSection, routes};

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct File {
    data: String,
    log: LogSection,
}

impl Default for File {
    fn default() -> File {
        File { data: "/nowhere".to_owned(), log: LogSection::default() }
    }
}

struct Stub;

impl Program for Stub {
    const NAME: &'static str = "tierline-stub";
    const UNUSED: &'static [&'static str] = &["migrate"];
    type File = File;
    type Config = Base;

    fn validate(file: &File, problems: &mut Problems) -> Option<Base> {
        let log = Log::validate(&file.log, problems);
        Some(Base { data: file.data.clone().into(), log: log? })
    }

    fn base(config: &Base) -> Base {
        config.clone()
    }

    fn joining(_: &Base) -> Joining {
        Joining {
            kind: PeerKind::Client,
            site_kind: None,
            name: String::new(),
            url: String::new(),
            http_url: String::new(),
            names: Vec::new(),
        }
    }

    async fn run(_: Base, process: Process) -> Outcome {
        let mut answers = Vec::new();
        process.health.waiting("database", "is migrating");
        for path in ["/healthz", "/readyz", "/metrics"] {
            metrics::counter!("stub_requests_total").increment(1);
            let routes = routes(process.health.clone(), process.metrics.clone());
            let request = Request::get(path).body(Body::empty())?;
            let response = routes.oneshot(request).await?;
            let status = response.status();
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await?;
            answers.push(format!("{status} {}", String::from_utf8_lossy(&body).trim_end()));
        }
        assert_eq!(
            answers[..2],
            ["200 OK alive", "503 Service Unavailable database: is migrating"]
        );
        assert!(answers[2].contains("stub_requests_total 3"), "{answers:?}");
        Ok(())
    }
}

#[derive(Debug, Subcommand)]
enum StubVerb {
    /// Say where the data is.
    Where,
    Fail,
}

impl Verbs<Stub> for StubVerb {
    type Options = NoOptions;

    async fn perform(self, _: NoOptions, config: Base, output: &mut dyn Write) -> Outcome {
        match self {
            StubVerb::Where => Ok(writeln!(output, "{}", config.data.display())?),
            StubVerb::Fail => Err("refused".into()),
        }
    }
}

fn execute_stub(arguments: &[&str], environment: &[(&str, &str)]) -> (ExitCode, String) {
    let arguments = ["tierline-stub"].iter().chain(arguments).map(OsString::from);
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let mut output = Vec::new();
    let code = execute::<Stub, StubVerb>(arguments, environment, &mut output);
    (code, String::from_utf8(output).expect("text"))
}

#[test]
fn exit_codes_say_how_it_ended() {
    assert_eq!(execute_stub(&["version"], &[]).0, ExitCode::SUCCESS);
    assert_eq!(execute_stub(&["--help"], &[]).0, ExitCode::SUCCESS);
    assert_eq!(execute_stub(&["dance"], &[]).0, ExitCode::from(2));
    assert_eq!(execute_stub(&["join"], &[]).0, ExitCode::from(2));
    assert_eq!(execute_stub(&["join", "nonsense"], &[]).0, ExitCode::FAILURE);
    assert_eq!(execute_stub(&["check"], &[]).0, ExitCode::FAILURE);
    let bad = [("TIERLINE__LOG__FORMAT", "xml")];
    assert_eq!(execute_stub(&["check-config"], &bad).0, ExitCode::FAILURE);
    assert_eq!(execute_stub(&["--config", "/no/such/file", "run"], &[]).0, ExitCode::FAILURE);
}

#[test]
fn a_binary_understands_verbs_of_its_own_beside_those_of_all() {
    let environment = [("TIERLINE__DATA", "/somewhere")];
    let (code, printed) = execute_stub(&["where"], &environment);
    assert_eq!((code, printed.as_str()), (ExitCode::SUCCESS, "/somewhere\n"));
    assert_eq!(execute_stub(&["fail"], &[]).0, ExitCode::FAILURE);
    assert_eq!(execute_stub(&["where", "--now"], &[]).0, ExitCode::from(2));
    let none = execute::<Stub, NoVerbs>(
        ["tierline-stub", "where"].map(OsString::from),
        [],
        &mut Vec::new(),
    );
    assert_eq!(none, ExitCode::from(2), "one without verbs knows none");
}

#[test]
fn help_names_no_command_that_a_binary_has_no_use_for() {
    let help = grammar::<Stub, StubVerb>().render_help().to_string();
    assert!(help.contains("restore") && help.contains("where"), "{help}");
    assert!(!help.contains("migrate"), "{help}");
}

#[test]
fn check_config_prints_what_is_in_effect() {
    let (code, printed) = execute_stub(&["check-config"], &[("TIERLINE__LOG__FORMAT", "json")]);
    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(printed, "data = \"/nowhere\"\n\n[log]\nformat = \"json\"\nfilter = \"info\"\n");
}

#[test]
fn nothing_begins_where_others_may_write_or_beside_another_process() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let file = File { data: data.display().to_string(), ..File::default() };
    let begin = |place| {
        let config = Stub::validate(&file, &mut Problems::default()).expect("it is usable");
        prepare::<Stub>((File::default(), config), place)
    };
    assert!(begin(custody::find).is_err());
    assert!(!data.exists(), "to look makes nothing");
    let held = begin(custody::make).expect("it is made");
    let said = begin(custody::find).err().expect("it is in use").to_string();
    assert!(said.contains("works in"), "{said}");
    drop(held);
    let allow = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&data, permissions).expect("it is ours");
    };
    allow(0o777);
    let said = begin(custody::make).err().expect("it is open to others").to_string();
    assert!(said.contains("chmod go-w"), "{said}");
    allow(0o700);
    begin(custody::make).expect("it is ours alone again");
}

#[test]
fn a_process_runs_and_shows_its_state() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().display().to_string();
    assert_eq!(execute_stub(&[], &[("TIERLINE__DATA", &data)]).0, ExitCode::SUCCESS);
    assert!(directory.path().join("pki").is_dir());
}
