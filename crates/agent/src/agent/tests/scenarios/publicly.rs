//! Content from where its publisher offers it to everybody (DEP-04, DEP-05, DEPX-15).

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode, Uri, header};
use testkit::serving::serve;

use super::*;
use crate::world::FakeDp;

/// A publisher's server, which answers so to each path.
struct Publisher {
    url: String,
    _tasks: JoinSet<()>,
}

type Answer = fn(&str) -> Response<Body>;

fn plain(body: String) -> Response<Body> {
    Response::new(Body::from(body))
}

fn honest(_: &str) -> Response<Body> {
    plain(content(1))
}

/// Of the same size, so that only the digest tells.
fn poisoned(_: &str) -> Response<Body> {
    plain(content(1).replace('1', "2"))
}

fn larger(_: &str) -> Response<Body> {
    plain(content(1) + "#")
}

fn leading_on(path: &str) -> Response<Body> {
    match path {
        "/elsewhere" => honest(path),
        _ => {
            let answer = Response::builder().status(StatusCode::FOUND);
            let answer = answer.header(header::LOCATION, "/elsewhere");
            answer.body(Body::empty()).expect("an answer")
        }
    }
}

fn leading_in_circles(_: &str) -> Response<Body> {
    let answer = Response::builder().status(StatusCode::FOUND).header(header::LOCATION, "/again");
    answer.body(Body::empty()).expect("an answer")
}

impl Scene {
    /// The file of update 1 is offered there, as the update point knows.
    async fn offer(&mut self, answer: Answer) -> Publisher {
        let log = self.world.log.clone();
        let router = Router::new().fallback(async move |uri: Uri| {
            log.say(&format!("the publisher is asked for {}", uri.path()));
            answer(uri.path())
        });
        let (url, tasks) = serve(router, None).await;
        self.world.log.call(&url, "PUBLISHER");
        let digest = self.documents[0].files[0].sha256.expect("named").to_string();
        let urls = vec![format!("{url}/1.sh")];
        self.sup.offers.lock().expect("whole").insert(digest, urls);
        Publisher { url, _tasks: tasks }
    }

    /// Instead of the point that has everything, one that has nothing.
    async fn empty_point(&mut self) -> Arc<FakeDp> {
        self.world.mp.lock().points.clear();
        self.world.add_dp().await
    }

    /// Required after an hour; publishers are asked where no point has its content.
    fn public(&mut self) -> Assignment {
        let mut deployment = self.required(&[1], HOUR_MS);
        deployment.download.microsoft_update = true;
        deployment
    }
}

const CONTENT: &[&str] = &["DP", "publisher", "offers", "the MP is asked", "installer", "report"];

