#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugin/model_builder.hpp"
#include "stages/stage_context.hpp"

namespace seedbed::stages {

/// A seed generator with its backbone. The builder comes first: it must outlive the methods.
struct GeneratorModel {
  plugin::ModelBuilder builder;
  plugin::Built<Backbone> backbone;
  plugin::Built<SeedGenerator> generator;
};

struct RefinerModel {
  plugin::ModelBuilder builder;
  plugin::Built<Backbone> backbone;  ///< empty for refiners without one
  plugin::Built<Refiner> refiner;
};

struct SegmenterModel {
  plugin::ModelBuilder builder;
  plugin::Built<Backbone> backbone;
  plugin::Built<SegmentationHead> head;
  std::vector<plugin::Built<Loss>> losses;
  plugin::Built<TrainingStrategy> strategy;
};

/// Size of training crops, where all are of one size; 0 elsewhere.
struct CropSize {
  std::int64_t height_px = 0;
  std::int64_t width_px = 0;
};

GeneratorModel build_generator(const StageContext& context, CropSize crop = {});
/// A generator ready to be asked: with the stage's `checkpoint`, where it has one, and in evaluation mode.
GeneratorModel build_fitted_generator(const StageContext& context);
RefinerModel build_refiner(const StageContext& context, CropSize crop = {});
/// `settings.losses` names the losses and their weights; a prediction may leave that out.
SegmenterModel build_segmenter(const StageContext& context, CropSize crop = {});

/// Gives a trained module the tensors of the stage's input `checkpoint`; does nothing without one.
/// Throws: UserError where the checkpoint is missing or does not fit.
void load_checkpoint(const StageContext& context, Module& module, const std::string& method);

/// The trainable of a method that its manifest says trains. Throws: ContractError for null.
Trainable& required_trainable(Trainable* trainable, const std::string& method);

/// Ledger entries of the weights and other files that reached the stage's methods.
std::vector<protocol::LedgerEntry> weights_ledger(const StageContext& context, const std::string& purpose);

}  // namespace seedbed::stages
