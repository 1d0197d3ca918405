//! What a document says, without its layout.

use std::fmt::Write;

use super::{Id, Style, Value, Yaml};

impl Yaml {
    /// The document as text without its layout, to tell whether two say the same. `hidden` picks entries to leave out, by the
    /// keys that lead to them. An empty document says the same as an empty mapping.
    #[must_use]
    pub fn outline(&self, hidden: &dyn Fn(&Self, &[&str], Id) -> bool) -> String {
        let mut text = String::new();
        match self.root.filter(|&root| !self.is_null(root)) {
            Some(root) => self.write_outline(root, &mut Vec::new(), hidden, &mut text),
            None => text.push_str("0: {}"),
        }
        text
    }

    fn write_outline<'a>(
        &'a self,
        id: Id,
        path: &mut Vec<&'a str>,
        hidden: &dyn Fn(&Self, &[&str], Id) -> bool,
        text: &mut String,
    ) {
        let node = self.node(id);
        // A text's length says where it ends, whatever is in it. Writing to a string cannot fail.
        let tag = node.tag.as_deref().unwrap_or_default();
        let _ = write!(text, "{}:{tag} ", tag.len());
        match &node.value {
            Value::Text { text: scalar, style } => {
                let _ = write!(text, "{}:{scalar}{} ", scalar.len(), *style == Style::Plain);
            }
            Value::Alias(anchor) => {
                let _ = write!(text, "*{anchor} ");
            }
            Value::List(items) => {
                text.push('[');
                path.push("[]");
                items.iter().for_each(|&item| self.write_outline(item, path, hidden, text));
                path.pop();
                text.push(']');
            }
            Value::Map(entries) => {
                text.push('{');
                for &(key, value) in entries {
                    path.push(self.text(key).unwrap_or_default());
                    if !hidden(self, path, value) {
                        self.write_outline(key, &mut Vec::new(), hidden, text);
                        self.write_outline(value, path, hidden, text);
                    }
                    path.pop();
                }
                text.push('}');
            }
        }
    }
}
