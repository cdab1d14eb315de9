//! The whole hierarchy under faults, from seeds.

mod foreign;
mod replication_model;
