//! Commands against a server that speaks the protocol, over loopback TLS.

use std::path::Path;
use std::sync::{Arc, Mutex};

use ambient::{Ambient, ManualClock, SystemEntropy};
use axum::body::Body;
use axum::routing::post;
use axum::{Router, extract};
use clap::CommandFactory as _;
use expect_test::expect;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt as _, Full};
use model::{HierarchyId, PeerIdentity, PeerKind, SiteCode};
use prost::Message as _;
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use rpc::pb::enrolment::{EnrolRequest, EnrolResponse, RenewRequest, RenewResponse};
use tokio_util::sync::{CancellationToken, DropGuard};
use transport::{Credentials, Limits, Server, TcpListen};
use trust::{Intermediate, JoinToken, KeyPair, PublicKey, Root, TokenSecret};

use super::*;
use crate::arguments::{Arguments, Global, duration};
use crate::context::Context;
use crate::desk::Desk;

/// A site server that lets anybody log in as "ada" and answers every administration method: with
/// one site to `ListSites`, with nothing to the others.
struct Fake {
    clock: Arc<ManualClock>,
    ambient: Ambient,
    token: JoinToken,
    renewals: Arc<Mutex<u32>>,
    _running: DropGuard,
}

struct Issuer {
    ambient: Ambient,
    root: Vec<u8>,
    intermediate: Intermediate,
    renewals: Arc<Mutex<u32>>,
}

fn identity(kind: PeerKind, id: &str) -> PeerIdentity {
    let site = SiteCode::new("CAS").expect("a good code");
    PeerIdentity { hierarchy: HierarchyId(uuid::Uuid::from_u128(1)), site, kind, id: id.to_owned() }
}

impl Issuer {
    fn chain(&self, csr: &[u8]) -> Vec<Vec<u8>> {
        let key = PublicKey::from_request(csr).expect("a request");
        let ada = identity(PeerKind::Administrator, "ada");
        let leaf = self.intermediate.issue(&self.ambient, &key, &ada, &[]).expect("issued");
        vec![leaf.to_vec(), self.intermediate.certificate().to_vec()]
    }

    /// The message that answers `request` to a method.
    fn answer(&self, method: &str, request: &[u8]) -> Vec<u8> {
        match method {
            "Enrol" => {
                let asked = EnrolRequest::decode(request).expect("its request");
                let (root, chain) = (self.root.clone(), self.chain(&asked.csr));
                EnrolResponse { root, chain, ..Default::default() }.encode_to_vec()
            }
            "Renew" => {
                *self.renewals.lock().expect("whole") += 1;
                let asked = RenewRequest::decode(request).expect("its request");
                RenewResponse { chain: self.chain(&asked.csr) }.encode_to_vec()
            }
            "ListSites" => {
                let site = pb::Site { code: "CAS".to_owned(), ..Default::default() };
                pb::ListSitesResponse { rows: vec![site] }.encode_to_vec()
            }
            // Whatever was begun has ended.
            "GetCatalogErrand" => {
                pb::GetCatalogErrandResponse { done: true, ..Default::default() }.encode_to_vec()
            }
            "GetSyncStatus" => {
                let (ended_at, step) = (Some(wire_time(model::Timestamp(0))), "succeeded".into());
                let run = pb::SyncRun { number: 1, step, ended_at, ..Default::default() };
                pb::GetSyncStatusResponse { row: Some(run), ..Default::default() }.encode_to_vec()
            }
            _ => Vec::new(),
        }
    }
}

/// One message in, one message out, each after its five bytes of framing.
async fn serve(
    extract::State(issuer): extract::State<Arc<Issuer>>,
    extract::Path((_, method)): extract::Path<(String, String)>,
    request: Body,
) -> Response<Body> {
    let request = request.collect().await.expect("whole").to_bytes();
    let message = issuer.answer(&method, &request[5..]);
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    let frame = [&[0], length.as_slice(), &message].concat();
    let trailers = HeaderMap::from_iter([("grpc-status".parse().expect("a name"), 0.into())]);
    let body = Full::from(frame).with_trailers(async { Some(Ok(trailers)) });
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(Body::new(body)).expect("a response")
}

