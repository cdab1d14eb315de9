//! Limits of the wire, kept by both sides.

/// The largest gRPC message anybody accepts. Batches and pages are cut far below it.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A batch of replicated changes is closed when it reaches this size.
pub const BATCH_BYTES: usize = 192 * 1024;

/// The largest plain size of a batch: one whole transaction may exceed [`BATCH_BYTES`], and a
/// transaction has at most [`TRANSACTION_BYTES_MAX`] of bodies.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most objects in one transaction of an owner.
pub const TRANSACTION_OBJECTS_MAX: usize = 1_000;

/// Most bytes of bodies in one transaction of an owner.
pub const TRANSACTION_BYTES_MAX: usize = 1024 * 1024;

/// The largest body of a replicated object: it must fit a transaction.
pub const BODY_BYTES_MAX: usize = TRANSACTION_BYTES_MAX;

/// Documents or items in one page of a catalog stream, and their bytes.
pub const PAGE_ITEMS: usize = 200;
pub const PAGE_BYTES: usize = 1024 * 1024;

/// Files whose public addresses are asked for at once, and addresses of one of them: a client
/// fetches a few files at a time, and publishers name one or two addresses.
pub const FOUND_FILES_MAX: usize = 100;
pub const FOUND_URLS_MAX: usize = 4;

/// Part of a catalog file handed to a software update point in one message.
pub const IMPORT_PART_BYTES: usize = 1024 * 1024;

/// Piece of a file that an administrator uploads in one message.
pub const CONTENT_PART_BYTES: usize = 1024 * 1024;

/// The largest publisher's package that an administrator makes; real ones have 10 KiB.
pub const PACKAGE_BYTES_MAX: usize = 1024 * 1024;

/// Most state changes in one report; a client splits larger ones.
pub const REPORT_CHANGES_MAX: usize = 20_000;

/// Most deployments in one report: a computer has dozens, and says of more with later reports.
pub const REPORT_DEPLOYMENTS_MAX: usize = 1_000;

/// Bytes of the address of the update point of a scan.
pub const SCAN_SERVER_BYTES_MAX: usize = 512;

/// Most servers that one report says are refused, and bytes of an address or a reason. A client
/// that refuses more says so with later reports.
pub const REFUSED_SERVERS_MAX: usize = 16;
pub const REFUSED_TEXT_BYTES_MAX: usize = 1024;

/// Most versions that one report says were given up, and bytes of a version or a reason: a trial
/// takes minutes, so that even one after the other few come together.
pub const GIVEN_UP_MAX: usize = 16;
pub const GIVEN_UP_TEXT_BYTES_MAX: usize = 256;

/// Most things that one report says were set aside, and bytes of a name or a reason. A client that
/// has set aside more says so with later reports.
pub const SET_ASIDE_MAX: usize = 16;
pub const SET_ASIDE_TEXT_BYTES_MAX: usize = 512;

/// Most reports in one submission of a management point.
pub const REPORTS_MAX: usize = 256;

/// Most packages of one computer: the largest distributions install some thousands.
pub const INVENTORY_SOFTWARE_MAX: usize = 20_000;

/// Most disks, and most network interfaces, of one computer; hosts of containers have hundreds.
pub const INVENTORY_ENTRIES_MAX: usize = 256;

/// Most addresses of one network interface.
pub const INVENTORY_ADDRESSES_MAX: usize = 64;

/// Most bytes of one text of an inventory; it becomes part of a replicated object.
pub const INVENTORY_TEXT_BYTES_MAX: usize = 256;

/// Most inventory reports in one submission of a management point.
pub const INVENTORIES_MAX: usize = 64;
