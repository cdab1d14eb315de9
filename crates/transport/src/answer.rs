//! How long somebody waits for an answer.

use std::time::Duration;

use model::ErrorClass;
use tonic::{Response, Status};

/// What `whom` answers, if it comes in time; otherwise it is not there.
pub async fn answered<T>(
    wait: Duration,
    whom: &str,
    asked: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Status> {
    match tokio::time::timeout(wait, asked).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => {
            let text = format!("{whom} did not answer within {wait:?}");
            Err(rpc::status::refuse(ErrorClass::Unavailable, text))
        }
    }
}
