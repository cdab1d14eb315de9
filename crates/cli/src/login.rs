//! Logging in: an administrator's token becomes a certificate in the user's configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use model::PeerKind;
use rpc::pb::enrolment::EnrolRequest;
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use serde_json::json;
use transport::{Credentials, Security};
use trust::{Anchor, CertificateDer, JoinToken};

use crate::Outcome;
use crate::arguments::read_input;
use crate::context::Server;
use crate::desk::{Desk, connection};
use crate::failure::Failure;
use crate::output::Format;

/// Exchanges an administrator's token for a certificate
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  tierline login --token-file /var/lib/tierline/pki/admin.token")]
pub(crate) struct Login {
    /// The file with the token; without it the token is read from standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

impl Login {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let remedy = "the first token is in <data>/pki/admin.token of the top-level site";
        let at = self.token_file.as_ref().map_or("standard input".into(), |p| p.to_string_lossy());
        let token: JoinToken = read_input(self.token_file.as_ref())?
            .parse()
            .map_err(|error: trust::Error| Failure::of(&error, at.clone(), remedy))?;
        if token.kind != PeerKind::Administrator {
            let what = format!("the token lets a {} join, not a person", token.kind.as_str());
            return Err(Failure::new(what, at, remedy));
        }
        let url = desk.global.server.clone().unwrap_or_else(|| token.url.clone());
        let account = exchange(desk, &token, &url).await?;
        match desk.global.output {
            Format::Json => {
                let login =
                    json!({ "site": token.site.as_str(), "server": url, "account": account });
                println!("{login}");
            }
            Format::Table | Format::Csv => {
                println!("logged in to site {} at {url} as {account}", token.site);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn exchange(desk: &Desk, token: &JoinToken, url: &str) -> Result<String, Failure> {
    let key = desk.context.login_key()?;
    let JoinToken { hierarchy, pin, kind, site, secret, .. } = token;
    let request = EnrolRequest {
        secret: secret.reveal().to_vec(),
        kind: kind.as_str().to_owned(),
        site: site.to_string(),
        csr: key.request().map_err(|error| Failure::of(&error, "this machine", ""))?,
        ..EnrolRequest::default()
    };
    let ambient = desk.ambient.clone();
    let security = Security::Pinned { ambient, pin: *pin, hierarchy: *hierarchy };
    let channel = connection(url, security)?.channel();
    let answer = EnrolmentServiceClient::new(channel).enrol(request).await;
    let answer = answer.map_err(|status| Failure::refused(&status, url))?.into_inner();

    let broken = |error: trust::Error| Failure::of(&error, url, "read the log of the server");
    let anchor = Anchor::new(answer.root.into()).map_err(broken)?;
    if anchor.pin() != *pin {
        let what = "the server's root is not the one the token pins";
        return Err(Failure::new(what, url, "somebody may stand in between; ask for a new token"));
    }
    let chain: Vec<CertificateDer<'static>> = answer.chain.into_iter().map(Into::into).collect();
    let own = Credentials::new(desk.ambient.clone(), anchor.clone(), &chain, &key)
        .map_err(|error| Failure::of(&error, url, "compare the clocks of both machines"))?;
    let server = Server { url: url.to_owned(), site: *site };
    desk.context.enter(&server, &anchor, &chain, &key)?;
    Ok(own.identity().id.clone())
}
