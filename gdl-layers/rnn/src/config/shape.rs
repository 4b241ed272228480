use candle_core::{Result, bail};

/// What both kinds of layer have in common, and what the code they share needs to know.
#[derive(Debug, Clone)]
pub(crate) struct StackShape {
    pub(crate) layer: &'static str,
    pub(crate) gates: usize,
    pub(crate) input_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) num_layers: usize,
    pub(crate) directions: usize,
    pub(crate) dropout: f64,
    pub(crate) locked: bool,
    pub(crate) weight_drop: f64,
    pub(crate) bias: bool,
    /// 0 for none.
    pub(crate) proj_size: usize,
    pub(crate) norms: bool,
    /// Of h and of c.
    pub(crate) zoneout: [f64; 2],
}

impl StackShape {
    /// Features of an output of one direction.
    pub(crate) fn outputs(&self) -> usize {
        if self.proj_size > 0 { self.proj_size } else { self.hidden_size }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let Self { layer, input_size, hidden_size, num_layers, proj_size, .. } = self;
        if *input_size == 0 || *hidden_size == 0 || *num_layers == 0 {
            bail!(
                "{layer}: input_size, hidden_size and num_layers must be at least 1, got {input_size}, \
                 {hidden_size} and {num_layers}"
            )
        }
        if *proj_size >= *hidden_size {
            bail!("{layer}: proj_size must be below hidden_size = {hidden_size}, got {proj_size}")
        }
        for (name, probability) in [
            ("dropout", self.dropout),
            ("weight_drop", self.weight_drop),
            ("zoneout_h", self.zoneout[0]),
            ("zoneout_c", self.zoneout[1]),
        ] {
            if !(0. ..1.).contains(&probability) {
                bail!("{layer}: {name} must be in [0, 1), got {probability}")
            }
        }
        Ok(())
    }
}
