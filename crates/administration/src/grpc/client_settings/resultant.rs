//! What reaches a client through the collections it is in, and what comes of it.
//!
//! A collection whose members cannot be told is said to be waited for: the client keeps what it
//! has from there.

use std::collections::{BTreeMap, BTreeSet};

use deployment::{Chosen, Resultant, resultant as resolve};
use model::{
    Asker, BoundaryMap, ClientRecord, DEFAULT_SETTINGS, ObjectCode, Offer, Owner, RoleKind,
    SettingsProfile, Switching, Window,
};
use rpc::pb::admin as pb;
use site_db::Reader;

use crate::admin::{View, top_of};
use crate::grpc::noun::CLIENT;
use crate::grpc::{Answer, collection};
use crate::{Admin, Error};

/// What no profile says.
const OF_THE_TABLE: &str = "default";

/// What reaches a client through the collections it is in.
pub(in crate::grpc) struct Reaching {
    /// Its own site and the top-level one: only theirs acts on it.
    acting: BTreeSet<String>,
    collections: BTreeSet<ObjectCode>,
    profiles: Vec<SettingsProfile>,
    /// Collections whose members cannot be told.
    waiting: BTreeSet<ObjectCode>,
}

impl Reaching {
    pub(in crate::grpc) fn of(
        v: &View<'_>,
        (owner, client): &(Owner, ClientRecord),
    ) -> Answer<Reaching> {
        let acting: BTreeSet<_> = [owner.code.to_string(), top_of(v)?].into();
        let (collections, waiting) = collection::of_client(v, client)?;
        let all = v.list::<SettingsProfile>()?.into_iter();
        let reaches = |profile: &SettingsProfile| {
            profile.code.as_str() == DEFAULT_SETTINGS
                || profile.collections.iter().any(|code| collections.contains(code))
        };
        let profiles = all
            .filter(|(owner, profile)| acting.contains(owner.code.as_str()) && reaches(profile))
            .map(|(_, profile)| profile)
            .collect();
        Ok(Reaching { acting, collections, profiles, waiting })
    }

    pub(in crate::grpc) fn resultant(&self) -> Resultant<'_> {
        resolve(&self.profiles)
    }

    pub(in crate::grpc) fn windows(&self, r: &Reader<'_>) -> Answer<Vec<Window>> {
        let all = r.list::<Window>()?.into_iter();
        let reaching = all.filter(|(owner, window)| {
            self.acting.contains(owner.code.as_str())
                && self.collections.contains(&window.collection)
        });
        Ok(reaching.map(|(_, window)| window).collect())
    }

    pub(in crate::grpc) fn waiting(&self) -> Vec<String> {
        self.waiting.iter().map(|code| format!("who is in collection {code}")).collect()
    }
}

pub(in crate::grpc) async fn resultant(
    admin: &Admin,
    (_, asked): (String, pb::GetResultantSettingsRequest),
) -> Answer<pb::GetResultantSettingsResponse> {
    let map = admin.db.boundary_map().await?;
    let service = admin.clone();
    let answer = admin.db.read(move |r| {
        let view = View { admin: &service, reader: r };
        let found = CLIENT.found(r, &asked.client)?;
        let reaching = Reaching::of(&view, &found)?;
        let names: BTreeMap<_, _> =
            reaching.profiles.iter().map(|p| (&p.code, p.name.as_str())).collect();
        let rows = reaching.resultant().all().map(|chosen| resultant_row(chosen, &names)).collect();
        let switching = Switching::of(&reaching.resultant().options());
        let servers = update_points(&map, &found, switching);
        Ok::<_, Error>(pb::GetResultantSettingsResponse {
            rows,
            servers,
            waiting: reaching.waiting(),
        })
    });
    answer.await
}

fn resultant_row(chosen: Chosen<'_>, names: &BTreeMap<&ObjectCode, &str>) -> pb::ResultantSetting {
    let Chosen { setting, value, profile } = chosen;
    let name = profile.and_then(|profile| names.get(profile)).copied().unwrap_or_default();
    pb::ResultantSetting {
        name: setting.name.to_owned(),
        value: value.to_owned(),
        profile: profile.map_or_else(|| OF_THE_TABLE.to_owned(), ToString::to_string),
        profile_name: name.to_owned(),
        default: setting.default.to_owned(),
    }
}

/// The minutes that really hold for a client, as its policy will say them (PAIN-14).
fn update_points(
    map: &BoundaryMap,
    (owner, client): &(Owner, ClientRecord),
    switching: Switching,
) -> Vec<pb::EffectiveServer> {
    let asker = Asker { address: client.address, assigned: owner.code, near: client.site };
    let offers = map.offers(RoleKind::SoftwareUpdatePoint, &asker).into_iter();
    let row = |offer: Offer| pb::EffectiveServer {
        url: offer.role.url,
        site: offer.role.site.to_string(),
        after_minutes: effective(offer.after_minutes, switching),
        configured_minutes: offer.after_minutes,
    };
    offers.map(row).collect()
}

/// What is used at once is; for another one a client gives up what it has (BG-06).
fn effective(configured: u32, switching: Switching) -> u32 {
    if configured == 0 { 0 } else { configured.max(switching.minutes()) }
}
