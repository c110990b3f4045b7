#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace seedbed::protocol {

/// What a worker was computing.
struct WorkingOn {
  std::string stage_key;
  std::string image_id;  ///< "" where no single image was
};

/// The note beside an attempt's log.
std::filesystem::path working_note_path(const std::filesystem::path& log_file);

/// A note that outlives its writer, however that ends: a small file, mapped. Writing costs no system call.
/// Threads: [one-at-a-time].
class WorkingNote {
 public:
  /// Makes the file anew. Without one (no permission, no space) the note is not kept: it only explains a death.
  explicit WorkingNote(const std::filesystem::path& file);

  /// Removes the file: nobody died.
  ~WorkingNote();
  WorkingNote(const WorkingNote&) = delete;
  WorkingNote& operator=(const WorkingNote&) = delete;

  /// Texts are cut to 255 bytes.
  void write(std::string_view stage_key, std::string_view image_id);

 private:
  std::filesystem::path file_;
  void* mapping_ = nullptr;
};

/// nullopt where there is no note, or nothing was written yet.
std::optional<WorkingOn> read_working_note(const std::filesystem::path& file);

}  // namespace seedbed::protocol
