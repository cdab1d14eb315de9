//! What holds for every plan.

use model::{
    ClientOptions, Effect, Hold, Origin, Rollout, SettingsProfile, Window, WindowKind, WindowZone,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

const CLIENTS: u8 = 8;
/// Collections are 0 to 3; there is no fourth.
const COLLECTIONS: u8 = 4;
const NOW: Timestamp = Timestamp(36 * 60 * 60 * 1000);

/// Members, and a collection whose members are none.
type CollectionSketch = (Vec<u8>, Option<u8>);

#[derive(Clone, Debug)]
struct DeploymentSketch {
    collection: u8,
    except: Option<u8>,
    owner: &'static str,
    is_enabled: bool,
    counts_only: bool,
    is_by_rule: bool,
    held_by: Option<&'static str>,
    days: Option<u8>,
}

#[derive(Clone, Debug)]
struct ProfileSketch {
    order: u32,
    collection: u8,
    enabled: Option<bool>,
    randomizes: Option<bool>,
}

#[derive(Clone, Debug)]
struct Sketch {
    collections: Vec<CollectionSketch>,
    deployments: Vec<DeploymentSketch>,
    profiles: Vec<ProfileSketch>,
    windows: Vec<u8>,
}

/// Near which site each client is, if it is there.
type Places = Vec<Option<bool>>;

fn owner() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just("PR1"), 3 => Just("CAS"), 1 => Just("PR2")]
}

/// Rarely one that is not here.
fn collection() -> impl Strategy<Value = u8> {
    prop_oneof![12 => 0..COLLECTIONS, 1 => Just(COLLECTIONS)]
}

fn deployment_sketch() -> impl Strategy<Value = DeploymentSketch> {
    let flags = (
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.1),
        any::<bool>(),
        option::weighted(0.2, owner()),
    );
    let targets = (collection(), option::weighted(0.3, collection()));
    (targets, owner(), flags, option::of(0_u8..4)).prop_map(|(targets, owner, flags, days)| {
        let ((collection, except), (is_enabled, counts_only, is_by_rule, held_by)) =
            (targets, flags);
        DeploymentSketch {
            collection,
            except,
            owner,
            is_enabled,
            counts_only,
            is_by_rule,
            held_by,
            days,
        }
    })
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let one = (vec(0..CLIENTS, 0..6), option::weighted(0.2, collection()));
    let collections = vec(one, usize::from(COLLECTIONS)).prop_map(|mut all| {
        // No circles: who is kept out of a collection is told by a later one.
        for (index, (_, without)) in (0_u8..).zip(&mut all) {
            *without = without.filter(|other| *other > index);
        }
        all
    });
    let flag = || option::weighted(0.4, any::<bool>());
    let profile = (1_u32..4, collection(), flag(), flag()).prop_map(
        |(order, collection, enabled, randomizes)| ProfileSketch {
            order,
            collection,
            enabled,
            randomizes,
        },
    );
    (collections, vec(deployment_sketch(), 0..6), vec(profile, 0..3), vec(collection(), 0..3))
        .prop_map(|(collections, deployments, profiles, windows)| Sketch {
            collections,
            deployments,
            profiles,
            windows,
        })
}

fn places() -> impl Strategy<Value = Places> {
    vec(option::weighted(0.8, any::<bool>()), usize::from(CLIENTS))
}

fn collection_code(index: u8) -> ObjectCode {
    code(&format!("PR10002{index}"))
}

fn yes_or_no(name: &str, value: Option<bool>) -> Option<(String, String)> {
    value.map(|value| (name.to_owned(), if value { "yes" } else { "no" }.to_owned()))
}

impl Sketch {
    fn audience(&self, places: &Places) -> Audience {
        let clients = |near: bool| -> Vec<u8> {
            let all = (0_u8..).zip(places);
            all.filter(|(_, place)| **place == Some(near)).map(|(client, _)| client).collect()
        };
        let collections: Vec<Collection> = (0_u8..)
            .zip(&self.collections)
            .map(|(index, (members, without))| {
                let mut collection = direct(collection_code(index).as_str(), members);
                collection
                    .rules
                    .extend(without.map(|other| CollectionRule::Exclude(collection_code(other))));
                collection
            })
            .collect();
        let near = vec![neighborhood("PR1", &clients(false)), neighborhood("SE1", &clients(true))];
        super::audience(near, &collections)
    }

