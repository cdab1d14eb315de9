//! Reading documents through and packing them, on threads beside the transaction that stores them.
//!
//! Owns how the work is divided. It begins before the transaction does, so a batch is prepared
//! while the one before it becomes durable. Threads wait when they are far ahead, and end when
//! nobody wants what they make.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use model::Sha256;
use sha2::{Digest as _, Sha256 as Hasher};
use update_metadata::Document;
use update_metadata::sdp::Rejected;
use zstd::bulk::Compressor;

use crate::{Error, limits};

/// A document read through and packed, or why it was not taken.
pub(crate) type Prepared = Result<Result<Packed, Rejected>, Error>;

/// Neighbors in a batch, so that threads wake each other less often.
type Chunk = Vec<Prepared>;

/// Without its titles and descriptions, which nothing here needs.
pub(crate) struct Packed {
    pub(crate) document: Document,
    pub(crate) digest: Sha256,
    pub(crate) size: usize,
    pub(crate) bytes: Vec<u8>,
}

/// Work under way.
pub(crate) struct Preparation {
    lanes: Vec<(Receiver<Chunk>, JoinHandle<()>)>,
    chunks: usize,
}

impl Preparation {
    /// Deals the documents out to a few threads.
    pub(crate) fn start(documents: Vec<String>) -> Preparation {
        let (size, mut lanes) = (limits::CHUNK_DOCUMENTS, [const { Vec::new() }; limits::LANES]);
        let chunks = documents.len().div_ceil(size);
        let mut documents = documents.into_iter();
        for index in 0..chunks {
            let chunk: Vec<String> = documents.by_ref().take(size).collect();
            lanes[index % limits::LANES].push((index * size + 1, chunk));
        }
        let start = |mine| {
            let (sender, prepared) = sync_channel(limits::CHUNKS_PREPARED_MAX);
            (prepared, thread::spawn(move || prepare(mine, &sender)))
        };
        let lanes = lanes.into_iter().filter(|mine| !mine.is_empty()).map(start);
        Preparation { lanes: lanes.collect(), chunks }
    }

    /// Hands them to `store` as they come back, in their order.
    pub(crate) fn give<T>(self, store: impl FnOnce(&mut dyn Iterator<Item = Prepared>) -> T) -> T {
        let Preparation { lanes, chunks } = self;
        let in_turn = lanes.iter().cycle().take(chunks);
        // A thread that panicked ends this early.
        let mut all = in_turn.map_while(|(lane, _)| lane.recv().ok()).flatten();
        let stored = store(&mut all);
        for (lane, thread) in lanes {
            drop(lane);
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
        stored
    }
}

fn prepare(chunks: Vec<(usize, Vec<String>)>, sender: &SyncSender<Chunk>) {
    let mut compressor = Compressor::new(limits::COMPRESSION_LEVEL);
    for (first, documents) in chunks {
        let pack = |(xml, number): (&String, usize)| match &mut compressor {
            Ok(compressor) => pack(xml, number, compressor),
            Err(error) => Err(Error::Compression { source: error.kind().into() }),
        };
        let packed = documents.iter().zip(first..).map(pack).collect();
        // A writer that went away needs no more.
        if sender.send(packed).is_err() {
            return;
        }
    }
}

fn pack(xml: &str, number: usize, compressor: &mut Compressor<'_>) -> Prepared {
    let document = match Document::parse_without_texts(xml.as_bytes()) {
        Ok(document) => document,
        Err(error) => {
            let place = format!("document {number}");
            return Ok(Err(Rejected { place, reason: model::error_chain(&error) }));
        }
    };
    let digest = Sha256(Hasher::digest(xml.as_bytes()).into());
    let bytes = compressor.compress(xml.as_bytes());
    let bytes = bytes.map_err(|source| Error::Compression { source })?;
    Ok(Ok(Packed { document, digest, size: xml.len(), bytes }))
}
