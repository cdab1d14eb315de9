//! `tierline boundary` and `boundary-group`: places in the network, and the servers used from
//! there.

use clap::{ArgGroup, Args, Subcommand};
use rpc::pb::admin as pb;
use rpc::pb::admin::ChangeBoundaryGroupRequest as Change;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Boundary {
    /// Makes boundaries
    #[command(after_help = "Example:\n  \
        tierline boundary create 10.1.2.0/24 2001:db8::/48 10.1.3.10-10.1.3.99")]
    Create {
        /// A subnet, an IPv6 prefix, a range, or "vpn auto", "vpn name TEXT", "vpn description
        /// TEXT"
        #[arg(required = true, value_name = "SCOPE")]
        scopes: Vec<String>,
        /// What people call the place
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
    },
    /// The boundaries of all sites
    #[command(after_help = "Example:\n  tierline boundary list --group PR100001 -o csv")]
    List {
        /// Only those of a boundary group
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        group: String,
    },
    /// One boundary and the groups it is in
    #[command(after_help = "Example:\n  tierline boundary show PR100001")]
    Show { code: String },
    /// Deletes boundaries that are in no group
    #[command(after_help = "Example:\n  tierline boundary delete PR100001")]
    Delete {
        #[arg(required = true)]
        codes: Vec<String>,
    },
    /// Which groups an address is in, and which servers are used from there, best first
    #[command(after_help = "Example:\n  tierline boundary which 10.1.2.77\n  \
        tierline boundary which --client 01939c3e-7f00-7000-8000-000000000001")]
    Which {
        /// [default: where the client was seen last]
        #[arg(default_value = "", hide_default_value = true)]
        #[arg(required_unless_present = "client")]
        address: String,
        /// For this computer
        #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
        client: String,
    },
}

impl Boundary {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Boundary::Create { scopes, description } => {
                desk.show(pb::CreateBoundariesRequest { scopes, description }).await
            }
            Boundary::List { group } => desk.show(pb::ListBoundariesRequest { group }).await,
            Boundary::Show { code } => desk.show(pb::GetBoundaryRequest { code }).await,
            Boundary::Delete { codes } => desk.show(pb::DeleteBoundariesRequest { codes }).await,
            Boundary::Which { address, client } => {
                desk.show(pb::ExplainAddressRequest { address, client }).await
            }
        }
    }
}

/// Boundaries and servers of a group.
#[derive(Args, Debug)]
pub(crate) struct Members {
    /// A boundary by code; may be given several times
    #[arg(long = "boundary", value_name = "CODE")]
    boundaries: Vec<String>,
    /// A server by id, or all roles of a name; may be given several times
    #[arg(long = "system", value_name = "ROLE")]
    systems: Vec<String>,
}

/// What is put into a group, or taken out of it: at least one.
fn any_member() -> ArgGroup {
    ArgGroup::new("member").args(["boundaries", "systems"]).required(true).multiple(true)
}

#[derive(Debug, Subcommand)]
pub(crate) enum BoundaryGroup {
    /// Makes a boundary group
    #[command(after_help = "Example:\n  tierline boundary-group create Berlin \
        --boundary PR100001 --system BER-DP --assign PR1")]
    Create {
        name: String,
        #[command(flatten)]
        members: Members,
        /// The primary site that new computers there are assigned to
        #[arg(long, value_name = "SITE", default_value = "", hide_default_value = true)]
        assign: String,
    },
    /// The boundary groups of all sites, and each site's default group
    #[command(after_help = "Example:\n  tierline boundary-group list")]
    List,
    /// One boundary group with its servers and links
    #[command(after_help = "Example:\n  tierline boundary-group show PR100001\n  \
        tierline boundary-group show Default-Site-Boundary-GroupPR1")]
    Show { code: String },
    /// Puts boundaries and servers into a group
    #[command(after_help = "Example:\n  \
        tierline boundary-group add PR100001 --boundary PR100002 --system BER-DP")]
    #[command(group(any_member()))]
    Add {
        code: String,
        #[command(flatten)]
        members: Members,
    },
    /// Takes boundaries and servers out of a group
    #[command(after_help = "Example:\n  \
        tierline boundary-group remove PR100001 --boundary PR100002")]
    #[command(group(any_member()))]
    Remove {
        code: String,
        #[command(flatten)]
        members: Members,
    },
    /// Lets a group fall back on the servers of another, or on a site's default group
    #[command(after_help = "Example:\n  \
        tierline boundary-group relate PR100001 PR100002 --minutes 30 --sup never\n  \
        tierline boundary-group relate PR100001 Default-Site-Boundary-GroupPR1 --minutes never")]
    Relate {
        code: String,
        to: String,
        #[command(flatten)]
        fallback: Fallback,
        /// Ends the link
        #[arg(long, conflicts_with_all = ["minutes", "dp", "sup", "mp"])]
        end: bool,
    },
    /// Changes the name, the assigned site and the options of a group
    #[command(after_help = "Example:\n  \
        tierline boundary-group set PR100001 --name Potsdam --peers false")]
    Set {
        code: String,
        #[command(flatten)]
        changes: Changes,
    },
    /// Deletes a boundary group that no other has a link to
    #[command(after_help = "Example:\n  tierline boundary-group delete PR100001")]
    Delete { code: String },
}

