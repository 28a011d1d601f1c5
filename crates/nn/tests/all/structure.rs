//! Parameter counts, multiply-adds and state-dict keys against published ones.

use crate::common::model;
use inception_autograd::{DType, Graph};
use inception_nn::models::{InceptionRow, TABLE1};
use inception_nn::modules::{Block, ConvStyle};
use inception_nn::{Aux, Builder, Ctx, Mode, Model, ModelOptions, Module, Specs, registry};
use inception_nn::{Summary, SummaryConfig};
use inception_tensor::Shape;

fn summary(model: &Model) -> Summary {
    Summary::of(model, &SummaryConfig::default()).expect("registered models record")
}

#[test]
fn parameter_counts_are_the_published_ones() {
    for (name, params, aux) in [
        ("googlenet", 6_998_552, 3_188_840 + 3_190_888),
        ("googlenet-torchvision", 6_624_904, 13_004_888 - 6_624_904),
        ("bn-inception", 11_194_984, 0),
        ("inception-v3", 23_834_568, 27_161_264 - 23_834_568),
        ("inception-v4", 42_679_816, 0),
        ("inception-resnet-v2", 55_843_464, 0),
        ("alexnet", 61_100_840, 0),
        ("vgg16", 138_357_544, 0),
    ] {
        let model = model(name);
        let specs = model.specs();
        assert_eq!(
            (specs.trainable(), specs.trainable_aux()),
            (params, aux),
            "{name}"
        );
    }
    assert_eq!(model("googlenet-bn").specs().trainable(), 7_005_832);
    // torchvision's without γ, of which there is one for each channel that is normalised.
    let channels: usize = 64 + 64 + 192 + TABLE1.iter().map(normalised).sum::<usize>();
    let slim = model("googlenet-slim").specs().trainable();
    assert_eq!(slim, 6_624_904 - channels as u64);
}

/// Channels of all convolutions of a module.
fn normalised(row: &InceptionRow) -> usize {
    let c = &row.config;
    c.c_out() + c.c3_reduce + c.c5_reduce
}

#[test]
fn multiply_adds_at_the_usual_size_are_the_published_ones() {
    for (name, unit, count) in [
        ("inception-v3", 1_000_000, 5_713),
        ("inception-v4", 10_000_000, 1_225),
        ("inception-resnet-v2", 10_000_000, 1_316),
    ] {
        let macs = summary(&model(name)).macs;
        assert_eq!((macs + unit / 2) / unit, count, "{name}: {macs}");
    }
    let v2 = summary(&model("bn-inception")).macs;
    assert!((1_930_000_000..2_020_000_000).contains(&v2), "{v2}");
    assert_eq!(summary(&model("googlenet-torchvision")).macs, 1_498_376_192);
    let paper = summary(&model("googlenet"));
    assert_eq!(paper.macs / 1_000_000, 1_582);
    assert_eq!(paper.flops(), 2 * paper.macs);
}

#[test]
fn layers_and_modules_add_up_to_the_totals() {
    for info in registry().iter().filter(|info| info.name != "vgg16") {
        let model = model(info.name);
        let summary = summary(&model);
        let layers: u64 = summary.layers.iter().map(|row| row.params).sum();
        let modules: u64 = summary.modules().iter().map(|row| row.params).sum();
        assert_eq!([layers, modules], [summary.params; 2], "{}", info.name);
        let modules: u64 = summary.modules().iter().map(|row| row.macs).sum();
        assert_eq!(modules, summary.macs, "{}", info.name);
        assert_eq!(summary.params_aux, model.specs().trainable_aux());
        assert!(summary.arena_bytes > 0 && summary.activation_bytes > 0);
    }
}

#[test]
fn a_training_summary_has_the_auxiliary_layers_but_counts_the_main_path() {
    let options = ModelOptions {
        input: Some([3, 64, 64]),
        ..ModelOptions::default()
    };
    let model = Model::build("googlenet-torchvision", &options).expect("64 pixels are enough");
    let eval = summary(&model);
    let config = SummaryConfig {
        batch_size: 2,
        mode: Mode::Train,
        passes: inception_autograd::Passes::TRAINING,
    };
    let train = Summary::of(&model, &config).expect("the model trains");
    assert_eq!((train.macs, train.params), (eval.macs, eval.params));
    assert!(train.layers.iter().any(|row| row.path == "aux2.fc2"));
    assert!(eval.layers.iter().all(|row| !row.path.starts_with("aux")));
    assert!(train.arena_bytes > eval.arena_bytes);
}

