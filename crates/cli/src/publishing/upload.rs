//! Files on their way to the site: their digests, the cabinet that Windows takes, and the upload,
//! which goes on where an earlier one broke off.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use model::{ItemFile, Sha1, Sha256};
use publishing::{Draft, cabinet};
use rpc::limits::CONTENT_PART_BYTES;
use rpc::pb::admin as pb;
use sha2::Digest as _;

use crate::arguments::unreadable;
use crate::desk::Desk;
use crate::failure::Failure;

/// An open file and what it is called.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) file: File,
}

impl Source {
    pub(super) fn open(path: &PathBuf) -> Result<Source, Failure> {
        let failed = |error| unreadable(&error, path.display().to_string());
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::other("it is not a file")));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Source { name, size: metadata.len(), file })
    }

    fn failure(&self, error: &io::Error) -> Failure {
        unreadable(error, self.name.clone())
    }

    fn digests(&mut self) -> Result<ItemFile, Failure> {
        let (mut sha1, mut sha256) = (sha1::Sha1::new(), sha2::Sha256::new());
        let mut buffer = vec![0; CONTENT_PART_BYTES];
        let mut read = || -> io::Result<()> {
            self.file.rewind()?;
            loop {
                match self.file.read(&mut buffer)? {
                    0 => return Ok(()),
                    count => {
                        sha1.update(&buffer[..count]);
                        sha256.update(&buffer[..count]);
                    }
                }
            }
        };
        read().map_err(|error| self.failure(&error))?;
        Ok(ItemFile {
            name: self.name.clone(),
            size: self.size,
            sha1: Sha1(sha1.finalize().into()),
            sha256: Some(Sha256(sha256.finalize().into())),
        })
    }

    fn piece(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(offset))?;
        let mut data = Vec::new();
        self.file.by_ref().take(CONTENT_PART_BYTES as u64).read_to_end(&mut data)?;
        Ok(data)
    }
}

/// All files in one cabinet with the site's signature. It lies in a file without a name, so that
/// nothing is left behind however this ends.
pub(super) async fn uploaded_cabinet(
    desk: &Desk,
    draft: &Draft,
    sources: Vec<Source>,
) -> Result<Source, Failure> {
    let name = format!("{}.cab", draft.id());
    let at = "the directory for temporary files";
    let refuse = |error: publishing::Error| Failure::of(&error, at, "");
    let file = tempfile::tempfile();
    let mut file = file.map_err(|error| Failure::new(error.to_string(), at, "free some room"))?;
    let files = sources.into_iter().map(|source| (source.name, source.size, source.file));
    let digest = cabinet::write(files.collect(), &mut file).map_err(refuse)?;
    let request = pb::SignContentRequest { name: name.clone(), digest: digest.0.to_vec() };
    let signature = desk.call(&request).await?.read::<pb::SignContentResponse>().signature;
    cabinet::append_signature(&signature, &mut file).map_err(refuse)?;
    let size = file.metadata().map_err(|error| unreadable(&error, at.to_owned()))?.len();
    Ok(Source { name, size, file })
}

/// Sends a file piece by piece.
pub(super) async fn upload(desk: &Desk, mut source: Source) -> Result<ItemFile, Failure> {
    let item = source.digests()?;
    let mut request = pb::UploadContentRequest {
        name: item.name.clone(),
        size_bytes: item.size,
        sha1: item.sha1.0.to_vec(),
        sha256: item.sha256.map(|digest| digest.0.to_vec()).unwrap_or_default(),
        offset: 0,
        data: Vec::new(),
    };
    loop {
        let answer = desk.call(&request).await?.read::<pb::UploadContentResponse>();
        if answer.complete {
            return Ok(item);
        }
        let percent = answer.received_bytes * 100 / item.size.max(1);
        desk.tell(&format!("{}: {percent}%", item.name))?;
        request.offset = answer.received_bytes;
        request.data = source.piece(answer.received_bytes).map_err(|e| source.failure(&e))?;
        if request.data.is_empty() {
            let what = "the file has become shorter while it was read";
            return Err(Failure::new(what, item.name, "publish it again"));
        }
    }
}
