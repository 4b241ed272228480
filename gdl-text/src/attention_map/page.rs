use super::{AttentionMap, visible};
use gdl_train::markup::escape;
use std::fmt::Write as _;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// One HTML file with everything in it that shows maps to someone with a mouse, a keyboard or a touch screen.
///
/// Pointing at a target word shades the source words by their weights, pointing at a source word the target words that looked
/// at it; below, each matrix stands as a table. The file asks no network for anything. Without script the words and the tables
/// remain, with whole percentages. Tokens and title are shown as text, never taken for markup.
///
/// # Example
/// ```
/// use gdl_text::attention_map::{AttentionMap, page};
///
/// let map = AttentionMap::new(vec!["<b>".into()], vec!["&".into()], vec![vec![0.834]], None)?;
/// let html = page(&[map], "Attention");
/// assert!(html.contains("&lt;b&gt;") && html.contains("<td class=\"top\" style=\"--w:0.834\">83</td>"));
/// # Ok::<(), gdl_text::Error>(())
/// ```
pub fn page(maps: &[AttentionMap], title: &str) -> String {
    let title = escape(title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n<body>\n<h1>{title}</h1>\n"
    );
    html.push_str(if maps.is_empty() { "<p>There is nothing to show.</p>\n" } else { LEAD });
    if maps.iter().any(|map| map.copied().is_some()) {
        html.push_str(COPIES);
    }
    for (k, map) in maps.iter().enumerate() {
        put_map(&mut html, k + 1, map);
    }
    put(&mut html, format_args!("<script>\n{SCRIPT}</script>\n</body>\n</html>\n"));
    html
}

const LEAD: &str = "<p>Where the model looked in the source as it wrote each token of the target: the stronger the \
    colour, the more it counted. In the tables the numbers are percentages, and a frame marks the strongest of each \
    row.<span class=\"scripted\"> Point at a word or a cell, or tap it; on the keyboard, Tab goes to a line, \
    <kbd>←</kbd> <kbd>→</kbd> along it, and <kbd>↑</kbd> <kbd>↓</kbd> to the strongest partner.</span></p>\n";

const COPIES: &str = "<p>Words <span class=\"copied\">underlined with dots</span> were more likely copied from the source \
    than generated.</p>\n";

fn put_map(html: &mut String, number: usize, map: &AttentionMap) {
    let class = if map.is_of_characters() { "map chars" } else { "map" };
    put(
        html,
        format_args!(
            "<section class=\"{class}\">\n<h2>Sentence {number}</h2>\n<div class=\"lines\">\
             <svg aria-hidden=\"true\"><path></path></svg>\n"
        ),
    );
    put_line(html, "source", map.source(), |_| false);
    put_line(html, "target", map.target(), |i| map.was_copied(i));
    html.push_str("</div>\n<output></output>\n");
    put_matrix(html, number, map);
    html.push_str("</section>\n");
}

fn put_line(html: &mut String, name: &str, tokens: &[String], copied: impl Fn(usize) -> bool) {
    put(
        html,
        format_args!("<div class=\"line {name}\" role=\"group\" aria-label=\"{name}\"><p dir=\"auto\">"),
    );
    for (i, token) in tokens.iter().enumerate() {
        let class = if copied(i) { " class=\"copied\"" } else { "" };
        put(html, format_args!("<button type=\"button\"{class}>{}</button>\n", escape(&visible(token))));
    }
    html.push_str("</p></div>\n");
}

