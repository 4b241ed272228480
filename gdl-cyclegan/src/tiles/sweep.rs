use super::map::{Map, Rows};
use super::rect::{Needed, Rect, by_conv, by_doubling, by_transposed};
use crate::Result;
use crate::graph::{Graph, Node, NodeId, Op};
use candle_core::{Device, Module, Tensor};
use candle_nn::ModuleT;
use gdl_conv::{
    Conv2d, Conv2dParams, ConvTranspose2d, ConvTranspose2dParams, Pad, conv_transpose2d, conv2d, pad2d,
    upsample_nearest2d,
};
use gdl_instance_norm::Moments;
use gdl_norm::{Norm, Norm2d};
use std::collections::{BTreeMap, BTreeSet};

/// Below this many rows a 3x3 convolution goes the slower way.
const STRIP: usize = 24;

/// One picture on its way through a network.
pub(super) struct Sweeps<'a> {
    graph: &'a Graph<'a>,
    /// Height and width of the (padded) picture.
    size: (usize, usize),
    /// Of a tile, in the picture.
    side: usize,
    /// Gives a part of the picture: (1, C, h, w) in [-1, 1].
    picture: &'a dyn Fn(&Rect) -> Result<Tensor>,
    rows: Rows,
    device: &'a Device,
    maps: BTreeMap<NodeId, Map>,
    moments: BTreeMap<NodeId, Moments>,
    done: Done<'a>,
}

/// Tells how much of the work is done, by the parts that it is done in.
struct Done<'a> {
    parts: usize,
    of: usize,
    tell: &'a mut dyn FnMut(f64),
}

impl Done<'_> {
    fn one_more(&mut self) {
        self.parts += 1;
        (self.tell)(self.parts as f64 / self.of.max(1) as f64);
    }
}

impl<'a> Sweeps<'a> {
    pub(super) fn new(
        graph: &'a Graph<'a>,
        size: (usize, usize),
        side: usize,
        picture: &'a dyn Fn(&Rect) -> Result<Tensor>,
        rows: Rows,
        device: &'a Device,
        tell: &'a mut dyn FnMut(f64),
    ) -> Self {
        let (maps, moments) = (BTreeMap::new(), BTreeMap::new());
        let done = Done { parts: 0, of: 0, tell };
        let mut sweeps = Self { graph, size, side, picture, rows, device, maps, moments, done };
        let last = (size.0.div_ceil(side)) * (size.1.div_ceil(side));
        let before: usize = sweeps.targets().into_iter().map(|id| sweeps.parts(graph.node(id)).count()).sum();
        sweeps.done.of = before + last;
        sweeps
    }

    /// Everything but the translation itself: the maps that it needs, and all statistics.
    pub(super) fn prepare(&mut self) -> Result<()> {
        let targets = self.targets();
        let last_reader = self.last_readers(&targets);
        for target in targets {
            let node = self.graph.node(target);
            let read_up: Vec<NodeId> =
                last_reader.iter().filter(|(_, reader)| **reader == target).map(|(map, _)| *map).collect();
            let mut moments = self.is_measured(target).then(|| Moments::new(node.channels));
            let mut map = node.kept.then(|| Map::new(node.channels, self.size.1 >> node.halvings));
            if map.is_none() {
                self.rows.drop_spare();
            }
            for rect in self.parts(node) {
                let y = self.compute(target, &rect)?;
                if let Some(moments) = &mut moments {
                    moments.add(&y)?;
                }
                for id in &read_up {
                    if let Some(map) = self.maps.get_mut(id) {
                        map.release_passed(&mut self.rows);
                    }
                }
                if let Some(map) = &mut map {
                    map.push(&y, &mut self.rows)?;
                }
                self.done.one_more();
            }
            for id in read_up {
                if let Some(mut map) = self.maps.remove(&id) {
                    map.release(&mut self.rows);
                }
            }
            self.moments.extend(moments.map(|moments| (target, moments)));
            self.maps.extend(map.map(|map| (target, map)));
        }
        Ok(())
    }

    /// The translation of a part of the picture, tile by tile.
    pub(super) fn finish(
        &mut self,
        part: &Rect,
        mut take: impl FnMut(&Rect, &Tensor) -> Result<()>,
    ) -> Result<()> {
        for rect in part.tiles(self.side, self.side) {
            take(&rect, &self.compute(self.graph.last(), &rect)?)?;
            self.done.one_more();
        }
        Ok(())
    }

    /// What is to be kept or measured, in order.
    fn targets(&self) -> Vec<NodeId> {
        self.graph.ids().filter(|&id| self.graph.node(id).kept || self.is_measured(id)).collect()
    }

