//! `gdl text qa`: train, ask, eval and draw, what they refuse, and going on.

use crate::common::{Dir, assert_same};

const TINY: &str = "--tagger 6 --embedding 8 --hidden 8 --batch 8 --eval-every 4 --quiet";

/// A folder with tables to train, to validate and to test on, and passages to ask about.
fn stocked() -> Dir {
    let dir = Dir::new();
    for (name, args) in [
        ("stories.csv", "--rows 40"),
        ("valid.csv", "--part valid --rows 8"),
        ("test.csv", "--part test --rows 8 --seed 3"),
    ] {
        let table = dir.succeeds(&format!("text qa draw {args}")).stdout;
        assert!(table.starts_with("story_text,question,answer_token_ranges\n"), "{table}");
        dir.write(name, table);
    }
    dir.write("passages.txt", "Sela gave the key to Orin on monday .\n\nthe fox slept .\n");
    dir
}

#[test]
fn a_generator_is_trained_asks_and_is_scored() {
    let dir = stocked();
    for preset in ["book", "pointer"] {
        let train = format!("text qa train stories.csv --out {preset} --preset {preset} {TINY} --steps 6");
        assert_eq!(dir.succeeds(&train).stdout, "");
        for file in ["config.json", "tokenizer.json", "weights.safetensors", "best.safetensors", "index.html"]
        {
            assert!(dir.path(preset).join(file).is_file(), "{file}");
        }
        let config: serde_json::Value =
            serde_json::from_slice(&dir.read(&format!("{preset}/config.json"))).unwrap();
        assert_eq!((&config["kind"], &config["qa"]["kind"]), (&"question-answer".into(), &preset.into()));

        // A line for each answer, and an empty one behind each passage; the second one has no words.
        let text = dir.succeeds(&format!("text qa ask {preset} passages.txt --max-length 5")).stdout;
        let lines: Vec<&str> = text.lines().collect();
        let blank: Vec<usize> = (0..lines.len()).filter(|&n| lines[n].is_empty()).collect();
        assert!(blank.len() == 3 && blank[1] == blank[0] + 1 && blank[2] == lines.len() - 1, "{text:?}");
        for line in lines.iter().filter(|line| !line.is_empty()) {
            let (answer, question) = line.split_once('\t').unwrap();
            assert!(!answer.is_empty() && question.split_whitespace().count() <= 5, "{line:?}");
        }
        let piped = dir.fed(&format!("text qa ask {preset} --max-length 5"), "the fox slept .\n");
        assert_eq!(piped.code, Some(0), "{}", piped.stderr);
        assert_eq!(piped.stdout.lines().count() - 1, blank[2] - blank[1] - 1);

        let json = format!(
            "text qa ask {preset} passages.txt --json --beam 3 --n-best 2 --threshold 1 --max-length 5"
        );
        let lines = dir.succeeds(&json).stdout;
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!((&lines[1]["passage"], &lines[1]["asked"]), (&"".into(), &serde_json::json!([])));
        let asked = lines[2]["asked"].as_array().unwrap();
        // Nothing is above 1: the likeliest span.
        assert_eq!(asked.len(), 1);
        let (start, end) = (&asked[0]["words"]["start"], &asked[0]["words"]["end"]);
        let (start, end) = (start.as_u64().unwrap() as usize, end.as_u64().unwrap() as usize);
        assert_eq!(
            asked[0]["answer"],
            "the fox slept .".split(' ').collect::<Vec<_>>()[start..end].join(" ")
        );
        assert!(asked[0]["probability"].as_f64().unwrap() < 1.0);
        assert_eq!(asked[0]["questions"].as_array().unwrap().len(), 2);

        let table = dir.succeeds(&format!("text qa eval {preset} test.csv")).stdout;
        for row in ["words of answers", "answers by passage", "perplexity", "BLEU", "chrF2", "ROUGE-L"] {
            assert!(table.contains(row), "{table}");
        }
        let scores = dir.succeeds(&format!("text qa eval {preset} test.csv --json")).stdout;
        let scores: serde_json::Value = serde_json::from_str(&scores).unwrap();
        assert_eq!(scores["questions"], 8);
        let (loss, perplexity) = (scores["loss"].as_f64().unwrap(), scores["perplexity"].as_f64().unwrap());
        assert!((loss.exp() - perplexity).abs() < 1e-9 && perplexity > 1.0);
        for key in ["tags", "spans", "given", "found"] {
            assert!(scores[key].is_object(), "{key}");
        }
        let fed = dir.fed(
            &format!("text qa eval {preset} - --json"),
            &String::from_utf8(dir.read("test.csv")).unwrap(),
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&fed.stdout).unwrap(), scores);
    }
}