fn put_matrix(html: &mut String, number: usize, map: &AttentionMap) {
    put(
        html,
        format_args!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Matrix of sentence {number}\"><table>\n\
             <thead><tr><td></td>"
        ),
    );
    for token in map.source() {
        put_name(html, "col", token);
    }
    if map.copied().is_some() {
        put_name(html, "col", "copied");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for (i, (token, row)) in map.target().iter().zip(map.weights()).enumerate() {
        html.push_str("<tr>");
        put_name(html, "row", token);
        let strongest = map.strongest(i);
        for (j, &weight) in row.iter().enumerate() {
            put_cell(html, weight, if strongest == Some(j) { "top" } else { "" });
        }
        if let Some(&p) = map.copied().and_then(|copied| copied.get(i)) {
            put_cell(html, p, "copy");
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
}

/// A name at the head of a column or a row; the style sheet sets those of columns upright where they are `long`.
fn put_name(html: &mut String, scope: &str, token: &str) {
    let name = visible(token);
    let class = if name.chars().nth(1).is_some() { " class=\"long\"" } else { "" };
    put(html, format_args!("<th scope=\"{scope}\"{class}><span>{}</span></th>", escape(&name)));
}

/// A cell with its weight to three digits, from which the script makes percentages with one.
fn put_cell(html: &mut String, weight: f32, class: &str) {
    let weight = weight.clamp(0.0, 1.0);
    html.push_str("<td");
    if !class.is_empty() {
        put(html, format_args!(" class=\"{class}\""));
    }
    let digits = format!("{weight:.3}");
    if digits != "0.000" {
        put(html, format_args!(" style=\"--w:{digits}\""));
    }
    match (weight * 100.0).round() {
        0.0 => html.push_str("></td>"),
        percent => put(html, format_args!(">{percent}</td>")),
    }
}

fn put(html: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = html.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(source: &[&str], target: &[&str], weights: &[&[f32]], copied: Option<&[f32]>) -> AttentionMap {
        let owned = |tokens: &[&str]| tokens.iter().map(|t| t.to_string()).collect();
        let weights = weights.iter().map(|row| row.to_vec()).collect();
        AttentionMap::new(owned(source), owned(target), weights, copied.map(<[f32]>::to_vec)).unwrap()
    }

    #[test]
    fn nothing_becomes_markup() {
        let evil = "\"></button></script><script>alert('1')</script>&amp;";
        let html = page(&[map(&[evil], &[evil], &[&[1.0]], Some(&[0.9]))], evil);
        // Title and heading, and each token in its line and its table.
        let escaped = "&quot;&gt;&lt;/button&gt;&lt;/script&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;";
        assert_eq!(html.matches(escaped).count(), 6);
        assert_eq!((html.matches("<script").count(), html.matches("</script").count()), (1, 1));
        assert!(!html.contains("alert('"), "{html}");
    }

    #[test]
    fn it_asks_nobody_for_anything() {
        let html = page(&[map(&["a"], &["b"], &[&[1.0]], None)], "t").replace("http-equiv", "");
        for outside in ["http", "url(", "@import", "<link", "src=", "fetch", "import "] {
            assert!(!html.contains(outside), "{outside}");
        }
        // What the script writes is text too.
        for markup in ["innerHTML", "insertAdjacent", "outerHTML", "document.write"] {
            assert!(!html.contains(markup), "{markup}");
        }
    }

    #[test]
    fn the_matrix_can_be_read_without_script() {
        let map =
            map(&["le", "chat"], &["cat", "</s>"], &[&[0.0004, 0.99949], &[0.5, 0.004]], Some(&[0.25, 0.75]));
        let html = page(&[map], "t");
        assert!(html.contains(
            "<tr><th scope=\"row\" class=\"long\"><span>cat</span></th><td></td>\
             <td class=\"top\" style=\"--w:0.999\">100</td><td class=\"copy\" style=\"--w:0.250\">25</td></tr>"
        ));
        assert!(html.contains(
            "<span>&lt;/s&gt;</span></th><td class=\"top\" style=\"--w:0.500\">50</td>\
             <td style=\"--w:0.004\"></td><td class=\"copy\" style=\"--w:0.750\">75</td></tr>"
        ));
        assert!(html.contains(
            "<button type=\"button\">cat</button>\n<button type=\"button\" class=\"copied\">&lt;/s"
        ));
    }

    #[test]
    fn characters_are_marked_and_spaces_visible() {
        let html = page(&[map(&["a", " "], &["é"], &[&[0.5, 0.5]], None)], "t");
        assert!(html.contains("<section class=\"map chars\">"));
        assert!(html.contains("<button type=\"button\">␣</button>") && !html.contains("class=\"long\""));
        assert!(!html.contains("underlined with dots"));
    }

    #[test]
    fn nothing_at_all_is_a_page_too() {
        assert!(page(&[], "t").contains("There is nothing to show."));
        let html = page(&[map(&[], &["x"], &[&[]], None), map(&["x"], &[], &[], Some(&[]))], "");
        assert!(html.contains("<p dir=\"auto\"></p>") && html.contains("Sentence 2"));
    }
}
