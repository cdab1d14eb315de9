use std::collections::BTreeMap;

use expect_test::expect;
use update_metadata::authoring;

use super::*;
use crate::machine::tests::{Bench, MINUTE};

#[tokio::test]
async fn what_runs_follows_from_the_document_and_the_handlers() {
    let bench = Bench::new();
    let mut setup = Setup { root: PathBuf::from("/srv/root"), ..Setup::default() };
    let wine = |text: &str| split(&format!("/usr/bin/msiexec {text}"));
    setup.install.extend([
        ("msi".to_owned(), wine("/i {file} /qn {arguments}")),
        ("msp".to_owned(), wine("/p {file} REINSTALLMODE=ecmus {arguments}")),
    ]);
    let mut said = String::new();
    let mut show = async |file: &str, installer: &Installer| {
        let (file, reader) = bench.file(file, b"a", b"a").await;
        let job = bench.job(installer, vec![(&file, reader)], MINUTE);
        said += &match invocation(&job, &setup, Path::new("/staging/1")) {
            Ok(Invocation { program, arguments, .. }) => format!("{program:?} {arguments:?}\n"),
            Err(error) => format!("{:?}: {error}\n", error.kind()),
        };
    };
    let run = |program: &str| authoring::run(program, "--now 'a b' c", BTreeMap::new());
    let product = authoring::install_product("editor.msi", "{1}", "A=1 B=\"2 3\"");
    let patch = authoring::install_patch("{2}", "");
    show("editor.DEB", &run("editor.DEB")).await;
    show("editor.rpm", &run("editor.rpm")).await;
    show("setup.exe", &run("setup.exe")).await;
    show("setup", &run("/usr/bin/env")).await;
    show("setup", &run("env")).await;
    show("editor.msi", &product).await;
    show("editor.cab", &product).await;
    show("Fix.MSP", &patch).await;
    setup.install.clear();
    let mut show = async |file: &str, installer: &Installer| {
        let (file, reader) = bench.file(file, b"a", b"a").await;
        let job = bench.job(installer, vec![(&file, reader)], MINUTE);
        let error = invocation(&job, &setup, Path::new("/staging/1")).expect_err("is refused");
        said += &format!("{:?}: {error}\n", error.kind());
    };
    show("editor.msi", &product).await;
    let data = authoring::installation("NeverReboots");
    show("a.cab", &Installer::Windows { type_name: "Cbs".to_owned(), data }).await;
    expect![[r#"
        System("/usr/bin/dpkg") ["--root=/srv/root", "--install", "--force-confdef", "--force-confold", "--now", "a b", "c", "/staging/1/editor.DEB"]
        System("/usr/bin/rpm") ["--root=/srv/root", "--upgrade", "--quiet", "--now", "a b", "c", "/staging/1/editor.rpm"]
        Staged("setup.exe") ["--now", "a b", "c"]
        System("/usr/bin/env") ["--now", "a b", "c"]
        InvalidInput: "env" is no file of the update and no absolute path
        System("/usr/bin/msiexec") ["/i", "/staging/1/editor.msi", "/qn", "A=1", "B=2 3"]
        Unsupported: the document has nothing for {file}
        System("/usr/bin/msiexec") ["/p", "/staging/1/Fix.MSP", "REINSTALLMODE=ecmus"]
        Unsupported: nothing here installs WindowsInstallerApp; name a handler of msi in [handlers.install]
        Unsupported: only Windows can run Cbs
    "#]].assert_eq(&said);
}