/// After how many minutes servers of another group are used.
#[derive(Args, Debug)]
pub(crate) struct Fallback {
    /// Of every kind: a number, or never [default: 120]
    #[arg(long, default_value = "", hide_default_value = true)]
    minutes: String,
    /// Of distribution points only
    #[arg(long, value_name = "MINUTES")]
    dp: Option<String>,
    /// Of software update points only
    #[arg(long, value_name = "MINUTES")]
    sup: Option<String>,
    /// Of management points only
    #[arg(long, value_name = "MINUTES")]
    mp: Option<String>,
}

/// What is not given stays.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(crate) struct Changes {
    #[arg(long)]
    name: Option<String>,
    /// The primary site that new computers there are assigned to
    #[arg(long, value_name = "SITE", conflicts_with = "no_assign")]
    assign: Option<String>,
    /// Does not assign computers any more
    #[arg(long)]
    no_assign: bool,
    /// Computers may fetch content from each other
    #[arg(long, value_name = "BOOL")]
    peers: Option<bool>,
    /// But only within a subnet
    #[arg(long, value_name = "BOOL")]
    subnet_peers_only: Option<bool>,
    /// Distribution points before computers of the subnet
    #[arg(long, value_name = "BOOL")]
    points_before_peers: Option<bool>,
    /// Cloud sources before distribution points
    #[arg(long, value_name = "BOOL")]
    prefer_cloud: Option<bool>,
}

impl BoundaryGroup {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            BoundaryGroup::Create { name, members, assign } => {
                let Members { boundaries, systems } = members;
                let assigned_site = assign;
                let request =
                    pb::CreateBoundaryGroupRequest { name, boundaries, systems, assigned_site };
                desk.show(request).await
            }
            BoundaryGroup::List => desk.show(pb::ListBoundaryGroupsRequest {}).await,
            BoundaryGroup::Show { code } => desk.show(pb::GetBoundaryGroupRequest { code }).await,
            BoundaryGroup::Delete { code } => {
                desk.show(pb::DeleteBoundaryGroupRequest { code }).await
            }
            BoundaryGroup::Add { code, members: Members { boundaries, systems } } => {
                let (add_boundaries, add_systems) = (boundaries, systems);
                let change = Change { add_boundaries, add_systems, ..Change::default() };
                desk.show(Change { code, ..change }).await
            }
            BoundaryGroup::Remove { code, members: Members { boundaries, systems } } => {
                let (remove_boundaries, remove_systems) = (boundaries, systems);
                let change = Change { remove_boundaries, remove_systems, ..Change::default() };
                desk.show(Change { code, ..change }).await
            }
            BoundaryGroup::Relate { code, to, end: true, fallback: _ } => {
                desk.show(Change { code, unrelate: vec![to], ..Change::default() }).await
            }
            BoundaryGroup::Relate { code, to, end: false, fallback } => {
                let relate = vec![fallback.link(to)];
                desk.show(Change { code, relate, ..Change::default() }).await
            }
            BoundaryGroup::Set { code, changes } => desk.show(changes.request(code)).await,
        }
    }
}

impl Fallback {
    fn link(self, to: String) -> pb::BoundaryLink {
        let Fallback { minutes, dp, sup, mp } = self;
        let [dp, sup, mp] = [dp, sup, mp].map(|own| own.unwrap_or(minutes.clone()));
        pb::BoundaryLink { to, dp, sup, mp, implied: false }
    }
}

impl Changes {
    fn request(self, code: String) -> Change {
        Change {
            code,
            name: self.name,
            assigned_site: self.assign.or(self.no_assign.then(String::new)),
            peers: self.peers,
            subnet_peers_only: self.subnet_peers_only,
            points_before_peers: self.points_before_peers,
            prefer_cloud: self.prefer_cloud,
            ..Change::default()
        }
    }
}
