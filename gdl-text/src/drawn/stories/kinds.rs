//! The kinds of facts that stories tell, and what can be asked about each.

use super::kind::{Kind, ask, ask_for_all};

pub(super) static KINDS: [Kind; 16] = [
    Kind {
        sentences: &[
            "{time} , {person} gave a {colour} {object} to {other} .",
            "{person} gave {other} a {colour} {object} {time} .",
            "{other} got a {colour} {object} from {person} {time} .",
        ],
        questions: &[
            ask("person", ["who gave the {object} to {other} ?", "from whom did {other} get the {object} ?"]),
            ask(
                "other",
                ["to whom did {person} give the {object} ?", "who got the {object} from {person} ?"],
            ),
            ask_for_all(
                "colour",
                "object",
                ["what did {person} give to {other} ?", "what was {other} given by {person} ?"],
            ),
            ask(
                "time",
                ["when did {person} give the {object} to {other} ?", "when did {other} get the {object} ?"],
            ),
            ask(
                "colour",
                [
                    "what colour was the {object} that {other} got ?",
                    "what was the colour of the {object} that {person} gave away ?",
                ],
            ),
        ],
    },
    Kind {
        sentences: &[
            "{person} found a {colour} {object} in the {place} {time} .",
            "{time} , {person} was in the {place} and found a {colour} {object} .",
        ],
        questions: &[
            ask_for_all(
                "colour",
                "object",
                [
                    "what did {person} find in the {place} ?",
                    "what was it that {person} found in the {place} ?",
                ],
            ),
            ask(
                "place",
                [
                    "where did {person} find the {object} ?",
                    "in which place was the {object} found by {person} ?",
                ],
            ),
            ask(
                "colour",
                [
                    "what colour was the {object} that {person} found ?",
                    "what was the colour of the {object} that {person} found ?",
                ],
            ),
            ask(
                "time",
                ["when did {person} find the {object} ?", "when was the {object} found by {person} ?"],
            ),
        ],
    },
    Kind {
        sentences: &[
            "{person} bought {number} {goods} from {other} {time} .",
            "{time} , {other} sold {number} {goods} to {person} .",
        ],
        questions: &[
            ask(
                "number",
                [
                    "how many {goods} did {person} buy from {other} ?",
                    "how many {goods} did {other} sell to {person} ?",
                ],
            ),
            ask("other", ["from whom did {person} buy the {goods} ?", "who sold {goods} to {person} ?"]),
            ask("person", ["who bought {goods} from {other} ?", "to whom did {other} sell {goods} ?"]),
            ask_for_all(
                "number",
                "goods",
                ["what did {person} buy from {other} ?", "what did {other} sell to {person} ?"],
            ),
            ask("time", ["when did {person} buy the {goods} ?", "when did {other} sell the {goods} ?"]),
        ],
    },
    Kind {
        sentences: &[
            "{person} lived in {town} with {number} {herd} .",
            "in {town} , {person} lived with {number} {herd} .",
        ],
        questions: &[
            ask("town", ["where did {person} live ?", "in which town did {person} live ?"]),
            ask("person", ["who lived in {town} ?", "who lived with {herd} in {town} ?"]),
            ask(
                "number",
                ["how many {herd} did {person} have ?", "with how many {herd} did {person} live ?"],
            ),
            ask("herd", ["with which animals did {person} live ?", "which animals lived with {person} ?"]),
        ],
    },
    Kind {
        sentences: &[
            "{time} , {person} travelled to {town} {vehicle} .",
            "{person} went to {town} {vehicle} {time} .",
        ],
        questions: &[
            ask("vehicle", ["how did {person} travel to {town} ?", "how did {person} get to {town} ?"]),
            ask("person", ["who travelled to {town} ?", "who went to {town} ?"]),
            ask(
                "town",
                ["where did {person} travel {vehicle} ?", "to which town did {person} go {vehicle} ?"],
            ),
            ask("time", ["when did {person} travel to {town} ?", "when did {person} go to {town} ?"]),
        ],
    },
    Kind {
        sentences: &[
            "{person} left {town} because {parting} .",
            "because {parting} , {person} moved away from {town} .",
        ],
        questions: &[
            ask(
                "parting",
                ["why did {person} leave {town} ?", "for what reason did {person} move away from {town} ?"],
            ),
            ask("person", ["who left {town} ?", "who moved away from {town} ?"]),
            ask("town", ["which town did {person} leave ?", "from which town did {person} move away ?"]),
        ],
    },
    Kind {
        sentences: &[
            "{person} hid a {object} {corner} so that {other} would not see it .",
            "so that {other} would not see it , {person} put a {object} {corner} .",
        ],
        questions: &[
            ask(
                "corner",
                ["where did {person} hide the {object} ?", "where was the {object} that {person} hid ?"],
            ),
            ask(
                "other",
                [
                    "from whom did {person} hide the {object} ?",
                    "who should not see the {object} of {person} ?",
                ],
            ),
            ask("object", ["what did {person} hide from {other} ?", "what should {other} not see ?"]),
            ask(
                "person",
                ["who hid the {object} from {other} ?", "by whom was the {object} hidden from {other} ?"],
            ),
        ],
    },
    Kind {
        sentences: &["{person} worked as a {job} in {town} .", "in {town} , {person} was a {job} ."],
        questions: &[
            ask(
                "job",
                ["what was the work of {person} in {town} ?", "what work did {person} do in {town} ?"],
            ),
            ask("town", ["where did {person} work as a {job} ?", "in which town did {person} work ?"]),
            ask("person", ["who worked as a {job} in {town} ?", "who was the {job} in {town} ?"]),
        ],
    },
    Kind {
        sentences: &[
            "{time} , {person} met {other} in the {place} .",
            "{person} met {other} in the {place} {time} .",
        ],
        questions: &[
            ask(
                "place",
                ["where did {person} meet {other} ?", "in which place did {other} and {person} meet ?"],
            ),
            ask(
                "other",
                ["whom did {person} meet in the {place} ?", "who was met by {person} in the {place} ?"],
            ),
            ask("person", ["who met {other} in the {place} ?", "by whom was {other} met in the {place} ?"]),
            ask("time", ["when did {person} meet {other} ?", "when did {other} and {person} meet ?"]),
        ],
    },
    Kind {
        sentences: &[
            "{person} waited {duration} for {other} in the {place} .",
            "in the {place} , {person} waited {duration} for {other} .",
        ],
        questions: &[
            ask(
                "duration",
                ["how long did {person} wait for {other} ?", "how long did {other} let {person} wait ?"],
            ),
            ask("other", ["for whom did {person} wait ?", "who let {person} wait ?"]),
            ask("person", ["who waited for {other} ?", "by whom was {other} expected ?"]),
            ask("place", ["where did {person} wait for {other} ?", "in which place did {person} wait ?"]),
        ],
    },
    Kind {
        sentences: &[
            "{person} told {other} a story about a {creature} .",
            "{other} heard a story about a {creature} from {person} .",
        ],
        questions: &[
            ask(
                "creature",
                ["what was the story about that {person} told ?", "about what did {other} hear a story ?"],
            ),
            ask("person", ["who told {other} a story ?", "from whom did {other} hear a story ?"]),
            ask("other", ["to whom did {person} tell a story ?", "who heard a story from {person} ?"]),
        ],
    },
    Kind {
        sentences: &[
            "{person} lost a {object} on the way to {town} {time} .",
            "{time} , on the way to {town} , {person} lost a {object} .",
        ],
        questions: &[
            ask("object", ["what did {person} lose on the way to {town} ?", "what was lost by {person} ?"]),
            ask(
                "person",
                [
                    "who lost a {object} on the way to {town} ?",
                    "by whom was the {object} lost on the way to {town} ?",
                ],
            ),
            ask(
                "town",
                [
                    "on the way to which town did {person} lose the {object} ?",
                    "where was {person} going when the {object} was lost ?",
                ],
            ),
            ask(
                "time",
                ["when did {person} lose the {object} ?", "when was the {object} lost by {person} ?"],
            ),
        ],
    },
    Kind {
        sentences: &[
            "{person} paid {number} coins to {other} for a {object} .",
            "for a {object} , {other} took {number} coins from {person} .",
        ],
        questions: &[
            ask(
                "number",
                [
                    "how many coins did {person} pay for the {object} ?",
                    "how many coins did {other} take for the {object} ?",
                ],
            ),
            ask("object", ["for what did {person} pay {other} ?", "what did {other} take coins for ?"]),
            ask("other", ["who took coins from {person} ?", "who was paid by {person} for the {object} ?"]),
            ask("person", ["who paid {other} for the {object} ?", "by whom was {other} paid ?"]),
        ],
    },
    Kind {
        sentences: &[
            "{time} , {person} stayed at home because {trouble} .",
            "because {trouble} , {person} stayed at home {time} .",
        ],
        questions: &[
            ask("trouble", ["why did {person} stay at home ?", "for what reason was {person} at home ?"]),
            ask("time", ["when did {person} stay at home ?", "when was {person} at home ?"]),
        ],
    },
    Kind {
        sentences: &["{person} had a {pet} called {called} .", "the {pet} of {person} was called {called} ."],
        questions: &[
            ask(
                "called",
                [
                    "what was the {pet} of {person} called ?",
                    "what was the name of the {pet} that {person} had ?",
                ],
            ),
            ask("pet", ["what kind of animal was {called} ?", "which animal did {person} call {called} ?"]),
            ask("person", ["to whom did {called} belong ?", "who had a {pet} called {called} ?"]),
        ],
    },
    Kind {
        sentences: &[
            "{person} cooked {dish} for {other} and sang about {song} .",
            "for {other} , {person} cooked {dish} and sang about {song} .",
        ],
        questions: &[
            ask("dish", ["what did {person} cook for {other} ?", "what was cooked by {person} ?"]),
            ask("song", ["what did {person} sing about ?", "about what was the song of {person} ?"]),
            ask("person", ["who cooked {dish} for {other} ?", "who sang for {other} about {song} ?"]),
            ask("other", ["for whom did {person} cook {dish} ?", "for whom did {person} sing ?"]),
        ],
    },
];
