use crate::Case;
use gdl_nst::{content_loss, style_loss, tv_l1_loss, tv_loss, tv_nine_point_loss};
use gdl_vgg::gram_matrix;

/// What style transfer measures.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("gram_matrix", "", &[&[2, 5, 6, 7]], |t| Ok(vec![gram_matrix(&t[0])?])),
        Case::new("gram_matrix", "of a part", &[&[1, 4, 6, 7]], |t| {
            Ok(vec![gram_matrix(&t[0].narrow(3, 1, 5)?)?])
        }),
        Case::new("style_loss", "", &[&[1, 5, 6, 7], &[1, 5, 5]], |t| {
            // The features alone have a gradient that anybody asks for.
            let target = t[1].detach();
            Ok(vec![style_loss(&t[0], &target, None)?, t[1].clone()])
        }),
        Case::new("content_loss", "", &[&[2, 5, 6, 7], &[2, 5, 6, 7]], |t| {
            Ok(vec![content_loss(&t[0], &t[1])?])
        }),
        Case::new("tv_loss", "", &[&[2, 3, 5, 7]], |t| Ok(vec![tv_loss(&t[0])?])),
        Case::new("tv_l1_loss", "", &[&[2, 3, 5, 7]], |t| Ok(vec![tv_l1_loss(&t[0])?])),
        Case::new("tv_nine_point_loss", "", &[&[1, 3, 5, 7]], |t| Ok(vec![tv_nine_point_loss(&t[0])?])),
    ]
}
