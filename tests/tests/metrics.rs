//! BLEU, chrF and ROUGE against sacrebleu and rouge-score, and what all scores refuse.
#![allow(clippy::unwrap_used, missing_docs)]

use gdl_text::metrics::{
    Bleu, BleuTokens, Rouge, RougeTokens, Scores, bleu, bleu_with, chrf, chrf_with, exact_match, rouge,
    rouge_with, sentence_bleu, span_f1, tag_f1, token_accuracy,
};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/metrics.json")).unwrap()
}

fn texts(rows: &[Value], key: &str) -> Vec<String> {
    rows.iter().map(|row| row[key].as_str().unwrap().to_string()).collect()
}

/// Sums of a few dozen numbers in f64, logarithms and roots, in another order of operations than the
/// reference's; what is 0 there is 0 here.
fn assert_near(what: &str, got: &[f64], want: &Value) {
    let want: Vec<f64> = match want {
        Value::Array(want) => want.iter().map(|value| value.as_f64().unwrap()).collect(),
        want => vec![want.as_f64().unwrap()],
    };
    let near = |(got, want): (&f64, &f64)| (got - want).abs() <= 1e-9 * want.abs();
    assert!(got.len() == want.len() && got.iter().zip(&want).all(near), "{what}: {got:?}, expected {want:?}");
}

fn assert_bleu(what: &str, got: &Bleu, want: &Value) {
    assert_near(&format!("{what}, score"), &[got.score], &want["score"]);
    assert_near(&format!("{what}, precisions"), &got.precisions, &want["precisions"]);
    assert_near(&format!("{what}, brevity penalty"), &[got.brevity_penalty], &want["brevity_penalty"]);
    assert_near(&format!("{what}, length ratio"), &[got.length_ratio()], &want["length_ratio"]);
    assert_eq!(Some(got.hypothesis_length as u64), want["hypothesis_length"].as_u64(), "{what}");
    assert_eq!(Some(got.reference_length as u64), want["reference_length"].as_u64(), "{what}");
}

fn assert_scores(what: &str, hypotheses: &[String], references: &[String], want: &Value) {
    assert_bleu(what, &bleu(hypotheses, references).unwrap(), &want["bleu"]);
    for (key, tokens) in [("bleu_none", BleuTokens::None), ("bleu_char", BleuTokens::Char)] {
        let got = bleu_with(hypotheses, references, tokens).unwrap();
        assert_near(&format!("{what}, {key}"), &[got.score], &want[key]);
    }
    let by_words = [0, 1, 2].map(|words| chrf_with(hypotheses, references, words).unwrap());
    assert_near(&format!("{what}, chrF"), &by_words, &want["chrf"]);
    for (key, tokens) in [("rouge", RougeTokens::Ascii), ("rouge_unicode", RougeTokens::Unicode)] {
        let Rouge { rouge1, rouge2, rouge_l } = rouge_with(hypotheses, references, tokens).unwrap();
        assert_near(&format!("{what}, {key}"), &[rouge1, rouge2, rouge_l], &want[key]);
    }
}

#[test]
fn pairs_score_as_with_sacrebleu_and_rouge_score() {
    let fixture = fixture();
    for row in fixture["pairs"].as_array().unwrap() {
        let [hypothesis, reference] = ["hypothesis", "reference"].map(|key| row[key].as_str().unwrap());
        let what = format!("{}: {hypothesis:?} for {reference:?}", row["kind"]);
        let sentence = sentence_bleu(hypothesis, reference);
        assert_bleu(&format!("{what}, alone"), &sentence, &row["sentence_bleu"]);
        assert_scores(&what, &[hypothesis.to_string()], &[reference.to_string()], row);
    }
}

#[test]
fn corpora_score_as_with_sacrebleu_and_rouge_score() {
    let fixture = fixture();
    for corpus in fixture["corpora"].as_array().unwrap() {
        let [first, last] = ["first", "last"].map(|key| corpus[key].as_u64().unwrap() as usize);
        let rows = &fixture["pairs"].as_array().unwrap()[first..last];
        let (hypotheses, references) = (texts(rows, "hypothesis"), texts(rows, "reference"));
        assert_scores(&corpus["name"].to_string(), &hypotheses, &references, corpus);
    }
}

#[test]
fn an_evaluation_has_all_scores_by_name() {
    let (hypotheses, references) = (["a b c d", "x", ""], ["a b c d", "y", "z"]);
    let rows = |texts: [&str; 3]| texts.map(|text| text.chars().collect::<Vec<_>>());
    let scores = Scores::of(&hypotheses, &references, &rows(hypotheses), &rows(references)).unwrap();
    let want = [
        ("exact_match", 1.0 / 3.0),
        // 8 of 8, 1 of 2, 0 of 2.
        ("token_accuracy", 0.75),
        ("bleu", bleu(&hypotheses, &references).unwrap().score),
        ("chrf", chrf(&hypotheses, &references).unwrap()),
        ("rouge1", 100.0 / 3.0),
        ("rouge2", 100.0 / 3.0),
        ("rouge_l", 100.0 / 3.0),
    ];
    assert_eq!(scores.values().collect::<Vec<_>>(), want);
    assert!(scores.values().all(|(_, value)| value > 0.0));

    let written = serde_json::to_string(&scores).unwrap();
    assert_eq!(serde_json::from_str::<Scores>(&written).unwrap(), scores);
    assert_eq!(serde_json::to_string(&BleuTokens::default()).unwrap(), "\"13a\"");
}

#[test]
fn lists_that_are_empty_or_of_other_lengths_are_refused() {
    let (none, one, two): (&[&str], _, _) = (&[], &["a"][..], &["a", "b"][..]);
    let (no_rows, row, rows) = (Vec::<Vec<bool>>::new(), vec![vec![true]], vec![vec![true], vec![false]]);
    let all = |h: &[&str], r: &[&str], h_rows: &[Vec<bool>], r_rows: &[Vec<bool>]| {
        [
            bleu(h, r).err(),
            chrf(h, r).err(),
            rouge(h, r).err(),
            exact_match(h, r).err(),
            token_accuracy(h_rows, r_rows).err(),
            tag_f1(h_rows, r_rows).err(),
            span_f1(h_rows, r_rows).err(),
            Scores::of(h, r, h_rows, r_rows).err(),
        ]
        .map(|error| error.map(|error| error.to_string()))
    };
    for error in all(none, none, &no_rows, &no_rows) {
        assert_eq!(error.as_deref(), Some("scores: need at least one text, got none"));
    }
    for error in all(one, two, &row, &rows) {
        assert_eq!(error.as_deref(), Some("scores: each text needs its reference, got 2 for 1"));
    }
    assert!(all(two, two, &rows, &rows).iter().all(Option::is_none));
    // The texts fit each other, and so do the rows, but not both.
    assert!(Scores::of(two, two, &row, &row).is_err());
}
