//! Real sockets in a directory of the test, and a driver that answers from a script.

use std::path::PathBuf;

use model::UpdateId;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;

/// An open socket, and what comes in by it.
struct Rig {
    directory: TempDir,
    asked: mpsc::Receiver<Asked>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Rig {
    fn start() -> Rig {
        let directory = TempDir::new().expect("a directory");
        let path = Local::within(directory.path());
        let socket = Socket::bind(&place(path)).expect("binds");
        let (sender, asked) = mpsc::channel(limits::ASKED_MAX);
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn(socket.serve(sender, stop.clone()));
        Rig { directory, asked, stop, tasks }
    }

    async fn connect(&self) -> UnixStream {
        let path = Local::within(self.directory.path());
        UnixStream::connect(path).await.expect("connects")
    }

    /// Takes one question and answers it.
    async fn answer(&mut self, with: impl FnOnce(&Asked) -> Answer) {
        let asked = self.asked.recv().await.expect("a question");
        let answer = with(&asked);
        asked.answer.send(answer).expect("somebody waits");
    }
}

fn place(path: PathBuf) -> Local {
    Local { path, admin_groups: vec!["sudo".to_owned()], primary_users: Vec::new() }
}

async fn say(stream: &mut UnixStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.expect("written");
    hear(stream).await
}

async fn hear(stream: &mut UnixStream) -> String {
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await.expect("read");
    answer
}

#[tokio::test]
async fn a_question_reaches_the_driver_with_its_caller_and_its_answer_comes_back() {
    let mut rig = Rig::start();
    let mut stream = rig.connect().await;
    let driver = async {
        rig.answer(|asked| {
            assert_eq!(asked.request, Request::Scan { cycle: Cycle::Evaluation });
            // Whoever runs the test made the socket.
            assert_eq!(asked.caller.standing, Standing::Administrator);
            Answer::done("the scan begins")
        })
        .await;
    };
    let (answer, ()) =
        tokio::join!(say(&mut stream, "{\"verb\":\"scan\",\"cycle\":\"evaluation\"}\n"), driver);
    assert_eq!(answer, "{\"done\":{\"done\":\"the scan begins\"}}\n");
}

#[test]
fn requests_are_the_same_on_both_ends() {
    let update = Text(UpdateId(Uuid::from_u128(5)));
    for request in [
        Request::Status,
        Request::History { limit: 7 },
        Request::Scan { cycle: Cycle::Scan },
        Request::Install { updates: vec![update] },
        Request::Hide { update },
        Request::Show { update },
        Request::Updates,
        Request::CacheList,
        Request::CacheClean,
        Request::RebootStatus,
        Request::Reboot { defer_minutes: None },
        Request::Reboot { defer_minutes: Some(30) },
        Request::Reset,
        Request::Policy,
        Request::Explain { update },
    ] {
        let line = serde_json::to_vec(&request).expect("encodes");
        assert_eq!(Request::decode(&line), Ok(request));
    }
}

#[tokio::test]
async fn what_is_not_understood_is_answered_with_what_is_wrong() {
    let rig = Rig::start();
    let too_many = vec!["\"00000000-0000-0000-0000-000000000001\""; 1_001].join(",");
    for (said, expected) in [
        ("hello\n", "not a request"),
        ("\n", "not a request"),
        ("[[[[[[[[[[\n", "not a request"),
        ("{\"verb\":\"format_disk\"}\n", "unknown variant"),
        ("{\"verb\":\"hide\",\"update\":\"5\"}\n", "is not a UUID"),
        ("{\"verb\":\"history\",\"limit\":-1}\n", "not a request"),
        ("{\"verb\":\"scan\",\"cycle\":\"scan\",\"as\":\"root\"}\n", "unknown field"),
        (&format!("{{\"verb\":\"install\",\"updates\":[{too_many}]}}\n"), "at most 1000"),
    ] {
        let answer = say(&mut rig.connect().await, said).await;
        assert!(answer.starts_with("{\"refused\":{\"what\":"), "{said}: {answer}");
        assert!(answer.contains(expected), "{said}: {answer}");
    }
    let mut endless = rig.connect().await;
    let answer = say(&mut endless, &"x".repeat(limits::REQUEST_BYTES_MAX as usize)).await;
    assert!(answer.contains("longer than 65536 bytes"), "{answer}");
    let mut cut = rig.connect().await;
    cut.write_all(b"{\"verb\":\"status\"}").await.expect("written");
    cut.shutdown().await.expect("shut");
    assert!(hear(&mut cut).await.contains("ended before its line did"));
}

/// Nobody waits for ever, on either side.
#[tokio::test(start_paused = true)]
async fn who_says_nothing_and_who_answers_nothing_are_given_up() {
    let mut rig = Rig::start();
    assert!(hear(&mut rig.connect().await).await.contains("no request came in time"));
    let mut stream = rig.connect().await;
    let answer = say(&mut stream, "{\"verb\":\"status\"}\n").await;
    assert!(answer.contains("the agent is busy"), "{answer}");
    let asked = rig.asked.recv().await.expect("it was asked");
    assert!(asked.answer.is_closed(), "the driver sees that nobody waits any more");
}

#[tokio::test]
async fn one_user_holds_no_more_than_some_conversations() {
    let mut rig = Rig::start();
    let mut held = Vec::new();
    for _ in 0..limits::CONVERSATIONS_OF_USER_MAX {
        let mut stream = rig.connect().await;
        stream.write_all(b"{\"verb\":\"status\"}\n").await.expect("written");
        held.push((stream, rig.asked.recv().await.expect("asked")));
    }
    let answer = hear(&mut rig.connect().await).await;
    assert!(answer.contains("too many are talking"), "{answer}");
    let (mut stream, asked) = held.pop().expect("some");
    asked.answer.send(Answer::done("so")).expect("somebody waits");
    assert!(hear(&mut stream).await.contains("so"));
    // The place is free once the server has seen the end of it.
    loop {
        let mut again = rig.connect().await;
        // One that is turned away cannot even ask.
        let _ = again.write_all(b"{\"verb\":\"status\"}\n").await;
        tokio::select! {
            biased;
            asked = rig.asked.recv() => {
                assert_eq!(asked.expect("asked").request, Request::Status);
                break;
            }
            said = hear(&mut again) => assert!(said.contains("too many are talking"), "{said}"),
        }
    }
}

/// Symptom: any account of the computer asked six thousand times in forty seconds, and the agent did
/// nothing but answer it. Cause: only conversations at the same time were bounded. Repair: after
/// some questions a user's next one waits for its turn.
#[tokio::test(start_paused = true)]
async fn whoever_asks_without_end_is_answered_once_a_second() {
    let (sender, mut asked) = mpsc::channel::<Asked>(limits::ASKED_MAX);
    let allowance = std::sync::Mutex::default();
    let begun = tokio::time::Instant::now();
    for standing in [Standing::Absent, Standing::Administrator] {
        for _ in 0..30 {
            let (mut here, there) = UnixStream::pair().expect("a pair");
            let caller = Caller { uid: 1000, name: "otto".to_owned(), standing };
            let driver = async {
                let asked = asked.recv().await.expect("a question");
                asked.answer.send(Answer::done("so")).expect("somebody waits");
            };
            let talk = server::talk(there, caller, &allowance, &sender);
            let (answer, (), ()) =
                tokio::join!(say(&mut here, "{\"verb\":\"status\"}\n"), talk, driver);
            assert!(answer.contains("so"), "{answer}");
        }
        assert_eq!(begun.elapsed().as_secs(), 10, "{standing:?}");
    }
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
    let mut rig = Rig::start();
    let path = Local::within(rig.directory.path());
    let refused = Socket::bind(&place(path.clone())).expect_err("somebody answers there");
    assert_eq!(refused.kind(), std::io::ErrorKind::AddrInUse);
    rig.tasks.shutdown().await;
    assert!(path.exists(), "as after a kill");
    drop(Socket::bind(&place(path.clone())).expect("takes its place"));
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, "precious").expect("written");
    Socket::bind(&place(path.clone())).expect_err("it is no socket");
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), "precious");
}

#[tokio::test]
async fn at_the_end_the_socket_is_gone() {
    let mut rig = Rig::start();
    let path = Local::within(rig.directory.path());
    assert!(path.exists());
    rig.stop.cancel();
    while rig.tasks.join_next().await.is_some() {}
    assert!(!path.exists());
}
