use super::names::PAIRS;
use super::*;

fn sources(rows: &[(String, String)]) -> HashSet<&str> {
    rows.iter().map(|(source, _)| source.as_str()).collect()
}

/// The names in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| word.contains(char::is_uppercase))
}

#[test]
fn a_seed_draws_the_same_always() {
    for (task, part, row) in PINNED {
        let drawn = draw(task, part, 20, 1);
        assert_eq!((drawn[19].0.as_str(), drawn[19].1.as_str()), row, "{task} {part}");
    }
    let story = &stories(DrawnPart::Test, 5, 1)[4];
    assert_eq!((story.text.as_str(), story.question.as_str(), story.answer.clone()), PINNED_STORY);
}

#[test]
fn more_rows_begin_as_fewer_and_seeds_differ() {
    for task in Task::ALL {
        let rows = draw(task, DrawnPart::Valid, 300, 9);
        assert_eq!(draw(task, DrawnPart::Valid, 40, 9), rows[..40], "{task}");
        assert_eq!(sources(&rows).len(), 300, "{task}");
        let others = draw(task, DrawnPart::Valid, 300, 10);
        assert!(sources(&rows).intersection(&sources(&others)).count() < 30, "{task}");
        assert!(draw(task, DrawnPart::Valid, 0, 9).is_empty());
        for text in rows.iter().flat_map(|(source, target)| [source, target]) {
            assert!(text.is_ascii() && !text.contains(char::is_control) && text == text.trim(), "{text:?}");
            assert!(!text.is_empty() && !text.contains("  ") && !text.contains(['{', '}']), "{text:?}");
        }
    }
    assert_eq!(stories(DrawnPart::Valid, 10, 9), stories(DrawnPart::Valid, 40, 9)[..10]);
}

#[test]
fn parts_have_nothing_in_common() {
    for task in Task::ALL {
        // What decides the part, in terms of a row; seeds differ, as those of two users may.
        let keys = |part: DrawnPart, seed: u64| -> HashSet<String> {
            let rows = draw(task, part, 4_000, seed);
            let keys = |(source, target): &(String, String)| match task {
                Task::Reverse => vec![source.clone(), target.clone()],
                Task::Dates => vec![target.clone()],
                Task::Names => names(source).map(str::to_string).collect(),
                Task::Inflection => vec![source.clone(), regular_verb(source)],
            };
            rows.iter().flat_map(keys).collect()
        };
        let (train, valid, test) =
            (keys(DrawnPart::Train, 1), keys(DrawnPart::Valid, 2), keys(DrawnPart::Test, 3));
        assert!(train.is_disjoint(&test) && train.is_disjoint(&valid) && valid.is_disjoint(&test), "{task}");
        assert!(!test.is_empty());
    }
    let all = |part, seed| -> HashSet<String> {
        let texts = stories(part, 2_000, seed).into_iter().map(|story| story.text).collect::<Vec<_>>();
        let pairs = draw(Task::Names, part, 2_000, seed).into_iter().map(|(source, _)| source);
        texts
            .into_iter()
            .chain(pairs)
            .flat_map(|text| names(&text).map(str::to_string).collect::<Vec<_>>())
            .collect()
    };
    assert!(all(DrawnPart::Train, 1).is_disjoint(&all(DrawnPart::Test, 1)));
}

/// The verb of a source, or the source once more if its verb is irregular: those have two vowels, the others
/// more.
fn regular_verb(source: &str) -> String {
    let verb = &source[..source.find('+').unwrap()];
    let irregular = verb.chars().filter(|c| "aeiouy".contains(*c)).count() == 2;
    if irregular { source } else { verb }.to_string()
}

