use std::process::Command;

use proptest::prelude::*;

use super::*;

const FAMILIES: &[Rules] = &[
    Rules::Dpkg,
    Rules::Rpm,
    Rules::Apk,
    Rules::Pacman,
    Rules::Portage,
    Rules::Freebsd,
    Rules::Plain,
];

#[test]
fn what_ccloud_asks_of_cloud_init_is_judged_by_the_package_familys_rules() {
    for (rules, version, expected) in [
        (Rules::Dpkg, "22.4.2-1+deb12u4", true),
        (Rules::Dpkg, "0.7.7-1", true),
        (Rules::Dpkg, "0.7.7", true),
        (Rules::Dpkg, "0.7.7~bzr1256-0ubuntu1~16.04.1", false),
        (Rules::Dpkg, "0.7.6~bzr976-2", false),
        (Rules::Dpkg, "0.7.10-1", true),
        (Rules::Dpkg, "1:0.7.5-1", false),
        (Rules::Rpm, "0.7.5-10.el7.centos.1", false),
        (Rules::Rpm, "0.7.9-24.el7.centos.1", true),
        (Rules::Rpm, "0.7.7-1.el6", true),
        (Rules::Rpm, "0.7.7~rc1-1.el6", false),
        (Rules::Rpm, "1:0.7.5-1.el6", false),
        (Rules::Rpm, "23.4-7.el9_4.3", true),
        (Rules::Apk, "25.1.4-r0", true),
        (Rules::Apk, "0.7.7-r0", true),
        (Rules::Apk, "0.7.7_rc1-r0", false),
        (Rules::Pacman, "25.2-1", true),
        (Rules::Pacman, "1:0.7.5-1", false),
        (Rules::Pacman, "0.7.7-1", true),
        (Rules::Portage, "24.4.1-r1", true),
        (Rules::Portage, "0.7.7_rc1", false),
        (Rules::Portage, "0.7.5-r9", false),
        (Rules::Freebsd, "24.1.4_1", true),
        (Rules::Freebsd, "0.7.5_3,1", false),
        (Rules::Freebsd, "0.7.7", true),
        (Rules::Freebsd, "0.7.7.rc1", false),
        (Rules::Plain, "0.7.7", true),
        (Rules::Plain, "0.7.7rc1", false),
        (Rules::Plain, "0.7.5", false),
        (Rules::Plain, "18.5", true),
    ] {
        assert_eq!(at_least(rules, version, "0.7.7"), expected, "{rules:?} {version}");
    }
}

/// Tables made by the families' own tools; `tests/packages/versions/make.py` says how.
#[test]
fn versions_compare_as_the_families_own_tools_say() {
    for (rules, table) in [
        (Rules::Dpkg, include_str!("../../tests/packages/versions/dpkg.txt")),
        (Rules::Rpm, include_str!("../../tests/packages/versions/rpm.txt")),
        (Rules::Apk, include_str!("../../tests/packages/versions/apk.txt")),
        (Rules::Pacman, include_str!("../../tests/packages/versions/pacman.txt")),
        (
            Rules::Portage,
            include_str!("../../tests/packages/versions/portage.txt"),
        ),
        (
            Rules::Freebsd,
            include_str!("../../tests/packages/versions/freebsd.txt"),
        ),
    ] {
        let mut differing = Vec::new();
        for line in table.lines() {
            let [left, sign, right] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            let expected = match sign {
                "<" => Ordering::Less,
                "=" => Ordering::Equal,
                _ => Ordering::Greater,
            };
            if compare(rules, left, right) != expected || compare(rules, right, left) != expected.reverse() {
                differing.push(line);
            }
        }
        assert!(
            table.lines().count() > 30,
            "{rules:?}: a table without pairs proves nothing"
        );
        assert!(differing.is_empty(), "{rules:?}: {differing:#?}");
    }
}

