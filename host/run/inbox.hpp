#pragma once

#include <filesystem>
#include <functional>

#include "protocol/stage.hpp"
#include "store/store.hpp"

namespace seedbed::run {

using OnResult = std::function<void(const protocol::StageResult&)>;

/// Commits one result file to the store and then removes it. Taking a file twice changes nothing.
/// Throws: UserError for a torn file or another store's, ContractError for a malformed one; it is moved aside as
/// `NAME.refused`, so it is seen once.
void take_result_file(store::Store& store, const std::filesystem::path& file, const OnResult& on_result);

/// Commits every result file that workers left, e.g. after a supervisor was killed. Returns how many.
int take_inbox(store::Store& store, const OnResult& on_result);

}  // namespace seedbed::run
