//! Texts in PNG files, ours and hostile ones.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor};
use gdl_image_io::*;
use std::path::Path;

const KEY: &str = "gdl:recipe";

fn save(path: &Path, text: &[(&str, &str)]) -> Result<()> {
    let picture = Tensor::full(0.25f32, (3, 6, 5), &Device::Cpu).unwrap();
    let text = text.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    save_image_with(&picture, path, &SaveOptions { text, ..SaveOptions::default() })
}

/// A PNG of one pixel with texts as other programs write them.
fn foreign(add: impl FnOnce(&mut png::Encoder<'_, &mut Vec<u8>>)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 1, 1);
    add(&mut encoder);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[7]).unwrap();
    writer.finish().unwrap();
    out
}

#[test]
fn short_long_and_foreign_texts_come_back() {
    let d = tempfile::tempdir().unwrap();
    let path = d.path().join("p.png");
    let short = r#"{"style": "Möwe \u2713 ✓", "seed": 7}"#;
    let long = "0123456789abcdef\n".repeat(20_000);
    save(&path, &[(KEY, short), ("long", &long), ("empty", ""), ("Größe", "x")]).unwrap();
    assert_eq!(png_text(&path, KEY).unwrap().unwrap(), short);
    assert_eq!(png_text(&path, "long").unwrap().unwrap(), long);
    assert_eq!(png_text(&path, "empty").unwrap().unwrap(), "");
    assert_eq!(png_text(&path, "Größe").unwrap().unwrap(), "x");
    assert_eq!(png_text(&path, "Recipe").unwrap(), None);
    assert!(std::fs::metadata(&path).unwrap().len() < 10_000, "340 kB of text are compressed");
    assert_eq!(load_image(&path, &LoadOptions::default()).unwrap().dims(), [3, 6, 5]);

    // What other programs write: plain and compressed Latin-1.
    let png = foreign(|e| {
        e.add_text_chunk("Comment".into(), "café".into()).unwrap();
        e.add_ztxt_chunk("Title".into(), "Größe".into()).unwrap();
    });
    std::fs::write(&path, png).unwrap();
    assert_eq!(png_text(&path, "Comment").unwrap().unwrap(), "café");
    assert_eq!(png_text(&path, "Title").unwrap().unwrap(), "Größe");
}

#[test]
fn other_files_have_no_text() {
    let d = tempfile::tempdir().unwrap();
    for name in ["p.jpg", "p.webp", "p.tif", "p.bmp"] {
        save(&d.path().join(name), &[(KEY, "x")]).unwrap();
        assert_eq!(png_text(d.path().join(name), KEY).unwrap(), None, "{name}");
    }
    std::fs::write(d.path().join("notes.png"), "Once upon a time").unwrap();
    assert!(matches!(png_text(d.path().join("notes.png"), KEY), Err(Error::NotAnImage { .. })));
    assert!(matches!(png_text(d.path().join("none.png"), KEY), Err(Error::NotFound { .. })));
    assert!(matches!(png_text(d.path(), KEY), Err(Error::IsDirectory { .. })));
}

#[test]
fn texts_that_would_not_come_back_are_refused() {
    let d = tempfile::tempdir().unwrap();
    let path = d.path().join("p.png");
    let huge = "x".repeat((8 << 20) + 1);
    let long_key = "k".repeat(80);
    for (key, text) in
        [("", "x"), (" a", "x"), ("a\n", "x"), ("π", "x"), (&*long_key, "x"), ("a", "\0"), ("a", &*huge)]
    {
        match save(&path, &[(key, text)]) {
            Err(e @ Error::Text { .. }) => {
                assert!(e.to_string().contains("p.png") && !e.to_string().contains('\n'))
            }
            other => panic!("{key:?}: {other:?}"),
        }
        assert!(!path.exists());
    }
}

#[test]
fn hostile_texts_are_bounded_and_never_panic() {
    let d = tempfile::tempdir().unwrap();
    let path = d.path().join("p.png");
    // 20 MB of text in a few kilobytes, beside one that is fine.
    let png = foreign(|e| {
        e.add_ztxt_chunk("bomb".into(), "0".repeat(20 << 20)).unwrap();
        e.add_itxt_chunk(KEY.into(), "fine".into()).unwrap();
    });
    assert!(png.len() < 1 << 20);
    std::fs::write(&path, png).unwrap();
    let text = png_text(&path, "bomb").unwrap_err().to_string();
    assert!(text.contains("p.png") && !text.contains('\n'), "{text}");
    assert_eq!(png_text(&path, KEY).unwrap().unwrap(), "fine");

    // Many texts that together are too many.
    let png = foreign(|e| {
        for _ in 0..20 {
            e.add_text_chunk("k".into(), "x".repeat(1 << 20)).unwrap();
        }
    });
    std::fs::write(&path, png).unwrap();
    let text = png_text(&path, "k").unwrap_err().to_string();
    assert!(text.contains("texts are larger") && text.contains("p.png"), "{text}");

    // A chunk that claims to be 2 GB.
    let mut claim = foreign(|e| e.add_itxt_chunk("k".into(), "text".into()).unwrap());
    claim[33..37].copy_from_slice(&0x7fff_ffffu32.to_be_bytes());
    std::fs::write(&path, &claim).unwrap();
    assert!(png_text(&path, "k").is_err());

    // Cut anywhere, and every byte changed: an answer or an error.
    let long = "recipe ".repeat(300);
    save(&path, &[(KEY, "short"), ("long", &long)]).unwrap();
    let good = std::fs::read(&path).unwrap();
    for i in 0..good.len() {
        std::fs::write(&path, &good[..i]).unwrap();
        let _ = png_text(&path, KEY);
        let mut bad = good.clone();
        bad[i] ^= 0x41;
        std::fs::write(&path, &bad).unwrap();
        for (key, text) in [(KEY, "short"), ("long", &*long)] {
            // The checksum finds every change of one byte: no wrong text comes back.
            if let Ok(Some(found)) = png_text(&path, key) {
                assert_eq!(found, text, "byte {i}");
            }
        }
    }
}
