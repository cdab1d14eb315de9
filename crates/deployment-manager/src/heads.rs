//! The making of heads: on demand, when a client asks and the plan says that its head is another.
//!
//! One changed deployment does not make 150,000 signatures: clients are woken, and those who ask
//! get theirs. The newest head of each client is kept, and its version only grows.

use std::sync::Arc;

use deployment::{ClientPlan, HeadChange, NamedPart, PolicyPlan, head_change, head_parts};
use model::{ClientId, PolicyHead, Sha256, Timestamp};
use rpc::convert::{decode_head, encode_head, encode_part};
use sha2::Digest as _;
use site_db::{Error, HeadPart, Reader, SiteDb, StoredHead, Writer};
use trust::Purpose;

use crate::DeploymentManager;
use crate::limits::HEAD_VALIDITY_MS;

/// A plan with the names and bytes of its parts.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: PolicyPlan,
    pub(crate) names: Vec<Sha256>,
}

impl Planned {
    /// Names the parts of a plan; answers their bytes, too.
    pub(crate) fn new(plan: PolicyPlan) -> (Planned, Vec<Vec<u8>>) {
        let bytes: Vec<Vec<u8>> = plan.parts.iter().map(|part| encode_part(&wire(part))).collect();
        let names = bytes.iter().map(|b| Sha256(sha2::Sha256::digest(b).into())).collect();
        (Planned { plan, names }, bytes)
    }

    /// The parts of a client's next head, where `old` are those of its head.
    pub(crate) fn parts(&self, client: &ClientPlan, old: &[HeadPart]) -> Vec<HeadPart> {
        let named = |&(sha256, deployment): &HeadPart| NamedPart { sha256, deployment };
        let old: Vec<NamedPart> = old.iter().map(named).collect();
        let parts = head_parts(&self.plan, client, &self.names, &old);
        parts.into_iter().map(|part| (part.sha256, part.deployment)).collect()
    }

    fn client(&self, client: ClientId) -> Option<&ClientPlan> {
        let index = self.plan.clients.binary_search_by_key(&client, |plan| plan.client);
        Some(&self.plan.clients[index.ok()?])
    }
}

fn wire(part: &deployment::Part) -> rpc::convert::Part {
    match part {
        deployment::Part::Settings(settings) => rpc::convert::Part::Settings(*settings),
        deployment::Part::Servers(servers) => rpc::convert::Part::Servers(servers.clone()),
        deployment::Part::Assignment(assignment) => {
            rpc::convert::Part::Assignment(assignment.clone())
        }
    }
}

/// What stands, and what takes its place.
struct Decided {
    stored: Option<StoredHead>,
    /// The parts of a new head, if there must be one.
    renew: Option<Vec<HeadPart>>,
}

impl DeploymentManager {
    /// The newest head for a client in an incarnation. Before the first plan after a start, and
    /// for a client that is in no plan, what was signed before stands.
    pub async fn head(
        &self,
        client: ClientId,
        incarnation: u64,
    ) -> Result<Option<StoredHead>, Error> {
        let (db, planned) = (&self.deps.db, self.planned());
        let asked = planned.clone();
        let decided = db.read(move |r| decide(r, asked.as_deref(), client, incarnation)).await?;
        if decided.renew.is_none() {
            return Ok(decided.stored);
        }
        let signer = db.clone();
        db.write(move |w| issue(w, &signer, planned, (client, incarnation))).await
    }
}

fn decide(
    r: &Reader<'_>,
    planned: Option<&Planned>,
    client: ClientId,
    incarnation: u64,
) -> Result<Decided, Error> {
    let stored = r.policy_head(client)?;
    let plan = planned.and_then(|planned| Some((planned, planned.client(client)?)));
    let Some((planned, plan)) = plan else {
        let stored = stored.filter(|head| head.incarnation == incarnation);
        return Ok(Decided { stored, renew: None });
    };
    let parts = planned.parts(plan, stored.as_ref().map_or(&[], |head| head.parts.as_slice()));
    let names: Vec<Sha256> = parts.iter().map(|(sha256, _)| *sha256).collect();
    let old = stored.as_ref().and_then(|head| decode_head(&head.head).ok());
    let renew = match head_change(old.as_ref(), incarnation, &names, r.now()) {
        HeadChange::None => None,
        HeadChange::Content | HeadChange::Renewal => Some(parts),
    };
    Ok(Decided { stored, renew })
}

/// Decides once more, because somebody else may have been quicker, and makes the head.
fn issue(
    w: &Writer<'_>,
    db: &SiteDb,
    planned: Option<Arc<Planned>>,
    (client, incarnation): (ClientId, u64),
) -> Result<Option<StoredHead>, Error> {
    let Decided { stored, renew } = decide(w, planned.as_deref(), client, incarnation)?;
    let Some(parts) = renew else { return Ok(stored) };
    let now: Timestamp = w.now();
    // Clients refuse lower versions, and a restored site has forgotten the last ones it gave: the
    // clock carries a version beyond them.
    let next = stored.map_or(0, |head| head.version.saturating_add(1));
    let version = next.max(u64::try_from(now.0).unwrap_or(0));
    let names: Vec<Sha256> = parts.iter().map(|(sha256, _)| *sha256).collect();
    w.touch_parts(&names)?;
    let head = encode_head(&PolicyHead {
        hierarchy: w.identity().hierarchy,
        site: w.identity().code(),
        client,
        incarnation,
        version,
        signed_at: now,
        expires: now.plus_ms(HEAD_VALIDITY_MS),
        parts: names,
    });
    let signature = db.signer().sign(Purpose::PolicyHead, &head);
    let head = StoredHead { incarnation, version, head, signature, parts };
    w.put_head(client, &head)?;
    Ok(Some(head))
}
