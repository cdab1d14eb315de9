//! The embedded database engine under every store.
//!
//! Owns how a SQLite file is opened, migrated, written, read, backed up and checked: one writer
//! with group commit, readers on snapshots, checkpoints outside of the commit path, and [`spool`],
//! the durable queue. It is the only crate that names rusqlite and re-exports what a crate that
//! owns a schema needs.
//!
//! Refuses to know any table but the spool's. Time and chance are not needed here.
//!
//! A write has happened when [`Database::write`] returns `Ok`: with [`Durability::Full`] it then
//! survives a power cut. A closure that returns an error or panics leaves nothing behind and does
//! not harm the writes it was grouped with. Every failure is an [`Error`], whose [`Fault`] says
//! what kind it is; crates above turn that into their own error class.

mod backup;
mod database;
mod error;
mod executor;
mod group;
mod limits;
mod schema;
pub mod spool;
mod transaction;

pub use database::{Database, Durability, Executor, Options};
pub use error::{Error, Fault};
pub use rusqlite::types::{
    FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef,
};
pub use rusqlite::{Error as SqliteError, Params, Row, named_params, params, params_from_iter};
pub use schema::Schema;
pub use transaction::{ReadTx, RowResult, WriteTx, parse_column};
