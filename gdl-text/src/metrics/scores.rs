use super::pairs::check;
use super::{Bleu, Rouge, bleu, chrf, exact_match, rouge, token_accuracy};
use crate::Result;
use serde::{Deserialize, Serialize};

/// The scores of an evaluation.
///
/// # Example
/// ```
/// use gdl_text::metrics::Scores;
///
/// let (texts, references) = (["to be or not to be"], ["to be or not to bee"]);
/// let words = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<_>>();
/// let scores = Scores::of(&texts, &references, &texts.map(words), &references.map(words))?;
/// assert_eq!((scores.exact_match, scores.token_accuracy), (0.0, 6.0 / 7.0));
/// for (name, value) in scores.values() {
///     println!("{name} {value:.2}");
/// }
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Share of the texts that are their references, 0 to 1: [`exact_match`].
    pub exact_match: f64,
    /// Share of the tokens in their place, 0 to 1: [`token_accuracy`].
    pub token_accuracy: f64,
    /// [`bleu`], with its default tokens.
    pub bleu: Bleu,
    /// [`chrf`], 0 to 100.
    pub chrf: f64,
    /// [`rouge`], with its default tokens.
    pub rouge: Rouge,
}

impl Scores {
    /// Scores texts against one reference each; `hypothesis_tokens` and `reference_tokens` are the same in
    /// the tokens of a model.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for lists that are empty or not all of the same length.
    pub fn of<H: AsRef<str>, R: AsRef<str>, T: PartialEq>(
        hypotheses: &[H],
        references: &[R],
        hypothesis_tokens: &[Vec<T>],
        reference_tokens: &[Vec<T>],
    ) -> Result<Self> {
        // The functions check their own lists; that there are as many rows as texts concerns none of them.
        check(hypotheses.len(), reference_tokens.len())?;
        Ok(Self {
            exact_match: exact_match(hypotheses, references)?,
            token_accuracy: token_accuracy(hypothesis_tokens, reference_tokens)?,
            bleu: bleu(hypotheses, references)?,
            chrf: chrf(hypotheses, references)?,
            rouge: rouge(hypotheses, references)?,
        })
    }

    /// The figures under the names they have in a metrics log.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
        let &Self { exact_match, token_accuracy, bleu, chrf, rouge } = self;
        [
            ("exact_match", exact_match),
            ("token_accuracy", token_accuracy),
            ("bleu", bleu.score),
            ("chrf", chrf),
            ("rouge1", rouge.rouge1),
            ("rouge2", rouge.rouge2),
            ("rouge_l", rouge.rouge_l),
        ]
        .into_iter()
    }
}
