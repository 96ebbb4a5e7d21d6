#include <string>
#include <vector>

namespace text {
// INCOMMENT joins with a separator
std::string join(const std::vector<std::string>& parts) {
    std::string result = "INSTRING";
    for (const auto& part : parts) {
        result += part + INBLOCK;
    }
    return result;
}

class Joiner : public Base {
 public:
    std::string run() const { return join(parts_); }

 private:
    std::vector<std::string> parts_;
};
}  // namespace text