#[test]
fn what_is_no_version_of_gentoo_is_none() {
    for text in [
        "", "-r1", "1-r", "1.", ".1", "1..2", "1_foo", "1_p-r", "a", "1A", "1_", "1-rc1", "1-r1-r2",
    ] {
        assert!(!is_portage(text), "{text}");
    }
    assert!(is_portage("2.0.1a_alpha3_p4-r5"));
}

fn dpkg(left: &str, operator: &str, right: &str) -> Option<bool> {
    let status = Command::new("dpkg")
        .args(["--compare-versions", left, operator, right])
        .status()
        .ok()?;
    match status.code() {
        Some(0) => Some(true),
        Some(1) => Some(false),
        _ => None,
    }
}

/// Texts made of what versions are made of, so that the rules' corners are met.
fn version() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "0", "1", "2", "10", "01", "00", ".", ".", "-", "-r1", "_", "_p", "_rc1", "_alpha", "~", "^", ":", "1:", "+",
        ",1", "_1", "a", "b", "rc", "Z", "*", "é",
    ]);
    prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

/// Three versions of one form.
fn well_formed(form: &'static str) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(form, 3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn order_is_dpkgs(left in "([0-9]:)?[0-9][0-9a-z.+~]{0,6}(-[0-9a-z.+~]{1,3})?", right in "([0-9]:)?[0-9][0-9a-z.+~]{0,6}(-[0-9a-z.+~]{1,3})?") {
        // Without dpkg on the machine there is nothing to compare with.
        if let Some(less) = dpkg(&left, "lt", &right) {
            prop_assert_eq!(compare(Rules::Dpkg, &left, &right) == Ordering::Less, less);
        }
    }

    #[test]
    fn every_familys_order_can_be_turned_round(left in version(), right in version()) {
        for rules in FAMILIES {
            prop_assert_eq!(compare(*rules, &left, &right), compare(*rules, &right, &left).reverse(), "{:?}", rules);
            prop_assert_eq!(compare(*rules, &left, &left), Ordering::Equal, "{:?}", rules);
        }
    }

    #[test]
    fn the_order_of_dpkg_and_rpm_and_gentoo_is_one(one in version(), two in version(), three in version()) {
        // The others are not so for every text, by their own rules: vercmp leaves out a release that one of two lacks.
        for rules in [Rules::Dpkg, Rules::Rpm, Rules::Portage, Rules::Plain] {
            let mut sorted = [&one, &two, &three];
            sorted.sort_by(|left, right| compare(rules, left, right));
            prop_assert_ne!(compare(rules, sorted[0], sorted[2]), Ordering::Greater, "{:?} {:?}", rules, sorted);
        }
    }

    #[test]
    fn the_order_of_well_formed_versions_is_one(
        gentoo in well_formed("[0-9]{1,2}(\\.[0-9]{1,2}){0,2}[ab]?(_(alpha|rc|p)[0-2]?){0,2}(-r[0-2])?"),
        arch in well_formed("([0-2]:)?[0-9]{1,2}(\\.[0-9]{1,2}){0,2}(\\.?rc[0-2])?-[0-9]{1,2}"),
        freebsd in well_formed("[0-9]{1,2}(\\.[0-9]{1,2}){0,2}([ab][0-2]?)?(\\.(alpha|beta|rc)[0-2])?(_[0-2])?(,[0-2])?"),
    ) {
        for (rules, mut versions) in [
            (Rules::Apk, gentoo.clone()),
            (Rules::Portage, gentoo),
            (Rules::Pacman, arch),
            (Rules::Freebsd, freebsd),
        ] {
            versions.sort_by(|left, right| compare(rules, left, right));
            prop_assert_ne!(compare(rules, &versions[0], &versions[2]), Ordering::Greater, "{:?} {:?}", rules, versions);
        }
    }

    #[test]
    fn any_text_can_be_compared(left in ".{0,20}", right in ".{0,20}") {
        for rules in FAMILIES {
            prop_assert_eq!(compare(*rules, &left, &right), compare(*rules, &right, &left).reverse());
            let _ = at_least(*rules, &left, "0.7.7");
        }
    }
}
