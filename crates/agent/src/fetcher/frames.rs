//! What the downloader says, and how much of it is listened to.
//!
//! A frame is a tag, the length of what follows in four bytes (big-endian), and that. The agent
//! reads them from a process that may be in anybody's hands: each tag has the lengths that its
//! frame can have, and everything else is [`Invalid`]. There is no version: both ends are the same
//! program.

use std::io::{self, ErrorKind};
use std::ops::RangeInclusive;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use model::Invalid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{Missing, Order};
use crate::download::Unfit;
use crate::limits;

/// Of a body at once: what a pipe holds.
pub(super) const PIECE_BYTES_MAX: usize = 64 << 10;

/// Of words: an address is the longest, and one that is too long shall show.
const TEXT_BYTES_MAX: usize = limits::ADDRESS_BYTES_MAX + 1;

/// An order has a path, which the agent's own limits keep shorter.
const ORDER_BYTES_MAX: usize = 16 << 10;

/// Tag and length.
const HEAD_BYTES: usize = 5;

/// What a header can be wrong about.
const FIELDS: [&str; 3] = ["content-encoding", "content-length", "content-range"];

/// What the downloader says. First `Confined`, if it is a process; then what it makes of the
/// answer; after `Begins` pieces, and `End` or `Broken`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// It has given up its rights, but for what the system could not take.
    Confined(Missing),
    /// The body is the file, from this byte on.
    Begins(u64),
    /// The answer is not the file.
    Unfit(Unfit),
    Piece(Bytes),
    /// Nothing more can be read, and why.
    Broken(String),
    /// That was all of the answer.
    End,
}

mod tag {
    pub(super) const CONFINED: u8 = 1;
    pub(super) const BEGINS: u8 = 2;
    pub(super) const ELSEWHERE: u8 = 3;
    pub(super) const STATUS: u8 = 4;
    pub(super) const OTHER: u8 = 5;
    pub(super) const PIECE: u8 = 6;
    pub(super) const BROKEN: u8 = 7;
    pub(super) const END: u8 = 8;
}

/// How many bytes a frame has.
fn lengths(tag: u8) -> Option<RangeInclusive<usize>> {
    match tag {
        tag::CONFINED => Some(1..=1),
        tag::BEGINS => Some(8..=8),
        tag::STATUS => Some(2..=2),
        tag::ELSEWHERE | tag::BROKEN => Some(0..=TEXT_BYTES_MAX),
        tag::OTHER => Some(1..=1 + TEXT_BYTES_MAX),
        tag::PIECE => Some(1..=PIECE_BYTES_MAX),
        tag::END => Some(0..=0),
        _ => None,
    }
}

impl Frame {
    fn encode(self) -> (u8, Bytes) {
        match self {
            Frame::Confined(missing) => (tag::CONFINED, Bytes::copy_from_slice(&[missing.0])),
            Frame::Begins(start) => (tag::BEGINS, Bytes::copy_from_slice(&start.to_be_bytes())),
            Frame::Unfit(Unfit::Elsewhere(to)) => (tag::ELSEWHERE, shortened(to)),
            Frame::Unfit(Unfit::Status(status)) => {
                (tag::STATUS, Bytes::copy_from_slice(&status.to_be_bytes()))
            }
            Frame::Unfit(Unfit::Other(Invalid { field, reason })) => {
                let known = FIELDS.iter().position(|known| *known == field);
                let number = known.and_then(|number| u8::try_from(number).ok());
                let mut body = BytesMut::new();
                body.put_u8(number.expect("`begins_at` names only these"));
                body.put(shortened(reason));
                (tag::OTHER, body.freeze())
            }
            Frame::Piece(bytes) => (tag::PIECE, bytes),
            Frame::Broken(reason) => (tag::BROKEN, shortened(reason)),
            Frame::End => (tag::END, Bytes::new()),
        }
    }

    /// `body` is of a length that the tag allows.
    fn decode(tag: u8, mut body: Bytes) -> Result<Frame, Invalid> {
        match tag {
            tag::CONFINED => Ok(Frame::Confined(Missing(body.get_u8()))),
            tag::BEGINS => Ok(Frame::Begins(body.get_u64())),
            tag::ELSEWHERE => Ok(Frame::Unfit(Unfit::Elsewhere(text(&body)?))),
            tag::STATUS => Ok(Frame::Unfit(Unfit::Status(body.get_u16()))),
            tag::OTHER => {
                let field = FIELDS.get(usize::from(body.get_u8()));
                let field = field.ok_or_else(|| Invalid::new("field", "is none"))?;
                Ok(Frame::Unfit(Unfit::Other(Invalid::new(field, text(&body)?))))
            }
            tag::PIECE => Ok(Frame::Piece(body)),
            tag::BROKEN => Ok(Frame::Broken(text(&body)?)),
            tag::END => Ok(Frame::End),
            _ => Err(unknown(tag)),
        }
    }

    pub(super) async fn write(self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let (tag, body) = self.encode();
        let length = u32::try_from(body.len()).map_err(|_| ErrorKind::InvalidInput)?;
        let mut head = BytesMut::with_capacity(HEAD_BYTES);
        head.put_u8(tag);
        head.put_u32(length);
        to.write_all_buf(&mut head.chain(body)).await?;
        to.flush().await
    }
}

/// What there is in no line of a log: the ends of lines, and what moves a cursor.
fn text(bytes: &[u8]) -> Result<String, Invalid> {
    let text = std::str::from_utf8(bytes).map_err(|_| Invalid::new("text", "is no UTF-8"))?;
    Ok(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

fn shortened(mut text: String) -> Bytes {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.into()
}

fn unknown(tag: u8) -> Invalid {
    Invalid::new("tag", format!("{tag} is of no frame"))
}

/// Why no frame can be read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The downloader is gone.
    Ended,
    /// It says what no downloader says.
    Senseless(Invalid),
}

/// The frames of one downloader.
#[derive(Debug)]
pub(crate) struct Frames<R>(R);

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(crate) fn new(from: R) -> Frames<R> {
        Frames(from)
    }

    pub(crate) async fn next(&mut self) -> Result<Frame, Unread> {
        let mut head = [0; HEAD_BYTES];
        self.0.read_exact(&mut head).await.map_err(|_| Unread::Ended)?;
        let [tag, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let allowed = lengths(tag).ok_or_else(|| Unread::Senseless(unknown(tag)))?;
        if !allowed.contains(&length) {
            let reason = format!("a frame {tag} has {length} bytes");
            return Err(Unread::Senseless(Invalid::new("length", reason)));
        }
        let mut body = BytesMut::zeroed(length);
        self.0.read_exact(&mut body).await.map_err(|_| Unread::Ended)?;
        Frame::decode(tag, body.freeze()).map_err(Unread::Senseless)
    }
}

/// What the downloader is told before it has the connection: the length, and the order.
pub(crate) fn order_bytes(order: &Order) -> io::Result<Bytes> {
    let text = serde_json::to_vec(order)?;
    let length = u32::try_from(text.len()).ok().filter(|_| text.len() <= ORDER_BYTES_MAX);
    let mut bytes = BytesMut::new();
    bytes.put_u32(length.ok_or(ErrorKind::InvalidInput)?);
    bytes.put_slice(&text);
    Ok(bytes.freeze())
}

pub(super) async fn read_order(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Order> {
    let length = usize::try_from(from.read_u32().await?).unwrap_or(usize::MAX);
    if length > ORDER_BYTES_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut text = vec![0; length];
    from.read_exact(&mut text).await?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests;
