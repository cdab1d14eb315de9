//! The grammar, what is printed, and real sockets without an agent behind them.

use clap::Parser;
use expect_test::{Expect, expect};
use model::Timestamp;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixListener;
use uuid::Uuid;

use super::*;
use crate::control::{Answer, Done, Happening, Refused, Restart};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: Output,
    #[command(subcommand)]
    verb: Verb,
}

fn parse(line: &str) -> Result<Line, clap::Error> {
    let words = std::iter::once("tierline-agent").chain(line.split_whitespace());
    Line::try_parse_from(words)
}

impl Line {
    async fn ask(
        self,
        data: &Path,
        configured: Option<&Path>,
        output: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let places = self.options.places(data, configured);
        self.verb.ask(&places, &self.options, output).await
    }
}

const ID: &str = "00000000-0000-0000-0000-000000000007";

#[test]
fn a_verb_is_a_question() {
    let update = Text(UpdateId(Uuid::from_u128(7)));
    for (line, expected) in [
        ("status", Request::Status),
        ("history", Request::History { limit: 50 }),
        ("history --limit 3", Request::History { limit: 3 }),
        ("scan", Request::Scan { cycle: Cycle::Scan }),
        ("scan --evaluate", Request::Scan { cycle: Cycle::Evaluation }),
        ("install", Request::Install { updates: Vec::new() }),
        (&format!("install {ID}"), Request::Install { updates: vec![update] }),
        (
            "install --at 2026-11-22T03:00",
            Request::InstallAt { updates: Vec::new(), at: "2026-11-22T03:00".to_owned() },
        ),
        (&format!("install {ID} --cancel"), Request::Unplan { updates: vec![update] }),
        (&format!("hide {ID}"), Request::Hide { update }),
        (&format!("show {ID}"), Request::Show { update }),
        ("updates", Request::Updates),
        ("cache list", Request::CacheList),
        ("cache clean", Request::CacheClean),
        ("reboot-status", Request::RebootStatus),
        ("reboot", Request::Reboot { defer_minutes: None }),
        ("reboot --defer 30", Request::Reboot { defer_minutes: Some(30) }),
        ("reset", Request::Reset),
        ("policy", Request::Policy),
        (&format!("explain {ID}"), Request::Explain { update }),
    ] {
        assert_eq!(parse(line).expect(line).verb.request(), expected, "{line}");
        // Before and after the verb, as with every other command of the product.
        for line in [format!("{line} -o json"), format!("-o json {line}")] {
            assert_eq!(parse(&line).expect(&line).options.output, Format::Json);
        }
    }
    for wrong in [
        "hide",
        "install 5",
        "install --at 3 --cancel",
        "reboot --defer soon",
        "cache",
        "status -o yaml",
    ] {
        parse(wrong).expect_err(wrong);
    }
}

fn check(answer: &Answer, expected: &Expect) {
    let (_, value) = opened(serde_json::to_value(answer).expect("encodes")).expect("an answer");
    expected.assert_eq(&table::render(&value));
}