#[test]
fn a_training_goes_on_exactly() {
    let dir = stocked();
    let train = format!("text qa train stories.csv --valid valid.csv {TINY} --dropout 0.3");
    dir.succeeds(&format!("{train} --out whole --steps 6"));
    // A rate that falls would fall to another end.
    dir.succeeds(&format!("{train} --out flat --steps 4 --schedule constant"));
    dir.succeeds(&format!("{train} --out long --steps 6 --schedule constant"));
    dir.succeeds("text qa train stories.csv --out flat --steps 6 --resume --quiet");
    assert_same(&dir.weights("flat"), &dir.weights("long"));
    let done = dir.succeeds("text qa train stories.csv --out flat --resume");
    assert!(done.stderr.contains("all 6 steps are done"), "{}", done.stderr);

    dir.fails(
        "text qa train test.csv --out whole --steps 9 --resume",
        &["does not fit this run", "stories.csv"],
    );
    dir.misused("text qa train stories.csv --out whole --resume --hidden 9", &["--resume", "--hidden"]);
    dir.fails("text qa train stories.csv --out whole --steps 9", &["whole"]);
    dir.fails("text train stories.csv --out whole --resume", &["is a run of `gdl text qa train`"]);
    dir.fails("seq2seq run whole passages.txt", &["is a run of `gdl text qa train`"]);
    dir.write("pairs.tsv", "a b\tb a\n".repeat(8));
    dir.succeeds("seq2seq train pairs.tsv --out pairs --steps 1 --hidden 8 --embedding 8 --layers 1 --quiet");
    dir.fails("text qa ask pairs passages.txt", &["is a run of `gdl seq2seq train`"]);
}

#[cfg(unix)]
#[test]
fn one_that_is_interrupted_is_saved_and_says_how_to_go_on() {
    let dir = stocked();
    let train =
        "text qa train stories.csv --tagger 6 --embedding 8 --hidden 8 --batch 4 --eval-every 1 --quiet";
    dir.succeeds(&format!("{train} --out whole --steps 60"));
    let said = crate::interrupt::interrupted(
        &dir,
        &format!("{train} --out stopped --steps 60"),
        "stopped/weights.safetensors",
    );
    assert_eq!((said.code, said.stderr.lines().count()), (Some(130), 1), "{}", said.stderr);
    let (_, resume) = said.stderr.trim_end().split_once(": gdl ").unwrap();
    dir.succeeds(resume.strip_suffix(" goes on").unwrap());
    assert_same(&dir.weights("stopped"), &dir.weights("whole"));
}

