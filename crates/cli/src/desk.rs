//! Where commands are carried out: a call of the administration service, and its answer printed.
//!
//! Owns the connection and the one way of calling: methods are found in the descriptors, requests
//! are messages, answers stay dynamic, so that a noun need not know how its answer looks.

mod raw_codec;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ambient::Ambient;
use model::{PeerKind, Timestamp};
use prost::Message;
use prost::bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use rpc::pb::enrolment::RenewRequest;
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Streaming};
use transport::{Connection, Expect, Security, TcpConnect};
use trust::Validity;

use self::raw_codec::RawCodec;
use crate::Outcome;
use crate::arguments::Global;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Format, Part};

const SERVICE: &str = "tierline.admin.v1.AdminService";

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(rpc::DESCRIPTORS).expect("the build compiled the descriptors")
});

#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) ambient: Ambient,
    pub(crate) context: Context,
    pub(crate) server: Option<String>,
    pub(crate) format: Format,
    pub(crate) timeout: Option<Duration>,
}

impl Desk {
    pub(crate) fn new(ambient: Ambient, context: Context, global: &Global) -> Desk {
        let Global { server, output, timeout } = global;
        let (server, format, timeout) = (server.clone(), *output, *timeout);
        Desk { ambient, context, server, format, timeout }
    }

    /// Calls and prints the answer.
    pub(crate) async fn show(&self, method: &str, request: &impl Message) -> Outcome {
        let answer = self.call(method, request).await?;
        self.print(&answer, Part::Whole)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Calls; an answer in several messages is put together.
    pub(crate) async fn call(
        &self,
        method: &str,
        request: &impl Message,
    ) -> Result<Answer, Failure> {
        let (method, mut messages, url) = self.open(method, request).await?;
        let mut answer = Answer::new(method.output());
        while let Some(bytes) = next(&mut messages, &url).await? {
            answer.merge(bytes).map_err(|error| Failure::of(&error, &url, ""))?;
        }
        Ok(answer)
    }

    /// Calls and prints every message of the answer as it comes.
    pub(crate) async fn follow(&self, method: &str, request: &impl Message) -> Outcome {
        let (method, mut messages, url) = self.open(method, request).await?;
        let mut part = Part::First;
        while let Some(bytes) = next(&mut messages, &url).await? {
            let mut answer = Answer::new(method.output());
            answer.merge(bytes).map_err(|error| Failure::of(&error, &url, ""))?;
            self.print(&answer, part)?;
            part = Part::More;
        }
        Ok(ExitCode::SUCCESS)
    }

    pub(crate) fn print(&self, answer: &Answer, part: Part) -> Result<(), Failure> {
        let text = output::render(&answer.0, self.format, part);
        let written = std::io::stdout().write_all(text.as_bytes());
        written.map_err(|error| Failure::new(error.to_string(), "standard output", ""))
    }

    async fn open(
        &self,
        method: &str,
        request: &impl Message,
    ) -> Result<(MethodDescriptor, Streaming<Bytes>, String), Failure> {
        let service = POOL.get_service_by_name(SERVICE);
        let found = service.and_then(|service| service.methods().find(|m| m.name() == method));
        let unknown = || Failure::new(format!("there is no {method}"), SERVICE, "");
        let descriptor = found.ok_or_else(unknown)?;
        let (channel, url) = self.connect().await?;
        let path = format!("/{SERVICE}/{method}");
        let path = PathAndQuery::from_maybe_shared(path).expect("names of methods are paths");
        let mut grpc = Grpc::new(channel).max_decoding_message_size(rpc::limits::MESSAGE_BYTES_MAX);
        let ready = grpc.ready().await;
        ready.map_err(|error| Failure::of(&error, &url, "see whether the server runs"))?;
        let request = Request::new(request.encode_to_vec());
        let answered = grpc.server_streaming(request, path, RawCodec).await;
        let answered = answered.map_err(|status| Failure::refused(&status, &url))?;
        Ok((descriptor, answered.into_inner(), url))
    }

    /// The server that was logged in to must be the one that answers; one that is named may be any
    /// site server of the hierarchy.
    async fn connect(&self) -> Result<(Channel, String), Failure> {
        let credentials = self.context.credentials(&self.ambient)?;
        let (url, security) = match &self.server {
            Some(url) => (url.clone(), Security::AnySite { credentials }),
            None => {
                let server = self.context.server()?;
                let expect = Expect { kind: PeerKind::Site, site: server.site, id: None };
                (server.url, Security::Mutual { credentials, expect })
            }
        };
        let connection = Connection::new(Arc::new(TcpConnect), &url, security)
            .map_err(|error| Failure::of(&error, &url, "write it as https://HOST:7440"))?;
        if self.server.is_none() {
            self.renew(&connection).await?;
        }
        Ok((connection.channel(), url))
    }

    /// Renews the certificate once half of its life is over, at the site that issued it. There is
    /// half a life left, so that a failure can wait.
    async fn renew(&self, connection: &Connection) -> Result<(), Failure> {
        let chain = self.context.chain()?;
        let due = Validity::of(&chain[0]).map(|validity| validity.renew_at());
        if due.is_ok_and(|due| Timestamp(self.ambient.now_ms()) < due) {
            return Ok(());
        }
        let Ok(csr) = self.context.key()?.request() else { return Ok(()) };
        let request = RenewRequest { csr, names: Vec::new(), on_behalf_of: None };
        let mut client = EnrolmentServiceClient::new(connection.channel());
        if let Ok(answer) = client.renew(request).await {
            let chain: Vec<_> = answer.into_inner().chain.into_iter().map(Into::into).collect();
            self.context.write_chain(&chain)?;
        }
        Ok(())
    }
}

async fn next(messages: &mut Streaming<Bytes>, url: &str) -> Result<Option<Bytes>, Failure> {
    messages.message().await.map_err(|status| Failure::refused(&status, url))
}

/// An answer, known by its descriptor.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) DynamicMessage);

impl Answer {
    pub(crate) fn new(descriptor: MessageDescriptor) -> Answer {
        Answer(DynamicMessage::new(descriptor))
    }

    /// Adds a message: its rows come after those already here.
    pub(crate) fn merge(&mut self, bytes: Bytes) -> Result<(), prost::DecodeError> {
        self.0.merge(bytes)
    }

    /// The answer as a value, for a command that has to understand it.
    pub(crate) fn read<M: prost::Message + Default>(&self) -> M {
        M::decode(self.0.encode_to_vec().as_slice()).unwrap_or_default()
    }
}
