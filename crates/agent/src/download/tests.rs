//! Downloads from points that do what no honest one does, over real sockets.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ambient::{Ambient, ManualClock, SeededEntropy};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use expect_test::expect;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use model::{PeerIdentity, PeerKind, RoleKind, ServerRef, SiteCode};
use sqlite_engine::Executor;
use tempfile::TempDir;
use testkit::pki::Pki;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use transport::{Connect, Limits, Listen, Server, TcpConnect, TcpListen};

use super::*;

mod paced;
mod publicly;

const BODY: &[u8] = b"the very bytes that policy names, neither more nor fewer";

/// An agent's downloads, and the points that it may ask.
struct Stage {
    directory: TempDir,
    ambient: Ambient,
    servers: Servers,
    public: Public,
    library: ContentLibrary,
    refusals: Refusals,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

fn file(body: &[u8]) -> AssignedFile {
    let (size, sha256) = (body.len() as u64, client::digest::sha256(body));
    AssignedFile { name: "update.deb".to_owned(), size, sha256 }
}

fn site() -> SiteCode {
    SiteCode::new("PR1").expect("a code")
}

fn point(http_url: String) -> ServerRef {
    let kind = RoleKind::DistributionPoint;
    ServerRef { kind, site: site(), url: String::new(), http_url, after_minutes: 0 }
}

impl Stage {
    fn new() -> Stage {
        let clock = Arc::new(ManualClock::at(1_795_168_800_000));
        let ambient = Ambient::new(clock, Arc::new(SeededEntropy::new(1)));
        Stage::with(ambient, Arc::new(TcpConnect))
    }

    fn with(ambient: Ambient, connect: Arc<dyn Connect>) -> Stage {
        let directory = TempDir::new().expect("a directory");
        let pki = Pki::new(&ambient);
        let credentials = pki.credentials(&pki.site(site()), PeerKind::Client, "c");
        let public = Public::new(ambient.clone(), connect.clone(), directory.path().join("roots"));
        let servers = Servers::new(ambient.clone(), connect, credentials, point(String::new()));
        let library = library(&ambient, &directory);
        let (refusals, shutdown, tasks) = Default::default();
        Stage { directory, ambient, servers, public, library, refusals, shutdown, tasks }
    }

    /// As after a restart of the agent.
    fn restart(mut self) -> Stage {
        self.library = ContentLibrary::open(
            self.ambient.clone(),
            &self.directory.path().join("other"),
            Executor::Inline,
        )
        .expect("another one, so that the first is closed");
        self.library = library(&self.ambient, &self.directory);
        self
    }

    fn serve(&self, listener: impl Listen + 'static, router: Router) {
        let (limits, revoked) = (Limits::default(), Arc::new(|_: &PeerIdentity| false));
        let server = Server { router, credentials: None, limits, revoked };
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            server.run(Box::new(listener), shutdown).await.expect("runs");
        });
    }

    /// One more point, which answers every request so.
    async fn dp(
        &self,
        answer: impl Fn(Request) -> Response + Clone + Send + Sync + 'static,
    ) -> ServerRef {
        let listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = listener.local_address();
        let router = Router::new().fallback(async move |request: Request| answer(request));
        self.serve(listener, router);
        point(format!("http://{address}"))
    }

    async fn fetch(&self, body: &[u8], points: &[ServerRef]) -> Fetched {
        let points: Vec<Carrier> = points.iter().cloned().map(Carrier::Point).collect();
        self.fetch_from(body, &points).await
    }

    async fn fetch_from(&self, body: &[u8], carriers: &[Carrier]) -> Fetched {
        let fetched = self.downloads().fetch(&file(body), carriers).await;
        // Whatever happened: what is here is what policy names.
        for record in self.library.list().await.expect("lists") {
            assert_eq!(record.sha256, fetched.file.sha256);
        }
        fetched
    }

    fn downloads(&self) -> Downloads<'_> {
        let Stage { servers, public, library, refusals, .. } = self;
        Downloads { servers, public, downloader: &Downloader::Inside, library, refusals }
    }

    fn partial(&self, body: &[u8]) -> PathBuf {
        let name = file(body).sha256.to_string();
        self.directory.path().join("content/partial").join(name)
    }

    /// How many bytes wait to be gone on with.
    fn waiting(&self, body: &[u8]) -> u64 {
        std::fs::metadata(self.partial(body)).map_or(0, |data| data.len())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn library(ambient: &Ambient, directory: &TempDir) -> ContentLibrary {
    let root = directory.path().join("content");
    ContentLibrary::open(ambient.clone(), &root, Executor::Inline).expect("opens")
}

/// As an honest point answers.
fn honest(body: &'static [u8]) -> impl Fn(Request) -> Response + Clone {
    move |request| {
        let asked = request.headers().get(RANGE).map(|range| range.to_str().expect("text"));
        let start = asked.map_or(0, |range| {
            let start = range.trim_start_matches("bytes=").trim_end_matches('-');
            start.parse().expect("a number")
        });
        let (size, rest) = (body.len(), &body[start..]);
        let answer = match start {
            0 => Response::builder(),
            start => Response::builder()
                .status(206)
                .header(CONTENT_RANGE, format!("bytes {start}-{}/{size}", size - 1)),
        };
        answer.header(CONTENT_LENGTH, rest.len()).body(Body::from(rest)).expect("an answer")
    }
}

/// Bytes without an end, and how many of them were taken.
fn endless() -> (Body, Arc<AtomicU64>) {
    let taken = Arc::new(AtomicU64::new(0));
    let counted = taken.clone();
    let pieces = stream::repeat_with(move || {
        counted.fetch_add(16 << 10, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 16 << 10]))
    });
    (Body::from_stream(pieces), taken)
}

