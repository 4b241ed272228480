use super::*;
use std::collections::HashSet;

fn cell(tags: &str) -> Cell {
    (0..Cell::COUNT).map(Cell::nth).find(|cell| cell.to_string() == tags).unwrap()
}

fn class(lemma: &str) -> Class {
    match &lemma[lemma.len() - 2..] {
        "ma" | "me" => Class::First,
        "ru" | "ry" => Class::Second,
        "so" | "si" => Class::Third,
        _ => panic!("{lemma}"),
    }
}

/// The form that a source asks for, read from the source alone.
fn form(source: &str) -> String {
    let (lemma, tags) = source.split_at(source.find('+').unwrap());
    let cell = cell(tags);
    match IRREGULAR.iter().find(|verb| verb.lemma == lemma) {
        Some(verb) => inflect(verb.stem(cell.tense), verb.class, cell),
        None => inflect(&lemma[..lemma.len() - 2], class(lemma), cell),
    }
}

#[test]
fn forms_are_those_worked_by_hand() {
    let by_hand = [
        // Class 1, back: talop-tA-Ar loses a vowel, the negative two.
        ("talopma+PST+3PL", "taloptar"),
        ("talopma+PRS+1SG+NEG", "natalopumok"),
        ("talopma+FUT+1PL+COND", "talopmorlomun"),
        ("talopma+PRS+3SG", "talopa"),
        ("talopma+IMP+2PL", "talobbut"),
        // Class 2, front: k is voiced before g, b and d, and c before a front vowel.
        ("birekry+FUT+2PL+COND", "bireggelliten"),
        ("birekry+IMP+2SG", "biregby"),
        ("birekry+PRS+3SG", "birecy"),
        ("birekry+PST+2SG+NEG", "nebiregditik"),
        // Class 3: d before s and t is t; g before a front vowel is j, before a back one it stays.
        ("monudso+PST+1PL", "monutsomun"),
        ("monudso+PRS+2PL", "monuttan"),
        ("monudso+PRS+3SG", "monud"),
        ("sinegsi+PRS+3PL+NEG", "nesinejerik"),
        ("sanogso+PRS+3PL", "sanogar"),
        // A stem that begins with a vowel takes that of the negative.
        ("adarma+PRS+2SG+NEG", "nadarotok"),
        // Irregular: each tense has its own stem and harmony.
        ("toma+PST+2SG", "voltot"),
        ("toma+PRS+1SG", "esym"),
        ("garu+PST+3SG+COND", "levdyli"),
        ("saso+IMP+2SG+NEG", "nasagbok"),
        ("zalma+PST+3SG+NEG", "nyttik"),
    ];
    for (source, expected) in by_hand {
        assert_eq!(form(source), expected, "{source}");
    }
    let documented: Vec<Vec<&str>> = include_str!("grammar.md")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('`').skip(1).step_by(2).collect())
        .collect();
    assert_eq!(documented.len(), 7);
    for example in documented {
        assert_eq!(form(example[0]), example[1]);
    }
}

#[test]
fn a_row_can_be_worked_out_from_its_source() {
    let mut rng = Rng::seed(2);
    let mut tags = HashSet::new();
    for part in DrawnPart::ALL {
        for (source, target) in (0..20_000).filter_map(|_| row(part, &mut rng)) {
            assert_eq!(form(&source), target, "{source}");
            let (lemma, asked) = source.split_at(source.find('+').unwrap());
            tags.insert(asked.to_string());
            let irregular = IRREGULAR.iter().any(|verb| verb.lemma == lemma);
            assert_eq!(DrawnPart::of(if irregular { &source } else { lemma }), part);
        }
    }
    assert_eq!(tags.len(), 76);
}

#[test]
fn no_regular_verb_is_an_irregular_one() {
    // A regular stem has two vowels or three, these have one.
    let vowels = |text: &str| text.chars().filter(|c| "aeiouy".contains(*c)).count();
    for verb in &IRREGULAR {
        assert_eq!(vowels(verb.lemma), 2, "{verb:?}");
        assert_eq!(class(verb.lemma), verb.class);
    }
    let mut rng = Rng::seed(3);
    assert!((0..2_000).all(|_| vowels(&verbs::regular(&mut rng).0) >= 2));
}

#[test]
fn the_irregular_verbs_are_frequent_everywhere() {
    for part in DrawnPart::ALL {
        let rows = crate::drawn::draw(crate::drawn::Task::Inflection, part, 1_000, 1);
        let irregular = |lemma: &str| rows.iter().filter(|(source, _)| source.starts_with(lemma)).count();
        let counts: Vec<usize> =
            IRREGULAR.iter().map(|verb| irregular(&format!("{}+", verb.lemma))).collect();
        let total: usize = counts.iter().sum();
        // 8 in 100 draws, of 912 forms, of which the small parts have 91 or so each: less what comes twice.
        let (least, most) = if part == DrawnPart::Train { (60, 100) } else { (25, 60) };
        assert!((least..most).contains(&total), "{part}: {total}");
        assert!(counts.iter().filter(|&&count| count > 0).count() >= 10, "{part}: {counts:?}");
    }
}
