//! What people read.

use crate::common;
use crate::common::{Place, text};

#[test]
fn the_list_of_models() {
    insta::assert_snapshot!(Place::new().run("models"), @r#"
    model                  input      classes    params     aux      MACs     FLOPs  about                                                                 source
    simple-inception       3×32×32         10    3.90 M       –  305.27 M  610.53 M  one Inception module without activations, as it is taught             Inception module of Szegedy et al. 2014, figure 2b
    inception-small        1×28×28         10  346.19 k       –   25.25 M   50.51 M  three Inception modules with batch norm, for 28 to 32 pixels          this project
    inception-mini         1×28×28         10  536.11 k       –   58.23 M  116.46 M  four modules of 1×1 beside 3×3 with batch norm, for 28 to 32 pixels   this project; modules of Zhang et al. 2017
    inception-midi         1×28×28         10    1.74 M       –  144.34 M  288.67 M  inception-mini with modules of twice the width                        this project; modules of Zhang et al. 2017
    googlenet              3×224×224     1000    7.00 M  6.38 M    1.58 G    3.17 G  GoogLeNet as published: local response norm, 5×5 branch               Szegedy et al. 2014, Going Deeper with Convolutions
    googlenet-bn           3×224×224     1000    7.01 M  6.38 M    1.58 G    3.17 G  GoogLeNet as published, with batch norm                               Szegedy et al. 2014; Ioffe and Szegedy 2015
    googlenet-torchvision  3×224×224     1000    6.62 M  6.38 M    1.50 G    3.00 G  GoogLeNet as torchvision has it: batch norm, 3×3 in the third branch  torchvision googlenet.py
    googlenet-slim         3×224×224     1000    6.62 M       –    1.50 G    3.00 G  GoogLeNet as TF-slim has it: batch norm without γ, SAME padding       TF-slim inception_v1.py
    bn-inception           3×224×224     1000   11.19 M       –    2.02 G    4.04 G  BN-Inception, or Inception v2: two 3×3 in place of the 5×5            Ioffe and Szegedy 2015, Batch Normalization; TF-slim inception_v2.py
    inception-v3           3×299×299     1000   23.83 M  3.33 M    5.71 G   11.43 G  Inception v3: factorised convolutions, one auxiliary head             Szegedy et al. 2015, Rethinking the Inception Architecture; torchvision inception.py
    inception-v4           3×299×299     1000   42.68 M       –   12.25 G   24.51 G  Inception v4: a deeper stem, uniform modules                          Szegedy et al. 2016, Inception-v4; timm inception_v4.py
    inception-resnet-v1    3×299×299     1000   24.36 M       –    6.31 G   12.62 G  Inception-ResNet v1: residual Inception modules at the cost of v3     Szegedy et al. 2016, Inception-v4; facenet inception_resnet_v1.py
    inception-resnet-v2    3×299×299     1000   55.84 M       –   13.16 G   26.31 G  Inception-ResNet v2 as published: residual Inception modules          TF-slim inception_resnet_v2.py; timm inception_resnet_v2.py
    alexnet                3×224×224     1000   61.10 M       –  714.19 M    1.43 G  AlexNet as torchvision has it, to compare with                        Krizhevsky 2014; torchvision alexnet.py
    vgg16                  3×224×224     1000  138.36 M       –   15.47 G   30.94 G  VGG-16, to compare with                                               Simonyan and Zisserman 2014; torchvision vgg.py
    "#);
}

#[test]
fn the_summary_of_a_model() {
    let said = Place::new().run("summary --model inception-small --train --batch-size 64");
    insta::assert_snapshot!(said, @r#"
    module       output         params       MACs
    conv1        64×32×28×28       352    225 792
    maxpool1     64×32×14×14         0          0
    conv2        64×64×14×14    18 560  3 612 672
    inception3a  64×160×14×14   38 816  7 526 400
    maxpool2     64×160×7×7          0          0
    inception4a  64×256×7×7    115 360  5 619 712
    inception4b  64×352×7×7    169 568  8 266 496
    avgpool      64×352×1×1          0          0
    dropout      64×352×1×1          0          0
    fc           64×10×1×1       3 530      3 520

    model                    inception-small, input 1×28×28
    parameters               346 186
    multiply-adds an image   25.25 M
    FLOPs an image           50.51 M
    memory for               a training step, batch of 64
      activations, all kept  111.6 MiB
      planned arena          64.4 MiB
      parameters             1.3 MiB
      momentum               1.3 MiB
      images loaded ahead    784.0 KiB
      resident in all        67.8 MiB
    "#);
}

#[test]
fn the_help() {
    insta::assert_snapshot!(Place::new().run("--help"), @r#"
    Train, evaluate and use Inception classifiers on CPUs.

    Without anything else, `inception train` trains a small network on drawn shapes: nothing to
    download, about a minute on two cores.

    Usage: inception <COMMAND>

    Commands:
      train        Train or fine-tune a model
      eval         Measure top-1, top-5, loss, calibration and per-class figures of weights
      predict      Classify images
      features     Write what the last layer of a network reads, for each image
      summary      Show layers, shapes, parameters, FLOPs and memory of a model
      bench        Measure the speed of inference or training of a model on this machine
      models       List the models: name, input, parameters, multiply-adds, FLOPs, source
      recipes      List the recipes of training, or print one with its sources
      convert      Read one format of weights and write another
      data         Get, describe and verify data sets
      report       Write a page about a run: curves, stability, confusion, calibration, worst images
      doctor       Show CPU features, kernels and threads, and check gradients on this machine
      completions  Print a shell's completion script

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Exit status: 0 done; 2 usage; 3 a limit; 4 malformed input; 5 input and output; 6 numeric failure;
    130, 143 stopped by a signal after saving; 1 anything else.
    "#);
}

#[test]
fn without_a_command_the_help_is_an_error() {
    let place = Place::new();
    for words in ["", "data"] {
        let output = place.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output).contains("Usage: inception"),
            "{}",
            text(&output)
        );
    }
    let message = place.fail(2, "trian");
    assert_eq!(
        message,
        "unrecognized subcommand 'trian'; tip: a similar subcommand exists: 'train'; see --help"
    );
}

#[test]
fn every_command_has_a_help_and_the_model_list_is_an_object() {
    let place = Place::new();
    for command in [
        "train",
        "eval",
        "predict",
        "summary",
        "bench",
        "models",
        "convert",
        "convert diff",
        "convert average",
        "data",
        "data info",
        "data check",
        "data baseline",
        "data preview",
        "recipes",
        "doctor",
        "completions",
    ] {
        let said = place.run(&format!("{command} --help"));
        assert!(said.contains("Usage: inception"), "{command}");
    }
    let models = &place.json("models")["models"];
    assert_eq!(
        common::fields(&models[0]),
        [
            "about",
            "classes",
            "flops",
            "input",
            "macs",
            "name",
            "params",
            "params_aux",
            "source"
        ]
    );
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_none() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_inception"))
        .arg("models")
        .stdout(full)
        .stderr(std::process::Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(5));
    let script = "{ \"$0\" summary --model vgg16 --layers; echo $? >&2; } | head -n 1";
    let shell = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_inception")])
        .output()
        .unwrap();
    assert_eq!(text(&shell), "0\n");
}
