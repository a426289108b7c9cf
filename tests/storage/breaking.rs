//! What happens to other people: the bucket goes, the key is revoked, a colleague uses the same bucket, the time is over. Nothing is lost by it,
//! nothing hangs, and everybody is told what to do.

use std::process::Command;

use lotse_tests::{
    Result,
    home::{Home, Said},
    process,
    servers::{Access, Kind, Server, Settings},
    stored::sha256_of_file,
    strangers,
};
use serde_json::Value;
use url::Url;

use crate::person::{Inventory, add, customer, keys_of, own_file, word};

const IMAGE: &str = "debian-12-compressed.qcow2";

#[tokio::test]
async fn whatever_happens_to_bucket_key_and_time_an_upload_can_be_ended_well() -> Result {
    let server = Server::start(Kind::Radosgw, Settings::default()).await?;
    the_key_is_revoked(&server).await?;
    the_bucket_goes(&server).await?;
    two_computers(&server).await?;
    the_time_is_over(&server).await
}

/// A computer with the connection and the image.
struct Computer {
    home: Home,
    connection: String,
    image: std::path::PathBuf,
}

impl Computer {
    fn new(access: &Access) -> Result<Computer> {
        let mut home = Home::new()?;
        home.set("LOTSE_SECRET_KEY", &access.secret_key);
        let id = add(&home, access, &["--secret-in", "ask"], "")?.well()?;
        let image = own_file(&home, IMAGE, "Größe.qcow2")?;
        Ok(Computer {
            home,
            connection: id.out.trim().to_owned(),
            image,
        })
    }

    fn upload(&self) -> Result<Said> {
        let words = [
            "upload",
            "--anyway",
            "--connection",
            &self.connection,
            word(&self.image)?,
        ];
        self.home.run(&words)
    }

    fn last(&self) -> Result<Value> {
        let uploads = self.home.run(&["uploads", "--json"])?.well()?.json()?;
        let mut open = uploads.as_array().into_iter().flatten();
        let open = open.find(|upload| !["done", "cancelled"].contains(&upload["state"].as_str().unwrap_or_default()));
        Ok(open.cloned().unwrap_or(Value::Null))
    }

    fn id(&self) -> Result<String> {
        Ok(self.last()?["id"].as_str().ok_or("no upload")?.to_owned())
    }

    fn address(&self) -> Result<Url> {
        let told = self.home.run(&["handover", &self.id()?, "--json"])?.well()?.json()?;
        Ok(told["url"].as_str().ok_or("no address")?.parse()?)
    }

    fn staging(&self) -> Result<Vec<Value>> {
        let told = self.home.run(&["staging", "list", "--json"])?.well()?.json()?;
        assert_eq!(told["unreachable"].as_array().map(Vec::len), Some(0), "{told}");
        Ok(told["objects"].as_array().cloned().unwrap_or_default())
    }
}

fn assert_refused(said: &Said, why: &str) {
    assert_eq!(said.status, Some(1), "{why}: {said:?}");
    assert!(
        !said.err.trim().is_empty() && !said.err.contains("error_"),
        "{why}: {said:?}"
    );
}

/// The operator takes the key away, and gives another secret to it later.
async fn the_key_is_revoked(server: &Server) -> Result {
    let access = customer(server, "widerruf").await?;
    let mut computer = Computer::new(&access)?;
    let key = format!("--access-key={}", access.access_key);
    server.admin(&["key", "rm", "--uid=widerruf", "--key-type=s3", &key])?;
    assert_refused(&computer.upload()?, "the key is gone");
    assert_eq!(computer.last()?["state"], "waiting_for_sign_in");
    assert_refused(&computer.home.run(&["resume"])?, "still");

    let new = "another/Secret+of=another.key";
    let keys = ["--access-key=ANOTHER", &format!("--secret-key={new}")];
    server.admin(&["key", "create", "--uid=widerruf", "--key-type=s3", keys[0], keys[1]])?;
    assert_refused(&computer.home.run(&["resume"])?, "the connection has the old one still");
    assert_eq!(computer.last()?["state"], "waiting_for_sign_in");
    computer.home.set("LOTSE_SECRET_KEY", new);
    let words = [
        "connection",
        "add",
        "ccloud³",
        "--replace",
        &computer.connection,
        "--access-key",
        "ANOTHER",
    ];
    let replaced = computer.home.run(&words)?.well()?;
    assert_eq!(replaced.out.trim(), computer.connection, "it is the same connection");
    computer.home.run(&["resume"])?.well()?;
    arrived(&computer)
}

