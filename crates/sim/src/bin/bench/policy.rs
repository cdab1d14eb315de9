//! Planning the policy of 150,000 clients, beside a join over the same pairs in SQLite, which
//! knows whom a collection has and which deployments aim at it, and nothing else.
//!
//! Owns both sides, in turns, over the same collections and deployments. Fails if they count other
//! pairs, or if planning changed clients alone gives another plan.

use std::collections::{BTreeMap, BTreeSet};

use ambient::Ambient;
use anyhow::{Result, ensure};
use deployment::{
    Audience, Memberships, Neighborhood, OwnedDeployment, Planner, PolicyPlan, Population,
    Rulebook, World,
};
use model::{
    ClientId, ClientSettings, Collection, CollectionRule, Deployment, DeploymentId, Item, ItemFile,
    ObjectCode, Package, PackageFile, ServerList, Sha1, Sha256, SiteCode, Timestamp, UpdateGroup,
    UpdateId,
};
use rusqlite::Connection;

use crate::machine::{Meter, Spread};

const CLIENTS: usize = 150_000;
/// How many collections have one client in so many, and how many deployments aim at such ones.
const SIZES: [(usize, usize, usize); 3] = [(5, 2, 20), (95, 20, 180), (900, 333, 300)];
/// Of each deployment, in a package.
const UPDATES: usize = 50;
const CHANGED: usize = 100;
const SEED: u64 = 7_003;
/// After one turn that does not count.
const TURNS: usize = 7;

struct Scene {
    clients: Vec<ClientId>,
    collections: Rulebook,
    deployments: Vec<OwnedDeployment>,
    groups: BTreeMap<ObjectCode, UpdateGroup>,
    items: BTreeMap<UpdateId, Item>,
    package: Package,
}

#[derive(Default)]
struct Turn {
    rules: f64,
    members: f64,
    plan: f64,
    members_changed: f64,
    plan_changed: f64,
    join: f64,
}

pub(crate) fn run() -> Result<()> {
    let scene = Scene::new()?;
    let database = scene.database()?;
    let (mut turns, mut pairs) = (Vec::new(), 0);
    for _ in 0..=TURNS {
        let (turn, found) = scene.turn(&database)?;
        turns.push(turn);
        pairs = found;
    }
    let turns = &turns[1..];
    let row = |name: &str, value: &dyn Fn(&Turn) -> f64| {
        let spread: Spread = turns.iter().map(value).collect();
        println!("| {name} | {spread:.4} |");
    };
    println!("\n## Policy\n");
    let (collections, deployments) =
        (scene.collections.collections().len(), scene.deployments.len());
    println!(
        "{CLIENTS} clients, {collections} collections, {deployments} deployments of {UPDATES}"
    );
    println!("updates, {pairs} assignments to clients\n");
    println!("| {TURNS} turns, without turn 0 | median (min–max) |\n| --- | ---: |");
    row("rules of all collections, once for many evaluations, s", &|turn| turn.rules);
    row("members of all collections, s", &|turn| turn.members);
    row("a plan for all clients, s", &|turn| turn.plan);
    row(&format!("members among {CHANGED} changed clients, s"), &|turn| turn.members_changed);
    row(&format!("a plan for {CHANGED} changed clients, s"), &|turn| turn.plan_changed);
    row("the pairs by a join in SQLite, s", &|turn| turn.join);
    row("**plan / join**", &|turn| turn.plan / turn.join);
    Ok(())
}

fn site() -> Result<SiteCode> {
    Ok(SiteCode::new("PR1")?)
}

