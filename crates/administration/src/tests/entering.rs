//! Whatever administrators make, and whatever becomes of the catalog meanwhile: nothing that is
//! superseded, expired or declined enters a new deployment (SUP-29, SUP-30, SUPX-05).

use std::collections::BTreeSet;

use model::{Deployment, Group, Origin, UpdateGroup, UpdateId};
use proptest::prelude::*;
use site_db::Own;
use testkit::catalogs::{Catalog, Word};

use super::*;

/// A site whose administrator tries everything.
struct Maker {
    site: Site,
    admin: AdminServiceClient<Channel>,
    catalog: Catalog,
    /// Groups, each with all that was ever put into it.
    groups: Vec<String>,
    phased: Vec<String>,
    names: u32,
}

/// What is deployed by what: approvals are decisions, whichever deployments say them.
type Deployed = BTreeSet<(String, UpdateId)>;

/// What a try may bring in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    Good,
    /// Somebody said that superseded ones may be in it.
    Superseded,
}

fn ids(numbers: &[u8]) -> Vec<String> {
    numbers.iter().map(|number| Catalog::id(*number).to_string()).collect()
}

/// One of these, if there are any.
fn one(all: &[String], byte: u8) -> Option<String> {
    all.get(usize::from(byte) % all.len().max(1)).cloned()
}

impl Maker {
    async fn new() -> Maker {
        let site = Site::top("PR1", SiteKind::Primary).await;
        let (admin, catalog) = (site.admin(), Catalog::default());
        let maker =
            Maker { site, admin, catalog, groups: Vec::new(), phased: Vec::new(), names: 0 };
        for number in Catalog::all() {
            maker.publish(number).await;
        }
        maker
    }

    async fn publish(&self, number: u8) {
        let (item, ruling) = (self.catalog.item(number), self.catalog.ruling(number));
        let changes = vec![Own::put(&item), Own::put(&ruling)];
        let written = self.site.db.write(move |w| w.write_own(Group::Catalog, changes));
        written.await.expect("written");
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("Number {}", self.names)
    }

    /// Does it, and says what it may have brought in.
    async fn make(&mut self, (what, first, second): Word) -> Allowed {
        let allow_superseded = what >= 200;
        match what % 12 {
            0..=3 => {
                let changed = self.catalog.change((first / 16, first, second));
                self.publish(changed).await;
            }
            4 | 5 => self.deploy_list(Catalog::some(first), allow_superseded).await,
            6 => self.add(second, Catalog::some(first), allow_superseded).await,
            7 => self.deploy_group(first, allow_superseded).await,
            8 => self.begin_phases(first).await,
            9 | 10 => self.start_next(first).await,
            _ => self.approve(Catalog::some(first), second).await,
        }
        if allow_superseded { Allowed::Superseded } else { Allowed::Good }
    }

    fn may_all(&self, numbers: &[u8], allow_superseded: bool) -> bool {
        let may = |number: &u8| match allow_superseded {
            true => self.catalog.is_offered(*number),
            false => self.catalog.may_be_deployed(*number),
        };
        numbers.iter().all(may)
    }

    async fn deploy_list(&mut self, numbers: Vec<u8>, allow_superseded: bool) {
        let name = self.name();
        let request = pb::CreateGroupRequest {
            name,
            updates: ids(&numbers),
            allow_superseded,
            ..Default::default()
        };
        let made = self.admin.create_group(request).await;
        assert_eq!(made.is_ok(), self.may_all(&numbers, allow_superseded), "{made:?}");
        let Ok(made) = made else { return };
        self.groups.push(made.into_inner().code);
        let last = u8::try_from(self.groups.len() - 1).expect("a few");
        self.deploy_group(last, allow_superseded).await;
    }

    async fn deploy_group(&mut self, group: u8, allow_superseded: bool) {
        let Some(group) = one(&self.groups, group) else { return };
        let held = self.numbers(&group).await;
        let request = pb::CreateDeploymentRequest {
            name: self.name(),
            group,
            intent: "required".to_owned(),
            no_package: true,
            allow_superseded,
            ..Default::default()
        };
        let made = self.admin.create_deployment(request).await;
        assert_eq!(made.is_ok(), self.may_all(&held, allow_superseded), "{made:?}");
    }