fn arrived(computer: &Computer) -> Result {
    assert_eq!(computer.last()?["state"], "staged");
    let address = computer.address()?;
    assert_eq!(strangers::sha256(&address)?, sha256_of_file(&computer.image)?);
    computer.home.run(&["imported", &computer.id()?])?.well()?;
    assert!([403, 404].contains(&strangers::head(&address)?.status));
    assert!(computer.last()?.is_null(), "all are done");
    Ok(())
}

async fn the_bucket_goes(server: &Server) -> Result {
    let access = customer(server, "eimer").await?;
    let computer = Computer::new(&access)?;
    let remove = |server: &Server| {
        let bucket = format!("--bucket={}", access.bucket);
        server.admin(&["bucket", "rm", &bucket, "--purge-objects"])
    };
    remove(server)?;
    assert_refused(&computer.upload()?, "there is no bucket");
    access.make_bucket().await?;
    computer.home.run(&["resume", &computer.id()?])?.well()?;
    assert_eq!(computer.last()?["state"], "staged");

    // Gone with the object in it: there is nothing left to remove.
    remove(server)?;
    let staged = computer.last()?;
    assert_eq!(staged["state"], "staged", "{staged}");
    computer.home.run(&["imported", &computer.id()?])?.well()?;
    assert!(computer.last()?.is_null(), "all are done");
    Ok(())
}

/// Two colleagues with one key and one bucket.
async fn two_computers(server: &Server) -> Result {
    let access = customer(server, "kollegen").await?;
    let theirs = Inventory::put(server, &access).await?;
    let (one, other) = (Computer::new(&access)?, Computer::new(&access)?);
    one.upload()?.well()?;
    other.upload()?.well()?;
    let (first, second) = (one.id()?, other.id()?);
    assert_ne!(one.address()?, other.address()?, "no object is ever written over");
    for (computer, own) in [(&one, &first), (&other, &second)] {
        let staging = computer.staging()?;
        let owners: Vec<_> = staging.iter().map(|object| object["upload"].as_str()).collect();
        assert_eq!(staging.len(), 2, "{staging:?}");
        assert!(
            owners.contains(&Some(own.as_str())) && owners.contains(&None),
            "one is somebody else's: {staging:?}"
        );
        assert!(staging.iter().all(|object| object["public"] == true), "{staging:?}");
    }

    let foreign = |computer: &Computer| -> Result<String> {
        let staging = computer.staging()?;
        let foreign = staging.iter().find(|object| object["upload"].is_null()).ok_or("none")?;
        Ok(foreign["key"].as_str().ok_or("no key")?.to_owned())
    };
    let key = foreign(&other)?;
    let address = one.address()?;
    let connection = other.connection.clone();
    other
        .home
        .run(&["staging", "remove", &key, "--connection", &connection, "--yes"])?
        .well()?;
    assert!(
        [403, 404].contains(&strangers::head(&address)?.status),
        "the colleague's is gone"
    );
    assert_eq!(strangers::head(&other.address()?)?.status, 200, "the own one is not");
    // Whose object was taken away does not hang: it can be ended.
    one.home.run(&["imported", &first])?.well()?;
    other.home.run(&["cancel", &second])?.well()?;
    assert_eq!(keys_of(&access).await?, [""; 0]);
    theirs.assert_alone(server)
}

/// The clock is the program's own (libfaketime): two days go by in an instant.
async fn the_time_is_over(server: &Server) -> Result {
    let access = customer(server, "frist").await?;
    let mut computer = Computer::new(&access)?;
    computer.home.run(&["settings", "--staging-days", "1"])?.well()?;
    computer.upload()?.well()?;
    let address = computer.address()?;
    assert_eq!(strangers::head(&address)?.status, 200);
    assert_eq!(computer.staging()?.len(), 1);
    assert_eq!(strangers::head(&address)?.status, 200, "the time is not over");

    let library = process::output(Command::new("faketime").args(["-m", "-f", "+2d", "printenv", "LD_PRELOAD"]))?;
    computer.home.set("LD_PRELOAD", library.trim());
    computer.home.set("FAKETIME", "+2d");
    // Not the clock by which it waits.
    computer.home.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    assert_eq!(computer.staging()?.len(), 1, "the object is still there");
    assert_eq!(strangers::head(&address)?.status, 403, "but private");
    let staged = computer.last()?;
    assert_eq!(staged["state"], "staged", "nothing is lost: {staged}");
    assert!(staged["published"].is_null(), "{staged}");
    computer.home.run(&["handover", &computer.id()?, "--again"])?.well()?;
    assert_eq!(
        strangers::sha256(&address)?,
        sha256_of_file(&computer.image)?,
        "public again, at the same address"
    );
    computer.home.run(&["imported", &computer.id()?])?.well()?;
    assert_eq!(keys_of(&access).await?, [""; 0]);
    Ok(())
}
