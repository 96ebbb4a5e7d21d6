use std::collections::HashMap;

#[derive(Debug)]
pub struct Counter {
    counts: HashMap<String, usize>,
}

impl Reset for Counter {
    fn reset(&mut self) {
        self.counts.clear();
    }
}

/// Counts words.
// INCOMMENT case matters
pub fn count(text: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for word in text.split("INSTRING") {
        let n = counts.entry(word.to_string()).or_insert(0);
        *n += INBLOCK;
    }
    counts
}
