//! Breaking sentences into lines at their spaces.

/// The sentence in lines of at most `width` columns, the first one behind `first`, the others behind `other`. A word that is
/// longer (a path) stands alone and whole.
pub(crate) fn wrapped(sentence: &str, first: &str, other: &str, width: usize) -> Vec<String> {
    let options = textwrap::Options::new(width)
        .initial_indent(first)
        .subsequent_indent(other)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    textwrap::wrap(sentence, options)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}