impl Fake {
    async fn start() -> Fake {
        let clock = Arc::new(ManualClock::at(1_795_168_800_000));
        let ambient = Ambient::new(clock.clone(), Arc::new(SystemEntropy));
        let own = identity(PeerKind::Site, "CAS");
        let root = Root::create(&ambient, own.hierarchy).expect("a root");
        let (key, issuing) = (KeyPair::generate().expect("k"), KeyPair::generate().expect("k"));
        let issued = root.issue_intermediate(&ambient, own.site, &issuing.public_key());
        let intermediate = Intermediate::load(issued.expect("issued"), issuing).expect("its key");
        let leaf = intermediate.issue(&ambient, &key.public_key(), &own, &[]).expect("issued");
        let chain = [leaf, intermediate.certificate().clone()];
        let credentials = Credentials::new(ambient.clone(), root.anchor().clone(), &chain, &key);
        let listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
        let token = JoinToken {
            url: format!("https://{}", listener.local_address()),
            hierarchy: own.hierarchy,
            pin: root.anchor().pin(),
            kind: PeerKind::Administrator,
            site: own.site,
            secret: TokenSecret::generate(&ambient),
        };
        let renewals: Arc<Mutex<u32>> = Arc::default();
        let root = root.anchor().root().to_vec();
        let issuer =
            Issuer { ambient: ambient.clone(), root, intermediate, renewals: renewals.clone() };
        let server = Server {
            router: Router::new()
                .route("/{service}/{method}", post(serve))
                .with_state(Arc::new(issuer)),
            credentials: Some(credentials.expect("its own certificate")),
            limits: Limits::default(),
            revoked: Arc::new(|_| false),
        };
        let shutdown = CancellationToken::new();
        tokio::task::spawn_local(server.run(Box::new(listener), shutdown.clone()));
        Fake { clock, ambient, token, renewals, _running: shutdown.drop_guard() }
    }

    /// Runs a command line for a user whose configuration is in `directory`.
    async fn run(&self, directory: &Path, line: &str) -> Outcome {
        let Arguments { global, noun } = parsed(line);
        let (ambient, context) = (self.ambient.clone(), Context::at(directory.join("tierline")));
        noun.run(&Desk { ambient, context, global }).await
    }

    async fn login(&self, directory: &Path, token: &JoinToken) -> Outcome {
        let file = directory.join("a.token");
        std::fs::write(&file, token.encode()).expect("written");
        self.run(directory, &format!("tierline login --token-file {}", file.display())).await
    }
}

/// What a line says outside and inside of quotes, by turns.
fn by_quotes(line: &str) -> Vec<String> {
    let (mut parts, mut quote) = (vec![String::new()], None);
    for letter in line.chars() {
        let turns = match quote {
            Some(open) => open == letter,
            None => ['"', '\''].contains(&letter),
        };
        if turns {
            quote = if quote.is_none() { Some(letter) } else { None };
            parts.push(String::new());
        } else {
            parts.last_mut().expect("one").push(letter);
        }
    }
    parts
}

/// What a shell would look at.
fn unquoted(line: &str) -> String {
    by_quotes(line).into_iter().step_by(2).collect()
}

/// A command line as a shell would cut it.
fn parsed(line: &str) -> Arguments {
    let mut words = vec![String::new()];
    for (at, part) in by_quotes(line).iter().enumerate() {
        match at % 2 {
            0 => {
                let mut pieces = part.split(' ');
                words.last_mut().expect("one").push_str(pieces.next().unwrap_or_default());
                words.extend(pieces.map(str::to_owned));
            }
            _ => words.last_mut().expect("one").push_str(part),
        }
    }
    let parsed = Arguments::try_parse_from(words);
    parsed.unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Runs a test with tasks that end with it.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    tokio::task::LocalSet::new().block_on(&runtime.expect("a runtime"), test);
}

