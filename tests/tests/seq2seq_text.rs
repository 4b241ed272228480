//! Sequence to sequence, from pairs of texts to texts: searches against exhaustive search, copying, resuming, what is refused.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device};
use gdl_seq2seq::{Attention, Seq2SeqConfig, Sources};
use gdl_tests::assert_bitwise;
use gdl_text::sampling::{LengthPenalty, SamplingConfig};
use gdl_text::seq2seq::{Model, Pairs, Search, TeacherForcing, TrainConfig, Trainer, WriteConfig, Written};
use gdl_text::{BeamConfig, Length, Level, WordSplit};
use gdl_train::{OnExisting, Rng, RunDir};
use std::collections::{HashMap, HashSet};

const DEV: Device = Device::Cpu;

/// Strings of a and b, and the same in another order.
fn strings(n: usize) -> Pairs {
    let mut rng = Rng::seed(1);
    let mut row =
        || -> String { (0..1 + rng.below(4)).map(|_| if rng.chance(0.5) { 'a' } else { 'b' }).collect() };
    let rows = (0..n).map(|_| row()).map(|s| (s.clone(), s.chars().rev().collect()));
    Pairs::from_rows("strings", rows.collect()).unwrap()
}

fn tiny(model: Seq2SeqConfig) -> TrainConfig {
    let model = Seq2SeqConfig { embedding: 6, hidden: 12, layers: 1, dropout: 0., ..model };
    TrainConfig {
        model,
        batch: 8,
        length: Length::Steps(30),
        learning_rate: 0.01,
        init_range: Some(0.7),
        eval_every: 10,
        ..TrainConfig::new(Level::Char)
    }
}

/// A model as it is drawn: no two texts are equally likely.
fn untrained(model: Seq2SeqConfig) -> Model {
    Trainer::new(&strings(20), None, tiny(model), &DEV).unwrap().model()
}

fn beams(beams: usize, n_best: usize, penalty: LengthPenalty) -> BeamConfig {
    BeamConfig { beams, n_best, length_penalty: penalty, ..Default::default() }
}

fn write(model: &Model, source: &str, config: &WriteConfig) -> Vec<Written> {
    model.write(&[source], config).unwrap().remove(0)
}

/// Every text of at most `length` tokens with its log-probability and its score, the best score first. Tokens: pad, bos, eos, unk, a, b.
fn exhaustive(
    model: &Model,
    source: &str,
    length: usize,
    penalty: impl Fn(usize) -> f64,
) -> Vec<(String, f64, f64)> {
    let (network, ids) =
        (model.network(), source.chars().map(|c| if c == 'a' { 4 } else { 5 }).collect::<Vec<u32>>());
    let sources = Sources::new(&[ids], network.config(), &DEV).unwrap();
    let mut open = vec![(network.start(&sources).unwrap(), String::new(), 0., 0usize, 1u32)];
    let mut all = Vec::new();
    while let Some((mut decoding, text, log_prob, tokens, last)) = open.pop() {
        let step = network.step(&mut decoding, &[last]).unwrap();
        let log_probs = step.log_probs.to_dtype(DType::F64).unwrap().to_vec2::<f64>().unwrap().remove(0);
        let sum = log_prob + log_probs[2];
        all.push((text.clone(), sum, sum / penalty(tokens + 1)));
        for (token, name) in [(4, "a"), (5, "b")] {
            let sum = log_prob + log_probs[token as usize];
            let text = text.clone() + name;
            if tokens + 1 == length {
                all.push((text, sum, sum / penalty(length)));
            } else {
                open.push((decoding.clone(), text, sum, tokens + 1, token));
            }
        }
    }
    all.sort_by(|a, b| b.2.total_cmp(&a.2));
    all
}

