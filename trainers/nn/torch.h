// LibTorch. Before all other headers, for the sake of clang.
#pragma once

// clang wants to evaluate std::vector's members where they are mentioned, because they are constexpr in C++20; LibTorch 1.13 mentions
// those of a vector of a type that is not complete there. So std::vector is not constexpr, as in C++17. (What stands before it keeps its
// constexpr; std::vector<bool> has a function that is declared there already, in another spelling.)
#if defined(__clang__) && defined(__GNUC__) && __has_include(<bits/stl_algobase.h>) && !__has_include(<ATen/ops/scaled_dot_product_attention.h>)
#include <bits/c++config.h>
#define _Bit_iterator _Bit_iterator_elsewhere
#include <bits/stl_algobase.h>
#undef _Bit_iterator
#include <bits/allocator.h>
#include <bits/range_access.h>
#include <bits/refwrap.h>
#include <bits/stl_construct.h>
#include <bits/stl_uninitialized.h>
#include <debug/debug.h>

#include <initializer_list>
#pragma push_macro("_GLIBCXX20_CONSTEXPR")
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR
#include <vector>
#pragma pop_macro("_GLIBCXX20_CONSTEXPR")
#endif

#include <torch/torch.h>
