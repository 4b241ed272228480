use crate::seq2seq::search::Steps;
use candle_core::{D, Module, Result, Tensor, bail};
use candle_nn::VarBuilder;
use candle_nn::ops::log_softmax;
use gdl_rnn::{Embedding, Gru, GruConfig, GruState, Linear};
use gdl_seq2seq::Step;

/// Writes a question from what the tagger has made of the answer's words.
#[derive(Debug, Clone)]
pub(super) struct BookWriter {
    encoder: Gru,
    decoder: Gru,
    output: Linear,
}

impl BookWriter {
    /// Reads `inputs` features of each of the answer's words.
    pub(super) fn new(
        inputs: usize,
        hidden: usize,
        embedding: usize,
        vocab: usize,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        Ok(Self {
            encoder: Gru::new(&GruConfig::new(inputs, hidden), vb.pp("encoder"))?,
            decoder: Gru::new(&GruConfig::new(embedding, hidden), vb.pp("decoder"))?,
            output: Linear::without_bias(hidden, vocab, vb.pp("output"))?,
        })
    }

    /// The layer that says the words.
    pub(super) fn output(&self) -> &Linear {
        &self.output
    }

    /// The state after the answer's words: outputs (N, S, I) and for each row which words those are.
    pub(super) fn read(&self, outputs: &Tensor, tags: &[Vec<bool>]) -> Result<GruState> {
        let (n, s, inputs) = outputs.dims3()?;
        let places = |row: &Vec<bool>| -> Vec<usize> {
            row.iter().enumerate().filter(|(_, tag)| **tag).map(|(place, _)| place).collect()
        };
        let places: Vec<_> = tags.iter().map(places).collect();
        let lengths: Vec<_> = places.iter().map(Vec::len).collect();
        if let Some(row) = lengths.iter().position(|&len| len == 0) {
            bail!("Network: no word of row {row} is marked as its answer")
        }
        let longest = lengths.iter().max().copied().unwrap_or(0);
        let index = places.iter().enumerate().flat_map(|(row, places)| {
            // What fills the shorter answers is not read.
            let padded = places.iter().copied().chain(std::iter::repeat(0)).take(longest);
            padded.map(move |place| (row * s + place) as u32)
        });
        let index = Tensor::from_iter(index.collect::<Vec<_>>(), outputs.device())?;
        let answers = outputs.reshape((n * s, inputs))?.index_select(&index, 0)?;
        let answers = answers.reshape((n, longest, inputs))?;
        Ok(self.encoder.forward_padded(&answers, &lengths, None, false)?.1)
    }

    /// What the output layer reads (N, T, H) behind each of the words (N, T), whose vectors what is written does not change.
    pub(super) fn write(
        &self,
        table: &Embedding,
        ids: &Tensor,
        state: &GruState,
    ) -> Result<(Tensor, GruState)> {
        self.decoder.forward(&table.forward(ids)?.detach(), Some(state))
    }
}

/// The writer on its way.
pub(super) struct Writing<'a> {
    pub(super) writer: &'a BookWriter,
    pub(super) table: &'a Embedding,
    pub(super) state: GruState,
    pub(super) sources: Vec<usize>,
}

impl Steps for Writing<'_> {
    fn sources(&self) -> &[usize] {
        &self.sources
    }

    fn step(&mut self, rows: &[usize], tokens: &[u32]) -> Result<Step> {
        let device = self.state.h.device().clone();
        let index = Tensor::from_iter(rows.iter().map(|&row| row as u32).collect::<Vec<_>>(), &device)?;
        let state = GruState { h: self.state.h.index_select(&index, 1)? };
        let ids = Tensor::from_slice(tokens, (tokens.len(), 1), &device)?;
        let (output, state) = self.writer.write(self.table, &ids, &state)?;
        self.state = state.detach();
        self.sources = rows.iter().filter_map(|&row| self.sources.get(row).copied()).collect();
        let logits = self.writer.output.forward(&output)?.squeeze(1)?.detach(); // (N, V)
        Ok(Step { log_probs: log_softmax(&logits, D::Minus1)?, attention: None, generate: None })
    }
}