    fn world(&self, places: &Places) -> World {
        let deployments = (10_u8..).zip(&self.deployments).map(|(number, sketch)| {
            let target = collection_code(sketch.collection);
            let mut owned = deployment(number, sketch.owner, "CAS00010", target.as_str());
            let deployment = &mut owned.deployment;
            deployment.enabled = sketch.is_enabled;
            deployment.except = sketch.except.map(collection_code).into_iter().collect();
            if sketch.counts_only {
                deployment.effect = Effect::Report;
            }
            if sketch.is_by_rule {
                deployment.origin = Origin::Rule(code("CAS00099"));
            }
            let rollout = |days| Rollout { from: Timestamp(0), days, stopped_at: None };
            deployment.rollout = sketch.days.map(rollout);
            owned
        });
        let holds = (10_u8..).zip(&self.deployments).filter_map(|(number, sketch)| {
            Some(Hold {
                deployment: DeploymentId(id(number)),
                site: site(sketch.held_by?),
                by: String::new(),
                at: NOW,
                reason: String::new(),
            })
        });
        let profiles = (0_u8..).zip(&self.profiles).map(|(index, sketch)| SettingsProfile {
            code: code(&format!("PR10003{index}")),
            name: String::new(),
            order: sketch.order,
            collections: vec![collection_code(sketch.collection)],
            values: yes_or_no("deadline.randomize", sketch.randomizes)
                .into_iter()
                .chain(yes_or_no("software_updates.enabled", sketch.enabled))
                .collect(),
        });
        let windows = (0_u8..).zip(&self.windows).map(|(index, target)| Window {
            code: code(&format!("PR10004{index}")),
            name: String::new(),
            collection: collection_code(*target),
            at: "0 1 * * SAT".to_owned(),
            zone: WindowZone::Client,
            minutes: 60,
            kind: WindowKind::All,
            is_enabled: true,
        });
        World {
            now: NOW,
            deployments: deployments.collect(),
            holds: holds.collect(),
            profiles: profiles.collect(),
            windows: windows.collect(),
            audience: self.audience(places),
            ..super::world()
        }
    }

    /// None: it cannot be told.
    fn has(&self, collection: u8, client: u8) -> Option<bool> {
        let (members, without) = self.collections.get(usize::from(collection))?;
        let kept_out = match without {
            Some(other) => self.has(*other, client)?,
            None => false,
        };
        Some(members.contains(&client) && !kept_out)
    }

    /// The value of a setting by the slow way; None: it cannot be told.
    fn setting(&self, client: u8, of: impl Fn(&ProfileSketch) -> Option<bool>) -> Option<bool> {
        let mut ranked: Vec<&ProfileSketch> = self.profiles.iter().collect();
        ranked.sort_by_key(|profile| profile.order);
        let mut found = None;
        for profile in ranked {
            if self.has(profile.collection, client)? && found.is_none() {
                found = of(profile);
            }
        }
        found
    }

    /// Whether a client gets a deployment, and whether it is spread there.
    fn expected(&self, number: usize, client: u8) -> Option<bool> {
        let DeploymentSketch { collection, except, owner, held_by, .. } = &self.deployments[number];
        let sketch = &self.deployments[number];
        let acts = |site: &str| site != "PR2";
        let unknown_switch = self.profiles.iter().any(|profile| {
            profile.enabled.is_some() && self.has(profile.collection, client).is_none()
        });
        let stands = acts(owner)
            && sketch.is_enabled
            && !sketch.counts_only
            && !held_by.is_some_and(acts)
            && !unknown_switch
            && self.windows.iter().all(|target| self.has(*target, client).is_some());
        let is_target = self.has(*collection, client) == Some(true)
            && except.is_none_or(|except| self.has(except, client) == Some(false));
        let known = |profile: &&ProfileSketch| self.has(profile.collection, client).is_some();
        let told = Sketch {
            profiles: self.profiles.iter().filter(known).cloned().collect(),
            ..self.clone()
        };
        let is_on = told.setting(client, |profile| profile.enabled).unwrap_or(true);
        let is_spread = told.setting(client, |profile| profile.randomizes).unwrap_or(false)
            || sketch.is_by_rule;
        // Growth is the business of its own tests.
        (stands && is_target && is_on).then_some(is_spread)
    }
}

/// What each client is told, without indices.
fn told(plan: &PolicyPlan) -> BTreeMap<ClientId, Vec<Part>> {
    let part = |index: &u32| plan.parts[*index as usize].clone();
    let told = |plan: &ClientPlan| (plan.client, plan.parts.iter().map(part).collect());
    plan.clients.iter().map(told).collect()
}

