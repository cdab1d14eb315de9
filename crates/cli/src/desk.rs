//! Where commands are carried out: a call of the administration service, and its answer printed.
//!
//! Owns the connection and the one way of calling: a method is found in the descriptors by its
//! request, and answers stay dynamic, so that a noun need not know how its answer looks.

mod raw_codec;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use ambient::Ambient;
use model::{PeerKind, Timestamp};
use prost::bytes::Bytes;
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use rpc::pb::enrolment::RenewRequest;
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use serde_json::json;
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

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(rpc::DESCRIPTORS).expect("the build compiled the descriptors")
});

#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) ambient: Ambient,
    pub(crate) context: Context,
    pub(crate) global: Global,
}

impl Desk {
    /// Calls and prints the answer.
    pub(crate) async fn show(&self, request: impl Name) -> Outcome {
        let answer = self.call(&request).await?;
        self.print(&answer, Part::Whole)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Calls; an answer in several messages is put together.
    pub(crate) async fn call(&self, request: &impl Name) -> Result<Answer, Failure> {
        let mut messages = self.open(request).await?;
        let mut answer = messages.empty();
        while messages.take(&mut answer).await? {}
        Ok(answer)
    }

    /// Calls and prints every message of the answer as it comes.
    pub(crate) async fn follow(&self, request: impl Name) -> Outcome {
        let mut messages = self.open(&request).await?;
        let (mut part, mut answer) = (Part::First, messages.empty());
        while messages.take(&mut answer).await? {
            self.print(&answer, part)?;
            (part, answer) = (Part::More, messages.empty());
        }
        Ok(ExitCode::SUCCESS)
    }

    pub(crate) fn print(&self, answer: &Answer, part: Part) -> Result<(), Failure> {
        write(&answer.render(self.global.output, part))
    }

    /// How far something is: a line for people, an event for programs.
    pub(crate) fn tell(&self, text: &str) -> Result<(), Failure> {
        match self.global.output {
            Format::Json => write(&format!("{}\n", json!({ "event": "progress", "text": text }))),
            Format::Table | Format::Csv => {
                eprintln!("{text}");
                Ok(())
            }
        }
    }

    async fn open<M: Name>(&self, request: &M) -> Result<Messages, Failure> {
        let mut methods = POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let method = methods.find(|method| method.input().full_name() == M::full_name());
        let method = method.expect("a request is sent that is the input of a method");
        let (channel, url) = self.connect().await?;
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let path = PathAndQuery::from_maybe_shared(path).expect("names of methods are paths");
        let mut grpc = Grpc::new(channel).max_decoding_message_size(rpc::limits::MESSAGE_BYTES_MAX);
        let ready = grpc.ready().await;
        ready.map_err(|error| Failure::of(&error, &url, "see whether the server runs"))?;
        let request = Request::new(request.encode_to_vec());
        let answered = grpc.server_streaming(request, path, RawCodec).await;
        let answered = answered.map_err(|status| Failure::refused(&status, &url))?;
        Ok(Messages { kind: method.output(), stream: answered.into_inner(), url })
    }

    /// The server that was logged in to must be the one that answers; one that is named may be any
    /// site server of the hierarchy.
    async fn connect(&self) -> Result<(Channel, String), Failure> {
        let credentials = self.context.credentials(&self.ambient)?;
        let (url, security) = match &self.global.server {
            Some(url) => (url.clone(), Security::AnySite { credentials }),
            None => {
                let server = self.context.server()?;
                let expect = Expect { kind: PeerKind::Site, site: server.site, id: None };
                (server.url, Security::Mutual { credentials, expect })
            }
        };
        let connection = connection(&url, security)?;
        if self.global.server.is_none() {
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

pub(crate) fn write(text: &str) -> Result<(), Failure> {
    let written = std::io::stdout().write_all(text.as_bytes());
    written.map_err(|error| Failure::new(error.to_string(), "standard output", ""))
}

pub(crate) fn connection(url: &str, security: Security) -> Result<Connection, Failure> {
    Connection::new(Arc::new(TcpConnect), url, security)
        .map_err(|error| Failure::of(&error, url, "write it as https://HOST:7440"))
}

/// The messages of an answer, as they come.
struct Messages {
    kind: MessageDescriptor,
    stream: Streaming<Bytes>,
    url: String,
}

impl Messages {
    fn empty(&self) -> Answer {
        Answer(DynamicMessage::new(self.kind.clone()))
    }

    /// Adds the next message to `answer`: its rows come after those already there. False at the
    /// end.
    async fn take(&mut self, answer: &mut Answer) -> Result<bool, Failure> {
        let refused = |status| Failure::refused(&status, &self.url);
        let Some(bytes) = self.stream.message().await.map_err(refused)? else { return Ok(false) };
        answer.0.merge(bytes).map_err(|error| Failure::of(&error, &self.url, ""))?;
        Ok(true)
    }
}

/// An answer, known by its descriptor.
#[derive(Debug)]
pub(crate) struct Answer(DynamicMessage);

impl Answer {
    /// What a command itself found out from several answers.
    pub(crate) fn of<M: Name>(message: &M) -> Answer {
        let kind = POOL.get_message_by_name(&M::full_name());
        let kind = kind.expect("the build compiled the descriptors");
        let bytes = message.encode_to_vec();
        let decoded = DynamicMessage::decode(kind, bytes.as_slice());
        Answer(decoded.expect("it was encoded by the same descriptors"))
    }

    /// The answer as a value, for a command that has to understand it.
    pub(crate) fn read<M: Message + Default>(&self) -> M {
        M::decode(self.0.encode_to_vec().as_slice()).unwrap_or_default()
    }

    /// For people and programs who do not read bytes.
    pub(crate) fn without(mut self, field: &str) -> Answer {
        self.0.clear_field_by_name(field);
        self
    }

    pub(crate) fn render(&self, format: Format, part: Part) -> String {
        output::render(&self.0, format, part)
    }
}
