#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "dataset/augmentation_spec.hpp"
#include "images/accessor.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/trainable.hpp"
#include "seedbed/types.hpp"

namespace seedbed::images {

/// What a view begins with.
enum class ViewStart {
  image,  ///< the image as it is stored
  base,   ///< the image behind main's `input` and `LoaderOptions::base`, the same for all views that begin here
  main    ///< what main shows, to the pixel
};

ViewStart view_start_from(std::string_view name);  ///< Throws: UserError

/// One way of seeing an image in a batch.
struct ViewRecipe {
  std::string name = "main";
  ViewStart from = ViewStart::image;  ///< of every view but main, which has its `input`, the base and its own steps
  dataset::InputSize input = {};      ///< applied before the augmentation
  dataset::Augmentation augmentation = {};
};

enum class OnBrokenImage {
  fail,  ///< the UserError of the file ends the epoch
  skip   ///< the place is taken by the next image in order that can be read; counted
};

OnBrokenImage on_broken_image_from(std::string_view name);  ///< Throws: UserError

/// Opens a side input of the image at hand, [H,W] uint8; counted when its batch is handed out.
using SideReader = std::function<at::Tensor(const std::string& name)>;

struct LoaderOptions {
  std::vector<std::string> image_ids;
  std::vector<ViewRecipe> views{ViewRecipe{}};  ///< main first
  dataset::Augmentation base = {};              ///< before main's own steps, and shared by views that begin there
  std::int64_t batch_size = 1;
  bool shuffle = false;  ///< by random seed, node and epoch
  bool drop_last = false;
  Normalisation normalisation;
  bool raw_images = false;        ///< fills images_raw_nhwc
  bool image_labels = false;      ///< fills present_nc
  std::vector<std::string> side;  ///< side inputs that become companions of their names
  bool masks = false;             ///< fills target_nhw from the data set's masks
  /// Fills target_nhw instead: labels [H,W] uint8 of an image, at its size. Called on loader threads.
  std::function<at::Tensor(const std::string& image_id)> target;
  /// Score maps and label maps that become companions of these names: N = 1, over the whole image, in any resolution.
  /// Called on loader threads.
  std::map<std::string, std::function<ScoreMaps(const std::string& image_id, const SideReader& side)>> maps;
  std::map<std::string, std::function<at::Tensor(const std::string& image_id)>> labels;  ///< [H,W] uint8
  OnBrokenImage on_broken_image = OnBrokenImage::fail;
  std::int64_t random_seed = 0;
  std::string node;          ///< names the random streams with the seed, the epoch, the image and the view
  std::int64_t threads = 1;  ///< >= 1; changes no number
  std::int64_t batches_ahead = 2;
};

/// Decodes and augments batches ahead on its own threads. A batch's images are padded to the largest of them, at the
/// bottom and the right: `valid` says where the pixels are; padding is 0 in normalised images, 255 in targets.
///
/// Threads: [one-at-a-time]. The same batches come out whatever `threads` and `batches_ahead` are.
class BatchLoader {
 public:
  /// Throws: UserError for an empty list of images, or drop_last with fewer images than a batch holds; ContractError
  ///         where the first view is not main.
  BatchLoader(std::shared_ptr<LabelledImages> images, LoaderOptions options);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  std::int64_t batches_per_epoch() const;

  /// Starts an epoch (from 0), at batch `first`; a fit that resumes names both.
  void start_epoch(std::int64_t epoch, std::int64_t first = 0);

  /// The next batch of the epoch; nullopt after the last.
  /// Throws: UserError of a broken image (`fail`), or where no image can be read.
  std::optional<StreamBatch> next();

  /// Images that could not be read so far, sorted; each is named once.
  std::vector<std::string> broken_images() const;

 private:
  std::unique_ptr<class LoaderWork> work_;
};

}  // namespace seedbed::images