#[test]
fn only_the_test_reverses_lengths_held_out() {
    for part in DrawnPart::ALL {
        let rows = draw(Task::Reverse, part, 2_600, 4);
        let mut counts = [0; 31];
        for (source, target) in &rows {
            assert_eq!(source.bytes().rev().collect::<Vec<_>>(), target.bytes().collect::<Vec<_>>());
            assert!(source.bytes().all(|byte| byte.is_ascii_lowercase()));
            assert_eq!([reverse::part_of(source, target), reverse::part_of(target, source)], [part; 2]);
            counts[source.len()] += 1;
        }
        for (length, &count) in counts.iter().enumerate() {
            let held_out = held_out_lengths().contains(&length) && part != DrawnPart::Test;
            // 100 or 113 of each are expected, with a standard deviation of 10.
            let expected = if LENGTHS.contains(&length) && !held_out { 60..165 } else { 0..1 };
            assert!(expected.contains(&count), "{part}: {count} of length {length}");
        }
    }
}

#[test]
fn names_are_copied_into_every_pattern() {
    let rows = draw(Task::Names, DrawnPart::Test, 1_000, 4);
    let mut patterns = HashSet::new();
    for (source, target) in &rows {
        let mut found: Vec<&str> = names(source).collect();
        let mut copied: Vec<&str> = names(target).collect();
        assert_eq!(found.len(), 2, "{source}");
        let blank = |text: &str| {
            let word = |word| {
                if Some(&word) == found.first() {
                    "A"
                } else if Some(&word) == found.last() {
                    "B"
                } else {
                    word
                }
            };
            text.split(' ').map(word).collect::<Vec<_>>().join(" ")
        };
        patterns.insert((blank(source), blank(target)));
        found.sort_unstable();
        copied.sort_unstable();
        assert_eq!(found, copied, "{source} -> {target}");
    }
    assert_eq!(patterns.len(), PAIRS.len());
    // Some keep the order of the names, the others turn it.
    let turned = patterns.iter().filter(|(_, target)| target.find('A') > target.find('B')).count();
    assert!((4..=12).contains(&turned), "{turned}");
}

#[test]
fn what_has_no_more_ends() {
    let mut n = 0;
    let draws = || {
        n += 1;
        (n % 3 > 0).then(|| (n % 7).to_string())
    };
    assert_eq!(distinct(100, draws, |text| text).len(), 7);
}

#[test]
fn tasks_have_names() {
    for task in Task::ALL {
        assert_eq!(task.to_string().parse::<Task>().unwrap(), task);
        assert!(!task.description().is_empty());
    }
    let refused = "dreams".parse::<Task>().unwrap_err().to_string();
    assert_eq!(refused, "task: there is no \"dreams\"; there are reverse, dates, names, inflection");
    assert_eq!(DrawnPart::ALL.map(default_rows), [20_000, 1_000, 1_000]);
}

const PINNED: [(Task, DrawnPart, (&str, &str)); 8] = [
    (Task::Reverse, DrawnPart::Train, ("meidvtxodrekwm", "mwkerdoxtvdiem")),
    (Task::Reverse, DrawnPart::Test, ("libfxqll", "llqxfbil")),
    (Task::Dates, DrawnPart::Train, ("10.9.1950", "1950-09-10")),
    (Task::Dates, DrawnPart::Test, ("MARCH 5TH, 2052", "2052-03-05")),
    (
        Task::Names,
        DrawnPart::Train,
        ("i come from Drurural and people call me Sijitir .", "this is Sijitir , born in Drurural ."),
    ),
    (
        Task::Names,
        DrawnPart::Test,
        ("the road to Trabin was built by Banor .", "to reach Trabin , take the road of Banor ."),
    ),
    (Task::Inflection, DrawnPart::Train, ("opudso+PRS+1SG+COND+NEG", "nopudlumok")),
    (Task::Inflection, DrawnPart::Test, ("kingitsi+PRS+2SG+NEG", "nekingititik")),
];
const PINNED_STORY: (&str, &str, std::ops::Range<usize>) = (
    "Riton paid six coins to Kinur for a letter . for a knife , Hijosur took four coins from Kikusur . \
     Nilol paid nine coins to Trebijol for a saddle . Kinur cooked roast turnips for Rilasal and sang \
     about the old days . in the cellar , Trebijol waited ten minutes for Nilol .",
    "who paid Hijosur for the knife ?",
    19..20,
);
