//! `gdl text generate --interactive`: a text chosen token by token.

use super::super::Context;
use anyhow::Result;
use gdl_text::{Choice, Error, Session, Writer};
use std::io::{self, BufRead, Write};

/// Characters of the text that are shown before a choice.
const SHOWN: usize = 60;

/// What a line of the input asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wish<'a> {
    Draw,
    Take(usize),
    Write(&'a str),
    End,
}

impl<'a> Wish<'a> {
    fn new(line: &'a str) -> Self {
        match line {
            "" => Self::Draw,
            ":q" => Self::End,
            _ => match (line.strip_prefix('='), line.trim().parse()) {
                (Some(text), _) => Self::Write(text),
                (None, Ok(number)) => Self::Take(number),
                (None, Err(_)) => Self::Write(line),
            },
        }
    }
}

/// Lists the candidates, does what the lines of the standard input say, and prints the text in the end.
pub(super) fn interactive(writer: &Writer<'_>, candidates: usize, context: &Context) -> Result<()> {
    let say = context.verbosity;
    let prompt = writer.prompt().text();
    let mut session = writer.session()?;
    let mut lines = io::stdin().lock().lines();
    loop {
        let choices = session.choices(candidates)?;
        if choices.is_empty() {
            break;
        }
        let text = format!("{prompt}{}", session.text());
        let start = text.char_indices().rev().nth(SHOWN - 1).map_or(0, |(at, _)| at);
        say.say(format_args!("\n{}", text[start..].escape_debug()));
        for (i, choice) in choices.iter().enumerate() {
            say.say(format_args!("{:>4}  {:>6.2}%  {:?}", i + 1, 100.0 * choice.probability, choice.text));
        }
        let Some(line) = lines.next().transpose()? else { break };
        match Wish::new(line.trim_end_matches('\r')) {
            Wish::End => break,
            wish => {
                if let Some(problem) = grant(&mut session, wish, &choices)? {
                    say.say(problem);
                }
            }
        }
    }
    writeln!(io::stdout().lock(), "{prompt}{}", session.text())?;
    Ok(())
}

/// Does it, or says why not.
fn grant(session: &mut Session<'_>, wish: Wish<'_>, choices: &[Choice]) -> Result<Option<String>> {
    let done = match wish {
        Wish::End => true,
        Wish::Draw => session.draw()?.is_some(),
        Wish::Take(number) => match number.checked_sub(1).and_then(|i| choices.get(i)) {
            Some(choice) => session.take(choice.token)?.is_some(),
            None => {
                let n = choices.len();
                return Ok(Some(format!(
                    "there is no candidate {number}: 1 to {n}, or ={number} for the text"
                )));
            }
        },
        Wish::Write(text) => match session.write(text) {
            Ok(written) => written.is_some(),
            Err(error @ Error::Unseen { .. }) => return Ok(Some(error.to_string())),
            Err(error) => return Err(error.into()),
        },
    };
    Ok((!done).then(|| "the pattern has no place for that".to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wishes() {
        for (line, wish) in [
            ("", Wish::Draw),
            (":q", Wish::End),
            ("3", Wish::Take(3)),
            (" 12 ", Wish::Take(12)),
            ("=3", Wish::Write("3")),
            ("==", Wish::Write("=")),
            (" fox", Wish::Write(" fox")),
            ("3 foxes", Wish::Write("3 foxes")),
        ] {
            assert_eq!(Wish::new(line), wish, "{line:?}");
        }
    }
}
