//! `inception doctor`.

mod check;

use crate::args::Common;
use crate::exit::{Outcome, numeric};
use crate::output;
use crate::table::pairs;
use anyhow::Result;
use check::Check;
use clap::Args;
use inception_tensor::{
    Accumulate, Bf16, Epilogue, Kernel, Operand, Pool, Shape, Stream, Tensor, gemm,
};
use serde::Serialize;
use std::time::Instant;

/// Show CPU features, kernels and threads, and check gradients on this machine
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    arch: &'static str,
    os: &'static str,
    cpu_features: Vec<&'static str>,
    cores: usize,
    threads: usize,
    kernels: Vec<KernelRow>,
    reduced_precision: Vec<ReducedRow>,
    gemm: Gemm,
    checks: Vec<Check>,
    ok: bool,
}

#[derive(Serialize)]
struct KernelRow {
    name: &'static str,
    supported: bool,
    active: bool,
}

/// Products of numbers of fewer bits.
#[derive(Serialize)]
struct ReducedRow {
    name: &'static str,
    /// Whether an instruction multiplies them; else they take a correct way that is slower
    /// than `f32`.
    instruction: bool,
}

#[derive(Serialize)]
struct Gemm {
    kernel: &'static str,
    size: usize,
    gflops_one_thread: f64,
}

pub(crate) fn run(args: &DoctorArgs) -> Result<Outcome> {
    let pool = args.common.pool()?;
    let checks = check::all(&pool)?;
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        arch: std::env::consts::ARCH,
        os: std::env::consts::OS,
        cpu_features: cpu_features(),
        cores: Pool::available(),
        threads: pool.threads(),
        kernels: Kernel::ALL.into_iter().map(kernel).collect(),
        reduced_precision: vec![
            ReducedRow {
                name: "bf16",
                instruction: Kernel::active().multiplies::<Bf16>(),
            },
            ReducedRow {
                name: "int8",
                instruction: Kernel::active().multiplies::<u8>(),
            },
        ],
        gemm: measure_gemm(),
        ok: checks.iter().all(|c| c.ok),
        checks,
    };
    if args.common.json {
        output::json(&report)?;
    } else {
        output::print(&show(&report))?;
    }
    match report.checks.iter().find(|c| !c.ok) {
        Some(check) => Err(numeric(format!(
            "check failed: {}: {}; results on this machine cannot be trusted, please report it",
            check.name, check.found
        ))),
        None => Ok(Outcome::Done),
    }
}

fn kernel(kernel: Kernel) -> KernelRow {
    KernelRow {
        name: kernel.name(),
        supported: kernel.is_supported(),
        active: kernel == Kernel::active(),
    }
}

/// Those of the processor's features that speed depends on.
#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<&'static str> {
    let found = [
        ("sse4.2", std::is_x86_feature_detected!("sse4.2")),
        ("avx", std::is_x86_feature_detected!("avx")),
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("fma", std::is_x86_feature_detected!("fma")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ("avx512vnni", std::is_x86_feature_detected!("avx512vnni")),
        ("avx512bf16", std::is_x86_feature_detected!("avx512bf16")),
        ("amx", Kernel::Amx.is_supported()),
    ];
    found.into_iter().filter(|f| f.1).map(|f| f.0).collect()
}

/// Those of the processor's features that speed depends on.
#[cfg(target_arch = "aarch64")]
fn cpu_features() -> Vec<&'static str> {
    let found = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        (
            "dotprod",
            std::arch::is_aarch64_feature_detected!("dotprod"),
        ),
        ("sve", std::arch::is_aarch64_feature_detected!("sve")),
    ];
    found.into_iter().filter(|f| f.1).map(|f| f.0).collect()
}

/// Nothing is known about other processors.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu_features() -> Vec<&'static str> {
    Vec::new()
}

/// The best of a few products of square matrices.
fn measure_gemm() -> Gemm {
    const SIZE: usize = 512;
    let shape = Shape::matrix(SIZE, SIZE);
    let mut stream = Stream::new(&[1]);
    let mut noise = || {
        let numbers = (0..shape.len()).map(|_| stream.normal() as f32);
        Tensor::from_vec(shape, numbers.collect())
    };
    let (a, b, mut c) = (noise(), noise(), Tensor::zeros(shape));
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        gemm(
            Operand::Plain(a.view()),
            Operand::Plain(b.view()),
            Accumulate::Replace,
            Epilogue::NONE,
            c.view_mut(),
        );
        best = best.min(start.elapsed().as_secs_f64());
    }
    std::hint::black_box(c.data());
    Gemm {
        kernel: Kernel::active().name(),
        size: SIZE,
        gflops_one_thread: 2.0 * (SIZE as f64).powi(3) / best / 1e9,
    }
}

fn show(report: &Report) -> String {
    let kernels = report
        .kernels
        .iter()
        .map(|k| match (k.active, k.supported) {
            (true, _) => format!("{} (in use)", k.name),
            (false, true) => k.name.to_owned(),
            (false, false) => format!("{} (not on this processor)", k.name),
        });
    let reduced = report
        .reduced_precision
        .iter()
        .map(|row| match row.instruction {
            true => format!("{} by an instruction", row.name),
            false => format!("{} without an instruction, slower than f32", row.name),
        });
    let cpu = format!(
        "{} {}: {}",
        report.os,
        report.arch,
        report.cpu_features.join(" ")
    );
    let threads = format!("{} of {} cores", report.threads, report.cores);
    let speed = format!(
        "{:.1} GFLOP/s on one thread ({}³)",
        report.gemm.gflops_one_thread, report.gemm.size
    );
    let mut text = pairs(&[
        ("version", report.version.to_owned()),
        ("processor", cpu),
        ("threads", threads),
        ("kernels", kernels.collect::<Vec<_>>().join(", ")),
        ("fewer bits", reduced.collect::<Vec<_>>().join(", ")),
        ("matrix product", speed),
    ]);
    for check in &report.checks {
        let mark = if check.ok { "ok" } else { "FAILED" };
        text.push_str(&format!("{mark}: {}: {}\n", check.name, check.found));
    }
    text
}
