use super::draft::{Draft, facts};
use super::kind::{NAMES, PEOPLE};
use super::kinds::KINDS;
use super::pools::POOLS;
use super::*;
use crate::drawn::invented;
use crate::drawn::names::PAIRS;
use crate::drawn::template::fill;
use std::collections::{BTreeSet, HashSet};

fn slots(template: &'static str) -> BTreeSet<&'static str> {
    fill(template, |_| String::new()).spans.into_iter().map(|(slot, _)| slot).collect()
}

fn is_name(word: &str) -> bool {
    word.contains(char::is_uppercase)
}

#[test]
fn the_templates_fit_together() {
    let known: HashSet<&str> = POOLS.map(|(slot, _)| slot).into_iter().chain(PEOPLE).chain(NAMES).collect();
    let names: HashSet<&str> = PEOPLE.into_iter().chain(NAMES).collect();
    let mut asked_in = HashSet::new();
    for kind in &KINDS {
        let told = slots(kind.sentences[0]);
        assert!(kind.sentences.len() > 1 && told.iter().all(|slot| known.contains(slot)), "{kind:?}");
        for sentence in kind.sentences {
            assert_eq!(slots(sentence), told, "{sentence}");
            assert!(sentence.ends_with(" ."), "{sentence}");
        }
        for asked in kind.questions {
            let (first, last) = asked.answer;
            assert!(told.contains(first) && told.contains(last), "{asked:?}");
            for way in asked.ways {
                let slots = slots(way);
                assert!(slots.is_subset(&told), "{way}");
                assert!(slots.iter().any(|slot| names.contains(slot)), "{way} has no name");
                assert!(!slots.contains(first) && !slots.contains(last), "{way} gives the answer away");
                assert!(asked_in.insert(way) && way.ends_with(" ?"), "{way}");
            }
        }
    }
    for (slot, pool) in POOLS {
        assert_eq!(pool.iter().collect::<HashSet<_>>().len(), pool.len(), "{slot}");
        assert!(pool.iter().all(|value| !is_name(value) && *value == value.trim()), "{slot}");
    }
    let begins = |word: &str| asked_in.iter().filter(|way| way.starts_with(word)).count();
    for word in [
        "who ",
        "whom ",
        "to whom ",
        "from whom ",
        "what did ",
        "what colour ",
        "where ",
        "when ",
        "why ",
        "how many ",
        "how long ",
        "how did ",
        "which animal",
        "in which town ",
    ] {
        assert!(begins(word) > 0, "{word}");
    }
}

#[test]
fn no_word_of_a_template_could_be_a_name() {
    assert!(["Sela", "mirado", "Brutakan"].into_iter().all(invented::is_possible));
    assert!(!["Selas", "River", "a", "Lamp"].into_iter().any(invented::is_possible));
    let mut rng = Rng::seed(6);
    assert!((0..2_000).all(|_| invented::is_possible(&invented::name(DrawnPart::Train, &mut rng))));
    let kinds = KINDS.iter().flat_map(|kind| {
        kind.sentences.iter().copied().chain(kind.questions.iter().flat_map(|asked| asked.ways))
    });
    let pairs = PAIRS.iter().flat_map(|&(source, target)| [source, target]);
    let pools = POOLS.iter().flat_map(|(_, pool)| pool.iter().copied());
    for text in kinds.chain(pairs).chain(pools) {
        assert!(!text.split(' ').any(invented::is_possible), "{text}");
    }
}

#[test]
fn answers_and_names_are_in_the_text() {
    for part in DrawnPart::ALL {
        let all = stories(part, 2_000, 7);
        assert_eq!(all.len(), 2_000);
        for story in &all {
            let words: Vec<&str> = story.text.split(' ').collect();
            assert!(WORDS.contains(&words.len()) && !words.contains(&""), "{story:?}");
            assert!(SENTENCES.contains(&words.iter().filter(|word| **word == ".").count()), "{story:?}");
            assert!(!story.answer.is_empty() && story.answer.end < words.len(), "{story:?}");
            let answer = &words[story.answer.clone()];
            assert_eq!(answer.join(" "), story.answer_text());
            assert!(!answer.iter().any(|word| [".", ",", "?"].contains(word)), "{story:?}");
            assert!(
                !format!(" {} ", story.question).contains(&format!(" {} ", story.answer_text())),
                "{story:?}"
            );
            let names: Vec<&str> = story.question.split(' ').filter(|word| is_name(word)).collect();
            assert!(!names.is_empty() && names.iter().all(|name| words.contains(name)), "{story:?}");
            // The question's names and the answer are together in one sentence.
            let before =
                words[..story.answer.start].iter().rposition(|word| *word == ".").map_or(0, |at| at + 1);
            let sentence = &words[before..];
            let sentence = &sentence[..sentence.iter().position(|word| *word == ".").unwrap()];
            assert!(names.iter().all(|name| sentence.contains(name)), "{story:?}");
            for name in words.iter().filter(|word| is_name(word)) {
                assert_eq!(DrawnPart::of(name), part, "{name}");
            }
        }
        assert_eq!(all.iter().map(|story| &story.text).collect::<HashSet<_>>().len(), all.len());
    }
}

#[test]
fn every_question_has_one_answer() {
    let mut rng = Rng::seed(11);
    let (mut twice, mut remarks, mut drawn) = (0, 0, 0);
    while drawn < 500 {
        let Some(draft) = Draft::draw(DrawnPart::Train, 6, &mut rng) else { continue };
        drawn += 1;
        remarks += draft.sentences.len() - facts(&draft.sentences).count();
        let asked: Vec<String> = facts(&draft.sentences).flat_map(|(_, fact)| fact.questions()).collect();
        assert_eq!(asked.iter().collect::<HashSet<_>>().len(), asked.len(), "{asked:#?}");
        // As many question forms as facts have, less those of kinds that came twice.
        let blank = |text: &String| {
            text.split(' ').map(|word| if is_name(word) { "X" } else { word }).collect::<Vec<_>>().join(" ")
        };
        let forms: HashSet<String> = asked.iter().map(blank).collect();
        twice += usize::from(forms.len() < asked.len());
    }
    assert!(twice > 200, "{twice} stories with two facts of a kind");
    assert!((180..320).contains(&remarks), "{remarks}");
}

#[test]
fn everything_is_told_and_asked_in_every_way() {
    let all = stories(DrawnPart::Train, 6_000, 1);
    let fits = |template: &str, text: &str| {
        // What is between the slots, in its order; what is around them, at the ends.
        let fixed: Vec<&str> = template.split(['{', '}']).step_by(2).collect();
        let mut rest = Some(text);
        for piece in &fixed {
            rest = rest.and_then(|rest| rest.split_once(piece)).map(|(_, rest)| rest);
        }
        rest.is_some() && text.starts_with(fixed[0]) && text.ends_with(fixed[fixed.len() - 1])
    };
    for kind in &KINDS {
        for way in kind.questions.iter().flat_map(|asked| asked.ways) {
            assert!(all.iter().any(|story| fits(way, &story.question)), "{way}");
        }
        for told in kind.sentences {
            let tells = |story: &Story| story.text.split_inclusive('.').any(|one| fits(told, one.trim()));
            assert!(all.iter().any(tells), "{told}");
        }
    }
}

#[test]
fn the_table_reads_back() {
    let told = "Sela , they say , was here .".to_string();
    let story = Story { text: told.clone(), question: "who was here ?".into(), answer: 0..1 };
    let mut written = Vec::new();
    write_newsqa(&[story], &mut written).unwrap();
    let expected =
        "story_text,question,answer_token_ranges\n\"Sela , they say , was here .\",who was here ?,0:1\n";
    assert_eq!(String::from_utf8(written.clone()).unwrap(), expected);
    let back = csv::Reader::from_reader(&written[..]).into_records().next().unwrap().unwrap();
    assert_eq!(&back[0], told);
}
