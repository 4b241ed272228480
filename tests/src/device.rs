use candle_core::Device;
use std::sync::LazyLock;

/// Where the tests of layers and losses compute: the CPU, or with `GDL_TEST_DEVICE=cuda` (and the feature `cuda`) the first GPU.
pub static DEV: LazyLock<Device> = LazyLock::new(|| match std::env::var("GDL_TEST_DEVICE").as_deref() {
    Err(_) | Ok("" | "cpu") => Device::Cpu,
    #[cfg(feature = "cuda")]
    Ok("cuda") => gdl_kernels::cuda::open(0).expect("GDL_TEST_DEVICE=cuda"),
    Ok(other) => panic!("GDL_TEST_DEVICE is cpu, or with the feature cuda cuda, not {other}"),
});

/// Whether that is no CPU: what only its kernels promise, to the last bit, is not asked then.
pub fn on_device() -> bool {
    !DEV.is_cpu()
}
