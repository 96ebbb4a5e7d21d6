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
}  // namespace text