    /// Whether an instance norm reads it.
    fn is_measured(&self, id: NodeId) -> bool {
        let by_instance = |node: &Node<'_>| match node.op {
            Op::Norm(norm) => matches!(norm.norm(), Norm::Instance(_)) && node.inputs.contains(&id),
            _ => false,
        };
        self.graph.nodes().iter().any(by_instance)
    }

    /// For each kept map the last sweep that reads it.
    fn last_readers(&self, targets: &[NodeId]) -> BTreeMap<NodeId, NodeId> {
        let mut last = BTreeMap::new();
        for &target in targets.iter().chain([&self.graph.last()]) {
            let mut read = BTreeSet::new();
            self.collect_read(target, &mut read);
            last.extend(read.into_iter().map(|map| (map, target)));
        }
        last
    }

    /// The kept maps that computing `id` reads.
    fn collect_read(&self, id: NodeId, read: &mut BTreeSet<NodeId>) {
        for &input in &self.graph.node(id).inputs {
            if self.graph.node(input).kept {
                read.insert(input);
            } else {
                self.collect_read(input, read);
            }
        }
    }

    /// How a sweep goes over a result: what is kept in strips, which are whole rows of it, the rest in tiles.
    fn parts(&self, node: &Node<'_>) -> impl Iterator<Item = Rect> + use<> {
        let (h, w) = (self.size.0 >> node.halvings, self.size.1 >> node.halvings);
        let side = (self.side >> node.halvings).max(1);
        let (height, width) = match node.kept {
            true => ((side * side).div_ceil(w).max(side.min(STRIP)), w),
            false => (side, side),
        };
        Rect { rows: 0..h, columns: 0..w }.tiles(height, width)
    }

    /// A part of a result, read where it has been kept.
    fn fetch(&self, id: NodeId, rect: &Rect) -> Result<Tensor> {
        match self.maps.get(&id) {
            Some(map) => map.read(rect, &self.rows, self.device),
            None => self.compute(id, rect),
        }
    }

    fn compute(&self, id: NodeId, rect: &Rect) -> Result<Tensor> {
        let node = self.graph.node(id);
        match (node.op, node.inputs.as_slice()) {
            (Op::Picture, _) => (self.picture)(rect),
            (Op::Conv { conv, pad }, &[x]) => self.conv(x, conv, pad, rect),
            (Op::Transposed(conv), &[x]) => self.transposed(x, conv, rect),
            (Op::Upsample, &[x]) => {
                let (rows, columns) = (by_doubling(&rect.rows), by_doubling(&rect.columns));
                let y = upsample_nearest2d(&self.fetch_needed(x, &rows, &columns)?, 2)?;
                Ok(cut(&y, (&rows, &columns), rect)?)
            }
            (Op::Norm(norm), &[x]) => self.norm(x, norm, &self.fetch(x, rect)?),
            (Op::Activate(activation), &[x]) => Ok(activation.forward(&self.fetch(x, rect)?)?),
            (Op::Add, &[a, b]) => Ok((self.fetch(a, rect)? + self.fetch(b, rect)?)?),
            (Op::Concat, &[a, b]) => Ok(Tensor::cat(&[self.fetch(a, rect)?, self.fetch(b, rect)?], 1)?),
            (op, inputs) => {
                Err(candle_core::Error::Msg(format!("{op:?} cannot read {} maps", inputs.len())).into())
            }
        }
    }

    fn fetch_needed(&self, id: NodeId, rows: &Needed, columns: &Needed) -> Result<Tensor> {
        self.fetch(id, &Rect { rows: rows.range.clone(), columns: columns.range.clone() })
    }

    fn conv(&self, x: NodeId, conv: &Conv2d, pad: Pad, rect: &Rect) -> Result<Tensor> {
        let config = conv.config();
        let (h, w) = self.size_of(x);
        let rows = by_conv(&rect.rows, h, config.kernel.0, config.stride.0, pad.top);
        let columns = by_conv(&rect.columns, w, config.kernel.1, config.stride.1, pad.left);
        let ((top, bottom), (left, right)) = (rows.pad, columns.pad);
        let x = self.fetch_needed(x, &rows, &columns)?;
        let x = pad2d(&x, Pad { left, right, top, bottom }, config.pad_mode)?;
        let params = Conv2dParams { padding: (0, 0), ..conv.params() };
        Ok(conv2d(&x, conv.weight(), conv.bias(), &params)?)
    }

    fn transposed(&self, x: NodeId, conv: &ConvTranspose2d, rect: &Rect) -> Result<Tensor> {
        let config = conv.config();
        let (h, w) = self.size_of(x);
        let rows = by_transposed(&rect.rows, h, config.kernel.0, config.stride.0, config.padding.0);
        let columns = by_transposed(&rect.columns, w, config.kernel.1, config.stride.1, config.padding.1);
        let params = ConvTranspose2dParams { padding: (0, 0), output_padding: (0, 0), ..conv.params() };
        let x = self.fetch_needed(x, &rows, &columns)?;
        let y = conv_transpose2d(&x, conv.weight(), conv.bias(), &params)?;
        Ok(cut(&y, (&rows, &columns), rect)?)
    }

    fn norm(&self, id: NodeId, norm: &Norm2d, x: &Tensor) -> Result<Tensor> {
        Ok(match (norm.norm(), self.moments.get(&id)) {
            (Norm::Instance(norm), Some(moments)) => norm.forward_by(x, moments)?,
            _ => norm.forward_t(x, false)?,
        })
    }

    fn size_of(&self, id: NodeId) -> (usize, usize) {
        let halvings = self.graph.node(id).halvings;
        (self.size.0 >> halvings, self.size.1 >> halvings)
    }
}

/// The wanted part of what came out of more than it needed.
fn cut(y: &Tensor, (rows, columns): (&Needed, &Needed), rect: &Rect) -> candle_core::Result<Tensor> {
    y.narrow(2, rows.skip, rect.rows.len())?.narrow(3, columns.skip, rect.columns.len())?.contiguous()
}