#[test]
fn beams_as_wide_as_all_texts_find_what_exhaustive_search_finds() {
    let plain = Seq2SeqConfig::new(0, 0);
    for model in [
        plain.clone(),
        Seq2SeqConfig { attention: None, ..plain.clone() },
        Seq2SeqConfig { input_feeding: true, coverage: true, attention: Some(Attention::Additive), ..plain },
    ] {
        let model = untrained(model);
        for penalty in [LengthPenalty::Power(0.), LengthPenalty::Wu(1.)] {
            let divisor = |length: usize| match penalty {
                LengthPenalty::Power(_) => 1.,
                LengthPenalty::Wu(_) => (5. + length as f64) / 6.,
            };
            let want = exhaustive(&model, "abba", 4, divisor);
            assert_eq!(want.len(), 31);
            let search = Search::Beam(beams(40, 31, penalty));
            let config = WriteConfig { search, max_length: 4, attention: false, ..Default::default() };
            let got = write(&model, "abba", &config);
            assert_eq!(got.len(), want.len());
            for (got, (text, log_prob, score)) in got.iter().zip(&want) {
                assert_eq!(&got.text, text);
                // The network computes in f32.
                assert!((got.log_prob - log_prob).abs() < 1e-5 && (got.score - score).abs() < 1e-5);
            }
            // One beam is greedy search; and greedy search says what the likeliest token is each time.
            let one = WriteConfig {
                search: Search::Beam(beams(1, 1, penalty)),
                max_length: 4,
                ..Default::default()
            };
            let greedy = WriteConfig { max_length: 4, ..Default::default() };
            assert_eq!(write(&model, "abba", &one)[0].tokens, write(&model, "abba", &greedy)[0].tokens);
        }
    }
}

#[test]
fn a_batch_gives_what_each_source_gives_alone() {
    let model = untrained(Seq2SeqConfig { input_feeding: true, ..Seq2SeqConfig::new(0, 0) });
    let sources = ["ab", "babbab", "", "a", "aab"];
    let search = Search::Beam(BeamConfig { beams: 4, n_best: 3, groups: 2, ..Default::default() });
    for search in [search, Search::Greedy, Search::Sample(3)] {
        let config = WriteConfig { search, max_length: 6, seed: 3, ..Default::default() };
        let all = model.write(&sources, &config).unwrap();
        for (n, source) in sources.iter().enumerate() {
            if let Search::Sample(_) = search {
                // Draws are told apart by a source's place.
                continue;
            }
            let alone = write(&model, source, &config);
            let texts = |all: &[Written]| all.iter().map(|w| w.text.clone()).collect::<Vec<_>>();
            assert_eq!(texts(&all[n]), texts(&alone));
        }
        assert_eq!((all[2].len(), all[2][0].text.as_str()), (1, ""));
        assert_eq!(model.write(&sources, &config).unwrap(), all, "one seed, one text");
    }
}

#[test]
fn lengths_prefixes_n_grams_and_bans_are_kept() {
    let model = untrained(Seq2SeqConfig::new(0, 0));
    let search = Search::Beam(beams(5, 5, LengthPenalty::Power(0.)));
    let sampling = |config: SamplingConfig| WriteConfig {
        search,
        sampling: config,
        max_length: 6,
        ..Default::default()
    };
    let base = SamplingConfig::new(1.);
    for written in write(&model, "ab", &sampling(SamplingConfig { min_length: 3, ..base.clone() })) {
        assert!((3..=6).contains(&written.text.len()), "{:?}", written.text);
    }
    for written in write(
        &model,
        "ab",
        &sampling(SamplingConfig { no_repeat_ngram: Some(2), min_length: 4, ..base.clone() }),
    ) {
        let pairs: Vec<_> = written.tokens.windows(2).collect();
        assert_eq!(pairs.iter().collect::<HashSet<_>>().len(), pairs.len(), "{:?}", written.text);
    }
    for written in write(&model, "ab", &sampling(SamplingConfig { ban: vec!["a".into()], ..base.clone() })) {
        assert!(!written.text.contains('a'));
    }
    let config = WriteConfig { prefix: "ba".into(), attention: true, ..sampling(base) };
    for written in write(&model, "ab", &config) {
        assert!(written.text.starts_with("ba") && written.text.len() <= 6);
        let map = written.attention.unwrap();
        // The prefix's tokens have looked too, and every token has looked at the source alone.
        let end = usize::from(map.target().last().unwrap() == "</s>");
        assert_eq!((map.target().len(), map.source().len()), (written.tokens.len() + end, 2));
        assert!(map.weights().iter().all(|row| (row.iter().sum::<f32>() - 1.).abs() < 1e-5));
    }
}

