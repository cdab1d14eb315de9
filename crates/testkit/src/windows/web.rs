//! HTTP as the native client speaks it.
//!
//! Owns headers, compression and ranges. Connections are kept open and used again. Refuses to know
//! what is asked.

use axum::body::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use wsus_protocol::{Error as WireError, Message, decode, encode, xpress};

use super::Error;

/// More than any message or piece of a file has.
const ANSWER_BYTES_MAX: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Web {
    client: Client<HttpConnector, Full<Bytes>>,
    /// Without a slash at its end.
    base: String,
}

impl Web {
    pub(super) fn new(url: &str) -> Web {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Web { client, base: url.trim_end_matches('/').to_owned() }
    }

    /// An operation's answer, and its bytes as text. `path` as the server says it, or the one that
    /// every server has.
    pub(super) async fn ask<Q: Message, A: Message>(
        &self,
        request: &Q,
        path: Option<&str>,
    ) -> Result<(A, usize), Error> {
        let path = path.unwrap_or(Q::OPERATION.path()).trim_start_matches('/');
        let url = format!("{}/{path}", self.base);
        let request = Request::post(&url)
            .header("SOAPAction", Q::OPERATION.soap_action())
            .header(header::CONTENT_TYPE, "text/xml; charset=utf-8")
            .header(header::ACCEPT_ENCODING, "xpress")
            .header(
                header::USER_AGENT,
                "Windows-Update-Agent/1507.2601.30012.0 Client-Protocol/2.90",
            )
            .body(Full::from(encode(request)));
        let (head, mut body) = self.send(&url, request).await?;
        let operation = Q::OPERATION.name;
        if head.headers().get(header::CONTENT_ENCODING).is_some_and(|value| value == "xpress") {
            let unpacked = xpress::decompress(&body, ANSWER_BYTES_MAX);
            body = unpacked.map_err(|source| Error::Answer { operation, source })?.into();
        }
        match decode(&*body) {
            Ok(answer) => Ok((answer, body.len())),
            Err(WireError::Fault(fault)) => {
                Err(Error::Refused { operation, code: fault.code, message: fault.message })
            }
            Err(_) if !head.status().is_success() => {
                Err(Error::Http { url, reason: head.status().to_string() })
            }
            Err(source) => Err(Error::Answer { operation, source }),
        }
    }

    /// The bytes from `first` to `last`, both included, of a file of `size` bytes.
    pub(super) async fn range(
        &self,
        url: &str,
        (first, last): (u64, u64),
        size: u64,
    ) -> Result<Bytes, Error> {
        let request = Request::get(url)
            .header(header::RANGE, format!("bytes={first}-{last}"))
            .header(header::USER_AGENT, "Microsoft-Delivery-Optimization/10.1")
            .body(Full::default());
        let (head, body) = self.send(url, request).await?;
        let said = head.headers().get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok());
        let expected = format!("bytes {first}-{last}/{size}");
        let reason = match (head.status(), said) {
            (StatusCode::PARTIAL_CONTENT, Some(range)) if range == expected => {
                let is_whole = body.len() as u64 == last - first + 1;
                (!is_whole).then(|| "a range is cut short".to_owned())
            }
            (status, range) => Some(format!("{status}, range {range:?} instead of {expected}")),
        };
        match reason {
            None => Ok(body),
            Some(reason) => Err(Error::Http { url: url.to_owned(), reason }),
        }
    }

    async fn send(
        &self,
        url: &str,
        request: http::Result<Request<Full<Bytes>>>,
    ) -> Result<(Response<()>, Bytes), Error> {
        let failed = |reason: String| Error::Http { url: url.to_owned(), reason };
        let request = request.map_err(|error| failed(error.to_string()))?;
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| failed(model::error_chain(&error)))?;
        let (head, body) = answer.into_parts();
        let body = http_body_util::Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| failed(error.to_string()))?.to_bytes();
        Ok((Response::from_parts(head, ()), body))
    }
}
