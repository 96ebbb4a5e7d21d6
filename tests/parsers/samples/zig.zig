const std = @import("std");

// INCOMMENT sums a slice
const Pair = struct {
    left: u32,
};

pub fn sum(values: []const u32) u32 {
    var total: u32 = 0;
    for (values) |value| {
        total += value + INBLOCK;
    }
    std.debug.print("INSTRING", .{});
    return total;
}