impl Scene {
    fn new() -> Result<Scene> {
        let chance = Ambient::seeded(SEED, 0);
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| ClientId(chance.random_id())).collect();
        clients.sort_unstable();
        let (mut collections, mut deployments) = (BTreeMap::new(), Vec::new());
        let (mut groups, mut items, mut files) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for (how_many, one_in, aimed) in SIZES {
            let mut codes = Vec::new();
            for _ in 0..how_many {
                let number = u32::try_from(collections.len())?;
                let code = ObjectCode::numbered(site()?, number)?;
                let start = usize::try_from(chance.random_u64() % one_in as u64)?;
                let members = clients.iter().skip(start).step_by(one_in);
                let rules = members.map(|client| CollectionRule::Direct(*client)).collect();
                let name = format!("collection {number}");
                collections.insert(code.clone(), Collection::plain(code.clone(), name, rules));
                codes.push(code);
            }
            for index in 0..aimed {
                let number = u32::try_from(deployments.len())?;
                let group = ObjectCode::numbered(site()?, 0x8_0000 + number)?;
                let updates: Vec<Item> = (0..UPDATES).map(|_| item(&chance)).collect();
                let ids = updates.iter().map(|item| item.update.id).collect();
                groups.insert(group.clone(), UpdateGroup::plain(group.clone(), String::new(), ids));
                files.extend(updates.iter().map(package_file));
                items.extend(updates.into_iter().map(|item| (item.update.id, item)));
                let id = DeploymentId(chance.random_id());
                let target = codes[index % codes.len()].clone();
                let deployment = Deployment::plain(id, group, target, Timestamp(0));
                deployments.push(OwnedDeployment { owner: site()?, deployment });
            }
        }
        let package = Package {
            code: ObjectCode::numbered(site()?, 0xf_0000)?,
            name: String::new(),
            description: String::new(),
            site: site()?,
            version: 2,
            files,
        };
        let collections = Rulebook::new(collections);
        Ok(Scene { clients, collections, deployments, groups, items, package })
    }

    fn database(&self) -> Result<Connection> {
        let mut database = Connection::open_in_memory()?;
        database.execute_batch(
            "CREATE TABLE member (collection TEXT, client BLOB, PRIMARY KEY (collection, client))
               STRICT, WITHOUT ROWID;
             CREATE TABLE deployment (id BLOB PRIMARY KEY, collection TEXT NOT NULL)
               STRICT, WITHOUT ROWID;",
        )?;
        let write = database.transaction()?;
        for (code, collection) in self.collections.collections() {
            let mut add = write.prepare_cached("INSERT INTO member VALUES (?1, ?2)")?;
            for rule in &collection.rules {
                if let CollectionRule::Direct(client) = rule {
                    add.execute((code.as_str(), client.as_bytes()))?;
                }
            }
        }
        for OwnedDeployment { deployment, .. } in &self.deployments {
            let values = (deployment.id.as_bytes(), deployment.collection.as_str());
            write.execute("INSERT INTO deployment VALUES (?1, ?2)", values)?;
        }
        write.commit()?;
        Ok(database)
    }

    fn audience(&self, clients: &[ClientId]) -> Result<Audience> {
        let servers = ServerList { servers: Vec::new() };
        let neighborhoods = vec![Neighborhood { servers, clients: clients.to_vec() }];
        let roster = Neighborhood::roster(&neighborhoods);
        let population = Population {
            roster: &roster,
            clients: &BTreeMap::new(),
            inventories: &deployment::Inventories::default(),
            board: None,
            items: &BTreeMap::new(),
            kept: &BTreeMap::new(),
            now: Timestamp(0),
            site: site()?,
        };
        let memberships = Memberships::evaluate(&self.collections, &population);
        Ok(Audience { roster, memberships, neighborhoods })
    }

    fn world(&self, audience: Audience) -> Result<World> {
        Ok(World {
            site: site()?,
            top: site()?,
            now: Timestamp(0),
            groups: self.groups.clone(),
            deployments: self.deployments.clone(),
            holds: Vec::new(),
            packages: BTreeMap::from([(self.package.code.clone(), self.package.clone())]),
            items: self.items.clone(),
            declined: BTreeSet::new(),
            update_settings: BTreeMap::new(),
            settings: ClientSettings {
                policy_poll_ms: 1,
                state_batch_ms: 1,
                scan_interval_ms: 1,
                catalog_version: 1,
            },
            profiles: Vec::new(),
            windows: Vec::new(),
            audience,
        })
    }

    fn turn(&self, database: &Connection) -> Result<(Turn, usize)> {
        let mut turn = Turn::default();
        let collections = self.collections.collections().clone();
        let meter = Meter::start()?;
        let read = Rulebook::new(collections);
        turn.rules = meter.stop()?.wall;
        drop(read);
        let meter = Meter::start()?;
        let audience = self.audience(&self.clients)?;
        turn.members = meter.stop()?.wall;
        let world = self.world(audience)?;
        let meter = Meter::start()?;
        let planner = Planner::new(&world);
        turn.plan = meter.stop()?.wall;
        let meter = Meter::start()?;
        let pairs = join(database)?;
        turn.join = meter.stop()?.wall;
        ensure!(assignments(planner.plan()) == pairs, "SQLite has {pairs} pairs");
        // Those clients come late.
        let step = CLIENTS / CHANGED;
        let late: Vec<ClientId> = self.clients.iter().step_by(step).copied().collect();
        let early: Vec<ClientId> = self
            .clients
            .iter()
            .filter(|client| late.binary_search(client).is_err())
            .copied()
            .collect();
        let mut followed = Planner::new(&self.world(self.audience(&early)?)?);
        let meter = Meter::start()?;
        let changed = self.audience(&late)?;
        turn.members_changed = meter.stop()?.wall;
        let meter = Meter::start()?;
        let woken = followed.apply(&changed, &[]);
        turn.plan_changed = meter.stop()?.wall;
        ensure!(woken.is_some_and(|woken| woken.len() == CHANGED), "others are woken");
        ensure!(followed.plan() == planner.plan(), "the plans differ");
        Ok((turn, pairs))
    }
}

fn assignments(plan: &PolicyPlan) -> usize {
    // Settings and servers are no assignments.
    plan.clients.iter().map(|client| client.parts.len() - 2).sum()
}

fn join(database: &Connection) -> Result<usize> {
    let sql = "SELECT m.client, d.id FROM deployment d JOIN member m USING (collection)
               ORDER BY m.client, d.id";
    let mut query = database.prepare_cached(sql)?;
    let mut rows = query.query(())?;
    let mut pairs = 0;
    while let Some(row) = rows.next()? {
        let (client, id): ([u8; 16], [u8; 16]) = (row.get(0)?, row.get(1)?);
        pairs += usize::from(client != id);
    }
    Ok(pairs)
}

fn item(chance: &Ambient) -> Item {
    let mut item = testkit::objects::item(1);
    item.update.id = UpdateId(chance.random_id());
    let mut sha1 = [0; 20];
    sha1[..16].copy_from_slice(item.update.id.as_bytes());
    let name = format!("{}.cab", item.update.id);
    item.files = vec![ItemFile { name, size: 1, sha1: Sha1(sha1), sha256: None }];
    item
}

fn package_file(item: &Item) -> PackageFile {
    let ItemFile { name, size, sha1, .. } = item.files[0].clone();
    PackageFile { update: item.update.id, name, size, sha1, sha256: Sha256([1; 32]), weak: true }
}
