//! `tierline collection`: which computers are meant.

use clap::{Args, Subcommand};
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Collection {
    /// Makes a collection of computers by name, by queries and by other collections
    #[command(after_help = "Example:\n  tierline collection create Pilots --where \
        'domain = \"corp.example\" and not installed(\"KB5034441\")' --exclude CAS00002")]
    Create(Create),
    /// Changes a collection; what is not named stays
    #[command(after_help = "Example:\n  tierline collection change CAS00001 \
        --remove-query 'query 1' --where 'domain = \"corp.example\"'")]
    Change(Box<Change>),
    /// Makes the members of other collections members
    #[command(after_help = "Example:\n  tierline collection include CAS00001 CAS00002")]
    Include {
        code: String,
        #[arg(required = true)]
        others: Vec<String>,
        /// Includes them no longer
        #[arg(long)]
        remove: bool,
    },
    /// Keeps the members of other collections out
    #[command(after_help = "Example:\n  tierline collection exclude CAS00001 CAS00002")]
    Exclude {
        code: String,
        #[arg(required = true)]
        others: Vec<String>,
        /// Excludes them no longer
        #[arg(long)]
        remove: bool,
    },
    /// Deletes a collection that nothing uses
    #[command(after_help = "Example:\n  tierline collection delete CAS00001")]
    Delete { code: String },
    /// Evaluates a collection in full now
    #[command(after_help = "Example:\n  tierline collection evaluate CAS00001")]
    Evaluate { code: String },
    /// The collections of all sites
    #[command(after_help = "Example:\n  tierline collection list")]
    List,
    /// One collection and its rules
    #[command(after_help = "Example:\n  tierline collection show SMS00001")]
    Show { code: String },
    /// The computers in a collection
    #[command(after_help = "Example:\n  tierline collection members SMS00001 -o csv")]
    Members { code: String },
    /// The computers that a query means
    #[command(after_help = "Example:\n  \
        tierline collection preview 'name like \"srv%\" and not seen.days in (0, 1)' --limit 100")]
    Preview {
        text: String,
        /// Among the members of this collection [default: all]
        #[arg(long = "in", value_name = "CODE", default_value = "", hide_default_value = true)]
        limiting: String,
        /// How many are shown
        #[arg(long, value_name = "N", default_value_t = 5_000)]
        limit: u32,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    name: String,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true)]
    comment: String,
    /// The collection whose members alone can be members [default: SMS00001]
    #[arg(long = "limit", value_name = "CODE", default_value = "", hide_default_value = true)]
    limiting: String,
    /// A query; may be given several times
    #[arg(long = "where", value_name = "QUERY")]
    queries: Vec<String>,
    /// A computer by id; may be given several times
    #[arg(long = "client", value_name = "ID")]
    clients: Vec<String>,
    /// A collection whose members are members; may be given several times
    #[arg(long = "include", value_name = "CODE")]
    includes: Vec<String>,
    /// A collection whose members are kept out; may be given several times
    #[arg(long = "exclude", value_name = "CODE")]
    excludes: Vec<String>,
    /// When it is evaluated in full, such as "0 3 * * SUN in Europe/Berlin"
    #[arg(long, value_name = "WHEN", default_value = "", hide_default_value = true)]
    full_at: String,
    /// Members change at full evaluations only
    #[arg(long, requires = "full_at")]
    full_only: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Change {
    code: String,
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    comment: Option<String>,
    /// The collection whose members alone can be members
    #[arg(long = "limit", value_name = "CODE")]
    limiting: Option<String>,
    /// Another query; may be given several times
    #[arg(long = "where", value_name = "QUERY")]
    queries: Vec<String>,
    /// Another computer by id; may be given several times
    #[arg(long = "client", value_name = "ID")]
    clients: Vec<String>,
    /// A query that goes, by its name; may be given several times
    #[arg(long, value_name = "NAME")]
    remove_query: Vec<String>,
    /// A computer that goes, by id; may be given several times
    #[arg(long, value_name = "ID")]
    remove_client: Vec<String>,
    /// When it is evaluated in full; empty: at no fixed time
    #[arg(long, value_name = "WHEN")]
    full_at: Option<String>,
    /// Members change at full evaluations only
    #[arg(long, conflicts_with = "incremental")]
    full_only: bool,
    /// Members follow every change at once
    #[arg(long)]
    incremental: bool,
}

impl Collection {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Collection::Create(create) => desk.show(create.request()).await,
            Collection::Change(change) => desk.show(change.request()).await,
            Collection::Include { code, others, remove } => {
                let (remove_includes, add_includes) = split(others, remove);
                let request = pb::ChangeCollectionRequest { code, ..Default::default() };
                let changed =
                    pb::ChangeCollectionRequest { add_includes, remove_includes, ..request };
                desk.show(changed).await
            }
            Collection::Exclude { code, others, remove } => {
                let (remove_excludes, add_excludes) = split(others, remove);
                let request = pb::ChangeCollectionRequest { code, ..Default::default() };
                let changed =
                    pb::ChangeCollectionRequest { add_excludes, remove_excludes, ..request };
                desk.show(changed).await
            }
            Collection::Delete { code } => desk.show(pb::DeleteCollectionRequest { code }).await,
            Collection::Evaluate { code } => {
                desk.show(pb::EvaluateCollectionRequest { code }).await
            }
            Collection::List => desk.show(pb::ListCollectionsRequest {}).await,
            Collection::Show { code } => desk.show(pb::GetCollectionRequest { code }).await,
            Collection::Members { code } => {
                desk.show(pb::ListCollectionMembersRequest { code }).await
            }
            Collection::Preview { text, limiting, limit } => {
                desk.show(pb::PreviewQueryRequest { text, limiting, limit: Some(limit) }).await
            }
        }
    }
}

/// What goes, and what comes.
fn split(others: Vec<String>, remove: bool) -> (Vec<String>, Vec<String>) {
    if remove { (others, Vec::new()) } else { (Vec::new(), others) }
}

/// The site gives them names.
fn queries(texts: Vec<String>) -> Vec<pb::CollectionQuery> {
    let texts = texts.into_iter();
    texts.map(|text| pb::CollectionQuery { name: String::new(), text }).collect()
}

impl Create {
    fn request(self) -> pb::CreateCollectionRequest {
        pb::CreateCollectionRequest {
            name: self.name,
            clients: self.clients,
            comment: self.comment,
            limiting: self.limiting,
            queries: queries(self.queries),
            includes: self.includes,
            excludes: self.excludes,
            full_at: self.full_at,
            full_only: self.full_only,
        }
    }
}

impl Change {
    fn request(self) -> pb::ChangeCollectionRequest {
        pb::ChangeCollectionRequest {
            code: self.code,
            name: self.name,
            comment: self.comment,
            limiting: self.limiting,
            add_queries: queries(self.queries),
            add_clients: self.clients,
            remove_queries: self.remove_query,
            remove_clients: self.remove_client,
            full_at: self.full_at,
            full_only: (self.full_only || self.incremental).then_some(self.full_only),
            ..Default::default()
        }
    }
}
