//! The executor: a plan, its memory, and threads.

use crate::error::ExecError;
use crate::graph::{DType, ParamId, Var};
use crate::io::{Io, Operand, OperandMut, RunKey};
use crate::plan::{Location, Plan, Slot, Step};
use inception_tensor::{Arena, Bf16, Element, Kernel, Pool, Region, Slots, View, ViewMut};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whoever holds the numbers of parameters.
pub trait Params<T>: Sync {
    /// The numbers of one parameter, dense, in the shape it was recorded with.
    fn param(&self, id: ParamId) -> &[T];
}

/// How long one step took.
#[derive(Clone, Debug)]
pub struct StepTime<'a> {
    /// The operator.
    pub op: &'static str,
    /// Path of the module that recorded it.
    pub path: &'a str,
    /// Multiply-adds.
    pub macs: u64,
    /// Bytes of what was read and written, each operand once, without workspace.
    pub bytes: u64,
    /// The way that the operator took, where it has several.
    pub algorithm: Option<Cow<'static, str>>,
    /// Wall time.
    pub time: Duration,
}

/// What a step left behind that went through a rectifier.
#[derive(Clone, Copy, Debug)]
pub struct Rectified<'a, T> {
    /// Path of the module that recorded the step.
    pub path: &'a str,
    /// The numbers, none of which is below zero.
    pub output: View<'a, T>,
}

/// Runs a [`Plan`] in `T`, in memory that is allocated once.
///
/// A run computes the same bits for any number of threads.
#[derive(Debug)]
pub struct Executor<T> {
    plan: Arc<Plan>,
    arena: Arena,
    pool: Pool,
    prepared: bool,
    element: std::marker::PhantomData<T>,
}

impl<T: Element> Executor<T> {
    /// Allocates the plan's memory.
    ///
    /// # Errors
    /// When it is not to be had.
    ///
    /// # Panics
    /// When the plan was made for another element type.
    pub fn new(plan: Arc<Plan>, pool: &Pool) -> Result<Self, ExecError> {
        let mut executor = Self::without_memory(plan, pool);
        executor.give_memory(Arena::default())?;
        Ok(executor)
    }

    /// An executor that has to be [given](Self::give_memory) memory before it is used.
    ///
    /// # Panics
    /// When the plan was made for another element type.
    pub fn without_memory(plan: Arc<Plan>, pool: &Pool) -> Self {
        assert_eq!(plan.element_bytes, size_of::<T>(), "a plan for {}", T::NAME);
        Self {
            arena: Arena::default(),
            plan,
            pool: pool.clone(),
            prepared: false,
            element: std::marker::PhantomData,
        }
    }

    /// Takes over memory, which grows where the plan needs more: executors that never run at
    /// once can hand one block on. What depends on parameters has to be prepared again.
    ///
    /// # Errors
    /// When more is needed and not to be had.
    pub fn give_memory(&mut self, mut arena: Arena) -> Result<(), ExecError> {
        self.prepared = false;
        arena.grow(self.plan.arena_bytes)?;
        self.arena = arena;
        Ok(())
    }

