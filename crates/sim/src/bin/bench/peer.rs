//! nginx, serving files from memory of the system.
//!
//! Owns a server of its own with a configuration of its own, on a free port of this machine; the
//! system's service is never touched. Fails if nginx is not installed.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Nginx {
    child: Child,
    pub(crate) address: SocketAddr,
    directory: TempDir,
}

impl Nginx {
    /// Serves what is put below [`Nginx::files`].
    pub(crate) async fn start() -> Result<Nginx> {
        let directory = tempfile::tempdir()?;
        fs::create_dir(directory.path().join("files"))?;
        // Whoever takes the port in between makes nginx fail, which is told.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let path = directory.path().join("nginx.conf");
        fs::write(&path, configuration(directory.path(), address))?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&path).arg("-p").arg(directory.path()).stderr(Stdio::null());
        let child = command.spawn().context("cannot start nginx: apt-get install nginx-light")?;
        let nginx = Nginx { child, address, directory };
        nginx.answers().await?;
        Ok(nginx)
    }

    pub(crate) fn files(&self) -> std::path::PathBuf {
        self.directory.path().join("files")
    }

    /// Processor time of its one worker.
    pub(crate) fn worker(&self) -> Result<String> {
        let path = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = fs::read_to_string(path)?;
        let worker = children.split_whitespace().next().context("nginx has a worker")?;
        Ok(worker.to_owned())
    }

    async fn answers(&self) -> Result<()> {
        let connect = async {
            while tokio::net::TcpStream::connect(self.address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, connect).await.context("nginx does not answer")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its worker when it is asked in order.
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        let _ = asked.map(|_| self.child.wait());
    }
}

/// A POST is answered by the file, after its body was read, as a GET would be.
fn configuration(directory: &Path, address: SocketAddr) -> String {
    let directory = directory.display();
    format!(
        "daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log /dev/null;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n\
           access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n\
           client_max_body_size 16m; client_body_buffer_size 4m; open_file_cache max=1000;\n\
           client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;\n\
           fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;\n\
           scgi_temp_path {directory}/scgi;\n\
           types {{}} default_type \"text/xml; charset=utf-8\";\n\
           server {{\n\
             listen {address}; root {directory}/files; error_page 405 =200 $uri;\n\
           }}\n\
         }}\n"
    )
}
