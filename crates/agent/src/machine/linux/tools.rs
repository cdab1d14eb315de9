//! Commands of the configuration that tell somebody something, within a bounded time.

use std::io::{self, ErrorKind};
use std::process::Stdio;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::PATH;
use crate::limits;

/// Runs a command with one more argument, gives it `input`, and says what it wrote.
pub(super) async fn ask(
    words: &[String],
    argument: Option<&str>,
    input: &str,
) -> io::Result<String> {
    let Some((program, arguments)) = words.split_first() else { return Ok(String::new()) };
    let mut command = Command::new(program);
    command.args(arguments).args(argument).env_clear().env("PATH", PATH).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn()?;
    let asked = async {
        if let Some(mut stdin) = child.stdin.take() {
            match stdin.write_all(input.as_bytes()).await {
                // It does not read what it is told.
                Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        let mut said = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(limits::TOOL_BYTES).read_to_end(&mut said).await?;
        }
        let status = child.wait().await?;
        let failed = || io::Error::other(format!("{program} ended with {status}"));
        status.success().then(|| String::from_utf8_lossy(&said).into_owned()).ok_or_else(failed)
    };
    let late = |_| io::Error::new(ErrorKind::TimedOut, format!("{program} did not end"));
    timeout(limits::TOOL_TIME, asked).await.map_err(late)?
}
