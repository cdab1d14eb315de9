//! A proxy between a test and its servers: tunnels, and requests in absolute form.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A running proxy; it ends with this value.
#[derive(Debug)]
pub struct FakeProxy {
    pub url: String,
    script: Arc<Mutex<ProxyScript>>,
    _tasks: JoinSet<()>,
}

/// What the proxy does, and what it was asked.
#[derive(Debug, Default)]
pub struct ProxyScript {
    /// The only value of Proxy-Authorization that is let through.
    pub authorization: Option<String>,
    /// Answers with this status instead of reaching anything.
    pub status: Option<u16>,
    /// Method and target of every request.
    pub asked: Vec<String>,
}

/// The head of a request; ours are far smaller.
const HEAD_BYTES_MAX: usize = 16 << 10;

impl FakeProxy {
    /// Starts on a free port of this machine.
    pub async fn start() -> FakeProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let script = Arc::new(Mutex::new(ProxyScript::default()));
        let (mut tasks, shared) = (JoinSet::new(), script.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let script = shared.clone();
                // A connection that breaks is the client's to notice.
                connections.spawn(async move { drop(serve(stream, &script).await) });
            }
        });
        FakeProxy { url, script, _tasks: tasks }
    }

    pub fn script(&self) -> MutexGuard<'_, ProxyScript> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(mut client: TcpStream, script: &Mutex<ProxyScript>) -> io::Result<()> {
    let (head, rest) = read_head(&mut client).await?;
    let mut words = head.split_whitespace();
    let (method, target) =
        (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_owned());
    let authorization = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.trim().to_owned())
    });
    let refused = {
        let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
        script.asked.push(format!("{method} {target}"));
        let is_admitted = script.authorization.is_none() || script.authorization == authorization;
        if is_admitted { script.status } else { Some(407) }
    };
    if let Some(status) = refused {
        let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
        return client.write_all(answer.as_bytes()).await;
    }
    let mut server = match method {
        "CONNECT" => {
            let server = TcpStream::connect(&target).await?;
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            server
        }
        _ => {
            let bare = target.strip_prefix("http://").expect("the absolute form");
            let (authority, path) = bare.split_once('/').expect("a path");
            let mut server = TcpStream::connect(authority).await?;
            let head = head.replacen(&target, &format!("/{path}"), 1);
            server.write_all(head.as_bytes()).await?;
            server
        }
    };
    server.write_all(&rest).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The head of a request with its empty line, and what came with it.
async fn read_head(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        if bytes.len() > HEAD_BYTES_MAX || client.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
