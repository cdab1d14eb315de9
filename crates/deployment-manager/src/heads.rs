//! The making of heads: on demand, when a client asks and the plan says that its head is another.
//!
//! One changed deployment does not make 150,000 signatures: clients are woken, and those who ask
//! get theirs. The newest head of each client is kept, and its version only grows.

use deployment::{ClientPlan, HeadChange, NamedPart, Planner, PolicyPlan, head_change, head_parts};
use model::{ClientId, PolicyHead, Sha256};
use rpc::convert::{decode_head, encode_head, encode_part};
use sha2::Digest as _;
use site_db::{Error, HeadPart, Reader, SiteDb, StoredHead, Writer};
use trust::Purpose;

use crate::DeploymentManager;
use crate::limits::HEAD_VALIDITY_MS;

/// A plan with the names of its parts.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) planner: Planner,
    pub(crate) names: Vec<Sha256>,
}

impl Planned {
    pub(crate) fn new(planner: Planner) -> Planned {
        Planned { planner, names: Vec::new() }
    }

    pub(crate) fn plan(&self) -> &PolicyPlan {
        self.planner.plan()
    }

    /// Names the parts that have no name yet; answers their bytes.
    pub(crate) fn name_parts(&mut self) -> Vec<Vec<u8>> {
        let new = &self.planner.plan().parts[self.names.len()..];
        let bytes: Vec<Vec<u8>> = new.iter().map(|part| encode_part(&wire(part))).collect();
        self.names.extend(bytes.iter().map(|b| Sha256(sha2::Sha256::digest(b).into())));
        bytes
    }

    /// The parts of a client's next head, where `old` are those of its head.
    pub(crate) fn parts(&self, client: &ClientPlan, old: &[HeadPart]) -> Vec<HeadPart> {
        let named = |&(sha256, deployment): &HeadPart| NamedPart { sha256, deployment };
        let old: Vec<NamedPart> = old.iter().map(named).collect();
        let parts = head_parts(self.plan(), client, &self.names, &old);
        parts.into_iter().map(|part| (part.sha256, part.deployment)).collect()
    }

    pub(crate) fn client(&self, client: ClientId) -> Option<&ClientPlan> {
        let clients = &self.plan().clients;
        let index = clients.binary_search_by_key(&client, |plan| plan.client);
        Some(&clients[index.ok()?])
    }
}

fn wire(part: &deployment::Part) -> rpc::convert::Part {
    match part {
        deployment::Part::Settings(settings) => rpc::convert::Part::Settings(*settings),
        deployment::Part::Servers(servers) => rpc::convert::Part::Servers(servers.clone()),
        deployment::Part::Windows(windows) => rpc::convert::Part::Windows(windows.clone()),
        deployment::Part::Options(options) => rpc::convert::Part::Options(options.clone()),
        deployment::Part::Assignment(assignment) => {
            rpc::convert::Part::Assignment(assignment.clone())
        }
    }
}

enum Decided {
    /// What was signed before, if anything was.
    Stands(Option<StoredHead>),
    /// A head must be made, with at least this version and these parts.
    Renew(u64, Vec<HeadPart>),
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
        let decide_now = move |r: &Reader<'_>| decide(r, asked.as_deref(), client, incarnation);
        match db.read(decide_now).await? {
            Decided::Stands(head) => Ok(head),
            Decided::Renew(..) => {
                let signer = db.clone();
                db.write(move |w| issue(w, &signer, planned.as_deref(), (client, incarnation)))
                    .await
            }
        }
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
        return Ok(Decided::Stands(stored.filter(|head| head.incarnation == incarnation)));
    };
    let parts = planned.parts(plan, stored.as_ref().map_or(&[], |head| head.parts.as_slice()));
    let old = stored.as_ref().and_then(|head| decode_head(&head.head).ok());
    Ok(match head_change(old.as_ref(), incarnation, &names(&parts), r.now()) {
        HeadChange::None => Decided::Stands(stored),
        HeadChange::Content | HeadChange::Renewal => {
            Decided::Renew(stored.map_or(0, |head| head.version.saturating_add(1)), parts)
        }
    })
}

fn names(parts: &[HeadPart]) -> Vec<Sha256> {
    parts.iter().map(|(sha256, _)| *sha256).collect()
}

/// Decides once more, because somebody else may have been quicker, and makes the head.
fn issue(
    w: &Writer<'_>,
    db: &SiteDb,
    planned: Option<&Planned>,
    (client, incarnation): (ClientId, u64),
) -> Result<Option<StoredHead>, Error> {
    let (next, parts) = match decide(w, planned, client, incarnation)? {
        Decided::Stands(head) => return Ok(head),
        Decided::Renew(next, parts) => (next, parts),
    };
    let now = w.now();
    // Clients refuse lower versions, and a restored site has forgotten the last ones it gave: the
    // clock carries a version beyond them.
    let version = next.max(u64::try_from(now.0).unwrap_or(0));
    w.touch_parts(&names(&parts))?;
    let head = encode_head(&PolicyHead {
        hierarchy: w.identity().hierarchy,
        site: w.identity().code(),
        client,
        incarnation,
        version,
        signed_at: now,
        expires: now.plus_ms(HEAD_VALIDITY_MS),
        parts: names(&parts),
    });
    let signature = db.signer().sign(Purpose::PolicyHead, &head);
    let head = StoredHead { incarnation, version, head, signature, parts };
    w.put_head(client, &head)?;
    Ok(Some(head))
}
