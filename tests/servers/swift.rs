//! A whole Swift: proxy, account, container and object server, one replica, one device; users in the proxy's own file.
//! Debian: swift-proxy, swift-account, swift-container, swift-object, memcached. Nothing under /etc is read or changed.

use std::{fs, path::Path, process::Command};

use super::{Access, Settings, ports, secure::NAME, user, wait_for};
use crate::{
    Result,
    process::{self, Process},
};

/// Every server reads its part of the cluster from here.
const HASHES: &str = "[swift-hash]
swift_hash_path_suffix = lotse
swift_hash_path_prefix = lotse
[storage-policy:0]
name = Policy-0
default = yes
";

/// The order matters: s3api before the users, bulk and slo after both (completing an upload writes an SLO's manifest).
const PIPELINE: &str = "catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server";

/// Those of them that need no settings.
const PLAIN: [&str; 8] = [
    "catch_errors",
    "gatekeeper",
    "healthcheck",
    "listing_formats",
    "bulk",
    "copy",
    "dlo",
    "symlink",
];

/// The user's first secret key.
const SECRET: &str = "testing";

pub(super) async fn start(folder: &Path, settings: Settings) -> Result<(Vec<Process>, Access)> {
    let [proxy, account, container, object, cache] = ports::free::<5>()?;
    let etc = folder.join("etc");
    for sub in ["etc", "log", "cache", "srv/sdb1"] {
        fs::create_dir_all(folder.join(sub))?;
    }
    fs::write(etc.join("swift.conf"), HASHES)?;
    let user = user()?;
    let common = format!(
        "[DEFAULT]\nbind_ip = 127.0.0.1\nuser = {user}\nswift_dir = {}\nlog_level = WARNING\nworkers = 0\n",
        etc.display()
    );
    let mut memcached = Command::new("memcached");
    memcached.args([
        "-u",
        &user,
        "-l",
        "127.0.0.1",
        "-p",
        &cache.to_string(),
        "-U",
        "0",
        "-m",
        "32",
    ]);
    let log = |name: &str| folder.join("log").join(format!("{name}.log"));
    let mut processes = vec![Process::start_server(&memcached, &log("memcached"))?];
    for (name, port) in [("account", account), ("container", container), ("object", object)] {
        ring(&etc, name, port)?;
        let text = backend(&common, folder, name, port);
        processes.push(server(&etc, name, &text, &log(name))?);
    }
    processes.push(server(
        &etc,
        "proxy",
        &front(&common, proxy, cache, settings.min_part),
        &log("proxy"),
    )?);
    let endpoint = format!("http://127.0.0.1:{proxy}");
    for port in [account, container, object, proxy] {
        wait_for(&format!("http://127.0.0.1:{port}/healthcheck"), &mut processes, folder).await?;
    }
    let access = Access {
        endpoint: endpoint.parse()?,
        region: "us-east-1".to_owned(),
        bucket: "staging".to_owned(),
        access_key: "test:tester".to_owned(),
        secret_key: SECRET.to_owned(),
    };
    Ok((processes, access))
}

/// Gives the user another secret key. Its users stand in the proxy's own file, which it reads when it starts.
pub(super) async fn replace_key(
    folder: &Path,
    processes: &mut Vec<Process>,
    access: &Access,
    secret_key: &str,
) -> Result {
    let etc = folder.join("etc");
    let text = fs::read_to_string(etc.join("proxy-server.conf"))?;
    let user = |secret: &str| format!("user_test_tester = {secret} ");
    let text = text.replace(&user(&access.secret_key), &user(secret_key));
    // The last one to be started; its port must be free before the next one takes it.
    drop(processes.pop());
    processes.push(server(&etc, "proxy", &text, &folder.join("log/proxy.log"))?);
    let health = access.endpoint.join("healthcheck")?;
    wait_for(health.as_str(), processes, folder).await
}

/// Where the parts of the cluster are: 16 partitions (power 4) are plenty for one device.
fn ring(etc: &Path, name: &str, port: u16) -> Result {
    let builder = format!("{name}.builder");
    let device = format!("r1z1-127.0.0.1:{port}/sdb1");
    for words in [
        vec!["create", "4", "1", "1"],
        vec!["add", &device, "1"],
        vec!["rebalance"],
    ] {
        let mut command = Command::new("swift-ring-builder");
        command.current_dir(etc).arg(&builder).args(words);
        process::output(&mut command)?;
    }
    Ok(())
}

fn backend(common: &str, folder: &Path, name: &str, port: u16) -> String {
    // File systems in containers often lack fallocate.
    format!(
        "{common}bind_port = {port}
devices = {folder}/srv
mount_check = false
disable_fallocate = true
recon_cache_path = {folder}/cache
[pipeline:main]
pipeline = healthcheck {name}-server
[app:{name}-server]
use = egg:swift#{name}
[filter:healthcheck]
use = egg:swift#healthcheck
",
        folder = folder.display()
    )
}

fn front(common: &str, port: u16, cache: u16, min_part: u64) -> String {
    let plain: String = PLAIN
        .iter()
        .map(|name| ["[filter:", name, "]\nuse = egg:swift#", name, "\n"].concat())
        .collect();
    format!(
        "{common}bind_port = {port}
[pipeline:main]
pipeline = {PIPELINE}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{cache}
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
storage_domain = {NAME}
min_segment_size = {min_part}
max_upload_part_num = 10000
[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {SECRET} .admin
{plain}"
    )
}

fn server(etc: &Path, name: &str, configuration: &str, log: &Path) -> Result<Process> {
    let path = etc.join(format!("{name}-server.conf"));
    fs::write(&path, configuration)?;
    let mut command = Command::new(format!("swift-{name}-server"));
    command.arg(&path).arg("--verbose").env("PYTHONWARNINGS", "ignore");
    Process::start_server(&command, log)
}
