//! `lotse connection add`, `test`, `list`, `remove`, `profiles`; and what other commands need of a connection before they use it.

use std::process::ExitCode;

use lotse_api::{Connection, Profiles};
use lotse_app::{
    Addressing, App, ConnectionKind, Draft, Error, FileState, ObjectStorage, PRACTICE, Profile, ProfileSource,
    PublicBy, SecretPlace, SecretSource, TestOutcome, TestStep, TestStepKind,
};
use url::Url;

use crate::{
    FAILED, INTERRUPTED,
    arguments::{ConnectionCommand, NewConnection},
    check::print_json,
    prompt::{self, Ask},
    text::{Text, next_step, plain, print_error, print_line},
};

/// How often a person may mistype a passphrase.
const TRIES: usize = 3;

pub(crate) async fn run(text: &Text, app: &App, command: ConnectionCommand) -> Result<ExitCode, Error> {
    match command {
        ConnectionCommand::Add(new) => add(text, app, *new).await,
        ConnectionCommand::Test { id, json } => test(text, app, id, json).await,
        ConnectionCommand::List { json } => list(text, app, json).await,
        ConnectionCommand::Remove { id, anyway } => {
            app.remove_connection(&id, anyway).await?;
            anstream::eprintln!("{}", text.get("cli_connection_removed"));
            Ok(ExitCode::SUCCESS)
        }
        ConnectionCommand::Profiles { json } => {
            profiles(text, app, json);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Tries what is described, keeps it where it works, and prints its id.
async fn add(text: &Text, app: &App, new: NewConnection) -> Result<ExitCode, Error> {
    let (create_bucket, no_test, anyway) = (new.create_bucket, new.no_test, new.anyway);
    let (replaced, new_key) = (new.replace.clone(), new.access_key.is_some());
    let profile = new.profile.as_deref().map(|words| profile(app, words)).transpose()?;
    let mut base = match &replaced {
        Some(id) => Base::from(stored(app, id).await?),
        None => Base::default(),
    };
    if let Some(profile) = &profile {
        base.take(profile);
    }
    let storage = described(new, base)?.cleaned_to_try()?;
    // Before a secret is asked for: is there a place for it?
    match storage.secret_in {
        SecretPlace::Keychain => app.secret_places().await.keychain?,
        SecretPlace::File => unlock(text, app, Ask::Input).await?,
        SecretPlace::Ask => {}
    }
    let secret = match (profile, &replaced) {
        (Some(profile), _) => SecretSource::Profile {
            source: profile.source,
            name: profile.name,
        },
        (None, Some(id)) if !new_key => {
            if !no_test {
                ready(text, app, id).await?;
            }
            SecretSource::Kept(id.clone())
        }
        (None, _) => SecretSource::Typed(
            prompt::secret_key(text, &storage.name, Ask::Input)?
                .ok_or_else(|| Error::new("connection_secret_empty"))?,
        ),
    };
    let draft = Draft { storage, secret };
    if draft.storage.bucket.is_empty() {
        for bucket in app.buckets(&draft).await? {
            anstream::eprintln!("{}", plain(&bucket));
        }
        return Err(Error::new("connection_bucket_empty"));
    }
    if create_bucket {
        app.create_bucket(&draft).await?;
    }
    if !no_test {
        let Some(steps) = tested(text, app, &draft, &|line| anstream::eprintln!("{line}")).await? else {
            return Ok(ExitCode::from(INTERRUPTED));
        };
        if !works(&steps) && !anyway {
            anstream::eprintln!("lotse: {}", text.get("cli_connection_not_kept"));
            anstream::eprintln!("       {}", text.get("cli_connection_not_kept_next"));
            return Ok(ExitCode::from(FAILED));
        }
    }
    let kept = app.keep_connection(replaced.as_deref(), &draft).await?;
    print_line(&kept.id);
    Ok(ExitCode::SUCCESS)
}

async fn stored(app: &App, id: &str) -> Result<ObjectStorage, Error> {
    let connection = app.connection(id).await?;
    let unknown = || Error::new("connection_unknown").with("connection", id);
    // One of a newer program says so.
    connection
        .storage
        .ok_or_else(|| connection.needs.unwrap_or_else(unknown))
}

/// What holds where the call says nothing: of a profile, or of the connection that is changed.
#[derive(Default)]
struct Base {
    endpoint: Option<Url>,
    region: String,
    bucket: String,
    addressing: Addressing,
    access_key: String,
    public_by: PublicBy,
    secret_in: SecretPlace,
    panel: Option<Url>,
    image_regions: Vec<String>,
}

impl From<ObjectStorage> for Base {
    fn from(storage: ObjectStorage) -> Self {
        Self {
            endpoint: Some(storage.endpoint),
            region: storage.region,
            bucket: storage.bucket,
            addressing: storage.addressing,
            access_key: storage.access_key,
            public_by: storage.public_by,
            secret_in: storage.secret_in,
            panel: storage.panel,
            image_regions: storage.image_regions,
        }
    }
}

impl Base {
    fn take(&mut self, profile: &Profile) {
        if let Some(endpoint) = &profile.endpoint {
            self.endpoint = Some(endpoint.clone());
            self.addressing = profile.addressing;
        }
        if let Some(region) = &profile.region {
            self.region.clone_from(region);
        }
        if let Some(access_key) = &profile.access_key {
            self.access_key.clone_from(access_key);
        }
    }
}

/// What the call says, and what it leaves as it is.
fn described(new: NewConnection, base: Base) -> Result<ObjectStorage, Error> {
    let typed = new.endpoint.as_deref().map(ObjectStorage::address).transpose()?;
    let endpoint = typed
        .or(base.endpoint)
        .ok_or_else(|| Error::new("connection_endpoint_empty"))?;
    let panel = match new.panel {
        Some(typed) => ObjectStorage::panel_address(&typed)?,
        None => base.panel,
    };
    Ok(ObjectStorage {
        name: new.name,
        endpoint,
        region: new.region.unwrap_or(base.region),
        bucket: new.bucket.unwrap_or(base.bucket),
        addressing: new.addressing.map_or(base.addressing, |argument| argument.0),
        access_key: new.access_key.unwrap_or(base.access_key),
        public_by: new.public_by.map_or(base.public_by, |argument| argument.0),
        secret_in: new.secret_in.map_or(base.secret_in, |argument| argument.0),
        panel,
        image_regions: if new.image_regions.is_empty() {
            base.image_regions
        } else {
            new.image_regions
        },
    })
}

/// The profile that `aws:work` or `rclone:work` names.
fn profile(app: &App, words: &str) -> Result<Profile, Error> {
    let unknown = || Error::new("profile_unknown").with("name", words);
    let (program, name) = words.split_once(':').ok_or_else(unknown)?;
    let source = match program {
        "aws" => ProfileSource::Aws,
        "rclone" => ProfileSource::Rclone,
        _ => return Err(unknown()),
    };
    let found = app.profiles().found.into_iter();
    let profile = found
        .filter(|profile| profile.source == source)
        .find(|profile| profile.name == name)
        .ok_or_else(unknown)?;
    match profile.problem {
        Some(problem) => Err(problem),
        None => Ok(profile),
    }
}

/// Tries one that is set up, or the only one.
async fn test(text: &Text, app: &App, id: Option<String>, json: bool) -> Result<ExitCode, Error> {
    let id = match id {
        Some(id) => id,
        None => only_one(app).await?,
    };
    ready(text, app, &id).await?;
    let draft = Draft {
        storage: stored(app, &id).await?,
        secret: SecretSource::Kept(id),
    };
    let show = |line: &str| {
        if !json {
            print_line(line);
        }
    };
    let Some(steps) = tested(text, app, &draft, &show).await? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let works = works(&steps);
    if json {
        let steps: Vec<lotse_api::TestStep> = steps.into_iter().map(Into::into).collect();
        print_json(&steps);
    }
    Ok(if works {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

fn works(steps: &[TestStep]) -> bool {
    !steps.iter().any(|step| matches!(step.outcome, TestOutcome::Failed(_)))
}

/// Every step, told as it is taken; `None` when the person breaks off, after what was written was removed.
async fn tested(
    text: &Text,
    app: &App,
    draft: &Draft,
    show: &(dyn Fn(&str) + Sync),
) -> Result<Option<Vec<TestStep>>, Error> {
    let observe = |step: &TestStep| step_lines(text, step).iter().for_each(|line| show(line));
    tokio::select! {
        steps = app.test_connection(draft, &observe) => return steps.map(Some),
        _ = tokio::signal::ctrl_c() => {}
    }
    anstream::eprintln!("{}", text.get("cli_connection_breaking_off"));
    app.tidied().await;
    Ok(None)
}

fn step_lines(text: &Text, step: &TestStep) -> Vec<String> {
    let kind = match step.kind {
        TestStepKind::Name => "connection_step_name",
        TestStepKind::Reach => "connection_step_reach",
        TestStepKind::Clock => "connection_step_clock",
        TestStepKind::SignIn => "connection_step_sign_in",
        TestStepKind::Bucket => "connection_step_bucket",
        TestStepKind::Write => "connection_step_write",
        TestStepKind::PublicRead => "connection_step_public_read",
        TestStepKind::Delete => "connection_step_delete",
    };
    let told = |error: &Error| text.filled(&format!("error_{}", error.code), &error.params);
    let (mark, sentence, next) = match &step.outcome {
        TestOutcome::Passed(params) => {
            let note = params.get("note").map_or("passed", String::as_str);
            ("cli_step_passed", text.filled(&format!("{kind}_{note}"), params), None)
        }
        TestOutcome::Warned(error) => ("cli_step_warned", told(error), next_step(text, error)),
        TestOutcome::Failed(error) => ("cli_step_failed", told(error), next_step(text, error)),
        TestOutcome::Skipped => ("cli_step_skipped", text.find("connection_step_skipped", []), None),
    };
    let (mark, title) = (text.get(mark), text.get(kind));
    let first = format!("{mark:8} {title}: {}", sentence.unwrap_or_default());
    std::iter::once(first)
        .chain(next.map(|next| format!("{:8} {next}", "")))
        .collect()
}

async fn list(text: &Text, app: &App, json: bool) -> Result<ExitCode, Error> {
    let connections: Vec<Connection> = app.connections().await?.into_iter().map(Connection::from).collect();
    if json {
        print_json(&connections);
        return Ok(ExitCode::SUCCESS);
    }
    for connection in connections {
        let Connection {
            id,
            name,
            storage,
            needs,
            ..
        } = connection;
        let (name, place) = match storage {
            Some(storage) => (name, format!("{} {}", storage.endpoint, storage.bucket)),
            None if id == PRACTICE => (text.get("cli_practice"), String::new()),
            None => (name, String::new()),
        };
        let needs = needs.and_then(|error| text.filled(&format!("error_{}", error.code), &error.params));
        print_line(&plain(&format!(
            "{id:20}  {name:24}  {place}  {}",
            needs.unwrap_or_default()
        )));
    }
    Ok(ExitCode::SUCCESS)
}

fn profiles(text: &Text, app: &App, json: bool) {
    let profiles = app.profiles();
    if json {
        return print_json(&Profiles::from(profiles));
    }
    for error in &profiles.unreadable {
        print_error(text, error);
    }
    if profiles.found.is_empty() {
        anstream::eprintln!("{}", text.get("cli_no_profiles"));
    }
    for profile in profiles.found {
        let program = match profile.source {
            ProfileSource::Aws => "aws",
            ProfileSource::Rclone => "rclone",
        };
        let words = format!("{program}:{}", profile.name);
        let endpoint = profile.endpoint.map(String::from).unwrap_or_default();
        let access_key = profile.access_key.unwrap_or_default();
        let problem = profile
            .problem
            .and_then(|error| text.filled(&format!("error_{}", error.code), &error.params))
            .unwrap_or_default();
        print_line(&plain(&format!("{words:28}  {endpoint}  {access_key}  {problem}")));
    }
}

/// The connection that an upload goes over: as named. With none set up but the practice cloud it is that one; otherwise it is not
/// for this program to choose where somebody's disk goes.
pub(crate) async fn chosen(app: &App, named: Option<String>) -> Result<String, Error> {
    if let Some(named) = named {
        return Ok(named);
    }
    let all = app.connections().await?;
    if all.iter().all(|connection| connection.kind == ConnectionKind::Practice) {
        return Ok(PRACTICE.to_owned());
    }
    Err(needs_a_name(&all))
}

async fn only_one(app: &App) -> Result<String, Error> {
    let all = app.connections().await?;
    let mut set_up = all
        .iter()
        .filter(|connection| connection.kind != ConnectionKind::Practice);
    match (set_up.next(), set_up.next()) {
        (Some(only), None) => Ok(only.id.clone()),
        _ => Err(needs_a_name(&all)),
    }
}

fn needs_a_name(all: &[lotse_app::Connection]) -> Error {
    let ids: Vec<&str> = all.iter().map(|connection| connection.id.as_str()).collect();
    Error::new("connection_needed").with("connections", ids.join(", "))
}

/// Sees to it that a connection can be used: asks a person at the terminal for what is missing.
///
/// # Errors
/// What is missing, where nobody can be asked.
pub(crate) async fn ready(text: &Text, app: &App, id: &str) -> Result<(), Error> {
    if id == PRACTICE {
        return Ok(());
    }
    let connection = app.connection(id).await?;
    let Some(needed) = connection.needs else {
        return Ok(());
    };
    let in_file = connection
        .storage
        .is_some_and(|storage| storage.secret_in == SecretPlace::File);
    if in_file && prompt::can_ask_for_passphrase() {
        unlock(text, app, Ask::Terminal).await?;
    }
    match app.connection(id).await?.needs {
        None => Ok(()),
        Some(missing)
            if matches!(
                missing.code.as_str(),
                "secret_needed" | "keychain_unavailable" | "keychain_failed"
            ) =>
        {
            let secret = prompt::secret_key(text, &connection.name, Ask::Terminal)?.ok_or(needed)?;
            app.keep_secret(id, &secret).await
        }
        Some(missing) => Err(missing),
    }
}

/// The same for every connection of these uploads.
pub(crate) async fn ready_for<'a>(
    text: &Text,
    app: &App,
    connections: impl IntoIterator<Item = &'a str>,
) -> Result<(), Error> {
    let mut asked = Vec::new();
    for id in connections {
        if !asked.contains(&id) {
            asked.push(id);
            ready(text, app, id).await?;
        }
    }
    Ok(())
}

/// Unlocks the encrypted file of secrets, or makes it.
async fn unlock(text: &Text, app: &App, ask: Ask) -> Result<(), Error> {
    let needed = || Error::new("passphrase_needed");
    match app.secret_places().await.file {
        FileState::Unlocked => return Ok(()),
        FileState::None => {
            let passphrase = prompt::new_passphrase(text, ask)?.ok_or_else(needed)?;
            return app.unlock_secrets(&passphrase).await;
        }
        FileState::Locked => {}
    }
    for left in (0..TRIES).rev() {
        let passphrase = prompt::passphrase(text, ask)?.ok_or_else(needed)?;
        match app.unlock_secrets(&passphrase).await {
            Err(error) if left > 0 && prompt::is_asked_again(&error) => print_error(text, &error),
            done => return done,
        }
    }
    Ok(())
}
