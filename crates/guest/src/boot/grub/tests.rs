use super::*;

/// What Debian 12's grub-mkconfig wrote, with a second kernel as it adds one.
const DEBIAN: &str = include_str!("../../../tests/boot/debian-12-grub.cfg");

fn chosen(text: &str, grubenv: Option<&str>) -> Option<Parsed> {
    let variables = grubenv.map(environment);
    run(text, variables.as_ref()).chosen(&[])
}

fn title(text: &str, grubenv: Option<&str>) -> String {
    chosen(text, grubenv).unwrap().title.unwrap()
}

#[test]
fn debian_starts_its_first_entry() {
    let parsed = chosen(DEBIAN, None).unwrap();
    assert_eq!(parsed.title.as_deref(), Some("Debian GNU/Linux"));
    assert_eq!(parsed.kernel.as_deref(), Some("/boot/vmlinuz-6.1.0-56-cloud-amd64"));
    assert_eq!(parsed.initramfs, ["/boot/initrd.img-6.1.0-56-cloud-amd64"]);
    assert_eq!(
        parsed.device.as_deref(),
        Some("UUID=5eeda241-1e2e-499a-afc2-ddbb619845a1")
    );
    assert_eq!(
        parsed.options,
        "root=UUID=5eeda241-1e2e-499a-afc2-ddbb619845a1 ro console=tty0 console=ttyS0,115200n8"
    );
    let line = parsed.options_line.unwrap() as usize;
    assert!(
        DEBIAN.lines().nth(line - 1).unwrap().contains("linux\t/boot/vmlinuz"),
        "{line}"
    );
    assert!(
        DEBIAN
            .lines()
            .nth(parsed.line as usize - 1)
            .unwrap()
            .starts_with("menuentry")
    );
}

/// `grub-reboot`, `grub-set-default` and GRUB_DEFAULT name an entry by number, id, title, or a path of them.
#[test]
fn the_default_is_found_by_every_kind_of_name() {
    let with = |default: &str| DEBIAN.replace("set default=\"0\"", &format!("set default=\"{default}\""));
    let uuid = "5eeda241-1e2e-499a-afc2-ddbb619845a1";
    let recovery = "Debian GNU/Linux, with Linux 6.1.0-56-cloud-amd64 (recovery mode)";
    for default in [
        "1>1".to_owned(),
        format!("gnulinux-advanced-{uuid}>gnulinux-6.1.0-56-cloud-amd64-recovery-{uuid}"),
        format!("Advanced options for Debian GNU/Linux>{recovery}"),
    ] {
        assert_eq!(title(&with(&default), None), recovery, "{default}");
    }
    assert_eq!(
        title(&with("1"), None),
        "Debian GNU/Linux, with Linux 6.1.0-56-cloud-amd64",
        "a submenu starts its first entry"
    );
    assert_eq!(title(&with("7"), None), "Debian GNU/Linux", "as GRUB itself does");
    let saved = with("${saved_entry}");
    assert_eq!(
        title(&saved, Some("# GRUB Environment Block\nsaved_entry=1>1\n####")),
        recovery
    );
    assert_eq!(
        title(&saved, None),
        "Debian GNU/Linux",
        "without a grubenv nothing is saved"
    );
    assert_eq!(title(DEBIAN, Some("next_entry=1>1\n")), recovery, "grub-reboot");
}

/// As Ubuntu's cloud images have it: what is started depends on whether the last start failed.
#[test]
fn branches_are_followed() {
    let text = "if [ \"${initrdfail}\" = 2 ]; then\n set x=1\nelif [ \"$initrdfail\" = 1 ]; then set partuuid=abc; \
                else\n set partuuid=\nfi\n\
                menuentry 'Ubuntu' --class ubuntu {\n\
                if [ \"${initrdfail}\" = 1 ]; then\n linux /boot/vmlinuz root=PARTUUID=abc ro\n initrd /boot/initrd\n\
                else\n linux /boot/vmlinuz root=PARTUUID=abc ro panic=-1\n fi\n}\n";
    assert_eq!(chosen(text, None).unwrap().options, "root=PARTUUID=abc ro panic=-1");
    assert_eq!(chosen(text, Some("")).unwrap().initramfs, Vec::<String>::new());
    let failed = format!("load_env\n{text}");
    let parsed = chosen(&failed, Some("initrdfail=1\n")).unwrap();
    assert_eq!(
        (parsed.options.as_str(), parsed.initramfs.len()),
        ("root=PARTUUID=abc ro", 1)
    );
}

#[test]
fn what_only_a_running_grub_can_tell_is_not_guessed() {
    let text = "set default=0\nif search --file --set=root /rescue; then set default=1; fi\nmenuentry a { linux /a }\n\
                menuentry b { linux /b }\n";
    assert!(run(text, None).is_uncertain());
    let harmless = text.replace("set default=1", "set color=1");
    assert!(!run(&harmless, None).is_uncertain());
    assert_eq!(chosen(&harmless, None).unwrap().kernel.as_deref(), Some("/a"));
}

/// As RHEL 9 and Fedora have it: the entries stand in files of their own.
#[test]
fn entries_of_the_boot_loader_specification_take_their_place() {
    let text = "load_env\nset default=\"${saved_entry}\"\nblscfg\nmenuentry 'UEFI Firmware Settings' --id 'uefi' {\n\
                fwsetup\n}\n";
    let bls: Vec<(String, Parsed)> = ["m-5.14.0-70", "m-5.14.0-60"]
        .map(|id| {
            let parsed = Parsed {
                title: Some(id.to_owned()),
                ..Parsed::default()
            };
            (id.to_owned(), parsed)
        })
        .to_vec();
    let title = |saved: &str| {
        let environment = environment(&format!("saved_entry={saved}\n"));
        run(text, Some(&environment)).chosen(&bls).unwrap().title.unwrap()
    };
    assert_eq!(title(""), "m-5.14.0-70");
    assert_eq!(title("m-5.14.0-60"), "m-5.14.0-60");
    assert_eq!(title("1"), "m-5.14.0-60");
    assert_eq!(title("2"), "UEFI Firmware Settings");
    assert_eq!(title("uefi"), "UEFI Firmware Settings");
}

#[test]
fn quotes_and_variables_are_those_of_a_shell() {
    let text = "a='x y'\nset b=\"<$a>${none}\\\"\"\nmenuentry \"t $b\" {\n linux (hd0,gpt2)/k $a '' \\\n  $none end\n}";
    let parsed = chosen(text, None).unwrap();
    assert_eq!(parsed.title.as_deref(), Some("t <x y>\""));
    assert_eq!(parsed.options, "x y  end");
    for text in [
        "",
        "}",
        "fi fi }",
        "menuentry",
        "menuentry 'a",
        "if",
        "$",
        "${",
        "\\",
        "menuentry a {\n}\n}",
    ] {
        _ = chosen(text, Some(""));
    }
    assert_eq!(
        chosen("menuentry a { linux /k }", None).unwrap().kernel.as_deref(),
        Some("/k")
    );
}
