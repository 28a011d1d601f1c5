//! Names of failures that stay.

use crate::exit::{IO, LIMIT, MALFORMED, NUMERIC, OTHER, USAGE};
use inception_store::Rule;

macro_rules! ids {
    ($($name:ident = $text:literal, $exit:ident, $meaning:literal;)+) => {
        /// What sort of failure a command ended with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Id { $($name,)+ }

        impl Id {
            /// Every id, in the order of the documentation.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name: `W-104`.
            pub(crate) const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The status of a command that fails with it.
            pub(crate) const fn exit_code(self) -> u8 {
                match self { $(Self::$name => $exit,)+ }
            }

            /// What it means.
            #[cfg(test)]
            pub(crate) const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ }
            }
        }
    };
}

ids! {
    CommandLine = "U-101", USAGE, "a word, flag or value of the command line is not known, or flags do not go together";
    Setting = "U-102", USAGE, "a setting of a run is out of range or does not go with another";
    DataSetting = "U-103", USAGE, "a data set, augmentation or preprocessing is named that does not exist, or is out of range";
    Model = "U-104", USAGE, "a model is not known, or cannot be built for these images, classes or options";
    WeightsSetting = "U-105", USAGE, "weights, model and data do not go together";
    Processor = "U-106", USAGE, "threads or kernels that this machine does not have were asked for";
    Target = "U-107", USAGE, "what would be written over is a link, a folder or a device";
    Locked = "U-108", USAGE, "another process works in the folder";
    ArchiveContent = "U-109", USAGE, "what would be written cannot be read back";
    HubName = "U-110", USAGE, "the name of a file on a hub has another form than hf:OWNER/NAME@REVISION:FILE, or there is no place to keep it";
    Misfit = "W-101", MALFORMED, "the tensors of a file are not those of the model";
    Description = "W-102", MALFORMED, "what a file of weights says about itself is malformed, or contradicts itself";
    RegularFile = "W-103", MALFORMED, "the file is a folder, a pipe or a device";
    Offsets = "W-104", MALFORMED, "a tensor's bytes are not as many as its shape says, or lie outside the data";
    StableFile = "W-105", MALFORMED, "the file changed while it was read";
    Prefix = "W-106", MALFORMED, "the file is shorter than the length of a header";
    HeaderLength = "W-107", MALFORMED, "the header does not lie inside the file";
    Utf8 = "W-108", MALFORMED, "the header is not UTF-8";
    Json = "W-109", MALFORMED, "the header is not the JSON that the format asks for";
    Depth = "W-110", MALFORMED, "the header nests too deep";
    Integer = "W-111", MALFORMED, "a number of the header is no whole number of 64 bits";
    Duplicate = "W-112", MALFORMED, "a tensor, field or key occurs twice";
    Fields = "W-113", MALFORMED, "a tensor lacks its type, shape or offsets";
    Dtype = "W-114", MALFORMED, "an element type is not one of the format's";
    Supported = "W-115", MALFORMED, "an element type cannot be read here";
    Shape = "W-116", MALFORMED, "the size of a shape overflows";
    Order = "W-117", MALFORMED, "a tensor ends before it begins";
    Overlap = "W-118", MALFORMED, "two tensors share bytes";
    Hole = "W-119", MALFORMED, "bytes belong to no tensor";
    Total = "W-120", MALFORMED, "the data do not end where the last tensor does";
    Present = "W-121", MALFORMED, "a tensor that is needed is not there";
    Convertible = "W-122", MALFORMED, "a tensor's type does not convert to the one that is needed";
    Range = "W-123", MALFORMED, "a number does not fit the type that is needed";
    Finite = "W-124", MALFORMED, "weights are NaN or infinite";
    Sealed = "W-125", MALFORMED, "the file carries no digests";
    HeaderDigest = "W-126", MALFORMED, "the header is not the one that was written";
    TensorDigest = "W-127", MALFORMED, "a tensor's bytes are not the ones that were written";
    Foreign = "W-128", MALFORMED, "a file of another tool's weights is not what its format asks for, or holds what is not read here";
    HubDigest = "W-129", MALFORMED, "a file of a hub is not the one that its digest names, or the hub gives no digest";
    Weights = "W-199", MALFORMED, "a file of weights breaks a rule that has no id of its own";
    Checkpoint = "C-101", MALFORMED, "a checkpoint's state is not what this version writes";
    Differs = "C-102", MALFORMED, "a run was begun with other settings or data";
    NoCheckpoint = "C-103", MALFORMED, "no checkpoint of a folder can be used";
    Data = "D-101", MALFORMED, "a file of a data set, or an image, is malformed";
    Item = "D-102", MALFORMED, "an item of a data set cannot be used";
    Decoder = "D-103", MALFORMED, "reading an item failed unexpectedly";
    TooManyBad = "D-104", MALFORMED, "more items are bad than may be left out";
    ArchiveLimit = "L-101", LIMIT, "a file of weights is over a limit";
    DataLimit = "L-102", LIMIT, "an image or a data set is over a limit";
    ModelLimit = "L-103", LIMIT, "a model has more numbers than are allowed";
    Memory = "L-104", LIMIT, "memory is not to be had, or not allowed";
    StoreIo = "S-101", IO, "the operating system refuses to read or write a file of weights or a checkpoint";
    DataIo = "S-102", IO, "the operating system refuses to read data";
    RunIo = "S-103", IO, "the operating system refuses to read or write a file of a run";
    OtherIo = "S-104", IO, "the operating system refuses something else";
    Hub = "S-105", IO, "a file of a hub does not exist, is refused, or cannot be reached and is not in the cache";
    Diverged = "N-101", NUMERIC, "losses, gradients or weights stopped being numbers";
    NotANumber = "N-102", NUMERIC, "a result is not a number";
    Other = "X-101", OTHER, "anything else";
    Internal = "X-102", OTHER, "a panic: a mistake of this program";
}

impl Id {
    /// The id of a rule of archives.
    pub(crate) fn of_rule(rule: Rule) -> Self {
        match rule {
            Rule::RegularFile => Self::RegularFile,
            Rule::StableFile => Self::StableFile,
            Rule::Prefix => Self::Prefix,
            Rule::HeaderLength => Self::HeaderLength,
            Rule::Utf8 => Self::Utf8,
            Rule::Json => Self::Json,
            Rule::Depth => Self::Depth,
            Rule::Integer => Self::Integer,
            Rule::Duplicate => Self::Duplicate,
            Rule::Fields => Self::Fields,
            Rule::Dtype => Self::Dtype,
            Rule::Supported => Self::Supported,
            Rule::Shape => Self::Shape,
            Rule::Order => Self::Order,
            Rule::Size => Self::Offsets,
            Rule::Overlap => Self::Overlap,
            Rule::Hole => Self::Hole,
            Rule::Total => Self::Total,
            Rule::Present => Self::Present,
            Rule::Convertible => Self::Convertible,
            Rule::Range => Self::Range,
            Rule::Finite => Self::Finite,
            Rule::Sealed => Self::Sealed,
            Rule::HeaderDigest => Self::HeaderDigest,
            Rule::TensorDigest => Self::TensorDigest,
            _ => Self::Weights,
        }
    }

    /// The id of a failure that is known by its status alone.
    pub(crate) fn of_code(code: u8) -> Self {
        match code {
            USAGE => Self::CommandLine,
            LIMIT => Self::Memory,
            MALFORMED => Self::Data,
            IO => Self::OtherIo,
            NUMERIC => Self::NotANumber,
            _ => Self::Other,
        }
    }
}