    /// Gives the memory away; the executor cannot be used until it is given some again.
    pub fn take_memory(&mut self) -> Arena {
        self.prepared = false;
        std::mem::take(&mut self.arena)
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The numbers of an input, to write before a run.
    ///
    /// # Panics
    /// When `var` is no input of numbers that the plan reads.
    pub fn input_mut(&mut self, var: Var) -> &mut [T] {
        let region = self.whole(var, DType::Real);
        self.arena.slice_mut(region)
    }

    /// The labels of an input, to write before a run.
    ///
    /// # Panics
    /// When `var` is no input of labels that the plan reads.
    pub fn labels_mut(&mut self, var: Var) -> &mut [u32] {
        let region = self.whole(var, DType::U32);
        self.arena.slice_mut(region)
    }

    /// Computes what depends on parameters alone. Needed before the first run, and again
    /// whenever parameters have changed.
    pub fn prepare(&mut self, params: &impl Params<T>) {
        let plan = Arc::clone(&self.plan);
        for step in &plan.prelude {
            self.step(step, params, RunKey::default());
        }
        self.prepared = true;
    }

    /// Runs all steps.
    ///
    /// # Panics
    /// When [`Executor::prepare`] was never called.
    pub fn run(&mut self, params: &impl Params<T>, key: RunKey) {
        assert!(self.prepared, "an executor is prepared before it runs");
        let plan = Arc::clone(&self.plan);
        for step in &plan.steps {
            self.step(step, params, key);
        }
    }

    /// Runs all steps and tells how long each took.
    ///
    /// # Panics
    /// When [`Executor::prepare`] was never called.
    pub fn run_timed(
        &mut self,
        params: &impl Params<T>,
        key: RunKey,
        mut observe: impl FnMut(StepTime<'_>) + Send,
    ) {
        assert!(self.prepared, "an executor is prepared before it runs");
        let plan = Arc::clone(&self.plan);
        for step in &plan.steps {
            let start = Instant::now();
            self.step(step, params, key);
            let time = start.elapsed();
            observe(StepTime {
                op: step.op.operator().name(),
                path: &step.path,
                macs: step.macs,
                bytes: step.bytes(plan.element_bytes),
                algorithm: step.algorithm(match T::VECTOR_KERNELS {
                    true => self.pool.kernel(),
                    false => Kernel::Portable,
                }),
                time,
            });
        }
    }

    /// Runs all steps, to the same bits as [`Executor::run`], and shows what each rectifier
    /// let through before anything overwrites it, once where the plan makes it again.
    ///
    /// # Panics
    /// When [`Executor::prepare`] was never called.
    pub fn run_watched(
        &mut self,
        params: &impl Params<T>,
        key: RunKey,
        mut watch: impl FnMut(Rectified<'_, T>) + Send,
    ) {
        assert!(self.prepared, "an executor is prepared before it runs");
        let plan = Arc::clone(&self.plan);
        let mut heard: Vec<(&str, &str)> = Vec::new();
        for step in &plan.steps {
            self.step(step, params, key);
            let name = (&*step.path, step.op.operator().name());
            if !step.op.rectifies() || heard.contains(&name) {
                continue;
            }
            heard.push(name);
            for output in step.outputs.iter().filter_map(|slot| self.numbers(slot)) {
                let path = &step.path;
                watch(Rectified { path, output });
            }
        }
    }

    /// Runs all steps and returns the path and operator of the first one that wrote a NaN or
    /// an infinity: for finding out after a run went wrong.
    ///
    /// # Panics
    /// When [`Executor::prepare`] was never called.
    pub fn first_non_finite(&mut self, params: &impl Params<T>, key: RunKey) -> Option<String> {
        assert!(self.prepared, "an executor is prepared before it runs");
        let plan = Arc::clone(&self.plan);
        for step in &plan.steps {
            self.step(step, params, key);
            if step.outputs.iter().any(|slot| !self.finite(slot)) {
                return Some(format!("{} ({})", step.path, step.op.operator().name()));
            }
        }
        None
    }

    /// A kept value after a run.
    ///
    /// # Panics
    /// When `var` is not kept by the plan or no map of numbers.
    pub fn output(&self, var: Var) -> View<'_, T> {
        let slot = self.plan.kept(var);
        assert_eq!(slot.dtype, DType::Real, "{var:?}");
        match slot.location {
            Location::Arena {
                region,
                offset,
                stride,
            } => View::strided(&self.arena.slice(region)[offset..], slot.shape, stride),
            other => panic!("a kept value lies in the arena, found {other:?}"),
        }
    }

    fn finite(&self, slot: &Slot) -> bool {
        if let (
            DType::Bf16,
            Location::Arena {
                region,
                offset,
                stride,
            },
        ) = (slot.dtype, slot.location)
        {
            let numbers = &self.arena.slice::<Bf16>(region)[offset..];
            let view = View::strided(numbers, slot.shape, stride);
            let mut rows = (0..slot.shape.rows()).map(|p| view.row(p));
            return rows.all(|row| row.iter().all(|x| x.to_f32().is_finite()));
        }
        self.numbers(slot).is_none_or(|view| {
            (0..slot.shape.rows()).all(|p| view.row(p).iter().all(|x| x.is_finite()))
        })
    }

    /// The numbers of a slot that has some in the arena.
    fn numbers(&self, slot: &Slot) -> Option<View<'_, T>> {
        match slot.location {
            Location::Arena {
                region,
                offset,
                stride,
            } if slot.dtype == DType::Real => Some(View::strided(
                &self.arena.slice::<T>(region)[offset..],
                slot.shape,
                stride,
            )),
            _ => None,
        }
    }

    fn whole(&self, var: Var, dtype: DType) -> Region {
        let slot = self.plan.kept(var);
        assert_eq!(slot.dtype, dtype, "{var:?}");
        match slot.location {
            Location::Arena {
                region, offset: 0, ..
            } => region,
            other => panic!("an input has a buffer of its own, found {other:?}"),
        }
    }

    fn step(&mut self, step: &Step, params: &impl Params<T>, key: RunKey) {
        let mut writes: SmallVec<[Region; 8]> = SmallVec::new();
        for slot in &step.outputs {
            if let Location::Arena { region, .. } = slot.location {
                writes.push(region);
            }
        }
        writes.push(step.workspace);
        let workspace = writes.len() - 1;
        let mut open = self.arena.open(&writes);
        let mut next = 0;
        let outputs = step
            .outputs
            .iter()
            .map(|slot| write(&mut open, &mut next, slot));
        let outputs = outputs.collect();
        let inputs = step.inputs.iter().map(|slot| read(&open, params, slot));
        let io = Io {
            pool: &self.pool,
            key,
            inputs: inputs.collect(),
            outputs,
            workspace: open.take(workspace),
        };
        step.op.run(io);
    }
}

fn write<'a, T: Element>(open: &mut Slots<'a>, next: &mut usize, slot: &Slot) -> OperandMut<'a, T> {
    let Location::Arena { offset, stride, .. } = slot.location else {
        return OperandMut::Unused;
    };
    let at = *next;
    *next += 1;
    match slot.dtype {
        DType::Real => OperandMut::Real(ViewMut::strided(
            &mut open.take(at)[offset..],
            slot.shape,
            stride,
        )),
        DType::Bf16 => OperandMut::Bf16(ViewMut::strided(
            &mut open.take(at)[offset..],
            slot.shape,
            stride,
        )),
        DType::Int8 => OperandMut::Int8(ViewMut::strided(
            &mut open.take(at)[offset..],
            slot.shape,
            stride,
        )),
        DType::U8 => OperandMut::Bytes(open.take(at)),
        DType::U32 => unreachable!("no operator writes labels"),
    }
}

fn read<'a, T: Element>(
    open: &Slots<'a>,
    params: &'a impl Params<T>,
    slot: &Slot,
) -> Operand<'a, T> {
    match (slot.location, slot.dtype) {
        (Location::Param(id), _) => Operand::Real(View::new(params.param(id), slot.shape)),
        (
            Location::Arena {
                region,
                offset,
                stride,
            },
            dtype,
        ) => match dtype {
            DType::Real => {
                let data = &open.read(region)[offset..];
                Operand::Real(View::strided(data, slot.shape, stride))
            }
            DType::Bf16 => {
                let data = &open.read(region)[offset..];
                Operand::Bf16(View::strided(data, slot.shape, stride))
            }
            DType::Int8 => {
                let data = &open.read(region)[offset..];
                Operand::Int8(View::strided(data, slot.shape, stride))
            }
            DType::U8 => Operand::Bytes(open.read(region)),
            DType::U32 => Operand::Labels(open.read(region)),
        },
        (Location::InPlace, _) => Operand::InPlace,
        (Location::Unused, _) => unreachable!("an operand that is read has a place"),
    }
}
