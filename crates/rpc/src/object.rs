//! Bodies of replicated objects: model value ↔ bytes.
//!
//! A body is made once, by the owner. `decode` is for projections and planners; what is stored and
//! relayed are the bytes. State vectors are not here: their canonical form is the compliance
//! crate's.

use model::{Invalid, Kind};
use prost::Message;

use crate::pb::object as pb;

/// A model value that is the body of a replicated object.
pub trait ObjectBody: Sized {
    const KIND: Kind;

    /// The object's id within its kind.
    fn object_id(&self) -> Vec<u8>;

    fn encode(&self) -> Vec<u8>;

    fn decode(bytes: &[u8]) -> Result<Self, Invalid>;
}

macro_rules! bodies {
    ($($name:ident = $message:ident, |$value:ident| $id:expr;)*) => {
        $(impl ObjectBody for model::$name {
            const KIND: Kind = Kind::$message;

            fn object_id(&self) -> Vec<u8> {
                let $value = self;
                $id
            }

            fn encode(&self) -> Vec<u8> {
                pb::$message::from(self).encode_to_vec()
            }

            fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
                let message = pb::$message::decode(bytes)
                    .map_err(|e| Invalid::new(stringify!($message), e.to_string()))?;
                message.try_into()
            }
        })*
    };
}

bodies! {
    Collection = Collection, |v| v.code.as_str().into();
    UpdateGroup = UpdateGroup, |v| v.code.as_str().into();
    Deployment = Deployment, |v| v.id.as_bytes().to_vec();
    Package = Package, |v| v.code.as_str().into();
    Rule = Rule, |v| v.code.as_str().into();
    Phased = Phased, |v| v.code.as_str().into();
    SettingsProfile = SettingsProfile, |v| v.code.as_str().into();
    Window = Window, |v| v.code.as_str().into();
    // Several sites may hold one deployment, and each owns its hold.
    Hold = Hold, |v| [v.deployment.as_bytes(), v.site.as_str().as_bytes()].concat();
    UpdateSetting = UpdateSetting, |v| v.update.as_bytes().to_vec();
    Revocation = Revocation, |v| v.identity.clone().into_bytes();
    KeyStatement = KeyStatement, |v| v.site.as_str().into();
    ContentManifest = ContentManifest, |v| v.package.as_str().into();
    Boundary = Boundary, |v| v.code.as_str().into();
    BoundaryGroup = BoundaryGroup, |v| v.code.as_str().into();
    Category = Category, |v| v.update.id.as_bytes().to_vec();
    Item = Item, |v| v.update.id.as_bytes().to_vec();
    CatalogVersion = CatalogVersion, |_v| b"catalog".to_vec();
    Ruling = Ruling, |v| v.update.as_bytes().to_vec();
    SiteRecord = Site, |v| v.code.as_str().into();
    RoleRecord = Role, |v| v.id.as_bytes().to_vec();
    ClientRecord = Client, |v| v.id.as_bytes().to_vec();
    InventoryRecord = Inventory, |v| v.client.as_bytes().to_vec();
    InstalledSoftware = InstalledSoftware, |v| v.client.as_bytes().to_vec();
    // Every site numbers for itself.
    SoftwareTitle = SoftwareTitle,
        |v| [v.site.as_str().as_bytes(), &v.number.to_be_bytes()].concat();
    // Events have no identity; their position names them.
    StatusMessage = StatusMessage, |_v| Vec::new();
}

#[cfg(test)]
mod tests;
