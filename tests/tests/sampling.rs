//! gdl_text::sampling without a network: each rule against `transformers`, what is drawn against its probabilities, patterns and beam
//! search against trying everything.
#![allow(clippy::unwrap_used, missing_docs)]

use gdl_tests::Fixture;
use gdl_text::sampling::{
    BeamConfig, DryConfig, LengthPenalty, Sampler, SamplingConfig, Stops, Vocabulary, beam_search, log_prob,
};
use gdl_text::{Error, Level, Tokenizer, TokenizerConfig};
use gdl_train::Rng;

/// Tokens that are printed as they are.
struct Tokens {
    texts: Vec<String>,
    unknown: Option<u32>,
    end: Option<u32>,
}

impl Tokens {
    fn new(texts: &[&str]) -> Self {
        Self { texts: texts.iter().map(|t| t.to_string()).collect(), unknown: None, end: None }
    }

    fn numbered(n: usize) -> Self {
        Self { texts: (0..n).map(|i| format!("t{i}")).collect(), unknown: None, end: None }
    }
}

impl Vocabulary for Tokens {
    fn size(&self) -> usize {
        self.texts.len()
    }
    fn unknown(&self) -> Option<u32> {
        self.unknown
    }
    fn end(&self) -> Option<u32> {
        self.end
    }
    fn text(&self, token: u32) -> Option<String> {
        self.texts.get(token as usize).cloned()
    }
}

fn plain() -> SamplingConfig {
    SamplingConfig::new(1.0)
}

/// The probability of every token of `vocabulary` after `history`.
fn probabilities(
    config: &SamplingConfig,
    vocabulary: &Tokens,
    history: &[u32],
    logits: &[f32],
) -> gdl_text::Result<Vec<f64>> {
    let sampler = Sampler::new(config, None, vocabulary)?;
    let mut draws = sampler.start(history, 0, Rng::seed(1), 10)?;
    let mut probabilities = vec![0.0; logits.len()];
    for candidate in draws.candidates(logits, logits.len())? {
        probabilities[candidate.token as usize] = candidate.probability;
    }
    Ok(probabilities)
}

fn softmax(scores: &[f32]) -> Vec<f64> {
    let weights: Vec<f64> = scores.iter().map(|&s| f64::from(s).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / total).collect()
}

// ---- rules ----------------------------------------------------------------------------------------------------------

#[test]
fn each_rule_does_what_transformers_does() {
    let fixture = Fixture::load("sampling");
    let rows = |name: &str| fixture.get(name).to_vec2::<f32>().unwrap();
    let history = fixture.get("history").to_vec2::<u32>().unwrap();
    let mut vocabulary = Tokens::numbered(12);
    vocabulary.texts[6] = "t6!".into();
    vocabulary.unknown = Some(0);
    let free = || SamplingConfig { ban_unknown: false, ..plain() };
    let bias = || [("t2".to_string(), 1.5), ("t7".to_string(), -4.0)].into();
    let dry = || Some(DryConfig { breakers: vec!["!".into()], ..DryConfig::default() });
    let (frequency_penalty, presence_penalty) = (0.4, 0.7);
    for (name, config) in [
        ("temperature", SamplingConfig { temperature: 0.6, ..free() }),
        ("top_k", SamplingConfig { top_k: Some(4), ..free() }),
        ("top_p", SamplingConfig { top_p: Some(0.8), ..free() }),
        ("min_p", SamplingConfig { min_p: Some(0.1), ..free() }),
        ("typical", SamplingConfig { typical: Some(0.7), ..free() }),
        ("repetition", SamplingConfig { repetition_penalty: 1.3, ..free() }),
        ("penalties", SamplingConfig { frequency_penalty, presence_penalty, ..free() }),
        ("ngram2", SamplingConfig { no_repeat_ngram: Some(2), ..free() }),
        ("ngram3", SamplingConfig { no_repeat_ngram: Some(3), ..free() }),
        ("bias", SamplingConfig { logit_bias: bias(), ..free() }),
        ("dry", SamplingConfig { dry: dry(), ..free() }),
        (
            "chain",
            SamplingConfig {
                temperature: 0.9,
                logit_bias: bias(),
                repetition_penalty: 1.3,
                frequency_penalty,
                presence_penalty,
                dry: dry(),
                no_repeat_ngram: Some(3),
                top_k: Some(8),
                top_p: Some(0.95),
                min_p: Some(0.02),
                typical: Some(0.9),
                ..plain()
            },
        ),
    ] {
        let want = rows(name);
        for (row, logits) in rows("logits").iter().enumerate() {
            let got = probabilities(&config, &vocabulary, &history[row], logits).unwrap();
            for (token, (got, want)) in got.iter().zip(softmax(&want[row])).enumerate() {
                // transformers computes in f32.
                assert!((got - want).abs() < 2e-6, "{name}, row {row}, token {token}: {got}, not {want}");
                assert_eq!(*got == 0.0, want == 0.0, "{name}, row {row}, token {token}");
            }
        }
    }
}