fn assignments(parts: &[Part]) -> BTreeMap<DeploymentId, bool> {
    let one = |part: &Part| match part {
        Part::Assignment(part) => Some((part.deployment, part.spread_minutes > 0)),
        _ => None,
    };
    parts.iter().filter_map(one).collect()
}

fn only(place: Option<bool>, is_meant: bool) -> Option<bool> {
    place.filter(|_| is_meant)
}

proptest! {
    #[test]
    fn a_client_gets_what_is_meant_for_it_and_nothing_else(
        sketch in sketch(), places in places(),
    ) {
        let mut sketch = sketch;
        sketch.deployments.iter_mut().for_each(|deployment| deployment.days = None);
        let told = told(&plan_assignments(&sketch.world(&places)));
        for client in (0..CLIENTS).filter(|client| places[usize::from(*client)].is_some()) {
            let expected: BTreeMap<DeploymentId, bool> = (0..sketch.deployments.len())
                .filter_map(|index| {
                    let number = 10 + u8::try_from(index).expect("there are few");
                    Some((DeploymentId(id(number)), sketch.expected(index, client)?))
                })
                .collect();
            prop_assert_eq!(assignments(&told[&ClientId(id(client))]), expected);
        }
        prop_assert_eq!(told.len(), places.iter().flatten().count());
    }

    #[test]
    fn order_means_nothing(sketch in sketch(), places in places(), turn in 0_usize..6) {
        let world = sketch.world(&places);
        let mut turned = world.clone();
        let rotate = |n: usize| if n == 0 { 0 } else { turn % n };
        let n = rotate(turned.deployments.len());
        turned.deployments.rotate_left(n);
        let n = rotate(turned.profiles.len());
        turned.profiles.rotate_left(n);
        turned.windows.reverse();
        turned.holds.reverse();
        turned.audience.neighborhoods.reverse();
        let (plan, other) = (plan_assignments(&world), plan_assignments(&turned));
        prop_assert_eq!(told(&plan), told(&other));
        prop_assert_eq!(&plan.deployments, &other.deployments);
        prop_assert_eq!(&plan, &plan_assignments(&world));
    }

    #[test]
    fn without_a_deployment_only_its_effects_are_gone(
        sketch in sketch(), places in places(), which in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!sketch.deployments.is_empty());
        let mut world = sketch.world(&places);
        let before = plan_assignments(&world);
        let gone = world.deployments.remove(which.index(sketch.deployments.len())).deployment.id;
        let after = plan_assignments(&world);
        let mut expected = told(&before);
        for parts in expected.values_mut() {
            parts.retain(|part| !matches!(part, Part::Assignment(a) if a.deployment == gone));
        }
        prop_assert_eq!(told(&after), expected);
        let mut outcomes = before.deployments;
        outcomes.remove(&gone);
        prop_assert_eq!(after.deployments, outcomes);
    }

    /// Of a window, a profile, a hold, or what a collection says of one client: those whom it does
    /// not concern keep every part they have.
    #[test]
    fn whatever_is_taken_away_takes_away_nothing_else(
        sketch in sketch(), places in places(), kind in 0_u8..4,
        which in any::<prop::sample::Index>(),
    ) {
        let mut world = sketch.world(&places);
        let before = told(&plan_assignments(&world));
        let of = |count: usize| (count > 0).then(|| which.index(count));
        let (mut target, mut held) = (None, None);
        match kind {
            0 => if let Some(at) = of(world.windows.len()) {
                world.windows.remove(at);
                target = Some(sketch.windows[at]);
            },
            1 => if let Some(at) = of(world.profiles.len()) {
                world.profiles.remove(at);
                target = Some(sketch.profiles[at].collection);
            },
            2 => if let Some(at) = of(world.holds.len()) {
                held = Some(world.holds.remove(at).deployment);
            },
            _ => {
                let at = which.index(usize::from(COLLECTIONS));
                let mut without = sketch.clone();
                let gone = without.collections[at].0.pop();
                world.audience = without.audience(&places);
                let after = told(&plan_assignments(&world));
                for client in (0..CLIENTS).filter(|client| Some(*client) != gone) {
                    let client = ClientId(id(client));
                    prop_assert_eq!(before.get(&client), after.get(&client));
                }
                return Ok(());
            }
        }
        let after = told(&plan_assignments(&world));
        for client in 0..CLIENTS {
            let is_concerned = target.is_none_or(|of| sketch.has(of, client) != Some(false));
            let rest = |told: &BTreeMap<ClientId, Vec<Part>>| -> Option<Vec<Part>> {
                let mut parts = told.get(&ClientId(id(client)))?.clone();
                let is_held = |part: &Part| {
                    matches!(part, Part::Assignment(one) if Some(one.deployment) == held)
                };
                parts.retain(|part| !is_held(part));
                Some(parts)
            };
            if held.is_some() || !is_concerned {
                prop_assert_eq!(rest(&before), rest(&after));
            }
        }
    }

    #[test]
    fn planning_changed_clients_alone_gives_what_planning_all_gives(
        sketch in sketch(), before in places(), after in places(), touched in vec(any::<bool>(), 8),
    ) {
        let after: Places = (0..before.len())
            .map(|index| if touched[index] { after[index] } else { before[index] })
            .collect();
        let mut planner = Planner::new(&sketch.world(&before));
        let old = told(planner.plan());
        let changed: Places = (0..after.len()).map(|i| only(after[i], touched[i])).collect();
        let gone: Vec<ClientId> = (0..CLIENTS)
            .filter(|client| after[usize::from(*client)].is_none())
            .map(|client| ClientId(id(client)))
            .collect();
        let woken = planner.apply(&sketch.audience(&changed), &gone);
        let expected = plan_assignments(&sketch.world(&after));
        let new = told(&expected);
        let differs: Vec<ClientId> =
            new.iter().filter(|(client, parts)| old.get(client) != Some(parts))
                .map(|(client, _)| *client).collect();
        prop_assert_eq!(woken, Some(differs));
        prop_assert_eq!(told(planner.plan()), new);
        prop_assert_eq!(&planner.plan().deployments, &expected.deployments);
    }
}

