use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How tokens are drawn; the order in which all this acts is that of the [module](super).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplingConfig {
    /// What the logits are divided by: below 1 the likely becomes likelier; 0 always takes the likeliest. Default 0.8.
    pub temperature: f64,
    /// Draw among the so many likeliest tokens only; of equals, the lower id is taken. Default: among all.
    pub top_k: Option<usize>,
    /// Draw among the fewest tokens that have this probability together, the likeliest first; in (0, 1]
    /// (Holtzman et al. 2020). Default: among all.
    pub top_p: Option<f64>,
    /// Draw among the tokens with at least this share of the likeliest one's probability; in [0, 1]
    /// (Nguyen et al. 2024). Default: among all.
    pub min_p: Option<f64>,
    /// Draw among the tokens whose surprise is nearest to the expected one, so many that they have this probability
    /// together; in (0, 1] (Meister et al. 2022). Default: among all.
    pub typical: Option<f64>,
    /// Scores of tokens that stand in the text already are divided by this where positive and multiplied where negative;
    /// above 0, and above 1 against repetition (Keskar et al. 2019). Default 1.
    pub repetition_penalty: f64,
    /// Taken from a token's score for every time that it stands in the text already (OpenAI). Default 0.
    pub frequency_penalty: f64,
    /// Taken from a token's score if it stands in the text already (OpenAI). Default 0.
    pub presence_penalty: f64,
    /// How many of the last tokens the three penalties look at; the prompt's count too. Default: all.
    pub penalty_window: Option<usize>,
    /// No sequence of so many tokens comes twice. Default: all may.
    pub no_repeat_ngram: Option<usize>,
    /// A penalty that grows with the length of what is being repeated. Default none.
    pub dry: Option<DryConfig>,
    /// What is added to the scores of tokens, by their text: what the vocabulary has them under. Default nothing.
    pub logit_bias: BTreeMap<String, f64>,
    /// Tokens that are never drawn, by their text. Default none.
    pub ban: Vec<String>,
    /// Whether the unknown token is never drawn. Default true.
    pub ban_unknown: bool,
    /// Tokens that a text has at least, before the one that ends it may come; for vocabularies that have such a token. Default 0.
    pub min_length: usize,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        Self::new(0.8)
    }
}

impl SamplingConfig {
    /// Drawing at that temperature, among all tokens but the unknown one.
    pub fn new(temperature: f64) -> Self {
        Self {
            temperature,
            top_k: None,
            top_p: None,
            min_p: None,
            typical: None,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            penalty_window: None,
            no_repeat_ngram: None,
            dry: None,
            logit_bias: BTreeMap::new(),
            ban: Vec::new(),
            ban_unknown: true,
            min_length: 0,
        }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`Error::Setting`] with the setting's name, what it must be and what it is.
    pub fn check(&self) -> Result<()> {
        let range = |key, value: f64, fits: bool, must: &str| match fits && value.is_finite() {
            true => Ok(()),
            false => Err(Error::setting(key, format!("must {must}, got {value}"))),
        };
        let t = self.temperature;
        range("temperature", t, t >= 0.0, "be 0 (always the likeliest token) or above")?;
        for (key, value) in [("top-p", self.top_p), ("typical", self.typical)] {
            let value = value.unwrap_or(1.0);
            range(key, value, value > 0.0 && value <= 1.0, "lie in (0, 1]")?;
        }
        let min_p = self.min_p.unwrap_or(0.0);
        range("min-p", min_p, (0.0..=1.0).contains(&min_p), "lie in [0, 1]")?;
        let repetition = self.repetition_penalty;
        range("repetition penalty", repetition, repetition > 0.0, "be above 0")?;
        range("frequency penalty", self.frequency_penalty, true, "be a number")?;
        range("presence penalty", self.presence_penalty, true, "be a number")?;
        for (key, value) in [
            ("top-k", self.top_k),
            ("penalty window", self.penalty_window),
            ("no-repeat n-gram", self.no_repeat_ngram),
        ] {
            if value == Some(0) {
                return Err(Error::setting(key, "must be at least 1, got 0"));
            }
        }
        for &bias in self.logit_bias.values() {
            range("logit bias", bias, true, "be a number")?;
        }
        self.dry.as_ref().map_or(Ok(()), DryConfig::check)
    }
}

/// DRY ("don't repeat yourself"): where the last n tokens have stood in the text before, the token that came next there
/// loses `multiplier` * `base`^(n - `allowed_length`) of its score, if n is at least `allowed_length`.
///
/// # Source
/// p-e-w, <https://github.com/oobabooga/text-generation-webui/pull/5677>; the defaults are those.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DryConfig {
    /// The penalty of a repetition just long enough. Default 0.8.
    pub multiplier: f64,
    /// How much larger it is for each token more. Default 1.75.
    pub base: f64,
    /// The longest repetition that costs nothing is one token shorter than this. Default 2.
    pub allowed_length: usize,
    /// How many of the last tokens are looked at. Default: all.
    pub window: Option<usize>,
    /// Tokens with one of these in their text end what counts as one sequence. Default: line end, `:`, `"`, `*`.
    pub breakers: Vec<String>,
}

impl Default for DryConfig {
    fn default() -> Self {
        let breakers = ["\n", ":", "\"", "*"].map(String::from).to_vec();
        Self { multiplier: 0.8, base: 1.75, allowed_length: 2, window: None, breakers }
    }
}

impl DryConfig {
    fn check(&self) -> Result<()> {
        if !(self.multiplier >= 0.0 && self.multiplier.is_finite()) {
            return Err(Error::setting(
                "DRY multiplier",
                format!("must be 0 or above, got {}", self.multiplier),
            ));
        }
        if !(self.base >= 1.0 && self.base.is_finite()) {
            return Err(Error::setting("DRY base", format!("must be 1 or above, got {}", self.base)));
        }
        if self.allowed_length == 0 || self.window == Some(0) {
            let key = if self.allowed_length == 0 { "DRY allowed length" } else { "DRY window" };
            return Err(Error::setting(key, "must be at least 1, got 0"));
        }
        if self.breakers.iter().any(String::is_empty) {
            return Err(Error::setting("DRY breakers", "must not be empty texts"));
        }
        Ok(())
    }
}
