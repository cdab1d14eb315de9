//! What a server below costs when nothing has changed, and what it costs to list everything.
//!
//! Owns both measurements; the update point is a process of its own. Fails if anything is written
//! when there is nothing new, or if the list is not whole.

use std::fs;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use wsus_protocol::{
    AuthorizationCookie, Cookie, Filter, GetAuthorizationCookie, GetCookie, GetRevisionIdList,
    Message, RevisionIdList, decode, encode,
};

use crate::child::Server;
use crate::import::fresh_directory;
use crate::load::{self, Caller};
use crate::machine::{self, Spread};
use crate::scans::{SERVE, fill, path_of, texts};

const UPDATES: usize = 250_000;
const RUNS: usize = 5;

pub(crate) async fn run() -> Result<()> {
    println!("\n## Lists\n");
    let directory = fresh_directory()?;
    fill(directory.path(), texts(UPDATES)).await?;
    let server = Server::start(&[SERVE, path_of(directory.path())])?;
    let cookie = authorize(&server).await?;
    let everything = Filter::default();
    let process = server.id().to_string();
    let idle = machine::peak_memory(&process)?;
    let mut whole = Vec::new();
    for _ in 0..=RUNS {
        whole.push(list(&server, &cookie, &everything).await?);
    }
    let peak = machine::peak_memory(&process)?;
    let anchor = whole[0].anchor.clone();
    let log = directory.path().join("catalog.db-wal");
    let before = fs::metadata(&log).map_or(0, |log| log.len());
    let mut changes = Vec::new();
    for _ in 0..=RUNS {
        let filter = Filter { anchor: Some(anchor.clone()), ..Filter::default() };
        let listed = list(&server, &cookie, &filter).await?;
        ensure!(listed.revisions == 0, "{} revisions are new", listed.revisions);
        changes.push(listed);
    }
    let written = fs::metadata(&log).map_or(0, |log| log.len()) - before;
    ensure!(written == 0, "{written} bytes were written for nothing new");
    let first = &whole[1..];
    let spread =
        |of: &[Listing], value: fn(&Listing) -> f64| of.iter().map(value).collect::<Spread>();
    println!("| {UPDATES} revisions, {RUNS} runs | median (min–max) |\n| --- | ---: |");
    println!("| until the first byte, ms | {:.0} |", spread(first, |l| l.first_byte));
    println!("| until the last byte, ms | {:.0} |", spread(first, |l| l.whole));
    println!("| MB | {} |", first[0].bytes / 1_000_000);
    println!(
        "| most memory of the update point, MiB, before and after | {idle:.0} and {peak:.0} |"
    );
    println!("| nothing new, ms | {:.1} |", spread(&changes[1..], |l| l.whole));
    println!("| nothing new, bytes written to the catalog | {written} |");
    println!("| machine | {} |", machine::load()?);
    Ok(())
}

struct Listing {
    first_byte: f64,
    whole: f64,
    bytes: usize,
    revisions: usize,
    anchor: String,
}

async fn list(server: &Server, cookie: &Cookie, filter: &Filter) -> Result<Listing> {
    let request = GetRevisionIdList { cookie: Some(cookie.clone()), filter: filter.clone() };
    let operation = GetRevisionIdList::OPERATION;
    let request =
        load::post(operation.path(), &operation.soap_action(), encode(&request).as_bytes());
    let mut stream = TcpStream::connect(server.address).await?;
    let started = Instant::now();
    let request = String::from_utf8(request)?.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    stream.write_all(request.as_bytes()).await?;
    let (mut text, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
    let mut first_byte = None;
    loop {
        let read = stream.read(&mut buffer).await?;
        first_byte.get_or_insert_with(|| started.elapsed().as_secs_f64() * 1_000.0);
        if read == 0 {
            break;
        }
        text.extend_from_slice(&buffer[..read]);
    }
    let whole = started.elapsed().as_secs_f64() * 1_000.0;
    let end = text.windows(4).position(|four| four == b"\r\n\r\n").context("a head")?;
    let is_chunked = String::from_utf8_lossy(&text[..end]).to_lowercase().contains("chunked");
    let body = if is_chunked { unchunked(&text[end + 4..])? } else { text[end + 4..].to_vec() };
    let list: RevisionIdList = decode(body.as_slice())?;
    let (bytes, revisions) = (body.len(), list.revisions.len());
    Ok(Listing {
        first_byte: first_byte.unwrap_or_default(),
        whole,
        bytes,
        revisions,
        anchor: list.anchor,
    })
}

fn unchunked(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").context("a chunk")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end])?, 16)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}

/// As a server below does it.
async fn authorize(server: &Server) -> Result<Cookie> {
    let request = GetAuthorizationCookie {
        account_name: "bench.example.com".to_owned(),
        account_guid: ambient::Ambient::system().random_id().to_string(),
    };
    let authorization: AuthorizationCookie = ask(server, &request).await?;
    let request = GetCookie {
        authorization: vec![authorization],
        old_cookie: None,
        protocol_version: "1.20".to_owned(),
    };
    ask(server, &request).await
}

async fn ask<Q: Message, A: Message>(server: &Server, request: &Q) -> Result<A> {
    let operation = Q::OPERATION;
    let request =
        load::post(operation.path(), &operation.soap_action(), encode(request).as_bytes());
    let mut text = Vec::new();
    let mut caller = Caller::connect(server.address).await?;
    caller.ask(&request, |part| text.extend_from_slice(part)).await?;
    Ok(decode(text.as_slice())?)
}
