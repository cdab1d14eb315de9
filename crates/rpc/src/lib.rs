//! The wire: generated code of proto/, converters to and from the model, limits, who may call what,
//! and the one mapping between error classes and statuses.
//!
//! Owns every generated type; nothing outside names one in a public signature, except the service
//! implementations in each crate's `grpc.rs`. Refuses to know sockets, databases and policy.
//! Converters fail with [`model::Invalid`], which names the field.

pub mod access;
pub mod convert;
pub mod forward;
pub mod limits;
pub mod object;
pub mod status;

/// Generated code, one module per area.
#[allow(
    missing_debug_implementations,
    clippy::all,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "generated"
)]
pub mod pb {
    macro_rules! areas {
        ($($area:ident = $package:literal;)*) => {
            $(pub mod $area {
                pub mod v1 {
                    tonic::include_proto!($package);
                }
                pub use v1::*;
            })*
        };
    }

    areas! {
        object = "tierline.object.v1";
        enrolment = "tierline.enrolment.v1";
        replication = "tierline.replication.v1";
        content = "tierline.content.v1";
        update_point = "tierline.update_point.v1";
        management = "tierline.management.v1";
        client = "tierline.client.v1";
        metadata = "tierline.metadata.v1";
        admin = "tierline.admin.v1";
    }
}

/// The descriptor set of proto/, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
