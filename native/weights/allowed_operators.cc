#include "weights/allowed_operators.h"

#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>

namespace torch_t5 {
namespace {

using Names = std::span<const std::string_view>;
using Symbols = std::unordered_set<c10::Symbol>;

// The operators that `torch.jit.trace` writes for transformers' T5, MT5 and UMT5, with eager and sdpa attention and
// each activation. test/archives/list_operators.py prints them: add a new model to its cases. Read what an operator
// does with bad arguments before you add it: it must neither read outside of a tensor nor end the process.

// Functions and methods that are called are checked themselves.
constexpr auto kModelStructure = std::to_array<std::string_view>({
    "prim::CallFunction",
    "prim::CallMethod",
    "prim::Constant",
    "prim::GetAttr",
    "prim::ListConstruct",
    "prim::ListUnpack",
    "prim::NumToTensor",
    "prim::TupleConstruct",
    "prim::TupleUnpack",
    "aten::Int",
    "aten::ScalarImplicit",
});

constexpr auto kModelTensors = std::to_array<std::string_view>({
    "aten::arange",
    "aten::full_like",
    "aten::new_ones",
    "aten::new_zeros",
    "aten::zeros",
    "aten::zeros_like",
    "aten::clone",
    "aten::contiguous",
    "aten::detach",
    "aten::to",
    "aten::copy_",
    "aten::fill_",
    "aten::masked_fill_",
});

constexpr auto kModelShapes = std::to_array<std::string_view>({
    "aten::cat",
    "aten::expand",
    "aten::index",
    "aten::permute",
    "aten::reshape",
    "aten::select",
    "aten::size",
    "aten::slice",
    "aten::transpose",
    "aten::unsqueeze",
    "aten::view",
});

constexpr auto kModelMathematics = std::to_array<std::string_view>({
    "aten::__and__", "aten::abs", "aten::add",   "aten::add_", "aten::div",   "aten::eq",  "aten::ge",
    "aten::gt",      "aten::le",  "aten::log",   "aten::lt",   "aten::mean",  "aten::min", "aten::mul",
    "aten::neg",     "aten::pow", "aten::rsqrt", "aten::sub",  "aten::where",
});

constexpr auto kModelLayers = std::to_array<std::string_view>({
    "aten::dropout",
    "aten::embedding",
    "aten::linear",
    "aten::matmul",
    "aten::scaled_dot_product_attention",
    "aten::softmax",
});

// For the activations of transformers.activations.ACT2FN.
constexpr auto kModelActivations = std::to_array<std::string_view>({
    "aten::clamp",
    "aten::erf",
    "aten::expm1",
    "aten::gelu",
    "aten::hardswish",
    "aten::hardtanh",
    "aten::leaky_relu",
    "aten::mish",
    "aten::prelu",
    "aten::relu",
    "aten::sigmoid",
    "aten::silu",
    "aten::softplus",
    "aten::sqrt",
    "aten::square",
    "aten::tanh",
});

// What heads may use besides. TorchScript writes most of these for `torch.nn`.

// `prim::RaiseException` ends the call with an error, `aten::warn` writes a warning to stderr. nn.Dropout contains the
// first, nn.CrossEntropyLoss both.
constexpr auto kHeadStructure = std::to_array<std::string_view>({
    "prim::If",
    "prim::Loop",
    "prim::RaiseException",
    "prim::Uninitialized",
    "prim::unchecked_cast",
    "prim::unchecked_unwrap_optional",
    "prim::isinstance",
    "prim::TupleIndex",
    "prim::TupleSlice",
    "prim::DictConstruct",
    "prim::min",
    "prim::max",
    "prim::abs",
    "prim::type",
    "prim::device",
    "prim::dtype",
    "prim::layout",
    "prim::is_cuda",
    "prim::is_nested",
    "prim::requires_grad",
    "prim::data",
    "aten::warn",
    "aten::format",
    "aten::str",
    "aten::Bool",
    "aten::Float",
    "aten::FloatImplicit",
    "aten::IntImplicit",
    "aten::__contains__",
    "aten::__derive_index",
    "aten::__getitem__",
    "aten::__is__",
    "aten::__isnot__",
    "aten::__not__",
    "aten::__range_length",
    "aten::_set_item",
    "aten::append",
    "aten::copy",
    "aten::extend",
    "aten::insert",
    "aten::pop",
    "aten::reverse",
    "aten::items",
    "aten::keys",
    "aten::values",
    "aten::get",
    "aten::len",
    "aten::list",
    "aten::dict",
    "aten::item",
    "aten::_unwrap_optional",
    "aten::is_autocast_enabled",
    "aten::is_grad_enabled",
});

constexpr auto kHeadTensors = std::to_array<std::string_view>({
    "aten::tensor",       "aten::as_tensor",    "aten::scalar_tensor", "aten::ones",         "aten::full",
    "aten::eye",          "aten::linspace",     "aten::new_full",      "aten::new_zeros",    "aten::one_hot",
    "aten::tril_indices", "aten::triu_indices", "aten::type_as",       "aten::cpu",          "aten::alias",
    "aten::lift_fresh",   "aten::detach_",      "aten::copy_",         "aten::fill_",        "aten::zero_",
    "aten::masked_fill_", "aten::index_put_",   "aten::scatter_",      "aten::scatter_add_", "aten::index_add_",
});

constexpr auto kHeadShapes = std::to_array<std::string_view>({
    "aten::dim",
    "aten::numel",
    "aten::stride",
    "aten::is_floating_point",
    "aten::is_complex",
    "aten::is_contiguous",
    "aten::element_size",
    "aten::flatten",
    "aten::unflatten",
    "aten::squeeze",
    "aten::squeeze_",
    "aten::unsqueeze_",
    "aten::broadcast_shapes",
    "aten::select",
    "aten::narrow",
    "aten::chunk",
    "aten::split",
    "aten::split_with_sizes",
    "aten::tensor_split",
    "aten::stack",
    "aten::hstack",
    "aten::vstack",
    "aten::concat",
    "aten::unbind",
    "aten::numpy_T",
    "aten::mT",
    "aten::t",
    "aten::movedim",
    "aten::swapaxes",
    "aten::swapdims",
    "aten::view_as",
    "aten::reshape_as",
    "aten::expand_as",
    "aten::broadcast_to",
    "aten::broadcast_tensors",
    "aten::repeat",
    "aten::repeat_interleave",
    "aten::tile",
    "aten::flip",
    "aten::roll",
    "aten::pad",
    "aten::constant_pad_nd",
    "aten::unfold",
    "aten::meshgrid",
    "aten::diagonal",
    "aten::diag",
    "aten::diag_embed",
    "aten::tril",
    "aten::triu",
    "aten::gather",
    "aten::scatter",
    "aten::scatter_add",
    "aten::scatter_reduce",
    "aten::index_select",
    "aten::index_add",
    "aten::index_fill",
    "aten::index_put",
    "aten::masked_fill",
    "aten::masked_select",
    "aten::take_along_dim",
    "aten::nonzero",
    "aten::argwhere",
    "aten::pad_sequence",
});

constexpr auto kHeadMathematics = std::to_array<std::string_view>({
    "aten::eq",           "aten::ne",          "aten::__or__",      "aten::__xor__",     "aten::logical_and",
    "aten::logical_or",   "aten::logical_not", "aten::logical_xor", "aten::bitwise_and", "aten::bitwise_or",
    "aten::bitwise_not",  "aten::bitwise_xor", "aten::isnan",       "aten::isinf",       "aten::isfinite",
    "aten::isin",         "aten::isclose",     "aten::rsub",        "aten::true_divide", "aten::floordiv",
    "aten::floor_divide", "aten::remainder",   "aten::fmod",        "aten::reciprocal",  "aten::ceil",
    "aten::floor",        "aten::round",       "aten::trunc",       "aten::frac",        "aten::sign",
    "aten::exp",          "aten::exp2",        "aten::log10",       "aten::log1p",       "aten::log2",
    "aten::logaddexp",    "aten::xlogy",       "aten::sin",         "aten::cos",         "aten::tan",
    "aten::asin",         "aten::acos",        "aten::atan",        "aten::atan2",       "aten::sinh",
    "aten::cosh",         "aten::erfc",        "aten::erfinv",      "aten::lgamma",      "aten::digamma",
    "aten::logit",        "aten::clamp_min",   "aten::clamp_min_",  "aten::clamp_max",   "aten::clamp_max_",
    "aten::abs_",         "aten::log_",        "aten::pow_",        "aten::sigmoid_",    "aten::sqrt_",
    "aten::tanh_",        "aten::hypot",       "aten::maximum",     "aten::minimum",     "aten::lerp",
    "aten::addcmul",      "aten::addcdiv",     "aten::nan_to_num",  "aten::sub_",        "aten::mul_",
    "aten::div_",         "aten::neg_",        "aten::exp_",        "aten::clamp_",      "aten::relu_",
});

constexpr auto kHeadReductions = std::to_array<std::string_view>({
    "aten::sum",
    "aten::prod",
    "aten::max",
    "aten::amax",
    "aten::amin",
    "aten::aminmax",
    "aten::argmax",
    "aten::argmin",
    "aten::all",
    "aten::any",
    "aten::median",
    "aten::mode",
    "aten::nanmean",
    "aten::nansum",
    "aten::quantile",
    "aten::std",
    "aten::std_mean",
    "aten::var",
    "aten::var_mean",
    "aten::norm",
    "aten::linalg_norm",
    "aten::linalg_vector_norm",
    "aten::linalg_matrix_norm",
    "aten::logsumexp",
    "aten::cumsum",
    "aten::cumprod",
    "aten::cummax",
    "aten::cummin",
    "aten::logcumsumexp",
    "aten::sort",
    "aten::argsort",
    "aten::topk",
    "aten::kthvalue",
    "aten::bincount",
    "aten::count_nonzero",
    "aten::searchsorted",
    "aten::bucketize",
    "aten::trace",
    "aten::dist",
});

constexpr auto kHeadProducts = std::to_array<std::string_view>({
    "aten::mm",           "aten::bmm",           "aten::mv",
    "aten::dot",          "aten::inner",         "aten::outer",
    "aten::addmm",        "aten::addmv",         "aten::baddbmm",
    "aten::einsum",       "aten::tensordot",     "aten::kron",
    "aten::cross",        "aten::cdist",         "aten::bilinear",
    "aten::linalg_cross", "aten::linalg_inv",    "aten::linalg_multi_dot",
    "aten::linalg_solve", "aten::linalg_vecdot",
});

// Not lstm, gru, rnn_tanh, rnn_relu, embedding_bag, _native_multi_head_attention and _transformer_encoder_layer_fwd:
// with other arguments than those of their modules they read outside of tensors, or divide by zero.
constexpr auto kHeadLayers = std::to_array<std::string_view>({
    "aten::layer_norm",
    "aten::rms_norm",
    "aten::batch_norm",
    "aten::group_norm",
    "aten::instance_norm",
    "aten::conv1d",
    "aten::conv2d",
    "aten::conv3d",
    "aten::conv_transpose1d",
    "aten::max_pool1d",
    "aten::max_pool2d",
    "aten::avg_pool1d",
    "aten::avg_pool2d",
    "aten::adaptive_avg_pool1d",
    "aten::adaptive_avg_pool2d",
    "aten::adaptive_max_pool1d",
    "aten::log_softmax",
    "aten::lstm_cell",
    "aten::gru_cell",
    "aten::feature_dropout",
    "aten::dropout_",
    "aten::feature_dropout_",
    "aten::alpha_dropout",
    "aten::alpha_dropout_",
    "aten::rnn_tanh_cell",
    "aten::rnn_relu_cell",
});

constexpr auto kHeadActivations = std::to_array<std::string_view>({
    "aten::celu",       "aten::celu_",      "aten::elu",         "aten::elu_",         "aten::glu",
    "aten::hardshrink", "aten::hardtanh_",  "aten::hardswish_",  "aten::leaky_relu_",  "aten::log_sigmoid",
    "aten::mish_",      "aten::selu",       "aten::selu_",       "aten::silu_",        "aten::softshrink",
    "aten::threshold",  "aten::threshold_", "aten::hardsigmoid", "aten::hardsigmoid_",
});

constexpr auto kHeadLosses = std::to_array<std::string_view>({
    "aten::binary_cross_entropy",
    "aten::binary_cross_entropy_with_logits",
    "aten::cosine_embedding_loss",
    "aten::cosine_similarity",
    "aten::cross_entropy_loss",
    "aten::hinge_embedding_loss",
    "aten::huber_loss",
    "aten::kl_div",
    "aten::l1_loss",
    "aten::margin_ranking_loss",
    "aten::mse_loss",
    "aten::multi_margin_loss",
    "aten::multilabel_margin_loss",
    "aten::nll_loss",
    "aten::nll_loss_nd",
    "aten::pairwise_distance",
    "aten::poisson_nll_loss",
    "aten::smooth_l1_loss",
    "aten::soft_margin_loss",
    "aten::triplet_margin_loss",
});

Symbols join(std::initializer_list<Names> lists) {
  Symbols symbols;
  for (const Names list : lists) {
    for (const std::string_view name : list) symbols.insert(c10::Symbol::fromQualString(std::string(name)));
  }
  return symbols;
}

bool isModelOperator(c10::Symbol kind) {
  static const Symbols allowed =
      join({kModelStructure, kModelTensors, kModelShapes, kModelMathematics, kModelLayers, kModelActivations});
  return allowed.contains(kind);
}

bool isHeadOperator(c10::Symbol kind) {
  static const Symbols allowed = join({kHeadStructure, kHeadTensors, kHeadShapes, kHeadMathematics, kHeadReductions,
                                       kHeadProducts, kHeadLayers, kHeadActivations, kHeadLosses});
  return allowed.contains(kind);
}

}  // namespace

bool isAllowed(c10::Symbol kind, CodePolicy policy) {
  return policy == CodePolicy::kAny || isModelOperator(kind) || (policy == CodePolicy::kHead && isHeadOperator(kind));
}

Error untrusted(const std::string& received, const std::string& where, CodePolicy policy) {
  if (policy == CodePolicy::kModel) {
    return {ErrorCode::kModelUntrusted,
            "Expected operators of a T5 in the archive but received " + received + " (in " + where + ")"};
  }
  return {ErrorCode::kModelUntrusted, "Expected operators on tensors in the head but received " + received + " (in " +
                                          where + "); the option trusted loads a head that you wrote"};
}

}  // namespace torch_t5