#[test]
fn windows_limit_what_is_looked_at() {
    let vocabulary = Tokens::numbered(4);
    let logits = [1.0f32; 4];
    let window = Some(2);
    let config = SamplingConfig { presence_penalty: 50.0, penalty_window: window, ..plain() };
    let got = probabilities(&config, &vocabulary, &[0, 1, 2, 3], &logits).unwrap();
    assert!((got[0] - 0.5).abs() < 1e-9 && (got[1] - 0.5).abs() < 1e-9, "{got:?}");
    // 0 1 came before, but not within the last three tokens.
    let dry = |window| Some(DryConfig { multiplier: 50.0, window, ..DryConfig::default() });
    let history = [0, 1, 2, 3, 0, 1];
    let got = |window| {
        let config = SamplingConfig { dry: dry(window), ..plain() };
        probabilities(&config, &vocabulary, &history, &logits).unwrap()
    };
    assert!(got(None)[2] < 1e-9);
    assert!((got(Some(3))[2] - 0.25).abs() < 1e-9);
    assert!(got(Some(6))[2] < 1e-9);
}

#[test]
fn of_equals_the_lower_id_is_kept() {
    let logits = [0.0, 1.0, 1.0, 1.0];
    let config = SamplingConfig { top_k: Some(2), ..plain() };
    assert_eq!(probabilities(&config, &Tokens::numbered(4), &[], &logits).unwrap(), [0.0, 0.5, 0.5, 0.0]);
    let greedy = SamplingConfig::new(0.0);
    assert_eq!(probabilities(&greedy, &Tokens::numbered(4), &[], &logits).unwrap(), [0.0, 1.0, 0.0, 0.0]);
}

/// Tokens are sorted only as far as needed: with many of them, every cut is that of a full sort.
#[test]
fn large_vocabularies_are_cut_as_small_ones() {
    let mut rng = Rng::seed(7);
    let vocabulary = Tokens::numbered(3000);
    for temperature in [0.5, 3.0] {
        let logits: Vec<f32> = (0..3000).map(|_| (rng.normal() * 1.5) as f32).collect();
        let mut sorted: Vec<(usize, f64)> =
            logits.iter().map(|&l| f64::from(l) / temperature).enumerate().collect();
        sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
        let total: f64 = sorted.iter().map(|(_, s)| s.exp()).sum();
        let kept = |config: SamplingConfig| {
            let got = probabilities(&config, &vocabulary, &[], &logits).unwrap();
            (0..3000).filter(|&i| got[i] > 0.0).collect::<Vec<_>>()
        };
        let ids = |n: usize| {
            let mut ids: Vec<usize> = sorted[..n].iter().map(|(id, _)| *id).collect();
            ids.sort();
            ids
        };
        let config = || SamplingConfig::new(temperature);
        assert_eq!(kept(SamplingConfig { top_k: Some(700), ..config() }), ids(700));
        let mut sum = 0.0;
        let nucleus = 1 + sorted
            .iter()
            .position(|(_, s)| {
                sum += s.exp() / total;
                sum >= 0.9
            })
            .unwrap();
        assert_eq!(kept(SamplingConfig { top_p: Some(0.9), ..config() }), ids(nucleus));
        let floor = sorted.iter().filter(|(_, s)| (s - sorted[0].1).exp() >= 0.05).count();
        assert_eq!(kept(SamplingConfig { min_p: Some(0.05), ..config() }), ids(floor));
    }
}

