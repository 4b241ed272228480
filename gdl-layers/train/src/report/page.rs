use crate::markup::escape;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::Write as _;

/// One HTML file with everything in it: texts, tables, pictures, charts. It needs no network and no script, is light or dark
/// as the reader's system is, and fits a telephone.
///
/// Whatever it is given is shown as text, never taken for markup; the SVG of a [`chart`](Self::charts) alone is taken as it is.
///
/// # Example
/// ```
/// use gdl_train::report::Page;
///
/// let mut page = Page::default();
/// page.section("Writing", "What it wrote:");
/// page.passage("temperature 0.5", "The fox & the <stork>");
/// assert!(page.html("A page", "by gdl").contains("The fox &amp; the &lt;stork&gt;"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Page {
    body: String,
    reload: Option<u32>,
}

impl Page {
    /// Has the browser read the file again every so many seconds.
    pub fn reload_every(&mut self, seconds: u32) {
        self.reload = Some(seconds);
    }

    /// Begins a section with a heading and a paragraph, which may be empty.
    pub fn section(&mut self, heading: &str, text: &str) {
        self.put(format_args!("\n<h2>{}</h2>\n", escape(heading)));
        if !text.is_empty() {
            self.put(format_args!("<p>{}</p>\n", escape(text)));
        }
    }

    /// A bar that shows how much is done.
    pub fn progress(&mut self, done: u64, total: u64) {
        self.put(format_args!("<progress max=\"{}\" value=\"{done}\"></progress>\n", total.max(1)));
    }

    /// A table of two columns: names and values.
    pub fn table(&mut self, rows: &[(String, String)]) {
        self.body.push_str("<table>\n");
        for (name, value) in rows {
            self.put(format_args!("<tr><th>{}</th><td>{}</td></tr>\n", escape(name), escape(value)));
        }
        self.body.push_str("</table>\n");
    }

    /// A [`table`](Self::table) that is folded up under its heading.
    pub fn folded_table(&mut self, heading: &str, rows: &[(String, String)]) {
        self.put(format_args!("<details>\n<summary>{}</summary>\n", escape(heading)));
        self.table(rows);
        self.body.push_str("</details>\n");
    }

    /// A picture (the bytes of a PNG or JPEG file) with a caption; `pixelated` keeps hard pixel edges when a small picture is
    /// shown large.
    pub fn picture(&mut self, file: &[u8], caption: &str, pixelated: bool) {
        let caption = escape(caption);
        self.body.push_str("<figure>");
        self.image(file, &caption, pixelated);
        self.put(format_args!("<figcaption>{caption}</figcaption></figure>\n"));
    }

    /// Pictures side by side, each with a caption.
    pub fn row(&mut self, pictures: &[(Vec<u8>, &str)]) {
        self.body.push_str("<div class=\"row\">\n");
        for (file, caption) in pictures {
            self.picture(file, caption, false);
        }
        self.body.push_str("</div>\n");
    }

    /// A picture that is a grid of equally wide columns, their names above them. On a narrow screen it is wider than the page,
    /// and can be shifted.
    pub fn sheet(&mut self, file: &[u8], columns: &[&str], caption: &str, pixelated: bool) {
        let n = columns.len().max(1);
        self.put(format_args!(
            "<figure class=\"scroll\"><div class=\"sheet\" style=\"--columns:{n}\">\n<div class=\"columns\">"
        ));
        for name in columns {
            self.put(format_args!("<span>{}</span>", escape(name)));
        }
        self.body.push_str("</div>\n");
        self.image(file, &escape(caption), pixelated);
        self.body.push_str("</div></figure>\n");
    }

    fn image(&mut self, file: &[u8], escaped: &str, pixelated: bool) {
        let class = if pixelated { " class=\"pixels\"" } else { "" };
        let kind = if file.starts_with(&[0xff, 0xd8]) { "jpeg" } else { "png" };
        let data = STANDARD.encode(file);
        self.put(format_args!("<img{class} alt=\"{escaped}\" src=\"data:image/{kind};base64,{data}\">"));
    }

    /// A chart, as an SVG element that is put into the page as it is; see [`line_chart_svg`](crate::plot::line_chart_svg).
    pub fn chart(&mut self, svg: &str) {
        self.put(format_args!("<figure>{svg}</figure>\n"));
    }

    /// Charts side by side, as many as there is room for.
    pub fn charts(&mut self, svgs: &[String]) {
        self.body.push_str("<div class=\"charts\">\n");
        for svg in svgs {
            self.chart(svg);
        }
        self.body.push_str("</div>\n");
    }

    /// A passage of text as it was written, under a small heading.
    pub fn passage(&mut self, heading: &str, text: &str) {
        self.heading(heading);
        self.put(format_args!("<blockquote>{}</blockquote>\n", escape(text.trim())));
    }

    /// A small heading.
    pub fn heading(&mut self, heading: &str) {
        self.put(format_args!("<h3>{}</h3>\n", escape(heading)));
    }

    /// What to type to go on from here.
    pub fn command(&mut self, lead: &str, command: &str) {
        self.put(format_args!("<p>{}</p>\n<pre>{}</pre>\n", escape(lead), escape(command)));
    }

    /// The whole file: what has been added, under a title and a paragraph.
    pub fn html(&self, title: &str, lead: &str) -> String {
        let reload = self.reload.map(|s| format!("<meta http-equiv=\"refresh\" content=\"{s}\">\n"));
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{3}\
             <title>{0}</title>\n<style>\n{STYLE}</style>\n<body>\n<h1>{0}</h1>\n<p>{1}</p>\n{2}</body>\n</html>\n",
            escape(title),
            escape(lead),
            self.body,
            reload.unwrap_or_default()
        )
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.body.write_fmt(text);
    }
}

const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup() {
        let evil = "\"><script>alert('1')</script> & so on";
        let mut page = Page::default();
        page.section(evil, evil);
        page.table(&[(evil.into(), evil.into())]);
        page.folded_table(evil, &[]);
        page.picture(b"\x89PNG", evil, true);
        page.sheet(b"\xff\xd8\xff", &[evil], evil, false);
        page.passage(evil, evil);
        page.command(evil, evil);
        let html = page.html(evil, evil);
        assert!(!html.contains("<script") && !html.contains("alert('"), "{html}");
        let escaped = "&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; so on";
        assert_eq!(html.matches(escaped).count(), 16);
        assert!(html.contains("src=\"data:image/png;base64,iVBORw==\""));
        assert!(html.contains("src=\"data:image/jpeg;base64,/9j/\""));
    }

    #[test]
    fn it_asks_nobody_for_anything() {
        let mut page = Page::default();
        page.charts(&[crate::plot::line_chart_svg("t", &[], &crate::plot::PlotOptions::default())]);
        let html = page.html("t", "l").replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for outside in ["http", "url(", "@import", "<link", "<script"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
