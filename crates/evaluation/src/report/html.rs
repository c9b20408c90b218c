//! One self-contained HTML page: no script, no font, no file outside it.
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    Drawing, Result, Table,
    data_uri::{css_width, data_uri},
};

/// How a verdict or a finding is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Holds up.
    Good,
    /// Worth knowing.
    Note,
    /// A number may mislead.
    Warning,
    /// Broken, or not to be trusted.
    Bad,
}

impl Severity {
    /// Word and style class: colour is never the only sign.
    fn sign(self) -> (&'static str, &'static str) {
        match self {
            Severity::Good => ("Good", "good"),
            Severity::Note => ("Note", "note"),
            Severity::Warning => ("Warning", "warning"),
            Severity::Bad => ("Problem", "bad"),
        }
    }
}

/// Something a reader must know to judge the numbers.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How it is to be taken.
    pub severity: Severity,
    /// One or two sentences.
    pub text: String,
}

/// A report under construction: sections appear in the order in which they are added.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    head: Markup,
    sections: Vec<Markup>,
}

impl Page {
    /// A page that opens with a title, one sentence with the outcome and one line on what was
    /// measured.
    #[must_use]
    pub fn new(title: &str, (severity, verdict): (Severity, &str), scope: &str) -> Self {
        let (word, class) = severity.sign();
        let head = html! {
            h1 { (title) }
            p.verdict.(class) { strong { (word) ". " } (verdict) }
            p.scope { (scope) }
        };
        Self { title: title.to_owned(), head, sections: Vec::new() }
    }

    /// Adds a heading and paragraphs.
    #[must_use]
    pub fn text(mut self, heading: &str, paragraphs: &[&str]) -> Self {
        self.sections.push(html! {
            section { h2 { (heading) } @for text in paragraphs { p { (text) } } }
        });
        self
    }

    /// Adds a table; on a narrow screen it scrolls sideways under its fixed first column.
    ///
    /// # Errors
    /// [`crate::report::Error::Length`] for a row with more or fewer cells than columns.
    pub fn table(mut self, heading: &str, table: &Table) -> Result<Self> {
        let rows = table.render()?;
        self.sections
            .push(html! { section { h2 { (heading) } div.scroll tabindex="0" { (rows) } } });
        Ok(self)
    }

    /// Adds a drawing as inline SVG, which follows the page's light or dark colours.
    ///
    /// # Errors
    /// [`crate::report::Error::Backend`] if the drawing cannot be painted.
    pub fn figure(mut self, drawing: &Drawing, caption: &str) -> Result<Self> {
        let svg = PreEscaped(drawing.svg()?);
        self.sections.push(figure(&html! { div.scroll tabindex="0" { (svg) } }, caption));
        Ok(self)
    }

    /// Adds a PNG of two pixels for each CSS pixel as a data URI; `alternative` says what it shows to readers who do not see it.
    #[must_use]
    pub fn picture(mut self, png: &[u8], alternative: &str, caption: &str) -> Self {
        let source = data_uri("image/png", png);
        let width = css_width(png);
        let picture = html! {
            div.scroll tabindex="0" { img src=(source) alt=(alternative) width=[width]; }
        };
        self.sections.push(figure(&picture, caption));
        self
    }

    /// Adds warnings and other findings, in the order given.
    #[must_use]
    pub fn findings(mut self, heading: &str, findings: &[Finding]) -> Self {
        self.sections.push(html! {
            section {
                h2 { (heading) }
                ul.findings {
                    @for finding in findings {
                        @let (word, class) = finding.severity.sign();
                        li.(class) { strong { (word) ". " } (finding.text) }
                    }
                }
            }
        });
        self
    }

    /// Adds what is needed to repeat the report: names with their values, and the exact command.
    #[must_use]
    pub fn repeat(mut self, values: &[(&str, &str)], command: &str) -> Self {
        self.sections.push(html! {
            section {
                h2 { "How to repeat this" }
                pre { code { (command) } }
                dl { @for (name, value) in values { dt { (name) } dd { (value) } } }
            }
        });
        self
    }

    /// The finished page.
    #[must_use]
    pub fn render(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main {
                        header { (self.head) }
                        @for section in &self.sections { (section) }
                    }
                }
            }
        };
        page.into_string()
    }
}

fn figure(picture: &Markup, caption: &str) -> Markup {
    html! { figure { (picture) figcaption { (caption) } } }
}

/// Nothing may be loaded: a page that tries is visibly broken instead of quietly phoning home.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Cell;

    fn page() -> Page {
        Page::new("Title", (Severity::Bad, "It breaks."), "1000 samples")
    }

    #[test]
    fn everything_a_user_names_is_escaped() {
        let evil = "<script>alert('x')</script>\"";
        let table = Table {
            caption: evil.into(),
            columns: vec![evil.into()],
            rows: vec![vec![Cell { text: evil.into(), interval: Some(evil.into()), bar: None }]],
        };
        let finding = Finding { severity: Severity::Warning, text: evil.into() };
        let text = Page::new(evil, (Severity::Good, evil), evil)
            .text(evil, &[evil])
            .table(evil, &table)
            .unwrap()
            .picture(&[1], evil, evil)
            .figure(&Drawing::new(1.0, 1.0, evil), evil)
            .unwrap()
            .findings(evil, &[finding])
            .repeat(&[(evil, evil)], evil)
            .render();
        assert!(!text.contains("<script"));
        assert!(text.contains("&lt;script&gt;"));
        assert!(!text.contains("x')</script>\""));
    }

    #[test]
    fn a_page_names_no_resource_outside_itself() {
        let text = page().picture(&[0; 10], "a", "b").render();
        let outside = text.replace("http://www.w3.org/2000/svg", "");
        for needle in ["http:", "https:", "url(", "@import", "<link", "<script"] {
            assert!(!outside.contains(needle), "{needle}");
        }
    }

    #[test]
    fn a_picture_is_shown_at_two_pixels_for_each_css_pixel() {
        let png = Drawing::new(30.0, 20.0, "a").png().unwrap();
        assert!(page().picture(&png, "a", "b").render().contains("width=\"30\""));
    }
}