#[test]
fn answers_are_lines_and_tables() {
    check(
        &Answer::Done(Done { done: "the scan begins".to_owned() }),
        &expect![[r#"
        the scan begins
    "#]],
    );
    check(
        &Answer::History(Vec::new()),
        &expect![[r#"
        none
    "#]],
    );
    let entry = |what: &str, code| Happening {
        at: Text(Timestamp(1_000)),
        kind: "installation",
        update: Some(Text(UpdateId(Uuid::from_u128(7)))),
        revision: Some(1),
        code,
        duration_ms: Some(61_000),
        size_bytes: None,
        what: what.to_owned(),
    };
    let failed = entry("failed\u{1b}[31m\nred", Some("17".to_owned()));
    check(
        &Answer::History(vec![entry("installed", None), failed]),
        &expect![[r#"
        AT                        KIND          UPDATE                                REVISION  CODE  DURATION MS  SIZE BYTES  WHAT
        1970-01-01T00:00:01.000Z  installation  00000000-0000-0000-0000-000000000007  1         -     61000        -           installed
        1970-01-01T00:00:01.000Z  installation  00000000-0000-0000-0000-000000000007  1         17    61000        -           failed [31m red
    "#]],
    );
    let restart = Restart {
        pending: true,
        since: Some(Text(Timestamp(0))),
        restarts_at: None,
        deferrable_until: None,
        deferred_to: None,
        waits_for: Some("the user".to_owned()),
    };
    check(
        &Answer::Restart(restart),
        &expect![[r#"
        pending           yes
        since             1970-01-01T00:00:00.000Z
        restarts_at       -
        deferrable_until  -
        deferred_to       -
        waits_for         the user
    "#]],
    );
}

/// An agent that answers one question as it is told, and says what it was asked.
async fn agent(listener: UnixListener, answer: Answer) -> String {
    let (stream, _) = listener.accept().await.expect("somebody");
    let (mut stream, mut line) = (BufReader::new(stream), String::new());
    stream.read_line(&mut line).await.expect("a line");
    let text = serde_json::to_string(&answer).expect("encodes");
    stream.write_all(format!("{text}\n").as_bytes()).await.expect("written");
    line
}

#[tokio::test]
async fn an_answer_is_printed_as_wanted_and_a_refusal_is_an_error() {
    let data = TempDir::new().expect("a directory");
    let path = Local::within(data.path());
    let done = || Answer::done("it begins");
    let refused = || Refused::new("not you", "ask root").into();
    for (line, answer, expected) in [
        ("scan", done(), Ok("it begins\n")),
        ("scan -o json", done(), Ok("{\n  \"done\": \"it begins\"\n}\n")),
        ("reset", refused(), Err("not you\n  remedy: ask root")),
    ] {
        let listener = UnixListener::bind(&path).expect("binds");
        let mut printed = Vec::new();
        let asked = parse(line).expect(line).ask(data.path(), None, &mut printed);
        let (outcome, request) = tokio::join!(asked, agent(listener, answer));
        assert!(request.starts_with("{\"verb\":\"") && request.ends_with("}\n"), "{request}");
        let printed = String::from_utf8(printed).expect("text");
        match expected {
            Ok(text) => {
                outcome.expect(line);
                assert_eq!(printed, text);
            }
            Err(text) => {
                assert_eq!(outcome.expect_err(line).to_string(), text);
                assert_eq!(printed, "");
            }
        }
        std::fs::remove_file(&path).expect("removed");
    }
}

#[tokio::test]
async fn without_an_agent_it_is_said_how_to_start_one() {
    let data = TempDir::new().expect("a directory");
    let place = data.path().join("elsewhere.sock");
    let status = parse("status").expect("a verb");
    let failure = status.ask(data.path(), Some(&place), &mut Vec::new()).await.expect_err("nobody");
    let text = failure.to_string().replace(&data.path().display().to_string(), "DATA");
    expect![[r#"
        no agent answers at DATA/elsewhere.sock (No such file or directory (os error 2))
          remedy: start it with `systemctl start tierline-agent` or `tierline-agent --config FILE run`; --socket names another one's socket"#]].assert_eq(&text);

    // A dead socket, and one that says what is no answer.
    drop(UnixListener::bind(&place).expect("binds"));
    let named = format!("status --socket {}", place.display());
    let ask = async || parse(&named).expect("a verb").ask(data.path(), None, &mut Vec::new()).await;
    assert!(matches!(ask().await, Err(Failure::Absent { .. })));
    std::fs::remove_file(&place).expect("removed");
    let listener = UnixListener::bind(&place).expect("binds");
    let babbler = async {
        let (mut stream, _) = listener.accept().await.expect("somebody");
        stream.write_all(b"[1,2]\n").await.expect("written");
    };
    let (outcome, ()) = tokio::join!(ask(), babbler);
    assert!(matches!(outcome, Err(Failure::Answer { .. })), "{outcome:?}");
}
