#include "store/journal_mode.hpp"

#include <algorithm>
#include <array>

#include <sys/statfs.h>

namespace seedbed::store {

bool is_network_file_system(unsigned long type) {
  // From linux/magic.h and the file systems' own sources. FUSE may be local (then a rollback journal costs little).
  static constexpr std::array network_types{
      0x6969ul,      // NFS
      0x517Bul,      // SMB
      0xFE534D42ul,  // SMB2
      0xFF534D42ul,  // CIFS
      0x65735546ul,  // FUSE: sshfs, GlusterFS ...
      0x01021997ul,  // 9P
      0x5346414Ful,  // AFS
      0x6B414653ul,  // kAFS
      0x73757245ul,  // Coda
      0x00C36400ul,  // Ceph
      0x0BD00BD0ul,  // Lustre
      0x47504653ul,  // GPFS
      0x19830326ul,  // BeeGFS
      0x01161970ul,  // GFS2
      0x7461636Ful,  // OCFS2
      0x20030528ul,  // OrangeFS
      0xAAD7AAEAul,  // PanFS
  };
  // Some kernels sign-extend the 32-bit number.
  return std::find(network_types.begin(), network_types.end(), type & 0xFFFFFFFFul) != network_types.end();
}

std::string_view journal_mode_for(const std::filesystem::path& folder) {
  struct statfs facts {};
  const bool known = ::statfs(folder.c_str(), &facts) == 0;
  return known && !is_network_file_system(static_cast<unsigned long>(facts.f_type)) ? "wal" : "delete";
}

}  // namespace seedbed::store
