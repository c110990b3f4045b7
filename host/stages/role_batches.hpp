#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "fit/batch_source.hpp"
#include "images/batch_loader.hpp"
#include "protocol/stage.hpp"

namespace seedbed::stages {

/// The images of a role as one stream of a fit.
struct RoleStream {
  std::string name;  ///< "main", "unlabelled" ...
  std::shared_ptr<images::LabelledImages> images;
  images::LoaderOptions options;
};

/// The images of a fit's roles: shuffled, augmented batches of every stream, and those of `main` one by one, resized as
/// `input` says and no more. Streams beside `main` begin anew whenever they are through.
class RoleBatches : public fit::BatchSource {
 public:
  /// `streams`: `main` first. Streams of one role share their `images`.
  RoleBatches(std::vector<RoleStream> streams, c10::Device device);

  std::int64_t batches_per_epoch() const override { return streams_.front().loader->batches_per_epoch(); }
  void start_at(std::int64_t index) override;
  fit::Streams next() override;

  /// Images that cannot be read are left out where the loader skips them.
  void for_each_image(const std::function<void(const ViewBatch&)>& visit) override;

  nlohmann::ordered_json state() const override;
  void load_state(const nlohmann::ordered_json& state) override;

  /// Counts what is opened through `images` as the fit's own, e.g. by a validation.
  void count_also(std::shared_ptr<images::LabelledImages> images);

  /// An image that cannot be read, found by whoever looked at it before the loader.
  void add_broken(std::string image_id) { broken_.insert(std::move(image_id)); }

  std::vector<std::string> broken_images() const;
  std::vector<protocol::LedgerEntry> ledger() const;

 private:
  struct Stream {
    RoleStream source;
    std::unique_ptr<images::BatchLoader> loader;
    std::int64_t epoch = 0;
  };

  StreamBatch next_of(Stream& stream);
  StreamBatch on_device(StreamBatch batch) const;

  c10::Device device_;
  std::vector<Stream> streams_;
  std::vector<std::shared_ptr<images::LabelledImages>> accessors_;  ///< each once
  std::set<std::string> broken_;                                    ///< seen before this loader, or by another
};

}  // namespace seedbed::stages
