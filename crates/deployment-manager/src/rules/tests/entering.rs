//! Whatever makes deployments here, and whatever becomes of the catalog meanwhile: nothing that is
//! superseded, expired or declined enters a new one (SUP-29, SUP-30, SUPX-05).

use std::collections::BTreeSet;

use model::{Due, Next, Origin, Phase, Phased, PhasedState, Success};
use proptest::prelude::*;
use testkit::catalogs::{Catalog, Word};

use super::*;
use crate::{Config, Deps};

const RULES: [(&str, &str); 4] = [
    ("PR10000A", "size < 2"),
    ("PR10000B", "size < 2"),
    ("PR10000C", "size < 2"),
    ("PR10000D", "size < 2 or superseded"),
];

/// Rules of every kind, and phased deployments, over a catalog that changes.
struct Maker {
    world: World,
    manager: DeploymentManager,
    catalog: Catalog,
    phased: u32,
}

/// What is deployed by what: approvals are decisions, whichever deployments say them.
type Deployed = BTreeSet<(String, UpdateId)>;

impl Maker {
    fn new() -> Maker {
        let world = world();
        let deps =
            Deps { db: world.db.clone(), wake: Arc::new(|_| ()), board: world.board.handle() };
        let manager = DeploymentManager::new(Config::default(), deps);
        let maker = Maker { world, manager, catalog: Catalog::default(), phased: 0 };
        Catalog::all().for_each(|number| maker.publish(number));
        for ((text, filter), style) in RULES.into_iter().zip(0..) {
            let plain = rule(filter);
            maker.world.put(&Rule {
                code: code(text),
                name: text.to_owned(),
                group_use: if style == 1 { GroupUse::Refill } else { plain.group_use },
                style: if style == 2 { Style::Approval } else { plain.style },
                ..plain
            });
        }
        maker
    }

    fn publish(&self, number: u8) {
        let (item, ruling) = (self.catalog.item(number), self.catalog.ruling(number));
        let changes = vec![Own::put(&item), Own::put(&ruling)];
        self.world.write(move |w| w.write_own(Group::Catalog, changes));
    }

    fn rule(&self, at: usize) -> Rule {
        let mut rules = self.world.list::<Rule>().into_iter();
        rules.find(|rule| rule.code == code(RULES[at].0)).expect("it was made")
    }

    async fn make(&mut self, (what, one, other): Word) {
        match what % 12 {
            0..=4 => {
                let changed = self.catalog.change((one / 16, one, other));
                self.publish(changed);
            }
            5..=7 => {
                let at = usize::from(one) % RULES.len();
                self.world.ask(&self.rule(at));
                self.world.step().await;
            }
            // What it takes was found out before the catalog changed.
            8 | 9 => {
                let rule = self.rule(usize::from(one) % RULES.len());
                let updates = Catalog::some(other).into_iter().map(Catalog::id).collect();
                let findings = Findings {
                    reason: "asked".to_owned(),
                    matched: Ok(Matched { updates, other_languages: Vec::new() }),
                    is_same: false,
                    seen: RuleSeen {
                        at: Timestamp(0),
                        catalog: 1,
                        digest: Vec::new(),
                        failed: None,
                    },
                };
                self.world.write(move |w| apply(w, &rule, &findings).map(drop));
            }
            10 => self.begin_phases(Catalog::some(one)),
            _ => {
                self.world.clock.advance_ms(DAY_MS);
                self.manager.step_phases().await.expect("a look");
            }
        }
    }

    /// Phases over updates that may be deployed now; what becomes of them later nobody knows.
    fn begin_phases(&mut self, mut updates: Vec<u8>) {
        updates.retain(|number| self.catalog.may_be_deployed(*number));
        self.phased += 1;
        let phase = Phase {
            name: "One".to_owned(),
            collection: code(ALL_SYSTEMS),
            success: Success::Count(0),
            next: Next::Automatic { after_days: 1 },
            gradual_days: 0,
            deadline: Due::Asap,
            started_at: None,
            succeeded_at: None,
            deployment: None,
        };
        let (group, phased) = (0x900 + self.phased, 0xA00 + self.phased);
        let group = code(&format!("PR1{group:05}"));
        let phased = Phased {
            code: code(&format!("PR1{phased:05}")),
            name: format!("Phases {phased}"),
            description: String::new(),
            group: group.clone(),
            phases: vec![phase; 3],
            state: PhasedState::Running,
            pause_above_failed_percent: None,
            template: deployment::default_template(),
            created_at: Timestamp(0),
        };
        let updates = updates.into_iter().map(Catalog::id).collect();
        let group = UpdateGroup::plain(group, "By hand".to_owned(), updates);
        self.world
            .write(move |w| w.write_own(Group::Control, vec![Own::put(&group), Own::put(&phased)]));
    }

    fn deployed(&self) -> Deployed {
        let groups = self.world.list::<UpdateGroup>();
        let mut deployed = BTreeSet::new();
        for made in self.world.list::<Deployment>() {
            let group = groups.iter().find(|group| group.code == made.group);
            let by = match &made.origin {
                Origin::Approval => format!("approval for {}", made.collection),
                Origin::Rule(rule) => format!("{rule} {}", made.id),
                _ => made.id.to_string(),
            };
            let updates = &group.expect("nobody takes groups away").updates;
            deployed.extend(updates.iter().map(|id| (by.clone(), *id)));
        }
        deployed
    }

    /// What entered, as far as it should not have.
    fn wrong(&self, before: &Deployed) -> Vec<(String, UpdateId)> {
        let entered = self.deployed();
        let is_wrong = |(by, id): &&(String, UpdateId)| {
            let number = u8::try_from(id.0.as_u128()).expect("a small catalog");
            // Its filter speaks of what is superseded.
            let asks = by.starts_with(RULES[3].0);
            !self.catalog.is_offered(number) || (!asks && self.catalog.is_superseded(number))
        };
        entered.difference(before).filter(is_wrong).cloned().collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_that_is_out_enters_a_new_deployment(
        words in prop::collection::vec(any::<Word>(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut maker = Maker::new();
            for word in words {
                let before = maker.deployed();
                maker.make(word).await;
                prop_assert_eq!(maker.wrong(&before), vec![]);
                // Reads that block would use up what a task may do before it rests.
                tokio::task::yield_now().await;
            }
            // All that may be deployed is, once a rule is asked.
            maker.world.ask(&maker.rule(1));
            maker.world.step().await;
            let group = maker.rule(1).group.expect("it was filled");
            let group = maker.world.list::<UpdateGroup>().into_iter().find(|g| g.code == group);
            let all = Catalog::all().filter(|number| maker.catalog.may_be_deployed(*number));
            let all: Vec<UpdateId> = all.map(Catalog::id).collect();
            prop_assert_eq!(group.expect("its group").updates, all);
            Ok(())
        })?;
    }
}