#[test]
fn groups_look_for_other_texts_and_coverage_costs() {
    let model = untrained(Seq2SeqConfig::new(0, 0));
    let config = |groups, diversity| WriteConfig {
        search: Search::Beam(BeamConfig { beams: 4, n_best: 4, groups, diversity, ..Default::default() }),
        max_length: 5,
        ..Default::default()
    };
    let firsts = |config: &WriteConfig| {
        let written = write(&model, "abab", config);
        written.iter().map(|w| w.text.chars().next()).collect::<HashSet<_>>().len()
    };
    // Four groups of one beam that do not mind each other go one way; those that do, others, and no text comes twice.
    let one_way = |diversity| {
        let texts: Vec<_> =
            write(&model, "abab", &config(4, diversity)).into_iter().map(|w| w.text).collect();
        let longest = texts.iter().max_by_key(|text| text.len()).unwrap();
        texts.iter().all(|text| longest.starts_with(text.as_str()))
    };
    assert!(one_way(0.) && !one_way(100.));
    assert!(firsts(&config(4, 100.)) > 1);
    for diversity in [0., 0.5, 100.] {
        let texts: Vec<_> =
            write(&model, "abab", &config(4, diversity)).into_iter().map(|w| w.tokens).collect();
        assert_eq!(texts.iter().collect::<HashSet<_>>().len(), texts.len());
    }
    let covered = WriteConfig { coverage_penalty: 1., ..config(1, 0.) };
    for written in write(&model, "abab", &covered) {
        // What each place had of the attention, the last token's too.
        let map = write(&model, "abab", &WriteConfig { attention: true, ..covered.clone() });
        let map = map.into_iter().find(|w| w.tokens == written.tokens).unwrap().attention.unwrap();
        let place = |s: usize| map.weights().iter().map(|row| f64::from(row[s])).sum::<f64>().min(1.);
        let want = written.log_prob + (0..4).map(|s| place(s).ln()).sum::<f64>();
        assert!((written.score - want).abs() < 1e-4, "{} is not {want}", written.score);
    }
}

#[test]
fn a_beam_wider_than_the_vocabulary_is_no_mistake() {
    let model = untrained(Seq2SeqConfig::new(0, 0));
    let search = Search::Beam(beams(50, 50, LengthPenalty::Power(0.)));
    let written = write(&model, "ab", &WriteConfig { search, max_length: 2, ..Default::default() });
    // The end, a and b each with the end or another behind: 1 + 2 x 3.
    assert_eq!(written.len(), 7);
    let p: f64 = written.iter().map(|w| w.log_prob.exp()).sum();
    assert!(p < 1.0 && p > 0.1);
}

#[test]
fn samples_are_as_frequent_as_they_are_likely() {
    let model = untrained(Seq2SeqConfig::new(0, 0));
    let config = WriteConfig { search: Search::Sample(4000), max_length: 2, ..Default::default() };
    let mut counts = HashMap::<String, f64>::new();
    for written in write(&model, "ab", &config) {
        *counts.entry(written.text + if written.tokens.len() < 2 { "$" } else { "" }).or_default() +=
            1. / 4000.;
    }
    // What cannot be drawn, unk and the marks of rows, leaves the others in proportion.
    let said = |before: &[u32]| -> HashMap<&str, f64> {
        let (network, ids) = (model.network(), vec![4u32, 5]);
        let sources = Sources::new(&[ids], network.config(), &DEV).unwrap();
        let mut decoding = network.start(&sources).unwrap();
        let steps = [1].iter().chain(before).map(|&token| network.step(&mut decoding, &[token]).unwrap());
        let log_probs = steps.last().unwrap().log_probs.to_vec2::<f32>().unwrap().remove(0);
        let p = [("$", 2), ("a", 4), ("b", 5)].map(|(name, id)| (name, f64::from(log_probs[id]).exp()));
        let total: f64 = p.iter().map(|(_, p)| p).sum();
        p.into_iter().map(|(name, p)| (name, p / total)).collect()
    };
    let mut sum = 0.;
    for (first, p) in said(&[]) {
        let behind = match first {
            "$" => HashMap::from([("", 1.)]),
            "a" => said(&[4]),
            _ => said(&[5]),
        };
        for (second, q) in behind {
            let (key, part) = (format!("{first}{second}"), p * q);
            let got = counts.get(&key).copied().unwrap_or(0.);
            sum += got;
            // Four standard deviations of a share of 4,000 draws.
            let most = 4. * (part * (1. - part) / 4000.).sqrt();
            assert!((got - part).abs() < most, "{key}: {got}, expected {part}");
        }
    }
    assert!((sum - 1.).abs() < 1e-9);
}