/// What was said of each source, without its address.
fn said(fetched: &Fetched) -> String {
    let is_digest = |word: &&str| word.len() == 64;
    let lines = fetched.tried.iter().map(|Tried { url, class, reason }| {
        let reason = reason.replace(url, "DP");
        let digest = reason.split([' ', ';']).find(is_digest);
        let reason = digest.map_or(reason.clone(), |digest| reason.replace(digest, "ANOTHER"));
        format!("{class:?}: {}\n", reason.replace(&fetched.file.sha256.to_string(), "ITS OWN"))
    });
    lines.collect()
}

fn is_from(fetched: &Fetched, point: &ServerRef) -> bool {
    matches!(&fetched.end, End::Here { from: Some(url) } if *url == point.http_url)
}

#[tokio::test]
async fn altered_bytes_are_refused_and_the_next_point_has_the_right_ones() {
    let stage = Stage::new();
    let evil = stage.dp(honest(b"the very bytes that policy names, neither more nor FEWER")).await;
    let good = stage.dp(honest(BODY)).await;
    let fetched = stage.fetch(BODY, &[evil.clone(), good.clone()]).await;
    assert!(is_from(&fetched, &good), "{fetched:?}");
    let [refused] = &stage.refusals.take_untold()[..] else { panic!("one is refused") };
    assert_eq!(refused.url, evil.http_url);
    expect![[r#"
        Corrupt: the content cache failed: update.deb: its SHA-256 is ANOTHER instead of ITS OWN; it has to be fetched again
    "#]].assert_eq(&said(&fetched));
    assert_eq!((fetched.trouble(), fetched.lacks_room()), (None, false));
    let told = fetched.to_string();
    assert!(
        told.starts_with(&format!("update.deb came from {}; not {}", good.http_url, evil.http_url))
    );
}

#[tokio::test]
async fn a_redirect_is_named_and_nobody_is_followed() {
    let stage = Stage::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let elsewhere = stage
        .dp(move |request| {
            counted.fetch_add(1, Ordering::Relaxed);
            honest(BODY)(request)
        })
        .await;
    let to = format!("{}/content", elsewhere.http_url);
    for status in [301, 302, 303, 307, 308] {
        let to = to.clone();
        let answer = move |_| {
            let answer = Response::builder().status(status).header(LOCATION, &to);
            answer.body(Body::empty()).expect("an answer")
        };
        let fetched = stage.fetch(BODY, &[stage.dp(answer).await]).await;
        let End::Failed(Error::Redirected { to: named, .. }) = &fetched.end else {
            panic!("{fetched:?}")
        };
        assert!(named.starts_with(&elsewhere.http_url), "{named}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    assert_eq!(stage.refusals.take_untold().len(), 5);
}

#[tokio::test]
async fn a_hundred_gigabytes_are_cut_off_before_they_come() {
    const HUGE: u64 = 100 << 30;
    let stage = Stage::new();
    // Announced: nothing of it is read. Not announced: no more than policy's size is written.
    for announced in [true, false] {
        let (body, taken) = endless();
        let body = std::sync::Mutex::new(Some(body));
        let body = Arc::new(body);
        let dp = stage
            .dp(move |_| {
                let body = body.lock().expect("whole").take().unwrap_or_default();
                let answer = Response::builder();
                let answer = if announced { answer.header(CONTENT_LENGTH, HUGE) } else { answer };
                answer.body(body).expect("an answer")
            })
            .await;
        let fetched = stage.fetch(BODY, &[dp]).await;
        let reason = said(&fetched);
        if announced {
            expect![[r#"
                Invalid: the answer of DP is not understood: content-length: announces 107374182400 bytes instead of 56
            "#]]
            .assert_eq(&reason);
        } else {
            // As many as come at once.
            let is_cut_off = reason.ends_with(" bytes, larger than the 56 bytes allowed\n");
            assert!(reason.starts_with("Corrupt: ") && is_cut_off, "{reason}");
        }
        assert_eq!(stage.waiting(BODY), 0);
        // What the connection keeps in flight, and not more.
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken < 16 << 20, "{taken} bytes were taken");
    }
    assert_eq!(stage.refusals.take_untold().len(), 2);
}

#[tokio::test]
async fn what_is_packed_flooded_or_no_http_at_all_is_not_read() {
    let stage = Stage::new();
    let packed = |_| {
        let answer = Response::builder().header(CONTENT_ENCODING, "gzip");
        answer.body(endless().0).expect("an answer")
    };
    let flooding = |_| {
        let mut answer = Response::builder();
        for number in 0..1_000 {
            answer = answer.header(format!("x-{number}"), "y".repeat(1_000));
        }
        answer.body(Body::from(BODY)).expect("an answer")
    };
    let missing = |_| Response::builder().status(404).body(Body::empty()).expect("an answer");
    let garbage = garbage(&stage).await;
    let good = stage.dp(honest(BODY)).await;
    let points =
        [stage.dp(packed).await, stage.dp(flooding).await, stage.dp(missing).await, garbage, good];
    let fetched = stage.fetch(BODY, &points).await;
    assert!(is_from(&fetched, &points[4]), "{fetched:?}");
    expect![[r#"
        Invalid: the answer of DP is not understood: content-encoding: "gzip" was not asked for
        Unavailable: cannot reach DP: message head is too large
        Unavailable: DP answered 404 instead of the file
        Unavailable: cannot reach DP: invalid HTTP version parsed
    "#]]
    .assert_eq(&said(&fetched));
    assert_eq!(stage.refusals.take_untold().len(), 1);
}

/// A port behind which nobody speaks HTTP.
async fn garbage(stage: &Stage) -> ServerRef {
    use tokio::io::AsyncWriteExt as _;
    let mut listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_address();
    stage.tasks.spawn(async move {
        while let Ok(mut accepted) = listener.accept().await {
            let _ = accepted.stream.write_all(&[b'?'; 100_000]).await;
        }
    });
    point(format!("http://{address}"))
}

#[tokio::test]
async fn a_file_goes_on_at_another_point_also_after_a_restart() {
    let stage = Stage::new();
    // It does not say how much comes, and ends too soon.
    let broken = |_| {
        let some = Ok::<_, std::io::Error>(Bytes::from_static(&BODY[..20]));
        Response::new(Body::from_stream(stream::iter([some])))
    };
    let broken = stage.dp(broken).await;
    let fetched = stage.fetch(BODY, &[broken]).await;
    assert!(matches!(fetched.end, End::Failed(_)), "{fetched:?}");
    assert_eq!(fetched.trouble().map(|(state, _)| state), Some(EnforcementState::DownloadFailed));
    assert_eq!(stage.waiting(BODY), 20);
    assert!(stage.refusals.take_untold().is_empty(), "to break off is not to lie");

    let stage = stage.restart();
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = asked.clone();
    let good = stage
        .dp(move |request: Request| {
            let range = request.headers().get(RANGE).cloned();
            let range = range.map(|range| range.to_str().expect("text").to_owned());
            noted.lock().expect("whole").push(range);
            honest(BODY)(request)
        })
        .await;
    let fetched = stage.fetch(BODY, std::slice::from_ref(&good)).await;
    assert!(is_from(&fetched, &good), "{fetched:?}");
    assert_eq!(*asked.lock().expect("whole"), [Some("bytes=20-".to_owned())]);
    let again = stage.fetch(BODY, &[good]).await;
    assert!(matches!(again.end, End::Here { from: None }), "{again:?}");
}

#[tokio::test]
async fn a_poisoned_start_is_dropped_and_its_maker_is_not_taken_for_another() {
    let stage = Stage::new();
    // Half of it is of somebody else.
    std::fs::write(stage.partial(BODY), b"twenty wrong bytes..").expect("written");
    let good = stage.dp(honest(BODY)).await;
    let fetched = stage.fetch(BODY, std::slice::from_ref(&good)).await;
    assert!(is_from(&fetched, &good), "{fetched:?}");
    assert!(fetched.tried.is_empty() && stage.refusals.take_untold().is_empty());

    // Ranges that lie are left before they poison anything.
    let stage = Stage::new();
    std::fs::write(stage.partial(BODY), &BODY[..20]).expect("written");
    let lies = ["bytes 0-55/56", "bytes 20-55/57", "bytes 21-55/56", "bytes 20-19/56"];
    let mut points = Vec::new();
    for lie in lies {
        let answer = move |_| {
            let answer = Response::builder().status(206).header(CONTENT_RANGE, lie);
            answer.body(endless().0).expect("an answer")
        };
        points.push(stage.dp(answer).await);
    }
    let fetched = stage.fetch(BODY, &points).await;
    assert_eq!((fetched.tried.len(), stage.waiting(BODY)), (4, 20));
    expect![[r#"
        Invalid: the answer of DP is not understood: content-range: is "bytes 0-55/56"; asked for was bytes 20-55/56
    "#]]
    .assert_eq(said(&fetched).split_inclusive('\n').next().expect("a line"));
}

#[tokio::test]
async fn a_full_disk_ends_it_at_once_blames_nobody_and_leaves_nothing() {
    let stage = Stage::new();
    let dp = stage.dp(honest(BODY)).await;
    std::os::unix::fs::symlink("/dev/full", stage.partial(BODY)).expect("links");
    let fetched = stage.fetch(BODY, &[dp.clone(), dp.clone()]).await;
    assert!(fetched.lacks_room(), "{fetched:?}");
    assert_eq!(fetched.trouble(), Some((EnforcementState::DownloadFailed, -2_147_024_784)));
    assert!(fetched.tried.is_empty() && stage.refusals.take_untold().is_empty());
    assert!(std::fs::symlink_metadata(stage.partial(BODY)).is_err());
    // There is room again.
    let fetched = stage.fetch(BODY, std::slice::from_ref(&dp)).await;
    assert!(is_from(&fetched, &dp), "{fetched:?}");
}

#[tokio::test]
async fn many_files_come_a_few_at_a_time() {
    let stage = Stage::new();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (at_once, seen) = (now.clone(), most.clone());
    let bodies: Vec<Vec<u8>> = (0..20_u8).map(|number| vec![number; 100]).collect();
    let served = bodies.clone();
    let dp = stage
        .dp(move |request: Request| {
            let named =
                |body: &&Vec<u8>| request.uri().path().ends_with(&file(body).sha256.to_string());
            let body = served.iter().find(named).expect("known").clone();
            seen.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let at_once = at_once.clone();
            let pieces = stream::once(async move {
                tokio::task::yield_now().await;
                at_once.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, std::io::Error>(Bytes::from(body))
            });
            Response::new(Body::from_stream(pieces))
        })
        .await;
    let wanted = bodies.iter().map(|body| (file(body), vec![Carrier::Point(dp.clone())]));
    let fetched = stage.downloads().fetch_all(wanted.collect()).await;
    assert_eq!(fetched.iter().filter(|fetched| is_from(fetched, &dp)).count(), 20);
    let most = most.load(Ordering::SeqCst);
    assert!((1..=limits::FETCHES_MAX).contains(&most), "{most} at once");
}
