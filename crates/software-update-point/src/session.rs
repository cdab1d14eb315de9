//! The session with the site server: its orders, one at a time.
//!
//! Owns the conversation: who we are, orders and their answers, cancelling, dialing again with
//! back-off. An order that is running when the session ends is dropped; what it committed stays,
//! and the site gives it again. Refuses to know why the site orders something. An order that
//! fails is answered with the reason and whether trying again may help.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::pin::Pin;

use catalog_bundle::limits::BUNDLE_BYTES_MAX;
use model::{Sha256, error_chain};
use rpc::limits::MESSAGE_BYTES_MAX;
use rpc::pb::update_point::session_request::Frame as Answer;
use rpc::pb::update_point::session_response::Frame as Order;
use rpc::pb::update_point::update_point_service_client::UpdatePointServiceClient;
use rpc::pb::update_point::{Failure, Import, Ready, SessionRequest, SessionResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use transport::{Backoff, Connection};

use crate::import::Warrant;
use crate::point::Point;
use crate::replica::Mode;
use crate::work::Work;
use crate::{Error, limits};

/// Keeps a session open until `shutdown`.
pub(crate) async fn run(
    point: &Point,
    site: &Connection,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    let mut backoff = Backoff::new(limits::REDIAL_MIN, limits::REDIAL_MAX, 50)?;
    loop {
        let (frames, receiver) = mpsc::channel(limits::FRAMES_WAITING);
        let answers = Answers::new(frames);
        let talk = async {
            answers.send(Answer::Ready(point.ready().await?)).await;
            let client = UpdatePointServiceClient::new(site.channel());
            let mut client = client.max_decoding_message_size(MESSAGE_BYTES_MAX);
            let orders = client.session(ReceiverStream::new(receiver)).await;
            let orders = orders.map_err(|status| Error::Site(Box::new(status)))?.into_inner();
            backoff.reset();
            tracing::info!(site = site.url(), "the session with the site server is open");
            Conversation { point, site, answers, running: None, upload: None, broken: None }
                .hold(orders)
                .await
        };
        match shutdown.run_until_cancelled(talk).await {
            None => return Ok(()),
            Some(Ok(())) => tracing::info!("the site server ended the session"),
            Some(Err(error)) => {
                tracing::info!(error = %error_chain(&error), "there is no session with the site");
            }
        }
        let wait = tokio::time::sleep(backoff.wait(&point.ambient));
        if shutdown.run_until_cancelled(wait).await.is_none() {
            return Ok(());
        }
    }
}

/// The way to the site server.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    frames: mpsc::Sender<SessionRequest>,
}

impl Answers {
    pub(crate) fn new(frames: mpsc::Sender<SessionRequest>) -> Answers {
        Answers { frames }
    }

    /// Nothing is lost if the session is over: the site gives its orders again.
    pub(crate) async fn send(&self, frame: Answer) {
        let _ = self.frames.send(SessionRequest { frame: Some(frame) }).await;
    }

    /// For news that the next one replaces.
    pub(crate) fn send_if_idle(&self, frame: Answer) {
        let _ = self.frames.try_send(SessionRequest { frame: Some(frame) });
    }

    async fn fail(&self, order: u64, error: &Error) {
        let (reason, transient) = (error_chain(error), error.is_transient());
        tracing::warn!(order, error = %reason, "an order of the site server failed");
        self.send(Answer::Failure(Failure { order, reason, transient })).await;
    }

    async fn refuse(&self, order: u64, reason: String) {
        self.send(Answer::Failure(Failure { order, reason, transient: false })).await;
    }
}

struct Conversation<'a> {
    point: &'a Point,
    site: &'a Connection,
    answers: Answers,
    running: Option<Running<'a>>,
    upload: Option<Upload>,
    /// The order of a catalog file of which a part was refused.
    broken: Option<u64>,
}

/// A catalog file that arrives in parts.
struct Upload {
    order: u64,
    bytes: u64,
    file: Work,
}

struct Running<'a> {
    order: u64,
    job: Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
}