/// Sentences with names, of which the last rows have some that the first have not.
fn named() -> Pairs {
    let names = ["Anna", "Bela", "Cyril", "Dora", "Emil", "Fritz"];
    let row = |name: &str, n: usize| match n % 2 {
        0 => (format!("i am {name} ."), format!("hello {name} !")),
        _ => (format!("{name} is here ."), format!("look , {name} !")),
    };
    let rows = (0..120).map(|n| row(names[n % 6], n / 6));
    Pairs::from_rows("names", rows.collect()).unwrap()
}

#[test]
fn a_word_that_no_vocabulary_has_is_copied_if_that_is_on() {
    let mut said = Vec::new();
    for copy in [true, false] {
        let mut config = tiny(Seq2SeqConfig { copy, ..Seq2SeqConfig::new(0, 0) });
        config.tokenizer =
            gdl_text::TokenizerConfig::new(Level::Word).lowercase(false).words(WordSplit::Space);
        // Names that occur less often than this are in no vocabulary.
        config.tokenizer.min_count = 30;
        config.shared = false;
        (config.length, config.learning_rate, config.model.hidden) = (Length::Steps(150), 0.02, 24);
        let mut trainer = Trainer::new(&named(), None, config, &DEV).unwrap();
        while trainer.steps_left() > 0 {
            trainer.step().unwrap();
        }
        let config = WriteConfig { attention: true, ..Default::default() };
        let model = trainer.model();
        let written = write(&model, "i am Zoltan .", &config).remove(0);
        let map = written.attention.unwrap();
        assert_eq!(map.copied().is_some(), copy);
        said.push(written.text);
        // The likelihood counts what can be neither generated nor copied.
        let pairs = [("i am Zoltan .".to_string(), "hello Zoltan !".to_string())];
        let report = model.likelihood(&pairs).unwrap();
        assert_eq!((report.tokens, report.unknown), (4, usize::from(!copy)));
    }
    assert_eq!(said[0], "hello Zoltan !");
    assert!(!said[1].contains("Zoltan"));
}

#[test]
fn resuming_goes_on_to_the_last_bit() {
    let dir = tempfile::tempdir().unwrap();
    let model = Seq2SeqConfig { copy: true, dropout: 0.3, ..Seq2SeqConfig::new(0, 0) };
    let config = |steps| TrainConfig {
        length: Length::Steps(steps),
        teacher_forcing: TeacherForcing::Exponential(0.98),
        anneal: gdl_text::Anneal::Constant,
        model: Seq2SeqConfig { dropout: 0.3, ..tiny(model.clone()).model },
        ..tiny(model.clone())
    };
    let (pairs, valid) = (strings(40), strings(5));
    let trainer = |steps| Trainer::new(&pairs, Some(&valid), config(steps), &DEV).unwrap();
    let mut whole = trainer(25);
    whole.run(None, |_| std::ops::ControlFlow::Continue(())).unwrap();

    let mut first = trainer(12);
    let run = first.create_run(dir.path().join("run"), OnExisting::Refuse).unwrap();
    first.run(Some(&run), |_| std::ops::ControlFlow::Continue(())).unwrap();
    let run = RunDir::open(dir.path().join("run")).unwrap();
    let mut second = Trainer::resume(&run, &pairs, Some(&valid), Some(Length::Steps(25)), &DEV).unwrap();
    assert_eq!((second.steps_done(), second.steps_left()), (12, 13));
    second.run(Some(&run), |_| std::ops::ControlFlow::Continue(())).unwrap();
    for ((name, want), (_, got)) in whole.store().vars().iter().zip(&second.store().vars()) {
        assert_bitwise(got, want, name);
    }
    // The run writes what the trainer writes.
    let loaded = Model::load(dir.path().join("run"), true, &DEV).unwrap();
    let config = WriteConfig { search: Search::Beam(BeamConfig::default()), ..Default::default() };
    assert_eq!(loaded.write(&["abb"], &config).unwrap(), second.model().write(&["abb"], &config).unwrap());

    let error = |result: gdl_text::Result<Trainer>| result.err().unwrap().to_string();
    let other = error(Trainer::resume(&run, &strings(41), Some(&valid), None, &DEV));
    assert!(other.contains("does not fit this run: the run was begun with strings"), "{other}");
    let none = error(Trainer::resume(&run, &pairs, None, None, &DEV));
    assert!(none.contains("it validates on strings"), "{none}");
}

