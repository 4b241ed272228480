//! Help, flags that every command has, and command lines that make no sense.

use crate::common::Dir;

/// Each command with the flags that the README promises.
const FLAGS: [(&str, &[&str]); 25] = [
    (
        "seq2seq train",
        &[
            "PAIRS",
            "--out",
            "--valid",
            "--resume",
            "--level",
            "--words",
            "--shared",
            "--cell",
            "--hidden",
            "--layers",
            "--embedding",
            "--bridge",
            "--attention",
            "--input-feeding",
            "--copy",
            "--coverage",
            "--coverage-loss",
            "--tied",
            "--dropout",
            "--label-smoothing",
            "--teacher-forcing",
            "--batch",
            "--steps",
            "--epochs",
            "--lr",
            "--schedule",
            "--max-source",
            "--max-target",
            "--valid-rows",
            "--eval-every",
            "--patience",
            "--sample-every",
            "--seed",
        ],
    ),
    (
        "seq2seq run",
        &[
            "RUN",
            "FILE",
            "--beam",
            "--n-best",
            "--length-penalty",
            "--coverage-penalty",
            "--groups",
            "--diversity",
            "--sample",
            "--min-length",
            "--max-length",
            "--prefix",
            "--no-repeat-ngram",
            "--attention-map",
            "--last",
            "--json",
        ],
    ),
    ("seq2seq eval", &["RUN", "PAIRS", "--beam", "--write", "--last", "--json"]),
    ("seq2seq draw", &["TASK", "--part", "--rows", "--seed"]),
    (
        "text qa train",
        &[
            "STORIES",
            "--out",
            "--preset",
            "--vectors",
            "--freeze-vectors",
            "--tagger",
            "--hidden",
            "--resume",
            "--valid",
        ],
    ),
    ("text qa ask", &["RUN", "FILE", "--threshold", "--beam", "--json"]),
    ("text qa eval", &["RUN", "STORIES", "--json"]),
    ("text qa draw", &["--part", "--rows", "--seed"]),
    ("bench", &["JOB", "--list", "--runs", "--warmup", "--json"]),
    ("demo", &["--out", "--seed"]),
    (
        "nst",
        &[
            "CONTENT",
            "STYLE",
            "-o",
            "--out",
            "--size",
            "--steps",
            "--content-weight",
            "--style-weight",
            "--tv-weight",
            "--histogram-weight",
            "--style-loss",
            "wasserstein",
            "--tv",
            "nine-point",
            "--content-layers",
            "--style-layers",
            "--normalize-gradients",
            "--style-weights",
            "--style-scale",
            "--mask",
            "--keep-color",
            "luma",
            "--init",
            "style-stats",
            "--min-scale",
            "--iterations",
            "--avg-decay",
            "--lbfgs-history",
            "--preprocess",
            "--pooling",
            "--optimizer",
            "adam",
            "lbfgs",
            "--weights",
            "vgg19",
            "vgg16",
            "random",
            "--seed",
            "--bit-depth",
            "--no-recipe",
            "--like",
            "--resume",
            "--save-every",
        ],
    ),
    (
        "cyclegan train",
        &[
            "--a",
            "--b",
            "--out",
            "--netG",
            "--generator",
            "resnet_9blocks",
            "resnet6",
            "unet256",
            "unet_128",
            "--netD",
            "basic",
            "n_layers",
            "pixel",
            "--norm",
            "batch",
            "--gan_mode",
            "wgangp",
            "--lr_policy",
            "plateau",
            "--preprocess",
            "scale_width",
            "--init-from",
            "--init_type",
            "orthogonal",
            "--keep-best",
            "--keep-best-every",
            "--val-a",
            "--val-b",
            "--val-count",
            "--val-weights",
            "--val-tap",
            "--size",
            "--epochs",
            "--steps",
            "--sample-every",
            "--no-html",
            "--no-tensorboard",
            "--seed",
            "--resume",
        ],
    ),
    ("cyclegan translate", &["RUN", "INPUT", "--out", "--direction", "ab", "ba", "--best", ".pth"]),
    (
        "cyclegan eval",
        &[
            "RUN",
            "--a",
            "--b",
            "--direction",
            "--weights",
            "random",
            "--tap",
            "--size",
            "--count",
            "--seed",
            "--best",
        ],
    ),
    (
        "pix2pix train",
        &[
            "--pairs",
            "--direction",
            "BtoA",
            "--netG",
            "--no_dropout",
            "--lambda_L1",
            "--keep-best",
            "--val-pairs",
            "--init-from",
            "--resume",
        ],
    ),
    ("pix2pix translate", &["RUN", "INPUT", "--out", ".pth"]),
    (
        "pix2pix eval",
        &["RUN", "PAIRS", "--direction", "AtoB", "--weights", "--tap", "--size", "--count", "--best"],
    ),
    ("pix2pix convert", &["RUN", "OUT", "--format"]),
    ("cyclegan convert", &["RUN", "OUT", "--format", "pth", "safetensors", "--best"]),
    (
        "text train",
        &[
            "CORPUS",
            "--out",
            "--level",
            "char",
            "word",
            "--cell",
            "lstm",
            "gru",
            "--hidden",
            "--layers",
            "--batch",
            "--seq",
            "--epochs",
            "--steps",
            "--min-count",
            "--seed",
            "--resume",
            "--init-from",
        ],
    ),
    ("text eval", &["RUN", "FILE", "--json", "--last", "--cache", "--cache-theta", "--cache-lambda"]),
    (
        "text generate",
        &[
            "RUN",
            "--prompt",
            "--length",
            "--stop",
            "--pattern",
            "--temperature",
            "--top-k",
            "--top-p",
            "--min-p",
            "--typical",
            "--repetition-penalty",
            "--frequency-penalty",
            "--presence-penalty",
            "--penalty-window",
            "--no-repeat-ngram",
            "--dry",
            "--dry-base",
            "--dry-allowed-length",
            "--dry-window",
            "--dry-breaker",
            "--logit-bias",
            "--ban",
            "--allow-unknown",
            "--last",
            "--seed",
            "--state",
            "--samples",
            "--batch",
            "--beams",
            "--n-best",
            "--length-penalty",
            "--length-form",
            "--interactive",
            "--candidates",
            "--json",
        ],
    ),
    (
        "text report",
        &[
            "RUN",
            "CORPUS",
            "--from",
            "--samples",
            "--length",
            "--prompt",
            "--batch",
            "--last",
            "--seed",
            "--json",
            "--temperature",
            "--top-p",
        ],
    ),
    ("text import", &["WEIGHTS", "--vocab", "--out", "--level", "--lowercase", "--keep-case", "--words"]),
    ("text export", &["RUN", "OUT", "--names", "pytorch-examples", "--vocab-out", "--last"]),
];

