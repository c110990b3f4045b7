#include "manifest/host_fingerprint.hpp"

#include "manifest/host_fingerprint_json.hpp"
#include "manifest/manifest_json.hpp"

namespace seedbed::manifest {

const Fingerprint& host_fingerprint() {
  static const Fingerprint fingerprint = fingerprint_from_json(kHostFingerprintJson, "host");
  return fingerprint;
}

}  // namespace seedbed::manifest