    async fn add(&mut self, group: u8, numbers: Vec<u8>, allow_superseded: bool) {
        let Some(code) = one(&self.groups, group) else { return };
        let held = self.numbers(&code).await;
        let new: Vec<u8> = numbers.iter().filter(|n| !held.contains(n)).copied().collect();
        let request = pb::ChangeGroupRequest {
            code,
            add: ids(&numbers),
            allow_superseded,
            ..Default::default()
        };
        let changed = self.admin.change_group(request).await;
        assert_eq!(changed.is_ok(), self.may_all(&new, allow_superseded), "{changed:?}");
    }

    async fn begin_phases(&mut self, group: u8) {
        let Some(group) = one(&self.groups, group) else { return };
        let held = self.numbers(&group).await;
        let name = self.name();
        let pilots = pb::CreateCollectionRequest { name: name.clone(), ..Default::default() };
        let pilots = self.admin.create_collection(pilots).await.told().code;
        let phase =
            |collection: String| pb::PhaseOrder { collection, manual: true, ..Default::default() };
        let phases = vec![phase(pilots), phase("SMS00001".to_owned())];
        let request = pb::CreatePhasedRequest { name, group, phases, ..Default::default() };
        let made = self.admin.create_phased(request).await;
        let is_good = !held.is_empty() && self.may_all(&held, false);
        assert_eq!(made.is_ok(), is_good, "{made:?}");
        self.phased.extend(made.ok().map(|made| made.into_inner().code));
    }

    async fn start_next(&mut self, phased: u8) {
        let Some(code) = one(&self.phased, phased) else { return };
        // All its phases may have been started already.
        let _ = self.admin.start_next_phase(pb::StartNextPhaseRequest { code }).await;
    }

    async fn approve(&mut self, numbers: Vec<u8>, action: u8) {
        let action = if action.is_multiple_of(2) { "required" } else { "available" };
        let request = pb::SetApprovalsRequest {
            updates: ids(&numbers),
            action: action.to_owned(),
            ..Default::default()
        };
        let set = self.admin.set_approvals(request).await;
        let is_good = !numbers.is_empty() && self.may_all(&numbers, false);
        assert_eq!(set.is_ok(), is_good, "{set:?}");
    }

    async fn stored<T: rpc::object::ObjectBody + Send + 'static>(&self) -> Vec<T> {
        let all = self.site.db.read(|r| r.list::<T>()).await.expect("read");
        all.into_iter().map(|(_, value)| value).collect()
    }

    /// The updates of a group, by number.
    async fn numbers(&self, code: &str) -> Vec<u8> {
        let group =
            self.stored::<UpdateGroup>().await.into_iter().find(|g| g.code.as_str() == code);
        let updates = group.expect("nobody deletes one").updates;
        Catalog::all().filter(|number| updates.contains(&Catalog::id(*number))).collect()
    }

    async fn deployed(&self) -> Deployed {
        let groups: Vec<UpdateGroup> = self.stored().await;
        let mut deployed = BTreeSet::new();
        for made in self.stored::<Deployment>().await {
            let by = match &made.origin {
                Origin::Approval => format!("approval for {}", made.collection),
                _ => made.id.to_string(),
            };
            let group = groups.iter().find(|group| group.code == made.group);
            let updates = &group.expect("nobody deletes one").updates;
            deployed.extend(updates.iter().map(|id| (by.clone(), *id)));
        }
        deployed
    }

    /// What entered, as far as it should not have.
    async fn wrong(&self, before: &Deployed, allowed: Allowed) -> Vec<(String, UpdateId)> {
        let entered = self.deployed().await;
        let is_wrong = |(_, id): &&(String, UpdateId)| {
            let number = u8::try_from(id.0.as_u128()).expect("a small catalog");
            !self.may_all(&[number], allowed == Allowed::Superseded)
        };
        entered.difference(before).filter(is_wrong).cloned().collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_that_is_out_enters_a_new_deployment(
        words in prop::collection::vec(any::<Word>(), 1..48),
    ) {
        let mut outcome = Ok(());
        run(async {
            let mut maker = Maker::new().await;
            for word in words {
                let before = maker.deployed().await;
                let allowed = maker.make(word).await;
                let wrong = maker.wrong(&before, allowed).await;
                if !wrong.is_empty() {
                    outcome = Err(TestCaseError::fail(format!("{word:?}: {wrong:?}")));
                    return;
                }
            }
        });
        outcome?;
    }
}
