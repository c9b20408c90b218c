//! Words and lists: the S-expressions of SMT-LIB, one command at a time, each with its line.
use super::VnnlibError;

/// Deepest nesting of lists: what reads them calls itself.
const MOST_DEPTH: usize = 128;

/// A word or a list, and the line that it starts on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expression<'a> {
    pub(super) line: usize,
    pub(super) form: Form<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form<'a> {
    Word(&'a str),
    List(Vec<Expression<'a>>),
}

impl<'a> Expression<'a> {
    /// The word, if it is one.
    pub(super) fn word(&self) -> Option<&'a str> {
        match self.form {
            Form::Word(word) => Some(word),
            Form::List(_) => None,
        }
    }

    /// A few words for a message.
    pub(super) fn describe(&self) -> String {
        match &self.form {
            Form::Word(word) => format!("`{}`", word.chars().take(40).collect::<String>()),
            Form::List(items) => match items.first().and_then(Expression::word) {
                Some(head) => format!("a list `({} …)`", head.chars().take(40).collect::<String>()),
                None => "a list".into(),
            },
        }
    }
}

/// Cuts a text into commands.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The next list at the top level; `None` at the end of the text.
    pub(super) fn next_command(&mut self) -> Result<Option<Expression<'a>>, VnnlibError> {
        // Lists that are still open, with the lines they start on.
        let mut open: Vec<(usize, Vec<Expression<'a>>)> = Vec::new();
        loop {
            self.skip();
            let line = self.line;
            let fault = |fault: &str| Err(VnnlibError::Syntax { line, fault: fault.into() });
            let Some(byte) = self.byte() else {
                return match open.last() {
                    None => Ok(None),
                    Some((start, _)) => {
                        let fault = "the text ends inside this list: `)` is missing".into();
                        Err(VnnlibError::Syntax { line: *start, fault })
                    }
                };
            };
            let done = match byte {
                b'(' => {
                    self.at += 1;
                    if open.len() == MOST_DEPTH {
                        return fault(&format!("lists nested more than {MOST_DEPTH} deep"));
                    }
                    open.push((line, Vec::new()));
                    continue;
                }
                b')' => {
                    self.at += 1;
                    let Some((line, items)) = open.pop() else {
                        return fault("a `)` without its `(`");
                    };
                    Expression { line, form: Form::List(items) }
                }
                _ => Expression { line, form: Form::Word(self.word()?) },
            };
            match (open.last_mut(), &done.form) {
                (Some((_, items)), _) => items.push(done),
                (None, Form::List(_)) => return Ok(Some(done)),
                (None, Form::Word(_)) => {
                    return fault(&format!(
                        "expected a command in parentheses, got {}",
                        done.describe()
                    ));
                }
            }
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Moves past white space and comments.
    fn skip(&mut self) {
        while let Some(byte) = self.byte() {
            match byte {
                b'\n' => self.line += 1,
                b';' => {
                    while self.byte().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                    continue;
                }
                _ if byte.is_ascii_whitespace() => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    /// A word up to white space, a parenthesis or a comment; a quoted one up to its closing quote.
    fn word(&mut self) -> Result<&'a str, VnnlibError> {
        let (start, line) = (self.at, self.line);
        if let Some(quote @ (b'"' | b'|')) = self.byte() {
            self.at += 1;
            while let Some(byte) = self.byte() {
                self.at += 1;
                self.line += usize::from(byte == b'\n');
                if byte == quote {
                    return Ok(&self.text[start..self.at]);
                }
            }
            let fault = "the text ends inside this quotation".into();
            return Err(VnnlibError::Syntax { line, fault });
        }
        while let Some(byte) = self.byte()
            && !byte.is_ascii_whitespace()
            && !b"();".contains(&byte)
        {
            self.at += 1;
        }
        Ok(&self.text[start..self.at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Result<Vec<usize>, VnnlibError> {
        let mut reader = Reader::new(text);
        let mut lines = Vec::new();
        while let Some(command) = reader.next_command()? {
            lines.push(command.line);
        }
        Ok(lines)
    }

    #[test]
    fn commands_have_lines_and_comments_are_skipped() {
        assert_eq!(lines("; (a\n(b c) ; d)\n\n(e\n(f |g\n)|))(h)").unwrap(), [2, 4, 6]);
        assert_eq!(lines(" \n; only a comment").unwrap(), [0; 0]);
    }

    #[test]
    fn unbalanced_and_bottomless_lists_are_refused_with_their_line() {
        let told = |text: &str| lines(text).unwrap_err().to_string();
        assert!(told("(a)\n(b\n(c)\n").starts_with("line 2: the text ends inside this list"));
        assert!(told("(a))\n").starts_with("line 1: a `)` without"));
        assert!(
            told("(a)\nword").contains("line 2: expected a command in parentheses, got `word`")
        );
        assert!(told("(a \"b)\n").contains("inside this quotation"));
        assert!(told(&"(".repeat(1_000_000)).contains("nested more than 128"));
    }
}
