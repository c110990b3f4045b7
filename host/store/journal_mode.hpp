#pragma once

#include <filesystem>
#include <string_view>

namespace seedbed::store {

/// True for the `f_type` that statfs gives on NFS, SMB, FUSE and the cluster file systems, whose shared memory between
/// machines a write-ahead log cannot trust.
bool is_network_file_system(unsigned long type);

/// "wal" where `folder` lies on a local disk, else "delete" (a rollback journal).
std::string_view journal_mode_for(const std::filesystem::path& folder);

}  // namespace seedbed::store