impl<'a> Conversation<'a> {
    async fn hold(mut self, mut orders: Streaming<SessionResponse>) -> Result<(), Error> {
        loop {
            let running = async {
                match &mut self.running {
                    Some(running) => running.job.as_mut().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = running => self.running = None,
                order = orders.message() => {
                    let order = order.map_err(|status| Error::Site(Box::new(status)))?;
                    let Some(SessionResponse { frame: Some(frame) }) = order else { return Ok(()) };
                    self.take(frame).await;
                }
            }
        }
    }

    async fn take(&mut self, frame: Order) {
        let order = number(&frame);
        let running = self.running.as_ref().map(|running| running.order);
        match (frame, running) {
            (Order::Cancel(_), Some(running)) if running == order => {
                self.running = None;
                self.answers.refuse(order, "the order was cancelled".to_owned()).await;
            }
            // It ended before the cancellation came.
            (Order::Cancel(_), _) => {
                self.upload.take_if(|upload| upload.order == order);
            }
            (frame, Some(running)) => {
                // What comes after the part that is refused is no whole file.
                if let Order::Import(_) = frame {
                    self.broken = Some(order);
                }
                self.answers.refuse(order, format!("order {running} is still running")).await;
            }
            (Order::Import(part), None) => match self.gather(part) {
                Ok(Some((name, path, warrant))) => {
                    self.start(order, self.point.import(order, (name, path), warrant));
                }
                Ok(None) => {}
                Err(error) => self.answers.fail(order, &error).await,
            },
            (frame, None) => {
                let (point, site, answers) = (self.point, self.site, self.answers.clone());
                self.start(order, async move { point.perform(frame, site, &answers).await });
            }
        }
    }

    fn start(&mut self, order: u64, work: impl Future<Output = Result<Answer, Error>> + Send + 'a) {
        let answers = self.answers.clone();
        let job = async move {
            match work.await {
                Ok(answer) => answers.send(answer).await,
                Err(error) => answers.fail(order, &error).await,
            }
        };
        self.running = Some(Running { order, job: Box::pin(job) });
    }

    /// Keeps a part; after the last one, names the whole file and where it lies.
    fn gather(&mut self, part: Import) -> Result<Option<(String, Work, Warrant)>, Error> {
        let Import { order, name, data, last, manifest, unsigned: is_unsigned } = part;
        let manifest = match manifest.as_slice() {
            [] => None,
            digest => Some(Sha256::from_slice(digest)?),
        };
        if self.broken == Some(order) {
            let reason = "a part of it came while another order was running".to_owned();
            return Err(Error::Archive { name, reason });
        }
        let before = self.upload.take().filter(|upload| upload.order == order);
        let is_first = before.is_none();
        let file = || self.point.work(&format!("upload-{order}"));
        let mut upload = before.unwrap_or_else(|| Upload { order, bytes: 0, file: file() });
        upload.bytes += data.len() as u64;
        if upload.bytes > BUNDLE_BYTES_MAX {
            let reason = format!("it is larger than {BUNDLE_BYTES_MAX} bytes");
            return Err(Error::Archive { name, reason });
        }
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(is_first).append(!is_first);
        let written = options.open(&upload.file).and_then(|mut file| file.write_all(&data));
        written.map_err(Error::files("write", &upload.file))?;
        if last {
            return Ok(Some((name, upload.file, Warrant { manifest, is_unsigned })));
        }
        self.upload = Some(upload);
        Ok(None)
    }
}

fn number(frame: &Order) -> u64 {
    match frame {
        Order::Synchronize(order) => order.order,
        Order::Cancel(order) => order.order,
        Order::GetChanges(order) => order.order,
        Order::CompleteVersion(order) => order.order,
        Order::FetchFiles(order) => order.order,
        Order::Import(order) => order.order,
        Order::SetRulings(order) => order.order,
        Order::Export(order) => order.order,
        Order::Publish(order) => order.order,
        Order::RefreshCatalog(order) => order.order,
        Order::PublishContent(order) => order.order,
    }
}

impl Point {
    async fn ready(&self) -> Result<Ready, Error> {
        let version = self.catalog.state().await?.version.map_or(0, |(v, _)| v.version);
        let replica = self.config.following.mode == Mode::Replica;
        Ok(Ready { server_id: self.server_id.as_bytes().to_vec(), version, replica })
    }
}
