//! Ctrl-C, sent to the program while it works: what is there afterwards, and that it goes on exactly.

use crate::common::{Dir, Output, assert_same};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    process::Stdio,
    time::{Duration, Instant},
};

/// Runs `gdl`, and sends it a Ctrl-C as soon as there is a file that it writes while it works.
pub(crate) fn interrupted(dir: &Dir, args: &str, file: &str) -> Output {
    let mut child =
        dir.command(args.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while !dir.path(file).exists() {
        assert!(child.try_wait().unwrap().is_none(), "gdl {args}: ended without {file}");
        assert!(began.elapsed() < Duration::from_secs(60), "gdl {args}: no {file}");
        std::thread::sleep(Duration::from_millis(2));
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn a_training_that_is_interrupted_is_saved_and_goes_on_exactly() {
    let dir = Dir::stocked();
    dir.write("pairs.tsv", "ab\tba\nabb\tbba\naab\tbaa\n".repeat(10));
    let small = "--generator resnet6 --ngf 4 --ndf 4 --size 32 --checkpoint-every 1 --quiet";
    for (train, steps) in [
        (format!("cyclegan train --a a --b b {small}"), 5),
        ("text train corpus.txt --hidden 16 --batch 4 --seq 16 --eval-every 1 --quiet".to_string(), 60),
        ("seq2seq train pairs.tsv --level char --hidden 16 --batch 4 --eval-every 1 --quiet".to_string(), 60),
    ] {
        dir.succeeds(&format!("{train} --out whole --steps {steps}"));
        let said = interrupted(
            &dir,
            &format!("{train} --out stopped --steps {steps}"),
            "stopped/weights.safetensors",
        );
        assert_eq!((said.code, said.stderr.lines().count()), (Some(130), 1), "{}", said.stderr);
        let line = said.stderr.trim_end();
        let (start, resume) = line.split_once(": gdl ").unwrap();
        assert!(
            start.starts_with("gdl: interrupted at step ") && start.ends_with(&format!("of {steps}")),
            "{line}"
        );
        // The line says how to go on: do what it says.
        dir.succeeds(resume.strip_suffix(" goes on").unwrap());
        assert_same(&dir.weights("stopped"), &dir.weights("whole"));
        for run in ["whole", "stopped"] {
            std::fs::remove_dir_all(dir.path(run)).unwrap();
        }
    }
}