#[test]
fn drawn_tokens_have_the_probabilities_of_the_distribution() {
    const DRAWS: usize = 40_000;
    let mut rng = Rng::seed(3);
    let logits: Vec<f32> = (0..200).map(|_| (rng.normal() * 2.0) as f32).collect();
    let vocabulary = Tokens::numbered(200);
    for config in [
        plain(),
        SamplingConfig { top_p: Some(0.9), ..SamplingConfig::new(1.5) },
        SamplingConfig { typical: Some(0.8), top_k: Some(100), ..plain() },
        SamplingConfig { min_p: Some(0.03), ..SamplingConfig::new(0.7) },
    ] {
        let want = probabilities(&config, &vocabulary, &[], &logits).unwrap();
        assert!((want.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let sampler = Sampler::new(&config, None, &vocabulary).unwrap();
        let mut draws = sampler.start(&[], 0, Rng::seed(5), usize::MAX).unwrap();
        let mut counts = vec![0usize; 200];
        for _ in 0..DRAWS {
            counts[draws.next(&logits).unwrap().unwrap() as usize] += 1;
        }
        let (mut chi, mut cells) = (0.0, 0.0);
        for (count, p) in counts.iter().zip(want) {
            let expected = p * DRAWS as f64;
            assert!(p > 0.0 || *count == 0, "a token that was cut is drawn");
            if expected >= 5.0 {
                chi += (*count as f64 - expected).powi(2) / expected;
                cells += 1.0;
            }
        }
        // Chi-squared has mean n and variance 2n: four standard deviations.
        assert!(cells > 5.0 && chi < cells + 4.0 * (2.0f64 * cells).sqrt(), "{chi} over {cells}");
    }
}

#[test]
fn settings_outside_their_ranges_are_named() {
    let error = |config: SamplingConfig| {
        Sampler::new(&config, None, &Tokens::numbered(3)).map(|_| ()).unwrap_err().to_string()
    };
    let dry = |dry: DryConfig| SamplingConfig { dry: Some(dry), ..plain() };
    for (config, says) in [
        (SamplingConfig::new(-1.0), "temperature"),
        (SamplingConfig { top_k: Some(0), ..plain() }, "top-k"),
        (SamplingConfig { top_p: Some(0.0), ..plain() }, "top-p"),
        (SamplingConfig { top_p: Some(f64::NAN), ..plain() }, "top-p"),
        (SamplingConfig { min_p: Some(1.1), ..plain() }, "min-p"),
        (SamplingConfig { typical: Some(2.0), ..plain() }, "typical"),
        (SamplingConfig { repetition_penalty: 0.0, ..plain() }, "repetition"),
        (SamplingConfig { frequency_penalty: f64::INFINITY, ..plain() }, "frequency"),
        (SamplingConfig { presence_penalty: f64::NAN, ..plain() }, "presence"),
        (SamplingConfig { penalty_window: Some(0), ..plain() }, "window"),
        (SamplingConfig { no_repeat_ngram: Some(0), ..plain() }, "n-gram"),
        (SamplingConfig { logit_bias: [("t1".to_string(), f64::NAN)].into(), ..plain() }, "bias"),
        (SamplingConfig { logit_bias: [("t9".to_string(), 1.0)].into(), ..plain() }, "\"t9\""),
        (SamplingConfig { ban: vec!["x".into()], ..plain() }, "\"x\""),
        (dry(DryConfig { base: 0.5, ..DryConfig::default() }), "base"),
        (dry(DryConfig { multiplier: -1.0, ..DryConfig::default() }), "multiplier"),
        (dry(DryConfig { allowed_length: 0, ..DryConfig::default() }), "allowed length"),
        (dry(DryConfig { window: Some(0), ..DryConfig::default() }), "window"),
        (dry(DryConfig { breakers: vec![String::new()], ..DryConfig::default() }), "breakers"),
    ] {
        let error = error(config);
        assert!(error.contains(says), "{says}: {error}");
    }
    let json = serde_json::to_string(&SamplingConfig { dry: Some(DryConfig::default()), ..plain() }).unwrap();
    assert_eq!(serde_json::from_str::<SamplingConfig>(&json).unwrap().dry, Some(DryConfig::default()));
    assert_eq!(serde_json::from_str::<SamplingConfig>("{}").unwrap(), SamplingConfig::default());
    assert!(serde_json::from_str::<SamplingConfig>("{\"top_q\": 1}").is_err());
}

#[test]
fn logits_that_are_none_are_refused() {
    let sampler = Sampler::new(&plain(), None, &Tokens::numbered(3)).unwrap();
    let mut draws = sampler.start(&[], 0, Rng::seed(1), 5).unwrap();
    assert!(draws.next(&[0.0, f32::NAN, 0.0]).unwrap_err().to_string().contains("NaN"));
    assert!(draws.next(&[0.0, 1.0]).unwrap_err().to_string().contains("3 logits"));
    let all = ["t0", "t1", "t2"].map(String::from).to_vec();
    let sampler = Sampler::new(&SamplingConfig { ban: all, ..plain() }, None, &Tokens::numbered(3)).unwrap();
    let error = sampler.start(&[], 0, Rng::seed(1), 5).unwrap().next(&[0.0; 3]).unwrap_err();
    assert!(matches!(error, Error::DeadEnd { written: 0 }), "{error}");
}

// ---- patterns -------------------------------------------------------------------------------------------------------

/// Every text that may be drawn with a pattern.
fn texts(pattern: &str, vocabulary: &Tokens, length: usize) -> gdl_text::Result<Vec<String>> {
    let sampler = Sampler::new(&plain(), Some(pattern), vocabulary)?;
    let mut texts = std::collections::BTreeSet::new();
    let logits = vec![0.0; vocabulary.size()];
    for seed in 0..400 {
        let mut draws = sampler.start(&[], 0, Rng::seed(seed), length)?;
        let mut text = String::new();
        while let Some(token) = draws.next(&logits)? {
            text.push_str(&vocabulary.texts[token as usize]);
        }
        assert!(draws.written().len() <= length);
        texts.insert(text);
    }
    Ok(texts.into_iter().collect())
}

#[test]
fn what_is_written_matches_the_pattern_and_all_that_matches_is_written() {
    let vocabulary = Tokens::new(&["a", "b", "c", "ab", "bc", "é", "aé", ""]);
    // A text ends where nothing can follow, or at its length; never in between.
    for (pattern, length, want) in [
        ("abc", 9, vec!["abc"]),
        ("a|ab|abc", 9, vec!["abc"]),
        ("(a|é)b?", 2, vec!["ab", "éb"]),
        ("[^ab]", 9, vec!["c", "é"]),
        ("(?i)AÉ", 9, vec!["aé"]),
        // The last tokens are kept for the end that has to come.
        ("a*c", 3, vec!["aac", "ac", "c"]),
        ("(ab)+", 2, vec!["ab", "abab"]),
        ("a+", 3, vec!["aaa"]),
        ("(a|b)+$", 1, vec!["a", "ab", "b"]),
        // x is no token: that way is never taken, although it looks open at first.
        ("ax|b", 3, vec!["b"]),
        ("a(bx|c)", 3, vec!["ac"]),
    ] {
        let got = texts(pattern, &vocabulary, length).unwrap();
        assert_eq!(got, want, "{pattern}");
    }
}

#[test]
fn an_end_token_is_allowed_at_a_match_only() {
    let mut vocabulary = Tokens::new(&["a", "b", "</s>"]);
    vocabulary.end = Some(2);
    let sampler = Sampler::new(&plain(), Some("ab?"), &vocabulary).unwrap();
    let allowed = |tokens: &[u32]| {
        let mut draws = sampler.start(&[], 0, Rng::seed(1), 9).unwrap();
        assert!(tokens.iter().all(|&token| draws.push(token)));
        let mut allowed: Vec<u32> = draws.candidates(&[0.0; 3], 3).unwrap().iter().map(|c| c.token).collect();
        allowed.sort();
        allowed
    };
    assert_eq!(allowed(&[]), [0]);
    assert_eq!(allowed(&[0]), [1, 2]);
    assert_eq!(allowed(&[0, 1]), [2]);
}

#[test]
fn patterns_that_cannot_be_are_refused_with_the_reason() {
    let vocabulary = Tokens::new(&["a", "b", "c"]);
    for (pattern, length, says) in [
        ("a(", 5, "unclosed group"),
        (r"a\b", 5, "word"),
        ("abcabc", 5, "takes 6 tokens, and the length is 5"),
        ("[0-9]+", 5, "no text of this model's tokens"),
        (r"(\pL{1,200}){1,200}", 5, "limit"),
    ] {
        let error = texts(pattern, &vocabulary, length).unwrap_err().to_string();
        assert!(error.contains(pattern) || error.contains(&pattern.escape_debug().to_string()), "{error}");
        assert!(error.contains(says), "{says}: {error}");
    }
    // Banned tokens lead nowhere.
    let config = SamplingConfig { ban: vec!["b".into()], ..plain() };
    let sampler = Sampler::new(&config, Some("ab|c"), &vocabulary).unwrap();
    assert_eq!(sampler.start(&[], 0, Rng::seed(1), 5).unwrap().next(&[9.0, 0.0, 0.0]).unwrap(), Some(2));
}

/// Words print with the spaces that the decoder puts between them, and it is what is printed that matches.
#[test]
fn patterns_see_words_as_they_are_printed() {
    let text = "\"Cheese,\" said the fox. \"No!\" said the crow (slowly).\n";
    let words = Tokenizer::train(text, &TokenizerConfig::new(Level::Word).min_count(1)).unwrap();
    let pattern = "\"[a-z, ]{1,30}!?\" said the (fox|crow)( \\([a-z ]+\\))?\\.\n";
    let sampler = Sampler::new(&plain(), Some(pattern), &words).unwrap();
    let logits = vec![0.0; words.vocab_size()];
    let mut both = [false; 2];
    for seed in 0..50 {
        let mut draws = sampler.start(&[], 0, Rng::seed(seed), 30).unwrap();
        let mut ids = Vec::new();
        while let Some(id) = draws.next(&logits).unwrap() {
            ids.push(id);
        }
        let text = words.decode(&ids).unwrap();
        assert!(text.starts_with('"') && text.ends_with(".\n"), "{text:?}");
        let (said, rest) = text[1..].split_once("\" said the ").unwrap_or_else(|| panic!("{text:?}"));
        let said = said.strip_suffix('!').unwrap_or(said);
        assert!(!said.is_empty() && said.chars().all(|c| c.is_ascii_lowercase() || " ,".contains(c)));
        assert!(rest.starts_with("fox") || rest.starts_with("crow"), "{text:?}");
        both[usize::from(rest.contains('('))] = true;
    }
    assert_eq!(both, [true; 2]);
}

// ---- stop texts -----------------------------------------------------------------------------------------------------

#[test]
fn stop_texts_are_found_however_tokens_cut_them() {
    let mut rng = Rng::seed(2);
    let stops = ["end.", "bc", "abcd", "é🦊", "\n\n"].map(String::from);
    for (text, want) in [
        ("no stop here", "no stop here"),
        ("the end. more", "the "),
        ("xabcd", "xa"), // "bc" is whole before "abcd" is
        ("eend. end.", "e"),
        ("a é🦊 b", "a "),
        ("one\n\ntwo", "one"),
        ("one\n two e", "one\n two e"),
    ] {
        for _ in 0..50 {
            let (mut finder, mut shown, mut piece, mut found) =
                (Stops::new(&stops), String::new(), String::new(), false);
            for c in text.chars() {
                piece.push(c);
                if !found && rng.chance(0.4) {
                    let (more, stop) = finder.push(&std::mem::take(&mut piece));
                    assert!(
                        text.starts_with(&(shown.clone() + &more)),
                        "nothing is shown that is taken back"
                    );
                    shown += &more;
                    found = stop;
                }
            }
            if !found {
                let (more, stop) = finder.push(&piece);
                shown += &more;
                if !stop {
                    shown += &finder.finish();
                }
            }
            assert_eq!(shown, want, "{text:?}");
        }
    }
}

// ---- beam search ----------------------------------------------------------------------------------------------------

/// Logits that depend on all that was read.
fn model(tokens: &[u32], vocab: usize) -> Vec<f32> {
    let seed = tokens.iter().fold(17u64, |hash, &t| (hash ^ u64::from(t + 1)).wrapping_mul(0x100_0000_01b3));
    let mut rng = Rng::seed(seed);
    (0..vocab).map(|_| (rng.normal() * 1.5) as f32).collect()
}

/// Beam search with that model behind it.
fn search(
    sampler: &Sampler,
    config: &BeamConfig,
    prompt: &[u32],
    length: usize,
    vocab: usize,
) -> gdl_text::Result<(Vec<gdl_text::sampling::Found>, usize)> {
    let mut batch = vec![prompt.to_vec()];
    let mut calls = 0;
    let found = beam_search(
        sampler,
        config,
        (prompt, 0, length),
        &model(prompt, vocab),
        |rows, tokens| {
            calls += 1;
            batch =
                rows.iter().zip(tokens).map(|(&row, &token)| [&batch[row][..], &[token]].concat()).collect();
            Ok(batch.iter().flat_map(|tokens| model(tokens, vocab)).collect())
        },
        |tokens| Ok(tokens.ends_with(&[1, 1])),
    )?;
    Ok((found, calls))
}

/// Every text there is, with its log-probability: ended by the end token 0, by 1 1, or by its length.
fn every_text(prompt: &[u32], length: usize, vocab: u32) -> Vec<(Vec<u32>, f64)> {
    let (mut open, mut done) = (vec![(Vec::new(), 0.0)], Vec::new());
    for _ in 0..length {
        let mut longer = Vec::new();
        for (tokens, sum) in open {
            let logits = model(&[prompt, &tokens].concat(), vocab as usize);
            for token in 0..vocab {
                let tokens = [&tokens[..], &[token]].concat();
                let text = (tokens.clone(), sum + log_prob(&logits, token));
                if token == 0 || tokens.ends_with(&[1, 1]) { done.push(text) } else { longer.push(text) }
            }
        }
        open = longer;
    }
    done.extend(open);
    done
}

#[test]
fn a_wide_beam_finds_what_trying_everything_finds() {
    const LENGTH: usize = 5;
    let mut vocabulary = Tokens::numbered(4);
    vocabulary.end = Some(0);
    let sampler =
        Sampler::new(&SamplingConfig { temperature: 0.3, top_k: Some(1), ..plain() }, None, &vocabulary);
    let sampler = sampler.unwrap();
    for prompt in [&[2, 3][..], &[3], &[1, 2, 3]] {
        for penalty in [
            LengthPenalty::Power(0.0),
            LengthPenalty::Power(1.0),
            LengthPenalty::Power(-0.5),
            LengthPenalty::Wu(0.9),
        ] {
            let divisor = |n: usize| match penalty {
                LengthPenalty::Power(alpha) => (n as f64).powf(alpha),
                LengthPenalty::Wu(alpha) => ((5.0 + n as f64) / 6.0).powf(alpha),
            };
            let mut want: Vec<_> = every_text(prompt, LENGTH, 4)
                .into_iter()
                .map(|(tokens, sum)| (sum / divisor(tokens.len()), sum, tokens))
                .collect();
            let total: f64 = want.iter().map(|(_, sum, _)| sum.exp()).sum();
            assert!((total - 1.0).abs() < 1e-9, "the texts are all there are");
            want.sort_by(|a, b| b.0.total_cmp(&a.0));
            let config = BeamConfig { beams: 600, n_best: 12, length_penalty: penalty, ..Default::default() };
            let (found, _) = search(&sampler, &config, prompt, LENGTH, 4).unwrap();
            assert_eq!(found.len(), 12);
            for (found, (score, sum, tokens)) in found.iter().zip(&want) {
                assert_eq!(&found.tokens, tokens, "{penalty:?}");
                assert!((found.log_prob - sum).abs() < 1e-9 && (found.score - score).abs() < 1e-9);
            }
            // Whatever its width, a beam finds texts that there are, with their scores; and one beam is the greedy text,
            // unless that ends and a longer one is better.
            for beams in [1, 2, 3] {
                let config =
                    BeamConfig { beams, n_best: beams, length_penalty: penalty, ..Default::default() };
                let (found, calls) = search(&sampler, &config, prompt, LENGTH, 4).unwrap();
                assert!(!found.is_empty() && calls <= LENGTH);
                for found in found {
                    let (score, sum, _) = want.iter().find(|(_, _, tokens)| *tokens == found.tokens).unwrap();
                    assert!((found.log_prob - sum).abs() < 1e-9 && (found.score - score).abs() < 1e-9);
                }
            }
        }
    }
}

#[test]
fn beams_obey_bans_patterns_and_n_grams() {
    let mut vocabulary = Tokens::new(&["</s>", "a", "b", "c"]);
    vocabulary.end = Some(0);
    let config = SamplingConfig { no_repeat_ngram: Some(2), ban: vec!["c".into()], ..plain() };
    let sampler = Sampler::new(&config, None, &vocabulary).unwrap();
    let beam = BeamConfig { beams: 500, n_best: 500, ..BeamConfig::default() };
    let (found, _) = search(&sampler, &beam, &[2], 4, 4).unwrap();
    let allowed = |tokens: &[u32]| {
        let all = [&[2], tokens].concat();
        let pairs: Vec<&[u32]> = all.windows(2).collect();
        !tokens.contains(&3) && (1..pairs.len()).all(|i| !pairs[..i].contains(&pairs[i]))
    };
    let mut want: Vec<_> = every_text(&[2], 4, 4).into_iter().filter(|(tokens, _)| allowed(tokens)).collect();
    want.sort_by(|a, b| b.1.total_cmp(&a.1));
    assert_eq!(
        found.iter().map(|f| &f.tokens).collect::<Vec<_>>(),
        want.iter().map(|w| &w.0).collect::<Vec<_>>()
    );

    let sampler = Sampler::new(&plain(), Some("(a|b){2}c"), &vocabulary).unwrap();
    let (found, _) = search(&sampler, &beam, &[2], 6, 4).unwrap();
    // 1 1 ends a text here, whatever the pattern says.
    let mut tokens: Vec<_> = found.iter().map(|f| f.tokens.clone()).collect();
    tokens.sort();
    assert_eq!(tokens, [vec![1, 1], vec![1, 2, 3, 0], vec![2, 1, 3, 0], vec![2, 2, 3, 0]]);
    // What a penalty does shows in the score alone.
    let config = SamplingConfig { presence_penalty: 3.0, ..plain() };
    let sampler = Sampler::new(&config, None, &vocabulary).unwrap();
    let (found, _) = search(&sampler, &beam, &[2], 2, 4).unwrap();
    let bb = found.iter().find(|f| f.tokens == [2, 2]).unwrap();
    assert!((bb.score - (bb.log_prob - 6.0)).abs() < 1e-9);
}

#[test]
fn a_search_that_cannot_get_better_stops() {
    let mut vocabulary = Tokens::numbered(4);
    vocabulary.end = Some(0);
    let bias = [("t0".to_string(), -1.0)].into();
    for (config, stops) in [
        (plain(), true),
        // With a bias that lifts scores nothing can be said of what is still to come.
        (SamplingConfig { logit_bias: [("t1".to_string(), 0.1)].into(), ..plain() }, false),
        (SamplingConfig { logit_bias: bias, ..plain() }, true),
    ] {
        let sampler = Sampler::new(&config, None, &vocabulary).unwrap();
        let (_, calls) = search(&sampler, &BeamConfig::default(), &[3], 60, 4).unwrap();
        assert_eq!(calls < 59, stops, "{calls}");
    }
    let error = |config: BeamConfig| {
        let sampler = Sampler::new(&plain(), None, &vocabulary).unwrap();
        search(&sampler, &config, &[3], 4, 4).unwrap_err().to_string()
    };
    assert!(error(BeamConfig { beams: 0, ..BeamConfig::default() }).contains("beams"));
    assert!(error(BeamConfig { n_best: 5, ..BeamConfig::default() }).contains("1..=4"));
    let length_penalty = LengthPenalty::Wu(f64::NAN);
    assert!(error(BeamConfig { length_penalty, ..BeamConfig::default() }).contains("length penalty"));
}
