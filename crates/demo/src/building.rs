//! The hierarchy comes to be, as operators build one: every site and role joins with a token that
//! the administrator asked for.

use model::{RoleKind, SiteKind, error_chain};
use rpc::pb::admin as pb;
use software_update_point::SoftwareUpdatePoint;
use testkit::sample::{Sample, sample};

use crate::host::Host;
use crate::operator::{Look, Operator, ask, until};
use crate::plan::{Options, SITES, SitePlan, TOP};
use crate::progress::Progress;
use crate::tour::STEP_MAX;
use crate::{Error, upstream};

/// Everything that was built.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) operator: Operator,
    pub(crate) sample: Sample,
    /// None if updates come from elsewhere too.
    pub(crate) upstream: Option<SoftwareUpdatePoint>,
    /// By the code of their site.
    pub(crate) sups: Vec<(&'static str, SoftwareUpdatePoint)>,
}

/// Builds the upstream server and the hierarchy.
pub(crate) async fn build(
    host: &mut Host,
    options: &Options,
    progress: &Progress,
) -> Result<Built, Error> {
    let step = progress.step("Upstream update server");
    let target = host.place("installed")?;
    let sample = sample(&target);
    let data = host.place("upstream")?;
    let deliveries = upstream::deliver(&data, &sample, &options.catalogs)?;
    let upstream = host.start_upstream().await?;
    deliveries.taken().await?;
    let updates = upstream.holding().await.map_err(Error::start("upstream"))?.updates;
    step.done(format!("{updates} updates at {}", host.endpoints.upstream));

    let step = progress.step("Hierarchy");
    let mut operator = None;
    let mut sups = Vec::new();
    for plan in &SITES {
        step.tell(format!("site {} joins", plan.code));
        let url = host.start_site(plan, site_token(operator.as_ref(), plan).await?).await?;
        let operator = match &mut operator {
            Some(operator) => operator,
            empty => empty.insert(login(host, plan).await?),
        };
        operator.meet(plan.code, &url)?;
        known(operator, plan.code).await?;
        for kind in plan.roles {
            step.tell(format!("{} of {} joins", kind.as_str(), plan.code));
            let token = role_token(operator, plan, *kind).await?;
            let sup = host.start_role(plan.code, *kind, &token).await?;
            sups.extend(sup.map(|sup| (plan.code, sup)));
        }
    }
    let operator = operator.ok_or(Error::Answer { what: "top-level site" })?;
    let upstream = Some(upstream).filter(|_| options.upstream.is_none());
    step.done("CAS, PR1 below it, SE1 below that; an update point each, and points for clients");
    Ok(Built { operator, sample, upstream, sups })
}

/// The top-level site leaves a token for its first administrator.
async fn login(host: &Host, plan: &SitePlan) -> Result<Operator, Error> {
    let file = host.directory.join(plan.code).join("pki").join("admin.token");
    let written = async || match file.exists() {
        true => Ok(Look::There(())),
        false => Ok(Look::NotYet("there is no token for an administrator".to_owned())),
    };
    until("the first login", STEP_MAX, written).await?;
    Operator::login(&host.ambient, &file).await
}

async fn site_token(operator: Option<&Operator>, plan: &SitePlan) -> Result<Option<String>, Error> {
    let (Some(operator), Some(parent)) = (operator, plan.parent) else { return Ok(None) };
    let request = pb::CreateSiteTokenRequest {
        code: plan.code.to_owned(),
        kind: plan.kind.as_str().to_owned(),
        parent: parent.to_owned(),
        valid_seconds: 0,
    };
    let answer = ask("let a site join", operator.at(TOP).create_site_token(request)).await?;
    Ok(Some(answer.token))
}

/// Waits until a site knows of itself from its parent.
async fn known(operator: &Operator, code: &str) -> Result<(), Error> {
    until("the site's own record", STEP_MAX, async || {
        let request = pb::ListSitesRequest {};
        match ask("list sites", operator.at(code).list_sites(request)).await {
            Ok(answer) if answer.rows.iter().any(|site| site.code == code) => Ok(Look::There(())),
            Ok(_) => Ok(Look::NotYet(format!("{code} does not know of itself"))),
            Err(error) => Ok(Look::NotYet(error_chain(&error))),
        }
    })
    .await
}

async fn role_token(operator: &Operator, plan: &SitePlan, kind: RoleKind) -> Result<String, Error> {
    let request = pb::CreateRoleTokenRequest {
        kind: kind.as_str().to_owned(),
        site: plan.code.to_owned(),
        valid_seconds: 0,
    };
    let issuer = plan.parent.filter(|_| plan.kind == SiteKind::Secondary);
    let mut desk = operator.at(issuer.unwrap_or(plan.code));
    Ok(ask("let a role join", desk.create_role_token(request)).await?.token)
}
