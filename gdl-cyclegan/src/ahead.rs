//! Batches made ready, on the device that they are for, while the step before them is computed.

use crate::{Pairs, Result};
use candle_core::{Device, Tensor};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How many batches wait: one that the next step takes, and one that is being made.
const WAITING: usize = 1;

type Batch = (Tensor, Tensor);

/// A thread that reads, augments and uploads coming batches, in their order. A step of the training takes one or several.
///
/// Which pictures a batch has depends on its number alone, so nothing changes but when the work is done.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    batches: Receiver<Result<Batch>>,
    /// The step that the next batch is for.
    next: u64,
}

impl Ahead {
    /// The batch of the first of these steps, of `size` pictures each. The others are expected to be asked for one after
    /// another; where they are not, the thread begins anew.
    pub(crate) fn batch<D>(
        &mut self,
        data: &Arc<D>,
        steps: Range<u64>,
        size: usize,
        device: &Device,
    ) -> Result<Batch>
    where
        D: Pairs + Send + Sync + 'static,
    {
        let step = steps.start;
        if self.running.as_ref().is_none_or(|running| running.next != step) {
            self.running = start(data, steps, size, device);
        }
        // None where the system has no thread to give, or the thread has come to its end.
        let ready = self.running.as_ref().and_then(|running| running.batches.recv().ok());
        match (ready, &mut self.running) {
            (Some(Ok(batch)), Some(running)) => {
                running.next += 1;
                Ok(batch)
            }
            (Some(Err(error)), _) => {
                self.running = None;
                Err(error)
            }
            _ => {
                self.running = None;
                load(&**data, step, size, device)
            }
        }
    }
}

fn load(data: &impl Pairs, step: u64, size: usize, device: &Device) -> Result<Batch> {
    let (a, b) = data.batch(step * size as u64, size)?;
    Ok((a.to_device(device)?, b.to_device(device)?))
}

fn start<D>(data: &Arc<D>, steps: Range<u64>, size: usize, device: &Device) -> Option<Running>
where
    D: Pairs + Send + Sync + 'static,
{
    let (sender, batches) = sync_channel(WAITING);
    let (data, next, device) = (Arc::clone(data), steps.start, device.clone());
    let work = move || send(&*data, steps, size, &device, &sender);
    // It ends by itself: with the last step, an error, or when nobody waits for it any more.
    std::thread::Builder::new().name("pictures".into()).spawn(work).ok()?;
    Some(Running { batches, next })
}

fn send(
    data: &impl Pairs,
    steps: Range<u64>,
    size: usize,
    device: &Device,
    batches: &SyncSender<Result<Batch>>,
) {
    for step in steps {
        // Each thread may have a stream of its own (candle's `Device::new_cuda`): what is handed over must have arrived.
        let batch = load(data, step, size, device).and_then(|batch| {
            device.synchronize()?;
            Ok(batch)
        });
        let failed = batch.is_err();
        if batches.send(batch).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    /// Pictures that are their own number, but for one that cannot be read.
    #[derive(Debug, Default)]
    struct Numbers {
        read: AtomicU64,
    }

    const UNREADABLE: u64 = 9;

    impl Pairs for Numbers {
        type Config = ();

        fn open((): &(), _: u64) -> Result<Self> {
            Ok(Self::default())
        }

        fn absolute((): &mut ()) -> Result<()> {
            Ok(())
        }

        fn epoch_len(&self) -> u64 {
            1
        }

        fn sample(&self, index: u64) -> Result<Batch> {
            if index == UNREADABLE {
                return Err(Error::Setting { key: "picture", message: "nine".into() });
            }
            self.read.fetch_add(1, Ordering::SeqCst);
            let number = Tensor::full(index as f32, (1, 1, 1), &Device::Cpu)?;
            Ok((number.clone(), number))
        }

        fn held_out(_: &(), _: Option<usize>, _: u64) -> Result<Vec<crate::eval::TestSet>> {
            Ok(Vec::new())
        }

        fn shown(&self, _: usize) -> Result<Vec<Batch>> {
            Ok(Vec::new())
        }
    }

    fn numbers(batch: Result<Batch>) -> Vec<f32> {
        batch.unwrap().0.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn every_step_gets_its_own_pictures() {
        let (data, mut ahead) = (Arc::new(Numbers::default()), Ahead::default());
        for step in [0, 1, 2, 0, 1, 3] {
            let first = 2.0 * step as f32;
            assert_eq!(
                numbers(ahead.batch(&data, step..4, 2, &Device::Cpu)),
                [first, first + 1.0],
                "step {step}"
            );
        }
        // Past the end that was told, too.
        assert_eq!(numbers(ahead.batch(&data, 10..10, 2, &Device::Cpu)), [20.0, 21.0]);
    }

    #[test]
    fn it_reads_ahead() {
        let (data, mut ahead) = (Arc::new(Numbers::default()), Ahead::default());
        ahead.batch(&data, 0..5, 1, &Device::Cpu).unwrap();
        let since = Instant::now();
        while data.read.load(Ordering::SeqCst) < 3 {
            assert!(since.elapsed() < Duration::from_secs(60), "nothing was read ahead");
            std::thread::yield_now();
        }
        // One waits and one is in the hand; no more until one is taken.
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(data.read.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn an_error_comes_with_its_step() {
        let (data, mut ahead) = (Arc::new(Numbers::default()), Ahead::default());
        for step in 0..UNREADABLE {
            assert_eq!(numbers(ahead.batch(&data, step..20, 1, &Device::Cpu)), [step as f32]);
        }
        for _ in 0..2 {
            assert!(
                ahead.batch(&data, UNREADABLE..20, 1, &Device::Cpu).unwrap_err().to_string().contains("nine")
            );
        }
        assert_eq!(numbers(ahead.batch(&data, 10..20, 1, &Device::Cpu)), [10.0]);
    }
}