#[test]
fn teacher_forcing_falls_as_the_paper_has_it() {
    assert_eq!(TeacherForcing::Always.probability(7, 10), 1.);
    assert_eq!(TeacherForcing::Linear(0.5).probability(5, 10), 0.75);
    assert_eq!(TeacherForcing::Linear(0.5).probability(20, 10), 0.5);
    assert!((TeacherForcing::Exponential(0.9).probability(2, 10) - 0.81).abs() < 1e-12);
    assert!((TeacherForcing::InverseSigmoid(10.).probability(0, 10) - 10. / 11.).abs() < 1e-12);
}

#[test]
fn what_is_no_pair_and_what_cannot_be_is_said() {
    let read = |text: &str| Pairs::from_reader("in.tsv", text.as_bytes()).unwrap_err().to_string();
    let train = |change: fn(&mut TrainConfig)| {
        let mut config = tiny(Seq2SeqConfig::new(0, 0));
        change(&mut config);
        Trainer::new(&strings(20), None, config, &DEV).err().unwrap().to_string()
    };
    let model = untrained(Seq2SeqConfig { attention: None, ..Seq2SeqConfig::new(0, 0) });
    let write = |config: WriteConfig| model.write(&["ab"], &config).unwrap_err().to_string();
    let bad = |beams: BeamConfig| WriteConfig { search: Search::Beam(beams), ..Default::default() };
    for (got, want) in [
        (
            read("a\tb\nc\td\te\n"),
            "in.tsv, line 2: expected a source, a tab and a target, found 3 column(s); a text cannot have a tab inside",
        ),
        (read("a\tb\nc\n"), "line 2: expected a source, a tab and a target, found 1 column(s)"),
        (read("a\tb\n \td\n"), "line 2: the source is empty"),
        (read(""), "in.tsv is empty"),
        (Pairs::from_reader("in.tsv", &b"a\tb\n\xff\tb\n"[..]).unwrap_err().to_string(), "line 2: not UTF-8"),
        (
            Pairs::from_rows("rows", vec![("a\tb".into(), "c".into())]).unwrap_err().to_string(),
            "rows, line 1: a text cannot have a tab or a line end inside",
        ),
        (Pairs::open("/nowhere/at all.tsv").unwrap_err().to_string(), "/nowhere/at all.tsv"),
        (train(|c| c.batch = 0), "batch: must be at least 1"),
        (train(|c| c.max_source = Some(0)), "none of 19 pairs is short enough"),
        (train(|c| c.valid_rows = Some(20)), "20 of them kept back leave none"),
        (train(|c| c.model.hidden = 13), "the odd 13"),
        (train(|c| (c.model.copy, c.model.attention) = (true, None)), "copy needs attention"),
        (train(|c| (c.loss.coverage, c.model.attention) = (1., None)), "coverage loss: needs attention"),
        (train(|c| c.teacher_forcing = TeacherForcing::Linear(1.5)), "teacher forcing: linear"),
        (
            write(WriteConfig { attention: true, ..Default::default() }),
            "attention: this model has no attention",
        ),
        (write(bad(BeamConfig { beams: 0, ..Default::default() })), "beams: must be at least 1"),
        (
            write(bad(BeamConfig { beams: 4, groups: 3, ..Default::default() })),
            "groups: must divide the 4 beams",
        ),
        (
            write(WriteConfig {
                sampling: SamplingConfig {
                    ban: ["a", "b"].map(String::from).to_vec(),
                    min_length: 1,
                    ..SamplingConfig::new(1.)
                },
                ..Default::default()
            }),
            "none is left to go on with",
        ),
    ] {
        assert!(got.contains(want), "{got:?} does not say {want:?}");
    }
}

#[test]
fn all_unknown_input_and_longer_sources_are_seen_and_answered() {
    let model = untrained(Seq2SeqConfig::new(0, 0));
    let report = model.inspect("xyzzy").unwrap();
    assert_eq!((report.tokens, report.unknown, report.longer), (5, 5, true));
    assert_eq!(model.longest_source(), 4);
    let written =
        model.write(&["xyzzy", &"ab".repeat(300)], &WriteConfig { max_length: 5, ..Default::default() });
    assert_eq!(written.unwrap().len(), 2);
}
