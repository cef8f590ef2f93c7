#include "wire/starless/msgpack.hpp"

#include <gtest/gtest.h>

namespace strowger::starless {
namespace {

using Octets = std::vector<std::uint8_t>;
using Kind = Value::Kind;

Value whole(const Octets& octets) {
    std::size_t need = 0;
    auto read = read_object(octets, need);
    EXPECT_TRUE(read && *read);
    EXPECT_EQ((*read)->used, octets.size());
    return (*read)->value;
}

// The first bytes are those of the format overview in the specification.
TEST(MessagePack, WritesEachFormAsTheSpecificationShowsIt) {
    EXPECT_EQ(Writer().nil().boolean(false).boolean(true).take(), (Octets{0xc0, 0xc2, 0xc3}));
    EXPECT_EQ(Writer().integer(0).integer(127).take(), (Octets{0x00, 0x7f}));
    EXPECT_EQ(Writer().integer(128).integer(255).take(), (Octets{0xcc, 0x80, 0xcc, 0xff}));
    EXPECT_EQ(Writer().integer(256).take(), (Octets{0xcd, 0x01, 0x00}));
    EXPECT_EQ(Writer().integer(65536).take(), (Octets{0xce, 0x00, 0x01, 0x00, 0x00}));
    EXPECT_EQ(Writer().integer(0xffffffff).take(), (Octets{0xce, 0xff, 0xff, 0xff, 0xff}));
    EXPECT_EQ(Writer().integer(0x100000000).take(),
              (Octets{0xcf, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00}));
    EXPECT_EQ(Writer().integer64(1).take(), (Octets{0xcf, 0, 0, 0, 0, 0, 0, 0, 1}));
    EXPECT_EQ(Writer().text("a").take(), (Octets{0xa1, 'a'}));
    EXPECT_EQ(Writer().text(std::string(32, 'x')).take()[0], 0xd9);
    EXPECT_EQ(Writer().text(std::string(256, 'x')).take()[0], 0xda);
    EXPECT_EQ(Writer().text(std::string(65536, 'x')).take()[0], 0xdb);
    EXPECT_EQ(Writer().binary(Octets{1, 2}).take(), (Octets{0xc4, 0x02, 1, 2}));
    EXPECT_EQ(Writer().binary(Octets(256)).take()[0], 0xc5);
    EXPECT_EQ(Writer().binary(Octets(65536)).take()[0], 0xc6);
    EXPECT_EQ(Writer().array(2).map(1).take(), (Octets{0x92, 0x81}));
    EXPECT_EQ(Writer().array(16).take(), (Octets{0xdc, 0x00, 0x10}));
}

TEST(MessagePack, ReadsEachForm) {
    EXPECT_EQ(whole({0xc0}).kind, Kind::nil);
    EXPECT_TRUE(whole({0xc3}).boolean);
    EXPECT_EQ(whole({0x7f}).number(), 127u);
    EXPECT_EQ(whole({0xcd, 0x01, 0x02}).number(), 258u);
    EXPECT_EQ(whole({0xcf, 0, 0, 0, 1, 0, 0, 0, 0}).number(), 0x100000000u);
    EXPECT_EQ(whole({0xff}).kind, Kind::negative);
    EXPECT_EQ(static_cast<std::int64_t>(whole({0xd1, 0xff, 0xfe}).integer), -2);
    EXPECT_EQ(whole({0xd0, 0x05}).number(), 5u);
    EXPECT_EQ(whole({0xcb, 0x40, 0x45, 0, 0, 0, 0, 0, 0}).number(), 42u);
    EXPECT_FALSE(whole({0xcb, 0x40, 0x45, 0x40, 0, 0, 0, 0, 0}).number());  // 42.5
    EXPECT_EQ(whole({0xca, 0x3f, 0x80, 0, 0}).number(), 1u);
    EXPECT_EQ(whole({0xa2, 'h', 'i'}).text(), "hi");
    EXPECT_EQ(as_text(*whole({0xc4, 0x02, 'h', 'i'}).binary()), "hi");
    EXPECT_EQ(whole({0xd6, 0xff, 0, 0, 0, 0}).kind, Kind::extension);  // a timestamp
    EXPECT_EQ(whole({0xc7, 0x01, 0x05, 0x00}).kind, Kind::extension);
    EXPECT_EQ(whole({0xdc, 0x00, 0x02, 0x01, 0x02}).items.size(), 2u);
    EXPECT_EQ(whole({0x82, 0xa1, 'a', 0x01, 0xa1, 'b', 0x02}).find("b")->number(), 2u);
    EXPECT_EQ(whole({0xde, 0x00, 0x01, 0xa1, 'a', 0xc0}).find("a")->kind, Kind::nil);
}

TEST(MessagePack, SaysHowMuchIsMissing) {
    std::size_t need = 0;
    EXPECT_FALSE(*read_object(Octets{0x92, 0x01}, need));
    EXPECT_EQ(need, 3u);
    EXPECT_FALSE(*read_object(Octets{0xc6, 0x00, 0x01, 0x00, 0x00, 1, 2}, need));
    EXPECT_EQ(need, 5u + 65536);
}

TEST(MessagePack, RefusesWhatIsTooDeepTooLongOrNothing) {
    std::size_t need = 0;
    EXPECT_FALSE(read_object(Octets(max_depth + 2, 0x91), need));
    Octets deep(max_depth, 0x91);
    deep.push_back(0xc0);
    EXPECT_TRUE(read_object(deep, need).value());
    EXPECT_FALSE(read_object(Octets{0xdd, 0xff, 0xff, 0xff, 0xff}, need));
    EXPECT_FALSE(read_object(Octets{0xdf, 0x80, 0x00, 0x00, 0x00}, need));
    EXPECT_FALSE(read_object(Octets{0xc1}, need));
}

TEST(ObjectStream, GivesObjectsOneByOneHoweverTheyAreCut) {
    const auto stream = Writer().map(1).text("k").binary(Octets(300, 7)).integer(5).nil().take();
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        ObjectStream objects(1000);
        std::vector<Kind> kinds;
        for (const auto part : {Bytes(stream).first(cut), Bytes(stream).subspan(cut)}) {
            objects.feed(part);
            while (true) {
                const auto value = objects.next();
                ASSERT_TRUE(value);
                if (!*value) break;
                kinds.push_back((*value)->kind);
            }
        }
        EXPECT_EQ(kinds, (std::vector{Kind::map, Kind::integer, Kind::nil})) << cut;
    }
}

TEST(ObjectStream, RefusesAnObjectBeyondItsBoundAtOnce) {
    ObjectStream objects(1000);
    objects.feed(Octets{0xc6, 0x00, 0x00, 0x10, 0x00});  // 4096 bytes will follow
    EXPECT_FALSE(objects.next());
}

}  // namespace
}  // namespace strowger::starless
