//! The program that sets a VM up: what switched it off, what it will take its settings from, what it remembers.

mod real;
mod subjects;

use lotse_guest::{Evidence, Fact, facts::OtherAgent};
use lotse_requirements::{Certainty, Finding, Status, Subject, Verdict, judge};

use crate::subjects::{ready, with_agent};

pub(crate) use self::subjects::subjects;
use self::subjects::{
    CLOUD_CFG, DROP_INS, GRUB_CFG, STOCK, command_line, expected, installed_ubuntu, off_by, on_platform, ordered,
    other, overruled, preserving, ran, removed, seeded, sources, start_unknown, stock_alpine, stock_debian,
    switched_off, too_old,
};

fn finding(subject: &Subject, code: &str) -> Option<Finding> {
    judge(subject).findings.into_iter().find(|finding| finding.code == code)
}

fn commands(subject: &Subject, code: &str) -> Vec<String> {
    let remedy = finding(subject, code).unwrap().remedy;
    remedy.unwrap().commands
}

/// Whatever switched it off, its own sentence says so, and there is something to do about it.
#[test]
fn every_switch_has_a_sentence_and_a_remedy_of_its_own() {
    for (because, decider, reason) in [
        (
            "disabled_file",
            "/etc/cloud/cloud-init.disabled",
            "cloud_agent_disabled_file",
        ),
        (
            "identify_policy",
            "/etc/cloud/ds-identify.cfg",
            "cloud_agent_identify_policy",
        ),
        ("identify_policy", GRUB_CFG, "cloud_agent_command_line"),
        ("command_line", GRUB_CFG, "cloud_agent_command_line"),
        ("masked", "/etc/systemd/system/cloud-init.service", "cloud_agent_masked"),
        (
            "condition",
            "/etc/systemd/system/cloud-init.service.d/x.conf",
            "cloud_agent_condition",
        ),
        ("no_start_link", "/etc/systemd/system/x", "cloud_agent_no_start_link"),
    ] {
        let subject = off_by(because, Evidence::path(decider));
        let found = finding(&subject, "cloud_agent").unwrap();
        assert_eq!(
            (found.status, found.reason.as_str()),
            (Status::Fail, reason),
            "{because}"
        );
        assert!(!commands(&subject, "cloud_agent").is_empty(), "{because}");
        assert_eq!(
            found.evidence[0].path.as_deref(),
            Some(decider),
            "what decides stands first"
        );
    }
    for subject in switched_off() {
        let report = judge(&subject);
        assert_eq!(report.verdict, Verdict::WillNotWork, "no VM gets its key");
    }
}

#[test]
fn units_are_called_as_in_that_release() {
    let masked = |version: &str| {
        let mut subject = off_by("masked", Evidence::path("/etc/systemd/system/cloud-init.service"));
        if let Ok(facts) = &mut subject.facts
            && let Fact::Known(Some(agent)) = &mut facts.agent
        {
            agent.version = Fact::Known(version.to_owned());
        }
        commands(&subject, "cloud_agent")
    };
    assert!(masked("22.4.2-1+deb12u4")[0].ends_with("cloud-init.service cloud-config.service cloud-final.service"));
    for version in ["24.3", "25.1.4-1+deb13u1", "1:26.1-0ubuntu1"] {
        assert!(masked(version)[0].contains("cloud-init-network.service"), "{version}");
    }
}

#[test]
fn a_path_of_the_image_cannot_smuggle_anything_into_a_command() {
    for path in [
        "/etc/systemd/system/cloud-init.service; reboot.d/x.conf",
        "/etc/systemd/system/$(reboot).service",
        "/etc/init/cloud; reboot.override",
    ] {
        assert_eq!(
            commands(&off_by("condition", Evidence::path(path)), "cloud_agent"),
            Vec::<String>::new()
        );
    }
    let word = "ci.ds=NoCloud;$(reboot)";
    let commands = commands(&overruled(command_line(word)), "datasource_order").join("\n");
    assert!(!commands.contains("reboot"), "{commands}");
}

/// ccloud³ names five programs; what it does not name may work, what asks another cloud's service cannot.
#[test]
fn a_program_that_ccloud_does_not_name_is_not_said_to_do() {
    let status = |subject: &Subject| finding(subject, "cloud_agent").unwrap().status;
    assert_eq!(status(&other("nuageinit", |_| {})), Status::Warning);
    assert_eq!(status(&start_unknown("tiny-cloud")), Status::Unknown);
    assert_eq!(status(&start_unknown("bsd-cloudinit")), Status::Unknown);
    assert_eq!(status(&other("waagent", |_| {})), Status::Fail);
    assert_eq!(status(&other("ignition", |_| {})), Status::Pass, "whatever its version");
    assert_eq!(
        finding(&removed(), "cloud_agent").unwrap().reason,
        "cloud_agent_removed"
    );
}

/// CentOS 6 ends with 0.7.5: an update that brings nothing is no remedy.
#[test]
fn a_release_that_never_got_a_newer_cloud_init_is_not_told_to_update() {
    let remedy = |id: &str, version: &str| {
        finding(&too_old(id, version), "cloud_agent")
            .unwrap()
            .remedy
            .unwrap()
            .code
    };
    for (id, version) in [("centos", "6.10"), ("debian", "8"), ("ubuntu", "14.04")] {
        assert_eq!(remedy(id, version), "newer_release", "{id} {version}");
    }
    for (id, version) in [("centos", "7"), ("debian", "9"), ("ubuntu", "16.04")] {
        assert_eq!(remedy(id, version), "update_cloud_init", "{id} {version}");
    }
}