#[test]
fn help_lists_every_flag() {
    let dir = Dir::new();
    for (command, flags) in FLAGS {
        let help = dir.succeeds(&format!("{command} --help"));
        assert_eq!(help.stderr, "");
        for flag in flags.iter().chain(&["--device", "--threads", "--quiet", "--verbose"]) {
            assert!(help.stdout.contains(flag), "gdl {command} --help has no {flag}:\n{}", help.stdout);
        }
    }
    let help = dir.succeeds("--help").stdout;
    for command in ["demo", "nst", "cyclegan", "pix2pix", "text", "seq2seq"] {
        assert!(help.contains(command), "{help}");
    }
    let version = dir.succeeds("--version").stdout;
    assert_eq!(version.trim(), format!("gdl {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn without_a_command_there_is_help() {
    let dir = Dir::new();
    for args in ["", "text", "cyclegan", "pix2pix"] {
        let output = dir.gdl(args);
        assert_eq!(output.code, Some(2), "gdl {args}");
        assert_eq!(output.stdout, "");
        assert!(output.stderr.contains("Usage: gdl"), "{}", output.stderr);
        assert!(output.stderr.contains("Commands:"), "{}", output.stderr);
    }
}

#[test]
fn nonsense_is_refused_in_one_line() {
    let dir = Dir::stocked();
    dir.misused("paint", &["'paint'", "gdl --help"]);
    dir.misused("nst content.png style.png", &["--out", "gdl nst --help"]);
    dir.misused("nst content.png -o out.png", &["<STYLE>", "gdl nst --help"]);
    dir.misused("nst content.png style.png -o out.png --sise 64", &["--sise", "--size"]);
    dir.misused("text train corpus.txt", &["--out", "gdl text train --help"]);
    dir.misused("text train corpus.txt --out run --steps 1 --epochs 1", &["--steps", "--epochs"]);
    dir.misused("text train corpus.txt --out run --level letter", &["letter", "char", "word"]);
    dir.misused("cyclegan train --out run", &["--a", "--b"]);
    dir.misused("cyclegan train --a builtin:C --b b --out run", &["builtin:C", "--a", "use A or B"]);
    dir.misused("cyclegan train --a a --b b --out run --generator resnet7", &["resnet7", "resnet9"]);
    dir.misused("cyclegan translate run x.png --out o --direction up", &["up", "ab, ba"]);
    dir.misused("nst content.png style.png -o out.png --quiet --verbose", &["--quiet", "--verbose"]);
}

#[test]
fn devices_that_are_not_there_are_named() {
    let dir = Dir::stocked();
    for device in ["gpu", "cuda:one", "cuda:-1", ""] {
        let args = ["text", "train", "corpus.txt", "--out", "run", "--device", device];
        dir.refused(2, &args, &["--device", device]);
    }
    if cfg!(not(feature = "cuda")) {
        for device in ["cuda", "cuda:0"] {
            let args = format!("text train corpus.txt --out run --device {device}");
            dir.fails(&args, &["--device cuda", "--features cuda", "--device cpu"]);
        }
    }
    if cfg!(not(feature = "metal")) {
        dir.fails("demo --out demo --device metal", &["--device metal", "--device cpu"]);
    }
    dir.misused("demo --threads many", &["--threads", "many"]);
    dir.misused("demo --threads 1000000", &["--threads", "1024"]);
}

#[test]
fn sizes_of_nothing_are_refused() {
    let dir = Dir::stocked();
    let nst = "nst content.png style.png -o out.png --weights random";
    for flag in ["--size 0", "--size -5", "--size 1.5", "--size 15", "--size 99999", "--steps 0"] {
        dir.misused(&format!("{nst} {flag}"), &[flag.split(' ').next().unwrap(), "gdl nst --help"]);
    }
    for flag in ["--content-weight -1", "--style-weight nan", "--tv-weight inf", "--seed -1"] {
        let name = flag.split(' ').next().unwrap();
        dir.misused(&format!("{nst} {flag}"), &[name]);
    }
    let gan = "cyclegan train --a a --b b --out run";
    for flag in [
        "--size 0",
        "--steps 0",
        "--epochs 0",
        "--batch 0",
        "--ngf 0",
        "--ndf 0",
        "--lr 0",
        "--checkpoint-every 0",
    ] {
        let name = flag.split(' ').next().unwrap();
        dir.misused(&format!("{gan} {flag}"), &[name, "gdl cyclegan train --help"]);
    }
    let text = "text train corpus.txt --out run";
    for name in
        ["hidden", "layers", "embedding", "batch", "seq", "epochs", "steps", "min-count", "lr", "clip"]
    {
        dir.misused(&format!("{text} --{name} 0"), &[&format!("--{name}"), "gdl text train --help"]);
    }
    for flag in ["--dropout 1", "--valid-fraction 1", "--test-fraction -0.1"] {
        let name = flag.split(' ').next().unwrap();
        dir.misused(&format!("{text} {flag}"), &[name, "less than 1"]);
    }
    dir.misused("text generate run --length 0", &["--length", "at least 1"]);
    for temperature in ["-1", "-0.5", "nan", "inf", "warm"] {
        dir.misused(&format!("text generate run --temperature {temperature}"), &["--temperature"]);
    }
}

#[test]
fn the_demo_says_where_it_cannot_write() {
    let dir = Dir::new();
    dir.write("file", "kept");
    dir.fails("demo --out file", &["file", "--out"]);
    dir.fails("demo --out file/below", &["file/below", "--out"]);
}
