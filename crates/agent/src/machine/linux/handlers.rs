//! Which program an installation runs, with which arguments.
//!
//! | installer of the document | what runs |
//! | --- | --- |
//! | a file of the update whose extension has a handler | the handler |
//! | another file of the update | the file itself |
//! | an absolute path | that program of the system |
//! | a product or patch of Windows Installer | the handler of `msi` or `msp` |
//!
//! A handler is a command with placeholders: `{file}`, the staged file; `{arguments}`, the words of
//! the document, each a word of its own; `{root}`. A handler that asks for what a document does not
//! say cannot carry it out. Pure: nothing is looked up or run.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use update_metadata::{CommandLine, Installer};

use super::setup::{Setup, Words};
use super::words::split;
use crate::machine::Job;

/// What is run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invocation {
    pub(super) program: Program,
    pub(super) arguments: Words,
    /// The extension whose handler it is.
    pub(super) handler: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// The file of the update that has this name.
    Staged(String),
    System(PathBuf),
}

/// What carries out `job`, whose files are in `directory`.
pub(super) fn invocation(job: &Job<'_>, setup: &Setup, directory: &Path) -> io::Result<Invocation> {
    let wanted = Wanted::of(job)?;
    if let Some(words) = setup.install.get(&wanted.extension) {
        let file = wanted.file.map(|name| directory.join(name));
        let given = Given { root: &setup.root, file, wanted: &wanted };
        let handler = Some(wanted.extension.clone());
        return Ok(Invocation { handler, ..given.fill(words)? });
    }
    match job.installer {
        Installer::CommandLine(command) => plain(command, wanted.file),
        Installer::Windows { type_name, .. } => Err(unsupported(format!(
            "nothing here installs {type_name}; name a handler of {} in [handlers.install]",
            wanted.extension
        ))),
    }
}

/// A file of the update, or a program of the system by its absolute path.
fn plain(command: &CommandLine, file: Option<&str>) -> io::Result<Invocation> {
    let program = match file {
        Some(name) => Program::Staged(name.to_owned()),
        None if command.program.starts_with('/') => {
            Program::System(PathBuf::from(&command.program))
        }
        None => {
            let name = &command.program;
            let reason = format!("{name:?} is no file of the update and no absolute path");
            return Err(io::Error::new(ErrorKind::InvalidInput, reason));
        }
    };
    Ok(Invocation { program, arguments: split(&command.arguments), handler: None })
}

fn unsupported(reason: String) -> io::Error {
    io::Error::new(ErrorKind::Unsupported, reason)
}

/// What a document asks to be run.
struct Wanted<'a> {
    /// The file of the update that it names, if that is one.
    file: Option<&'a str>,
    /// Chooses the handler.
    extension: String,
    arguments: &'a str,
}

impl<'a> Wanted<'a> {
    fn of(job: &'a Job<'_>) -> io::Result<Wanted<'a>> {
        let named = |name: &str| {
            let mut names = job.files.iter().map(|(file, _)| &*file.name);
            names.find(|file| *file == name)
        };
        match job.installer {
            Installer::CommandLine(command) => {
                let file = named(&command.program);
                let extension = file.and_then(|name| name.rsplit_once('.'));
                let extension = extension.map_or_else(String::new, |(_, end)| end.to_lowercase());
                Ok(Wanted { file, extension, arguments: &command.arguments })
            }
            Installer::Windows { type_name, data } => {
                let arguments = data.tag.attribute("CommandLine").unwrap_or_default();
                let (file, extension) = match &*data.tag.local {
                    "MsiData" => (data.tag.attribute("MsiFile").and_then(named), "msi"),
                    "MspData" => {
                        let mut names = job.files.iter().map(|(file, _)| &*file.name);
                        (names.find(|name| name.to_lowercase().ends_with(".msp")), "msp")
                    }
                    _ => return Err(unsupported(format!("only Windows can run {type_name}"))),
                };
                Ok(Wanted { file, extension: extension.to_owned(), arguments })
            }
        }
    }
}

/// What placeholders stand for.
struct Given<'a> {
    root: &'a Path,
    file: Option<PathBuf>,
    wanted: &'a Wanted<'a>,
}

impl Given<'_> {
    fn fill(&self, handler: &[String]) -> io::Result<Invocation> {
        let mut words = Vec::new();
        for word in handler {
            match &**word {
                "{arguments}" => words.extend(split(self.wanted.arguments)),
                _ => words.push(self.word(word)?),
            }
        }
        let mut words = words.into_iter();
        let program = words.next().map(PathBuf::from);
        let program = program.ok_or_else(|| unsupported("the handler is empty".to_owned()))?;
        let (program, arguments) = (Program::System(program), words.collect());
        Ok(Invocation { program, arguments, handler: None })
    }

    fn word(&self, word: &str) -> io::Result<String> {
        let mut filled = word.to_owned();
        for (placeholder, value) in [
            ("{file}", self.file.as_deref().and_then(Path::to_str)),
            ("{root}", self.root.to_str()),
        ] {
            if word.contains(placeholder) {
                let missing = || unsupported(format!("the document has nothing for {placeholder}"));
                filled = filled.replace(placeholder, value.ok_or_else(missing)?);
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests;