/// ccloud³'s rule stays a warning; whoever has a stock Debian learns that it will go well all the same.
#[test]
fn the_order_tells_what_will_come_of_it() {
    for (subject, status, effect, certainty) in [
        (
            stock_debian(),
            Status::Warning,
            "datasource_order_effect_identify",
            Certainty::Possible,
        ),
        (
            stock_alpine(),
            Status::Warning,
            "datasource_order_effect_nothing_there",
            Certainty::Possible,
        ),
    ] {
        let found = finding(&subject, "datasource_order").unwrap();
        assert_eq!((found.status, found.certainty), (status, certainty));
        assert_eq!(found.details, [effect]);
        assert_eq!(judge(&subject).verdict, Verdict::ReadyWithWarnings);
    }
    let seeded = ordered(sources(
        STOCK,
        &[(CLOUD_CFG, 1)],
        None,
        expected(Some("NoCloud"), "seed_on_disk", "python", STOCK),
    ));
    let found = finding(&seeded, "datasource_order").unwrap();
    assert_eq!(found.details, ["datasource_order_effect_seed"]);
    assert_eq!(found.certainty, Certainty::Certain, "what lies on the disk is taken");
}

/// A drop-in does nothing where ds-identify's own settings or the command line name the datasource.
#[test]
fn what_overrules_the_list_is_what_gets_mended() {
    let in_file = overruled(Evidence::path("/etc/cloud/ds-identify.cfg").value("datasource: NoCloud"));
    let found = finding(&in_file, "datasource_order").unwrap();
    assert_eq!(
        (found.status, found.reason.as_str()),
        (Status::Fail, "datasource_order_overruled")
    );
    let file = "/etc/cloud/ds-identify.cfg";
    assert_eq!(
        commands(&in_file, "datasource_order"),
        [format!(
            "test ! -e {file} || sed -i '/^[[:space:]]*datasource:/d' {file}"
        )]
    );
    let on_command_line = commands(&overruled(command_line("ci.ds=NoCloud")), "datasource_order");
    assert!(on_command_line[0].contains("ci\\.ds=") && on_command_line[1] == "update-grub");
}

#[test]
fn the_installers_setting_goes_and_the_drop_in_wins_over_what_is_left() {
    assert_eq!(
        commands(&installed_ubuntu(), "datasource_order"),
        [
            format!("rm -f {DROP_INS}/99-installer.cfg"),
            format!("echo 'datasource_list: [ ConfigDrive, NoCloud, None ]' > {DROP_INS}/99-ccloud.cfg"),
        ]
    );
}

#[test]
fn a_machine_that_ran_is_to_be_forgotten() {
    let kept = finding(&ran(true), "cloud_init_instance").unwrap();
    assert_eq!(
        (kept.status, kept.reason.as_str()),
        (Status::Fail, "cloud_init_instance_kept")
    );
    assert_eq!(
        finding(&ran(false), "cloud_init_instance").unwrap().status,
        Status::Warning
    );
    assert_eq!(
        commands(&ran(false), "cloud_init_instance"),
        ["cloud-init clean --logs"]
    );
    assert_eq!(
        finding(&ready(), "cloud_init_instance"),
        None,
        "nothing is left of an image that never ran"
    );
}

/// The config drive comes first or not; only then is a seed worth a word.
#[test]
fn a_seed_matters_where_it_is_taken() {
    let folder = || Evidence::path("/var/lib/cloud/seed/nocloud");
    for (because, status) in [
        (Some("seed_on_disk"), Status::Fail),
        (Some("config_drive"), Status::Pass),
        (None, Status::Warning),
    ] {
        let found = finding(&seeded(folder(), because), "cloud_init_seed").unwrap();
        assert_eq!(found.status, status, "{because:?}");
    }
    let label = seeded(Evidence::default().value("LABEL=cidata"), Some("seed_on_disk"));
    assert_eq!(
        commands(&label, "cloud_init_seed"),
        [format!(
            "echo 'datasource_list: [ ConfigDrive, NoCloud, None ]' > {DROP_INS}/zz-ccloud.cfg"
        )],
        "a partition stays where it is, and loses its say; `99-ccloud.cfg` decides already"
    );
}

#[test]
fn a_setting_is_overruled_by_a_file_that_wins() {
    for (decider, name) in [
        (CLOUD_CFG.to_owned(), "99-ccloud-hostname.cfg"),
        (format!("{DROP_INS}/99-installer.cfg"), "zz-ccloud-hostname.cfg"),
    ] {
        assert_eq!(
            commands(&preserving(&decider), "cloud_init_hostname"),
            [format!("echo 'preserve_hostname: false' > {DROP_INS}/{name}")]
        );
    }
    assert_eq!(finding(&ready(), "cloud_init_hostname"), None);
    assert_eq!(finding(&ready(), "cloud_init_password_login"), None);
}

/// Fedora CoreOS and Flatcar come with Afterburn, FreeBSD with nuageinit: nobody is to be troubled about those.
#[test]
fn what_stands_beside_the_program_on_stock_systems_is_no_other_agent() {
    for kind in ["afterburn", "ignition", "nuageinit", "cloud-init"] {
        let subject = with_agent(|agent| {
            agent.others.push(OtherAgent {
                kind: kind.to_owned(),
                evidence: Evidence::path("/usr/bin/x"),
            });
        });
        assert_eq!(finding(&subject, "other_agents"), None, "{kind}");
    }
}

#[test]
fn only_openstacks_ignition_reads_the_config_drive() {
    for (platform, status) in [
        (Some("openstack"), Status::Pass),
        (Some("kubevirt"), Status::Warning),
        (Some("metal"), Status::Fail),
        (Some("qemu"), Status::Fail),
        (None, Status::Warning),
    ] {
        let found = finding(&on_platform(platform), "ignition_platform").unwrap();
        assert_eq!(found.status, status, "{platform:?}");
    }
}
