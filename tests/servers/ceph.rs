//! Ceph's radosgw with a monitor and one OSD that keeps everything in memory; nobody has to sign in between them.
//! Debian: radosgw, ceph-mon, ceph-osd, ceph-common (16.2).

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use super::{
    Access, START_LIMIT, Settings, ports,
    secure::{self, NAME, Port, Secure},
    wait_for, with_logs,
};
use crate::{
    Result,
    process::{self, Process},
};

/// Any will do.
const CLUSTER: &str = "6f1a2b3c-0000-4000-8000-000000000001";

/// Whose buckets they are.
const USER: &str = "test";

/// So many buckets has an account at centron.
const MAX_BUCKETS: &str = "--max-buckets=100";

/// `radosgw-admin` for the server in this folder, with these words.
pub(super) fn admin(folder: &Path, words: &[&str]) -> Result<String> {
    let mut command = Command::new("radosgw-admin");
    command
        .arg("-c")
        .arg(folder.join("ceph.conf"))
        .args(["-n", "client.rgw"]);
    process::output(command.args(words))
}

pub(super) async fn start(folder: &Path, settings: Settings) -> Result<(Vec<Process>, Access, Option<Secure>)> {
    let [monitor, gateway, with_tls @ ..] = ports::free::<5>()?;
    let (secure, with_tls) = if settings.tls {
        let (secure, with_tls) = secure::provide(&folder.join("tls"), with_tls)?;
        (Some(secure), with_tls)
    } else {
        (None, Vec::new())
    };
    for sub in ["run", "log", "mon", "osd", "rgw"] {
        fs::create_dir_all(folder.join(sub))?;
    }
    let configuration = folder.join("ceph.conf");
    fs::write(
        &configuration,
        configuration_text(folder, monitor, gateway, &with_tls, settings),
    )?;
    let program = |name: &str, words: &[&str]| {
        let mut command = Command::new(name);
        command.arg("-c").arg(&configuration).args(words);
        command
    };
    let log = |name: &str| folder.join("log").join(format!("{name}-said.log"));

    let map = folder.join("monmap");
    let mut monmaptool = Command::new("monmaptool");
    monmaptool.args(["--create", "--clobber", "--addv", "a"]);
    monmaptool.arg(format!("[v1:127.0.0.1:{monitor}]"));
    process::output(monmaptool.args(["--fsid", CLUSTER]).arg(&map))?;
    process::output(program("ceph-mon", &["--mkfs", "-i", "a", "--monmap"]).arg(&map))?;
    let mut processes = vec![Process::start_server(
        &program("ceph-mon", &["-i", "a", "-f"]),
        &log("mon"),
    )?];
    // The store in memory makes up its own name: it is made first and then registered under that.
    process::output(&mut program("ceph-osd", &["-i", "0", "--mkfs"]))?;
    let name = fs::read_to_string(folder.join("osd/fsid"))?;
    let patience = ["--connect-timeout", "60"];
    let limit = Instant::now() + START_LIMIT;
    // A monitor that has just begun to answer may still refuse (EPERM: no command descriptions yet). Repeating it does no harm.
    while let Err(error) = process::output(program("ceph", &patience).args(["osd", "new", name.trim(), "0"])) {
        if Instant::now() > limit {
            return Err(with_logs(&error.to_string(), folder).into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let start_osd = || Process::start_server(&program("ceph-osd", &["-i", "0", "-f"]), &log("osd"));
    let mut osd = start_osd()?;
    while !process::output(program("ceph", &patience).args(["osd", "stat"]))?.contains("1 up") {
        // On a loaded machine it may ask before it has learnt the cluster's name; it is refused (EPERM, "wrong fsid") and ends.
        if osd.still_runs().is_err() {
            osd = start_osd()?;
        }
        if Instant::now() > limit {
            return Err(with_logs("the OSD does not come up", folder).into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    processes.push(osd);
    processes.push(Process::start_server(
        &program("radosgw", &["-n", "client.rgw", "-f"]),
        &log("rgw"),
    )?);
    let endpoint = format!("http://127.0.0.1:{gateway}");
    wait_for(&endpoint, &mut processes, folder).await?;
    let (access_key, secret_key) = ("AKEY", "SKEY");
    make_user(folder, USER, access_key, secret_key)?;
    let access = Access {
        endpoint: endpoint.parse()?,
        region: "us-east-1".to_owned(),
        bucket: "staging".to_owned(),
        access_key: access_key.to_owned(),
        secret_key: secret_key.to_owned(),
    };
    Ok((processes, access, secure))
}

/// One that serves the same buckets at another port. What it logs and is administered by is its own.
pub(super) fn second_gateway(command: &mut Command, folder: &Path, port: u16) {
    command
        .arg("-c")
        .arg(folder.join("ceph.conf"))
        .args(["-n", "client.rgw", "-f", "--admin_socket", ""])
        .arg(format!("--rgw_frontends=beast endpoint=127.0.0.1:{port}"))
        .arg(format!("--log_file={}", folder.join("log/second.log").display()));
}

/// Makes another user.
pub(super) fn make_user(folder: &Path, name: &str, access_key: &str, secret_key: &str) -> Result {
    let (uid, display_name) = (format!("--uid={name}"), format!("--display-name={name}"));
    let keys = [
        format!("--access-key={access_key}"),
        format!("--secret-key={secret_key}"),
    ];
    let mut words = vec!["user", "create", MAX_BUCKETS, &uid, &display_name];
    words.extend(keys.iter().map(String::as_str));
    admin(folder, &words).map(drop)
}

/// Gives the user of this server another key and takes the one away that there was.
pub(super) fn replace_key(folder: &Path, old: &str, access_key: &str, secret_key: &str) -> Result {
    let (uid, keys) = (
        format!("--uid={USER}"),
        [
            format!("--access-key={access_key}"),
            format!("--secret-key={secret_key}"),
        ],
    );
    admin(folder, &["key", "create", "--key-type=s3", &uid, &keys[0], &keys[1]])?;
    let old = format!("--access-key={old}");
    admin(folder, &["key", "rm", "--key-type=s3", &uid, &old]).map(drop)
}

fn configuration_text(folder: &Path, monitor: u16, gateway: u16, with_tls: &[Port], settings: Settings) -> String {
    let mut frontends = format!("beast endpoint=127.0.0.1:{gateway}");
    for Port {
        number,
        certificate,
        key,
    } in with_tls
    {
        // Writing into a String cannot fail.
        _ = write!(
            frontends,
            ", beast ssl_endpoint=127.0.0.1:{number} ssl_certificate={} ssl_private_key={}",
            certificate.display(),
            key.display()
        );
    }
    // Once it has a name, it takes any other for a bucket's.
    let dns_name = if settings.named {
        format!("rgw_dns_name = {NAME}\n")
    } else {
        String::new()
    };
    // What was deleted is only freed by the garbage collector: soon, or the memory fills up and writing hangs.
    format!(
        "[global]
fsid = {CLUSTER}
mon_initial_members = a
mon_host = [v1:127.0.0.1:{monitor}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
public_network = 127.0.0.0/8
ms_bind_msgr2 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_max_pg_per_osd = 500
osd_crush_chooseleaf_type = 0
mon_warn_on_pool_no_redundancy = false
run_dir = {folder}/run
admin_socket = {folder}/run/$cluster-$name.asok
log_file = {folder}/log/$name.log
mon_cluster_log_file = {folder}/log/cluster.log
crash_dir = {folder}/log
[mon]
mon_data = {folder}/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 2
[osd]
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = {memory}
osd_class_update_on_start = false
[client]
rgw_frontends = {frontends}
rgw_data = {folder}/rgw
rgw_enable_usage_log = false
rgw_gc_obj_min_wait = 2
rgw_gc_processor_period = 5
rgw_gc_processor_max_time = 5
rgw_dynamic_resharding = false
{dns_name}rgw_multipart_min_part_size = {min_part}
",
        folder = folder.display(),
        memory = settings.memory_gib << 30,
        min_part = settings.min_part,
    )
}
