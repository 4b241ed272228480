//! The demo's page: one self-contained HTML file.

use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::Write;

/// Everything that the page shows, in reading order.
#[derive(Debug, Default)]
pub(crate) struct Page {
    body: String,
}

impl Page {
    /// Begins a section with a heading and a paragraph.
    pub(crate) fn section(&mut self, heading: &str, text: &str) {
        let _ = writeln!(self.body, "\n<h2>{}</h2>\n<p>{}</p>", escape(heading), escape(text));
    }

    /// A picture with a caption; `pixelated` keeps hard pixel edges when a small picture is shown large.
    pub(crate) fn picture(&mut self, png: &[u8], caption: &str, pixelated: bool) {
        let class = if pixelated { " class=\"pixels\"" } else { "" };
        let _ = writeln!(
            self.body,
            "<figure><img{class} alt=\"{0}\" src=\"data:image/png;base64,{1}\"><figcaption>{0}</figcaption></figure>",
            escape(caption),
            STANDARD.encode(png)
        );
    }

    /// Pictures side by side, each with a caption.
    pub(crate) fn row(&mut self, pictures: &[(Vec<u8>, &str)]) {
        self.body.push_str("<div class=\"row\">\n");
        for (png, caption) in pictures {
            self.picture(png, caption, false);
        }
        self.body.push_str("</div>\n");
    }

    /// A chart, as an SVG element.
    pub(crate) fn chart(&mut self, svg: &str) {
        let _ = writeln!(self.body, "<figure class=\"chart\">{svg}</figure>");
    }

    /// A passage of text as it was written, under a small heading.
    pub(crate) fn passage(&mut self, heading: &str, text: &str) {
        let _ = write!(
            self.body,
            "<h3>{}</h3>\n<blockquote>{}</blockquote>\n",
            escape(heading),
            escape(text.trim())
        );
    }

    /// What to type to go on from here.
    pub(crate) fn command(&mut self, lead: &str, command: &str) {
        let _ = writeln!(self.body, "<p>{}</p>\n<pre>{}</pre>", escape(lead), escape(command));
    }

    /// The whole file.
    pub(crate) fn html(&self, title: &str, lead: &str) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{0}</title>\n<style>{STYLE}</style>\n<body>\n<h1>{0}</h1>\n<p>{1}</p>\n{2}</body>\n</html>\n",
            escape(title),
            escape(lead),
            self.body
        )
    }
}

const STYLE: &str = "
:root { color-scheme: light dark; }
body { max-width: 56rem; margin: 2rem auto 4rem; padding: 0 1rem; font: 17px/1.55 Georgia, serif; }
h1, h2, h3, figcaption, pre { font-family: system-ui, sans-serif; }
h2 { margin-top: 3rem; } h3 { margin-bottom: .3rem; font-size: 1rem; }
figure { margin: 1rem 0; } figcaption { font-size: .85rem; opacity: .75; }
img { max-width: 100%; border-radius: 4px; } img.pixels { width: 100%; image-rendering: pixelated; }
.row { display: flex; gap: 1rem; flex-wrap: wrap; } .row figure { flex: 1 1 14rem; margin: 0; }
blockquote { white-space: pre-wrap; margin: 0 0 1rem; padding: .8rem 1.2rem; border-left: 3px solid #8888; background: #8881; }
pre { padding: .7rem 1rem; background: #8882; border-radius: 4px; overflow-x: auto; font: 14px/1.4 ui-monospace, monospace; }
svg { max-width: 100%; height: auto; }
";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_writes_cannot_become_markup() {
        let mut page = Page::default();
        page.passage("<b>", "\"<script>alert(1)</script>\" & so on");
        let html = page.html("t", "l");
        assert!(!html.contains("<script>") && !html.contains("<b>"));
        assert!(html.contains("&quot;&lt;script&gt;alert(1)&lt;/script&gt;&quot; &amp; so on"));
    }
}
