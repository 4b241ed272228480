use super::template::fill;
use super::{DrawnPart, choose, invented};
use gdl_train::Rng;

/// What is said of person `x` and place `y`, and how it is said again.
pub(super) const PAIRS: [(&str, &str); 16] = [
    ("my name is {x} and i live in {y} .", "{x} from {y} says hello ."),
    ("i come from {y} and people call me {x} .", "this is {x} , born in {y} ."),
    ("have you ever been to {y} ? that is where {x} lives .", "{x} lives in {y} ."),
    ("{x} has just moved to {y} .", "the newest face in {y} is {x} ."),
    ("the mayor of {y} is called {x} .", "{y} has {x} as its mayor ."),
    ("please send this letter to {x} in {y} .", "a letter to {x} , who is in {y} ."),
    ("{x} took the last train to {y} .", "the last train to {y} had {x} on board ."),
    ("in {y} everybody knows {x} .", "all of {y} has heard of {x} ."),
    ("where is {x} ? on the way to {y} .", "{x} is going to {y} ."),
    ("{x} wrote a song about {y} .", "there is a song about {y} by {x} ."),
    ("nobody in {y} had seen {x} for years .", "for years {x} was not seen in {y} ."),
    ("from {y} it is a long way home for {x} .", "{x} is far from home in {y} ."),
    ("{x} bakes the best bread in {y} .", "for bread in {y} , go to {x} ."),
    ("tell {x} that we meet in {y} .", "we shall see {x} when we are in {y} ."),
    ("the road to {y} was built by {x} .", "to reach {y} , take the road of {x} ."),
    ("when {x} was young , {y} was a village .", "{y} was a village in the youth of {x} ."),
];

pub(super) fn row(part: DrawnPart, rng: &mut Rng) -> (String, String) {
    let (source, target) = choose(rng, &PAIRS);
    let x = invented::name(part, rng);
    let y = invented::another(part, rng, std::slice::from_ref(&x));
    let say = |template| fill(template, |slot| if slot == "x" { x.clone() } else { y.clone() }).text;
    (say(source), say(target))
}
