use super::{Flow, PIXELS, plane::Plane};
use gdl_kernels::par;

/// How much equal brightness counts beside smooth motion, for brightness from 0 to 255.
const LAMBDA: f32 = 0.15;
/// How closely the two parts of the problem are tied.
const THETA: f32 = 0.3;
/// Step of the dual variables.
const TAU: f32 = 0.25;
/// How often the second picture is warped at each size.
const WARPS: usize = 5;
/// Turns between two warps.
const TURNS: usize = 30;
const WHITE: f32 = 255.0;

/// What the brightness at a pixel says of its move, linearised about the present one.
#[derive(Debug, Clone, Copy, Default)]
struct Data {
    /// The slope of the warped picture, and its square.
    slope: [f32; 2],
    square: f32,
    /// The difference in brightness at no move at all, by the slope.
    rest: f32,
}

/// Improves a flow from one picture to another.
///
/// Minimises `sum of lambda |to(x + u) - from(x)| + |grad u_1| + |grad u_2|` over the moves u.
pub(super) fn refine(flow: &mut Flow, from: &Plane, to: &Plane) {
    let (w, n) = (flow.width, flow.moves.len());
    let slopes = to.slopes();
    let mut data = vec![Data::default(); n];
    // The duals of both components: right and down of the first, right and down of the second.
    let mut dual = vec![[0f32; 4]; n];
    for _ in 0..WARPS {
        flow.each(&mut data, |[x, y], [dx, dy], i| {
            // What has left the picture is carried along by its neighbours.
            if !to.holds(x, y) {
                return Data::default();
            }
            let slope = [0, 1].map(|k| WHITE * slopes[k].linear(x, y));
            let off = WHITE * (to.linear(x, y) - from.values[i]);
            Data {
                slope,
                square: slope[0] * slope[0] + slope[1] * slope[1],
                rest: off - slope[0] * dx - slope[1] * dy,
            }
        });
        for _ in 0..TURNS {
            rows(&mut flow.moves, w, |y, x, i, m| {
                let near = pulled(*m, &data[i]);
                let div = |k: usize| {
                    let left = if x > 0 { dual[i - 1][k] } else { 0.0 };
                    let above = if y > 0 { dual[i - w][k + 1] } else { 0.0 };
                    dual[i][k] - left + dual[i][k + 1] - above
                };
                [near[0] + THETA * div(0), near[1] + THETA * div(2)]
            });
            let moves = &flow.moves;
            rows(&mut dual, w, |_, x, i, p| {
                let step = |k: usize| {
                    let right = if x + 1 < w { moves[i + 1][k] - moves[i][k] } else { 0.0 };
                    let down = moves.get(i + w).map_or(0.0, |m| m[k] - moves[i][k]);
                    let size = 1.0 + TAU / THETA * right.hypot(down);
                    [(p[2 * k] + TAU / THETA * right) / size, (p[2 * k + 1] + TAU / THETA * down) / size]
                };
                let ([a, b], [c, d]) = (step(0), step(1));
                [a, b, c, d]
            });
        }
        flow.moves = medians(&flow.moves, w);
    }
}

/// A move, pulled towards equal brightness.
fn pulled(m: [f32; 2], data: &Data) -> [f32; 2] {
    let Data { slope, square, rest } = *data;
    let off = rest + slope[0] * m[0] + slope[1] * m[1];
    let most = LAMBDA * THETA;
    let factor = if off < -most * square {
        most
    } else if off > most * square {
        -most
    } else if square > 1e-9 {
        -off / square
    } else {
        0.0
    };
    [m[0] + factor * slope[0], m[1] + factor * slope[1]]
}

/// Replaces each element by what `f` makes of its row, column and number, and of itself.
fn rows<T: Send + Copy>(data: &mut [T], w: usize, f: impl Fn(usize, usize, usize, &T) -> T + Send + Sync) {
    let together = (PIXELS / w).max(1);
    par::chunks_mut(data, together * w, |chunk, part| {
        for (k, row) in part.chunks_mut(w).enumerate() {
            let y = chunk * together + k;
            for (x, element) in row.iter_mut().enumerate() {
                *element = f(y, x, y * w + x, element);
            }
        }
    });
}

/// The median of each component over 5x5 pixels: takes out what stands alone, and keeps edges.
fn medians(moves: &[[f32; 2]], w: usize) -> Vec<[f32; 2]> {
    let h = moves.len() / w;
    let mut out = moves.to_vec();
    rows(&mut out, w, |y, x, _, _| {
        [0, 1].map(|k| {
            let mut around = [0f32; 25];
            let mut n = 0;
            for y in y.saturating_sub(2)..(y + 3).min(h) {
                for x in x.saturating_sub(2)..(x + 3).min(w) {
                    around[n] = moves[y * w + x][k];
                    n += 1;
                }
            }
            *around[..n].select_nth_unstable_by(n / 2, f32::total_cmp).1
        })
    });
    out
}
