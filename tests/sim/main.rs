//! The whole hierarchy under faults, from seeds.

mod replication_model;
