//! One question over HTTP/1.1, and its answer in frames.
//!
//! Owns how much of a head is read. Refuses to know whether it runs in a process of its own. What
//! a source does wrong is said in a frame; an error is that nobody listens any more.

use std::io;

use bytes::{Bytes, BytesMut};
use content_library::ask_from;
use futures_util::FutureExt as _;
use http::header::{ACCEPT_ENCODING, HOST, USER_AGENT};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use super::frames::{PIECE_BYTES_MAX, read_order};
use super::{Frame, Order};
use crate::download::begins_at;

/// Of the head of an answer, and of a body that nobody has taken yet. Heads of ours have some
/// hundred bytes; those of others some thousand.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// Lines of a head.
const HEADERS_MAX: usize = 100;

/// Takes an order from the other end of a connection, carries it out over the rest of it, and says
/// what came.
pub(crate) async fn speak<C, F>(mut connection: C, frames: &mut F) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    F: AsyncWrite + Unpin,
{
    let order = read_order(&mut connection).await?;
    let mut driver = JoinSet::new();
    match ask(connection, &order, &mut driver).await {
        Ok(answer) => match begins_at(&answer, order.offset, order.size) {
            Ok(start) => {
                Frame::Begins(start).write(frames).await?;
                hand_on(answer.into_body(), frames).await
            }
            Err(unfit) => Frame::Unfit(unfit).write(frames).await,
        },
        Err(reason) => Frame::Broken(reason).write(frames).await,
    }
}

/// The answer, whose connection lives as long as `driver`.
async fn ask<C>(
    connection: C,
    order: &Order,
    driver: &mut JoinSet<()>,
) -> Result<Response<Incoming>, String>
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let request = request(order).map_err(|error| error.to_string())?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(BUFFER_BYTES_MAX).max_headers(HEADERS_MAX);
    let shaken = builder.handshake(TokioIo::new(connection)).await;
    let (mut sender, connection) = shaken.map_err(|error| explain(&error))?;
    // How the connection ends shows in the answer or in its body.
    driver.spawn(async move { drop(connection.await) });
    sender.send_request(request).await.map_err(|error| explain(&error))
}

fn request(order: &Order) -> Result<Request<Empty<Bytes>>, http::Error> {
    ask_from(&order.path, order.offset)
        .header(HOST, &order.host)
        .header(ACCEPT_ENCODING, "identity")
        .header(USER_AGENT, concat!("Tierline-Agent/", env!("CARGO_PKG_VERSION")))
        .body(Empty::new())
}

async fn hand_on(mut body: Incoming, frames: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut gathered = BytesMut::new();
    loop {
        let ready = body.frame().now_or_never();
        // A piece for each byte of a source would cost the agent more than the source.
        if ready.is_none() || gathered.len() >= PIECE_BYTES_MAX {
            flush(&mut gathered, frames).await?;
        }
        let frame = match ready {
            Some(frame) => frame,
            None => body.frame().await,
        };
        match frame.map(|frame| frame.map(hyper::body::Frame::into_data)) {
            Some(Ok(Ok(bytes))) => gathered.extend_from_slice(&bytes),
            // Trailers say nothing about a file.
            Some(Ok(Err(_))) => {}
            Some(Err(error)) => {
                flush(&mut gathered, frames).await?;
                return Frame::Broken(explain(&error)).write(frames).await;
            }
            None => break,
        }
    }
    flush(&mut gathered, frames).await?;
    Frame::End.write(frames).await
}

async fn flush(bytes: &mut BytesMut, frames: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    while !bytes.is_empty() {
        let piece = bytes.split_to(bytes.len().min(PIECE_BYTES_MAX)).freeze();
        Frame::Piece(piece).write(frames).await?;
    }
    Ok(())
}

fn explain(error: &hyper::Error) -> String {
    model::error_chain(error)
}
