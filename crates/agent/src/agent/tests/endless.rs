//! Software update points whose catalogs do not end, and what becomes of the agents that follow
//! them: installations, deadlines and restarts share a lane with scans.

use std::pin::Pin;
use std::sync::Mutex;

use ambient::ManualClock;
use futures_util::{Stream, StreamExt as _, stream};
use rpc::pb::metadata::metadata_service_server::{MetadataService, MetadataServiceServer};
use rpc::pb::metadata::{
    Document as WireDocument, FindFilesRequest, FindFilesResponse, FollowDocumentsRequest,
    FollowDocumentsResponse,
};
use tonic::{Request, Response, Status};

use super::*;
use crate::store::Wanted;

/// It says no more than that: an agent that believes it is held for all of them.
const PAGES: u64 = 2_000;

/// Turns of the runtime in which an agent reads and stores a page.
const TURNS: usize = 200;

struct Endless {
    clock: Arc<ManualClock>,
    /// What it sends as its page of this number, and how long it takes.
    page: fn(u64) -> (FollowDocumentsResponse, i64),
    sent: Arc<Mutex<u64>>,
}

type Pages = Pin<Box<dyn Stream<Item = Result<FollowDocumentsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl MetadataService for Endless {
    type FollowDocumentsStream = Pages;

    async fn follow_documents(
        &self,
        _: Request<FollowDocumentsRequest>,
    ) -> Result<Response<Pages>, Status> {
        let (clock, make, sent) = (self.clock.clone(), self.page, self.sent.clone());
        let pages = stream::iter(1..=PAGES).then(move |number| {
            let (clock, sent) = (clock.clone(), sent.clone());
            async move {
                // So that whoever follows has taken in the page before.
                for _ in 0..TURNS {
                    tokio::task::yield_now().await;
                }
                let (page, takes_ms) = make(number);
                clock.advance_ms(takes_ms);
                *sent.lock().expect("whole") += 1;
                let server_id = 0xe7_u128.to_be_bytes().to_vec();
                Ok(FollowDocumentsResponse { server_id, ..page })
            }
        });
        Ok(Response::new(Box::pin(pages)))
    }

    async fn find_files(
        &self,
        _: Request<FindFilesRequest>,
    ) -> Result<Response<FindFilesResponse>, Status> {
        Ok(Response::new(FindFilesResponse::default()))
    }
}

fn page(number: u64, padding: usize) -> FollowDocumentsResponse {
    let mut document = software(u128::from(number) + 1_000);
    document.texts[0].description = "x".repeat(padding);
    let (id, revision) = (document.update.id.as_bytes().to_vec(), document.update.revision);
    let documents = vec![WireDocument { id, revision, xml: document.to_xml() }];
    FollowDocumentsResponse { anchor: number, documents, ..Default::default() }
}

/// Symptom: an update point that sent a page every 59 seconds, or pages without anything, held the
/// agent's lane for ever: no installation, no deadline, no restart, no other update point. Cause:
/// only silence between two pages was bounded. Repair: a least flow, a whole time, and each page
/// has to lead on.
#[tokio::test]
async fn an_update_point_without_end_is_left_and_the_lane_is_free_again() {
    for (page, most, reason) in [
        ((|number| (page(number, 10), 59_000)) as fn(u64) -> _, 20, "sent less than 16384 bytes"),
        (|number| (page(number, 20_000), 59_000), 80, "did not end within 3600s"),
        (|_| (FollowDocumentsResponse::default(), 0), 20, "does not lead on"),
    ] {
        let mut world = World::new().await;
        let documents = [world.script_update(1)];
        world.add_sup(&documents).await;
        world.add_dp().await.put(SCRIPT, SCRIPT);
        let mut agent = world.agent(world.machine()).await;
        world.assign(1, &documents, NOW.plus_ms(24 * HOUR_MS));
        agent.step().await.expect("a pass");

        let sent = Arc::new(Mutex::new(0));
        let hostile = Endless { clock: world.clock.clone(), page, sent: sent.clone() };
        let router = tonic::service::Routes::new(MetadataServiceServer::new(hostile));
        world.servers.retain(|server| server.kind != model::RoleKind::SoftwareUpdatePoint);
        world.serve(model::RoleKind::SoftwareUpdatePoint, router.into_axum_router()).await;
        world.assign(2, &documents, NOW.plus_ms(HOUR_MS));
        assert_eq!(agent.woken().await.installed, 0, "it knows of the other one now");
        world.clock.advance_ms(HOUR_MS);
        let step = agent.woken().await;
        assert_eq!((step.installed, world.script_runs()), (1, 1), "{reason}");
        let sent = *sent.lock().expect("whole");
        assert!(sent < most, "it sent {sent} pages");
        let scans = Wanted::Kind(client::EventKind::Scan);
        let scans = agent.store.history(scans, 100).await.expect("is read");
        assert!(scans.iter().any(|event| event.text.contains(reason)), "{scans:?}");
    }
}

/// Documents of a server must not take the last of the disk.
#[tokio::test]
async fn documents_leave_a_part_of_the_disk_free() {
    let mut world = World::new().await;
    let documents = [software(1)];
    world.add_sup(&documents).await;
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW);
    Arc::get_mut(&mut agent.hands).expect("nothing runs").cache.reserve = u64::MAX;
    assert!(!agent.step().await.expect("a pass").scanned);
    let error = agent.summary().await.expect("one").scan_error.expect("a reason");
    assert!(error.contains("cannot keep documents in"), "{error}");
    assert!(error.contains("bytes of the disk are free"), "{error}");
    Arc::get_mut(&mut agent.hands).expect("nothing runs").cache.reserve = 0;
    assert!(agent.woken().await.scanned);
}
