//! How a network is: what its rectifiers let through, and what reaches its stages.

use inception_tensor::View;

/// The share of silent channels of a stage from which on somebody should know.
const MANY_DEAD: f64 = 0.5;
/// How much smaller than the largest the gradients of a stage may be before somebody should
/// know.
const VANISHING: f64 = 1e-6;

/// What was found in one step of many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stability {
    /// Share of channels behind a rectifier that gave nothing but zeros for the whole batch.
    pub dead_relu: f64,
    /// The same by stage, in the order of the network: `inception3a`, `aux1`.
    pub dead_relus: Vec<(String, f64)>,
    /// Norm of the gradients by stage, before clipping.
    pub grad_norms: Vec<(String, f64)>,
}

impl Stability {
    /// What somebody should know, in words: at most one sentence of each sort.
    pub(crate) fn concerns(&self) -> [Option<String>; 2] {
        let worst = |a: &&(String, f64), b: &&(String, f64)| a.1.total_cmp(&b.1);
        let dead = self.dead_relus.iter().max_by(worst);
        let dead = dead.filter(|(_, share)| *share > MANY_DEAD);
        let strongest = self.grad_norms.iter().max_by(worst);
        let weakest = self.grad_norms.iter().min_by(worst);
        let pair = weakest.zip(strongest);
        let pair = pair.filter(|(weak, strong)| weak.1 < VANISHING * strong.1);
        [
            dead.map(|(stage, share)| {
                format!(
                    "{stage}: {:.0} % of the channels behind its rectifiers are silent for \
                     the whole batch, and learn nothing; a lower rate, a warm-up or another \
                     initialisation may help",
                    100.0 * share
                )
            }),
            pair.map(|(weak, strong)| {
                format!(
                    "{}: gradients of norm {:.1e} hardly reach it, where {} gets {:.1e}",
                    weak.0, weak.1, strong.0, strong.1
                )
            }),
        ]
    }
}

/// The stage of a module or parameter: the first part of its path.
pub(crate) fn stage(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// The norm of each stage, of parameters by name with the squares of their norms.
pub(crate) fn stage_norms<'a>(params: impl Iterator<Item = (&'a str, f64)>) -> Vec<(String, f64)> {
    let mut stages: Vec<(String, f64)> = Vec::new();
    for (name, squares) in params {
        let name = stage(name);
        match stages.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum += squares,
            None => stages.push((name.to_owned(), squares)),
        }
    }
    stages.iter_mut().for_each(|(_, sum)| *sum = sum.sqrt());
    stages
}

/// Counts silent channels while a step runs.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    stages: Vec<(String, Channels)>,
    alive: Vec<bool>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Channels {
    dead: u64,
    all: u64,
}

impl Channels {
    fn share(self) -> f64 {
        self.dead as f64 / self.all.max(1) as f64
    }
}

impl Silence {
    /// Takes in what a rectifier of the module at `path` let through.
    pub(crate) fn hear(&mut self, path: &str, output: View<'_, f32>) {
        let channels = output.shape().c;
        self.alive.clear();
        self.alive.resize(channels, false);
        for p in 0..output.shape().rows() {
            for (alive, x) in self.alive.iter_mut().zip(output.row(p)) {
                *alive |= *x > 0.0;
            }
        }
        let dead = self.alive.iter().filter(|alive| !**alive).count() as u64;
        let name = stage(path);
        let at = self.stages.iter().position(|(known, _)| known == name);
        let at = at.unwrap_or_else(|| {
            self.stages.push((name.to_owned(), Channels::default()));
            self.stages.len() - 1
        });
        let stage = &mut self.stages[at].1;
        stage.dead += dead;
        stage.all += channels as u64;
    }

    /// What was heard, beside the norms of gradients.
    pub(crate) fn finish(self, grad_norms: Vec<(String, f64)>) -> Stability {
        let total = self
            .stages
            .iter()
            .fold(Channels::default(), |sum, (_, stage)| Channels {
                dead: sum.dead + stage.dead,
                all: sum.all + stage.all,
            });
        Stability {
            dead_relu: total.share(),
            dead_relus: self
                .stages
                .into_iter()
                .map(|(name, stage)| (name, stage.share()))
                .collect(),
            grad_norms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inception_tensor::Shape;

    #[test]
    fn a_channel_is_dead_when_no_image_and_no_place_wakes_it() {
        let shape = Shape {
            n: 2,
            h: 1,
            w: 1,
            c: 4,
        };
        let mut silence = Silence::default();
        let first = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0];
        silence.hear("inception3a.branch1", View::new(&first, shape));
        silence.hear("inception3a.branch2", View::new(&[1.0; 8], shape));
        silence.hear("aux1.conv", View::new(&[0.0; 8], shape));
        let found = silence.finish(Vec::new());
        let expected = [("inception3a".to_owned(), 0.25), ("aux1".to_owned(), 1.0)];
        assert_eq!(found.dead_relus, expected);
        assert_eq!(found.dead_relu, 0.5);
        let [dead, vanishing] = found.concerns();
        assert!(dead.unwrap().starts_with("aux1: 100 %"));
        assert_eq!(vanishing, None);
    }

    #[test]
    fn stages_are_norms_over_all_of_their_parameters() {
        let params = [
            ("conv1.weight", 9.0),
            ("fc.weight", 4.0),
            ("conv1.bias", 16.0),
        ];
        let norms = stage_norms(params.into_iter());
        assert_eq!(norms, [("conv1".to_owned(), 5.0), ("fc".to_owned(), 2.0)]);
        let weak = Stability {
            grad_norms: vec![("conv1".into(), 1e-8), ("fc".into(), 1.0)],
            ..Stability::default()
        };
        let text = weak.concerns()[1].clone().unwrap();
        assert!(
            text.starts_with("conv1: gradients of norm 1.0e-8"),
            "{text}"
        );
    }
}
