// Byte-level BPE (Sennrich et al. 2016; GPT-2's variant) over a table of merges that can be mapped from a file.
// Gives the ids of Hugging Face's `tokenizers`: the lowest rank is merged first, of equal ones the leftmost.
// No state: any number of threads may call. What a table holds is only ever read as numbers, so a damaged one
// gives wrong ids and nothing worse.
#include <cstdint>
#include <queue>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr uint32_t kEmpty = 0xffffffff;

// Of a hash table with open addressing, whose size is a power of two: two neighbouring ids become `merged`.
struct Slot {
    uint32_t left, right, rank, merged;
};

struct Merges {
    const Slot* slots;
    uint32_t mask;

    static uint32_t hash(uint32_t left, uint32_t right) {
        const uint64_t mixed = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
        return (uint32_t)(mixed >> 32);
    }

    const Slot* find(uint32_t left, uint32_t right) const {
        for (uint32_t i = hash(left, right), n = 0; n <= mask; i++, n++) {
            const Slot& slot = slots[i & mask];
            if (slot.left == left && slot.right == right) return &slot;
            if (slot.left == kEmpty) break;
        }
        return nullptr;
    }
};

// A token of the piece in hand; merged into its left neighbour, it is gone.
struct Symbol {
    uint32_t id;
    int32_t previous, next;
    bool is_gone;
};

struct Candidate {
    uint32_t rank;
    int32_t at;  // its left symbol
    uint32_t merged;
    bool operator<(const Candidate& other) const {  // of a queue that gives the greatest: the lowest rank is
        return rank != other.rank ? rank > other.rank : at > other.at;
    }
};

struct Piece {
    Merges merges;
    std::vector<Symbol> symbols;
    std::priority_queue<Candidate> queue;

    void consider(int32_t at) {
        if (at < 0 || symbols[at].next < 0) return;
        if (const Slot* slot = merges.find(symbols[at].id, symbols[symbols[at].next].id))
            queue.push({slot->rank, at, slot->merged});
    }

    // One that was true when it was put into the queue may not be any more.
    bool still(const Candidate& each) const {
        const Symbol& left = symbols[each.at];
        if (left.is_gone || left.next < 0) return false;
        const Slot* slot = merges.find(left.id, symbols[left.next].id);
        return slot != nullptr && slot->merged == each.merged;
    }

    void merge() {
        for (int32_t at = 0; at < (int32_t)symbols.size(); at++) consider(at);
        while (!queue.empty()) {
            const Candidate best = queue.top();
            queue.pop();
            if (!still(best)) continue;
            Symbol& left = symbols[best.at];
            Symbol& right = symbols[left.next];
            left.id = best.merged;
            right.is_gone = true;
            left.next = right.next;
            if (left.next >= 0) symbols[left.next].previous = best.at;
            consider(left.previous);
            consider(best.at);
        }
    }
};

}  // namespace

// Puts n merges into a table of `mask` + 1 slots, which must be more than n; of two for one pair the last counts.
EXPORT void midfill_bpe_table(const Slot* merges, int32_t n, Slot* slots, uint32_t mask) {
    for (uint32_t i = 0; i <= mask; i++) slots[i] = {kEmpty, kEmpty, kEmpty, kEmpty};
    for (const Slot* merge = merges; merge < merges + n; merge++) {
        uint32_t i = Merges::hash(merge->left, merge->right) & mask;
        while (slots[i].left != kEmpty && (slots[i].left != merge->left || slots[i].right != merge->right))
            i = (i + 1) & mask;
        slots[i] = *merge;
    }
}

// text in n_pieces pieces that end at `ends`, each merged alone; `bytes` are the 256 ids to begin with. `ids` has room
// for one id a byte; returns how many there are.
EXPORT int32_t midfill_bpe(const Slot* slots, uint32_t mask, const uint32_t* bytes, const uint8_t* text,
                           const int32_t* ends, int32_t n_pieces, uint32_t* ids) {
    Piece piece{{slots, mask}, {}, {}};
    int32_t n = 0;
    for (int32_t number = 0, begin = 0; number < n_pieces; begin = ends[number++]) {
        const int32_t length = ends[number] - begin;
        piece.symbols.clear();
        for (int32_t i = 0; i < length; i++)
            piece.symbols.push_back({bytes[text[begin + i]], i - 1, i + 1 < length ? i + 1 : -1, false});
        piece.merge();
        for (const Symbol& symbol : piece.symbols)
            if (!symbol.is_gone) ids[n++] = symbol.id;
    }
    return n;
}
