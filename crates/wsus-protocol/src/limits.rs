//! What one message may cost; both sides keep to these.

use xml_guard::Limits;

/// Bytes of a message other than a revision list. The original server stops at 2,000,000; a
/// hundred real documents take at most 1.5 MB.
pub const MESSAGE_BYTES_MAX: u64 = 32 << 20;
/// Bytes of a computer's request: a scan names each update it has in 18 bytes, and a catalog of
/// 200,000 fits.
pub const CLIENT_REQUEST_BYTES_MAX: u64 = 4 << 20;
/// Bytes of what a computer is answered. The original server ends a page of a scan at some 200 kB
/// of rules; one update that replaces every package of a system brings a megabyte of them alone.
pub const CLIENT_ANSWER_BYTES_MAX: u64 = 4 << 20;
/// Elements and attributes of one part of such an answer that become a tree, of 200 bytes each: a
/// thousand renumbered revisions have twenty thousand.
pub const CLIENT_ANSWER_NODES_MAX: usize = 50_000;
/// Bytes of a document that is made of fragments, which only grow by the prefixes of names.
pub const JOINED_BYTES_MAX: usize = 8 << 20;
/// Items of a list that has no limit of its own: updates a computer has.
pub const LIST_ITEMS_MAX: usize = 200_000;
/// Authorization cookies of one request; the protocol wants exactly one.
pub const AUTHORIZATIONS_MAX: usize = 8;
/// Categories of one category scan: the original server refuses 200.
pub const SCAN_CATEGORIES_MAX: usize = 199;
/// Devices of one computer; large servers have some hundreds.
pub const DEVICES_MAX: usize = 4_096;
/// Events of one report; computers send some dozens.
pub const EVENTS_MAX: usize = 1_000;
/// Files one call asks a server to fetch.
pub const DOWNLOAD_FILES_MAX: usize = 100;
/// Bytes of one text, which is a document in base64 at most.
pub const TEXT_BYTES_MAX: usize = 8 << 20;
/// Elements of a message: a hundred updates with a few hundred files each.
pub const MESSAGE_ELEMENTS_MAX: usize = 250_000;
/// Nesting; real messages reach 8.
pub const DEPTH_MAX: usize = 32;
/// Bytes of a revision list, which the protocol does not page: 126 per revision.
pub const REVISION_LIST_BYTES_MAX: u64 = 128 << 20;
/// Revisions of one list; a complete public catalog has some 250,000.
pub const REVISIONS_MAX: usize = 1_000_000;
/// Documents whose UTF-16 form is larger travel compressed, as the original server has it.
pub const PLAIN_DOCUMENT_BYTES_MAX: usize = 5_120;
/// Bytes of an unpacked document in UTF-16; the largest known have some 10 MB.
pub const DOCUMENT_BYTES_MAX: usize = 32 << 20;
/// How many times larger than its cabinet a document may be; real ones reach 60.
pub const DOCUMENT_RATIO_MAX: usize = 400;
/// Up to this size the ratio does not matter.
pub const DOCUMENT_HARMLESS_BYTES: usize = 1 << 20;
/// Blocks of a cabinet, all folders together: of 32 KiB each, they are the largest single folder
/// four times over.
pub const CABINET_BLOCKS_MAX: usize = 262_144;
/// The window of LZX that is taken, as a power of two: what the original server uses and the
/// format allows. Its memory is needed whatever comes out.
pub const CABINET_WINDOW_BITS_MAX: u16 = 21;
/// Bytes of the fragments of one document together, which only exceed the document where
/// namespaces are declared anew.
pub const FRAGMENTS_BYTES_MAX: usize = 48 << 20;
/// Bytes of a compressed body's block, before and after (MS-WUSP 2.1.1).
pub const XPRESS_BLOCK_BYTES_MAX: usize = 65_535;
/// Bytes of a block we write, as the original server has it.
pub const XPRESS_BLOCK_BYTES: usize = 16_352;
/// Bytes of a sealed cookie that are looked at at all; ours have 74.
pub const COOKIE_BYTES_MAX: usize = 512;

pub(crate) fn xml_limits(total_bytes: u64, tree_nodes: usize) -> Limits {
    Limits {
        depth: DEPTH_MAX,
        attributes: 32,
        event_bytes: TEXT_BYTES_MAX,
        kept_bytes: 0,
        tree_nodes,
        total_bytes,
    }
}

/// An update document, which nests deeper than messages and repeats its namespaces.
pub(crate) fn document_limits() -> Limits {
    Limits {
        event_bytes: TEXT_BYTES_MAX,
        kept_bytes: TEXT_BYTES_MAX,
        total_bytes: DOCUMENT_BYTES_MAX as u64,
        ..Limits::default()
    }
}

/// A fragment of such a document, as an answer brings it.
pub(crate) fn fragment_limits() -> Limits {
    Limits {
        kept_bytes: 0,
        tree_nodes: CLIENT_ANSWER_NODES_MAX,
        total_bytes: CLIENT_ANSWER_BYTES_MAX,
        ..Limits::default()
    }
}