/// DEP-05: nobody outside is asked where no deployment says so.
#[tokio::test]
async fn without_leave_no_publisher_is_asked() {
    let mut scene = Scene::new(&[1]).await;
    let _publisher = scene.offer(honest).await;
    scene.empty_point().await;
    let deployment = scene.required(&[1], HOUR_MS);
    scene.publish(vec![deployment], &[]).await;
    expect![[r#"
        0 report: deployment d unknown
        0 the MP is asked where 1.sh is
        0 DP1 is asked for 1.sh
        0 report: 1 required/downloading; deployment d non_compliant/downloading
        0 report: 1 required/download_failed(404); deployment d non_compliant/download_failed
    "#]]
    .assert_eq(&scene.take_lines(CONTENT));
}

/// DEP-05: a point goes first, and the publisher is asked where none has it; what comes is told
/// and kept in the history with whom it came from.
#[tokio::test]
async fn where_no_point_has_it_the_publisher_is_asked() {
    let mut scene = Scene::new(&[1]).await;
    let publisher = scene.offer(leading_on).await;
    scene.empty_point().await;
    let deployment = scene.public();
    scene.publish(vec![deployment], &[]).await;
    scene.wait(HOUR_MS + 1).await;
    expect![[r#"
        0 report: deployment d unknown
        0 SUP1 is asked who offers 1.sh
        0 the MP is asked where 1.sh is
        0 DP1 is asked for 1.sh
        0 the publisher is asked for /1.sh
        0 the publisher is asked for /elsewhere
        0 report: 1 required/downloading; deployment d non_compliant/downloading
        0 report: 1 required/downloaded; deployment d non_compliant/downloaded
        60 report: 1 required/installing; deployment d non_compliant/installing
        60 report: no news
        60 the installer of 1 runs
        60 report: 1 installed; deployment d compliant/installed
    "#]]
    .assert_eq(&scene.take_lines(CONTENT));
    let store = scene.agent().store.clone();
    let fetched = store.history(History::Kind(EventKind::Fetch), 10).await.expect("readable");
    assert_eq!(fetched[0].text, format!("1.sh, from {}/1.sh", publisher.url));
}

/// DEP-05, BG-02: a point that may be used after half an hour is a point.
#[tokio::test]
async fn a_point_that_has_to_be_waited_for_comes_before_the_publisher() {
    let mut scene = Scene::new(&[1]).await;
    let _publisher = scene.offer(honest).await;
    scene.empty_point().await;
    let far = scene.world.mp.lock().points[0].clone();
    scene.world.mp.lock().waits.insert(far, 30);
    let deployment = scene.public();
    scene.publish(vec![deployment], &[]).await;
    scene.wait(HOUR_MS).await;
    expect![[r#"
        36 DP1 is asked for 1.sh
        36 the publisher is asked for /1.sh
        60 the installer of 1 runs
    "#]]
    .assert_eq(&scene.take_lines(&["DP", "publisher", "installer"]));
}

/// DEP-04: a computer on the internet asks no point, whatever the deployment says.
#[tokio::test]
async fn on_the_internet_content_always_comes_from_its_publisher() {
    let mut scene = Scene::new(&[1, 2]).await;
    let _publisher = scene.offer(honest).await;
    // Nobody offers the second one.
    let deployment = scene.required(&[1, 2], HOUR_MS);
    scene.publish(vec![deployment], &[("internet", "yes")]).await;
    let log = scene.take_lines(CONTENT);
    let mut asked: Vec<&str> = log.lines().filter(|line| line.contains("asked")).collect();
    // Both are fetched at once.
    asked.sort_unstable();
    expect![[r#"
        0 DP1 is asked for 2.sh
        0 SUP1 is asked who offers 1.sh 2.sh
        0 the MP is asked where 2.sh is
        0 the publisher is asked for /1.sh"#]]
    .assert_eq(&asked.join("\n"));
    assert!(log.contains("1 required/downloaded; 2 required/downloaded"), "{log}");
}

/// DEP-04: while nobody says where it is offered, a point is not asked either.
#[tokio::test]
async fn on_the_internet_no_point_takes_the_place_of_a_publisher_that_is_away() {
    let mut scene = Scene::new(&[1]).await;
    let publisher = scene.offer(honest).await;
    drop(publisher);
    let deployment = scene.required(&[1], HOUR_MS);
    scene.publish(vec![deployment], &[("internet", "yes")]).await;
    expect![[r#"
        0 report: deployment d unknown
        0 SUP1 is asked who offers 1.sh
        0 report: 1 required/downloading; deployment d non_compliant/downloading
        0 report: 1 required/download_failed(-2147467259); deployment d non_compliant/download_failed
    "#]].assert_eq(&scene.take_lines(CONTENT));
    let _publisher = scene.offer(honest).await;
    scene.wait(HOUR_MS + 1).await;
    expect![[r#"
        0 the publisher is asked for /1.sh
        60 the installer of 1 runs
    "#]]
    .assert_eq(&scene.take_lines(&["publisher", "installer"]));
}

/// DEPX-15: without a package there is no point at all.
#[tokio::test]
async fn a_deployment_without_a_package_comes_from_publishers() {
    let mut scene = Scene::new(&[1]).await;
    let _publisher = scene.offer(honest).await;
    scene.world.mp.lock().points.clear();
    let mut deployment = scene.public();
    deployment.download.has_packages = false;
    scene.publish(vec![deployment], &[]).await;
    scene.wait(HOUR_MS + 1).await;
    expect![[r#"
        0 the publisher is asked for /1.sh
        60 the installer of 1 runs
    "#]]
    .assert_eq(&scene.take_lines(&["publisher", "installer"]));
}

/// What a publisher gives is believed by policy alone, and who gives something else is told.
#[tokio::test]
async fn a_publisher_that_lies_is_refused_and_told() {
    let mut log = String::new();
    for answer in [poisoned as Answer, larger, leading_in_circles] {
        let mut scene = Scene::new(&[1]).await;
        let _publisher = scene.offer(answer).await;
        scene.empty_point().await;
        let deployment = scene.public();
        scene.publish(vec![deployment], &[]).await;
        log += &scene.take_lines(&["publisher", "installer", "report"]);
        assert_eq!(scene.agent().summary().await.expect("one").refusals.len(), 1);
    }
    expect![[r#"
        0 report: deployment d unknown
        0 the publisher is asked for /1.sh
        0 report: 1 required/downloading; deployment d non_compliant/downloading
        0 report: 1 required/download_failed(-2146889721); deployment d non_compliant/download_failed; PUBLISHER/1.sh is refused
        0 report: deployment d unknown
        0 the publisher is asked for /1.sh
        0 report: 1 required/downloading; deployment d non_compliant/downloading
        0 report: 1 required/download_failed(-2146889721); deployment d non_compliant/download_failed; PUBLISHER/1.sh is refused
        0 report: deployment d unknown
        0 the publisher is asked for /1.sh
        0 the publisher is asked for /again
        0 the publisher is asked for /again
        0 the publisher is asked for /again
        0 the publisher is asked for /again
        0 the publisher is asked for /again
        0 report: 1 required/downloading; deployment d non_compliant/downloading
        0 report: 1 required/download_failed(-2146889721); deployment d non_compliant/download_failed; PUBLISHER/1.sh is refused
    "#]].assert_eq(&log);
}