/// The leaf commands, as their example gives them.
fn examples(command: &clap::Command, path: &str, found: &mut Vec<String>) {
    if command.get_subcommands().next().is_none() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = help.lines().map(str::trim).filter(|line| line.starts_with("tierline "));
        let before = found.len();
        found.extend(lines.map(ToOwned::to_owned));
        assert!(found.len() > before && found[before].starts_with(path), "{path}: no example");
    }
    for verb in command.get_subcommands() {
        examples(verb, &format!("{path} {}", verb.get_name()), found);
    }
}

#[test]
fn every_command_has_an_example_that_works() {
    run(async {
        let (fake, home) = (Fake::start().await, tempfile::tempdir().expect("a directory"));
        fake.login(home.path(), &fake.token).await.expect("logged in");
        let mut lines = Vec::new();
        examples(&Arguments::command(), "tierline", &mut lines);
        assert!(lines.len() > 15, "{lines:?}");
        // These need a file; others need a shell, or leave out some of a digest.
        let files = ["login", "catalog import", "catalog export", "update publish ", "--root"];
        let is_cut = |line: &&String| unquoted(line).contains(['>', '…']);
        let (cut, more): (Vec<_>, Vec<_>) = lines.iter().partition(is_cut);
        assert!(cut.len() < 5, "{cut:?}");
        for line in more {
            match files.iter().any(|word| line.contains(word)) {
                true => drop(parsed(line)),
                false => {
                    // What a command writes belongs into the test's own directory.
                    let written = home.path().join("publisher.cer").display().to_string();
                    let line = &line.replace("publisher.cer", &written);
                    let outcome = fake.run(home.path(), line).await;
                    outcome.unwrap_or_else(|failure| panic!("{line}: {failure}"));
                }
            }
        }
    });
}

/// The verbs of a noun, as in `schedule set`.
fn verbs(command: &clap::Command, path: &str, found: &mut Vec<String>) {
    if command.get_subcommands().next().is_none() {
        found.push(path.trim_start().to_owned());
    }
    for verb in command.get_subcommands() {
        verbs(verb, &format!("{path} {}", verb.get_name()), found);
    }
}

/// Symptom: the table of commands in the operator guide lacked whole families of them. Cause: it was
/// written by hand. Repair: it is compared with the grammar.
#[test]
fn the_operator_guide_lists_every_command() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operator-guide.md");
    let guide = std::fs::read_to_string(guide).expect("readable");
    let mut missing = Vec::new();
    for noun in Arguments::command().get_subcommands() {
        let start = format!("| `{}", noun.get_name());
        let row = guide.lines().find(|line| {
            line.strip_prefix(&start).is_some_and(|rest| rest.starts_with(['`', ' ']))
        });
        let Some(row) = row else {
            missing.push(noun.get_name().to_owned());
            continue;
        };
        let mut wanted = Vec::new();
        verbs(noun, "", &mut wanted);
        let is_there = |verb: &String| {
            let named = format!("`{verb}");
            row.match_indices(&named).any(|(at, _)| row[at + named.len()..].starts_with(['`', ' ']))
        };
        wanted.retain(|verb| !verb.is_empty() && !is_there(verb));
        missing.extend(wanted.into_iter().map(|verb| format!("{} {verb}", noun.get_name())));
    }
    assert!(missing.is_empty(), "docs/operator-guide.md does not list: {missing:?}");
}

/// Symptom: `relate --end --minutes 5` ended the link, and `set`, `add` and `remove` without
/// anything to change succeeded. Cause: the grammar allowed it. Repair: it does not.
#[test]
fn a_change_of_a_boundary_group_says_what_it_changes() {
    let parse = |line: &str| Arguments::try_parse_from(line.split(' ')).map(drop);
    for refused in ["add PR1", "remove PR1", "set PR1", "relate PR1 PR2 --end --minutes 5"] {
        let line = format!("tierline boundary-group {refused}");
        assert!(parse(&line).is_err(), "{line}");
    }
    let taken = ["add PR1 --system X", "set PR1 --peers true", "relate PR1 PR2 --end", "create X"];
    for taken in taken {
        parse(&format!("tierline boundary-group {taken}")).expect(taken);
    }
}

