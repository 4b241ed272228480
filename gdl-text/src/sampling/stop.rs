/// Finds the first of some texts in what is written, however its tokens cut it, and holds back what may be the beginning of one.
///
/// The text ends before the one that is complete first; of several that end with the same character, the longest counts.
///
/// # Example
/// ```
/// use gdl_text::sampling::Stops;
///
/// let words = ["end.".to_string()];
/// let mut stops = Stops::new(&words);
/// assert_eq!(stops.push("The e"), ("The ".into(), false)); // "e" may be the beginning of "end."
/// assert_eq!(stops.push("el ends. The en"), ("eel ends. The ".into(), false));
/// assert_eq!(stops.push("d. More"), (String::new(), true));
/// ```
#[derive(Debug, Clone)]
pub struct Stops<'a> {
    stops: &'a [String],
    held: String,
}

impl<'a> Stops<'a> {
    /// Ends at one of these texts; an empty one is never found.
    pub fn new(stops: &'a [String]) -> Self {
        Self { stops, held: String::new() }
    }

    /// Takes a piece; gives what can be shown, and whether the text ends there.
    pub fn push(&mut self, piece: &str) -> (String, bool) {
        for c in piece.chars() {
            self.held.push(c);
            let ends = |stop: &&String| !stop.is_empty() && self.held.ends_with(stop.as_str());
            if let Some(stop) = self.stops.iter().filter(ends).map(String::len).max() {
                self.held.truncate(self.held.len() - stop);
                return (std::mem::take(&mut self.held), true);
            }
        }
        let begins = |&at: &usize| self.stops.iter().any(|stop| stop.starts_with(&self.held[at..]));
        let held = self.held.char_indices().map(|(at, _)| at).find(begins).unwrap_or(self.held.len());
        let rest = self.held.split_off(held);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What is still held back, when the text ends otherwise.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}