/// Rows of Table 1 at the resolution where the paper has them: weights and biases,
/// multiply-adds in units of 100 000 of the reduced and of the naive module.
#[test]
fn each_module_of_table_1_has_its_parameters_and_multiply_adds() {
    let expected: [(&str, usize, u64, u64, u64); 9] = [
        ("3a", 28, 163_696, 1_280, 3_035),
        ("3b", 28, 388_736, 3_043, 8_542),
        ("4a", 14, 376_176, 736, 3_071),
        ("4b", 14, 449_160, 879, 3_789),
        ("4c", 14, 510_104, 999, 4_046),
        ("4d", 14, 605_376, 1_185, 4_319),
        ("4e", 14, 868_352, 1_700, 6_557),
        ("5a", 7, 1_043_456, 511, 2_583),
        ("5b", 7, 1_444_080, 707, 2_870),
    ];
    let mut c_in = 192;
    for (row, (name, side, params, reduced, naive)) in TABLE1.iter().zip(expected) {
        assert_eq!(row.name, name);
        let style = ConvStyle::Biased;
        let module = |b: &mut Builder<'_>| -> Box<dyn Module> {
            Box::new(Block::new(b, style, c_in, &row.config.branches(5)))
        };
        let (found, macs, c_out) = measure([side, side, c_in], module);
        assert_eq!((found, c_out), (params, row.config.c_out()), "{name}");
        assert_eq!(hundred_thousands(macs), reduced, "{name}");
        let module = |b: &mut Builder<'_>| -> Box<dyn Module> {
            Box::new(Block::new(b, style, c_in, &row.config.naive_branches()))
        };
        let (_, macs, naive_out) = measure([side, side, c_in], module);
        assert_eq!(hundred_thousands(macs), naive, "{name} naive");
        assert_eq!(naive_out, c_out - row.config.pool + c_in);
        c_in = c_out;
    }
}

fn hundred_thousands(macs: u64) -> u64 {
    (macs + 50_000) / 100_000
}

/// Trainable numbers, multiply-adds and output channels of one module.
fn measure(
    [h, w, c]: [usize; 3],
    build: impl Fn(&mut Builder<'_>) -> Box<dyn Module>,
) -> (u64, u64, usize) {
    let mut specs = Specs::default();
    let module = build(&mut Builder::new(&mut specs));
    let mut graph = Graph::new();
    let x = graph.input(Shape::new(1, h, w, c), DType::Real);
    let mut ctx = Ctx {
        graph: &mut graph,
        mode: Mode::Eval,
        specs: &specs,
        frozen: &[],
    };
    let y = module
        .forward(x, &mut ctx)
        .expect("the module fits its input");
    let macs = (0..graph.nodes().len()).map(|id| graph.macs(id)).sum();
    (specs.trainable(), macs, graph.shape(y).c)
}

/// Keys and shapes, a line each, in the model's order, which is PyTorch's.
fn keys(model: &Model) -> Vec<String> {
    let specs = model.specs().iter();
    specs
        .map(|(_, spec)| format!("{} {:?}", spec.name, spec.torch_shape()))
        .collect()
}

#[test]
fn state_dict_keys_and_shapes_are_those_of_pytorch() {
    for (name, expected) in [
        (
            "googlenet-torchvision",
            include_str!("../keys/googlenet-torchvision.txt"),
        ),
        ("googlenet", include_str!("../keys/googlenet.txt")),
        ("inception-v3", include_str!("../keys/inception-v3.txt")),
        ("inception-v4", include_str!("../keys/inception-v4.txt")),
        (
            "inception-resnet-v2",
            include_str!("../keys/inception-resnet-v2.txt"),
        ),
        ("alexnet", include_str!("../keys/alexnet.txt")),
        ("vgg16", include_str!("../keys/vgg16.txt")),
        (
            "simple-inception",
            include_str!("../keys/simple-inception.txt"),
        ),
    ] {
        assert_eq!(keys(&model(name)).join("\n"), expected.trim_end(), "{name}");
    }
}

#[test]
fn state_dict_keys_of_our_own_models_stay() {
    for (name, expected) in [
        (
            "inception-small",
            include_str!("../keys/inception-small.txt"),
        ),
        ("inception-mini", include_str!("../keys/inception-mini.txt")),
        ("inception-midi", include_str!("../keys/inception-midi.txt")),
        ("googlenet-bn", include_str!("../keys/googlenet-bn.txt")),
    ] {
        assert_eq!(keys(&model(name)).join("\n"), expected.trim_end(), "{name}");
    }
}

#[test]
fn without_auxiliary_heads_only_their_keys_are_gone() {
    let options = ModelOptions {
        aux: Aux::Drop,
        ..ModelOptions::default()
    };
    let bare = Model::build("googlenet-torchvision", &options).expect("a known model");
    let whole = model("googlenet-torchvision");
    let kept: Vec<String> = keys(&whole)
        .into_iter()
        .filter(|key| !key.starts_with("aux"))
        .collect();
    assert_eq!(keys(&bare), kept);
    assert_eq!(bare.specs().trainable_aux(), 0);
}
