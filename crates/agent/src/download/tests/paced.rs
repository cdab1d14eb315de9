//! How fast is read, in a time that only passes while everybody waits.

use std::time::Duration;

use ambient::Clock;
use axum::response::IntoResponse as _;
use client::throttle::Throttle;
use http::StatusCode;
use model::ClientOptions;
use recurrence::Zone;
use tokio::time::Instant;
use transport::memory;

use super::*;

/// Wall time that goes with the runtime's own.
#[derive(Debug)]
struct Virtual(Instant);

impl Clock for Virtual {
    fn now_ms(&self) -> i64 {
        1_795_168_800_000 + i64::try_from(self.0.elapsed().as_millis()).expect("short")
    }
}

/// A point in memory that answers with these pieces.
fn stage<S>(pieces: impl Fn() -> S + Clone + Send + Sync + 'static) -> (Stage, ServerRef)
where
    S: futures_util::Stream<Item = Bytes> + Send + 'static,
{
    let answer =
        move |_: Request| Response::new(Body::from_stream(pieces().map(Ok::<_, std::io::Error>)));
    (answering(answer), point("http://dp".to_owned()))
}

/// Points in memory, which answer every request so.
fn answering(answer: impl Fn(Request) -> Response + Clone + Send + Sync + 'static) -> Stage {
    let clock = Arc::new(Virtual(Instant::now()));
    let ambient = Ambient::new(clock, Arc::new(SeededEntropy::new(1)));
    let kind = PeerKind::Role(RoleKind::DistributionPoint);
    let hierarchy = model::HierarchyId(uuid::Uuid::from_u128(7));
    let identity = PeerIdentity { hierarchy, site: site(), kind, id: "dp".to_owned() };
    let (listener, connector) = memory(identity);
    let stage = Stage::with(ambient, Arc::new(connector));
    let answer = async move |request: Request| answer(request);
    stage.serve(listener, Router::new().fallback(answer));
    stage
}

fn throttle(kbps: &str) -> Option<Throttle> {
    let said = [("throttle.enabled", "yes"), ("throttle.inside", kbps), ("throttle.to", "09:00")];
    let values = said.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Throttle::of(&ClientOptions { values })
}

#[tokio::test(start_paused = true)]
async fn a_throttled_file_takes_as_long_as_its_size_says() {
    static LARGE: [u8; 1_000_000] = [7; 1_000_000];
    let (stage, dp) = stage(|| stream::iter(LARGE.chunks(10_000).map(Bytes::from_static)));
    let begun = Instant::now();
    stage.servers.pace.follow(throttle("800"), &Zone::utc());
    let fetched = stage.fetch(&LARGE, std::slice::from_ref(&dp)).await;
    assert!(is_from(&fetched, &dp), "{fetched:?}");
    // 100,000 bytes a second.
    let took = begun.elapsed();
    assert!((Duration::from_millis(9_900)..Duration::from_secs(11)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_drips_or_is_silent_is_left() {
    let drip = || {
        stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Bytes::from_static(b"x"), ()))
        })
    };
    static LARGE: [u8; 1_000_000] = [b'x'; 1_000_000];
    let (dripping, dp) = stage(drip);
    let begun = Instant::now();
    let fetched = dripping.fetch(&LARGE, &[dp]).await;
    expect!["Unavailable: DP sent less than 16384 bytes in 60s\n"].assert_eq(&said(&fetched));
    let took = begun.elapsed();
    assert!((60..63).contains(&took.as_secs()), "{took:?}");
    // What came is no lie, and is gone on with.
    assert!((58..62).contains(&dripping.waiting(&LARGE)));

    let (silent, dp) = stage(stream::pending);
    let fetched = silent.fetch(&LARGE, &[dp]).await;
    expect!["Unavailable: DP did not answer within 60s\n"].assert_eq(&said(&fetched));
}

/// Symptom: a source that sent 300 bytes a second was read from for weeks, and others that had the
/// file were not asked. Cause: only what hardly sends was left. Repair: what is slow is left for
/// others, and gone back to once none of them gave the file.
#[tokio::test(start_paused = true)]
async fn a_slow_source_waits_for_its_turn_behind_the_others() {
    static LARGE: [u8; 1_000_000] = [b'x'; 1_000_000];
    let answer = |request: Request| {
        let host = request.headers()["host"].to_str().expect("text");
        if host == "away" {
            return StatusCode::NOT_FOUND.into_response();
        }
        let seconds = if host == "slow" { 1 } else { 0 };
        let pieces = LARGE.chunks(1_000).map(Bytes::from_static);
        let paced = stream::unfold(pieces, move |mut pieces| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Some((Ok::<_, std::io::Error>(pieces.next()?), pieces))
        });
        Response::new(Body::from_stream(paced))
    };
    let [slow, good, away] = ["slow", "good", "away"].map(|name| point(format!("http://{name}")));
    let took = async |points: &[&ServerRef]| {
        let (stage, begun) = (answering(answer), Instant::now());
        let points: Vec<ServerRef> = points.iter().copied().cloned().collect();
        let fetched = stage.fetch(&LARGE, &points).await;
        let End::Here { from: Some(from) } = &fetched.end else { panic!("{fetched:?}") };
        format!("{from} after {} s\n{}", begun.elapsed().as_secs(), said(&fetched))
    };
    let outcomes = [
        took(&[&slow]).await,
        took(&[&slow, &good]).await,
        // It may begin anew, which these do.
        took(&[&slow, &away]).await,
        took(&[&away, &slow]).await,
    ];
    expect![[r#"
        http://slow after 1001 s

        http://good after 300 s
        Unavailable: DP sent less than 1048576 bytes in 300s, and others may have the file

        http://slow after 1301 s
        Unavailable: DP sent less than 1048576 bytes in 300s, and others may have the file
        Unavailable: DP answered 404 instead of the file

        http://slow after 1001 s
        Unavailable: DP answered 404 instead of the file
    "#]]
    .assert_eq(&outcomes.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_not_waited_for() {
    static LARGE: [u8; 1_000_000] = [7; 1_000_000];
    let (stage, dp) = stage(|| stream::iter(LARGE.chunks(10_000).map(Bytes::from_static)));
    stage.servers.pace.follow(throttle("1"), &Zone::utc());
    let stop = async {
        tokio::time::sleep(Duration::from_secs(100)).await;
        stage.servers.stop.cancel();
    };
    let begun = Instant::now();
    let points = [dp];
    let (fetched, ()) = tokio::join!(stage.fetch(&LARGE, &points), stop);
    assert!(matches!(fetched.end, End::Stopped), "{fetched:?}");
    assert_eq!(begun.elapsed().as_secs(), 100);
    assert!(stage.waiting(&LARGE) > 0, "what came is kept");
}
