// What the recorder reads from its spool: metadata and feed, in pieces as the first byte says.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "wire/recording/feed.hpp"
#include "wire/recording/metadata.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    if (size == 0) return 0;
    const std::size_t piece = data[0] + std::size_t{1};
    const Bytes all{data + 1, size - 1};
    recording::ChunkReader chunks;
    recording::Metadata metadata;
    recording::FeedReader feed;
    std::size_t told = 0, records = 0;
    bool chunks_go_on = true, feed_goes_on = true;
    for (std::size_t at = 0; at < all.size(); at += piece) {
        const auto part = all.subspan(at, std::min(piece, all.size() - at));
        if (chunks_go_on) chunks.feed(as_text(part));
        while (chunks_go_on) {
            const auto chunk = chunks.next();
            if (!chunk || !*chunk) {
                chunks_go_on = chunk.has_value();
                break;
            }
            told += (*chunk)->label.size() + (*chunk)->content.size();
            metadata.apply(**chunk);
        }
        if (feed_goes_on) feed.feed(part);
        while (feed_goes_on) {
            const auto record = feed.next();
            if (!record || !*record) {
                feed_goes_on = record.has_value();
                break;
            }
            if ((*record)->payload.size() > recording::max_feed_payload) std::abort();
            records += recording::feed_record_head_size + (*record)->payload.size();
        }
    }
    if (told > all.size() || records > all.size()) std::abort();  // nothing is told twice
    if (metadata.streams.size() > recording::Metadata::max_entries) std::abort();
    (void)metadata.value("key");
    return 0;
}
