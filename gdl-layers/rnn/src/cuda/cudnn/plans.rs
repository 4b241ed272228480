use candle_core::cuda_backend::cudarc::driver::CudaStream;
use candle_core::{Error, Result};
use gdl_kernels::cuda::cudnn::rnn::{RnnConfig, RnnPlan};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// How many layers stay ready in a thread. Rows of other lengths make another layer.
const KEPT: usize = 32;

thread_local! {
    /// The stream of each with it, the last used at the end. A plan must not be used by two threads at once.
    static PLANS: RefCell<Vec<(Arc<CudaStream>, Rc<RnnPlan>)>> = RefCell::default();
}

/// This thread's plan for a layer on a stream, made if it is not among those used last.
pub(super) fn plan(stream: &Arc<CudaStream>, config: &RnnConfig) -> Result<Rc<RnnPlan>> {
    PLANS.with_borrow_mut(|plans| {
        let found = plans.iter().position(|(of, plan)| Arc::ptr_eq(of, stream) && plan.config() == config);
        let entry = match found {
            Some(place) => plans.remove(place),
            None => {
                let plan = RnnPlan::new(stream, config.clone()).map_err(Error::wrap)?;
                if plans.len() == KEPT {
                    plans.remove(0);
                }
                (stream.clone(), Rc::new(plan))
            }
        };
        let plan = entry.1.clone();
        plans.push(entry);
        Ok(plan)
    })
}
