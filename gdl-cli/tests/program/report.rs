//! What a training shows of itself in its run's directory.

use crate::common::Dir;

const REPORT: [&str; 4] = ["index.html", "tensorboard", "samples", "speed.jsonl"];

fn page(dir: &Dir, run: &str) -> String {
    String::from_utf8(dir.read(&format!("{run}/index.html"))).unwrap()
}

fn event_files(dir: &Dir, run: &str) -> usize {
    std::fs::read_dir(dir.path(run).join("tensorboard")).unwrap().count()
}

/// Whether all of the parts stand in the page, in that order, and nothing that would have to be fetched.
fn holds(page: &str, parts: &[&str]) {
    let mut rest = page;
    for part in parts {
        let at =
            rest.find(part).unwrap_or_else(|| panic!("no {part:?} (or not in its place) in {page:.3000}"));
        rest = &rest[at..];
    }
    for outside in ["src=\"http", "href=", "<script", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_translation_s_page_has_its_sheets_and_curves() {
    let dir = Dir::stocked();
    let small = "--netG resnet6 --ngf 2 --ndf 2 --size 32 --quiet";
    let train = format!("cyclegan train --a a --b b --out run {small} --steps 5 --sample-every 2");
    dir.succeeds(&format!("{train} --checkpoint-every 3"));
    let parts = [
        "<h1>run: CycleGAN</h1>",
        "Trained for 5 steps.",
        "step 5",
        "<span>real A</span><span>fake B</span><span>reconstructed A</span><span>identity A</span>",
        "data:image/png;base64,",
        ">Reconstruction</text>",
        ">Identity</text>",
        ">Learning rate</text>",
        ">Pictures a second</text>",
        "step 4",
        "step 2",
        "<th>model.lambda_identity</th>",
    ];
    holds(&page(&dir, "run"), &parts);
    assert_eq!(event_files(&dir, "run"), 1);

    // Where identity is not weighed it is not shown.
    dir.picture("pairs/one.png", 40, 80);
    dir.succeeds(&format!("cyclegan train --a a --b b --out plain {small} --steps 1 --lambda_identity 0"));
    assert!(
        !page(&dir, "plain").contains(">Identity</text>") && !page(&dir, "plain").contains("<span>identity")
    );
    dir.succeeds(&format!("pix2pix train --pairs pairs --out pairs-run {small} --steps 1"));
    let parts = [
        "<h1>pairs-run: pix2pix</h1>",
        "<span>picture</span><span>translation</span><span>truth</span>",
        ">Discriminator</text>",
    ];
    holds(&page(&dir, "pairs-run"), &parts);

    for command in ["cyclegan train --a a --b b", "pix2pix train --pairs pairs"] {
        let out = command.split(' ').next().unwrap();
        let nothing = "--sample-every 0 --no-html --no-tensorboard";
        dir.succeeds(&format!("{command} --out bare-{out} {small} --steps 1 {nothing}"));
        for file in REPORT {
            assert!(!dir.path(&format!("bare-{out}")).join(file).exists(), "{file}");
        }
        dir.misused(&format!("{command} --out run --resume --no-html"), &["--resume"]);
    }
}

#[test]
fn a_language_model_s_page_has_its_texts_and_goes_on_when_resumed() {
    let dir = Dir::stocked();
    let small = "--hidden 8 --layers 1 --batch 4 --seq 8 --quiet";
    dir.succeeds(&format!("text train corpus.txt --out run {small} --steps 4 --sample-every 2"));
    dir.succeeds("text train corpus.txt --out run --resume --steps 6 --sample-every 2 --quiet");
    let parts = [
        "<h1>run: language model</h1>",
        "Trained for 6 steps.",
        "<h3>step 6</h3>\n<blockquote>",
        ">Bits per character</text>",
        ">validation</text>",
        ">Tokens a second</text>",
        "<h3>step 4</h3>",
        "<h3>step 2</h3>",
    ];
    holds(&page(&dir, "run"), &parts);
    assert_eq!(event_files(&dir, "run"), 2);
    assert_eq!(std::fs::read_dir(dir.path("run/samples")).unwrap().count(), 3);

    let nothing = "--sample-every 0 --no-html --no-tensorboard";
    dir.succeeds(&format!("text train corpus.txt --out bare {small} --steps 1 {nothing}"));
    for file in REPORT {
        assert!(!dir.path("bare").join(file).exists(), "{file}");
    }
}
