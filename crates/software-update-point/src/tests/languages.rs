//! Languages that an administrator chose.

use model::Languages;
use wsus_protocol::{ConfigData, GetConfigData};

use super::protocol::{call_for, cookie};
use super::*;

fn chosen(tags: &[&str]) -> Languages {
    Languages::choose(tags.iter().copied()).expect("known")
}

fn spoken(number: u128, tags: &[&str]) -> Document {
    let mut update = update(number, "Anvil");
    update.properties.languages = tags.iter().map(ToString::to_string).collect();
    update
}

#[tokio::test]
async fn updates_for_other_languages_alone_do_not_come() {
    let (upstream, downstream) = (Bench::new().await, Bench::new().await);
    upstream.import(&[spoken(1, &[]), spoken(2, &["de"]), spoken(3, &["fr", "it"])]).await;
    upstream.import(&[spoken(4, &["neutrallanguage"]), spoken(5, &["en"])]).await;
    let (url, _tasks) = upstream.serve().await;
    let come = async |tags: &[&str]| {
        let choice = Choice { languages: chosen(tags), ..Choice::default() };
        let plan = Plan { choice, ..everything(&url) };
        downstream.synchronize(&plan).await.expect("synchronizes").revisions_new
    };
    assert_eq!(come(&["de"]).await, 4, "English always comes");
    assert_eq!(come(&["de"]).await, 0);
    assert_eq!(come(&["de", "fr"]).await, 1, "older updates of the new choice");
    upstream.import(&[spoken(6, &["it"]), spoken(7, &["fr"])]).await;
    assert_eq!(come(&["de", "fr"]).await, 1);
    assert_eq!(come(&[]).await, 1, "no choice is every language");
}

#[tokio::test]
async fn servers_below_are_told_what_was_chosen() {
    let bench = Bench::new().await;
    let (url, _tasks) = bench.serve().await;
    let cookie = Some(cookie(&url, "1.20").await.expect("a cookie"));
    let ask = async |anchor: Option<String>| {
        let request = GetConfigData { cookie: cookie.clone(), anchor };
        call_for::<_, ConfigData>(&url, &request).await.expect("a configuration")
    };
    let told = ask(None).await;
    assert_eq!((told.languages.len(), told.languages[0].id), (39, 0));
    assert!(told.languages.iter().all(|language| language.enabled));
    assert_eq!(ask(Some(told.anchor.clone())).await.languages, [], "nothing changed");
    bench.point.choose_languages(chosen(&["de"])).await.expect("chosen");
    let told = ask(Some(told.anchor)).await;
    let enabled = told.languages.iter().filter(|language| language.enabled);
    assert_eq!(enabled.map(|language| language.id).collect::<Vec<_>>(), [1031, 1033]);
    assert_eq!(told.languages.len(), 39);
}

#[tokio::test]
async fn a_choice_outlives_the_process_and_narrows_what_is_offered() {
    let bench = Bench::new().await;
    bench.point.choose_languages(chosen(&["de"])).await.expect("chosen");
    let loaded = crate::languages::Chosen::load(&bench.point.catalog).await.expect("reads");
    assert_eq!(loaded.get(), chosen(&["de"]));
    let keep = |tags: &[&'static str]| {
        let mut texts = tags.to_vec();
        loaded.keep(&mut texts, |text| text);
        texts
    };
    assert_eq!(keep(&["de", "en", "fr"]), ["de", "en"]);
    assert_eq!(keep(&["fr", "it"]), ["fr", "it"], "rather a foreign text than none");
}

#[tokio::test]
async fn files_for_other_languages_alone_stay_where_they_are() {
    let bench = Bench::new().await;
    let mut named = Vec::new();
    for (number, tags) in [(1, &[][..]), (2, &["de"]), (3, &["fr"])] {
        let mut update = spoken(number, tags);
        let (name, content) = (format!("{number}.cab"), [b"one", b"two", b"6th"][named.len()]);
        update.files.push(file(&bench, &name, content).await);
        named.push(update.files[0].clone());
        bench.import(&[update]).await;
    }
    let check = async |place: usize| {
        let wanted = chosen(&["de"]);
        bench.point.check_language(&named[place], wanted).await.map_err(|e| e.to_string())
    };
    assert_eq!(check(0).await, Ok(()));
    assert_eq!(check(1).await, Ok(()));
    let reason = "3.cab is for fr alone, and files are fetched for de en".to_owned();
    assert_eq!(check(2).await, Err(reason));
    // Another update needs it too.
    let mut fourth = spoken(4, &["en"]);
    fourth.files.push(named[2].clone());
    bench.import(&[fourth]).await;
    assert_eq!(check(2).await, Ok(()));
}