/// Symptom: some commands took a fingerprint with colons, as other tools print it, and some did
/// not. Cause: each had its own reading. Repair: there is one.
#[test]
fn fingerprints_may_have_colons() {
    let plain = "ab".repeat(32);
    let colons = vec!["AB"; 32].join(":");
    assert_eq!(arguments::fingerprint(&colons), arguments::fingerprint(&plain));
    for start in [
        "catalog distrust",
        "catalog import x.tlbundle --trust",
        "catalog subscribe https://acme.example/c.cab --pin",
        "sync source set https://acme.example --pin",
    ] {
        let line = format!("tierline {start} {colons}");
        Arguments::try_parse_from(line.split(' ')).expect(&line);
    }
}

#[test]
fn after_login_the_server_is_known_and_the_certificate_is_kept_fresh() {
    run(async {
        let (fake, home) = (Fake::start().await, tempfile::tempdir().expect("a directory"));
        let refused = fake.run(home.path(), "tierline site list").await.expect_err("no login yet");
        let text = refused.to_string().replace(&home.path().display().to_string(), "HOME");
        expect![[r#"
            error: nobody is logged in
              where: HOME/tierline/root.pem
              remedy: log in again with `tierline login --token-file FILE`"#]]
        .assert_eq(&text);
        fake.login(home.path(), &fake.token).await.expect("logged in");
        let directory = home.path().join("tierline");
        for entry in std::fs::read_dir(&directory).expect("made") {
            use std::os::unix::fs::PermissionsExt as _;
            let entry = entry.expect("readable");
            let mode = entry.metadata().expect("there").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", entry.path());
        }
        let context = Context::at(directory);
        let global = Global { server: None, output: output::Format::Json, timeout: None };
        let desk = Desk { ambient: fake.ambient.clone(), context, global };
        let answer = desk.call(&pb::ListSitesRequest {}).await.expect("answered");
        let sites = answer.read::<pb::ListSitesResponse>().rows;
        assert_eq!((sites.len(), sites[0].code.as_str()), (1, "CAS"));
        assert_eq!(*fake.renewals.lock().expect("whole"), 0);
        fake.clock.advance_ms(200 * 24 * 60 * 60 * 1000);
        desk.call(&pb::ListSitesRequest {}).await.expect("answered");
        desk.call(&pb::ListSitesRequest {}).await.expect("answered");
        assert_eq!(*fake.renewals.lock().expect("whole"), 1, "the fresh one is used at once");
    });
}

#[test]
fn an_unreachable_server_and_a_wrong_token_are_told_plainly() {
    run(async {
        let (fake, home) = (Fake::start().await, tempfile::tempdir().expect("a directory"));
        fake.login(home.path(), &fake.token).await.expect("logged in");
        let gone = TcpListen::bind("127.0.0.1:0").await.expect("a port").local_address();
        let line = format!("tierline site list --server https://{gone}");
        let failure = fake.run(home.path(), &line).await.expect_err("nobody is there").to_string();
        assert!(failure.contains("Connection refused"), "{failure}");
        assert!(failure.contains("remedy: see whether the server runs"), "{failure}");

        let kind = PeerKind::Role(model::RoleKind::DistributionPoint);
        let token = JoinToken { kind, ..fake.token.clone() };
        let failure = fake.login(home.path(), &token).await.expect_err("refused").to_string();
        assert!(failure.starts_with("error: the token lets a dp join, not a person"), "{failure}");
    });
}

#[test]
fn times_are_numbers_with_a_unit() {
    assert_eq!(duration("90s"), Ok(std::time::Duration::from_secs(90)));
    assert_eq!(duration("7d"), Ok(std::time::Duration::from_secs(604_800)));
    for wrong in ["", "h", "5", "5y", "-1h", "99999999999999999999d", "ü"] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
}