/// The world of the other tests, where a profile for everybody says this.
fn set(name: &str, value: &str) -> World {
    let all = code(model::ALL_SYSTEMS);
    let values = vec![(name.to_owned(), value.to_owned())];
    let profile = SettingsProfile {
        code: code("PR100030"),
        name: String::new(),
        order: 1,
        collections: vec![all],
        values,
    };
    World { profiles: vec![profile], ..world() }
}

#[test]
fn updates_are_switched_off_and_on_again() {
    let mut before = world();
    let url = "https://sup".to_owned();
    let sup = ServerRef { kind: RoleKind::SoftwareUpdatePoint, site: site("PR1"), url, ..server() };
    let near = &mut before.audience.neighborhoods;
    near.iter_mut().for_each(|near| near.servers.servers.push(sup.clone()));
    let off = World { audience: before.audience.clone(), ..set("software_updates.enabled", "no") };
    expect![[r#"
        part 0: settings, catalog 12
        part 1: options software_updates.enabled=no
        part 2: servers PR1/mp https://mp.PR1
        part 3: servers SE1/mp https://mp.SE1
        client 00000000-0000-0000-0000-000000000001: parts [0, 2, 1]
        client 00000000-0000-0000-0000-000000000002: parts [0, 3, 1]
        client 00000000-0000-0000-0000-000000000003: parts [0, 2, 1]
        deployment 00000000-0000-0000-0000-000000000001: 4 updates for 0 clients
        deployment 00000000-0000-0000-0000-000000000002: 4 updates for 0 clients
    "#]]
    .assert_eq(&plan_assignments(&off).to_string());
    let on = World { profiles: Vec::new(), ..off };
    assert_eq!(plan_assignments(&on), plan_assignments(&before));
}

fn server() -> ServerRef {
    neighborhood("PR1", &[]).servers.servers.remove(0)
}

#[test]
fn a_held_deployment_is_taken_back_and_comes_again() {
    let hold = |by: &str| Hold {
        deployment: DeploymentId(id(2)),
        site: site(by),
        by: "admin".to_owned(),
        at: NOW,
        reason: String::new(),
    };
    let held = |by| outcomes(&[&|world| world.holds = vec![hold(by)]]);
    expect!["held by PR1\n"].assert_eq(&held("PR1"));
    expect!["held by CAS\n"].assert_eq(&held("CAS"));
    expect!["4 updates for 1 clients\n"].assert_eq(&held("PR2"));
}

#[test]
fn what_only_counts_or_excepts_somebody_unknown_gives_nobody_anything() {
    let text = outcomes(&[
        &|world| world.deployments[0].deployment.effect = Effect::Report,
        &|world| world.deployments[0].deployment.except = vec![code("CAS00077")],
        &|world| {
            let mut collection = direct("PR100020", &[2]);
            collection.rules.push(CollectionRule::Exclude(code("CAS00078")));
            world.audience = with_collections(&world.audience, &[collection]);
        },
        &|world| {
            let all = [direct("PR100020", &[2, 3]), direct("PR100021", &[3])];
            world.audience = with_collections(&world.audience, &all);
            world.deployments[0].deployment.except = vec![code("PR100021")];
        },
    ]);
    expect![[r#"
        only counts who complies
        waiting for CAS00077 of CAS
        waiting for CAS00078 of CAS
        4 updates for 1 clients
    "#]]
    .assert_eq(&text);
}

#[test]
fn options_of_a_profile_that_waits_stay() {
    let mut world = set("grace.hours", "12");
    world.profiles[0].collections = vec![code("CAS00077")];
    let plan = plan_assignments(&world);
    assert!(plan.parts.iter().all(|part| !matches!(part, Part::Options(_))));
    let names: Vec<Sha256> = (0..).map(|name| Sha256([name; 32])).take(plan.parts.len()).collect();
    let named = |name, deployment| NamedPart { sha256: Sha256([name; 32]), deployment };
    let old = [named(70, None), named(71, Some(OPTIONS)), named(72, Some(WINDOWS))];
    let parts = head_parts(&plan, &plan.clients[0], &names, &old);
    assert!(parts.contains(&old[1]), "the options of before stay");
    assert!(!parts.contains(&old[2]), "windows are known: there are none");
}

#[test]
fn a_client_that_is_off_keeps_nothing_that_waits() {
    let mut world = set("software_updates.enabled", "no");
    world.groups.clear();
    let plan = plan_assignments(&world);
    let names = vec![Sha256([9; 32]); plan.parts.len()];
    let old = NamedPart { sha256: Sha256([71; 32]), deployment: Some(DeploymentId(id(1))) };
    assert!(!head_parts(&plan, &plan.clients[0], &names, &[old]).contains(&old));
}

#[test]
fn a_switch_that_cannot_be_seen_changes_nothing() {
    let mut world = set("software_updates.enabled", "no");
    world.profiles[0].collections = vec![code("CAS00077")];
    let plan = plan_assignments(&world);
    let waits = |outcome: &Outcome| matches!(outcome, Outcome::Waiting(_));
    assert!(plan.deployments.values().all(waits), "{plan}");
}

#[test]
fn a_switch_to_on_that_cannot_be_seen_takes_nothing_away() {
    let mut world = set("software_updates.enabled", "no");
    let on = SettingsProfile {
        code: code("PR100031"),
        order: 0,
        collections: vec![code("CAS00077")],
        values: vec![("software_updates.enabled".to_owned(), "yes".to_owned())],
        ..world.profiles[0].clone()
    };
    world.profiles.push(on);
    let plan = plan_assignments(&world);
    let names: Vec<Sha256> = (0..).map(|name| Sha256([name; 32])).take(plan.parts.len()).collect();
    let named = |name, deployment| NamedPart { sha256: Sha256([name; 32]), deployment };
    let old = [named(71, Some(SERVERS)), named(72, Some(DeploymentId(id(1))))];
    let parts = head_parts(&plan, &plan.clients[0], &names, &old);
    assert!(old.iter().all(|part| parts.contains(part)), "{parts:?}");
    assert_eq!(parts.iter().filter(|part| part.deployment == Some(SERVERS)).count(), 1);
}

#[test]
fn clients_are_told_of_options_that_differ_and_of_their_windows() {
    let mut world = set("grace.hours", "12");
    world.windows.push(Window {
        code: code("PR100040"),
        name: "Night".to_owned(),
        collection: code("PR100020"),
        at: "0 1 * * SAT".to_owned(),
        zone: WindowZone::Client,
        minutes: 60,
        kind: WindowKind::Updates,
        is_enabled: true,
    });
    let told = told(&plan_assignments(&world));
    let has_windows = |parts: &Vec<Part>| {
        parts.iter().any(|part| matches!(part, Part::Windows(list) if list.windows.len() == 1))
    };
    let with: Vec<&ClientId> =
        told.iter().filter(|(_, parts)| has_windows(parts)).map(|(client, _)| client).collect();
    assert_eq!(with, [&ClientId(id(2))]);
    let values = vec![("grace.hours".to_owned(), "12".to_owned())];
    let options = Part::Options(ClientOptions { values });
    assert!(told.values().all(|parts| parts.contains(&options)));
}