#[test]
fn vectors_are_read_and_refused() {
    let dir = stocked();
    dir.write("vectors.txt", "the 1 2 3\na 0 0 1\n");
    dir.write("short.txt", "the 1 2 3\na 0 0\n");
    dir.write("others.txt", "zyx 1 2 3\n");
    let train = "text qa train stories.csv --out run --tagger 6 --hidden 8 --steps 1";
    let said = dir.succeeds(&format!("{train} --vectors vectors.txt --freeze-vectors")).stderr;
    assert!(said.contains("2 of ") && said.contains("words begin with vectors of the file"), "{said}");
    assert_eq!(dir.weights("run")["tagger.embedding.weight"].dims()[1], 3);
    std::fs::remove_dir_all(dir.path("run")).unwrap();
    dir.fails(
        &format!("{train} --vectors short.txt"),
        &["short.txt, line 2", "3 numbers, as before, found 2"],
    );
    dir.fails(&format!("{train} --vectors others.txt"), &["others.txt: has none of the words"]);
    dir.fails(&format!("{train} --vectors nowhere.txt"), &["nowhere.txt"]);
    dir.misused(&format!("{train} --vectors vectors.txt --embedding 3"), &["--vectors", "--embedding"]);
    dir.misused(&format!("{train} --freeze-vectors"), &["--vectors"]);
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let dir = stocked();
    dir.write("columns.csv", "story_text,question\na,b\n");
    dir.write("range.csv", "story_text,question,answer_token_ranges\na b,c,0:1\na b,c,1:3\n");
    dir.write("empty.csv", "");
    let train = |stories: &str| format!("text qa train {stories} --out run --steps 1");
    dir.fails(&train("columns.csv"), &["columns.csv, line 1", "no column \"answer_token_ranges\""]);
    dir.fails(&train("range.csv"), &["range.csv, line 3", "1:3 goes beyond the 2 words"]);
    dir.fails(&train("empty.csv"), &["empty.csv is empty"]);
    dir.fails(&train("nowhere.csv"), &["nowhere.csv"]);
    dir.misused(&train("builtin:tales"), &["builtin:tales", "builtin:stories"]);
    dir.misused(&format!("{} --preset novel", train("stories.csv")), &["novel", "book"]);
    dir.fails(&format!("{} --preset book --layers 2", train("stories.csv")), &["one GRU layer"]);
    dir.fails(&format!("{} --max-passage 3", train("stories.csv")), &["none of 38 rows is short enough"]);
    dir.fails(&format!("{} --valid-rows 40", train("stories.csv")), &["valid rows"]);
    dir.fails("text qa ask nowhere passages.txt", &["nowhere"]);

    dir.succeeds(&format!("text qa train stories.csv --out book --preset book {TINY} --steps 1"));
    dir.fails("text qa ask book nowhere.txt", &["nowhere.txt"]);
    dir.misused("text qa ask book passages.txt --threshold 2", &["--threshold", "between 0 and 1"]);
    dir.fails("text qa ask book passages.txt --beam 2 --coverage-penalty 1", &["no attention"]);
    dir.fails("text qa eval book range.csv", &["range.csv, line 3"]);
    dir.fails("text qa eval book test.csv --sample 2", &["sample"]);
    dir.tamper("book", |tensors| drop(tensors.remove("writer.output.weight").unwrap()));
    dir.fails("text qa ask book passages.txt --last", &["writer.output.weight"]);
}

#[test]
fn help_lists_every_flag() {
    let dir = Dir::new();
    for (command, flags) in [
        (
            "train",
            &[
                "STORIES",
                "builtin:stories",
                "--out",
                "--preset",
                "book",
                "pointer",
                "--vectors",
                "--freeze-vectors",
                "--tagger",
                "--embedding",
                "--hidden",
                "--attention",
                "--no-copy",
                "--dropout",
                "--min-count",
                "--max-vocab",
                "--epochs",
                "--steps",
                "--batch",
                "--lr",
                "--valid",
                "--max-passage",
                "--patience",
                "--seed",
                "--resume",
            ][..],
        ),
        ("ask", &["RUN", "FILE", "--beam", "--n-best", "--sample", "--threshold", "--last", "--json"]),
        ("eval", &["RUN", "STORIES", "--threshold", "--last", "--json"]),
        ("draw", &["--part", "--rows", "--seed"]),
    ] {
        let help = dir.succeeds(&format!("text qa {command} --help")).stdout;
        for flag in flags {
            assert!(help.contains(flag), "gdl text qa {command} --help has no {flag}:\n{help}");
        }
    }
}

#[test]
fn stories_are_drawn_as_asked() {
    let dir = Dir::new();
    let table = |args: &str| dir.succeeds(&format!("text qa draw {args}")).stdout;
    let five = table("--part test --rows 5");
    assert_eq!(five.lines().count(), 6);
    assert!(table("--part test --rows 7").starts_with(&five));
    assert_ne!(table("--part test --rows 5 --seed 2"), five);
    assert_ne!(table("--part valid --rows 5"), five);
    dir.misused("text qa draw --part all", &["all", "train"]);
    dir.misused("text qa draw --rows 0", &["--rows"]);
}
